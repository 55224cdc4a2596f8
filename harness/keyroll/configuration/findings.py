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
    """Why something is not known."""

    NOT_UNDERSTOOD = "not-understood"
    """A line, or a word of it, has no meaning here: cut, damaged, or of a Junos release that this list lacks."""
    INVALID_VALUE = "invalid-value"
    """The statement is known, but its value is not valid."""
    CONFLICT = "conflict"
    """A statement stands twice with different values in a form that has each once."""
    OMITTED = "omitted"
    """The text says itself that something was left out."""
    SECRET_UNKNOWN = "secret-unknown"  # noqa: S105 - the name of a kind, no secret
    """The secret was taken out, or is encrypted with a master password."""
    ROUTER_WARNING = "router-warning"
    """The router's own `## Warning:`, which says that it does not use what follows, or not as it stands."""
    MAYBE = "may-be-in-force"
    """It comes from a group that holds on some routing engines, at some hours, or that is not in the text."""
    UNKNOWN_EFFECT = "unknown-effect"
    """A command whose effect a text does not know (`load`, `rollback`, `replace pattern`)."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not known, its place, and the level that it stands in. Never holds a secret."""

    kind: Kind
    message: str
    where: Where
    path: Path = ()

    def __str__(self) -> str:
        return f"{self.where}: {self.message} [{self.kind.value}]"


Note = Callable[[Kind, str, int | Where, Path], None]
"""Takes a finding: kind, message, place (or line, counted through all texts), path of the level."""
