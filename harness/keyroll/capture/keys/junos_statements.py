"""A Junos configuration's statements as paths of words, in set or curly form: what `junosconf` reads sessions from.

Tolerant: what is not well formed, and commands whose effect cannot be known, are the chains' parser's to refuse
(`keyroll.keychain.junostext`), which has read the text before. Commands that move other statements about, which it
passes over, are refused here where they could change who must be protected.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator

from keyroll.errors import InputError, Where
from keyroll.keychain.junostext import is_set_form, without_trimmings

_COMMAND = re.compile(
    r"^\s*(set|activate|deactivate|delete|edit|up|top|exit|quit|rename|copy|replace|wildcard)\b[ \t]*(.*)$"
)
_SHUFFLES = frozenset({"rename", "copy", "replace", "wildcard"})
"""They move statements about, or change them by a pattern. (`insert` changes their order, which nothing here asks.)"""
_READ = frozenset({"protocols", "interfaces", "groups", "routing-instances", "logical-systems"})
"""Levels at the top that sessions and addresses are read from."""
_TAGS = frozenset({"protect:", "replace:", "active:", "merge:"})
"""In front of a statement in the curly form: what is told to `load`, not what is configured."""
_VOID = frozenset({"inactive:", "delete:"})
_WORD = re.compile(r'"(?:[^"\\]|\\.)*"|[{};\[\]]|[^\s{};\[\]"]+|"')
_STRING_OR_COMMENT = re.compile(r'"(?:[^"\\]|\\.)*"|/\*.*?\*/|#[^\n]*', re.DOTALL)
_MARKS = frozenset("{};[]")


def statements(text: str, *, source: str = "configuration") -> Iterator[tuple[str, ...]]:
    """Yield a configuration's statements as paths of words, in either form; deactivated ones are left out.

    Raises:
        InputError: `rename`, `copy`, `replace` or `wildcard` where sessions and addresses are read from; it names
            the line in `source`.
    """
    text = without_trimmings(text)
    if is_set_form(text):
        commands = _SetStatements()
        for number, line in enumerate(text.split("\n"), 1):
            commands.command(line, Where.of(source, number))
        yield from commands.active()
    else:
        yield from _curly_statements(text)


class _SetStatements:
    """Set commands, line by line, with the level that `edit` has gone to."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, ...], None] = {}
        self._inactive: list[tuple[str, ...]] = []
        self._levels: list[tuple[str, ...]] = [()]

    def command(self, line: str, where: Where) -> None:
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
        elif verb in _SHUFFLES:
            self._check_shuffle(verb, path, where)
        else:
            self._move(verb, path, rest, where)

    def _check_shuffle(self, verb: str, path: tuple[str, ...], where: Where) -> None:
        """Refuse what could change sessions or addresses in a way that is not followed here."""
        level = self._levels[-1]
        if level:
            touched = level[0] in _READ
        elif verb == "wildcard":  # wildcard delete PATH, wildcard range set PATH
            touched = bool(_READ.intersection(path[1:3]))
        else:  # a pattern at the top is replaced everywhere
            touched = verb == "replace" or path[:1] == () or path[0] in _READ
        if touched:
            raise InputError(
                f"'{verb}' on interfaces and protocols is not followed here",
                where=where,
                remedy="write it as set and delete, or give what `show configuration` prints",
            )

    def _move(self, verb: str, path: tuple[str, ...], rest: str, where: Where) -> None:
        if verb == "edit":
            self._levels.append(path)
        elif verb == "top":
            self._levels = [()]
            self.command(rest, where)
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
            if words or word not in _TAGS:
                words.append(_plain(word))
            continue
        if word == "{":
            path.append(tuple(words))
        elif word == "}":
            del path[-1:]
        elif word == ";":
            levels = (*path, tuple(words))
            if not any(level[:1] and level[0] in _VOID for level in levels):
                yield tuple(itertools.chain.from_iterable(levels))
        else:  # brackets around a list of values
            continue
        words = []


def _plain(word: str) -> str:
    return word[1:-1] if len(word) > 1 and word[0] == word[-1] == '"' else word
