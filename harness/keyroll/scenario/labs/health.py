"""Check during a run that every part of the lab still works: a dead part breaks the run."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from datetime import timedelta

from keyroll.errors import KeyrollError
from keyroll.instants import SYSTEM, Clock
from keyroll.lab.protocol import PING_SECONDS, Lab, Pingable, RecordsIncidents
from keyroll.scenario.errors import BlindError
from keyroll.scenario.record.timeline import Kind, Timeline

_ASK_EVERY = timedelta(seconds=1)
"""Interval between two pings of all parts. A hold time is at least three seconds, so a part that hangs long enough to
end a session is detected, even if it resumes before the session's end is judged."""


class LabHealth:
    """Checks a lab. Faults that the lab repaired itself go to the timeline, and to `incidents` of the run.

    `wait_scale` multiplies the time that parts may take to answer.
    """

    def __init__(self, lab: Lab, timeline: Timeline, *, clock: Clock = SYSTEM, wait_scale: float = 1.0) -> None:
        self._clock = clock
        self._within = PING_SECONDS * wait_scale
        self._asked = clock.now()
        self._thread = threading.current_thread()
        self._lab = lab
        self._timeline = timeline
        self._before = len(lab.incidents) if isinstance(lab, RecordsIncidents) else 0
        self.incidents: tuple[str, ...] = ()

    def check(self) -> None:
        """Raise when a part of the lab has died or hangs.

        Raises:
            LabError: a part has died; it is named, with its last log lines.
            BlindError: a part does not answer.
        """
        self._check()
        # Only the run's own thread sends orders to the lab, so that each answer reaches the caller that waits for it.
        if threading.current_thread() is self._thread and self._clock.now() - self._asked >= _ASK_EVERY:
            self.ask_all()

    def _check(self) -> None:
        try:
            self._lab.check()
        finally:
            if isinstance(self._lab, RecordsIncidents):
                found = self._lab.incidents[self._before :]
                for text in found[len(self.incidents) :]:
                    self._timeline.add(Kind.LAB, text)
                self.incidents = found

    def ask_all(self) -> None:
        """Check, and ping every part: the lab reports a recent death before it answers the ping.

        Raises:
            LabError, BlindError: as `check`.
        """
        self._check()
        if not isinstance(self._lab, Pingable):
            return
        asked, answered = self._clock.now(), self._asked
        silent = self._lab.silent_parts(self._within)
        if silent:
            raise BlindError(
                f"lab {self._lab.name}: {', '.join(silent)} did not answer within {self._within:g} s: what was seen "
                "since says nothing about the routers",
                since=answered,
                remedy="something has stopped it, or this machine is too busy",
            )
        self._asked = asked

    @contextlib.contextmanager
    def naming_causes(self) -> Iterator[None]:
        """Re-raise errors caused by a dead part as that part's death; check once more on exit.

        Raises:
            LabError: a part has died.
        """
        try:
            yield
        except KeyrollError as error:
            try:
                self.ask_all()
            except KeyrollError as death:
                if death is not error:
                    raise death from error
            raise
        self.check()
