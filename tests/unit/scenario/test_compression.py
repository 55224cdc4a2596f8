"""Scenarios for labs whose clocks cannot be set: times shrink, keep their order, and leave time for the steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.strategies import DataObject
from tests.unit.known import known

from keyroll.scenario.file.scenario import Scenario
from keyroll.scenario.file.time_steps import Advance
from keyroll.scenario.plan.deadlines import Waits
from keyroll.scenario.plan.real_time import compress, why_not

WAITS = Waits(timedelta(seconds=9))
MINUTE = timedelta(minutes=1)


def scenario(
    *starts: int,
    steps: Sequence[Mapping[str, object]] = (),
    **fields: object,
) -> Scenario:
    keys = [{"id": number, "start": f"{start}m"} for number, start in enumerate(starts)]
    return Scenario.model_validate(
        {
            "keyroll": 1,
            "id": "x",
            "title": "x",
            "keychain": {"keys": keys},
            "steps": [{"apply": {}}, {"expect": {"bgp": "Established"}}, *steps],
            **fields,
        }
    )


def to(minutes: int) -> dict[str, dict[str, str]]:
    return {"advance": {"to": f"{minutes}m"}}


def starts(played: Scenario) -> list[float]:
    return [key.start / timedelta(seconds=1) for key in played.keychain.keys]


def test_half_an_hour_shrinks_to_the_time_that_the_steps_before_it_may_take() -> None:
    played = compress(scenario(0, 30, steps=[to(30), {"expect": {"active": 1}}]), WAITS)
    assert starts(played.scenario) == [0, 23]  # 15 s for a session to come up, 8 s for commits and checks
    advance: Any = played.scenario.steps[2]
    assert advance.to == timedelta(seconds=23)
    assert played.words() == "played in real time, 78.26 times faster: 30m of the file are 23s"


def test_the_waiting_times_of_steps_are_not_shortened() -> None:
    waiting = [{"stays": {"for": "20s", "bgp": "Established"}}, {"wait": {"for": "10s"}}, to(30)]
    assert starts(compress(scenario(0, 30, steps=waiting), WAITS).scenario) == [0, 53]


def test_a_slow_machine_gets_more_time() -> None:
    slow = compress(scenario(0, 30, steps=[to(30)]), Waits(timedelta(seconds=9), scale=2.0))
    assert starts(slow.scenario) == [0, 46]


def test_tolerances_and_delays_shrink_by_the_same_factor_and_never_to_zero() -> None:
    given_ = scenario(
        0,
        30,
        steps=[{"add-key": {"id": 2, "start": "60m", "R2": {"start": "80m"}}}, to(30), {"advance": {"by": "30m"}}],
        mutations={"late": {"kind": "late-key", "key": 1, "by": "15m", "turns-red": "bgp@2"}},
    )
    given_ = given_.model_copy(
        update={"keychain": given_.keychain.model_copy(update={"tolerance": {"R1": 3600, "R2": 1}})}
    )
    played = compress(given_, WAITS)
    assert played.factor == pytest.approx(30 * 60 / 23)
    assert played.scenario.keychain.tolerance == {"R1": 46, "R2": 1}
    added: Any = played.scenario.steps[2]
    advance: Any = played.scenario.steps[4]
    assert (added.start, added.r2.start) == (timedelta(seconds=46), timedelta(seconds=61))
    assert advance.by == timedelta(seconds=23)
    assert played.scenario.mutations["late"].by == timedelta(seconds=12)


def test_a_scenario_without_a_future_start_time_is_unchanged() -> None:
    played = compress(scenario(0), WAITS)
    assert (played.factor, starts(played.scenario)) == (1.0, [0])


@pytest.mark.parametrize(
    ("given_", "reason"),
    [
        (scenario(0, 30, skew={"R2": "5m"}), "clocks differ"),
        (scenario(0, 30, steps=[{"skew": {"R2": "5m"}}]), "clocks differ"),
        (scenario(0, 30, steps=[{"advance": {"to": "30m", "routers": "R1"}}]), "one router's clock alone"),
        (scenario(0, 30, steps=[{"cli": {"commands": "set date 203001010000.00"}}]), "set date"),
        (scenario(0, 600, steps=[to(599), to(600)]), "of real time"),
        (scenario(0, 1, steps=[{"wait": {"for": "2m"}}, to(1)]), "too soon"),
    ],
    ids=["skew", "skew-step", "one-clock", "set-date", "too-long", "too-soon"],
)
def test_the_reason_is_given_why_a_scenario_cannot_be_played_in_real_time(given_: Scenario, reason: str) -> None:
    assert reason in known(why_not(given_, WAITS))


@given(st.lists(st.integers(1, 40), min_size=1, max_size=6), st.data())
def test_compression_keeps_the_order_and_the_time_that_steps_need(gaps: list[int], data: DataObject) -> None:
    at, minutes = 0, []
    for gap in gaps:
        at += gap
        minutes.append(at)
    stops = sorted(data.draw(st.sets(st.sampled_from(minutes))))
    given_ = scenario(0, *minutes, steps=[step for stop in stops for step in (to(stop), {"expect": {"bgp": "down"}})])
    if why_not(given_, WAITS) is not None:
        return
    played = compress(given_, WAITS).scenario
    assert all(sooner < later for sooner, later in pairwise(starts(played)))
    advances = [known(step.to) / timedelta(seconds=1) for step in played.steps if isinstance(step, Advance)]
    for stop, minute in zip(advances, stops, strict=True):
        assert stop == starts(played)[1 + minutes.index(minute)], (
            "an advance to a start-time remains one to that start-time"
        )
    reached = [0, *advances]
    for start in starts(played)[1:]:
        assert start - max(stop for stop in reached if stop < start) >= 22  # 23 s, less the rounding to whole seconds
