"""Whether the machine went on while a run was under way: stretches in which it stood still, and steps of its clock.

A process that is stopped, a virtual machine that is paused, or a processor that others take for seconds, cannot be told
from routers that do nothing, unless somebody looks at the clock all the time. That is done here.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from types import TracebackType
from typing import Self

from keyroll.instants import Clock, Instant, stepped
from keyroll.scenario.file.durations import format_duration

_PERIOD = timedelta(milliseconds=100)
"""Between two looks at the clock: a stall's beginning is known so exactly."""
STEP_MAX = timedelta(milliseconds=250)
"""A greater difference of wall and monotonic clock is a step. ntpd slews what is below 128 ms, and sets the rest."""
_READINGS = 3
"""A thread that loses the processor between reading both clocks sees a step that was none; not three times in turn."""


@dataclass(frozen=True, slots=True)
class Stall:
    """A stretch of time in which nothing could be seen."""

    begun: Instant
    ended: Instant

    @property
    def length(self) -> timedelta:
        """How long it was."""
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
    """Looks at the clock all the time, in a thread of its own, while the context is open.

    Args:
        clock: the clock that is looked at.
        limit: a longer time between two looks is a stall.
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
        """Look at the clock now; return all that has been noticed so far, in order."""
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
    """Return the stretches, longer than `limit`, in which all observers were blind at the same time.

    `blind` holds for each observer the stretches in which it saw nothing, in order.
    """
    if not blind:
        return ()
    common = list(blind[0])
    for other in blind[1:]:
        pairs = [(max(a.begun, b.begun), min(a.ended, b.ended)) for a in common for b in other]
        common = [Stall(begun, ended) for begun, ended in pairs if begun < ended]
    return tuple(stall for stall in common if stall.length > limit)
