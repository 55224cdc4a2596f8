"""Splits a typed line into words with their columns, so that a refusal can point at a word."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from keyroll.emulator.junos.configuration.faults import SyntaxFault


@dataclass(frozen=True, slots=True)
class Token:
    """One word: its text without quotes, its first column (from 0), whether it was quoted, the column after it."""

    text: str
    column: int
    quoted: bool = False
    end: int = 0

    def shifted(self, by: int) -> Token:
        """Return the word moved `by` columns to the right."""
        return replace(self, column=self.column + by, end=self.end + by)


_WORD = re.compile(r"""[ \t]*(?:(?P<bracket>[\[\]])|(?P<quote>")|(?P<word>[^ \t\[\]]+))""")


def split(line: str) -> list[Token]:
    r"""Split a line into words. Quotes keep spaces; within them `\"` and `\\` stand for the second character.

    Each bracket is a word. Raises SyntaxFault for a quote that is not closed.
    """
    found: list[Token] = []
    at = 0
    while (match := _WORD.match(line, at)) is not None:
        at = match.end()
        kind = match.lastgroup or ""
        start = match.start(kind)
        if kind == "quote":
            text, at = _quoted(line, start)
            found.append(Token(text, start, quoted=True, end=at))
        else:
            found.append(Token(match[kind], start, end=at))
    return found


def _quoted(line: str, start: int) -> tuple[str, int]:
    text: list[str] = []
    at = start + 1
    while at < len(line):
        if line[at] == "\\" and at + 1 < len(line) and line[at + 1] in '"\\':
            text.append(line[at + 1])
            at += 2
        elif line[at] == '"':
            return "".join(text), at + 1
        else:
            text.append(line[at])
            at += 1
    raise SyntaxFault("unmatched quote.", start)


def segments(line: str) -> list[tuple[str, int]]:
    """Split a line at each `|` outside quotes into (text, column), the command first.

    `||` does not split: it is an operator of policy expressions, and a pipe is never empty.
    """
    if "|" not in line:
        return [(line, 0)]
    found: list[tuple[str, int]] = []
    start, at, in_quotes = 0, 0, False
    while at < len(line):
        if line[at] == "\\" and in_quotes:
            at += 1
        elif line[at] == '"':
            in_quotes = not in_quotes
        elif line.startswith("||", at) and not in_quotes:
            at += 1
        elif line[at] == "|" and not in_quotes:
            found.append((line[start:at], start))
            start = at + 1
        at += 1
    found.append((line[start:], start))
    return found


TAGS = ("inactive:", "active:", "replace:", "protect:")
"""Marks before a statement in the curly form; as a value, such a word must be quoted."""
_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:*@+,%=~^<>")


def quote(text: str, *, always: bool = False) -> str:
    """Return `text` as a configuration shows it: in quotes where needed, or `always`."""
    if text and not always and text not in TAGS and all(char in _PLAIN for char in text):
        return text
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
