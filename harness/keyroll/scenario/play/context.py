"""The context of a run that steps are played in, and `play`, which dispatches on the kind of step."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import singledispatch
from ipaddress import IPv4Address, IPv6Address
from typing import Any, Protocol, TypeVar, cast

from keyroll.instants import Clock, Instant
from keyroll.junos.base_configuration import Plan
from keyroll.junos.pair import Pair
from keyroll.junos.session import RouterSession
from keyroll.lab.protocol import Links
from keyroll.names import SessionKind
from keyroll.scenario.errors import RunBrokenError
from keyroll.scenario.file.fields import RouterName
from keyroll.scenario.file.scenario import Scenario
from keyroll.scenario.file.step import Step
from keyroll.scenario.file.time_steps import Advance, Skew
from keyroll.scenario.judge.findings import Assertion, Finding, checked
from keyroll.scenario.observe.drops import DropCounters
from keyroll.scenario.observe.router_clock import RouterClock
from keyroll.scenario.observe.sampler import Sampler
from keyroll.scenario.observe.wire import Wire
from keyroll.scenario.plan.deadlines import Waits
from keyroll.scenario.plan.keyring import Keyring, Span
from keyroll.scenario.record.record import Record
from keyroll.scenario.record.timeline import Kind

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Moment:
    """The last action: what is observed after its begin counts, and deadlines are counted from its end."""

    text: str
    span: Span


@dataclass(frozen=True, slots=True)
class Routers:
    """Both routers, and what a run needs to reach and observe them."""

    pair: Pair[RouterName]
    clocks: Mapping[str, RouterClock]
    plans: Mapping[RouterName, Plan]
    peers: Mapping[RouterName, IPv4Address | IPv6Address]
    """By router, the address of its BGP peer."""
    drops: DropCounters
    links: Links | None
    """The lab's links, where it can cut, impair or inject."""
    check: Callable[[], None]
    """Raises when a part of the lab has died."""
    ends: Mapping[RouterName, Mapping[str, IPv4Address | IPv6Address]] = field(default_factory=dict)
    """By router and session (by its name), the peer's address."""

    def peer(self, router: RouterName, session: str) -> IPv4Address | IPv6Address:
        """Return the address of a router's peer in a session."""
        return self.ends.get(router, {}).get(session, self.peers[router])


class Timekeeper(Protocol):
    """Moves the scenario's time."""

    waits: bool
    """Whether time passes by waiting."""

    def begin(self, run: Run) -> None:
        """Bring the routers' clocks to t0."""
        ...

    def advance(self, run: Run, step: Advance) -> int:
        """Move time forward as a step says. Return the host's instant (ns since 1970) from which observations count."""
        ...

    def set_skew(self, run: Run, step: Skew) -> None:
        """Set clocks ahead of, or behind, the scenario's time."""
        ...

    def check(self, run: Run) -> None:
        """Raise RunUnfitError if the current step was not done before the key start that it must precede."""
        ...


@dataclass(slots=True)
class Run:
    """One run of one scenario: its input, its routers, its observations and its record."""

    scenario: Scenario
    seed: int | str
    t0: datetime
    waits: Waits
    clock: Clock
    """The host's clock."""
    time: Timekeeper
    """Moves the scenario's time: by setting the routers' clocks, or by waiting."""
    routers: Routers
    wire: Wire
    samples: Sampler
    keyring: Keyring
    record: Record
    moment: Moment
    """The last action, from which deadlines are counted."""
    number: int = 0
    """The number of the current step, from 1."""
    endings: ExitStack = field(default_factory=ExitStack)
    """Clean-up for the end of the run, however it ends."""
    _kept: dict[Callable[[Run], Any], Any] = field(default_factory=dict)

    @property
    def named(self) -> Mapping[str, SessionKind] | None:
        """The kinds of the file's sessions by name, if it names them; None if they are written as words."""
        return self.scenario.kinds if self.scenario.has_named_sessions else None

    def sessions_of(self, reference: str) -> tuple[str, ...]:
        """Return the names of the sessions that a name or a kind in a step refers to."""
        return self.scenario.sessions_of(reference)

    def kept(self, make: Callable[[Run], T]) -> T:
        """Return the state that a family of steps keeps during a run; `make` creates it on first use."""
        if make not in self._kept:
            self._kept[make] = make(self)
        return cast("T", self._kept[make])

    def now(self) -> int:
        """Return the host's instant (ns since 1970)."""
        return self.clock.now().ns

    def since(self, instant: int) -> timedelta:
        """Return how long ago an instant (ns) was."""
        return self.clock.now() - Instant(instant)

    def since_done(self) -> timedelta:
        """Return the time since the end of the last action."""
        return self.since(self.moment.span.done)

    def waits_until(self, deadline: Instant, what: str) -> None:
        """Add to the timeline that the current step waits, and how long at most."""
        left = (deadline - self.clock.now()).total_seconds()
        if left > 0:
            self.record.timeline.add(Kind.WAIT, f"{what}, at most {left:.1f} s", data={"seconds": left})

    def found(
        self,
        assertion: Assertion,
        finding: Finding,
        *,
        event: str = "",
        after: timedelta = timedelta(),
        keys: Mapping[str, str] | None = None,
    ) -> None:
        """Record the finding for an assertion of the current step."""
        self.record.add(checked(assertion, finding, step=self.number, event=event, after=after, keys=keys))


@singledispatch
def play(step: Step, run: Run) -> Span | None:
    """Do what a step says. Each kind of step has its own function, registered with `@play.register`.

    Returns:
        The time of the action; None for a step that only observes: deadlines then still count from the action before.

    Raises:
        RunError: a part of the run broke, or the routers cannot do it.
    """
    raise RunBrokenError(f"step {run.number}: no function plays `{step.kind}` (docs/extend.md says how one is added)")


def router_of(session: RouterSession) -> RouterName:
    """Return the name of the router that a session is with."""
    return "R1" if session.target.name == "R1" else "R2"


def other(router: RouterName) -> RouterName:
    """Return the router at the other end."""
    return "R2" if router == "R1" else "R1"
