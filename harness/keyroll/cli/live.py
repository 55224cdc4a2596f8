"""The live view of a run on a terminal: a lane of keys for each session and router, its state, the step, what is red.

It is drawn below the plain lines, which scroll above it. At the end it is erased, and the lines stay.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from keyroll.errors import printable
from keyroll.instants import SystemClock
from keyroll.scenario.record.timeline import Event, Kind

_SENDS = re.compile(r"(?P<session>[^:]+): sends (?P<words>.+)")
_LANE = 28
"""Columns of a lane: with the names before it and `key 63 (KeyID 255, RNextKeyID 255)` after it a row has 79."""
_NAMES = 16
"""Columns for the names of a row, before its lane; longer ones are cut."""
_ROWS = 8
"""Lanes shown: a terminal of 24 lines has room for plain lines, too."""
_REDS = 3
"""Red checks shown: one cause turns each check of each session red, and a screen has little room."""
_COLOURS = ("cyan", "magenta", "yellow", "blue")
"""Colours by key number, repeated. Red and green are left out: they are verdicts."""
_UP = ("Established", "Operational")
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


def session_style(text: str) -> str:
    """Return the colour of a session event's words: green where each session that they name is up.

    A session that is not up is yellow: it may still come up, and only a red check is a verdict.
    """
    states = [part.partition(" ")[2] for part in text.split("; ")]
    return "green" if all(state.startswith(_UP) for state in states) else "yellow"


def wanted(*, plain: bool, environment: Mapping[str, str] = os.environ) -> bool:
    """Say whether to draw the view: stdout is a terminal, and neither --plain, nor CI, nor `TERM=dumb`."""
    if plain or environment.get("CI", "") not in ("", "0", "false") or environment.get("TERM", "dumb") == "dumb":
        return False
    return sys.stdout is not None and sys.stdout.isatty()


@dataclass(slots=True)
class _Lane:
    """What one router sends on one session: (host ns, key number) of each change, and the last one in words."""

    changes: list[tuple[int, int]] = field(default_factory=list)
    words: str = ""


class LiveView:
    """Observes the timeline, and is drawn by rich. `now` returns ns of the clock that events are stamped with."""

    def __init__(self, *, now: Callable[[], int] | None = None) -> None:
        clock = SystemClock()
        self._now = now or (lambda: clock.now().ns)
        self._begin: int | None = None
        """When the lanes begin: with the first step, because no router has sent anything before."""
        self._lanes: dict[tuple[str, str], _Lane] = {}
        self._states: dict[str, dict[str, str]] = {}
        """By router and session: an event is about one session, and does not change the others."""
        self._step = "the lab is coming up"
        self._since: int | None = None
        self._deadline: int | None = None
        self._reds: list[str] = []

    def __call__(self, event: Event) -> None:
        """Update what is shown by an event of the timeline."""
        if self._since is None:
            self._since = event.at
        if event.kind is Kind.STEP:
            self._begin = event.at if self._begin is None else self._begin
            self._step, self._since, self._deadline = event.text, event.at, None
        elif event.kind is Kind.WAIT:
            seconds = event.data.get("seconds")
            self._deadline = event.at + round(seconds * 1e9) if isinstance(seconds, float) else None
        elif event.kind is Kind.SESSION and event.router is not None:
            own = self._states.setdefault(event.router, {})
            own |= {part.partition(" ")[0]: part for part in event.text.split("; ")}
        elif event.kind is Kind.CHECK and not event.data.get("passed"):
            # The plain line also has what was expected: here is only room for the name and what was observed.
            who = f"{event.data.get('name')}{f' {event.router}' if event.router else ''}"
            self._reds.append(f"{who}: {event.data.get('observed')}")
        elif event.kind is Kind.WIRE:
            self._key(event)

    def _key(self, event: Event) -> None:
        found, key = _SENDS.fullmatch(event.text), event.data.get("key")
        if found is None or not isinstance(key, int):
            return  # an acknowledgement, or a segment with a key that no chain has
        lane = self._lanes.setdefault((event.router or "", found["session"]), _Lane())
        lane.changes.append((event.at, key))
        lane.changes.sort()  # a capture is read later than its frames were sent
        lane.words = found["words"]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw it, no line wider than the terminal."""
        for row in self._rows():
            row.truncate(
                max(1, options.max_width - 1), overflow="ellipsis"
            )  # some terminals wrap when the last column is used
            yield row

    def _rows(self) -> list[Text]:
        now, rows = self._now(), [Text("")]
        lanes = sorted(dict(self._lanes).items())  # a copy: events come from other threads
        rows += [self._lane(router, session, lane, now) for (router, session), lane in lanes[:_ROWS]]
        if len(lanes) > _ROWS:
            rows.append(Text(f"… and {len(lanes) - _ROWS} more lanes", style="dim"))
        rows += [_state_row(router, dict(states)) for router, states in sorted(dict(self._states).items())]
        rows.append(Text(f"{self._time(now)}  {printable(self._step)}", style="bold"))
        rows += [Text(f"RED  {printable(words)}", style="bold red") for words in self._reds[-_REDS:]]
        return rows

    def _time(self, now: int) -> str:
        """Return how long the step has taken, and while it waits, how long it may take at most."""
        since = now if self._since is None else self._since
        spent = f"{(now - since) / 1e9:5.0f}"
        if self._deadline is None or self._deadline < now:
            return f"{spent} s"
        return f"{spent} of at most {(self._deadline - since) / 1e9:.0f} s"

    def _lane(self, router: str, session: str, lane: _Lane, now: int) -> Text:
        row = Text(f"{printable(f'{router} {session}')[: _NAMES - 1]:<{_NAMES}}")
        begin = now if self._begin is None else self._begin
        for column in range(_LANE):
            at = begin + (now - begin) * (column + 1) // _LANE
            key = next((key for since, key in reversed(lane.changes) if since <= at), None)
            if key is None:
                row.append("·", style="dim")
            else:
                row.append(_DIGITS[key % len(_DIGITS)], style=_COLOURS[key % len(_COLOURS)])
        return row.append(f" {printable(lane.words)}")


def _state_row(router: str, states: Mapping[str, str]) -> Text:
    row = Text(f"{router}  ")
    for number, (_, words) in enumerate(sorted(states.items())):
        row.append("; " if number else "").append(printable(words), style=session_style(words))
    return row
