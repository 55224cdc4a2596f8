"""Where a run's time goes: named parts that do not overlap; a part within another is taken out of it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from datetime import timedelta

from keyroll.scenario.record.result import Spent


class Stopwatch:
    """Adds up the time of named parts, on the monotonic clock. For one thread."""

    def __init__(self) -> None:
        self._spent: dict[tuple[str, bool], float] = {}
        self._inner: list[float] = []

    @contextlib.contextmanager
    def part(self, name: str, *, waiting: bool = False) -> Iterator[None]:
        """Count the time of the block as `name`, less the parts within it."""
        self._spent.setdefault((name, waiting), 0.0)
        self._inner.append(0.0)
        begun = time.monotonic()
        try:
            yield
        finally:
            took = time.monotonic() - begun
            self._spent[name, waiting] += took - self._inner.pop()
            if self._inner:
                self._inner[-1] += took

    def add(self, name: str, took: timedelta) -> None:
        """Count time that was measured elsewhere (within a part that is running, it is not taken out)."""
        self._spent[name, False] = self._spent.get((name, False), 0.0) + took.total_seconds()

    def spent(self) -> tuple[Spent, ...]:
        """Return the parts in the order in which they first began."""
        return tuple(Spent(name, timedelta(seconds=took), waiting) for (name, waiting), took in self._spent.items())
