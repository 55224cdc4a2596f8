"""The emulated router's key clock: which key is sent, asked for and accepted at an instant."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyroll.emulator.contract.key_clock import NS, ClockKey, KeyClock, to_ns
from keyroll.keychain.model import Key, Keychain
from keyroll.keychain.secret import Secret
from keyroll.names import Receiving, Sending

T0 = to_ns(datetime(2030, 1, 1, tzinfo=UTC))
HALF_HOUR = 1800 * NS
TOLERANCE = 300


def two_keys(sending: Sending = Sending.CLOCK, receiving: Receiving = Receiving.TOLERANCE) -> KeyClock:
    keys = [ClockKey(0, T0, 1, 2), ClockKey(1, T0 + HALF_HOUR, 3, 4)]
    return KeyClock(keys, tolerance=TOLERANCE, sending=sending, receiving=receiving)


starts = st.integers(min_value=T0, max_value=T0 + 100 * HALF_HOUR)
instants = st.integers(min_value=T0 - 3 * HALF_HOUR, max_value=T0 + 103 * HALF_HOUR)
policies = {"sending": st.sampled_from(Sending), "receiving": st.sampled_from(Receiving)}
clocks = st.builds(
    lambda begins, tolerance, sending, receiving: KeyClock(
        [ClockKey(number, start, 2 * number + 1, 2 * number + 2) for number, start in enumerate(begins)],
        tolerance=tolerance,
        sending=sending,
        receiving=receiving,
    ),
    st.lists(starts, max_size=8, unique=True),
    st.integers(min_value=0, max_value=10_000),
    **policies,
)


def test_before_the_first_start_nothing_is_sent() -> None:
    for sending in Sending:
        clock = two_keys(sending)
        assert clock.sent(T0 - 1, None) is clock.sent(T0 - 1, 0) is None
        assert clock.opening(T0 - 1) is clock.asked(T0 - 1) is None


def test_a_key_becomes_active_at_its_start_to_the_nanosecond() -> None:
    clock = two_keys()
    assert [clock.active(T0 + HALF_HOUR + step) for step in (-1, 0, 1)] == [0, 1, 1]
    assert [clock.asked(T0 + HALF_HOUR + step) for step in (-1, 0)] == [0, 1]


def test_under_clock_the_sending_key_follows_the_clock_forward_and_back() -> None:
    clock = two_keys(Sending.CLOCK)
    assert clock.sent(T0 + HALF_HOUR, 0) == 1
    assert clock.sent(T0 + HALF_HOUR - 1, 1) == 0
    assert clock.follow(T0 + HALF_HOUR, 1, 0) == 1, "an RNextKeyID changes nothing"


def test_under_rnext_the_sending_key_changes_only_if_the_peer_asks() -> None:
    clock = two_keys(Sending.RNEXT)
    assert clock.sent(T0 + HALF_HOUR, 0) == 0
    assert clock.follow(T0 + HALF_HOUR, 0, 1) == 1
    assert clock.follow(T0 + HALF_HOUR, 0, None) == 0, "an unknown RNextKeyID changes nothing"
    assert clock.sent(T0 + 60 * NS, 1) == 1, "a clock that is stepped back changes only the key that is asked for"
    assert clock.asked(T0 + 60 * NS) == 0


def test_under_rnext_the_key_asked_for_is_used_only_in_its_receive_window() -> None:
    early = T0 + HALF_HOUR - (TOLERANCE + 1) * NS
    assert two_keys(Sending.RNEXT, Receiving.TOLERANCE).follow(early, 0, 1) == 0
    assert two_keys(Sending.RNEXT, Receiving.ANY).follow(early, 0, 1) == 1


def test_a_sending_key_that_was_removed_is_not_replaced_by_another() -> None:
    assert two_keys(Sending.RNEXT).sent(T0, 7) is None


def test_a_key_is_accepted_from_the_tolerance_before_its_start_to_that_after_the_next_keys() -> None:
    clock = two_keys()
    opens, closes = T0 + HALF_HOUR - TOLERANCE * NS, T0 + HALF_HOUR + TOLERANCE * NS
    assert [clock.acceptable_keys(instant) for instant in (T0 - TOLERANCE * NS - 1, T0 - TOLERANCE * NS)] == [(), (0,)]
    assert [clock.acceptable_keys(instant) for instant in (opens - 1, opens)] == [(0,), (0, 1)]
    assert [clock.acceptable_keys(instant) for instant in (closes - 1, closes)] == [(0, 1), (1,)]
    assert clock.acceptable(1, T0 + 10_000 * HALF_HOUR), "the last key has no end"


def test_under_any_every_configured_key_is_accepted_at_any_time() -> None:
    clock = two_keys(receiving=Receiving.ANY)
    assert clock.acceptable_keys(0) == (0, 1)
    assert not clock.acceptable(2, T0)


def test_of_two_keys_with_the_same_start_the_higher_number_is_active() -> None:
    clock = KeyClock([ClockKey(3, T0, 1, 2), ClockKey(2, T0, 3, 4)], tolerance=0)
    assert clock.active(T0) == 3
    assert clock.upcoming(T0 - 1) == ClockKey(3, T0, 1, 2)


def test_unusable_keys_of_a_chain_are_ignored() -> None:
    whole = Key(
        id=4,
        secret=Secret("abc"),
        start=datetime(2030, 1, 1, tzinfo=UTC),
        scheme="ao",
        send_id=1,
        recv_id=2,
        tcp_ao_option=True,
    )
    disabled = Key(
        id=5, secret=Secret("abc"), start=whole.start, scheme="ao", send_id=3, recv_id=4, tcp_ao_option=False
    )
    clock = KeyClock.of(Keychain("chain", (whole, disabled), tolerance=7))
    assert [key.number for key in clock.keys] == [4]
    assert clock.acceptable(4, T0 - 7 * NS)
    assert not clock.acceptable(4, T0 - 7 * NS - 1)


@pytest.mark.parametrize(
    "moment", [datetime(2030, 1, 1, 1, 2, 3, 456789, tzinfo=UTC), datetime(1969, 5, 1, tzinfo=UTC)]
)
def test_a_datetime_and_its_nanoseconds_are_the_same_instant(moment: datetime) -> None:
    assert datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=to_ns(moment) // 1000) == moment
    assert to_ns(moment + timedelta(microseconds=1)) - to_ns(moment) == 1000


@given(clocks, instants)
def test_the_active_key_has_the_latest_start_that_has_passed(clock: KeyClock, now: int) -> None:
    passed = [key for key in clock.keys if key.start <= now]
    assert clock.active(now) == (max(passed, key=lambda key: key.start).number if passed else None)
    ahead = [key for key in clock.keys if key.start > now]
    assert clock.upcoming(now) == (min(ahead, key=lambda key: key.start) if ahead else None)


@given(clocks, instants)
def test_a_router_accepts_the_key_it_asks_for_and_that_of_a_peer_with_the_same_clock(clock: KeyClock, now: int) -> None:
    for number in (clock.asked(now), clock.opening(now)):
        assert number is None or clock.acceptable(number, now)


@given(clocks, instants, st.integers(-2000, 2000))
def test_the_key_of_a_peer_whose_clock_is_within_the_tolerance_is_accepted(
    clock: KeyClock, now: int, skew: int
) -> None:
    sent = clock.active(now + skew * NS)
    if sent is not None and (abs(skew) * NS < clock._tolerance or clock.receiving is Receiving.ANY):
        assert clock.acceptable(sent, now)


@given(clocks, instants, instants, st.integers(0, 9))
def test_under_rnext_time_alone_never_moves_a_sending_key(clock: KeyClock, then: int, now: int, current: int) -> None:
    first, second = clock.sent(then, current), clock.sent(now, current)
    if clock.sending is Sending.RNEXT and first is not None and second is not None:
        assert first == second == current


@given(clocks, instants)
def test_answers_change_only_at_starts_and_at_the_edges_of_windows(clock: KeyClock, now: int) -> None:
    edges = {key.start + way * clock._tolerance for key in clock.keys for way in (-1, 0, 1)}
    before = sorted(instant for instant in edges if instant <= now)
    since = before[-1] if before else T0 - 4 * HALF_HOUR - 20_000 * NS
    assert clock.active(now) == clock.active(since)
    assert clock.acceptable_keys(now) == clock.acceptable_keys(since)
