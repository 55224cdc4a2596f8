"""Which keys a router accepts at an instant, by the windows of its chain."""

from __future__ import annotations

from datetime import UTC, datetime

from keyroll.keychain.model import Key, Keychain
from keyroll.keychain.schedule import in_order, window
from keyroll.names import Receiving


def accepts(chain: Keychain, key: Key, now: datetime, receiving: Receiving) -> bool:
    """Return whether a segment signed with `key`, a usable key of `chain`, is accepted at `now`."""
    begin, end = window(chain, key, receiving)
    moment = now.astimezone(UTC)
    return (begin is None or begin <= moment) and (end is None or moment < end)


def acceptable(chain: Keychain, now: datetime, receiving: Receiving) -> tuple[Key, ...]:
    """Return the keys that a segment received at `now` may be signed with, in order of their start-times."""
    return tuple(key for key in in_order(chain) if accepts(chain, key, now, receiving))
