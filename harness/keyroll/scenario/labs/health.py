"""Whether the lab is whole while a run is under way: a part that died is what the run broke by."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from keyroll.errors import KeyrollError
from keyroll.lab.protocol import Lab, Pingable, RecordsIncidents
from keyroll.scenario.record.timeline import Kind, Timeline


class LabWatch:
    """Asks a lab. What went wrong in it and mended itself goes into the timeline, and is `incidents` of the run."""

    def __init__(self, lab: Lab, timeline: Timeline) -> None:
        self._lab = lab
        self._timeline = timeline
        self._before = len(lab.incidents) if isinstance(lab, RecordsIncidents) else 0
        self.incidents: tuple[str, ...] = ()

    def check(self) -> None:
        """Raise LabError if a part of the lab has died; it is named, with its last log lines."""
        try:
            self._lab.check()
        finally:
            if isinstance(self._lab, RecordsIncidents):
                found = self._lab.incidents[self._before :]
                for text in found[len(self.incidents) :]:
                    self._timeline.add(Kind.LAB, text)
                self.incidents = found

    def _ask_all(self) -> None:
        """Check, with every part asked: a death that is a moment old is told before the answers are."""
        self.check()
        if isinstance(self._lab, Pingable):
            self._lab.silent_parts()

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
                self._ask_all()
            except KeyrollError as death:
                if death is not error:
                    raise death from error
            raise
        self.check()
