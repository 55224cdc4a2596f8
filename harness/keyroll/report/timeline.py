"""The timeline of a run: lanes with bars and marks, at positions on the host's seconds. Pure.

Routers' clocks may be set while a run lasts, so an instant of a router's clock (a start-time) lies where that clock
first read it: on the jump, where the clock was set across it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from keyroll.report.run import CheckRecord, Event, RunRecord

_JUMP = timedelta(seconds=1.5)
"""A clock that moved this much against the host's between two events was set. Whole seconds are all that `set date`
takes, and half of one may be lost on the way."""
_SAMPLE_GAP = 2.0
"""Seconds without a sample that are drawn as a gap: eight times what samples are usually apart."""
_NEAR = 0.008
"""Marks closer than this part of the width would hide each other, and are drawn as one that says how many it is."""

_READING_WIDTH = 0.2
"""How much of the picture the words of a clock's reading take: 24 characters on a page of 1,280 pixels."""

_SENDS = re.compile(r"(?P<session>\S+): sends (?P<key>.*?)(?: \((?P<ids>[^)]*)\))?$")


@dataclass(frozen=True, slots=True)
class Bar:
    """Something that lasted. `tone` is a class of the style sheet: a key's colour, a state."""

    begin: float
    end: float
    label: str
    title: str
    tone: str
    outline: bool = False


@dataclass(frozen=True, slots=True)
class Mark:
    """Something that happened at one moment; `check` is the number of the check that it leads to."""

    at: float
    title: str
    tone: str
    check: int | None = None
    count: int = 1


@dataclass(frozen=True, slots=True)
class Lane:
    """A line of the picture. `kind` is what a reader filters by."""

    label: str
    kind: str
    bars: tuple[Bar, ...] = ()
    marks: tuple[Mark, ...] = ()


@dataclass(frozen=True, slots=True)
class Jump:
    """A clock that was set: at this moment it moved by `moved`."""

    router: str
    at: float
    moved: timedelta

    @property
    def words(self) -> str:
        """How far the clock moved, signed."""
        return f"{'+' if self.moved > timedelta() else '-'}{short(abs(self.moved))}"


@dataclass(frozen=True, slots=True)
class Timeline:
    """All lanes, from `begin` to `end` host seconds since the run began."""

    begin: float
    end: float
    lanes: tuple[Lane, ...]
    jumps: tuple[Jump, ...]
    readings: Mapping[str, tuple[tuple[float, str], ...]] = field(default_factory=dict)
    """By router what its clock read at the begin and after each jump."""

    @property
    def span(self) -> float:
        """How many seconds the picture is wide."""
        return self.end - self.begin

    def place(self, at: float) -> float:
        """Return where a moment lies, from 0 to 1."""
        return min(1.0, max(0.0, (at - self.begin) / self.span)) if self.span else 0.0


def short(length: timedelta) -> str:
    """Return a length as people say it: `30m`, `1h5m`, `2.5s`."""
    seconds = length.total_seconds()
    if seconds < 60:  # noqa: PLR2004 - a minute
        return f"{seconds:.3g}s"
    days, rest = divmod(round(seconds), 86400)
    hours, rest = divmod(rest, 3600)
    minutes, rest = divmod(rest, 60)
    parts = ((days, "d"), (hours, "h"), (minutes, "m"), (rest, "s"))
    return "".join(f"{number}{unit}" for number, unit in parts if number)


def timeline(record: RunRecord) -> Timeline:
    """Lay out a run, from the first clock that is set or the first step on."""
    end = max((event.after for event in record.events), default=1.0)
    # Bringing the lab up says nothing of the routers: the picture begins where the first clock is set or step is made.
    begin = min((event.after for event in record.events if event.kind in ("clock", "step")), default=0.0)
    routers = sorted(
        {event.router for event in record.events if event.router} | set(record.planned) | set(record.samples)
    )
    jumps = tuple(jump for router in routers for jump in _jumps(router, record.events))
    lanes = [lane for router in routers for lane in _router_lanes(router, record, (begin, end))]
    lanes += [_steps(record.events, end), _checks(record, end)]
    readings = {router: tuple(_readings(router, record.events, jumps, (begin, end))) for router in routers}
    return Timeline(begin, end, tuple(lane for lane in lanes if lane.bars or lane.marks), jumps, readings)


