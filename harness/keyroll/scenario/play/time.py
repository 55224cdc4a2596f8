"""How a scenario's time passes: by setting the routers' clocks, or, where that cannot be, by waiting in real time."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Protocol

from keyroll.junos.session import RouterSession
from keyroll.scenario.errors import MachineBusyError, RunUnfitError
from keyroll.scenario.file.commit_steps import Skew
from keyroll.scenario.file.durations import format_duration
from keyroll.scenario.file.fields import RouterName
from keyroll.scenario.file.steps import Advance
from keyroll.scenario.observe.router_clock import moment_of, ns_of
from keyroll.scenario.play.context import Stage, router_of
from keyroll.scenario.record.timeline import Kind

_SECOND = timedelta(seconds=1)
_LOOK_SECONDS = 0.25
OFF_MAX = timedelta(seconds=2)
"""Clocks that cannot be set may be off this machine's by so much; they are read in whole seconds."""
_MINUTE = timedelta(minutes=1)


class Timekeeper(Protocol):
    """Moves the scenario's time. Instants returned are the host's (ns since 1970): what counts came after them."""

    def begin(self) -> None:
        """Bring the routers to t0."""
        ...

    def advance(self, step: Advance) -> int:
        """Move time forward as a step says."""
        ...

    def set_skew(self, step: Skew) -> None:
        """Set clocks ahead of, or behind, the scenario's time."""
        ...

    def check(self, number: int) -> None:
        """Raise RunUnfitError when time has passed what a step was to be done before."""
        ...


class SettingClocks:
    """Time passes by `set date` on the routers."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._skew: dict[RouterName, timedelta] = dict(stage.scenario.skew)

    def begin(self) -> None:
        """Set the clocks to t0, each with its skew."""
        self._stage.pair.at_once(lambda session: self._set(session, self._at(session, timedelta())))

    def advance(self, step: Advance) -> int:
        """Set the named routers' clocks forward."""
        begun = time.time_ns()
        self._stage.pair.at_once(lambda session: self._move(session, step), step.routers)
        return begun

    def set_skew(self, step: Skew) -> None:
        """Set the named routers' clocks: the scenario's time (a clock's reading less its skew) plus the new skew."""
        named = step.by_router()

        def move(session: RouterSession) -> None:
            router = router_of(session)
            now = self._stage.clocks[router].now() or session.clock()
            self._set(session, now - self._skew.get(router, timedelta()) + named[router])
            self._skew[router] = named[router]

        self._stage.pair.at_once(move, list(named))

    def check(self, number: int) -> None:
        """Time goes where it is set: nothing can be late."""

    def _move(self, session: RouterSession, step: Advance) -> None:
        now = self._stage.clocks[router_of(session)].now()
        if step.to is not None:
            goal = self._at(session, step.to)
        elif now is not None and step.by is not None:
            goal = now + step.by
        else:
            goal = session.clock() + (step.by or timedelta())
        if now is None or goal > now:
            self._set(session, goal)

    def _set(self, session: RouterSession, moment: datetime) -> None:
        """Set a clock, up to the next whole second: `set date` knows no fractions, and time must not go back."""
        fraction = timedelta(microseconds=moment.microsecond)
        session.set_clock(moment - fraction + _SECOND if fraction else moment)

    def _at(self, session: RouterSession, after: timedelta) -> datetime:
        return self._stage.t0 + after + self._skew.get(router_of(session), timedelta())


class RealTime:
    """Time passes by itself. What must be done before a key starts has to be done by then, or the run is unfit."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._reached = timedelta()
        """How long after t0 the scenario's time is, as far as it was waited for."""

    def begin(self) -> None:
        """Read the routers' clocks, and wait for t0.

        Raises:
            RunUnfitError: a router's clock is not this machine's, or t0 has passed.
        """
        for router, clock in self._stage.pair.at_once(lambda session: session.clock()).items():
            off = clock - datetime.now(UTC)
            if abs(off) > OFF_MAX:
                raise RunUnfitError(
                    f"{router}'s clock is {off.total_seconds():+.0f} s off this machine's, and cannot be set here",
                    remedy="have both follow the same NTP server",
                )
        if datetime.now(UTC) > self._stage.t0:
            raise RunUnfitError(
                f"t0 {self._stage.t0:%Y-%m-%d %H:%M:%S} has passed, and this lab's clocks cannot be set back",
                remedy="leave --t0 out: the next whole minute is taken",
            )
        self._wait_for(timedelta())

    def advance(self, step: Advance) -> int:
        """Wait until it is as late as a step says, and return that instant."""
        goal = step.to if step.to is not None else self._reached + (step.by or timedelta())
        self._stage.timeline.add(Kind.CLOCK, f"until t0+{format_duration(goal)} real time has to pass")
        self._wait_for(goal)
        return ns_of(self._stage.t0 + goal)

    def set_skew(self, step: Skew) -> None:
        """Clocks cannot be set here: the scenario was not to be played."""
        raise RunUnfitError(f"the clocks of {', '.join(step.by_router())} cannot be set here")

    def check(self, number: int) -> None:
        """Raise MachineBusyError when a key's start has passed that a later step waits for."""
        now = moment_of(time.time_ns()) - self._stage.t0
        late = [start for start in self._starts() if self._reached < start <= now]
        if late:
            raise MachineBusyError(
                f"step {number} was done {format_duration(now - late[0])} after a key's start at "
                f"t0+{format_duration(late[0])}, which it was to be done before",
                remedy="on a slow machine, give a greater --wait-scale: it leaves more time between the starts",
            )

    def _starts(self) -> Sequence[timedelta]:
        keyring = self._stage.keyring
        chains = [chain for router in self._stage.clocks for chain in keyring.meant(_name(router)).chains.values()]
        starts = {key.start for chain in chains for key in chain.keys if key.start is not None}
        return sorted(start - self._stage.t0 for start in starts)

    def _wait_for(self, goal: timedelta) -> None:
        end = ns_of(self._stage.t0 + goal)
        while (left := end - time.time_ns()) > 0:
            self._stage.check_lab()
            self._stage.pause.wait(min(left / 1e9, _LOOK_SECONDS))
        self._reached = max(self._reached, goal)


def _name(router: str) -> RouterName:
    return "R1" if router == "R1" else "R2"


def next_minute(now: datetime, *, lead: timedelta) -> datetime:
    """Return the next whole minute that is at least `lead` away."""
    soonest = now + lead
    return soonest.replace(second=0, microsecond=0) + _MINUTE
