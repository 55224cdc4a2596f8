"""What a commit changes of keychains in use: settings of a router in addition to its key policies.

Juniper's page says how an operator should treat keychains in use, but not what a router does with a commit that ignores
this (docs/junos.md 2.3). So each rule is a setting, and scenarios can be played with either value.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

from keyroll.names import InUse


@dataclass(frozen=True, slots=True)
class InUseRules:
    """The settings; they belong to the emulated router, not to its configuration.

    Each says when a change takes effect. `repoint`: a session that is up gets another chain. `alteration`: send-id,
    recv-id, secret or algorithm of a key in use are changed. `deletion`: the active key is deleted.
    """

    repoint: InUse = InUse.NEXT_CONNECTION
    alteration: InUse = InUse.NEXT_CONNECTION
    deletion: InUse = InUse.AT_ONCE

    @classmethod
    def of(cls, settings: Mapping[str, str]) -> InUseRules:
        """Read them from a router's settings, with defaults for missing ones. Raises ValueError."""
        return cls(**{name: InUse(settings[name]) for name in IN_USE_SETTINGS if name in settings})


IN_USE_SETTINGS = tuple(field.name for field in fields(InUseRules))
IN_USE_VALUES = tuple(when.value for when in InUse)
