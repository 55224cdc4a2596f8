"""A router's clock, calculated from the instants at which it was set."""

from datetime import UTC, datetime, timedelta

from tests.unit.scenario.conftest import NS

from keyroll.scenario.observe.router_clock import RouterClock, moment_of, ns_of

T0 = datetime(2030, 1, 1, tzinfo=UTC)
START = ns_of(datetime(2026, 5, 1, tzinfo=UTC))


def test_a_clock_that_was_never_set_reads_as_the_host_clock() -> None:
    assert RouterClock().reading(START) == moment_of(START)


def test_an_unknown_clock_has_no_reading() -> None:
    assert RouterClock(None).reading(START) is None
    assert RouterClock(None).readings(START) == ()


def test_a_clock_that_was_set_continues_from_that_time() -> None:
    clock = RouterClock()
    clock.was_set(T0, begun=START, done=START + 20_000_000)
    assert clock.reading(START + 10_000_000 + 5 * NS) == T0 + timedelta(seconds=5)
    assert clock.reading(START - 1) == moment_of(START - 1)


def test_while_a_clock_is_being_set_both_readings_are_possible() -> None:
    clock = RouterClock()
    clock.was_set(T0, begun=START, done=START + 20_000_000)
    clock.was_set(T0 + timedelta(minutes=30), begun=START + NS, done=START + NS + 2_000_000)
    before, after = clock.readings(START + NS + 1_000_000)
    assert (after - before) > timedelta(minutes=29)
    assert len(clock.readings(START + 2 * NS)) == 1


def test_a_time_converted_to_nanoseconds_and_back_is_unchanged() -> None:
    moment = datetime(2030, 1, 1, 0, 30, 0, 123456, tzinfo=UTC)
    assert moment_of(ns_of(moment)) == moment
