"""The timeline of a run: lanes with bars and marks, in the host's seconds since the run began. Pure.

Routers' clocks may be set during a run. An instant of a router's clock (a start-time) is placed where that clock first
read it or a later one: if the clock was set past it, where it was set.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from math import ceil

from keyroll.report.chart import Bar, Jump, Lane, Mark, Timeline, join_near, tone_of
from keyroll.report.run import CheckRecord, Event, RunRecord, Seconds

_JUMP = timedelta(seconds=1.5)
"""A clock that moved by this much or more, against the host's, between two events was set. `set date` takes whole
seconds and may come into force half a second late: a smaller move can be such an error."""
_ONE_SETTING = 0.2
"""Seconds within which moves of one clock count as one: `set date` takes a tenth of a second, and no second one follows
so soon."""
_SAMPLE_GAP = 2.0
"""Seconds without a sample that are drawn as a gap: eight times the usual time between two samples."""
_BINS = 600
"""The most spans of time in a lane of the wire: a span is one second, or longer in a long run. On a page of 1,280
pixels shorter ones could not be told apart."""
_WORDED_MAX = 12
"""The most bars in a lane with labels in words: of more, `key 12` does not fit on a narrow page, but `12` does."""
_READING_WIDTH = 0.27
"""Part of the picture's width that a clock's reading takes: 24 characters on the narrowest page."""

_SHOWS = re.compile(r"(?P<chain>.+): active (?P<key>key \d+|none), next .+")
_SENDS = re.compile(r"(?P<session>\S+): sends (?P<key>.*?)(?: \((?P<ids>[^)]*)\))?$")


def timeline(record: RunRecord) -> Timeline:
    """Return the picture of a run, from the first setting of a clock or the first step on."""
    end = max((event.after for event in record.events), default=1.0)
    # What comes before is the start of the lab, which says nothing about the routers.
    begin = min((event.after for event in record.events if event.kind in ("clock", "step")), default=0.0)
    routers = sorted(
        {event.router for event in record.events if event.router} | set(record.planned) | set(record.samples)
    )
    jumps = tuple(jump for router in routers for jump in _jumps(router, record.events))
    lanes = [lane for router in routers for lane in _router_lanes(router, record, (begin, end))]
    lanes += [_steps(record.events, end), _checks(record, (begin, end))]
    readings = {router: tuple(_readings(router, record.events, jumps, (begin, end))) for router in routers}
    return Timeline(begin, end, tuple(lane for lane in lanes if lane.bars or lane.marks), jumps, readings)


def _router_lanes(router: str, record: RunRecord, limits: tuple[float, float]) -> Iterator[Lane]:
    end = limits[1]
    own = [event for event in record.events if event.router == router]
    yield from _planned(router, record, limits)
    for session, changes in sorted(_sent(own).items()):
        yield _keys(f"{router} {session} sends", _until_next(changes, end), router)
    for chain, shown in sorted(_shown(own).items()):
        yield _keys(f"{router} {chain} active", _until_next(shown, end), router)
    for session, states in sorted(_states(own).items()):
        yield Lane(f"{router} {session} state", "sessions", tuple(_until_next(states, end)), router=router)
    yield from _wire(router, record, limits)
    yield Lane(f"{router} samples", "samples", tuple(_sample_bars(record.samples.get(router, ()))), router=router)
    yield Lane(f"{router} commits", "commands", marks=join_near(_commands(own), end - limits[0]), router=router)


def _jumps(router: str, events: Iterable[Event]) -> Iterator[Jump]:
    """Yield each setting of a router's clock.

    Two threads may read the clock before and after one `set date`, and record their events in the other order. Then the
    clock seems to move several times, which counts as one setting.
    """
    last: Jump | None = None
    for jump in _moves(router, events):
        if last is not None and jump.at - last.at < _ONE_SETTING:
            last = replace(last, moved=last.moved + jump.moved)
            continue
        if last is not None and abs(last.moved) >= _JUMP:
            yield last
        last = jump
    if last is not None and abs(last.moved) >= _JUMP:
        yield last


def _moves(router: str, events: Iterable[Event]) -> Iterator[Jump]:
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
    """Return the host's second at which a router's clock first read `instant` or a later one.

    None if the clock was past it at the first event, or did not reach it by `end`.
    """
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
    """Yield a lane for each chain: each key from when the router's own clock reads its start-time."""
    first, end = limits
    chains: dict[str, list[tuple[float, int, str]]] = {}
    for key in record.planned.get(router, ()):
        last = next((event.clocks[router] for event in reversed(record.events) if router in event.clocks), None)
        if last is None or key.start > last:
            continue
        begin = _host_second(key.start, router, record.events, end)
        ids = "".join(
            f", {name} {one}" for name, one in (("send-id", key.send), ("recv-id", key.recv)) if one is not None
        )
        title = f"key {key.number}: planned from {key.start.isoformat()}{ids}"
        chains.setdefault(key.chain, []).append((first if begin is None else max(begin, first), key.number, title))
    for chain, keys in sorted(chains.items()):
        changes = [(begin, f"key {number}", title, tone_of(str(number))) for begin, number, title in sorted(keys)]
        yield _keys(f"{router} {chain} planned", _until_next(changes, end, outline=True), router)


