"""How a scenario's time passes: by setting the routers' clocks, or, if they cannot be set, by waiting."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial

from keyroll.durations import format_duration
from keyroll.instants import Instant, until
from keyroll.junos.session import RouterSession
from keyroll.scenario.errors import MachineBusyError, RunUnfitError
from keyroll.scenario.file.fields import ROUTERS, RouterName
from keyroll.scenario.file.time_steps import Advance, Skew, Wait
from keyroll.scenario.plan.keyring import Span
from keyroll.scenario.play.context import Run, play, router_of
from keyroll.scenario.play.watch import act
from keyroll.scenario.record.timeline import Kind

_SECOND = timedelta(seconds=1)
"""`set date` takes whole seconds."""
_LOOK = timedelta(seconds=0.25)
"""Interval between two checks of the lab during a wait, so that a dead part ends the run soon."""
OFF_MAX = timedelta(seconds=2)
"""How much a clock that cannot be set may differ from this machine's: it is read in whole seconds, over SSH."""
_MINUTE = timedelta(minutes=1)


@play.register
def _(step: Advance, run: Run) -> Span:
    return act(run, "clocks", partial(run.time.advance, run, step), waiting=run.time.waits)


@play.register
def _(step: Skew, run: Run) -> Span:
    return act(run, "clocks", partial(run.time.set_skew, run, step))


@play.register
def _(step: Wait, run: Run) -> Span:
    end = run.clock.now() + step.duration
    return act(run, "waits of the scenario", partial(_let_pass, run, end), waiting=True)


def _let_pass(run: Run, end: Instant) -> None:
    run.waits_until(end, "time passes")
    until(run.clock, lambda: None, deadline=end, poll=_LOOK, check=run.routers.check)


class SettingClocks:
    """Time passes by `set date` on the routers. One for each run."""

    waits = False

    def __init__(self) -> None:
        self._skew: dict[RouterName, timedelta] = {}

    def begin(self, run: Run) -> None:
        """Set the clocks to t0, each with its skew."""
        self._skew = dict(run.scenario.skew)
        run.routers.pair.at_once(lambda session: _set(session, self._at(run, session, timedelta())))

    def advance(self, run: Run, step: Advance) -> int:
        """Set the named routers' clocks forward."""
        begun = run.now()
        run.routers.pair.at_once(lambda session: self._move(run, session, step), step.routers)
        return begun

    def set_skew(self, run: Run, step: Skew) -> None:
        """Set the named routers' clocks: the scenario's time (a clock's reading less its skew) plus the new skew."""
        named = step.by_router()

        def move(session: RouterSession) -> None:
            router = router_of(session)
            now = run.routers.clocks[router].now() or session.clock()
            _set(session, now - self._skew.get(router, timedelta()) + named[router])
            self._skew[router] = named[router]

        run.routers.pair.at_once(move, list(named))

    def check(self, run: Run) -> None:
        """Do nothing: time moves only when it is set, so no step can be late."""

    def _move(self, run: Run, session: RouterSession, step: Advance) -> None:
        now = run.routers.clocks[router_of(session)].now()
        if step.to is not None:
            goal = self._at(run, session, step.to)
        else:
            goal = (now or session.clock()) + (step.by or timedelta())
        if now is None or goal > now:
            _set(session, goal)

    def _at(self, run: Run, session: RouterSession, after: timedelta) -> datetime:
        return run.t0 + after + self._skew.get(router_of(session), timedelta())


def _set(session: RouterSession, moment: datetime) -> None:
    """Set a clock to the next whole second: `set date` takes no fractions, and time must not go back."""
    fraction = timedelta(microseconds=moment.microsecond)
    session.set_clock(moment - fraction + _SECOND if fraction else moment)


class RealTime:
    """Time passes by itself. A step that must precede a key's start but is done after it makes the run unfit."""

    waits = True

    def __init__(self) -> None:
        self._reached = timedelta()
        """The scenario's time, counted from t0, that the steps have waited for so far."""

    def begin(self, run: Run) -> None:
        """Read the routers' clocks, and wait for t0.

        Raises:
            RunUnfitError: a router's clock is not this machine's, or t0 has passed.
        """
        for router, clock in run.routers.pair.at_once(lambda session: session.clock()).items():
            off = clock - run.clock.now().moment
            if abs(off) > OFF_MAX:
                raise RunUnfitError(
                    f"{router}'s clock is {off.total_seconds():+.0f} s off this machine's, and cannot be set here",
                    remedy="have both follow the same NTP server",
                )
        if run.clock.now().moment > run.t0:
            raise RunUnfitError(
                f"t0 {run.t0:%Y-%m-%d %H:%M:%S} has passed, and this lab's clocks cannot be set back",
                remedy="leave --t0 out: the next whole minute is taken",
            )
        self._wait_for(run, timedelta())

    def advance(self, run: Run, step: Advance) -> int:
        """Wait until the instant that a step names, and return it."""
        goal = step.reached(self._reached)
        run.record.timeline.add(Kind.CLOCK, f"waiting in real time until t0+{format_duration(goal)}")
        self._wait_for(run, goal)
        return Instant.of(run.t0 + goal).ns

    def set_skew(self, run: Run, step: Skew) -> None:
        """Raise RunUnfitError: `why_not` refuses such a scenario before it is played."""
        raise RunUnfitError(f"the clocks of {', '.join(step.by_router())} cannot be set here")

    def check(self, run: Run) -> None:
        """Raise MachineBusyError if a key has started that only a later step waits for."""
        now = run.clock.now().moment - run.t0
        late = [start for start in _starts(run) if self._reached < start <= now]
        if late:
            raise MachineBusyError(
                f"step {run.number} was done {format_duration(now - late[0])} after a key's start at "
                f"t0+{format_duration(late[0])}, but must be done before it",
                remedy="on a slow machine, use a greater --wait-scale: it leaves more time between the starts",
            )

    def _wait_for(self, run: Run, goal: timedelta) -> None:
        _let_pass(run, Instant.of(run.t0 + goal))
        self._reached = max(self._reached, goal)


def _starts(run: Run) -> Sequence[timedelta]:
    """Return the start-times, counted from t0, of all keys in the routers' intended keychains."""
    chains = [chain for router in ROUTERS for chain in run.keyring.intended(router).chains.values()]
    starts = {key.start for chain in chains for key in chain.keys if key.start is not None}
    return sorted(start - run.t0 for start in starts)


def next_minute(now: datetime, *, lead: timedelta) -> datetime:
    """Return the next whole minute that is at least `lead` away."""
    soonest = now + lead
    return soonest.replace(second=0, microsecond=0) + _MINUTE
