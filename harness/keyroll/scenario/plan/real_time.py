"""A scenario for a lab whose clocks cannot be set: the same one in real time, its hours made into seconds. Pure.

Starts, advances, tolerances and delays of mutations are divided by one factor, so that what lies before or after what
stays so. What is real time in the file anyway stays as it is: hold times, `wait`, `stays`, `within`, pauses.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from keyroll.scenario.file.commit_steps import AddKey, ChangeKey
from keyroll.scenario.file.durations import format_duration
from keyroll.scenario.file.fields import ROUTERS
from keyroll.scenario.file.keys import ChainPlan, KeyOverride, KeyPlan
from keyroll.scenario.file.scenario import Mutation, Scenario
from keyroll.scenario.file.steps import Advance, Step
from keyroll.scenario.plan.deadlines import Waits

SECOND = timedelta(seconds=1)
AROUND = timedelta(seconds=8)
"""What commits, show commands and looks may take between one stop of a scenario and the next key's start."""
LONGEST = timedelta(minutes=10)
"""Real time that the starts of a scenario may take at most."""
_SETS_CLOCK = "set date"


@dataclass(frozen=True, slots=True)
class Compressed:
    """A scenario in real time: what took an hour takes an hour divided by `factor`."""

    scenario: Scenario
    factor: float

    def words(self) -> str:
        """Return what was done, in words."""
        example = timedelta(minutes=30)
        return (
            f"played in real time, {self.factor:.4g} times faster: {format_duration(example)} of the file are "
            f"{format_duration(_shorter(example, self.factor))}"
        )


def why_not(scenario: Scenario, waits: Waits) -> str | None:
    """Say why a scenario cannot be played in real time; None when it can.

    `waits` say how long its expectations may take, which is what has to be left before the next key's start.
    """
    if any(scenario.skew.values()) or any(step.skew is not None for step in scenario.steps):
        return "its routers' clocks differ"
    if any(step.advance is not None and len(step.advance.routers) < len(ROUTERS) for step in scenario.steps):
        return "it advances one router's clock alone"
    if any(step.cli is not None and any(_SETS_CLOCK in line for line in step.cli.commands) for step in scenario.steps):
        return "it types `set date`"
    factor = _factor(scenario, waits)
    if factor < 1:
        return "a key starts too soon after what is done before it"
    length = _shorter(max(_stops(scenario)), factor)
    if length > LONGEST:
        return f"it would take {format_duration(length)} of real time (at most {format_duration(LONGEST)})"
    return None


def compress(scenario: Scenario, waits: Waits) -> Compressed:
    """Return the scenario for real time; `why_not` must have nothing against it."""
    factor = _factor(scenario, waits)
    return Compressed(
        scenario.model_copy(
            update={
                "keychain": _chain(scenario.keychain, factor),
                "other_chains": tuple(_chain(chain, factor) for chain in scenario.other_chains),
                "steps": tuple(_step(step, factor) for step in scenario.steps),
                "mutations": {name: _mutation(one, factor) for name, one in scenario.mutations.items()},
            }
        ),
        factor,
    )


def _factor(scenario: Scenario, waits: Waits) -> float:
    """Return the greatest factor that leaves time before each start and instants a second apart; below 1: none does."""
    needs, starts = _needs(scenario, waits), sorted(set(_starts(scenario)))
    limits = []
    for start in starts:
        needed, later = timedelta(), start
        for stop in sorted((stop for stop in needs if stop < start), reverse=True):
            needed, later = needed + needs[stop], stop
            limits.append((start - later) / needed)
            if stop in starts:
                break
    instants = sorted({*needs, *starts})
    limits += [(later - sooner) / SECOND for sooner, later in itertools.pairwise(instants)]
    return min(limits, default=1.0)


