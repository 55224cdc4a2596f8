"""Where reading stands in a text: the line, the level that its lines count from, the node that words go below."""

from __future__ import annotations

from dataclasses import dataclass, field

from keyroll.configuration.findings import Kind, Note
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

    def lost(self, message: str) -> None:
        """Report that the line has no meaning here."""
        self.report(Kind.NOT_UNDERSTOOD, message, self.line, tuple(self.path))
