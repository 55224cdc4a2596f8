"""A helper for values that a test expects to be present, although their type allows None.

mypy checks tests strictly, so a test has to state where an optional value is present. If the value is None, the test
fails at that line with an AssertionError.
"""

from typing import TypeVar

T = TypeVar("T")


def known(value: T | None) -> T:
    """Return the value, typed as present; raise AssertionError if it is None."""
    assert value is not None, "None, where the test expects a value"
    return value
