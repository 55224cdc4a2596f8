"""Every wait of the engine has its name and its length here. All are counted from the event that started them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from keyroll.names import SessionKind
from keyroll.scenario.file.durations import format_duration
from keyroll.scenario.file.scenario import Scenario

LDP_HOLD_TIME = timedelta(seconds=15)
"""The shortest that ldpd negotiates (keepalives every 5 s); the base configuration asks for less."""


@dataclass(frozen=True, slots=True)
class Waits:
    """Deadlines of a run. `scale` stretches what a slow machine stretches; a protocol's own timers stay as they are."""

    hold_time: timedelta
    scale: float = 1.0

    @property
    def session_up(self) -> timedelta:
        """A session comes up: connect retry (1 s in FRR as configured), OPEN, first routes.

        BGP's collision resolution can cost a second round, and LDP waits for hellos before it connects.
        """
        return timedelta(seconds=15) * self.scale

    @property
    def session_down(self) -> timedelta:
        """A session that gets no good segment goes down: hold time, and the close (measured: 7 to 10 s for 9)."""
        return self.hold_time + self.slack

    @property
    def shown(self) -> timedelta:
        """A show command tells what has happened: a few exchanges over SSH, on a busy machine."""
        return timedelta(seconds=3) * self.scale

    @property
    def wire(self) -> timedelta:
        """A segment with data goes out and is acknowledged: a keepalive comes within a third of the hold time."""
        return self.hold_time + self.slack

    @property
    def slack(self) -> timedelta:
        """What is added to a hold time before an absence is believed (DESIGN.md: two seconds)."""
        return timedelta(seconds=2) * self.scale

    @property
    def poll(self) -> timedelta:
        """Between two looks at a state that is awaited: short beside a second, so that no check is late by much."""
        return timedelta(milliseconds=100)

    @property
    def watch(self) -> timedelta:
        """Between two looks at a state that is to stay as it is: samples come four times a second."""
        return timedelta(milliseconds=200)

    def words(self, name: str) -> str:
        """Return the wait's length in words, for a message: `session_up (15s)`."""
        return f"{name.replace('_', ' ')} ({format_duration(getattr(self, name))})"


def longest_hold(scenario: Scenario) -> timedelta:
    """Return the longest time that a session of the scenario can live without a good segment."""
    return max(
        LDP_HOLD_TIME if one.kind is SessionKind.LDP else timedelta(seconds=one.hold_time or scenario.hold_time)
        for one in scenario.sessions
    )
