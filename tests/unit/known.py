"""Values that a test knows to be present, although their type allows None.

mypy reads tests as strictly as what they test: where a value may be None, a test says that here it is not. What is None
all the same ends the test at that line with an AssertionError.
"""

from typing import TypeVar

T = TypeVar("T")


def known(value: T | None) -> T:
    """Return a value that is not None."""
    assert value is not None, "None, where the test expects a value"
    return value
