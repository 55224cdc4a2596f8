"""Set commands, line by line, with the level that `edit` has gone to."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from keyroll.keychain.junostext.scope import CHAINS, DEPTH_MAX, Groups, inside_of
from keyroll.keychain.junostext.statements import Draft
from keyroll.keychain.junostext.text import Source, Word, no_odd_blank, unquoted

_SET_WORD = re.compile(
    r'[ \t\r\f\v]*(?:(?P<string>"(?:[^"\\\n]|\\.)*")(?=\s|$)|(?P<open>")|(?P<word>[^\s]+))', re.MULTILINE
)
_EDITS = ("set", "delete", "deactivate", "activate")
_MOVES = ("edit", "top", "up", "exit", "quit")
# They change nothing, or nothing about keys.
_IDLE = ("show", "run", "commit", "configure", "annotate", "protect", "unprotect", "status", "help", "save")
# They move statements about in ways that are not followed here.
_SHUFFLES = ("rename", "copy", "insert", "replace", "wildcard")
_BRINGS = ("load", "rollback")
COMMANDS = frozenset((*_EDITS, *_MOVES, *_IDLE, *_SHUFFLES, *_BRINGS))


class SetReader:
    """Set commands, line by line, with the level that `edit` has gone to."""

    def __init__(self, source: Source, draft: Draft) -> None:
        self._source = source
        self._draft = draft
        self._groups = Groups(source)
        self._levels: list[list[Word]] = []

    def read(self, text: str) -> None:
        """Read the whole text, as long as the source's; raises KeychainTextError where a command is not followed."""
        in_comment = False
        offset = 0
        for line in text.split("\n"):
            stripped = line.strip()
            if in_comment or stripped.startswith("/*"):
                in_comment = "*/" not in stripped
            elif stripped and not stripped.startswith("#") and not self._elsewhere(stripped):
                self._command(list(self._words(text, offset, offset + len(line))), offset + len(line.rstrip()))
            offset += len(line) + 1
        self._groups.check()

    def _elsewhere(self, line: str) -> bool:
        """Say at a glance whether a line sets something else: so are nearly all lines of a whole configuration."""
        return line.startswith("set ") and not self._levels and CHAINS not in line and "groups" not in line

    def _words(self, text: str, begin: int, end: int) -> Iterator[Word]:
        position = begin
        while found := _SET_WORD.match(text, position, end):
            position = found.end()
            if found["open"]:
                raise self._source.error("a quote opens here and is not closed as it should be", found.start("open"))
            if found["string"]:
                yield Word(unquoted(found["string"]), found.start("string"), quoted=True)
            elif found["word"].startswith("#"):
                return
            else:
                yield Word(found["word"], found.start("word"))
        no_odd_blank(self._source, text, position, end)

    def _command(self, words: Sequence[Word], end: int) -> None:
        if not words:
            return
        verb, rest = words[0], words[1:]
        if verb.quoted or verb.text not in COMMANDS:
            raise self._source.error(
                "this line does not begin with a configuration command",
                verb.offset,
                remedy=f"one command a line: {', '.join(_EDITS)}, {', '.join(_MOVES)}",
            )
        if verb.text in _MOVES:
            self._move(verb, rest)
            return
        if verb.text in _BRINGS:
            raise self._source.error("what this command brings in cannot be known from the text", verb.offset)
        statement = [*self._level(), *rest]
        if verb.text in _SHUFFLES:
            if any(word.text == CHAINS for word in statement):
                raise self._source.error(
                    f"'{verb.text}' on key chains is not followed here",
                    verb.offset,
                    remedy="write it as set and delete",
                )
        elif verb.text in _EDITS:
            self._edit(verb, statement, end)

    def _level(self) -> Sequence[Word]:
        return self._levels[-1] if self._levels else ()

    def _move(self, verb: Word, rest: Sequence[Word]) -> None:
        if verb.text == "edit":
            if len(self._levels) >= DEPTH_MAX:
                raise self._source.error(f"more than {DEPTH_MAX} levels of `edit` without `top`", verb.offset)
            self._levels.append([*self._level(), *rest])
        elif verb.text == "up":
            self._up(verb, rest)
        elif verb.text == "top":
            self._levels.clear()
            if rest:
                self._command(rest, rest[-1].offset)
        elif self._levels:  # exit and quit go back to where the last `edit` came from
            self._levels.pop()

    def _up(self, verb: Word, rest: Sequence[Word]) -> None:
        count = rest[0].text if rest else "1"
        level = list(self._level())
        for _ in range(int(count) if count.isascii() and count.isdecimal() and len(count) == 1 else 0):
            if level and level[0].text != "security":
                # Elsewhere it is not known here which words make up one level.
                raise self._source.error("'up' is followed only inside `security`", verb.offset, remedy="write `top`")
            named = len(level) > 1 and level[-2].text in ("key-chain", "key")
            del level[-2 if named else -1 :]
        self._levels.append(level)

    def _edit(self, verb: Word, statement: Sequence[Word], end: int) -> None:
        texts = [word.text for word in statement[:3]]
        if texts[:1] == ["groups"]:
            self._groups.defined(statement[1:])
            return
        for depth in range(3):
            if texts[depth : depth + 1] == ["apply-groups"] and texts[:depth] == ["security", CHAINS][:depth]:
                self._groups.applied(statement[depth + 1 :])
        inside = inside_of(statement)
        if inside is None:
            if verb.text != "set" and texts in ([], ["security"]):
                self._whole(verb)
            return
        if verb.text == "set":
            self._draft.set(inside, end)
        elif verb.text == "delete":
            self._draft.delete(inside, end)
        else:
            self._draft.deactivate(inside, end, active=verb.text == "activate")

    def _whole(self, verb: Word) -> None:
        """Do what `delete security` and the like do to all chains."""
        if verb.text == "delete":
            self._draft.delete((), verb.offset)
        else:
            self._draft.deactivate((), verb.offset, active=verb.text == "activate")
