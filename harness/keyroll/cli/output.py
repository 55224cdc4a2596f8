"""The standard streams of a command. Output that cannot be written never changes a verdict.

Loaded by every command, `keyroll --help` among them: what prints in colours is in `printer`.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Iterator

import click

from keyroll.errors import printable

# Descriptors of stdin, stdout and stderr.
_STANDARD = (0, 1, 2)


class _Output(io.RawIOBase):
    """A descriptor that accepts everything: output that cannot be written is dropped, and `problem` says why.

    So a closed pipe (`| head -1`) and a full disk end the printing, but not the command.
    """

    def __init__(self, descriptor: int) -> None:
        super().__init__()
        self._descriptor = descriptor
        self._gone = False
        self.problem: OSError | None = None
        """Why output cannot be written; None where only its reader has gone."""

    def writable(self) -> bool:
        """Return True."""
        return True

    def fileno(self) -> int:
        """Return the descriptor."""
        return self._descriptor

    def isatty(self) -> bool:
        """Say whether it is a terminal."""
        return os.isatty(self._descriptor)

    def write(self, data: object) -> int:
        """Write what can be written, and report all of it as written."""
        octets = memoryview(data)  # type: ignore[arg-type]  # what a BufferedWriter gives has a buffer
        if not self._gone:
            try:
                return os.write(self._descriptor, octets)
            except BrokenPipeError:
                self._gone = True
            except BlockingIOError:
                return 0  # a full pipe in non-blocking mode: the caller raises it
            except OSError as error:
                self._gone, self.problem = True, error
        return octets.nbytes


_PUT = list[_Output]()
"""Where stdout goes, once `drop_output_that_cannot_be_written` was called."""


def drop_output_that_cannot_be_written() -> None:
    """Let stdout drop what cannot be written; `why_not_written` has the reason."""
    stream = sys.stdout
    with contextlib.suppress(AttributeError, OSError, ValueError):  # a stream of a test, or none
        if stream.fileno() == 1:
            stream.flush()
            output = _Output(1)
            sys.stdout = io.TextIOWrapper(
                io.BufferedWriter(output),
                encoding=stream.encoding,
                errors=stream.errors,
                line_buffering=stream.isatty(),
            )
            _PUT[:] = [output]


def why_not_written() -> OSError | None:
    """Flush stdout and return why it could not be written, only once; None if it was, or its reader has gone."""
    if not _PUT:
        return None
    if isinstance(sys.stdout, io.TextIOBase):
        sys.stdout.flush()
    problem, _PUT[0].problem = _PUT[0].problem, None
    return problem


def say(text: str) -> None:
    """Print a line on stderr, if that can be written."""
    with contextlib.suppress(OSError, ValueError):  # ValueError: it is closed
        click.echo(printable(text), err=True)


@contextlib.contextmanager
def until_the_reader_closes() -> Iterator[None]:
    """End the block quietly when the reader closes the pipe (`| head -1`); the exit code does not change."""
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        flush_standard_streams()


def open_standard_streams() -> None:
    """Open /dev/null for each standard stream that was closed when the process started.

    Otherwise the next file (a capture, the timeline) would get the number 1 or 2, and the output of child processes
    would be written into it.
    """
    for number in _STANDARD:
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest free number: this one


def flush_standard_streams() -> None:
    """Flush stdout and stderr; output that cannot be written is dropped.

    Otherwise Python would try again at its end, fail, and exit with 120 instead of the command's exit code.
    """
    for stream in (sys.stdout, sys.stderr):
        if stream is None:
            continue
        try:
            stream.flush()
        except (OSError, ValueError):
            with contextlib.suppress(OSError, ValueError), open(os.devnull, "w") as nowhere:  # noqa: PTH123 -- os.devnull is no path to compose
                os.dup2(nowhere.fileno(), stream.fileno())
