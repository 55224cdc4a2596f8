"""The arguments of a watch, and everything that is known so far: what the live view shows and the JSON holds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from keyroll.instants import Clock, SystemClock
from keyroll.junos.exchange import Target
from keyroll.scenario.record.result import Verdict
from keyroll.scenario.record.timeline import Observer
from keyroll.watch.inventory import Inventory
from keyroll.watch.sampling import ClockReading, Skew
from keyroll.watch.situation import Awaited, Situation
from keyroll.watch.verdict import Seen
from keyroll.watch.wire import Source

EVERY = timedelta(seconds=5)
"""From the beginning of a look to the next: about as long as the commands of one take at one a second."""


@dataclass(frozen=True, slots=True)
class Options:
    """What to watch, and how."""

    inventory: Inventory
    file: Path
    targets: Sequence[Target]
    every: timedelta = EVERY
    until: datetime | None = None
    """When to end, by this machine's clock; None: when the rollover has completed or failed."""
    run_dir: Path | None = None
    observers: Sequence[Observer] = ()
    on_look: Callable[[State], object] | None = None
    """Called after every look at both routers."""
    on_begin: Callable[[State], object] | None = None
    """Called with the state before the watch begins: a live view may draw it at any time."""
    clock: Clock = field(default_factory=SystemClock)
    capture: Source | None = None
    """Where a capture of the sessions comes from; None: there is none, and the wire is not judged."""
    once: bool = False
    """Whether to take one look and end: the present state is judged, not a rollover."""
    arguments: Sequence[str] = ()
    """The command line's other words, to run it again."""


@dataclass(slots=True)
class State:
    """All that is known of a watch: what the live view shows and what the JSON holds."""

    options: Options
    situation: Situation | None = None
    seen: Seen | None = None
    clocks: dict[str, ClockReading] = field(default_factory=dict)
    verdict: Verdict | None = None
    reason: str | None = None
    not_judged: tuple[str, ...] = ()

    @property
    def awaited(self) -> Awaited | None:
        """The rollover to come."""
        return None if self.seen is None else self.seen.awaited

    @property
    def predicted(self) -> bool | None:
        """Whether the rollover to come is predicted hitless; None: there is none, or nothing was read yet."""
        if self.awaited is None or self.situation is None:
            return None
        skew = self.situation.report.question.skew
        return not self.awaited.lacking and all(one.hitless(skew) for _, one in self.awaited.rollovers)

    @property
    def skew(self) -> Skew | None:
        """How far the second router's clock is ahead of the first's."""
        readings = [self.clocks[name] for name in self.options.inventory.routers if name in self.clocks]
        return Skew.of(*readings) if len(readings) == 2 else None  # noqa: PLR2004 - a pair
