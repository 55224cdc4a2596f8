"""A Junos configuration's statements as paths of words, in set or curly form: what `junosconf` reads sessions from.

Tolerant: what is not well formed, and commands whose effect cannot be known, are the chains' parser's to refuse
(`harness.keychain.junostext`), which has read the text before.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator

from harness.keychain.junostext import is_set_form, without_trimmings

_COMMAND = re.compile(r"^\s*(set|activate|deactivate|delete|edit|up|top|exit|quit)\b[ \t]*(.*)$")
_WORD = re.compile(r'"(?:[^"\\]|\\.)*"|[{};\[\]]|[^\s{};\[\]"]+|"')
_STRING_OR_COMMENT = re.compile(r'"(?:[^"\\]|\\.)*"|/\*.*?\*/|#[^\n]*', re.DOTALL)
_MARKS = frozenset("{};[]")


def statements(text: str) -> Iterator[tuple[str, ...]]:
    """Yield a configuration's statements as paths of words, in either form; deactivated ones are left out."""
    text = without_trimmings(text)
    if is_set_form(text):
        commands = _SetStatements()
        for line in text.splitlines():
            commands.command(line)
        yield from commands.active()
    else:
        yield from _curly_statements(text)


class _SetStatements:
    """Set commands, line by line, with the level that `edit` has gone to."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, ...], None] = {}
        self._inactive: list[tuple[str, ...]] = []
        self._levels: list[tuple[str, ...]] = [()]

    def command(self, line: str) -> None:
        """Take in one line; what is no command is passed over."""
        match = _COMMAND.match(line)
        if match is None:
            return
        verb, rest = match[1], match[2]
        path = (*self._levels[-1], *(_plain(word) for word in _WORD.findall(rest) if word not in _MARKS))
        if verb == "set":
            self._found[path] = None
        elif verb == "delete":
            self._found = {kept: None for kept in self._found if kept[: len(path)] != path}
        elif verb == "deactivate":
            self._inactive.append(path)
        elif verb == "activate":
            self._inactive = [gone for gone in self._inactive if gone != path]
        else:
            self._move(verb, path, rest)

    def _move(self, verb: str, path: tuple[str, ...], rest: str) -> None:
        if verb == "edit":
            self._levels.append(path)
        elif verb == "top":
            self._levels = [()]
            self.command(rest)
        else:
            # The chains' parser takes `up` inside `security` alone, where nothing is read here.
            self._levels = self._levels[:-1] or [()]

    def active(self) -> Iterator[tuple[str, ...]]:
        """Yield what is set and not deactivated."""
        for path in self._found:
            if not any(path[: len(gone)] == gone for gone in self._inactive):
                yield path


def _curly_statements(text: str) -> Iterator[tuple[str, ...]]:
    text = _STRING_OR_COMMENT.sub(lambda found: found[0] if found[0].startswith('"') else " ", text)
    path: list[tuple[str, ...]] = []
    words: list[str] = []
    for word in _WORD.findall(text):
        if word not in _MARKS:
            words.append(_plain(word))
            continue
        if word == "{":
            path.append(tuple(words))
        elif word == "}":
            del path[-1:]
        elif word == ";":
            levels = (*path, tuple(words))
            if not any(level[:1] == ("inactive:",) for level in levels):
                yield tuple(itertools.chain.from_iterable(levels))
        else:  # brackets around a list of values
            continue
        words = []


def _plain(word: str) -> str:
    return word[1:-1] if len(word) > 1 and word[0] == word[-1] == '"' else word
