"""Helpers that return a step of a file with the type that a test expects."""

from collections.abc import Mapping

from keyroll.scenario.file.commit_steps import Commit
from keyroll.scenario.file.expectations import Expectation
from keyroll.scenario.file.step import Step
from keyroll.scenario.file.steps import read_step


def expectation(written: Mapping[str, object]) -> Expectation:
    """Return the step `expect` with these conditions."""
    step = read_step({"expect": written})
    assert isinstance(step, Expectation), step
    return step


def commit_of(step: Step) -> Commit:
    """Return the step, typed as one that commits a change of keys."""
    assert isinstance(step, Commit), step
    return step
