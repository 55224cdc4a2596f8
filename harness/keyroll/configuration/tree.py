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
from dataclasses import dataclass

from keyroll.configuration.findings import Path
from keyroll.errors import Where


class Flag(enum.IntFlag):
    """What is known of a node beside its words."""

    NONE = 0
    INACTIVE = 1
    TYPED = 2
    """Made by a `set` line: of two values the later replaces the earlier. In other forms each value stands once."""
    OMITTED = 4
    """The text says that what stands below it was left out."""
    PROTECTED = 8
    """`protect` stands here: Junos changes and deletes neither it nor what stands below it."""


INACTIVE, TYPED, OMITTED = int(Flag.INACTIVE), int(Flag.TYPED), int(Flag.OMITTED)
PROTECTED = int(Flag.PROTECTED)
"""Plain integers: an operation on an enum costs ten times that of an integer, and there is one for each node."""


@contextlib.contextmanager
def growing() -> Iterator[None]:
    """Keep the collector of cycles off while a tree, or what is read from it, grows.

    It would walk all nodes again and again, a third of the time of reading, and there are no cycles to be found.
    """
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        if gc.get_freeze_count() == 0:
            # Once enabled, the collector would walk all that is new, a tenth of the time of reading. Frozen and
            # unfrozen, it counts as old. Where a program keeps objects frozen, they must stay so.
            gc.freeze()
            gc.unfreeze()
        gc.enable()


class Node(dict[str, "Node"]):
    """A word's node: the words that may follow it, the line where it stands (the last that sets it), its flags."""

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
        """Whether it, and so all below it, is deactivated."""
        return bool(self.flags & INACTIVE)

    def at(self, path: Iterable[str]) -> Node | None:
        """Return the node that `path` leads to, or None."""
        node: Node | None = self
        for word in path:
            if node is None:
                return None
            node = node.get(word)
        return node

    def make(self, path: Iterable[str], line: int, flags: int = 0) -> Node:
        """Return the node that `path` leads to, made where it is not there; its line becomes `line`."""
        node = self
        for word in path:
            child = node.get(word)
            if child is None:
                child = node[word] = Node(line, flags)
            node = child
        node.line = line
        return node

    def remove(self, path: Sequence[str]) -> None:
        """Delete what `path` leads to, if it is there; of an empty path, all."""
        if not path:
            self.clear()
            return
        parent = self.at(path[:-1])
        if parent is not None:
            parent.pop(path[-1], None)

    def absorb(self, other: Node) -> None:
        """Take over what stands below `other`; of what both have, the later line counts."""
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
        """Return a copy of all below."""
        made = Node(self.line, self.flags)
        for word, child in self.items():
            made[word] = child.copy()
        return made

    def paths(self, *, active: bool = True) -> Iterator[Path]:
        """Yield the words of every statement, in the text's order; with `active`, without what is deactivated."""
        stack: list[tuple[Path, Node]] = [((), self)]
        while stack:
            path, node = stack.pop()
            if active and node.flags & INACTIVE:
                continue
            if not node and path:
                yield path
            stack.extend(((*path, word), node[word]) for word in reversed(node))


class FreshNode(Node):
    """A node of which whoever makes it sets line and flags at once: of 300,000, a constructor takes half the time."""

    __slots__ = ()
    __init__ = dict.__init__


@dataclass(frozen=True, slots=True)
class Sources:
    """The texts that a tree was made of: lines of the second count on from the end of the first."""

    names: tuple[str, ...]
    ends: tuple[int, ...]
    """The last line of each text, counted through."""

    def where(self, line: int) -> Where:
        """Return file and line of a line counted through; 0 is the text as a whole."""
        if not line:
            return Where(self.names[-1])
        index = min(bisect_right(self.ends, line - 1), len(self.names) - 1)
        before = self.ends[index - 1] if index else 0
        return Where(self.names[index], line - before)
