"""What a run records while it is played: checks, the timeline, the time of its parts, what was committed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

from keyroll.scenario.record.result import Check
from keyroll.scenario.record.stopwatch import Stopwatch
from keyroll.scenario.record.timeline import Kind, Timeline


@dataclass(slots=True)
class Record:
    """The record of one run."""

    timeline: Timeline
    stopwatch: Stopwatch
    committed: Callable[[str, Sequence[str]], object]
    """Writes the lines that were committed on a router to the run folder."""
    checks: list[Check] = field(default_factory=list)

    @property
    def red(self) -> bool:
        """Whether a check has failed so far."""
        return any(not check.passed for check in self.checks)

    def add(self, check: Check) -> None:
        """Record a judged check."""
        self.checks.append(check)
        self.timeline.add(
            Kind.CHECK,
            f"{'ok' if check.passed else 'RED'}: {check.sentence()}",
            router=check.router,
            data=check.as_data(),
        )

    def part(self, name: str, *, waiting: bool = False) -> AbstractContextManager[None]:
        """Count the time of the block as a part of the run; `waiting`: for the wire, which no harness can shorten."""
        return self.stopwatch.part(name, waiting=waiting)
