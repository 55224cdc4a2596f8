"""What commands print. Output that cannot be written ends the printing, never a run, and never changes its verdict."""

from __future__ import annotations

import contextlib
import os
import sys

import click
from rich.console import Console
from rich.text import Text

from keyroll.errors import printable

_STANDARD = (0, 1, 2)


def say(text: str) -> None:
    """Print a line on stderr, if that can be written."""
    with contextlib.suppress(OSError, ValueError):  # ValueError: it is closed
        click.echo(printable(text), err=True)


class _Console(Console):
    """A console that leaves it to its user what happens when nobody reads any more; rich's own exits with 1."""

    def on_broken_pipe(self) -> None:
        """Say so."""
        raise BrokenPipeError


class Printer:
    """Prints on stdout until that cannot be written any more (`| head -1`, a full disk): from then on nothing."""

    def __init__(self) -> None:
        self._console = _Console(highlight=False, soft_wrap=True)
        self._problem: str | None = None

    def line(self, text: str = "", *, style: str = "") -> None:
        """Print a line; what would steer the terminal is shown as an escape."""
        if self._problem is not None:
            return
        try:
            self._console.print(Text(printable(text), style=style))
        except BrokenPipeError:
            self._problem = ""  # who reads has seen enough
        except (OSError, ValueError) as error:
            self._problem = f"the output cannot be written: {getattr(error, 'strerror', None) or error}"
            say(f"keyroll: {self._problem}")


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
