"""The names and lengths of the engine's waits. Each is counted from the event that started it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from keyroll.durations import format_duration
from keyroll.names import SessionKind
from keyroll.scenario.file.scenario import Scenario

LDP_HOLD_TIME = timedelta(seconds=15)
"""The LDP hold time of a lab: FRR's ldpd negotiates none shorter (keepalives every 5 s), whatever is configured."""


@dataclass(frozen=True, slots=True)
class Waits:
    """Deadlines of a run. `scale` multiplies times that depend on the machine, but not the timers of protocols."""

    hold_time: timedelta
    scale: float = 1.0

    @property
    def session_up(self) -> timedelta:
        """How long a session may take to come up: connect retry (1 s in FRR as configured), OPEN, first routes.

        BGP's collision resolution can cost a second round, and LDP waits for hellos before it connects.
        """
        return timedelta(seconds=15) * self.scale

    @property
    def session_down(self) -> timedelta:
        """How long a session without a valid segment may stay up: its hold time, and the close.

        For a hold time of 9 s, 7 to 10 s were measured.
        """
        return self.hold_time + self.slack

    @property
    def shown(self) -> timedelta:
        """How long a change may take until a show command shows it: a few exchanges over SSH, on a busy machine."""
        return timedelta(seconds=3) * self.scale

    @property
    def wire(self) -> timedelta:
        """How long it may take until data is sent and acknowledged: a keepalive is sent each third of the hold time."""
        return self.hold_time + self.slack

    @property
    def slack(self) -> timedelta:
        """What is added to a hold time before something counts as missing: time for the last exchange over SSH."""
        return timedelta(seconds=2) * self.scale

    @property
    def poll(self) -> timedelta:
        """Interval between two checks of an awaited state: short, so that no check is late by much of a second."""
        return timedelta(milliseconds=100)

    @property
    def watch(self) -> timedelta:
        """Interval between two checks of a state that must stay: samples come four times a second."""
        return timedelta(milliseconds=200)

    def words(self, name: str) -> str:
        """Return the wait's length in words, for a message: `session_up (15s)`."""
        return f"{name.replace('_', ' ')} ({format_duration(getattr(self, name))})"


def longest_hold(scenario: Scenario) -> timedelta:
    """Return the longest time that a session of the scenario stays up without a valid segment."""
    return max(
        LDP_HOLD_TIME if one.kind is SessionKind.LDP else timedelta(seconds=one.hold_time or scenario.hold_time)
        for one in scenario.sessions
    )
