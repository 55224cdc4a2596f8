"""An event loop without real time: its clock jumps to the next timer, so that a busy machine changes no result."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class VirtualTime:
    """A clock in seconds that moves only while `run` has nothing to do but wait for a timer."""

    def __init__(self, now: float = 1000.0) -> None:
        self.now = now

    def monotonic(self) -> float:
        """Return the virtual time, in place of `time.monotonic`."""
        return self.now

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine as `asyncio.run` does."""
        with asyncio.Runner(loop_factory=lambda: _Loop(self)) as runner:
            return runner.run(coroutine)


class _Loop(asyncio.SelectorEventLoop):
    def __init__(self, clock: VirtualTime) -> None:
        super().__init__(_Selector(clock))
        self._virtual = clock

    def time(self) -> float:
        return self._virtual.now


class _Selector(selectors.DefaultSelector):
    """Moves the clock to the next timer instead of waiting."""

    def __init__(self, clock: VirtualTime) -> None:
        super().__init__()
        self._clock = clock

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(None if timeout is None else 0)
        if not ready and timeout is not None:
            self._clock.now += timeout
        return ready
