"""Which key is sent, which is asked for, which are accepted: for one chain, at a reading of its router's clock.

Juniper's pages leave open which rule changes the sending key, so a router has a policy (docs/assumptions/keychain.md);
a plan is robust if it is hitless under all of them. Only usable keys count (`Key.usable`). Keys are in order of
start-time; of two that start together the one with the higher number is the later. A window includes its beginning and
excludes its end. `now` is always the router's own clock, aware.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from keyroll.keychain.model import Key, Keychain
from keyroll.names import Receiving


def in_order(chain: Keychain) -> tuple[Key, ...]:
    """Return the usable keys in order of their start-times."""
    # Stable: a chain keeps its keys in ascending number, so of equal start-times the higher number comes later.
    return tuple(sorted((key for key in chain.keys if key.usable), key=_start))


def send_key(chain: Keychain, now: datetime) -> Key | None:
    """Return the key whose start-time passed last; None before the first start-time: then nothing is sent.

    It is sent under CLOCK, asked for under both policies, and used first on a new connection.
    """
    return next((key for key in reversed(in_order(chain)) if _start(key) <= now.astimezone(UTC)), None)


def next_key(chain: Keychain, now: datetime) -> Key | None:
    """Return the key that becomes active next, or None if the last one is active."""
    upcoming = [key for key in in_order(chain) if _start(key) > now.astimezone(UTC)]
    # Of several keys that start together, the one that will be sent.
    return next((key for key in reversed(upcoming) if _start(key) == _start(upcoming[0])), None)


def window(chain: Keychain, key: Key, receiving: Receiving) -> tuple[datetime | None, datetime | None]:
    """Return when `key`, a usable key of `chain`, begins and ceases (exclusive) to be accepted; None: no limit."""
    if receiving is Receiving.ANY:
        return None, None
    keys = in_order(chain)
    position = keys.index(key)
    successor = keys[position + 1] if position + 1 < len(keys) else None
    return _shifted(key, -chain.tolerance), None if successor is None else _shifted(successor, chain.tolerance)


def _start(key: Key) -> datetime:
    if key.start is None:
        raise ValueError(f"key {key.id} has no start-time; only usable keys have a schedule")
    # In UTC, because Python compares and adds wall-clock times if zones are equal, and ignores summer time.
    return key.start.astimezone(UTC)


def _shifted(key: Key, seconds: int) -> datetime | None:
    """Return the start-time moved by `seconds`, or None outside the years 1 to 9999 (a tolerance may be 136 years)."""
    try:
        return _start(key) + timedelta(seconds=seconds)
    except OverflowError:
        return None