def _keys(label: str, bars: Iterable[Bar], router: str) -> Lane:
    """Return a lane of keys. If there are many, their labels are bare numbers, and the lane's name ends with `key`."""
    found = tuple(bars)
    if len(found) > _WORDED_MAX:
        label, found = f"{label} key", tuple(replace(bar, label=bar.label.removeprefix("key ")) for bar in found)
    return Lane(label, "keys", found, router=router, numbered=len(found) > _WORDED_MAX)


_Change = tuple[float, str, str, str]
"""The host's second, the label, the title and the tone of a bar that begins there."""


def _sent(events: Iterable[Event]) -> dict[str, list[_Change]]:
    found: dict[str, list[_Change]] = {}
    for event in events:
        match = _SENDS.match(event.text) if event.kind == "wire" else None
        if match:
            key = match["key"].removeprefix("key ")
            title = f"{event.text}, from {event.after:.2f} s"
            found.setdefault(match["session"], []).append((event.after, match["key"], title, tone_of(key)))
    return found


def _shown(events: Iterable[Event]) -> dict[str, list[_Change]]:
    """Return by chain which key the router shows as active: a watch without a capture has no keys from the wire."""
    found: dict[str, list[_Change]] = {}
    for event in events:
        match = _SHOWS.fullmatch(event.text) if event.kind == "step" else None
        if match:
            title = f"{event.text}, from {event.after:.2f} s"
            key = match["key"].removeprefix("key ")
            found.setdefault(match["chain"], []).append((event.after, match["key"], title, tone_of(key)))
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


def _sample_bars(moments: Sequence[float]) -> Iterator[Bar]:
    """Join samples that are close to each other into one bar: a gap between bars is a time without samples."""
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


def _wire(router: str, record: RunRecord, limits: tuple[float, float]) -> Iterator[Lane]:
    """Yield a lane for each session: bars of the segments sent, by key, and marks of what a session should not have."""
    size = max(1, ceil((limits[1] - limits[0]) / _BINS))
    for session in sorted({item.session for item in record.wire if item.sender == router}):
        own = [item for item in record.wire if item.sender == router and item.session == session]
        marks = [
            Mark(item.after + 0.5, f"{item.after} s: {number} {words}", tone)
            for item in own
            for number, words, tone in (
                (item.bad, "segments that do not verify", "bad"),
                (item.syn_rst, "SYN or RST", "flag"),
                (item.dropped, "segments dropped by the receiver", "bad"),
                (item.injected, "injected frames", "injected"),
            )
            if number
        ]
        yield Lane(
            f"{router} {session} wire",
            "wire",
            tuple(_segments(own, size)),
            join_near(marks, limits[1] - limits[0]),
            router=router,
        )


