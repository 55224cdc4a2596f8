"""The predictions of `keyroll check` are compared with the lab: hitless, a key that does not take over, or drops."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

import pytest
from tests.lab.check.check_verdict import rollovers, texts_of
from tests.lab.check.lab_play import REASONS, ROUTERS, Seen, lines_of, play
from tests.lab.check.pairs import Drawn, drawn, drawn_for_skew
from tests.lab.conftest import NEEDS, _pair, plan

from keyroll.check.coming_rollovers import PredictedRollover
from keyroll.keychain.prediction import Gap
from pytest_keyroll.settings import pool_of

pytestmark = pytest.mark.lab
FIXED = (17, 34, 11)
"""Played in `make test`: two with drops, one without; each policy occurs on at least one side."""
SEEDS = 300
PLAYS_MOST = 3
"""A play that could not send enough data around an edge shows nothing and is repeated; a disagreement never is."""


def settings(pair: Drawn) -> dict[str, dict[str, str]]:
    return {
        router: {"sending": sending.value, "receiving": receiving.value}
        for router, (sending, receiving) in zip(ROUTERS, pair.mix, strict=True)
    }


def possible_gaps(found: list[PredictedRollover], pair: Drawn) -> list[Gap]:
    """Return the predicted gaps at which the first drop may be seen: up to the first that lasts, in order.

    A momentary gap (of a sender that changes keys when its peer asks for the next one) is seen only if the sender
    has data before the segment that asks arrives.
    """
    gaps = sorted({gap for predicted in found for gap in predicted.outcomes[pair.mix].gaps}, key=lambda gap: gap.begin)
    lasting = [gap.begin for gap in gaps if gap.begin < gap.end]
    return [gap for gap in gaps if not lasting or gap.begin <= lasting[0]]


def agree(pair: Drawn, found: list[PredictedRollover], seen: Seen) -> None:
    """Assert that the prediction and the lab agree about a pair. A failure does not say which of them is wrong."""
    possible = possible_gaps(found, pair)
    context = f"seed {pair.seed}, {pair.kind}, {pair.mix}: seen {seen}, predicted {possible}"
    if any(gap.begin < gap.end for gap in possible):
        assert seen.dropped, context
    expected = {
        (gap.begin, ROUTERS[int(gap.flow.receiver) - 1], REASONS[gap.flow.drop], gap.flow.key)
        for gap in possible
        if gap.flow.drop is not None
    }
    for one in seen.dropped:
        assert any((one.edge, one.receiver, one.reason, key) in expected for key in one.keys), context
    if seen.dropped:
        return
    predicted = pair.predicted()
    assert seen.keys == {router: [key for _, key in predicted.sent(router)] for router in ROUTERS}, context
    unmoved = {
        (ROUTERS[int(change.router) - 1], change.key)
        for predicted in found
        for change in predicted.outcomes[pair.mix].unmoved
    }
    assert all(key not in seen.keys[router] for router, key in unmoved), context
    if not possible:
        assert all(predicted.outcomes[pair.mix].hitless for predicted in found) == (not unmoved), context


@pytest.fixture
def played(tmp_path: Path, request: pytest.FixtureRequest) -> Callable[..., tuple[dict[str, str], Seen]]:
    """Return a function that plays a pair on a lab, and returns the committed texts with what was seen."""

    def run(pair: Drawn, *, skew: timedelta = timedelta()) -> tuple[dict[str, str], Seen]:
        unfit: object = None
        for _ in range(PLAYS_MOST):
            texts, seen = once(pair, skew)
            if not seen.unfit:
                return texts, seen
            unfit = seen.unfit
        pytest.skip(f"the machine was too busy: {unfit}")

    def once(pair: Drawn, skew: timedelta) -> tuple[dict[str, str], Seen]:
        pool = pool_of(request.config)
        with pool.lease(tmp_path / "evidence", settings(pair), needs=NEEDS, quiet=True) as lease, ExitStack() as stack:
            lab = _pair(lease.lab, stack)  # type: ignore[arg-type]
            plans = [plan(lease.lab.routers[router]) for router in ROUTERS]
            lines = {router: lines_of(pair, router, plans) for router in ROUTERS}
            for router in ROUTERS:
                lab.commit(router, lines[router])
            addresses = {one.name: str(one.ipv4.ip) for one in plans if one.ipv4 is not None}
            seen = play(lease.lab.name, pair, addresses, skew=skew)
        return {router: "".join(f"{line}\n" for line in lines[router]) for router in ROUTERS}, seen

    return run


@pytest.mark.parametrize("seed", FIXED)
def test_a_pair_of_configurations_behaves_as_check_predicts(
    played: Callable[..., tuple[dict[str, str], Seen]], seed: int
) -> None:
    pair = drawn(seed)
    texts, seen = played(pair)
    agree(pair, rollovers(pair, texts), seen)


def by_mix(seed: int) -> tuple[int, int]:
    """Return a sort key by which one seed of each mix of policies comes before the second one of any."""
    return seed % 16, seed


OTHERS: list[int] = sorted({*range(SEEDS)} - {*FIXED}, key=by_mix)


@pytest.mark.slow
@pytest.mark.parametrize("seed", OTHERS)
def test_three_hundred_pairs_behave_as_check_predicts(
    played: Callable[..., tuple[dict[str, str], Seen]], seed: int
) -> None:
    pair = drawn(seed)
    texts, seen = played(pair)
    agree(pair, rollovers(pair, texts), seen)


def bounds(pair: Drawn) -> tuple[timedelta, timedelta]:
    """Return the least and the greatest skew that `check` predicts to be hitless."""
    (predicted,) = rollovers(pair, texts_of(pair))
    (interval,) = predicted.skews[pair.mix]
    assert interval.low is not None
    assert interval.high is not None
    return timedelta(microseconds=interval.low), timedelta(microseconds=interval.high)


INSIDE = [("low", 2), ("middle", 0), ("high", -2)]
OUTSIDE = [("low", -2), ("high", 2), ("high", 12)]


def skewed(pair: Drawn, end: str, by: int) -> timedelta:
    low, high = bounds(pair)
    middle = timedelta(seconds=(low + high) // timedelta(seconds=2))
    return {"low": low, "middle": middle, "high": high}[end] + timedelta(seconds=by)


def test_segments_drop_two_seconds_beyond_the_skew_bound_and_not_two_seconds_inside(
    played: Callable[..., tuple[dict[str, str], Seen]],
) -> None:
    pair = drawn_for_skew(4)
    for end, by, hitless in (("high", -2, True), ("high", 2, False)):
        _, seen = played(pair, skew=skewed(pair, end, by))
        assert (not seen.dropped) == hitless, (pair.mix, end, by, seen)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize(
    ("end", "by", "hitless"), [*((*one, True) for one in INSIDE), *((*one, False) for one in OUTSIDE)]
)  # fmt: skip
def test_a_rollover_is_hitless_inside_the_predicted_skew_interval_and_not_outside(
    played: Callable[..., tuple[dict[str, str], Seen]], seed: int, end: str, by: int, hitless: bool
) -> None:
    pair = drawn_for_skew(seed)
    _, seen = played(pair, skew=skewed(pair, end, by))
    assert (not seen.dropped) == hitless, (pair.mix, seen)
    if hitless:
        assert seen.keys == {"R1": [0, 1], "R2": [0, 1]}
