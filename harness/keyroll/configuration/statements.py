"""The description of statements and levels of a Junos configuration: their number of words, and what is below them."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple


class Shape(enum.Enum):
    """How many words a statement takes, and whether a level follows."""

    FLAG = "flag"
    """Nothing follows."""
    LEAF = "leaf"
    """One value; the statement occurs once."""
    VALUES = "values"
    """One value or a list; the statement may occur several times."""
    LEVEL = "level"
    """A level of further statements."""
    KEYED = "keyed"
    """A name, then a level of further statements."""
    OPAQUE = "opaque"
    """A level that is not judged."""


class Statement(NamedTuple):
    """One word of a level: its shape, the level below, and the words that may follow a leaf's value."""

    shape: Shape
    below: Level | None = None
    options: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Level:
    """All statements of one level.

    `names` describes other words if they are names (as below `interfaces`). If a level is not `judged`, an unknown word
    there does not affect sessions or chains, and is only counted.
    """

    name: str
    statements: Mapping[str, Statement] = field(repr=False)
    names: Statement | None = None
    judged: bool = True

    def find(self, word: str) -> Statement | None:
        """Return the statement of that word, which must be in full."""
        return self.statements.get(word) or self.names

    def abbreviated(self, word: str) -> str | None:
        """Return the one statement that `word` abbreviates; None if there is none, or more than one."""
        found = [name for name in self.statements if name.startswith(word)]
        return found[0] if len(found) == 1 else None

    def written_out(self, word: str) -> str:
        """Return the statement that `word` is or abbreviates; `word` itself if it is neither or may be a name."""
        if word in self.statements or self.names is not None:
            return word
        return self.abbreviated(word) or word


Statements = dict[str, Statement]


def kinds(*, leaf: str = "", flag: str = "", values: str = "", opaque: str = "") -> Statements:
    """Return statements by their word; each argument has the words of one shape, separated by blanks."""
    shapes = {Shape.LEAF: leaf, Shape.FLAG: flag, Shape.VALUES: values, Shape.OPAQUE: opaque}
    return {word: Statement(shape) for shape, words in shapes.items() for word in words.split()}


def keyed(below: Level) -> Statement:
    """Return a statement that is followed by a name and a level."""
    return Statement(Shape.KEYED, below)


def holding(below: Level) -> Statement:
    """Return a statement that is followed by a level."""
    return Statement(Shape.LEVEL, below)
