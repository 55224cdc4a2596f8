"""Disturbances of the machine: stalls, in which it did not run the program, and steps of its clock."""

from datetime import timedelta

import pytest

from keyroll.instants import FakeClock, Instant
from keyroll.scenario.errors import BlindError, MachineBusyError, RefereesDisagreeError, RunUnfitError
from keyroll.scenario.judge.fitness import disturbed, is_proven
from keyroll.scenario.observe.host_stalls import ClockStep, Stall, StallWatch, blind_together

SECOND = timedelta(seconds=1)


def stall(begun: float, ended: float) -> Stall:
    return Stall(Instant(int(begun * 1e9)), Instant(int(ended * 1e9)))


def test_a_period_in_which_the_clock_was_not_read_is_a_stall() -> None:
    clock = FakeClock()
    watch = StallWatch(clock, limit=SECOND)
    for length in (0.1, 1, 0.1):
        clock.advance(timedelta(seconds=length))
        assert watch.look() == ()
    begun = clock.now()
    clock.advance(10 * SECOND)
    assert watch.look() == (Stall(begun, begun + 10 * SECOND),)
    assert watch.look()[0].words() == "this machine stood still for 10s"


@pytest.mark.parametrize(("by", "words"), [(20, "forward by 20s"), (-0.3, "back by 0.3s")])
def test_a_set_clock_is_detected_and_is_not_a_stall(by: float, words: str) -> None:
    clock = FakeClock()
    watch = StallWatch(clock, limit=SECOND)
    clock.advance(SECOND)
    before = clock.now()
    assert watch.look() == ()
    clock.set_wall(timedelta(seconds=by))
    clock.advance(SECOND)
    (step,) = watch.look()
    assert isinstance(step, ClockStep)
    assert (step.begun, step.words()) == (before, f"this machine's clock was set {words}")


def test_a_slewed_clock_is_not_reported_as_set() -> None:
    clock = FakeClock()
    watch = StallWatch(clock, limit=SECOND)
    clock.set_wall(timedelta(milliseconds=120))
    assert watch.look() == ()


def test_a_real_clock_shows_no_stall_while_it_is_read() -> None:
    from keyroll.instants import SYSTEM  # noqa: PLC0415 - only this test starts the thread

    with StallWatch(SYSTEM, limit=30 * SECOND) as watch:
        SYSTEM.pause(timedelta(milliseconds=1))
    assert watch.look() == ()


def test_a_run_is_blind_while_all_samplers_are_blind_at_the_same_time() -> None:
    r1, r2 = [stall(1, 4), stall(10, 12)], [stall(2, 6), stall(11.5, 13)]
    assert blind_together([r1, r2], limit=SECOND) == (stall(2, 4),)
    assert blind_together([r1, []], limit=SECOND) == ()
    assert blind_together([r1], limit=SECOND) == tuple(r1)
    assert blind_together([], limit=SECOND) == ()


def test_a_stall_makes_only_a_red_run_unfit_and_a_set_clock_makes_every_run_unfit() -> None:
    """Captures have time stamps of the wall clock, and everything else has monotonic time."""
    step = ClockStep(Instant(5), 20 * SECOND)
    assert disturbed([stall(3, 13)], red=False) is None
    assert disturbed([], red=True) is None
    error = disturbed([stall(3, 13)], red=True)
    assert error is not None
    assert error.since == Instant(3_000_000_000)
    assert "this machine stood still for 10s" in str(error)
    error = disturbed([step], red=False)
    assert error is not None
    assert isinstance(error, MachineBusyError), "pytest repeats such a run once"


@pytest.mark.parametrize(
    ("error", "proven"),
    [
        (BlindError("stood still", since=Instant(50)), False),
        (BlindError("stood still", since=Instant(150)), True),
        (BlindError("frames were lost", since=None), False),
        (RefereesDisagreeError("scapy"), False),
        (MachineBusyError("one router gave no sample"), True),
        (RunUnfitError("a step was late"), True),
    ],
)
def test_a_red_check_older_than_the_stall_remains_red(error: RunUnfitError, proven: bool) -> None:
    assert is_proven([100, 200], error) is proven
    assert is_proven([], error) is False
