"""The statements of a configuration as a tree of words, whatever form the text has.

`set protocols bgp group A type internal` and `protocols { bgp { group A { type internal; } } }` make the same tree: a
node for each word, below the node of the word before it; `[ a b ]` makes two nodes. A node is the dictionary of the
words that follow it, because a configuration of 100,000 lines has 200,000 nodes and must be read in about a second.
"""

from __future__ import annotations

import contextlib
import enum
import gc
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from keyroll.configuration.findings import Path
from keyroll.errors import Where


class Flag(enum.IntFlag):
    """Properties of a node."""

    NONE = 0
    INACTIVE = 1
    TYPED = 2
    """Made by a `set` line: a later value replaces an earlier one. In other forms each value occurs once."""
    OMITTED = 4
    """The text says that what is below the node was left out."""
    PROTECTED = 8
    """The node has `protect`: Junos refuses to change or delete it and what is below it."""


INACTIVE, TYPED, OMITTED = int(Flag.INACTIVE), int(Flag.TYPED), int(Flag.OMITTED)
PROTECTED = int(Flag.PROTECTED)
"""Plain integers: operations on an enum take ten times as long, and there is one for each node."""


@contextlib.contextmanager
def growing() -> Iterator[None]:
    """Switch Python's garbage collector off while a tree, or what is read from it, grows.

    It would visit all nodes repeatedly, for a third of the reading time, and there are no reference cycles to find.
    """
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        if gc.get_freeze_count() == 0:
            # When enabled again, the collector would visit all new objects, for a tenth of the reading time. Freezing
            # and unfreezing makes them count as old. A program's own frozen objects must stay frozen, so then it is
            # not done.
            gc.freeze()
            gc.unfreeze()
        gc.enable()


class Node(dict[str, "Node"]):
    """A word's node: the words that follow it, its line (the last one that sets it), its flags."""

    __slots__ = ("flags", "line")

    line: int
    flags: int

    def __init__(self, line: int = 0, flags: int = 0) -> None:
        self.line = line
        self.flags = flags

    def __repr__(self) -> str:
        # Words may be secrets.
        return f"<{len(self)} words below line {self.line}>"

    @property
    def inactive(self) -> bool:
        """Whether it, and with it all below it, is deactivated."""
        return bool(self.flags & INACTIVE)

    def at(self, path: Iterable[str]) -> Node | None:
        """Return the node at `path`, or None."""
        node: Node | None = self
        for word in path:
            if node is None:
                return None
            node = node.get(word)
        return node

    def make(self, path: Iterable[str], line: int, flags: int = 0) -> Node:
        """Return the node at `path`, created if necessary; its line becomes `line`."""
        node = self
        for word in path:
            child = node.get(word)
            if child is None:
                child = node[word] = Node(line, flags)
            node = child
        node.line = line
        return node

    def remove(self, path: Sequence[str]) -> None:
        """Delete the node at `path`, if there is one; everything if `path` is empty."""
        if not path:
            self.clear()
            return
        parent = self.at(path[:-1])
        if parent is not None:
            parent.pop(path[-1], None)

    def absorb(self, other: Node) -> None:
        """Merge what is below `other` into this node; if both have a word, the later line is kept."""
        for word, child in other.items():
            mine = self.get(word)
            if mine is None:
                self[word] = child
            else:
                if child.line > mine.line:
                    mine.line = child.line
                    mine.flags = child.flags | (mine.flags & PROTECTED)
                mine.flags |= child.flags & PROTECTED
                mine.absorb(child)

    def copy(self) -> Node:
        """Return a copy of the node and all below it."""
        made = Node(self.line, self.flags)
        for word, child in self.items():
            made[word] = child.copy()
        return made

    def paths(self, *, active: bool = True) -> Iterator[Path]:
        """Yield the path of every statement, in the text's order; with `active`, without deactivated ones."""
        stack: list[tuple[Path, Node]] = [((), self)]
        while stack:
            path, node = stack.pop()
            if active and node.flags & INACTIVE:
                continue
            if not node and path:
                yield path
            stack.extend(((*path, word), node[word]) for word in reversed(node))


class FreshNode(Node):
    """A node without a constructor, for speed: the caller must set line and flags."""

    __slots__ = ()
    __init__ = dict.__init__


class Sources(NamedTuple):
    """The texts that a tree was made of. Line numbers are counted through: each text continues the count."""

    names: tuple[str, ...]
    ends: tuple[int, ...]
    """The number of the last line of each text, counted through."""

    def where(self, line: int) -> Where:
        """Return file and line for a line number that is counted through; 0: the text as a whole."""
        if not line:
            return Where(self.names[-1])
        index = min(bisect_right(self.ends, line - 1), len(self.names) - 1)
        before = self.ends[index - 1] if index else 0
        return Where(self.names[index], line - before)
