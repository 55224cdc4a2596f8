"""Convert a scenario to real time, for a lab whose clocks cannot be set: hours become seconds. Pure.

Starts, advances, tolerances and delays of mutations are divided by one factor, so that their order stays the same. What
is real time in the file anyway stays as it is: hold times, `wait`, `stays`, `within`, pauses.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from keyroll.durations import format_duration
from keyroll.scenario.file.durations import shortened
from keyroll.scenario.file.scenario import Mutation, Scenario
from keyroll.scenario.plan.deadlines import Waits

SECOND = timedelta(seconds=1)
AROUND = timedelta(seconds=8)
"""Time for commits and show commands between an instant at which the scenario acts and the next key's start.
    An emulated router takes about a second to commit and be read back; this leaves real ones several times as long.
"""
LONGEST = timedelta(minutes=10)
"""The longest time from t0 to the last start: a person, or a job in CI, does not wait longer."""


@dataclass(frozen=True, slots=True)
class Compressed:
    """A scenario in real time: one hour of the file takes one hour divided by `factor`."""

    scenario: Scenario
    factor: float

    def words(self) -> str:
        """Return the conversion in words."""
        example = timedelta(minutes=30)
        return (
            f"played in real time, {self.factor:.4g} times faster: {format_duration(example)} of the file are "
            f"{format_duration(shortened(example, self.factor))}"
        )


def why_not(scenario: Scenario, waits: Waits) -> str | None:
    """Return why a scenario cannot be played in real time; None if it can.

    `waits` say how long its expectations may take: this much time is needed before the next key's start.
    """
    if any(scenario.skew.values()):
        return "its routers' clocks differ"
    for step in scenario.steps:
        if (reason := step.needs_set_clock()) is not None:
            return reason
    factor = _factor(scenario, waits)
    if factor < 1:
        return "a key starts too soon after the steps before it"
    length = shortened(max(_stops(scenario)), factor)
    if length > LONGEST:
        return f"it would take {format_duration(length)} of real time (at most {format_duration(LONGEST)})"
    return None


def compress(scenario: Scenario, waits: Waits) -> Compressed:
    """Return the scenario for real time. Call it only if `why_not` returns None."""
    factor = _factor(scenario, waits)
    return Compressed(
        scenario.model_copy(
            update={
                "keychain": scenario.keychain.faster(factor),
                "other_chains": tuple(chain.faster(factor) for chain in scenario.other_chains),
                "steps": tuple(step.faster(factor) for step in scenario.steps),
                "mutations": {name: _mutation(one, factor) for name, one in scenario.mutations.items()},
            }
        ),
        factor,
    )


def _factor(scenario: Scenario, waits: Waits) -> float:
    """Return the greatest factor that leaves time before each start, and a second between instants; below 1: none."""
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
    """Return how long the steps at each instant of the scenario's time can take in real time."""
    reached = timedelta()
    needs = {reached: AROUND * waits.scale}
    expected = max(waits.session_up, waits.wire)
    for step in scenario.steps:
        reached = step.reached(reached)
        needs.setdefault(reached, AROUND * waits.scale)
        needs[reached] += step.takes(expected)
    return needs


def _stops(scenario: Scenario) -> Iterator[timedelta]:
    """Yield the instants at which the file has steps: t0, and those that it advances to."""
    reached = timedelta()
    yield reached
    for step in scenario.steps:
        reached = step.reached(reached)
        yield reached


def _starts(scenario: Scenario) -> Iterator[timedelta]:
    """Yield every start-time of a key on either router, from the file's chains and from later steps."""
    for chain in (scenario.keychain, *scenario.other_chains):
        for key in chain.keys:
            yield from key.starts()
    for step in scenario.steps:
        yield from step.starts()


def _mutation(mutation: Mutation, factor: float) -> Mutation:
    return mutation if mutation.by is None else mutation.model_copy(update={"by": shortened(mutation.by, factor)})
