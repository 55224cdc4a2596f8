from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import Mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.known import known

from keyroll.check.rollovers import rollovers
from keyroll.check.skew import ALL, MIXES, Interval, Mix, SkewBounds, covers, intersection, intervals_of
from keyroll.keychain.generate import generate
from keyroll.keychain.model import Key, Keychain
from keyroll.keychain.prediction import Clock, Side, predict
from keyroll.keychain.secret import Secret
from keyroll.keychain.simulation import SECOND
from keyroll.names import Algorithm, Receiving, Sending

T0 = datetime(2030, 1, 1, tzinfo=UTC)
AES = Algorithm.AES_128_CMAC_96


def pair(
    count: int = 2, *, tolerance: int = 600, other: int | None = None, late: int = 0, interval: int = 1800
) -> tuple[Keychain, Keychain]:
    chain = generate(
        1, name="c", count=count, first=T0, tolerance=tolerance, interval=timedelta(seconds=interval)
    )  # fmt: skip
    peer = replace(chain.mirrored(), tolerance=tolerance if other is None else other)
    second = replace(peer.keys[1], start=known(peer.keys[1].start) + timedelta(seconds=late))
    return chain, replace(peer, keys=(peer.keys[0], second, *peer.keys[2:]))


def skews(
    chain: Keychain,
    peer: Keychain,
    mixes: tuple[tuple[tuple[Sending, Receiving], tuple[Sending, Receiving]], ...] = MIXES,
) -> dict[tuple[tuple[Sending, Receiving], tuple[Sending, Receiving]], tuple[Interval, ...]]:
    first, *_ = rollovers(chain, peer)
    return SkewBounds(chain, peer).of(first, mixes)


def closed(low: int, high: int) -> tuple[Interval]:
    return (Interval(low * SECOND, high * SECOND, low_closed=True, high_closed=True),)


def test_two_starts_900_s_apart_with_a_tolerance_of_600_s_need_a_skew_of_300_to_1500_s_under_seven_mixes() -> None:
    found = skews(*pair(late=900))
    assert sum(intervals == closed(300, 1500) for intervals in found.values()) == 7
    assert intersection(found.values()) == closed(300, 1500)
    assert not covers(intersection(found.values()), SECOND)


def test_with_tolerance_0_no_skew_is_hitless_if_both_routers_use_rnext_and_tolerance() -> None:
    by_request = (Sending.RNEXT, Receiving.TOLERANCE)
    found = skews(*pair(tolerance=0))
    assert found[by_request, by_request] == ()
    by_clock = (Sending.CLOCK, Receiving.TOLERANCE)
    assert found[by_clock, by_clock] == closed(0, 0)
    assert intersection(found.values()) == ()


def test_the_skew_has_no_bound_if_both_routers_accept_any_key() -> None:
    found = skews(*pair())
    for mix, intervals in found.items():
        if {receiving for _, receiving in mix} == {Receiving.ANY}:
            assert intervals == ALL


def test_equal_starts_are_hitless_up_to_a_skew_of_the_tolerance_either_way() -> None:
    assert intersection(skews(*pair(tolerance=60)).values()) == closed(-60, 60)
    assert covers(closed(-60, 60), 60 * SECOND)
    assert not covers(closed(-60, 60), 60 * SECOND + 1)


def test_the_smaller_of_two_tolerances_limits_the_skew() -> None:
    assert intersection(skews(*pair(tolerance=600, other=20)).values()) == closed(-20, 20)


def test_no_skew_is_hitless_if_one_router_lacks_the_next_key() -> None:
    chain, peer = pair()
    found = skews(chain, replace(peer, keys=peer.keys[:1]))
    assert set(found.values()) == {()}


def test_rollovers_of_evenly_spaced_keys_are_computed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    chain, peer = pair(40, interval=86400)
    bounds = SkewBounds(chain, peer)
    computed = Mock(wraps=bounds._skews)
    monkeypatch.setattr(bounds, "_skews", computed)
    found = [intersection(bounds.of(rollover).values()) for rollover in rollovers(chain, peer)]
    assert found == [closed(-600, 600)] * 39
    assert computed.call_count == len(MIXES)


