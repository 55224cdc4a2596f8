from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyroll.check.rollovers import rollovers
from keyroll.check.skew import ALL, MIXES, Interval, SkewBounds, covers, intersection, intervals_of
from keyroll.keychain.generate import generate
from keyroll.keychain.prediction import Clock, Side, predict
from keyroll.keychain.simulation import SECOND
from keyroll.names import Receiving, Sending

T0 = datetime(2030, 1, 1, tzinfo=UTC)


def pair(count=2, *, tolerance=600, other=None, late=0, interval=1800):
    chain = generate(
        1, name="c", count=count, first=T0, tolerance=tolerance, interval=timedelta(seconds=interval)
    )  # fmt: skip
    peer = replace(chain.mirrored(), tolerance=tolerance if other is None else other)
    second = replace(peer.keys[1], start=peer.keys[1].start + timedelta(seconds=late))
    return chain, replace(peer, keys=(peer.keys[0], second, *peer.keys[2:]))


def skews(chain, peer, mixes=MIXES):
    first, *_ = rollovers(chain, peer)
    return SkewBounds(chain, peer).of(first, mixes)


def closed(low, high):
    return (Interval(low * SECOND, high * SECOND, low_closed=True, high_closed=True),)


def test_two_starts_900_s_apart_with_a_tolerance_of_600_need_300_to_1500_s_under_seven_mixes():
    found = skews(*pair(late=900))
    assert sum(intervals == closed(300, 1500) for intervals in found.values()) == 7
    assert intersection(found.values()) == closed(300, 1500)
    assert not covers(intersection(found.values()), SECOND)


def test_without_tolerance_no_skew_is_hitless_where_both_wait_for_a_request_and_have_windows():
    waiting = (Sending.RNEXT, Receiving.TOLERANCE)
    found = skews(*pair(tolerance=0))
    assert found[waiting, waiting] == ()
    following = (Sending.CLOCK, Receiving.TOLERANCE)
    assert found[following, following] == closed(0, 0)
    assert intersection(found.values()) == ()


def test_where_any_key_is_accepted_there_is_no_bound():
    found = skews(*pair())
    for mix, intervals in found.items():
        if {receiving for _, receiving in mix} == {Receiving.ANY}:
            assert intervals == ALL


def test_equal_starts_bear_a_skew_of_the_tolerance_both_ways():
    assert intersection(skews(*pair(tolerance=60)).values()) == closed(-60, 60)
    assert covers(closed(-60, 60), 60 * SECOND)
    assert not covers(closed(-60, 60), 60 * SECOND + 1)


def test_the_smaller_tolerance_of_the_two_decides():
    assert intersection(skews(*pair(tolerance=600, other=20)).values()) == closed(-20, 20)


def test_where_one_router_lacks_the_next_key_no_skew_is_hitless():
    chain, peer = pair()
    found = skews(chain, replace(peer, keys=peer.keys[:1]))
    assert set(found.values()) == {()}


def test_chains_with_regular_spacing_are_computed_once(monkeypatch):
    chain, peer = pair(40, interval=86400)
    bounds = SkewBounds(chain, peer)
    computed = []
    compute = bounds._skews
    monkeypatch.setattr(bounds, "_skews", lambda *args: computed.append(args) or compute(*args))
    found = [intersection(bounds.of(rollover).values()) for rollover in rollovers(chain, peer)]
    assert found == [closed(-600, 600)] * 39
    assert len(computed) == len(MIXES)


def test_intervals_are_closed_where_the_edge_itself_is_hitless():
    assert intervals_of([0, 10], lambda skew: 0 <= skew < 10) == (Interval(0, 10, low_closed=True),)
    assert intervals_of([0, 10], lambda skew: skew != 10) == (Interval(None, 10), Interval(10, None))
    assert intervals_of([0], lambda skew: skew == 0) == (Interval(0, 0, low_closed=True, high_closed=True),)
    assert intervals_of([0, 10], lambda skew: skew > 10 or skew < 0) == (Interval(None, 0), Interval(10, None))


def test_what_two_intervals_share_keeps_the_narrower_end():
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
def test_a_skew_is_in_the_set_when_the_prediction_with_such_clocks_is_hitless(
    count, tolerance, other, late, skew, mix
):  # fmt: skip
    chain, peer = pair(count, tolerance=tolerance, other=other, late=late)
    sides = [
        Side(name, held, clock, *policy)
        for name, held, clock, policy in zip(
            ("R1", "R2"), (chain, peer), (Clock(), Clock(timedelta(seconds=skew))), mix, strict=True
        )
    ]
    begin, end = T0 + timedelta(seconds=max(0, -skew)), T0 + timedelta(hours=5)
    predicted = predict(*sides, begin, end).hitless
    bounds = SkewBounds(chain, peer)
    sets = [bounds.of(rollover, [mix])[mix] for rollover in rollovers(chain, peer)]
    inside = all(any(interval.holds(skew * SECOND) for interval in found) for found in sets)
    # Where the clocks are further apart than two starts, what the prediction begins with is not what went before.
    if abs(skew) < 900:
        assert inside == predicted