def _segments(seconds: Iterable[Seconds], size: int) -> Iterator[Bar]:
    """Yield bars of `size` seconds for each key that signed segments in them; two keys share the lane's height."""
    counts: dict[int, dict[str, int]] = {}
    for item in seconds:
        if item.segments:
            part = counts.setdefault(item.after - item.after % size, {})
            part[item.key] = part.get(item.key, 0) + item.segments
    keys: dict[int, tuple[str, ...]] = {begin: tuple(sorted(part, key=_by_number)) for begin, part in counts.items()}
    runs: list[tuple[int, int]] = []
    for begin in sorted(counts):
        if runs and runs[-1][1] == begin and keys[runs[-1][0]] == keys[begin]:
            runs[-1] = (runs[-1][0], begin + size)
        else:
            runs.append((begin, begin + size))
    for begin, end in runs:
        for layer, key in enumerate(keys[begin]):
            number = sum(counts[at][key] for at in range(begin, end, size))
            title = f"{number} segments signed with {_key_words(key)}, {begin} s to {end} s"
            yield Bar(begin, end, "", title, tone_of(key), layer=layer, layers=len(keys[begin]))


def _by_number(key: str) -> tuple[int, str]:
    return (int(key), key) if key.isdecimal() else (1000, key)


def _key_words(key: str) -> str:
    return f"key {key}" if key.isdecimal() else key


def _commands(events: Iterable[Event]) -> list[Mark]:
    return [
        Mark(event.after, f"{event.after:.2f} s: {event.text}", "clock" if event.kind == "clock" else "commit")
        for event in events
        if event.kind in ("commit", "clock")
    ]


def _steps(events: Iterable[Event], end: float) -> Lane:
    changes = []
    for event in events:
        if event.kind == "step" and event.router is None:
            number, _, words = event.text.removeprefix("step ").partition(":")
            changes.append((event.after, number, f"step {number}:{words}, from {event.after:.2f} s", "step"))
    return Lane("steps", "steps", tuple(_until_next(changes, end)), numbered=len(changes) > _WORDED_MAX)


def _checks(record: RunRecord, limits: tuple[float, float]) -> Lane:
    """Return the lane of red checks, each at the moment when it was judged. Checks that hold are only in the table."""
    begin, end = limits
    judged = {(event.data.get("name"), event.router): event.after for event in record.events if event.kind == "check"}
    marks = [
        Mark(judged.get((check.name, check.router), end), _red_words(check), "bad", number)
        for number, check in enumerate(record.checks, start=1)
        if not check.passed
    ]
    return Lane("red checks", "checks", marks=join_near(marks, end - begin))


def _red_words(check: CheckRecord) -> str:
    return f"{check.name}{f' {check.router}' if check.router else ''}: {check.observed}"


def _readings(
    router: str, events: Sequence[Event], jumps: Iterable[Jump], limits: tuple[float, float]
) -> Iterator[tuple[float, str]]:
    """Yield a router's clock readings: at the beginning, and after each jump where there is room for the text."""
    begin, end = limits
    moments = [jump.at for jump in jumps if jump.router == router]
    room = _READING_WIDTH * (end - begin)
    shown = [begin]
    for moment in moments:
        # At the right edge a reading is to the left of its moment, so both it and the one before need room there.
        if moment - shown[-1] >= (room if moment < end - room else 2 * room):
            shown.append(moment)
        elif len(shown) == 1 and moment < begin + room / 2:
            shown = [moment]  # the reading before the first setting is of no interest
    for moment in shown:
        event = next((event for event in events if event.after >= moment and router in event.clocks), None)
        if event is not None:
            yield moment, event.clocks[router].strftime("%Y-%m-%d %H:%M:%S %Z")
