"""What a commit may change of keychains in use: a router's own switches, beside its key policies.

Juniper's page says how keychains in use are meant to be treated, and not what a router does with a commit that does
otherwise (docs/junos.md 2.3). So each rule has a switch, and both ways can be played.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

from keyroll.names import InUse


@dataclass(frozen=True, slots=True)
class InUseRules:
    """The switches; a setting of the router, not of its configuration.

    `repoint`: a session that is up is pointed to another chain. `alteration`: send-id, recv-id, secret or algorithm of
    a key in use are changed. `deletion`: the active key is deleted.
    """

    repoint: InUse = InUse.NEXT_CONNECTION
    alteration: InUse = InUse.NEXT_CONNECTION
    deletion: InUse = InUse.AT_ONCE

    @classmethod
    def of(cls, settings: Mapping[str, str]) -> InUseRules:
        """Read them from a router's settings; what is not there has its default. Raises ValueError."""
        return cls(**{name: InUse(settings[name]) for name in IN_USE_SETTINGS if name in settings})


IN_USE_SETTINGS = tuple(field.name for field in fields(InUseRules))
IN_USE_VALUES = tuple(when.value for when in InUse)
