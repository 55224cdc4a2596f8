"""The set of hitless skews is compared with brute force: a second implementation of the rules, at each skew of a grid.

`skew.py` computes the set from the edges of windows, with the simulation that predictions use. This module uses
neither: it follows a rollover of two keys from instant to instant, by the rules of docs/assumptions/keychain.md.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyroll.check.rollovers import rollovers
from keyroll.check.skew import MIXES, Mix, SkewBounds, Skews
from keyroll.keychain.generate import generate
from keyroll.keychain.model import Keychain
from keyroll.names import Receiving, Sending

T0 = datetime(2030, 1, 1, tzinfo=UTC)
EPOCH = T0 - timedelta(seconds=60)
"""The first key's start-time: earlier than any skew of the grid could move an event."""


@dataclass(frozen=True)
class Hand:
    """Two keys on each side: when the second one starts on R1 and on R2, and both tolerances, all in milliseconds."""

    starts: tuple[int, int]
    tolerances: tuple[int, int]


CHAINS = (
    Hand((20_000, 20_000), (5_000, 5_000)),
    Hand((20_000, 20_000), (0, 0)),
    Hand((20_000, 20_000), (0, 5_000)),
    Hand((20_000, 29_000), (6_000, 6_000)),
    Hand((20_000, 23_000), (3_000, 3_000)),
    Hand((20_000, 24_000), (3_000, 3_000)),
    Hand((23_000, 20_000), (7_000, 2_000)),
    Hand((20_000, 21_000), (1_000, 4_000)),
    Hand((20_000, 28_000), (2_000, 9_000)),
    Hand((20_000, 20_000), (2_000, 11_000)),
)
"""Equal starts; tolerances that are zero or unequal; starts apart by less than, exactly and more than the tolerance,
with either router first."""


def chains_of(hand: Hand) -> tuple[Keychain, Keychain]:
    chain = generate(1, name="c", count=2, first=EPOCH, tolerance=0)
    found = []
    for held, start, tolerance in zip((chain, chain.mirrored()), hand.starts, hand.tolerances, strict=True):
        second = replace(held.keys[1], start=T0 + timedelta(milliseconds=start))
        found.append(replace(held, keys=(held.keys[0], second), tolerance=tolerance // 1000))
    return found[0], found[1]


def by_hand(hand: Hand, skew: int, mix: Mix) -> bool:
    """Say whether nothing is dropped and both second keys take over, with R2's clock `skew` ms ahead of R1's."""
    ahead = (0, skew)
    starts = [hand.starts[n] - ahead[n] for n in (0, 1)]
    opens = [hand.starts[n] - hand.tolerances[n] - ahead[n] for n in (0, 1)]
    closes = [hand.starts[n] + hand.tolerances[n] - ahead[n] for n in (0, 1)]

    def accepts(router: int, key: int, at: int) -> bool:
        if mix[router][1] is Receiving.ANY:
            return True
        return at >= opens[router] if key else at < closes[router]

    sent = [0, 0]
    # Between two edges nothing changes, so each edge and the instant after it are enough.
    edges = sorted({*starts, *opens, *closes})
    for at in (edges[0] - 1, *itertools.chain.from_iterable((edge, edge + 1) for edge in edges)):
        for router in (0, 1):
            if mix[router][0] is Sending.CLOCK:
                sent[router] = int(at >= starts[router])
        # Both routers send a segment at once, three times: a router follows a request (RNextKeyID) only in its next
        # segment, and only if it would accept the requested key itself.
        for _ in range(3):
            if not (accepts(1, sent[0], at) and accepts(0, sent[1], at)):
                return False
            wanted = [int(at >= starts[router]) for router in (0, 1)]
            sent = [
                wanted[1 - router]
                if mix[router][0] is Sending.RNEXT and accepts(router, wanted[1 - router], at)
                else sent[router]
                for router in (0, 1)
            ]
    return sent == [1, 1]


def holds(skews: Skews, milliseconds: int) -> bool:
    return any(interval.holds(milliseconds * 1000) for interval in skews)


def grid(hand: Hand) -> list[int]:
    """Return skews in milliseconds: each second, and a millisecond either side of each."""
    reach = abs(hand.starts[1] - hand.starts[0]) + sum(hand.tolerances) + 2_000
    return [around for second in range(-reach, reach + 1, 1_000) for around in (second - 1, second, second + 1)]


@pytest.mark.parametrize("hand", CHAINS, ids=str)
def test_the_set_of_hitless_skews_equals_the_one_that_brute_force_finds(hand: Hand) -> None:
    one, other = chains_of(hand)
    (rollover,) = rollovers(one, other)
    found = SkewBounds(one, other).of(rollover)
    for mix in MIXES:
        wrong = [skew for skew in grid(hand) if holds(found[mix], skew) != by_hand(hand, skew, mix)]
        assert not wrong, (mix, found[mix], wrong[:6])


@pytest.mark.slow
@given(
    starts=st.tuples(st.integers(10, 40), st.integers(10, 40)),
    tolerances=st.tuples(st.integers(0, 15), st.integers(0, 15)),
)
def test_the_set_of_any_two_chains_equals_the_one_that_brute_force_finds(
    starts: tuple[int, int], tolerances: tuple[int, int]
) -> None:
    hand = Hand((starts[0] * 1000, starts[1] * 1000), (tolerances[0] * 1000, tolerances[1] * 1000))
    test_the_set_of_hitless_skews_equals_the_one_that_brute_force_finds(hand)


def test_the_compared_skew_sets_include_empty_unbounded_and_open_ones_and_ones_without_zero() -> None:
    every: list[Any] = []
    for hand in CHAINS:
        one, other = chains_of(hand)
        (rollover,) = rollovers(one, other)
        every += SkewBounds(one, other).of(rollover).values()
    assert () in every
    assert any(skews and skews[0].low is None and skews[0].high is None for skews in every)
    assert any(skews and not holds(skews, 0) for skews in every)
    bounded = [interval for skews in every for interval in skews if None not in (interval.low, interval.high)]
    assert any(interval.low_closed and interval.high_closed for interval in bounded)
    assert any(not interval.low_closed and not interval.high_closed for interval in bounded)
