"""The standard streams of a command. Output that cannot be written never changes a verdict.

Loaded by every command, `keyroll --help` among them: what prints in colours is in `printer`.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator

import click

from keyroll.errors import printable

_STANDARD = (0, 1, 2)


def say(text: str) -> None:
    """Print a line on stderr, if that can be written."""
    with contextlib.suppress(OSError, ValueError):  # ValueError: it is closed
        click.echo(printable(text), err=True)


@contextlib.contextmanager
def read_or_not() -> Iterator[None]:
    """Print what stands within until nobody reads any more (`| head -1`); the command goes on to its own exit code."""
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        drop_what_is_left()


def open_standard_streams() -> None:
    """Give a process that was started with closed standard streams an empty one in each place.

    Else the next file that is opened (a capture, the timeline) would get the number 1 or 2, and all that children print
    would be written into it.
    """
    for number in _STANDARD:
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest free number: this one


def drop_what_is_left() -> None:
    """Flush stdout and stderr; what cannot be written is let go.

    The interpreter would try again at its end, fail, and end with 120 whatever the exit code was to be.
    """
    for stream in (sys.stdout, sys.stderr):
        if stream is None:
            continue
        try:
            stream.flush()
        except (OSError, ValueError):
            with contextlib.suppress(OSError, ValueError), open(os.devnull, "w") as nowhere:  # noqa: PTH123 -- os.devnull is no path to compose
                os.dup2(nowhere.fileno(), stream.fileno())
