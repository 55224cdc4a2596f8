"""Progress of a command on stderr, for people who wait at a terminal; a pipe or a file gets nothing."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TextIO

from keyroll.errors import printable

AFTER = 2_000_000_000
"""Nanoseconds before the first message: a shorter wait needs none."""
_EVERY = 500_000_000
"""Nanoseconds between two messages: as often as a person can read a changing number."""
_CLEAR = "\r\x1b[K"


def wanted(stream: TextIO | None, environment: Mapping[str, str] = os.environ) -> bool:
    """Say whether a person watches: not in CI, not on a dumb terminal, and not where stderr is a file."""
    if environment.get("CI", "") not in ("", "0", "false") or environment.get("TERM", "dumb") == "dumb":
        return False
    return stream is not None and stream.isatty()


class Progress:
    """Prints how much of a file has been read, once reading takes longer than two seconds.

    Args:
        now: returns nanoseconds of a monotonic clock.
        stream: where to print; None: stderr. Nothing is printed if it is not a terminal.
    """

    def __init__(self, *, now: Callable[[], int], stream: TextIO | None = None) -> None:
        stream = stream or sys.stderr
        self._stream = stream if wanted(stream) else None
        self._now = now
        self._began = now()
        self._next = self._began + AFTER
        self._shown = False
        self._sizes: dict[Path, int] = {}

    def __call__(self, path: Path, octets: int) -> None:
        """Note how many octets of a file have been read; 0 if that is not known (a pipe)."""
        if self._stream is None or (now := self._now()) < self._next:
            return
        self._next = now + _EVERY
        words = f"{printable(path.name)}: {self._part(path, octets)}{(now - self._began) / 1e9:.0f} s"
        width = shutil.get_terminal_size().columns - 1
        self._write(f"{_CLEAR}{words[:width]}")
        self._shown = True

    def clear(self) -> None:
        """Erase the line, before something else is printed on the same terminal."""
        if self._shown:
            self._shown = False
            self._write(_CLEAR)

    def end(self) -> None:
        """Erase the line, and print no more."""
        self.clear()
        self._stream = None

    def _part(self, path: Path, octets: int) -> str:
        size = self._sizes.setdefault(path, path.stat().st_size if path.is_file() else 0)
        return f"{min(100, 100 * octets // size)} % read, " if size and octets else ""

    def _write(self, text: str) -> None:
        try:
            if self._stream is not None:
                self._stream.write(text)
                self._stream.flush()
        except (OSError, ValueError):
            self._stream = None  # the terminal has gone: that ends the messages, never the command