def _needs(scenario: Scenario, waits: Waits) -> dict[timedelta, timedelta]:
    """Return for each stop how long what the file does there can take in real time."""
    reached = timedelta()
    needs = {reached: AROUND * waits.scale}
    expected = max(waits.session_up, waits.wire)
    for step in scenario.steps:
        if step.advance is not None:
            reached = _advanced(reached, step.advance)
            needs.setdefault(reached, AROUND * waits.scale)
        needs[reached] += _real_time(step, expected)
    return needs


def _real_time(step: Step, expected: timedelta) -> timedelta:
    """Return how long a step can take at most, beyond what `AROUND` leaves for all of them."""
    change = step.commits
    length = timedelta()
    if change is not None and change.pause is not None:
        length += change.pause
    if change is not None and change.confirmed is not None:
        length += timedelta(minutes=change.confirmed)
    if step.expect is not None:
        length += expected
    if step.expect_within is not None:
        length += step.expect_within.within
    for lasting in (step.stays, step.wait):
        length += lasting.duration if lasting is not None else timedelta()
    return length


def _stops(scenario: Scenario) -> Iterator[timedelta]:
    """Yield the instants at which the file stops to do something: t0, and where it advances to."""
    reached = timedelta()
    yield reached
    for step in scenario.steps:
        if step.advance is not None:
            reached = _advanced(reached, step.advance)
            yield reached


def _advanced(reached: timedelta, advance: Advance) -> timedelta:
    return advance.to if advance.to is not None else reached + (advance.by or timedelta())


def _starts(scenario: Scenario) -> Iterator[timedelta]:
    """Yield every start-time of a key, at either router, now or by a later step."""
    plans: list[KeyPlan] = [key for chain in (scenario.keychain, *scenario.other_chains) for key in chain.keys]
    plans += [step.add_key for step in scenario.steps if step.add_key is not None]
    for plan in plans:
        yield plan.start
        yield from (own.start for own in (plan.r1, plan.r2) if own is not None and own.start is not None)
    for step in scenario.steps:
        if step.change_key is not None and step.change_key.start is not None:
            yield step.change_key.start


def _shorter(length: timedelta, factor: float) -> timedelta:
    """Return a length divided by the factor, in whole seconds: Junos' start-times know no fractions."""
    return timedelta(seconds=math.floor(length / factor / SECOND + 0.5))


def _chain(chain: ChainPlan, factor: float) -> ChainPlan:
    tolerance = {router: math.ceil(seconds / factor) for router, seconds in chain.tolerance.items()}
    return chain.model_copy(update={"keys": tuple(_key(key, factor) for key in chain.keys), "tolerance": tolerance})


def _key(key: KeyPlan, factor: float) -> KeyPlan:
    return key.model_copy(update=_plan_update(key, factor))


def _plan_update(key: KeyPlan, factor: float) -> dict[str, object]:
    return {"start": _shorter(key.start, factor), "r1": _own(key.r1, factor), "r2": _own(key.r2, factor)}


def _own(own: KeyOverride | None, factor: float) -> KeyOverride | None:
    if own is None or own.start is None:
        return own
    return own.model_copy(update={"start": _shorter(own.start, factor)})


def _step(step: Step, factor: float) -> Step:
    if step.add_key is not None:
        added: AddKey = step.add_key.model_copy(update=_plan_update(step.add_key, factor))
        return step.model_copy(update={"add_key": added})
    if step.change_key is not None and step.change_key.start is not None:
        changed: ChangeKey = step.change_key.model_copy(update={"start": _shorter(step.change_key.start, factor)})
        return step.model_copy(update={"change_key": changed})
    if step.advance is not None:
        lengths = {"to": step.advance.to, "by": step.advance.by}
        update = {name: _shorter(length, factor) for name, length in lengths.items() if length is not None}
        return step.model_copy(update={"advance": step.advance.model_copy(update=update)})
    return step


def _mutation(mutation: Mutation, factor: float) -> Mutation:
    return mutation if mutation.by is None else mutation.model_copy(update={"by": _shorter(mutation.by, factor)})
