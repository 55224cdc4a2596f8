"""Verifying whole captures: files that follow one another in time are read as one, each other one by itself.

for run in runs_of(paths):                       # one Run for each capture, or for a capture split into files
    for path, packet, judgement in run.judged(book): ...
    run.tally, run.errors
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from harness.capture import link
from harness.capture.express import Express
from harness.capture.judgement import Judgement, Standing
from harness.capture.lanes import Book
from harness.capture.packet import CaptureError, Packet
from harness.capture.reader import read_batches
from harness.capture.referee import Referee
from harness.capture.tally import Tally


class Judged(NamedTuple):
    """A packet, the file that holds it, and its judgement (None: nothing to protect)."""

    path: Path
    packet: Packet
    judgement: Judgement | None


@dataclass(slots=True)
class Run:
    """One capture in one or more files, and what was found in it."""

    paths: list[Path]
    tally: Tally = field(default_factory=Tally)
    errors: list[CaptureError] = field(default_factory=list)
    packets: int = 0

    def offending(self, book: Book) -> Iterator[Judged]:
        """Judge all packets, quickly; yield those that are bad or could not be judged, and count the rest."""
        express = Express(Referee(book), self.tally)
        take, good = express.take, Standing.GOOD
        for path in self.paths:
            try:
                for batch in read_batches(path):
                    self._note(path, batch)
                    for packet in batch:
                        judgement = take(packet)
                        if judgement is not None and judgement.standing is not good:
                            yield Judged(path, packet, judgement)
            except CaptureError as error:
                self.errors.append(error)

    def judged(self, book: Book) -> Iterator[Judged]:
        """Judge all packets; yield every one."""
        referee = Referee(book)
        for path in self.paths:
            try:
                for batch in read_batches(path):
                    self._note(path, batch)
                    for packet in batch:
                        judgement = referee.judge(packet)
                        if judgement is not None:
                            self.tally.observe(judgement)
                        yield Judged(path, packet, judgement)
            except CaptureError as error:
                self.errors.append(error)

    def _note(self, path: Path, batch: Sequence[Packet]) -> None:
        self.packets += len(batch)
        unknown = next((packet for packet in batch if packet.link not in link.KNOWN), None)
        if unknown is not None:
            raise CaptureError(
                f"packet {unknown.number} has link type {unknown.link}, which is not read here",
                path=path,
                packet=unknown.number,
                remedy=f"capture on an interface with {link.NAMES}",
            )

    @property
    def standings(self) -> dict[Standing, int]:
        """How many segments were good, bad, and could not be judged."""
        return self.tally.standings()


def runs_of(paths: Sequence[Path]) -> list[Run]:
    """Group captures: a file that begins where the one before it ended continues it (tcpdump -C, -G, -W).

    What cannot be read yet is a run by itself; reading it says why.
    """
    runs: list[Run] = []
    end: int | None = None
    for path in paths:
        first, last = _span(path) if len(paths) > 1 else (None, None)
        if runs and end is not None and first is not None and first >= end:
            runs[-1].paths.append(path)
        else:
            runs.append(Run([path]))
        end = last
    return runs


def _span(path: Path) -> tuple[int | None, int | None]:
    first = last = None
    try:
        for batch in read_batches(path):
            first = batch[0].time_ns if first is None else first
            last = batch[-1].time_ns
    except CaptureError:
        # Its own run will say it; what follows it does not continue it.
        return first, None
    return first, last
