"""Which key a router signs with, asks for and accepts at an instant, by the emulated router's key policies.

Source: Juniper, "Configure a Keychain (TCP-AO)": "When a configured start time arrives (based on the device's clock),
the key with that start time becomes active." Juniper's text does not say which rule changes the sending key, nor
whether the tolerance limits which keys are accepted; hence two policies for each (docs/assumptions/wire.md, W1).

Pure: an instant is an argument, in nanoseconds since 1970-01-01 UTC on the router's own clock (see `to_ns`). Keys are
identified by their key number. Only usable keys (see `keyroll.keychain.model.Key.usable`) count.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from keyroll.keychain.model import Key, Keychain
from keyroll.names import Receiving, Sending

# Nanoseconds in a second.
NS = 1_000_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def to_ns(moment: datetime) -> int:
    """Return an aware `moment` as nanoseconds since 1970-01-01 UTC, exact to the microsecond."""
    return ((moment - _EPOCH) // _MICROSECOND) * 1000


@dataclass(frozen=True, slots=True)
class ClockKey:
    """What the key clock needs of a key. `start` is in nanoseconds since 1970-01-01 UTC."""

    number: int
    start: int
    send_id: int
    recv_id: int


class KeyClock:
    """The keys of one chain over time, by one pair of policies.

    Keys are ordered by start-time. Two keys with the same start-time are ordered by number, so the higher one becomes
    active (an assumption: Juniper asks for unique start-times).
    """

    __slots__ = ("_by_number", "_starts", "_tolerance", "keys", "receiving", "sending")

    def __init__(
        self,
        keys: Iterable[ClockKey],
        *,
        tolerance: int,
        sending: Sending = Sending.CLOCK,
        receiving: Receiving = Receiving.TOLERANCE,
    ) -> None:
        """Take the usable keys and the chain's `tolerance` in seconds."""
        self.keys = tuple(sorted(keys, key=lambda key: (key.start, key.number)))
        self.sending = sending
        self.receiving = receiving
        self._tolerance = tolerance * NS
        self._starts = [key.start for key in self.keys]
        self._by_number = {key.number: place for place, key in enumerate(self.keys)}

    @classmethod
    def of(
        cls,
        chain: Keychain,
        *,
        sending: Sending = Sending.CLOCK,
        receiving: Receiving = Receiving.TOLERANCE,
    ) -> KeyClock:
        """Build the clock of a chain from its usable keys."""
        found = (clock_key(key) for key in chain.keys)
        keys = [key for key in found if key is not None]
        return cls(keys, tolerance=chain.tolerance, sending=sending, receiving=receiving)

    def key(self, number: int) -> ClockKey | None:
        """Return the usable key of that number, or None."""
        place = self._by_number.get(number)
        return None if place is None else self.keys[place]

    def active(self, now: int) -> int | None:
        """Return the number of the key with the latest start that has passed (start <= now); None before the first."""
        place = bisect_right(self._starts, now)
        return self.keys[place - 1].number if place else None

    def upcoming(self, now: int) -> ClockKey | None:
        """Return the key that becomes active next; None after the last start."""
        place = bisect_right(self._starts, now)
        if place == len(self.keys):
            return None
        last_of_that_start = bisect_right(self._starts, self._starts[place]) - 1
        return self.keys[last_of_that_start]

    def asked(self, now: int) -> int | None:
        """Return the number of the key to ask for in RNextKeyID: by either policy the active one."""
        return self.active(now)

    def opening(self, now: int) -> int | None:
        """Return the number of the key that signs a new connection's first segment: by either policy the active one."""
        return self.active(now)

    def sent(self, now: int, current: int | None) -> int | None:
        """Return the number of the key that a connection signs with.

        `current` is its last one. None: nothing may be sent.

        By `clock` this is the active key, whatever `current`. By `rnext` it is the current key as long as that is
        configured; before the first start nothing is sent.
        """
        active = self.active(now)
        if active is None or self.sending is Sending.CLOCK or current is None:
            return active
        return current if current in self._by_number else None

    def follow(self, now: int, current: int | None, named: int | None) -> int | None:
        """Return the sending key after a verified segment whose RNextKeyID names key `named` (None: no such key).

        By `clock` it stays. By `rnext` the named key becomes the sending key if it is configured and, with `tolerance`,
        inside its window; an unknown RNextKeyID changes nothing.
        """
        if self.sending is Sending.CLOCK or named is None or not self.acceptable(named, now):
            return current
        return named

    def acceptable(self, number: int, now: int) -> bool:
        """Return whether a received segment may be verified with key `number`; False for an unknown number."""
        place = self._by_number.get(number)
        if place is None:
            return False
        if self.receiving is Receiving.ANY:
            return True
        opens = self._starts[place] - self._tolerance
        if now < opens:
            return False
        return place + 1 == len(self._starts) or now < self._starts[place + 1] + self._tolerance

    def acceptable_keys(self, now: int) -> tuple[int, ...]:
        """Return the numbers of all keys that may be received now, in the order of their start-times."""
        return tuple(key.number for key in self.keys if self.acceptable(key.number, now))


def clock_key(key: Key) -> ClockKey | None:
    """Return what the clock needs of a key; None if the key is not usable."""
    if not key.usable or key.start is None or key.send_id is None or key.recv_id is None:
        return None
    return ClockKey(key.id, to_ns(key.start), key.send_id, key.recv_id)
