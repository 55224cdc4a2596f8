"""Verifying whole captures: files that follow one another in time share a referee, each other one has its own.

for run in runs_of(paths, book):                 # one Run for each file
    for packet, judgement in run.judged(): ...   # or run.offending(), which is quicker
    run.tally, run.error
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from pathlib import Path
from typing import NamedTuple

from keyroll.capture.formats import link_types
from keyroll.capture.formats.packet import CaptureError, Packet
from keyroll.capture.formats.reader import read_batches
from keyroll.capture.keys.book import Book
from keyroll.capture.referee.counts import Tally
from keyroll.capture.referee.fast_path import Express
from keyroll.capture.referee.judgement import Judgement, Standing
from keyroll.capture.referee.referee import Referee

_link_of = attrgetter("link")


class Judged(NamedTuple):
    """A packet and its judgement (None: nothing to protect)."""

    packet: Packet
    judgement: Judgement | None


@dataclass(slots=True)
class Run:
    """One file of a capture, who judges it, and what was found in it. Judge it once, in the order of `runs_of`."""

    path: Path
    referee: Referee
    continues: Path | None = None
    """The file that this one continues."""
    tally: Tally = field(default_factory=Tally)
    error: CaptureError | None = None
    """What was wrong with the file, once it was judged; what is whole before that place was judged all the same."""
    packets: int = 0

    def offending(self) -> Iterator[Judged]:
        """Judge all packets, quickly; yield those that are bad or could not be judged, and count the rest."""
        express, good = Express(self.referee, self.tally), Standing.GOOD
        for batch in self._batches():
            for packet, judgement in express.sweep(batch):
                if judgement.standing is not good:
                    yield Judged(packet, judgement)

    def judged(self) -> Iterator[Judged]:
        """Judge all packets; yield every one."""
        for batch in self._batches():
            for packet in batch:
                judgement = self.referee.judge(packet)
                if judgement is not None:
                    self.tally.observe(judgement)
                yield Judged(packet, judgement)

    @property
    def standings(self) -> dict[Standing, int]:
        """How many segments were good, bad, and could not be judged."""
        return self.tally.standings()

    def _batches(self) -> Iterator[list[Packet]]:
        try:
            for batch in read_batches(self.path):
                self.packets += len(batch)
                self._check_links(batch)
                yield batch
        except CaptureError as error:
            self.error = error

    def _check_links(self, batch: Sequence[Packet]) -> None:
        """Note the first packet of a link type that is not read: what it carries is not judged."""
        if self.error is not None or link_types.KNOWN.issuperset(map(_link_of, batch)):
            return
        unknown = next((packet for packet in batch if packet.link not in link_types.KNOWN), None)
        if unknown is not None:
            self.error = CaptureError(
                f"packet {unknown.number} has link type {unknown.link}, which is not read here",
                path=self.path,
                packet=unknown.number,
                remedy=f"capture on an interface with {link_types.NAMES}",
            )


class _Span(NamedTuple):
    """The time stamps of a file's first and last packet; None where it cannot be told."""

    path: Path
    first: int | None
    last: int | None


def runs_of(paths: Sequence[Path], book: Book) -> list[Run]:
    """Return a run for each file, in the order of time.

    A file that begins where another ended continues it (tcpdump -C, -G, -W; their names need not sort). Files that
    overlap (two ends of a link) have nothing to do with each other, nor do pipes, which can be read but once.
    """
    if len(paths) == 1:
        return [Run(paths[0], Referee(book))]
    spans = sorted((_span(path) for path in paths), key=lambda span: -1 if span.first is None else span.first)
    runs: list[Run] = []
    open_ends: list[tuple[_Span, Run]] = []
    for span in spans:
        before = next(
            (
                end
                for end in reversed(open_ends)
                if span.first is not None and end[0].last is not None and end[0].last <= span.first
            ),
            None,
        )
        if before is None:
            run = Run(span.path, Referee(book))
        else:
            open_ends.remove(before)
            run = Run(span.path, before[1].referee, continues=before[0].path)
        runs.append(run)
        open_ends.append((span, run))
    return runs


def _span(path: Path) -> _Span:
    first = last = None
    if path.exists() and not path.is_file():
        return _Span(path, None, None)
    try:
        for batch in read_batches(path):
            first = batch[0].time_ns if first is None else first
            last = batch[-1].time_ns
    except CaptureError:
        # Its own run will say it; what comes behind it does not continue it.
        return _Span(path, first, None)
    return _Span(path, first, last)
