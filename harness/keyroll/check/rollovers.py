"""Which keys of two chains take over together: their rollovers, in order of time."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

from keyroll.keychain.model import Key, Keychain
from keyroll.keychain.schedule import in_order


class Takeover(NamedTuple):
    """One router's part in a rollover: the key that takes over, and the one that was sent before it.

    `place` and `before_place` are indices in the order of start-times (`schedule.in_order`); the keys between the two
    have the start-time of `key`, and are never sent.
    """

    key: Key
    place: int
    before: Key
    before_place: int
    start: datetime


class Rollover(NamedTuple):
    """Keys that take over together. If a router has no counterpart of the other's key, its part is None."""

    parts: tuple[Takeover | None, Takeover | None]

    @property
    def starts(self) -> tuple[datetime, ...]:
        """The start-times of both parts, as their chains have them."""
        return tuple(part.start for part in self.parts if part is not None)

    @property
    def first(self) -> datetime:
        """When the first of the two keys starts."""
        return min(self.starts)

    @property
    def last(self) -> datetime:
        """When the later of the two keys starts."""
        return max(self.starts)

    def is_coming(self, at: datetime, until: datetime | None) -> bool:
        """Say whether the rollover ends after `at` and begins no later than `until` (None: without a limit)."""
        return self.last > at and (until is None or self.first <= until)


def rollovers(one: Keychain, other: Keychain) -> tuple[Rollover, ...]:
    """Return the rollovers of two chains that protect one session, by the first start-time.

    Keys belong together if their ids are each other's reverse; of several, those with the nearest start-times. The
    first key of a chain replaces no other key, so it has no rollover.
    """
    peers: dict[tuple[int | None, int | None], list[Takeover]] = {}
    for part in takeovers(other):
        peers.setdefault((part.key.recv_id, part.key.send_id), []).append(part)
    found: list[Rollover] = []
    for part in takeovers(one):
        candidates = peers.get((part.key.send_id, part.key.recv_id), [])
        apart = [abs(peer.start - part.start) for peer in candidates]
        nearest = candidates.pop(apart.index(min(apart))) if apart else None
        found.append(Rollover((part, nearest)))
    found += [Rollover((None, part)) for left in peers.values() for part in left]
    return tuple(sorted(found, key=lambda rollover: (rollover.first, rollover.last)))


def takeovers(chain: Keychain) -> Iterator[Takeover]:
    """Yield each key that takes over from another. Of several with the same start-time only the last one is sent."""
    keys = in_order(chain)
    before: tuple[Key, int] | None = None
    for place, key in enumerate(keys):
        following = keys[place + 1] if place + 1 < len(keys) else None
        if key.start is None or (following is not None and following.start == key.start):
            continue
        if before is not None:
            yield Takeover(key, place, *before, key.start)
        before = key, place