def test_intervals_are_closed_where_the_edge_itself_is_hitless() -> None:
    assert intervals_of([0, 10], lambda skew: 0 <= skew < 10) == (Interval(0, 10, low_closed=True),)
    assert intervals_of([0, 10], lambda skew: skew != 10) == (Interval(None, 10), Interval(10, None))
    assert intervals_of([0], lambda skew: skew == 0) == (Interval(0, 0, low_closed=True, high_closed=True),)
    assert intervals_of([0, 10], lambda skew: skew > 10 or skew < 0) == (Interval(None, 0), Interval(10, None))


def test_an_intersection_of_intervals_has_the_narrower_ends() -> None:
    half, whole = (Interval(0, 10, low_closed=True),), (Interval(0, 10, low_closed=True, high_closed=True),)
    assert intersection([half, whole, ALL]) == half
    assert intersection([half, (Interval(10, None, low_closed=True),)]) == ()


POLICY = st.tuples(st.sampled_from(Sending), st.sampled_from(Receiving))


@pytest.mark.parametrize("count", [2, 4])
@given(
    tolerance=st.integers(0, 900),
    other=st.integers(0, 900),
    late=st.integers(-800, 800),
    skew=st.integers(-3000, 3000),
    mix=st.tuples(POLICY, POLICY),
)  # fmt: skip
def test_a_skew_is_in_the_set_exactly_if_the_prediction_with_these_clocks_is_hitless(
    count: int, tolerance: int, other: int, late: int, skew: int, mix: Mix
) -> None:  # fmt: skip
    chain, peer = pair(count, tolerance=tolerance, other=other, late=late)
    sides = [
        Side(name, held, clock, *policy)
        for name, held, clock, policy in zip(
            ("R1", "R2"), (chain, peer), (Clock(), Clock(timedelta(seconds=skew))), mix, strict=True
        )
    ]
    begin, end = T0 + timedelta(seconds=max(0, -skew)), T0 + timedelta(hours=5)
    predicted = predict(sides[0], sides[1], begin, end).hitless
    bounds = SkewBounds(chain, peer)
    sets = [bounds.of(rollover, [mix])[mix] for rollover in rollovers(chain, peer)]
    inside = all(any(interval.holds(skew * SECOND) for interval in found) for found in sets)
    # With clocks further apart than two start-times, the prediction begins with other keys than those in use before.
    if abs(skew) < 900:
        assert inside == predicted


@st.composite
def chains(draw: st.DrawFn) -> tuple[Keychain, Keychain]:
    """Return two chains of a session: unevenly spaced, late on one side, with an id used twice or a mistyped secret."""
    count = draw(st.integers(2, 4))
    start, keys = T0 + timedelta(seconds=draw(st.integers(0, 2))), []
    for number in range(count):
        send = draw(st.sampled_from([2 * number + 1, 1]))
        keys.append(
            Key(number, Secret(f"s{number}"), start, "ao", send, 2 * number + 2, tcp_ao_option=True, algorithm=AES)
        )
        start += timedelta(seconds=draw(st.sampled_from([60, 1800, 1800, 3600])))
    one = Keychain("kc", tuple(keys), draw(st.sampled_from([0, 1, 600, 2000])))
    late = timedelta(seconds=draw(st.sampled_from([0, 0, 30])))
    mistyped = draw(st.sampled_from([None, None, 1]))
    other = [
        replace(
            key,
            start=known(key.start) + late if key.id == 1 else key.start,
            secret=Secret("other") if key.id == mistyped else key.secret,
        )
        for key in one.mirrored().keys
    ]
    return one, replace(one.mirrored(), keys=tuple(other), tolerance=draw(st.sampled_from([0, 600, 3600])))


SOME_MIXES = MIXES[::5]
"""In these mixes each policy is combined with itself and with others; all sixteen would take four times as long."""


@settings(max_examples=max(8, known(settings.default).max_examples // 5))
@given(st.lists(chains(), min_size=1, max_size=2))
def test_cached_skew_sets_equal_newly_computed_ones(
    pairs: list[tuple[Keychain, Keychain]],
) -> None:
    earlier: dict[Any, Any] = {}
    for one, other in pairs:
        # A year later the pattern is the same, so the cached sets are used.
        for years in (timedelta(), timedelta(days=365)):
            mine, theirs = (
                replace(chain, keys=tuple(replace(key, start=known(key.start) + years) for key in chain.keys))
                for chain in (one, other)
            )
            cached = SkewBounds(mine, theirs, earlier)
            for rollover in rollovers(mine, theirs):
                assert cached.of(rollover, SOME_MIXES) == SkewBounds(mine, theirs).of(rollover, SOME_MIXES)
