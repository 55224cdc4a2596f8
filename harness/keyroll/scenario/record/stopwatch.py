"""How long the named parts of a run take. They do not overlap: a part within another is not counted in that."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from datetime import timedelta

from keyroll.instants import SYSTEM, Clock
from keyroll.scenario.record.result import Spent


class Stopwatch:
    """Adds up the time of named parts, on the monotonic clock. For one thread."""

    def __init__(self, clock: Clock = SYSTEM) -> None:
        self._clock = clock
        self._spent: dict[tuple[str, bool], timedelta] = {}
        self._inner: list[timedelta] = []

    @contextlib.contextmanager
    def part(self, name: str, *, waiting: bool = False) -> Iterator[None]:
        """Count the time of the block as `name`, without the parts within it."""
        self._spent.setdefault((name, waiting), timedelta())
        self._inner.append(timedelta())
        begun = self._clock.now()
        try:
            yield
        finally:
            took = self._clock.now() - begun
            self._spent[name, waiting] += took - self._inner.pop()
            if self._inner:
                self._inner[-1] += took

    def add(self, name: str, took: timedelta) -> None:
        """Count time that was measured elsewhere. It is not subtracted from a part that is running."""
        self._spent[name, False] = self._spent.get((name, False), timedelta()) + took

    def spent(self) -> tuple[Spent, ...]:
        """Return the parts in the order in which they first began."""
        return tuple(Spent(name, took, waiting) for (name, waiting), took in self._spent.items())