def _router_lanes(router: str, record: RunRecord, limits: tuple[float, float]) -> Iterator[Lane]:
    end = limits[1]
    own = [event for event in record.events if event.router == router]
    yield from _planned(router, record, limits)
    for session, changes in sorted(_sent(own).items()):
        yield Lane(f"{router} {session} sends", "keys", tuple(_until_next(changes, end)))
    for session, states in sorted(_states(own).items()):
        yield Lane(f"{router} {session} state", "sessions", tuple(_until_next(states, end)))
    yield from _wire(router, record)
    yield Lane(f"{router} samples", "samples", tuple(_sample_bars(record.samples.get(router, ()))))
    yield Lane(f"{router} commits", "commands", marks=_near(_commands(own), end))


def _jumps(router: str, events: Iterable[Event]) -> Iterator[Jump]:
    before: tuple[float, datetime] | None = None
    for event in events:
        reading = event.clocks.get(router)
        if reading is None:
            continue
        if before is not None:
            moved = (reading - before[1]) - timedelta(seconds=event.after - before[0])
            if abs(moved) >= _JUMP:
                yield Jump(router, event.after, moved)
        before = event.after, reading


def _host_second(instant: datetime, router: str, events: Iterable[Event], end: float) -> float | None:
    """Return when a router's clock first read `instant`: None when it had read it before the run, or never did."""
    before: tuple[float, datetime] | None = None
    for event in events:
        reading = event.clocks.get(router)
        if reading is None:
            continue
        if reading >= instant:
            if before is None:
                return None
            left = event.after - (reading - instant).total_seconds()
            return left if before[0] <= left else event.after
        before = event.after, reading
    return None if before is None or instant > before[1] + timedelta(seconds=end - before[0]) else end


def _planned(router: str, record: RunRecord, limits: tuple[float, float]) -> Iterator[Lane]:
    """Draw each chain's windows, where the router's own clock reads the start-times."""
    first, end = limits
    chains: dict[str, list[tuple[float, int, str]]] = {}
    for key in record.planned.get(router, ()):
        last = next((event.clocks[router] for event in reversed(record.events) if router in event.clocks), None)
        if last is None or key.start > last:
            continue
        begin = _host_second(key.start, router, record.events, end)
        title = f"key {key.number}: planned from {key.start.isoformat()}, send-id {key.send}, recv-id {key.recv}"
        chains.setdefault(key.chain, []).append((first if begin is None else max(begin, first), key.number, title))
    for chain, keys in sorted(chains.items()):
        changes = [(begin, f"key {number}", title, _tone(str(number))) for begin, number, title in sorted(keys)]
        yield Lane(f"{router} {chain} planned", "keys", tuple(_until_next(changes, end, outline=True)))


_Change = tuple[float, str, str, str]


def _sent(events: Iterable[Event]) -> dict[str, list[_Change]]:
    found: dict[str, list[_Change]] = {}
    for event in events:
        match = _SENDS.match(event.text) if event.kind == "wire" else None
        if match:
            key = match["key"].removeprefix("key ")
            title = f"{event.text}, from {event.after:.2f} s"
            found.setdefault(match["session"], []).append((event.after, match["key"], title, _tone(key)))
    return found


def _states(events: Iterable[Event]) -> dict[str, list[_Change]]:
    found: dict[str, list[_Change]] = {}
    for event in events:
        if event.kind != "session":
            continue
        for part in event.text.split("; "):
            session, _, words = part.partition(" ")
            up = words.startswith(("Established", "Operational"))
            state = words.split(",")[0]
            title = f"{part}, from {event.after:.2f} s"
            found.setdefault(session, []).append((event.after, state, title, "up" if up else "down"))
    return found


def _until_next(changes: Sequence[_Change], end: float, *, outline: bool = False) -> Iterator[Bar]:
    for position, (begin, label, title, tone) in enumerate(changes):
        stop = changes[position + 1][0] if position + 1 < len(changes) else end
        yield Bar(begin, max(stop, begin), label, title, tone, outline)


def _tone(key: str) -> str:
    """Return the colour class of a key: by its number, so that both routers' bars of one key look alike."""
    return f"k{int(key) % 8}" if key.isdecimal() else "kx"


