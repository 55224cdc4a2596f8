"""When a router may be sent the next line: at most one line a second, and later after a slow answer."""

from __future__ import annotations

import threading
from datetime import timedelta

from keyroll.instants import Clock, Instant, until

BETWEEN = timedelta(seconds=1)
"""The least time from one line to the next: no faster than an engineer types."""
REST = 2
"""From one line to the next, at least so many times the time that the answer took: a router works for the watch at
most half of the time."""
REST_MAX = timedelta(seconds=60)
"""The longest pause, for answers of more than a minute: in a longer one the watch could miss the rollover."""


class Stopped(Exception):  # noqa: N818 - not an error: the watch is to end
    """The watch is to end; nothing more is sent."""


class Pace:
    """When the next line may be sent. For one router, used by one thread at a time."""

    def __init__(self, clock: Clock, stop: threading.Event) -> None:
        self._clock = clock
        self._stop = stop
        self._sent: Instant | None = None
        self._next: Instant | None = None

    def before_line(self) -> None:
        """Return when the next line may be sent, and count it as sent.

        Raises:
            Stopped: the watch is to end.
        """
        self._wait()
        self._sent = self._clock.now()
        self._next = self._sent + BETWEEN

    def answered(self) -> None:
        """Note that the answer to the last line is complete: a slow one makes the next line come later."""
        if self._sent is not None:
            took = self._clock.now() - self._sent
            self._next = self._sent + max(BETWEEN, min(REST * took, took + REST_MAX))

    def _wait(self) -> None:
        if self._next is not None:
            # In pieces, so that a watch that is to end does not wait for the whole pause.
            until(self._clock, self._stop.is_set, deadline=self._next, poll=BETWEEN)
        if self._stop.is_set():
            raise Stopped
