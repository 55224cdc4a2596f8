"""Verify complete captures: consecutive files share a referee, every other file has its own.

for file in files_in_order(paths, book):          # one JudgedFile for each path
    for packet, judgement in file.judged(): ...   # or file.offending(), which is faster
    file.account, file.error
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from pathlib import Path
from typing import NamedTuple

from keyroll.capture.formats import link_types
from keyroll.capture.formats.packet import CaptureError, Packet
from keyroll.capture.formats.reader import read_batches
from keyroll.capture.keys.book import Book
from keyroll.capture.referee.account import Account
from keyroll.capture.referee.fast_path import FastPath
from keyroll.capture.referee.judgement import Judgement, Standing
from keyroll.capture.referee.referee import Referee

_link_of = attrgetter("link")


class Judged(NamedTuple):
    """A packet and its judgement (None: nothing to protect)."""

    packet: Packet
    judgement: Judgement | None


@dataclass(slots=True)
class JudgedFile:
    """One capture file, its referee, and what was found. Judge it once, in the order of `files_in_order`."""

    path: Path
    referee: Referee
    continues: Path | None = None
    """The file that this one continues."""
    account: Account = field(default_factory=Account)
    error: CaptureError | None = None
    """What is wrong with the file, known after judging; the complete packets before that place are judged."""
    packets: int = 0
    """Packets read so far."""
    progress: Callable[[Path, int], object] | None = None
    """See `read_batches`."""
    _fast: FastPath = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._fast = FastPath(self.referee, self.account)

    @property
    def left_out(self) -> int:
        """How many forged SYNs `offending` has not yielded (see `leave_out_forged`)."""
        return self._fast.forged.counted

    def leave_out_forged(self) -> None:
        """Let `offending` count forged SYNs from now on without yielding them: the report shows no more of them."""
        self._fast.forged.wanted = False

    def offending(self) -> Iterator[Judged]:
        """Judge all packets on the fast path; yield those that are bad or could not be judged, and count the rest."""
        fast, good = self._fast, Standing.GOOD
        for batch in self._batches():
            for packet, judgement in fast.judge_all(batch):
                if judgement.standing is not good:
                    yield Judged(packet, judgement)

    def judged(self) -> Iterator[Judged]:
        """Judge all packets; yield every one."""
        for batch in self._batches():
            for packet in batch:
                judgement = self.referee.judge(packet)
                if judgement is not None:
                    self.account.observe(judgement)
                yield Judged(packet, judgement)

    @property
    def standings(self) -> dict[Standing, int]:
        """How many segments were good, bad, and could not be judged."""
        return self.account.standings()

    def _batches(self) -> Iterator[list[Packet]]:
        self.referee.capture = str(self.path)
        try:
            for batch in read_batches(self.path, progress=self.progress):
                self.packets += len(batch)
                self._check_links(batch)
                yield batch
        except CaptureError as error:
            self.error = error

    def _check_links(self, batch: Sequence[Packet]) -> None:
        """Record the first packet of an unsupported link type: its content is not judged."""
        if self.error is not None or link_types.KNOWN.issuperset(map(_link_of, batch)):
            return
        unknown = next((packet for packet in batch if packet.link not in link_types.KNOWN), None)
        if unknown is not None:
            self.error = CaptureError(
                f"packet {unknown.number} has link type {unknown.link}, which keyroll does not read",
                path=self.path,
                packet=unknown.number,
                remedy=f"capture on an interface with {link_types.NAMES}",
            )


class _Span(NamedTuple):
    """The time stamps of a file's first and last packet; None if unknown."""

    path: Path
    first: int | None
    last: int | None


def files_in_order(
    paths: Sequence[Path], book: Book, *, progress: Callable[[Path, int], object] | None = None
) -> list[JudgedFile]:
    """Return one `JudgedFile` for each path, in the order of their first time stamps.

    A file whose first time stamp is not before another's last one continues that file and shares its referee (tcpdump
    -C, -G, -W), whatever their names. Files that overlap in time (captures at both ends of a link) are independent. So
    are pipes, because they can be read only once. `progress` is passed to `read_batches`.
    """
    if len(paths) == 1:
        return [JudgedFile(paths[0], Referee(book), progress=progress)]
    spans = sorted((_span(path, progress) for path in paths), key=lambda span: -1 if span.first is None else span.first)
    files: list[JudgedFile] = []
    open_ends: list[tuple[_Span, JudgedFile]] = []
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
            file = JudgedFile(span.path, Referee(book), progress=progress)
        else:
            open_ends.remove(before)
            file = JudgedFile(span.path, before[1].referee, continues=before[0].path, progress=progress)
        files.append(file)
        open_ends.append((span, file))
    return files


def _span(path: Path, progress: Callable[[Path, int], object] | None) -> _Span:
    first = last = None
    if path.exists() and not path.is_file():
        return _Span(path, None, None)
    try:
        for batch in read_batches(path, progress=progress):
            first = batch[0].time_ns if first is None else first
            last = batch[-1].time_ns
    except CaptureError:
        # `judged` reports the error later; no file continues an unreadable one.
        return _Span(path, first, None)
    return _Span(path, first, last)
