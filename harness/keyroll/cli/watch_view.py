"""The live view of `keyroll watch`: two routers, keys with a countdown, sessions, skew, and the last events."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from datetime import timedelta
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from keyroll.durations import format_duration
from keyroll.errors import printable
from keyroll.scenario.observe.sampler import Sample
from keyroll.scenario.record.report import QUIET
from keyroll.scenario.record.timeline import Event, Kind
from keyroll.watch.situation import Turn
from keyroll.watch.state import State

LINES = 8
"""Last events that are shown: with two routers of four sessions each, the view fits on 24 lines."""
_SECOND = timedelta(seconds=1)


class View:
    """Draws the state of a watch once a second, as far as it is known. A context manager and an observer."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(highlight=False)
        self._last: deque[str] = deque(maxlen=LINES)
        self._state: State | None = None
        self._started: int | None = None
        self._lock = threading.Lock()
        # Once a second: the countdown changes no faster.
        self._live = Live(get_renderable=self.drawn, console=self._console, refresh_per_second=1, transient=True)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def begin(self, state: State) -> None:
        """Set the state that is drawn."""
        self._state = state

    def __call__(self, event: Event) -> None:
        """Note an event."""
        if event.kind in QUIET or event.kind in (Kind.VERDICT, Kind.CHECK):
            return
        with self._lock:
            self._started = event.at if self._started is None else self._started
            after = (event.at - self._started) / 1e9
            self._last.append(f"{after:7.1f}s  {event.router or '':<8} {printable(event.text)}")

    def drawn(self) -> RenderableType:
        """Return what to draw now."""
        state = self._state
        with self._lock:
            last = list(self._last)
        if state is None or state.situation is None or state.seen is None:
            return Group(Text("reading the routers …", style="dim"), *_lines(last))
        return Group(_head(state), _below_head(state), _routers(state), *_lines(last))


def _lines(last: list[str]) -> Iterator[Text]:
    for line in last:
        yield Text(line, style="dim", no_wrap=True, overflow="ellipsis")


def _head(state: State) -> Text:
    awaited = state.awaited
    if awaited is None:
        words = "no rollover is coming"
    elif state.seen is not None and state.seen.all_over() is not None:
        words = "both keys are active; waiting for a message in each session"
    else:
        left = min((_left(state, turn) for turn in awaited.turns if turn.router in state.clocks), default=None)
        words = f"next key at {awaited.first:%Y-%m-%d %H:%M:%S} UTC"
        if left is not None:
            words += f", in {format_duration(left)}" if left > timedelta() else ", now"
    return Text(words, style="bold", no_wrap=True, overflow="ellipsis")


def _below_head(state: State) -> Text:
    """Return the second line: the prediction and the skew. In the first line they would be cut at 80 columns."""
    words = [] if state.predicted is None else [f"predicted {'hitless' if state.predicted else 'NOT HITLESS'}"]
    words += [] if state.skew is None else [f"skew {state.skew}"]
    return Text("   ".join(words), style="bold red" if state.predicted is False else "", no_wrap=True)


def _left(state: State, turn: Turn) -> timedelta:
    """Return how long it is until a key's start-time on its router's clock, in whole seconds."""
    now = state.clocks[turn.router].at(state.options.clock.now())
    return timedelta(seconds=-(-(turn.start - now) // _SECOND))


def _routers(state: State) -> Table:
    table = Table(box=None, padding=(0, 1), expand=True, show_header=True, header_style="bold")
    for title in ("router", "clock (UTC)", "keys", "sessions", "dropped", "last look"):
        table.add_column(title, overflow="fold")
    for name in state.options.inventory.routers:
        looks = state.seen.looks.get(name, []) if state.seen is not None else []
        reading = state.clocks.get(name)
        clock = f"{reading.at(state.options.clock.now()):%H:%M:%S}" if reading is not None else "?"
        if not looks:
            table.add_row(Text(printable(name)), clock, "?", "?", "?", "none")
            continue
        keys = [f"{_number(one.active_send)} → {_number(one.next_send)}" for _, one in sorted(looks[-1].chains.items())]
        sessions = [
            Text(
                f"{session} {sample.state}{_since(sample)}" + (f", {sample.flaps} flaps" if sample.flaps else ""),
                style="green" if sample.up else "bold red",
            )
            for session, sample in looks[-1].samples.items()
        ]
        dropped = sum(looks[-1].dropped) - sum(looks[0].dropped)
        table.add_row(
            Text(printable(name)),
            clock,
            Text("\n".join(keys)),
            Text("\n").join(sessions),
            Text(str(dropped), style="bold red" if dropped else ""),
            f"{format_duration(_whole(state.options.clock.now() - looks[-1].ended))} ago",
        )
    return table


def _since(sample: Sample) -> str:
    return f" {format_duration(_whole(sample.since))}" if sample.since is not None else ""


def _whole(length: timedelta) -> timedelta:
    return max(timedelta(), length) // _SECOND * _SECOND


def _number(number: int | None) -> str:
    return "none" if number is None else str(number)
