"""A clock for two threads, each with one router: time passes only while both wait."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import timedelta
from typing import Any

from keyroll.instants import FakeClock, Instant

PREFIX = "router"
"""How the engine begins the names of its threads."""


class Lockstep(FakeClock):
    """As `FakeClock`, but no thread advances the time while another waits for a real answer.

    With a plain `FakeClock`, each pause for one router makes the other's answer look slow, the longer pause after it
    makes the first one's look slow, and so on: on a busy machine the pauses grow to hours.
    """

    def __init__(self, start: Any) -> None:
        super().__init__(start)
        self._turn = threading.Condition()
        self._working = 0
        self._asleep: list[Instant] = []

    def pause(self, length: timedelta) -> None:
        """Wait until that time; the last thread to wait advances the clock to the earliest end."""
        if not threading.current_thread().name.startswith(PREFIX):
            with self._turn:
                super().pause(length)  # the engine's between two looks, or a slow router's
                self._turn.notify_all()
            return
        with self._turn:
            wake = self.now() + max(length, timedelta())
            self._asleep.append(wake)
            self._move_on()
            while self.now() < wake:
                self._turn.wait()
            self._asleep.remove(wake)

    def _move_on(self) -> None:
        if self._asleep and len(self._asleep) == self._working:
            self.advance(min(self._asleep) - self.now())
            self._turn.notify_all()

    def begin(self) -> None:
        """Count a thread as working."""
        with self._turn:
            self._working += 1

    def end(self) -> None:
        """Count a thread as working no longer."""
        with self._turn:
            self._working -= 1
            self._move_on()


class Pool(ThreadPoolExecutor):
    """The engine's pool, whose jobs the clock counts."""

    clock: Lockstep

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        def job() -> Any:
            try:
                return fn(*args, **kwargs)
            finally:
                self.clock.end()

        self.clock.begin()
        return super().submit(job)


def pool_of(clock: Lockstep) -> Callable[..., Pool]:
    """Return a function that makes the engine's pool."""

    def made(count: int, **names: Any) -> Pool:
        pool = Pool(count, **names)
        pool.clock = clock
        return pool

    return made
