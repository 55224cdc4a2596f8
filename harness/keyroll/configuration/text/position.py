"""The current position in a text: the line, the level that lines are relative to, the node for the next words."""

from __future__ import annotations

from dataclasses import dataclass, field

from keyroll.configuration.findings import Kind, Note, Path
from keyroll.configuration.hierarchy import level_of, same_statements
from keyroll.configuration.tree import Node

DEPTH_MAX = 100
"""The most nested levels: Junos' own hierarchy has some twenty. Without a limit, a hostile text would take time in the
square of its length."""


@dataclass(slots=True)
class Position:
    """Shared by the parts of a reader: each of them moves it, and uses it to report findings."""

    root: Node
    report: Note
    line: int = 0
    """The current line, counted through all texts, as in findings."""
    base: tuple[str, ...] = ()
    """The level that a banner, a `show` or an `edit` has entered."""
    absolute: bool = False
    """Whether set lines are nevertheless relative to the top."""
    system: tuple[str, ...] = ()
    """The logical system or tenant that the login has entered: levels and lines are relative to it."""
    path: list[str] = field(default_factory=list)
    node: Node = field(init=False)
    """The node at `path`."""
    statements: int = 0
    """The number of statements read so far."""

    def __post_init__(self) -> None:
        self.node = self.root

    def to_base(self) -> None:
        """Go to the level that lines are relative to."""
        self.path = list(self.base)
        self.node = self.root.make(self.base, self.line) if self.base else self.root

    def found(self, path: Path) -> list[Path]:
        """Return the paths in the tree that equal a path from the top, with words abbreviated or not."""
        found: list[Path] = [()]
        for at in range(len(path)):
            found = [
                (*above, word)
                for above in found
                for word in same_statements(self.root.at(above) or (), (*path[:at], path[at]))
            ]
        return found

    def remove(self, path: Path) -> None:
        """Delete what is at a path from the top, and words above it that have no meaning without it."""
        for held in self.found(path) or [path]:
            self.root.remove(held)
            above = held[:-1]
            # Such as `neighbor` without a name, or `type` without a value. An empty group is kept.
            level = len(level_of(above))
            while len(above) > level and (node := self.root.at(above)) is not None and not node:
                self.root.remove(above)
                above = above[:-1]

    def lost(self, message: str) -> None:
        """Report that the line was not understood."""
        self.report(Kind.NOT_UNDERSTOOD, message, self.line, tuple(self.path))
