"""Real time as a scenario's time: t0 is waited for, advances wait, and what comes too late is unfit, never red."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from keyroll.keychain.model import Key, Keychain
from keyroll.scenario.errors import RunUnfitError
from keyroll.scenario.file.steps import Advance
from keyroll.scenario.play.time import RealTime, next_minute

SECOND = timedelta(seconds=1)


def stage(*, t0_in=timedelta(seconds=0.2), off=timedelta(), starts=(0.0, 0.5)):
    t0 = datetime.now(UTC) + t0_in
    keys = tuple(Key(number, start=t0 + start * SECOND) for number, start in enumerate(starts))
    held = SimpleNamespace(chains={"chain": Keychain("chain", keys)})
    noted = []
    return SimpleNamespace(
        t0=t0,
        clocks={"R1": None, "R2": None},
        pair=SimpleNamespace(at_once=lambda _: {"R1": datetime.now(UTC), "R2": datetime.now(UTC) + off}),
        keyring=SimpleNamespace(meant=lambda _: held),
        timeline=SimpleNamespace(add=lambda _, text: noted.append(text)),
        check_lab=lambda: None,
        pause=threading.Event(),
        noted=noted,
    )


def ns(moment):
    return moment.timestamp() * 1e9


def test_t0_and_advances_are_waited_for_and_what_counts_came_after_them():
    on = stage()
    keeper = RealTime(on)
    keeper.begin()
    assert datetime.now(UTC) >= on.t0
    counted = keeper.advance(Advance(to=timedelta(seconds=0.3)))
    assert counted == pytest.approx(ns(on.t0) + 0.3e9, abs=1e4)
    assert time.time_ns() >= counted
    assert keeper.advance(Advance(by=timedelta(seconds=0.1))) == pytest.approx(ns(on.t0) + 0.4e9, abs=1e4)
    assert on.noted == ["until t0+0.3s real time has to pass", "until t0+0.4s real time has to pass"]


def test_a_lab_that_dies_ends_the_waiting():
    on = stage(t0_in=timedelta(seconds=30))
    on.check_lab = lambda: (_ for _ in ()).throw(RunUnfitError("R2's bgpd has died"))
    with pytest.raises(RunUnfitError, match="bgpd"):
        RealTime(on).begin()


def test_a_clock_that_is_not_this_machines_makes_the_run_unfit():
    with pytest.raises(RunUnfitError, match=r"R2's clock is \+37 s off"):
        RealTime(stage(off=timedelta(seconds=37.2))).begin()


def test_a_t0_that_has_passed_makes_the_run_unfit():
    with pytest.raises(RunUnfitError, match="has passed"):
        RealTime(stage(t0_in=timedelta(seconds=-5))).begin()


def test_a_start_that_passes_before_its_advance_makes_the_run_unfit_and_one_that_was_waited_for_does_not():
    on = stage(t0_in=timedelta(seconds=0.05), starts=(0.0, 0.2, 9.0))
    keeper = RealTime(on)
    keeper.begin()
    keeper.check(1)
    on.pause.wait(0.3)
    with pytest.raises(RunUnfitError, match=r"step 2 was done .* after a key's start at t0\+0.2s"):
        keeper.check(2)
    keeper.advance(Advance(to=timedelta(seconds=0.3)))
    keeper.check(3)


@pytest.mark.parametrize(("second", "minute"), [(0, 1), (56, 1), (57, 2), (59, 2)])
def test_t0_is_the_next_whole_minute_that_can_be_reached(second, minute):
    now = datetime(2030, 1, 1, 0, 0, second, 1, tzinfo=UTC)
    expected = datetime(2030, 1, 1, 0, minute, tzinfo=UTC)
    assert next_minute(now, lead=timedelta(seconds=3)) == expected
