"""A picture on a time axis: lanes with bars and marks, for a run, a prediction or a plan. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import MAXYEAR, UTC, datetime, timedelta
from math import ceil

_NEAR = 0.008
"""Marks closer than this part of the width would hide each other, and are drawn as one that says how many it is."""
_TITLES = 20
"""Lines of a joined mark's title: a tool tip that is longer leaves the screen."""
_TICKS = 8
"""At most this many words on the axis: more would touch on a narrow page."""
_STEPS = (0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600)
"""Seconds between two numbers of the axis: round for people."""
_DATE_STEPS = (
    *(timedelta(minutes=number) for number in (1, 5, 10, 30)),
    *(timedelta(hours=number) for number in (1, 3, 6, 12)),
    *(timedelta(days=number) for number in (1, 2, 7, 14)),
)
# From an axis of months on, dates are counted in months; about this long each.
_MONTH = timedelta(days=30)
_MONTH_STEPS = (1, 2, 3, 6, 12, 24, 60, 120, 600, 1200, 6000)
"""Months between two dates on a long axis: the first of a month, of a quarter, of a year."""
_DATE_TICKS = 6
"""At most this many dates on the axis: one takes twice the room of a number."""
_BASE_WIDTH = 590
"""Pixels of a lane where the page is at its narrowest (720 less the names): what fits there fits everywhere."""
_STRIDES = (1, 2, 5, 10, 20, 50, 100)
"""Of numbers that do not all fit, each so many is shown (page.js has the same for a page that is zoomed)."""
RIGHT_EDGE = 0.9
"""From this part of the width on words stand before their place: behind it there is no room for them."""
_CHARACTER = 6.6
"""Pixels of a character of a bar's label, at 11 pixels."""


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar: something that lasted. `tone` is a class of the style sheet: a key's colour, a state.

    Where bars lie upon each other (segments of two keys in one second), `layer` of `layers` says which part of the
    lane's height is this one's.
    """

    begin: float
    end: float
    label: str
    title: str
    tone: str
    outline: bool = False
    layer: int = 0
    layers: int = 1

    @property
    def top(self) -> float:
        """Where it begins, in pixels below the lane's upper edge."""
        return 3 + self.layer * self.height

    @property
    def height(self) -> float:
        """How high it is, in pixels."""
        return 18 / self.layers


@dataclass(frozen=True, slots=True)
class Mark:
    """A mark: something that happened at one moment; `check` is the number of the check that it leads to."""

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
    router: str | None = None
    numbered: bool = False
    """Whether labels are ascending numbers: where there is no room for all, every second, fifth or tenth is shown."""


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
    """All lanes, from `begin` to `end`: host seconds since a run began, or seconds since 1970 in UTC."""

    begin: float
    end: float
    lanes: tuple[Lane, ...]
    jumps: tuple[Jump, ...] = ()
    readings: Mapping[str, tuple[tuple[float, str], ...]] = field(default_factory=dict)
    """By router what its clock read at the begin and after each jump."""
    axis: str = "host seconds"
    """What the numbers on the axis are."""
    dated: bool = False
    """Whether places are seconds since 1970, and the axis has dates."""

    @property
    def span(self) -> float:
        """How many seconds the picture is wide."""
        return self.end - self.begin

    def place(self, at: float) -> float:
        """Return where a moment lies, from 0 to 1."""
        return min(1.0, max(0.0, (at - self.begin) / self.span)) if self.span else 0.0

    def labelled(self, lane: Lane) -> Iterator[tuple[Bar, bool]]:
        """Yield a lane's bars, and whether the label is shown where the page is at its narrowest and nothing zoomed."""
        widths = [(self.place(bar.end) - self.place(bar.begin)) * _BASE_WIDTH for bar in lane.bars]
        needed = [_CHARACTER * len(bar.label) + 4 for bar in lane.bars]
        if not lane.numbered:
            yield from ((bar, width > need) for bar, width, need in zip(lane.bars, widths, needed, strict=True))
            return
        mean = sum(widths) / max(1, len(widths))
        stride = next((stride for stride in _STRIDES if stride * mean > max(needed, default=0.0)), _STRIDES[-1])
        yield from ((bar, number % stride == 0) for number, bar in enumerate(lane.bars))

    def ticks(self) -> Iterator[tuple[float, str]]:
        """Yield round numbers across the picture, and their words, where those do not touch the words before."""
        taken = 0.0
        for at, words in self._round():
            # At the right edge the words stand before their place (timeline.html.j2), and may reach the words before.
            at_edge = self.place(at) > RIGHT_EDGE
            left = self.place(at) * _BASE_WIDTH - at_edge * _CHARACTER * len(words)
            if left >= taken:
                yield at, words
                taken = left + _CHARACTER * (len(words) + 1)

    def _round(self) -> Iterator[tuple[float, str]]:
        if self.dated:
            yield from _dates(self.begin, self.end)
            return
        step = next((step for step in _STEPS if self.span / step <= _TICKS), self.span / _TICKS)
        for number in range(ceil(self.begin / step), int(self.end / step) + 1):
            yield number * step, f"{number * step:g}"


