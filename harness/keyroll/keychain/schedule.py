"""Which key sends, which is asked for next, which are accepted: for one chain, at a reading of its router's clock.

Juniper's pages leave open which rule moves the sending key, so a router has a policy (DESIGN, "A key policy"); a plan
is robust when it holds under all of them. Only usable keys count (`Key.usable`). Keys are in order of start-time; of
two that start together the higher key number counts as the later. A window is closed at its beginning and open at
its end. `now` is always the router's own clock, aware.
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
    """Return the key whose start-time passed last: sent under CLOCK, asked for under both, first on a new connection.

    None before the first start-time: then nothing is sent.
    """
    return next((key for key in reversed(in_order(chain)) if _start(key) <= now.astimezone(UTC)), None)


def next_key(chain: Keychain, now: datetime) -> Key | None:
    """Return the key that takes over next, or None when the last one is active."""
    upcoming = [key for key in in_order(chain) if _start(key) > now.astimezone(UTC)]
    # Of several that start together, the one that will then be sent.
    return next((key for key in reversed(upcoming) if _start(key) == _start(upcoming[0])), None)


def window(chain: Keychain, key: Key, receiving: Receiving) -> tuple[datetime | None, datetime | None]:
    """Return from when until when (exclusive) `key` is accepted; None is "always". `key` is a usable one of `chain`."""
    if receiving is Receiving.ANY:
        return None, None
    keys = in_order(chain)
    position = keys.index(key)
    successor = keys[position + 1] if position + 1 < len(keys) else None
    return _shifted(key, -chain.tolerance), None if successor is None else _shifted(successor, chain.tolerance)


def acceptable(chain: Keychain, now: datetime, receiving: Receiving) -> tuple[Key, ...]:
    """Return the keys that a segment received at `now` may be signed with, in order of their start-times."""
    return tuple(key for key in in_order(chain) if accepts(chain, key, now, receiving))


def accepts(chain: Keychain, key: Key, now: datetime, receiving: Receiving) -> bool:
    """Say whether a segment signed with `key` (a usable one of `chain`) is accepted at `now`."""
    begin, end = window(chain, key, receiving)
    moment = now.astimezone(UTC)
    return (begin is None or begin <= moment) and (end is None or moment < end)


def _start(key: Key) -> datetime:
    if key.start is None:
        raise ValueError(f"key {key.id} has no start-time; only usable keys have a schedule")
    # In UTC, because Python compares and adds by the wall clock where zones are equal, summer time or not.
    return key.start.astimezone(UTC)


def _shifted(key: Key, seconds: int) -> datetime | None:
    """Return the start-time moved by `seconds`, or None where no calendar reaches (tolerance is up to 136 years)."""
    try:
        return _start(key) + timedelta(seconds=seconds)
    except OverflowError:
        return None
