"""The timeline of a run: commands, clocks, key changes on the wire, checks, in order; for a file and for observers."""

from __future__ import annotations

import contextlib
import enum
import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Self

from keyroll.errors import RunError
from keyroll.instants import SYSTEM, Clock
from keyroll.scenario.observe.router_clock import RouterClock, moment_of
from keyroll.scenario.record.files import open_private, replace_whole, writing

Redact = Callable[[str], str]
Observer = Callable[["Event"], None]


class Kind(enum.Enum):
    """What an event of the timeline is."""

    RUN = "run"
    LAB = "lab"
    STEP = "step"
    WAIT = "wait"
    """A step waits, for `seconds` at most."""
    COMMAND = "command"
    COMMIT = "commit"
    CLOCK = "clock"
    SESSION = "session"
    WIRE = "wire"
    CHECK = "check"
    VERDICT = "verdict"


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened at a host instant (ns since 1970). `clocks` are the routers' own readings then."""

    at: int
    kind: Kind
    text: str
    router: str | None = None
    clocks: Mapping[str, datetime] = field(default_factory=dict)
    data: Mapping[str, object] = field(default_factory=dict)

    def line(self, started: int, redact: Redact) -> str:
        """Return the event as one line of JSON without secrets; `after` is in seconds since the run started."""
        data = {"data": redacted(self.data, redact)} if self.data else {}
        return json.dumps(
            {
                "at": moment_of(self.at).isoformat(),
                "after": round((self.at - started) / 1e9, 6),
                "kind": self.kind.value,
                "router": self.router,
                "text": redact(self.text),
                "clocks": {name: moment.isoformat() for name, moment in self.clocks.items()},
                **data,
            },
            ensure_ascii=False,
        )


def redacted(data: object, redact: Redact) -> object:
    """Return plain data for JSON with every text redacted: a redactor finds set lines only before they are JSON."""
    if isinstance(data, str):
        return redact(data)
    if data is None or isinstance(data, bool | int | float):
        return data
    if isinstance(data, Mapping):
        return {redact(str(name)): redacted(value, redact) for name, value in data.items()}
    if isinstance(data, list | tuple | set | frozenset):
        return [redacted(value, redact) for value in data]
    return redacted(plain(data), redact)


def plain(value: object) -> str | int | float | bool:
    """Turn a value that JSON cannot represent into text or a number."""
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, enum.Enum):
        return value.value if isinstance(value.value, str | int | float | bool) else value.name
    return str(value)


class Timeline:
    """Collects events, writes each immediately, and passes them to observers. Thread-safe."""

    def __init__(self, path: Path, *, clocks: Mapping[str, RouterClock], redact: Redact, clock: Clock = SYSTEM) -> None:
        self._path = path
        with writing(path):
            self._stream = open_private(path)
        self._full = False
        """Whether a line could not be written: this is raised once, and ends the run."""
        self._clocks = clocks
        self._clock = clock
        self._redact = redact
        self._lock = threading.RLock()
        self._observers: list[Observer] = []
        self.started = clock.now().ns
        self.events: list[Event] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Write the file again, sorted by time: events of a capture are added later than they happened.

        Raises:
            RunError: it cannot be written; the lines that were written before stay.
        """
        with contextlib.suppress(OSError):  # a line that could not be written is tried again here
            self._stream.close()
        lines = [event.line(self.started, self._redact) for event in sorted(self.events, key=lambda event: event.at)]
        try:
            replace_whole(self._path, "".join(f"{line}\n" for line in lines))
        except RunError:
            if error is None:
                raise

    def observe(self, observer: Observer) -> None:
        """Call `observer` with every event from now on."""
        self._observers.append(observer)

    def add(
        self,
        kind: Kind,
        text: str,
        *,
        router: str | None = None,
        at: int | None = None,
        data: Mapping[str, object] | None = None,
    ) -> Event:
        """Add an event that happened at `at` (ns since 1970; now by default). Its text is redacted first.

        Raises:
            RunError: it cannot be written. This is raised once; later events are still collected and passed on.
        """
        at = self._clock.now().ns if at is None else at
        readings = {name: moment for name, clock in self._clocks.items() if (moment := clock.reading(at)) is not None}
        event = Event(at, kind, self._redact(text), router, readings, data or {})
        with self._lock:
            self.events.append(event)
            for observer in self._observers:
                observer(event)
            if not self._full:
                self._full = True
                with writing(self._path):
                    self._stream.write(event.line(self.started, self._redact) + "\n")
                    self._stream.flush()
                self._full = False
        return event


def stamp(moment: datetime) -> str:
    """Return an instant in the form for file names: `20300101T000000Z`."""
    return moment.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
