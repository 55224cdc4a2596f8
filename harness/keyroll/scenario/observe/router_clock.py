"""The reading of each router's clock at an instant of the host's clock, if known.

A router's clock is the host's plus an offset, which changes when the clock is set. Setting it takes a command's round
trip. During those milliseconds two readings are possible, and the functions here return both.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import datetime, timedelta

from keyroll.instants import SYSTEM, Clock, Instant


def moment_of(ns: int) -> datetime:
    """Return the aware datetime (microseconds) of nanoseconds since 1970."""
    return Instant(ns).moment


def ns_of(moment: datetime) -> int:
    """Return nanoseconds since 1970 of an aware datetime."""
    return Instant.of(moment).ns


@dataclass(frozen=True, slots=True)
class _Setting:
    """The clock was set between two host instants (ns); afterwards it is the host's plus `offset_ns`."""

    begun: int
    done: int
    offset_ns: int


class RouterClock:
    """One router's clock, from the host's. Thread-safe. `offset` None means that the offset is still unknown."""

    def __init__(self, offset: timedelta | None = timedelta(), *, clock: Clock = SYSTEM) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._first = None if offset is None else offset // timedelta(microseconds=1) * 1000
        self._settings: list[_Setting] = []

    def was_set(self, moment: datetime, *, begun: int, done: int) -> None:
        """Record that the clock was set to `moment`, between the host instants `begun` and `done` (ns since 1970).

        The router counts from `moment` when it executes the command. The middle of the round trip approximates that
        instant, with an error of at most half the round trip.
        """
        with self._lock:
            self._settings.append(_Setting(begun, done, ns_of(moment) - (begun + done) // 2))

    def readings(self, host_ns: int) -> tuple[datetime, ...]:
        """Return the possible readings of the clock at that time: one; two while it was being set; none if unknown."""
        with self._lock:
            settings = tuple(self._settings)
        offset = self._first
        for index, setting in enumerate(settings):
            if host_ns < setting.begun:
                break
            if host_ns <= setting.done:
                before = self._first if index == 0 else settings[index - 1].offset_ns
                return tuple(moment_of(host_ns + one) for one in (before, setting.offset_ns) if one is not None)
            offset = setting.offset_ns
        return () if offset is None else (moment_of(host_ns + offset),)

    def reading(self, host_ns: int) -> datetime | None:
        """Return the clock's reading at that time; while it was being set, the new value; None if unknown."""
        readings = self.readings(host_ns)
        return readings[-1] if readings else None

    def now(self) -> datetime | None:
        """Return the clock's reading now."""
        return self.reading(self._clock.now().ns)
