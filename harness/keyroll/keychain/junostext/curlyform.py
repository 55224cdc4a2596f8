"""The curly form, token by token, with the stack of open braces."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from keyroll.keychain.junostext.scope import CHAINS, DEPTH_MAX, Groups, inside_of
from keyroll.keychain.junostext.statements import Draft
from keyroll.keychain.junostext.text import Source, Word, no_odd_blank, unquoted

_CURLY_TOKEN = re.compile(
    r"""[ \t\r\n\f\v]*(?:
        (?P<comment>\#[^\n]*|/\*.*?\*/)
      | (?P<open_comment>/\*)
      | (?P<string>"(?:[^"\\]|\\.)*")
      | (?P<open_string>")
      | (?P<mark>[{};\[\]])
      | (?P<word>[^\s{};\[\]"]+)
    )""",
    re.VERBOSE | re.DOTALL,
)
_TAGS = frozenset(("inactive:", "protect:", "replace:", "delete:", "active:", "merge:"))
_ROOTS = frozenset(("security", CHAINS, "key-chain", "key", "groups", "apply-groups"))


@dataclass(slots=True)
class _Level:
    """One open brace: the words before it, where it stands, and whether what is inside does not count."""

    words: list[Word]
    offset: int
    void: bool = False


class CurlyReader:
    """The curly form, token by token, with the stack of open braces."""

    def __init__(self, source: Source, draft: Draft) -> None:
        self._source = source
        self._draft = draft
        self._groups = Groups(source)
        self._stack: list[_Level] = []
        self._words: list[Word] = []
        self._bracket: int | None = None

    def read(self, text: str) -> None:
        """Read the whole text, as long as the source's; raises KeychainTextError where it is not well formed."""
        handlers: Mapping[str, Callable[[int], None]] = {
            "{": self._open, "}": self._close, ";": self._end, "[": self._open_list, "]": self._close_list,
        }  # fmt: skip
        end = 0
        for word, mark in self._tokens(text):
            end = word.offset
            if mark:
                handlers[word.text](word.offset)
            else:
                self._words.append(word)
        if self._words:
            raise self._source.error("the last statement does not end: a ';' is missing", end)
        if self._stack:
            raise self._source.error("this brace is never closed", self._stack[-1].offset)
        self._groups.check()

    def _tokens(self, text: str) -> Iterator[tuple[Word, bool]]:
        position = 0
        while found := _CURLY_TOKEN.match(text, position):
            position = found.end()
            kind = str(found.lastgroup)
            start = found.start(kind)
            if kind == "open_comment":
                raise self._source.error("a comment opens here and is never closed", start)
            if kind == "open_string":
                raise self._source.error("a quote opens here and is never closed", start)
            if kind == "string":
                yield Word(unquoted(found[kind]), start, quoted=True), False
            elif kind != "comment":
                yield Word(found[kind], start), kind == "mark"
        no_odd_blank(self._source, text, position, len(text))

    def _take(self) -> tuple[list[Word], set[str]]:
        """Return the words since the last mark without their tags (`inactive:` and the like), and the tags."""
        words, self._words = self._words, []
        tags: set[str] = set()
        while words and not words[0].quoted and words[0].text in _TAGS:
            tags.add(words.pop(0).text)
        return words, tags

    def _open(self, offset: int) -> None:
        self._no_list(offset)
        words, tags = self._take()
        if not words:
            raise self._source.error("a brace opens here without a statement before it", offset)
        if len(self._stack) >= DEPTH_MAX:
            raise self._source.error(f"more than {DEPTH_MAX} braces are open here", offset)
        self._statement(words, tags, offset)
        # What is above the chains has no draft that could be inactive.
        above = words[0].text in ("security", CHAINS)
        self._stack.append(_Level(words, offset, void="delete:" in tags or (above and "inactive:" in tags)))

    def _close(self, offset: int) -> None:
        self._no_list(offset)
        if self._words:
            raise self._source.error("a ';' is missing before this brace", offset)
        if not self._stack:
            raise self._source.error("this brace closes nothing", offset)
        self._stack.pop()

    def _end(self, offset: int) -> None:
        self._no_list(offset)
        words, tags = self._take()
        if not words:
            raise self._source.error("a ';' stands here without a statement before it", offset)
        self._statement(words, tags, offset)

    def _open_list(self, offset: int) -> None:
        self._no_list(offset)
        self._bracket = offset

    def _close_list(self, offset: int) -> None:
        if self._bracket is None:
            raise self._source.error("this bracket closes nothing", offset)
        self._bracket = None

    def _no_list(self, offset: int) -> None:
        if self._bracket is not None:
            raise self._source.error("a ']' is missing before this", offset)

    def _statement(self, words: Sequence[Word], tags: set[str], end: int) -> None:
        root = (self._stack[0].words if self._stack else words)[0].text
        if root not in _ROOTS or any(level.void for level in self._stack):
            return
        statement = [*(word for level in self._stack for word in level.words), *words]
        if root == "groups":
            self._groups.defined(statement[1:])
        elif words[0].text == "apply-groups" and len(statement) - len(words) <= len(("security", CHAINS)):
            self._groups.applied(words[1:])
        elif root == "key" and len(words) > 1 and words[1].text.isdecimal():
            raise self._source.error(
                "these keys stand outside any key-chain, so its name is not known",
                words[0].offset,
                remedy="put `key-chain NAME { … }` around them",
            )
        elif (inside := inside_of(statement)) is not None and "delete:" not in tags:
            self._draft.set(inside, end, inactive="inactive:" in tags)
