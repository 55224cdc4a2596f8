"""What the steps of a run are played on, and the moment from which waits are counted."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from ipaddress import IPv4Address, IPv6Address

from keyroll.junos.base_configuration import Plan
from keyroll.junos.pair import Pair
from keyroll.junos.session import RouterSession
from keyroll.lab.protocol import Links
from keyroll.scenario.file.fields import RouterName
from keyroll.scenario.file.scenario import Scenario
from keyroll.scenario.observe.drops import DropCounters
from keyroll.scenario.observe.router_clock import RouterClock
from keyroll.scenario.observe.sampler import Sampler
from keyroll.scenario.observe.wire import Wire
from keyroll.scenario.plan.deadlines import Waits
from keyroll.scenario.plan.keyring import Keyring
from keyroll.scenario.record.result import Check
from keyroll.scenario.record.stopwatch import Stopwatch
from keyroll.scenario.record.timeline import Kind, Timeline


@dataclass(frozen=True, slots=True)
class Moment:
    """The last thing that was done: what counts is what was seen after `begun`; waits are counted from `done` (ns)."""

    text: str
    begun: int
    done: int

    def since_done(self) -> timedelta:
        """Return how long ago it was done."""
        return timedelta(microseconds=(time.time_ns() - self.done) // 1000)


@dataclass(slots=True)
class Stage:
    """Everything that a scenario is played on, and what has been found so far."""

    scenario: Scenario
    pair: Pair[RouterName]
    sampler: Sampler
    wire: Wire
    timeline: Timeline
    clocks: Mapping[str, RouterClock]
    plans: Mapping[RouterName, Plan]
    peers: Mapping[RouterName, IPv4Address | IPv6Address]
    keyring: Keyring
    t0: datetime
    real_time: bool
    """Whether clocks cannot be set, so that time has to pass."""
    waits: Waits
    stopwatch: Stopwatch
    check_lab: Callable[[], None]
    """Raises when a part of the lab has died."""
    links: Links | None
    """The lab's links, where it can cut, impair or inject."""
    drops: DropCounters
    seed: int | str
    committed: Callable[[str, Sequence[str]], object]
    """Keeps what was committed on a router."""
    checks: list[Check] = field(default_factory=list)
    pause: threading.Event = field(default_factory=threading.Event)
    """Never set: its `wait` is how a poll pauses."""

    @property
    def red(self) -> bool:
        """Whether a check has failed so far."""
        return any(not check.passed for check in self.checks)

    def add(self, check: Check) -> None:
        """Note a judged check."""
        self.checks.append(check)
        self.timeline.add(
            Kind.CHECK,
            f"{'ok' if check.passed else 'RED'}: {check.sentence()}",
            router=check.router,
            data=check.as_data(),
        )


def router_of(session: RouterSession) -> RouterName:
    """Return whose session it is."""
    return "R1" if session.target.name == "R1" else "R2"


def other(router: RouterName) -> RouterName:
    """Return the router at the other end."""
    return "R2" if router == "R1" else "R1"
