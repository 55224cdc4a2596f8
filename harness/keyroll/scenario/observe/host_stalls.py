"""Detect stalls of this machine during a run, and steps of its clock.

A stopped process, a paused virtual machine, or a processor that other programs use for seconds looks the same as
routers that do nothing. To tell them apart, a thread reads the clock all the time.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from types import TracebackType
from typing import Self

from keyroll.durations import format_duration
from keyroll.instants import Clock, Instant, stepped

_PERIOD = timedelta(milliseconds=100)
"""Interval between two readings of the clock; the start of a stall is known with this precision."""
STEP_MAX = timedelta(milliseconds=250)
"""A greater change between wall and monotonic clock is a step: ntpd slews offsets below 128 ms, and steps the rest."""
_READINGS = 3
"""Readings that must confirm a step. A thread that loses the processor between reading the two clocks sees a false
step once; three times in a row is improbable."""


@dataclass(frozen=True, slots=True)
class Stall:
    """A period in which nothing could be observed."""

    begun: Instant
    ended: Instant

    @property
    def length(self) -> timedelta:
        """Its length."""
        return self.ended - self.begun

    def words(self) -> str:
        """Return it in words."""
        return f"this machine stood still for {format_duration(self.length)}"


@dataclass(frozen=True, slots=True)
class ClockStep:
    """The host's wall clock was set, at some time after `begun`."""

    begun: Instant
    by: timedelta

    def words(self) -> str:
        """Return it in words."""
        way = "forward" if self.by > timedelta() else "back"
        return f"this machine's clock was set {way} by {format_duration(abs(self.by))}"


Disturbance = Stall | ClockStep


class StallWatch:
    """Reads the clock all the time, in its own thread, while the context is open.

    Args:
        clock: the clock to read.
        limit: a longer time between two readings is a stall.
    """

    def __init__(self, clock: Clock, *, limit: timedelta) -> None:
        self._clock = clock
        self._limit = limit
        self._lock = threading.Lock()
        self._last = clock.now()
        self._stalls: list[Stall] = []
        self._step: ClockStep | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="stalls", daemon=True)

    def __enter__(self) -> Self:
        self._last = self._clock.now()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()

    def look(self) -> tuple[Disturbance, ...]:
        """Read the clock now; return everything detected so far, in order."""
        with self._lock:
            now = self._clock.now()
            if now - self._last > self._limit:
                self._stalls.append(Stall(self._last, now))
            if self._step is None:
                by = min((stepped(self._clock) for _ in range(_READINGS)), key=abs)
                if abs(by) > STEP_MAX:
                    self._step = ClockStep(self._last, by)
            self._last = now
            found: list[Disturbance] = [*self._stalls, *([self._step] if self._step else [])]
        return tuple(sorted(found, key=lambda one: one.begun))

    def _watch(self) -> None:
        while not self._stop.wait(_PERIOD.total_seconds()):
            self.look()


def blind_together(blind: Sequence[Iterable[Stall]], *, limit: timedelta) -> tuple[Stall, ...]:
    """Return the periods, longer than `limit`, in which all observers were blind at the same time.

    `blind` holds for each observer the periods in which it saw nothing, in order.
    """
    if not blind:
        return ()
    common = list(blind[0])
    for other in blind[1:]:
        pairs = [(max(a.begun, b.begun), min(a.ended, b.ended)) for a in common for b in other]
        common = [Stall(begun, ended) for begun, ended in pairs if begun < ended]
    return tuple(stall for stall in common if stall.length > limit)
