"""Instants and clocks: the only module above `lab/` and `emulator/` that reads a clock or sleeps.

A host has two clocks. Its wall clock says what time it is, and may be set while a program runs; its monotonic clock
only says how much time has passed. `Clock.now` joins them: it reads the wall clock once, and adds from then on what the
monotonic clock says. So deadlines and freshness are never wrong by a clock that was set, instants can still be compared
with the time stamps of captures (which are the wall clock's), and `stepped` says when that comparison does not hold any
more.
"""

from __future__ import annotations

import itertools
import threading
import time
from bisect import insort
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol, TypeVar, overload

T = TypeVar("T")

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_ANCHORS = 5
"""How often both clocks are read to relate them. A thread that loses the processor between two reads relates them
wrongly, by milliseconds on a busy machine; the closest pair of five has not met that."""


@dataclass(frozen=True, slots=True, order=True)
class Instant:
    """An instant of the host's clock, in nanoseconds since 1970 (UTC)."""

    ns: int

    @classmethod
    def of(cls, moment: datetime) -> Instant:
        """Return the instant of an aware datetime."""
        return cls((moment - _EPOCH) // _MICROSECOND * 1000)

    @property
    def moment(self) -> datetime:
        """The instant as a datetime in UTC, in whole microseconds."""
        return _EPOCH + timedelta(microseconds=self.ns // 1000)

    def __add__(self, length: timedelta) -> Instant:
        return Instant(self.ns + length // _MICROSECOND * 1000)

    @overload
    def __sub__(self, other: Instant) -> timedelta: ...

    @overload
    def __sub__(self, other: timedelta) -> Instant: ...

    def __sub__(self, other: Instant | timedelta) -> timedelta | Instant:
        if isinstance(other, Instant):
            return timedelta(microseconds=(self.ns - other.ns) // 1000)
        return self + -other


class Clock(Protocol):
    """A clock that can be read and waited on. Implementations can be used by several threads at once."""

    def now(self) -> Instant:
        """Return the present instant. It never goes back and never jumps, whatever happens to the wall clock."""
        ...

    def wall(self) -> Instant:
        """Return what the host's wall clock says now; it differs from `now` once it has been set."""
        ...

    def pause(self, length: timedelta) -> None:
        """Return after `length`; at once when it is not positive."""
        ...


def stepped(clock: Clock) -> timedelta:
    """Return how far the wall clock has been set forward (negative: back) since this clock was made."""
    return clock.wall() - clock.now()


class SystemClock:
    """The clock of this machine, related to its wall clock when it is made."""

    def __init__(self) -> None:
        self._ahead = min(_related() for _ in range(_ANCHORS))[1]

    def now(self) -> Instant:
        """Return the present instant."""
        return Instant(time.monotonic_ns() + self._ahead)

    def wall(self) -> Instant:
        """Return what the wall clock says."""
        return Instant(time.time_ns())

    def pause(self, length: timedelta) -> None:
        """Sleep. A signal whose handler raises (Ctrl-C) ends it."""
        time.sleep(max(0.0, length.total_seconds()))


def _related() -> tuple[int, int]:
    """Return how long it took to read both clocks, and how much the wall clock is ahead of the monotonic one (ns)."""
    before = time.monotonic_ns()
    wall = time.time_ns()
    after = time.monotonic_ns()
    return after - before, wall - (before + after) // 2


SYSTEM = SystemClock()
"""For durations, and for code outside of a run. A run makes its own clock, related to the wall clock at its start."""


def until(
    clock: Clock,
    holds: Callable[[], T | None],
    *,
    deadline: Instant,
    poll: timedelta,
    check: Callable[[], object] = lambda: None,
) -> T | None:
    """Poll until something holds: the one way to wait for a state that does not announce itself.

    Args:
        clock: the clock of `deadline`.
        holds: asked at once and after every pause; None and False mean "not yet".
        deadline: the last question begins then or later, however long an answer takes (at once, when it has passed).
        poll: from one answer to the next question.
        check: called before every question; raises when waiting has become pointless.

    Returns:
        What `holds` returned, or None when the deadline has passed.
    """
    while True:
        check()
        last = clock.now() >= deadline
        found = holds()
        if found is not None and found is not False:
            return found
        if last:
            return None
        # A length is in whole microseconds: without one at least, less than that to the deadline would be a busy loop.
        clock.pause(min(poll, max(deadline - clock.now(), _MICROSECOND)))


class FakeClock:
    """A clock for tests: time passes only in `pause` (and in `advance`), and then at once.

    What `at` was given happens on the way, at its instant.
    """

    def __init__(self, start: datetime = datetime(2030, 1, 1, tzinfo=UTC)) -> None:
        self._now = Instant.of(start)
        self._step = timedelta()
        self._planned: list[tuple[Instant, int, Callable[[], object]]] = []
        self._order = itertools.count()
        self._lock = threading.RLock()
        self.pauses: list[timedelta] = []
        """The lengths that were asked for, in order."""

    def now(self) -> Instant:
        """Return the present instant: the beginning plus all pauses."""
        with self._lock:
            return self._now

    def wall(self) -> Instant:
        """Return the present instant plus what `set_wall` has set."""
        with self._lock:
            return self._now + self._step

    def pause(self, length: timedelta) -> None:
        """Move the time on."""
        with self._lock:
            self.pauses.append(length)
            self.advance(length)

    def advance(self, length: timedelta) -> None:
        """Move the time on; events that are planned in between happen."""
        with self._lock:
            end = self._now + max(length, timedelta())
            while self._planned and self._planned[0][0] <= end:
                instant, _, happen = self._planned.pop(0)
                self._now = max(self._now, instant)
                happen()
            self._now = max(self._now, end)

    def at(self, length: timedelta, happen: Callable[[], object]) -> None:
        """Plan an event for `length` from now."""
        with self._lock:
            insort(self._planned, (self._now + length, next(self._order), happen))

    def set_wall(self, by: timedelta) -> None:
        """Set the wall clock forward (or back), as an administrator or NTP does."""
        with self._lock:
            self._step += by
