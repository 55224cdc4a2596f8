"""What prevents a text from being judged: the kind of finding, its place, and what it concerns."""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass

from keyroll.errors import InputError, Where

Path = tuple[str, ...]
"""The words that lead to a statement from the top of the configuration."""


class ConfigurationError(InputError):
    """A text is not a Junos configuration, or cannot be read at all; names file and line."""


class Kind(enum.Enum):
    """Why something could not be determined."""

    NOT_UNDERSTOOD = "not-understood"
    """A line, or a word of it, is not known here: it is cut, damaged, or of a Junos release that `words` lacks."""
    INVALID_VALUE = "invalid-value"
    """The statement is known, but its value is not valid."""
    CONFLICT = "conflict"
    """A statement occurs twice with different values, in a form that has each statement once."""
    OMITTED = "omitted"
    """The text itself says that something was left out."""
    SECRET_UNKNOWN = "secret-unknown"  # noqa: S105 - the name of a kind, no secret
    """The secret was removed, or is encrypted with a master password."""
    ROUTER_WARNING = "router-warning"
    """The router's own `## Warning:`: it does not use the statement that follows, or not as written."""
    MAYBE = "may-be-in-force"
    """It comes from a group that applies only to some routing engines or times, or that is not in the text."""
    UNKNOWN_EFFECT = "unknown-effect"
    """A command whose effect cannot be determined from the text (`load`, `rollback`, `replace pattern`)."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that could not be determined, its place, and its level. It never contains a secret."""

    kind: Kind
    message: str
    where: Where
    path: Path = ()

    def __str__(self) -> str:
        return f"{self.where}: {self.message} [{self.kind.value}]"


Note = Callable[[Kind, str, int | Where, Path], None]
"""Called with a finding: kind, message, place (or line, counted through all texts), path of the level."""
