"""Scenarios in real time: a run waits for t0 and at each advance; a step that is too late makes it unfit, never red."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from keyroll.instants import FakeClock, Instant
from keyroll.keychain.model import Key, Keychain
from keyroll.scenario.errors import RunUnfitError
from keyroll.scenario.file.time_steps import Advance
from keyroll.scenario.play.time import RealTime, next_minute

SECOND = timedelta(seconds=1)


def a_run(
    *, t0_in: timedelta = timedelta(seconds=0.2), off: timedelta = timedelta(), starts: tuple[float, ...] = (0.0, 0.5)
) -> Any:
    """Return a run on a fake clock: t0 is `t0_in` ahead, R2's clock is `off` wrong, keys start `starts` s after t0."""
    clock = FakeClock()
    t0 = clock.now().moment + t0_in
    keys = tuple(Key(number, start=t0 + start * SECOND) for number, start in enumerate(starts))
    held = SimpleNamespace(chains={"chain": Keychain("chain", keys)})
    noted = []
    return SimpleNamespace(
        t0=t0,
        clock=clock,
        number=1,
        routers=SimpleNamespace(
            clocks={"R1": None, "R2": None},
            pair=SimpleNamespace(at_once=lambda _: {"R1": clock.now().moment, "R2": clock.now().moment + off}),
            check=lambda: None,
        ),
        keyring=SimpleNamespace(intended=lambda _: held),
        record=SimpleNamespace(timeline=SimpleNamespace(add=lambda _, text: noted.append(text))),
        noted=noted,
        waits_until=lambda *_: None,
    )


def test_a_run_waits_for_t0_and_at_each_advance() -> None:
    run, keeper = a_run(), RealTime()
    keeper.begin(run)
    assert run.clock.now().moment == run.t0
    counted = keeper.advance(run, Advance(to=timedelta(seconds=0.3)))
    assert counted == run.clock.now().ns == Instant.of(run.t0 + timedelta(seconds=0.3)).ns
    assert keeper.advance(run, Advance(by=timedelta(seconds=0.1))) == Instant.of(run.t0 + timedelta(seconds=0.4)).ns
    assert run.noted == ["waiting in real time until t0+0.3s", "waiting in real time until t0+0.4s"]


def test_a_lab_that_has_died_ends_the_wait() -> None:
    run = a_run(t0_in=timedelta(seconds=30))
    run.routers.check = lambda: (_ for _ in ()).throw(RunUnfitError("R2's bgpd has died"))
    with pytest.raises(RunUnfitError, match="bgpd"):
        RealTime().begin(run)


def test_a_router_clock_that_differs_from_this_machines_makes_the_run_unfit() -> None:
    with pytest.raises(RunUnfitError, match=r"R2's clock is \+37 s off"):
        RealTime().begin(a_run(off=timedelta(seconds=37.2)))


def test_a_t0_that_has_passed_makes_the_run_unfit() -> None:
    with pytest.raises(RunUnfitError, match="has passed"):
        RealTime().begin(a_run(t0_in=timedelta(seconds=-5)))


def test_a_start_time_that_passes_before_its_advance_makes_the_run_unfit() -> None:
    run, keeper = a_run(t0_in=timedelta(seconds=0.05), starts=(0.0, 0.2, 9.0)), RealTime()
    keeper.begin(run)
    keeper.check(run)
    run.clock.pause(timedelta(seconds=0.3))
    run.number = 2
    with pytest.raises(RunUnfitError, match=r"step 2 was done .* after a key's start at t0\+0.2s"):
        keeper.check(run)
    keeper.advance(run, Advance(to=timedelta(seconds=0.3)))
    keeper.check(run)


@pytest.mark.parametrize(("second", "minute"), [(0, 1), (56, 1), (57, 2), (59, 2)])
def test_t0_is_the_next_whole_minute_that_can_be_reached(second: int, minute: int) -> None:
    now = datetime(2030, 1, 1, 0, 0, second, 1, tzinfo=UTC)
    expected = datetime(2030, 1, 1, 0, minute, tzinfo=UTC)
    assert next_minute(now, lead=timedelta(seconds=3)) == expected
