"""One line of text, cut into words: what is a word, a mark, a string, a comment."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

_ODD = "\x1c-\x1f\x85\xa0\u1680\u2000-\u200b\u2028\u2029\u202f\u205f\u3000"
"""Blanks that no router takes for one; a web page or a word processor puts them in. They stay part of a word."""
_WORDS = rf"[^{{}};\"#\[\]\x1b\x08({_ODD}]+"
PLAIN = re.compile(rf"{_WORDS}(?:\"(?P<string>[^\"\\{_ODD}]*)\")?[;{{]")
"""One statement or the head of one level, alone on its line: no comment, no list, at most one string, at its end."""
PLAIN_SET = re.compile(rf"{_WORDS}(?:\"(?P<string>[^\"\\{_ODD}]*)\")?")
"""The same of a line in set form."""
_TOKEN = re.compile(
    r"""[ \t\f\v\r]*(?:
        (?P<note>\#.*)
      | /\*(?P<comment>.*?)\*/
      | (?P<opened>/\*.*)
      | "(?P<string>(?:[^"\\]|\\.)*)"(?=[ \t\f\v;{}\]]|$)
      | (?P<stray>".*)
      | (?P<mark>[{};\[\]])
      | (?P<word><[^ \t\f\v;{}]*|(?:\$\{[^ \t\f\v{}]*\}|[^ \t\f\v{};\[\]"])+)
    )""",
    re.VERBOSE,
)
_MARKS = (*"{};#[](\x1b\x08\x1c\x1d\x1e\x1f", "/*")
"""What makes a line of ASCII text other than plain words and a string, beside the quote."""
_PIECE = 8_000
"""Characters, some hundred lines: small enough that a list in one line costs only its neighbours the closer look."""
_ESCAPED = re.compile(r'\\(["\\])')
LEFT_OUT = frozenset(("SECRET-DATA", "ACCESS-DENIED", "OMITTED"))
"""Comments that stand where a value was."""
_QUOTED = {"[": '"["', "]": '"]"'}
"""A bracket in quotes is a name or a value: it keeps its quotes until the brackets of lists have been looked for."""
UNQUOTED = {quoted: bare for bare, quoted in _QUOTED.items()}


def pieces(text: str) -> Iterator[tuple[str, bool]]:
    """Yield the text in pieces that end where a line ends, and whether a piece has none of the marks but quotes.

    Such a piece needs no look at each line's marks. In pieces, because the list of all lines of a text takes three
    times its memory.
    """
    begin = 0
    while begin <= len(text):
        end = text.find("\n", begin + _PIECE)
        end = len(text) if end < 0 else end
        piece = text[begin:end]
        yield piece, piece.isascii() and not any(mark in piece for mark in _MARKS)
        begin = end + 1


def tokens(line: str) -> Iterator[tuple[str, str]]:
    """Yield the kind of each token of a line (a name of `_TOKEN`'s groups) and its text, of a string what it means."""
    position = 0
    while found := _TOKEN.match(line, position):
        position = found.end()
        kind = found.lastgroup or ""
        text = found[kind] if kind else ""
        if kind == "string" and "\\" in text:
            text = _ESCAPED.sub(r"\1", text)
        yield kind, text


def split(line: str, found: re.Match[str]) -> list[str]:
    """Return the words of a line that `PLAIN` or `PLAIN_SET` matches; of a set line, without `set`."""
    string = found["string"]
    start = 4 if line[:4] == "set " else 0
    if string is None:
        return line[start:].rstrip(";{").split()
    return [*line[start : found.start("string") - 1].split(), string]


def kept_apart(string: str) -> str:
    """Return a string as a word that is not taken for the bracket of a list."""
    return _QUOTED.get(string, string)


def spread(path: Sequence[str]) -> list[tuple[str, ...]]:
    """Return the paths that a line with one list `[ a b ]` stands for."""
    start = path.index("[")
    end = path.index("]")
    words = [UNQUOTED.get(word, word) for word in path]
    return [(*words[:start], value, *words[end + 1 :]) for value in words[start + 1 : end]]
