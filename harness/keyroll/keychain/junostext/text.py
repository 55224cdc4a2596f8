"""Words of Junos configuration text, with their places; quoting; the errors of this package."""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass, field

from keyroll.errors import InputError, Where

_PLAIN = re.compile(r"[A-Za-z0-9_./:@+-]+", re.ASCII)
_ESCAPED = re.compile(r'\\(["\\])')
_NEEDS_ESCAPE = re.compile(r'(["\\])')


class KeychainTextError(InputError):
    """Configuration text cannot be read or written; names file, line and column. Never quotes what may be a secret."""


class TooManyKeysError(KeychainTextError):
    """A chain has more than 64 keys, so their numbers do not fit in 0 to 63."""


@dataclass(frozen=True, slots=True)
class Word:
    """One word or quoted string (`quoted`; `text` is what is meant, without quotes), and its offset in the text.

    Its repr leaves the text out: it may be a secret.
    """

    text: str = field(repr=False)
    offset: int
    quoted: bool = False


@dataclass(frozen=True, slots=True)
class Source:
    """A text and what to call it in errors."""

    name: str
    text: str = field(repr=False)
    line_starts: tuple[int, ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        starts = (0, *(found.end() for found in re.finditer(r"\n", self.text)))
        object.__setattr__(self, "line_starts", starts)

    def where(self, offset: int) -> Where:
        """Return file, line and column (both from 1) of an offset."""
        line = bisect_right(self.line_starts, offset)
        return Where.of(self.name, line, offset - self.line_starts[line - 1] + 1)

    def error(self, message: str, offset: int, *, remedy: str | None = None) -> KeychainTextError:
        """Return the error that says `message` about the place of `offset`."""
        return KeychainTextError(message, where=self.where(offset), remedy=remedy)


def no_odd_blank(source: Source, text: str, position: int, end: int) -> None:
    """Raise KeychainTextError when what no word could be read from is more than plain blanks.

    Copied from a web page or a word processor, a text may hold blanks that no router takes for one.
    """
    rest = text[position:end]
    odd = rest.lstrip(" \t\r\n\f\v")
    if odd:
        raise source.error(f"a blank that is no space stands here (U+{ord(odd[0]):04X})", end - len(odd))


def quote(text: str) -> str:
    """Return `text` as one word of configuration text, in quotes where Junos needs them."""
    return text if _PLAIN.fullmatch(text) else quoted(text)


def quoted(text: str) -> str:
    """Return `text` in quotes; a quote or backslash in it is escaped."""
    return '"' + _NEEDS_ESCAPE.sub(r"\\\1", text) + '"'


def unquoted(text: str) -> str:
    """Return what a quoted string means: a backslash escapes a quote and itself, and else stands for itself."""
    return _ESCAPED.sub(r"\1", text[1:-1])
