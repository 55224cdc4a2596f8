"""Splits one line of text into words, marks, strings and comments."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from keyroll.patterns import compiled

_ODD = "\x1c-\x1f\x85\xa0\u1680\u2000-\u200b\u2028\u2029\u202f\u205f\u3000"
"""Blanks from web pages or word processors, which are not blanks to a router: they are part of a word."""
_WORDS = rf"[^{{}};\"#\[\]\x1b\x08({_ODD}]+"
PLAIN = re.compile(rf"{_WORDS}(?:\"(?P<string>[^\"\\{_ODD}]*)\")?")
"""One statement in set form, alone on its line: no comment, no list, at most one string, at its end. Of curly text it
is a statement or the head of a level, without the mark at its end."""
_KINDS = r"""[ \t\f\v\r]*(?:
        (?P<note>\#.*)
      | /\*(?P<comment>.*?)\*/
      | (?P<opened>/\*.*)
      | "(?P<string>(?:[^"\\]|\\.)*)"(?=[ \t\f\v;{}\]]|$)
      | (?P<stray>".*)
      | (?P<mark>[{};\[\]])
      | (?P<word><[^ \t\f\v;{}]*|(?:\$\{[^ \t\f\v{}]*\}|[^ \t\f\v{};\[\]"])+)
    )"""
_MARKS = (*"{};#[](\x1b\x08\x1c\x1d\x1e\x1f", "/*")
"""Characters, besides the quote, that make a line of ASCII text more than plain words and a string."""
_PIECE = 8_000
"""Characters of a piece, about a hundred lines: small, so that one line with a mark makes few others take the slow
path."""
_ESCAPED = r'\\(["\\])'
LEFT_OUT = frozenset(("SECRET-DATA", "ACCESS-DENIED", "OMITTED"))
"""Comments in place of a value."""
_QUOTED = {"[": '"["', "]": '"]"'}
"""A bracket in quotes is a name or a value: it keeps its quotes until lists have been found."""
UNQUOTED = {quoted: bare for bare, quoted in _QUOTED.items()}


def pieces(text: str) -> Iterator[tuple[str, bool]]:
    """Yield the text in pieces of whole lines, and whether a piece has no marks except quotes.

    Lines of such a piece need not be searched for marks. The text is not split at once, because a list of all its lines
    takes three times its memory.
    """
    begin = 0
    while begin <= len(text):
        end = text.find("\n", begin + _PIECE)
        end = len(text) if end < 0 else end
        piece = text[begin:end]
        yield piece, piece.isascii() and not any(mark in piece for mark in _MARKS)
        begin = end + 1


def tokens(line: str) -> Iterator[tuple[str, str]]:
    """Yield the kind of each token of a line (the name of a group of `_KINDS`) and its text, unescaped for a string."""
    position = 0
    # Compiled when it is first used: a text in set form without comments and lists needs no tokens.
    token = re.compile(_KINDS, re.VERBOSE)
    while found := token.match(line, position):
        position = found.end()
        kind = found.lastgroup or ""
        text = found[kind] if kind else ""
        if kind == "string" and "\\" in text:
            text = compiled(_ESCAPED).sub(r"\1", text)
        yield kind, text


def split(line: str, found: re.Match[str]) -> list[str]:
    """Return the words of a line that `PLAIN` matches; for a set line without `set`."""
    string = found["string"]
    start = 4 if line[:4] == "set " else 0
    if string is None:
        return line[start:].rstrip(";{").split()
    return [*line[start : found.start("string") - 1].split(), string]


def kept_apart(string: str) -> str:
    """Return a string as a word that cannot be mistaken for the bracket of a list."""
    return _QUOTED.get(string, string)


def spread(path: Sequence[str]) -> list[tuple[str, ...]]:
    """Return the paths of a line with one list `[ a b ]`: one for each member."""
    start = path.index("[")
    end = path.index("]")
    words = [UNQUOTED.get(word, word) for word in path]
    return [(*words[:start], value, *words[end + 1 :]) for value in words[start + 1 : end]]
