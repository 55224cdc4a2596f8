"""Curly text: statements, braces, lists, and comments in place of values."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from keyroll.configuration.findings import ConfigurationError, Kind, Path
from keyroll.configuration.text.position import DEPTH_MAX, Position
from keyroll.configuration.tree import INACTIVE, OMITTED, PROTECTED, Node
from keyroll.errors import Where

TAGS = frozenset(("inactive:", "protect:", "replace:", "delete:", "active:", "merge:"))
_DELETE = 1 << 10
"""The statement has the tag `delete:`; a bit that the flags of nodes do not use."""


@dataclass(slots=True)
class _Open:
    """One open brace: its node, the length of the path before it, its line."""

    node: Node
    length: int
    line: int


@dataclass(slots=True)
class Levels:
    """The open braces, and the words since the last mark."""

    at: Position
    source: str
    first: int
    """The line number, counted through all texts, of this text's first line."""
    stack: list[_Open] = field(default_factory=list)
    words: list[str] = field(default_factory=list)
    values: list[str] | None = None
    """The members of a list `[ … ]` since its first bracket."""
    started: int = 0
    """The line of the first of `words`."""
    warnings: list[tuple[int, str]] = field(default_factory=list)
    """Lines and texts of the router's `## Warning:` comments on the statement that follows."""
    _list_closed: bool = True

    def idle(self) -> bool:
        """Return whether no brace is open and no statement has begun."""
        return not self.stack and not self.words and self.values is None

    def word(self, word: str) -> None:
        """Take a word of a statement or of a list."""
        if self.values is not None:
            self.values.append(word)
            return
        if not self.words:
            self.started = self.at.line
        self.words.append(word)

    def mark(self, mark: str) -> None:
        """Take one of `[ ] ; { }`."""
        if mark == "[":
            if self.values is not None:
                self.lost("a '[' is inside a list", self.at.line)
            self.values, self._list_closed = [], False
        elif mark == "]":
            if self.values is None:
                self.lost("this ']' closes no list", self.at.line)
            self._list_closed = True
        elif mark == ";":
            self.end()
        elif mark == "{":
            self.open()
        else:
            self.close()

    def left_out(self, comment: str) -> None:
        """Take a comment in place of a value or a level."""
        if self.words:
            self.words.append(f"/* {comment} */")
        elif comment == "OMITTED":
            node = self.at.node
            node.flags |= OMITTED
            node.line = node.line or self.at.line

    def lost(self, message: str, line: int) -> None:
        """Report that the statement that begins with the current words was not understood."""
        self.at.report(Kind.NOT_UNDERSTOOD, message, line, (*self.at.path, *self.words[:1]))

    def end(self) -> None:
        """Take the `;` after the current words. Without words it is ignored, as in `{ /* OMITTED */ };`."""
        self.at.statements += 1
        if self.values is not None:
            self._end_list(self.values)
        elif self.words:
            _, flags, words = self._take()
            self.words = []
            if flags & _DELETE:
                self.at.remove((*self.at.path, *words))

    def _end_list(self, values: list[str]) -> None:
        self.values = None
        line = self.at.line
        if not self._list_closed:
            # Its words are not kept: without the `]`, any word of the line may be in the list, even a secret.
            self.lost("a ']' is missing before this", line)
            self.words = []
            return
        node, flags, words = self._take()
        self.words = []
        for value in values:
            child = node.get(value)
            if child is None:
                child = node[value] = Node(line)
            child.line = line
            if flags & INACTIVE:
                child.flags |= INACTIVE
        if flags & INACTIVE:
            node.flags &= ~INACTIVE
        if flags & _DELETE:
            self.at.remove((*self.at.path, *words))

    def _take(self) -> tuple[Node, int, tuple[str, ...]]:
        """Follow the words since the last mark; return their node, flags, and the words without tags."""
        words = self.words
        flags = 0
        while words and words[0] in TAGS:
            tag = words.pop(0)
            flags |= INACTIVE if tag == "inactive:" else PROTECTED if tag == "protect:" else 0
            if tag == "delete:":
                flags |= _DELETE
        node, line = self.at.node, self.at.line
        for word in words:
            child = node.get(word)
            if child is None:
                child = node[word] = Node(line)
            node = child
        node.line = line
        node.flags |= flags & (INACTIVE | PROTECTED)
        if self.warnings:
            self.warn((*self.at.path, *words))
        return node, flags, tuple(words)

    def open(self) -> None:
        """Take the `{` after the current words. Raises ConfigurationError if braces nest too deep."""
        line = self.at.line
        if self.values is not None:
            self.lost("a ']' is missing before this brace", line)
            self.values = None
        if not self.words:
            self.lost("a brace opens here without a statement before it", line)
        if len(self.stack) >= DEPTH_MAX:
            raise ConfigurationError(
                f"more than {DEPTH_MAX} braces are open here", where=Where(self.source, line - self.first + 1)
            )
        node, _, words = self._take()
        self.words = []
        self.stack.append(_Open(self.at.node, len(self.at.path), line))
        self.at.path.extend(words)
        self.at.node = node

    def close(self) -> None:
        """Take a `}`."""
        if self.words or self.values is not None:
            self.lost("a ';' is missing before this brace", self.started)
            self.words, self.values = [], None
        if not self.stack:
            self.at.report(Kind.NOT_UNDERSTOOD, "this brace closes no level", self.at.line, tuple(self.at.path))
            return
        if self.warnings:
            self.warn(tuple(self.at.path))
        opened = self.stack.pop()
        del self.at.path[opened.length :]
        self.at.node = opened.node

    def cut_off(self) -> None:
        """Report and discard what is still open: its end does not follow."""
        if self.words or self.values is not None:
            self.lost("this statement does not end: a ';' is missing", self.started)
            self.words, self.values = [], None
        if self.stack:
            opened = self.stack[0]
            above = tuple(self.at.path[: opened.length])
            self.at.report(Kind.NOT_UNDERSTOOD, "this brace is never closed", opened.line, above)
            self.stack.clear()
        self.warn(tuple(self.at.path))

    def warn(self, path: Path) -> None:
        """Report the router's warnings since the last statement as findings at `path`."""
        for line, text in self.warnings:
            self.at.report(Kind.ROUTER_WARNING, f"the router warns here: {_harmless(text)}", line, path)
        self.warnings = []


def _harmless(text: str) -> str:
    """Return at most 120 characters of a warning, without quoted parts, which may be secret values."""
    return re.sub(r"'[^']*'", "'…'", text)[:120]
