"""A picture on a time axis: lanes with bars and marks, for a run, a prediction or a plan. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import MAXYEAR, UTC, datetime, timedelta
from math import ceil

from keyroll.durations import format_duration

_NEAR = 0.008
"""Part of the picture's width. Marks that are closer would hide each other, so they are drawn as one, with a number."""
_TITLES = 20
"""Lines of a joined mark's title: a longer tool tip does not fit on a screen."""
_TICKS = 8
"""The most labels of an axis in seconds: more would touch each other on a narrow page."""
_STEPS = (0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600)
"""Seconds between two labels of the axis: round numbers, which are easy to read."""
_DATE_STEPS = (
    *(timedelta(minutes=number) for number in (1, 5, 10, 30)),
    *(timedelta(hours=number) for number in (1, 3, 6, 12)),
    *(timedelta(days=number) for number in (1, 2, 7, 14)),
)
# The dates of a long axis are months apart. Months differ in length; the number of dates that fit is found with this.
_MONTH = timedelta(days=30)
_MONTH_STEPS = (1, 2, 3, 6, 12, 24, 60, 120, 600, 1200, 6000)
"""Months between two dates on a long axis: the first of a month, of a quarter, of a year."""
_DATE_TICKS = 6
"""The most dates on the axis: a date is twice as wide as a number."""
_BASE_WIDTH = 590
"""Pixels of a lane on the narrowest page (720 less the lanes' names): a label that fits there fits on every page."""
_STRIDES = (1, 2, 5, 10, 20, 50, 100)
"""If not all numbers fit as labels, every second, fifth, … is shown (page.js has the same list, for a zoomed page)."""
RIGHT_EDGE = 0.9
"""From this part of the width on, a label is put to the left of its position: it does not fit to the right."""
_BAR_TOP, _BAR_HEIGHT = 3, 18
"""Pixels, in a lane of 24 (style.css): the bar is in the middle."""
_CHARACTER = 6.6
"""Pixels of a character of a bar's label, at 11 pixels."""


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar: a key, a state or a step from `begin` to `end`, in the timeline's seconds.

    `tone` is a class of the style sheet: a key's colour, or a state's. If several bars share a span of time (segments
    of two keys in one second), they divide the height into `layers`; this bar has number `layer`, from 0 at the top.
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
        """Pixels from the lane's upper edge to the bar's."""
        return _BAR_TOP + self.layer * self.height

    @property
    def height(self) -> float:
        """The bar's height in pixels."""
        return _BAR_HEIGHT / self.layers


@dataclass(frozen=True, slots=True)
class Mark:
    """A mark: an event at one moment, in the timeline's seconds.

    `check` is the number of the check that it links to; `count` is how many events it joins.
    """

    at: float
    title: str
    tone: str
    check: int | None = None
    count: int = 1


@dataclass(frozen=True, slots=True)
class Lane:
    """A row of the picture. The page can hide all lanes of one `kind`."""

    label: str
    kind: str
    bars: tuple[Bar, ...] = ()
    marks: tuple[Mark, ...] = ()
    router: str | None = None
    numbered: bool = False
    """Whether the labels are ascending numbers: if not all fit, every second, fifth or tenth is shown."""


@dataclass(frozen=True, slots=True)
class Jump:
    """A router's clock that was set: at this moment of the timeline it moved by `moved`."""

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
    """By router: moments of the timeline, and what its clock read then (at the beginning, and after jumps)."""
    axis: str = "host seconds"
    """The unit of the axis, shown beside it."""
    dated: bool = False
    """Whether the timeline's seconds are those since 1970 in UTC, and the axis has dates."""

    @property
    def span(self) -> float:
        """The length of the picture in seconds."""
        return self.end - self.begin

    def place(self, at: float) -> float:
        """Return the position of a moment as a part of the width, from 0 to 1."""
        return min(1.0, max(0.0, (at - self.begin) / self.span)) if self.span else 0.0

    def labelled(self, lane: Lane) -> Iterator[tuple[Bar, bool]]:
        """Yield a lane's bars, each with whether its label is shown on the narrowest page, without zoom."""
        widths = [(self.place(bar.end) - self.place(bar.begin)) * _BASE_WIDTH for bar in lane.bars]
        needed = [_CHARACTER * len(bar.label) + 4 for bar in lane.bars]
        if not lane.numbered:
            yield from ((bar, width > need) for bar, width, need in zip(lane.bars, widths, needed, strict=True))
            return
        mean = sum(widths) / max(1, len(widths))
        stride = next((stride for stride in _STRIDES if stride * mean > max(needed, default=0.0)), _STRIDES[-1])
        yield from ((bar, number % stride == 0) for number, bar in enumerate(lane.bars))

    def ticks(self) -> Iterator[tuple[float, str]]:
        """Yield the moments and labels of the axis, except labels that would touch the one before."""
        taken = 0.0
        for at, words in self._axis_labels():
            # At the right edge a label is left of its position (timeline.html.j2), so it may touch the one before.
            at_edge = self.place(at) > RIGHT_EDGE
            left = self.place(at) * _BASE_WIDTH - at_edge * _CHARACTER * len(words)
            if left >= taken:
                yield at, words
                taken = left + _CHARACTER * (len(words) + 1)

    def _axis_labels(self) -> Iterator[tuple[float, str]]:
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
    return format_duration(timedelta(seconds=round(seconds)))


def tone_of(key: str) -> str:
    """Return the colour class of a key. It depends on the number only: one key has one colour on both routers."""
    return f"k{int(key) % 8}" if key.isdecimal() else "kx"


def join_near(marks: Iterable[Mark], span: float) -> tuple[Mark, ...]:
    """Join marks of one tone that would hide each other in a picture of `span` seconds."""
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
