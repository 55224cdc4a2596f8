"""What a commit may change of keychains in use: a router's own switches, beside its key policies.

Juniper's page says how keychains in use are meant to be treated, and not what a router does with a commit that does
otherwise (docs/junos.md 2.3). So each rule has a switch, and both ways can be played.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, fields


class When(enum.Enum):
    """When a change takes hold of a session that is up."""

    AT_ONCE = "at-once"
    NEXT_CONNECTION = "next-connection"


@dataclass(frozen=True, slots=True)
class InUseRules:
    """The switches; a setting of the router, not of its configuration.

    `repoint`: a session that is up is pointed to another chain. `alteration`: send-id, recv-id, secret or algorithm of
    a key in use are changed. `deletion`: the active key is deleted.
    """

    repoint: When = When.NEXT_CONNECTION
    alteration: When = When.NEXT_CONNECTION
    deletion: When = When.AT_ONCE

    @classmethod
    def of(cls, settings: Mapping[str, str]) -> InUseRules:
        """Read them from a router's settings; what is not there has its default. Raises ValueError."""
        return cls(**{name: When(settings[name]) for name in IN_USE_SETTINGS if name in settings})


IN_USE_SETTINGS = tuple(field.name for field in fields(InUseRules))
IN_USE_VALUES = tuple(when.value for when in When)
