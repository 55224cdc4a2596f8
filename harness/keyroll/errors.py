"""The exception tree and the exit codes.

Every error that a person can meet derives from `KeyrollError`, says what happened, where, and what to do, and
knows the exit code of a command that ends with it. Each room derives its own errors from the three branches:

    KeyrollError
     ├── InputError        a file or argument is wrong: names file, line, column, field and what is allowed there
     ├── UnfitError        this machine or lab cannot do what was asked: names the remedy
     └── RunError          the product or its surroundings broke while working: a state that cannot be read or
                           parsed, a daemon that died, a deadline that passed

None says anything about the routers under test: that is a verdict, which a command returns as its exit code. An error
is never turned into "down" or "ok".
"""

from __future__ import annotations

import enum
import os
import re
from dataclasses import dataclass

_STEERING = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""Control characters, marks that change the direction of writing, and unpaired surrogates, which cannot be encoded."""
_OCTETS = range(0xDC80, 0xDD00)
"""How Python carries an octet of a path that is not UTF-8 (PEP 383)."""
# The highest character that `\xNN` can name; above it `\uNNNN` is needed.
_TWO_DIGITS = 0xFF


class ExitCode(enum.IntEnum):
    """How every `keyroll` command ends."""

    OK = 0
    BAD = 1
    """Something that was judged is bad: a scenario is red, a segment is bad, a lint rule is broken."""
    UNFIT = 2
    """Nothing can be said: the input is unfit, the machine cannot do it, or the run itself broke."""
    INTERRUPTED = 130
    """Ctrl-C, as shells have it."""


@dataclass(frozen=True, slots=True)
class Where:
    """A place in a file that a person wrote. Lines and columns count from 1."""

    file: str
    line: int | None = None
    column: int | None = None

    @classmethod
    def of(cls, path: os.PathLike[str] | str, line: int | None = None, column: int | None = None) -> Where:
        """Build a place from a path and, where known, a line and a column."""
        return cls(str(path), line, column)

    def __str__(self) -> str:
        parts = [self.file]
        if self.line is not None:
            parts.append(str(self.line))
            if self.column is not None:
                parts.append(str(self.column))
        return ":".join(parts)


def printable(text: str) -> str:
    r"""Return `text` so that it is safe for a terminal: control characters are written as `\x1b`.

    Escape codes of a file, of a router's answer or of a log could otherwise change what stands on the screen. Line ends
    and tabs stay.
    """
    return _STEERING.sub(lambda found: _escaped(found[0]), text)


def _escaped(character: str) -> str:
    code = ord(character)
    if code in _OCTETS:
        code -= 0xDC00
    return f"\\x{code:02x}" if code <= _TWO_DIGITS else f"\\u{code:04x}"


class KeyrollError(Exception):
    """Base of all errors that a person can meet; `str()` of it is the whole sentence to show, safe for a terminal."""

    exit_code: ExitCode = ExitCode.UNFIT

    def __init__(self, message: str, *, where: Where | None = None, remedy: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.where = where
        self.remedy = remedy

    def __str__(self) -> str:
        text = f"{self.where}: {self.message}" if self.where else self.message
        return printable(f"{text} ({self.remedy})" if self.remedy else text)


class InputError(KeyrollError):
    """A file or an argument is wrong."""


class UnfitError(KeyrollError):
    """This machine or this lab cannot do what was asked; `remedy` says what would help."""


class RunError(KeyrollError):
    """A router, the lab or keyroll broke during the run."""


class DeadlineError(RunError):
    """A named wait did not end in time. Says what was awaited, since which event, and what was seen last."""