def _sample_bars(moments: Sequence[float]) -> Iterator[Bar]:
    """Join samples that follow each other closely, so that a gap is a gap in the bar."""
    if not moments:
        return
    begin = last = moments[0]
    count = 1
    for moment in moments[1:]:
        if moment - last > _SAMPLE_GAP:
            yield _samples(begin, last, count)
            begin, count = moment, 0
        last, count = moment, count + 1
    yield _samples(begin, last, count)


def _samples(begin: float, end: float, count: int) -> Bar:
    return Bar(begin, end, "", f"{count} samples from {begin:.2f} s to {end:.2f} s", "sample")


def _wire(router: str, record: RunRecord) -> Iterator[Lane]:
    """Draw what a router sent on each session, by key and second, and apart what no session should carry."""
    sessions = sorted({item.session for item in record.wire if item.sender == router})
    for session in sessions:
        own = [item for item in record.wire if item.sender == router and item.session == session]
        bars = [
            Bar(item.after, item.after + 1, "", f"{item.segments} segments signed with key {item.key}", _tone(item.key))
            for item in own
            if item.segments
        ]
        marks = [
            Mark(item.after + 0.5, f"{number} {words}", tone)
            for item in own
            for number, words, tone in (
                (item.bad, "segments that do not verify", "bad"),
                (item.syn_rst, "SYN or RST", "flag"),
                (item.dropped, "segments dropped by the receiver", "bad"),
                (item.injected, "injected frames", "injected"),
            )
            if number
        ]
        yield Lane(f"{router} {session} wire", "wire", tuple(bars), tuple(marks))


def _commands(events: Iterable[Event]) -> list[Mark]:
    return [
        Mark(event.after, f"{event.after:.2f} s: {event.text}", "clock" if event.kind == "clock" else "commit")
        for event in events
        if event.kind in ("commit", "clock")
    ]


def _steps(events: Iterable[Event], end: float) -> Lane:
    changes = []
    for event in events:
        if event.kind == "step":
            number, _, words = event.text.removeprefix("step ").partition(":")
            changes.append((event.after, number, f"step {number}:{words}, from {event.after:.2f} s", "step"))
    return Lane("steps", "steps", tuple(_until_next(changes, end)))


def _checks(record: RunRecord, end: float) -> Lane:
    """Place each red check where it was judged; those that hold are in the table alone."""
    judged = {(event.data.get("name"), event.router): event.after for event in record.events if event.kind == "check"}
    marks = [
        Mark(judged.get((check.name, check.router), end), _red_words(check), "bad", number)
        for number, check in enumerate(record.checks, start=1)
        if not check.passed
    ]
    return Lane("red checks", "checks", marks=_near(marks, end))


def _red_words(check: CheckRecord) -> str:
    return f"{check.name}{f' {check.router}' if check.router else ''}: {check.observed}"


def _near(marks: Sequence[Mark], end: float) -> tuple[Mark, ...]:
    """Join marks that would hide each other."""
    found: list[Mark] = []
    for mark in sorted(marks, key=lambda mark: mark.at):
        last = found[-1] if found else None
        if last is not None and last.tone == mark.tone and mark.at - last.at < _NEAR * end:
            titles = last.title if last.title.count("\n") > 20 else f"{last.title}\n{mark.title}"  # noqa: PLR2004 - a screen
            found[-1] = Mark(last.at, titles, last.tone, last.check, last.count + mark.count)
        else:
            found.append(mark)
    return tuple(found)


def _readings(
    router: str, events: Sequence[Event], jumps: Iterable[Jump], limits: tuple[float, float]
) -> Iterator[tuple[float, str]]:
    """Yield what a router's clock read: at the begin, and after each jump where there is room for the words."""
    begin, end = limits
    moments = [jump.at for jump in jumps if jump.router == router]
    shown: list[float] = []
    for moment in [begin, *moments]:
        if shown and moment - shown[-1] < _READING_WIDTH * (end - begin):
            shown.pop()
        shown.append(moment)
    for moment in shown:
        event = next((event for event in events if event.after >= moment and router in event.clocks), None)
        if event is not None:
            yield moment, event.clocks[router].strftime("%Y-%m-%d %H:%M:%S %Z")
