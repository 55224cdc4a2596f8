"""Whether the lab is whole while a run is under way: a part that died is what the run broke by."""

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
"""From one ping of all parts to the next. A hold time is three seconds at least: a part that hangs for long enough to
end a session is noticed, also when it goes on before the session's end is judged."""


class LabHealth:
    """Asks a lab. What went wrong in it and mended itself goes into the timeline, and is `incidents` of the run.

    `wait_scale` stretches how long parts may take to answer.
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
        # Only the run's own thread gives the lab orders: answers go to who waits for them.
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
        """Check, with every part asked: a death that is a moment old is told before the answers are.

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
    def blamed(self) -> Iterator[None]:
        """Have an error that a part which died has caused come out as that part's death; and look again at the end.

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
