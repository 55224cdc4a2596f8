"""Scenario files, the runner, the checks and the timeline."""