def _dates(begin: float, end: float) -> Iterator[tuple[float, str]]:
    span = timedelta(seconds=end - begin)
    step = next((step for step in _DATE_STEPS if span / step <= _DATE_TICKS), None)
    if step is None:
        yield from _months(begin, end)
        return
    words = "%Y-%m-%d" if step >= timedelta(days=1) else "%m-%d %H:%M"
    size = step.total_seconds()
    for number in range(ceil(begin / size), int(end / size) + 1):
        yield number * size, datetime.fromtimestamp(number * size, UTC).strftime(words)


def _months(begin: float, end: float) -> Iterator[tuple[float, str]]:
    span = timedelta(seconds=end - begin)
    step = next((step for step in _MONTH_STEPS if span / (_MONTH * step) <= _DATE_TICKS), _MONTH_STEPS[-1])
    first = datetime.fromtimestamp(begin, UTC)
    for number in range(-(-(first.year * 12 + first.month - 1) // step) * step, MAXYEAR * 12, step):
        at = datetime(number // 12, number % 12 + 1, 1, tzinfo=UTC)
        if at.timestamp() > end:
            return
        if at.timestamp() >= begin:
            yield at.timestamp(), at.strftime("%Y-%m-%d")


def short(length: timedelta) -> str:
    """Return a length in short form: `30m`, `1h5m`, `2.5s`."""
    seconds = length.total_seconds()
    if seconds < 60:  # noqa: PLR2004 - a minute
        return f"{seconds:.3g}s"
    days, rest = divmod(round(seconds), 86400)
    hours, rest = divmod(rest, 3600)
    minutes, rest = divmod(rest, 60)
    parts = ((days, "d"), (hours, "h"), (minutes, "m"), (rest, "s"))
    return "".join(f"{number}{unit}" for number, unit in parts if number)


def tone_of(key: str) -> str:
    """Return the colour class of a key: by its number, so that both routers' bars of one key look alike."""
    return f"k{int(key) % 8}" if key.isdecimal() else "kx"


def near(marks: Iterable[Mark], span: float) -> tuple[Mark, ...]:
    """Join marks of one tone that would hide each other in a picture that is `span` wide."""
    found: list[Mark] = []
    last: dict[str, int] = {}
    for mark in sorted(marks, key=lambda mark: mark.at):
        place = last.get(mark.tone)
        before = None if place is None else found[place]
        if place is None or before is None or mark.at - before.at >= _NEAR * span:
            last[mark.tone] = len(found)
            found.append(mark)
            continue
        lines = before.title.count("\n")
        titles = before.title if lines > _TITLES else f"{before.title}\n{mark.title if lines < _TITLES else '…'}"
        found[place] = replace(before, title=titles, count=before.count + mark.count)
    return tuple(found)
