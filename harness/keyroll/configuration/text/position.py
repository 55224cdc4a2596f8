"""Where reading stands in a text: the line, the level that its lines count from, the node that words go below."""

from __future__ import annotations

from dataclasses import dataclass, field

from keyroll.configuration.findings import Kind, Note, Path
from keyroll.configuration.hierarchy import level_of, same_statements
from keyroll.configuration.tree import Node

DEPTH_MAX = 100
"""Levels; Junos' own hierarchy has some twenty. Keeps a hostile text from taking time in the square of its length."""


@dataclass(slots=True)
class Position:
    """Shared by the parts of a reader: each moves it, and reports with it."""

    root: Node
    report: Note
    line: int = 0
    """Counted through all texts, as findings have it."""
    base: tuple[str, ...] = ()
    """The level that a banner, a `show` or an `edit` has entered."""
    absolute: bool = False
    """Whether set lines count from the top all the same."""
    system: tuple[str, ...] = ()
    """The logical system or tenant that the login works in: levels and lines count from there."""
    path: list[str] = field(default_factory=list)
    node: Node = field(init=False)
    """What `path` leads to."""
    statements: int = 0
    """How many were read so far."""

    def __post_init__(self) -> None:
        self.node = self.root

    def to_base(self) -> None:
        """Go to the level that lines count from."""
        self.path = list(self.base)
        self.node = self.root.make(self.base, self.line) if self.base else self.root

    def found(self, path: Path) -> list[Path]:
        """Return where a path from the top stands in the tree, also where words here or there are abbreviated."""
        found: list[Path] = [()]
        for at in range(len(path)):
            found = [
                (*above, word)
                for above in found
                for word in same_statements(self.root.at(above) or (), (*path[:at], path[at]))
            ]
        return found

    def remove(self, path: Path) -> None:
        """Delete what a path from the top leads to, and the words above it that say nothing without it."""
        for held in self.found(path) or [path]:
            self.root.remove(held)
            above = held[:-1]
            # `neighbor` without a name, `type` without a value; an empty group stays.
            level = len(level_of(above))
            while len(above) > level and (node := self.root.at(above)) is not None and not node:
                self.root.remove(above)
                above = above[:-1]

    def lost(self, message: str) -> None:
        """Report that the line has no meaning here."""
        self.report(Kind.NOT_UNDERSTOOD, message, self.line, tuple(self.path))
