"""Keychains: pure values, generation from a seed, the schedule, lint rules, and Junos text both ways.

Nothing here does I/O or reads a clock: time and randomness are arguments.
"""
