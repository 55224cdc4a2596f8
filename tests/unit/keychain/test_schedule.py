"""The schedule of a keychain: which key is sent, which is next, and which are accepted at an instant."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st
from tests.unit.accepted_keys import acceptable, accepts
from tests.unit.known import known

from keyroll.emulator.contract.key_clock import KeyClock, to_ns
from keyroll.keychain.generate import generate
from keyroll.keychain.model import Key, Keychain
from keyroll.keychain.schedule import in_order, next_key, send_key, window
from keyroll.names import Receiving

T0 = datetime(2030, 1, 1, tzinfo=UTC)
CHAIN = generate(1, name="c", count=3, first=T0, tolerance=600)
SECOND = timedelta(seconds=1)


def at(minutes: int, seconds: int = 0) -> datetime:
    return T0 + timedelta(minutes=minutes, seconds=seconds)


def number(key: Key | None) -> int | None:
    return None if key is None else key.id


def numbers(keys: tuple[Key, ...]) -> list[int]:
    return [key.id for key in keys]


def test_before_the_first_start_nothing_is_sent_and_the_first_key_is_next() -> None:
    assert send_key(CHAIN, T0 - SECOND) is None
    assert number(next_key(CHAIN, T0 - SECOND)) == 0


def test_a_key_sends_from_its_start_time_on() -> None:
    assert number(send_key(CHAIN, at(30) - SECOND)) == 0
    assert number(send_key(CHAIN, at(30))) == 1
    assert number(next_key(CHAIN, at(30))) == 2


def test_the_last_key_stays_active_for_ever() -> None:
    assert number(send_key(CHAIN, at(10**6))) == 2
    assert next_key(CHAIN, at(60)) is None


def test_with_tolerance_a_key_is_accepted_from_before_its_start_until_after_its_successors_start() -> None:
    tolerant = Receiving.TOLERANCE
    assert numbers(acceptable(CHAIN, at(-10) - SECOND, tolerant)) == []
    assert numbers(acceptable(CHAIN, at(-10), tolerant)) == [0]
    assert numbers(acceptable(CHAIN, at(20) - SECOND, tolerant)) == [0]
    assert numbers(acceptable(CHAIN, at(20), tolerant)) == [0, 1]
    assert numbers(acceptable(CHAIN, at(40) - SECOND, tolerant)) == [0, 1]
    assert numbers(acceptable(CHAIN, at(40), tolerant)) == [1]
    assert numbers(acceptable(CHAIN, at(10**6), tolerant)) == [2]


def test_without_tolerance_exactly_one_key_is_accepted_at_any_instant() -> None:
    strict = replace(CHAIN, tolerance=0)
    assert numbers(acceptable(strict, at(30) - SECOND, Receiving.TOLERANCE)) == [0]
    assert numbers(acceptable(strict, at(30), Receiving.TOLERANCE)) == [1]


def test_any_accepts_every_usable_key_at_any_time() -> None:
    assert numbers(acceptable(CHAIN, at(-(10**6)), Receiving.ANY)) == [0, 1, 2]
    assert window(CHAIN, CHAIN.keys[0], Receiving.ANY) == (None, None)


def test_a_tolerance_beyond_the_calendar_gives_a_window_without_bounds() -> None:
    chain = replace(CHAIN, tolerance=4294967295, keys=(replace(CHAIN.keys[0], start=datetime(10, 1, 1, tzinfo=UTC)),))
    assert window(chain, chain.keys[0], Receiving.TOLERANCE) == (None, None)


def test_keys_that_tcp_ao_cannot_use_are_ignored() -> None:
    chain = replace(CHAIN, keys=(CHAIN.keys[0], replace(CHAIN.keys[1], tcp_ao_option=None), Key(5)))
    assert numbers(in_order(chain)) == [0]
    assert number(send_key(chain, at(30))) == 0
    assert next_key(chain, at(0)) is None
    # Without its successor, key 0 is accepted for ever.
    assert numbers(acceptable(chain, at(10**6), Receiving.TOLERANCE)) == [0]


def test_an_empty_chain_sends_and_accepts_nothing() -> None:
    empty = Keychain("c")
    assert send_key(empty, T0) is None
    assert next_key(empty, T0) is None
    assert acceptable(empty, T0, Receiving.ANY) == ()


def test_keys_are_ordered_by_start_time_and_not_by_number() -> None:
    first, second = CHAIN.keys[0], CHAIN.keys[1]
    chain = replace(CHAIN, keys=(replace(first, start=second.start), replace(second, start=first.start)))
    assert numbers(in_order(chain)) == [1, 0]
    assert number(send_key(chain, at(10))) == 1


def test_of_two_keys_with_the_same_start_time_the_higher_number_is_later() -> None:
    chain = replace(CHAIN, keys=(CHAIN.keys[0], replace(CHAIN.keys[1], start=T0)))
    assert number(send_key(chain, T0)) == 1
    assert number(next_key(chain, T0 - SECOND)) == 1


def test_a_local_time_that_occurs_twice_is_read_as_its_own_instant() -> None:
    """When summer time ends, the hour from 02:00 occurs twice; `fold` says which one is meant."""
    berlin = ZoneInfo("Europe/Berlin")
    chain = Keychain("c", (replace(CHAIN.keys[0], start=datetime(2026, 10, 25, 2, 30, tzinfo=berlin, fold=1)),))
    first_pass = datetime(2026, 10, 25, 2, 45, tzinfo=berlin)
    assert send_key(chain, first_pass) is None
    assert number(send_key(chain, first_pass.replace(fold=1))) == 0


def test_keys_are_ordered_by_instants_across_the_end_of_summer_time() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    early = datetime(2026, 10, 25, 2, 45, tzinfo=berlin)
    late = datetime(2026, 10, 25, 2, 15, tzinfo=berlin, fold=1)
    chain = replace(CHAIN, keys=(replace(CHAIN.keys[0], start=late), replace(CHAIN.keys[1], start=early)))
    assert numbers(in_order(chain)) == [1, 0]


CHAINS = st.builds(
    lambda starts, tolerance: Keychain(
        "c",
        tuple(
            replace(CHAIN.keys[0], id=n, send_id=n, recv_id=n, start=T0 + timedelta(seconds=start))
            for n, start in enumerate(starts)
        ),
        tolerance,
    ),
    st.lists(st.integers(0, 10_000), max_size=6),
    st.integers(0, 5000),
)
NOWS = st.integers(-6000, 16_000).map(lambda seconds: T0 + timedelta(seconds=seconds))


@given(CHAINS, NOWS)
def test_the_key_that_is_sent_is_always_accepted_by_a_peer_with_the_same_clock(chain: Keychain, now: datetime) -> None:
    key = send_key(chain, now)
    assert key is None or accepts(chain, key, now, Receiving.TOLERANCE)


@given(CHAINS, NOWS, st.integers(-5000, 5000))
def test_the_key_that_is_sent_is_accepted_while_clocks_differ_by_less_than_the_tolerance(
    chain: Keychain, now: datetime, skew: int
) -> None:
    key = send_key(chain, now)
    if key is not None and abs(skew) < chain.tolerance:
        assert key in acceptable(chain, now + timedelta(seconds=skew), Receiving.TOLERANCE)


@given(CHAINS, NOWS)
def test_from_its_start_time_on_the_next_key_is_the_one_that_is_sent(chain: Keychain, now: datetime) -> None:
    upcoming = next_key(chain, now)
    if upcoming is not None:
        start = known(upcoming.start)
        assert start > now
        assert send_key(chain, start) == upcoming
        assert send_key(chain, start - SECOND) == send_key(chain, now)


@given(CHAINS, NOWS)
def test_a_key_is_acceptable_exactly_inside_its_window(chain: Keychain, now: datetime) -> None:
    for key in in_order(chain):
        begin, end = window(chain, key, Receiving.TOLERANCE)
        begun = known(begin) <= now
        assert (key in acceptable(chain, now, Receiving.TOLERANCE)) == (begun and (end is None or now < end))


@given(CHAINS, NOWS, st.sampled_from(Receiving))
def test_the_key_clock_of_the_emulated_router_agrees_with_the_schedule(
    chain: Keychain, now: datetime, receiving: Receiving
) -> None:
    """The two are written independently of each other: the emulator does not import the schedule."""
    clock, instant = KeyClock.of(chain, receiving=Receiving(receiving.value)), to_ns(now)
    assert number(send_key(chain, now)) == clock.active(instant)
    assert number(send_key(chain, now)) == clock.asked(instant)
    assert numbers(acceptable(chain, now, receiving)) == list(clock.acceptable_keys(instant))
    upcoming = clock.upcoming(instant)
    assert number(next_key(chain, now)) == (upcoming and upcoming.number)
