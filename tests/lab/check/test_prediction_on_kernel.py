"""The predictions of `keyroll check` are compared with two sockets of Linux' own TCP-AO.

If the host's kernel has no TCP-AO, `make test KERNEL_PEER=1` runs these tests in a guest whose kernel has it.
"""

from __future__ import annotations

import errno
import platform
import socket

import pytest
from tests.lab.check.check_verdict import ROUTERS, rollovers, texts_of
from tests.lab.check.kernel_play import BAD, NOT_FOUND, Played, Unplayable, play
from tests.lab.check.pairs import Drawn, drawn
from tests.lab.wire import kernel_sockets as kernel

from keyroll.check.coming_rollovers import PredictedRollover
from keyroll.keychain.simulation import Drop

pytestmark = pytest.mark.lab
SEEDS = range(160)
"""Ten pairs of each mix of policies."""
PLAYED_LEAST = 120
"""The other pairs need what a socket does not have: two keys with one id, or a key that is sent but not accepted."""
REASONS = {
    Drop.UNKNOWN_KEYID: NOT_FOUND,
    Drop.TOO_EARLY: NOT_FOUND,
    Drop.TOO_LATE: NOT_FOUND,
    Drop.OTHER_SECRET: BAD,
    Drop.OTHER_ALGORITHM: BAD,
    Drop.OTHER_OPTIONS: BAD,
}
"""The kernel's counter for each reason: a key outside its window is one that the socket does not have."""


@pytest.fixture(scope="module", autouse=True)
def kernel_with_tcp_ao() -> None:
    with socket.socket() as sock:
        try:
            sock.getsockopt(socket.IPPROTO_TCP, kernel.INFO, 48)
        except OSError as error:  # any other error is TCP-AO's own: there is no key yet
            if error.errno == errno.ENOPROTOOPT:
                pytest.skip(f"this kernel ({platform.release()}) has no TCP-AO: it needs 6.7 with CONFIG_TCP_AO")


def agree(pair: Drawn, found: list[PredictedRollover], seen: Played) -> None:
    """Assert that the prediction and the kernel agree about a pair."""
    context = f"seed {pair.seed}, {pair.kind}, {pair.mix}: seen {seen}"
    outcomes = [predicted.outcomes[pair.mix] for predicted in found]
    gaps = [gap for outcome in outcomes for gap in outcome.gaps]
    first = min((gap.begin for gap in gaps), default=None)
    expected = {
        (gap.begin, ROUTERS[int(gap.flow.receiver) - 1], REASONS[gap.flow.drop], gap.flow.key)
        for gap in gaps
        if gap.begin == first and gap.flow.drop is not None
    }
    dropped = {(one.edge, one.receiver, one.reason, one.key) for one in seen.dropped}
    assert bool(dropped) == bool(expected), f"{context}, predicted {expected}"
    assert dropped <= expected, f"{context}, predicted {expected}"
    if expected:
        return
    assert seen.keys == {router: [key for _, key in pair.predicted().sent(router)] for router in ROUTERS}, context
    unmoved = {(ROUTERS[int(change.router) - 1], change.key) for outcome in outcomes for change in outcome.unmoved}
    assert all(key not in seen.keys[router] for router, key in unmoved), context
    assert all(outcome.hitless for outcome in outcomes) == (not unmoved), context


def test_the_kernel_behaves_on_pairs_of_configurations_as_check_predicts() -> None:
    played, dropped, unmoved = 0, set(), 0
    for pair in map(drawn, SEEDS):
        try:
            seen = play(pair)
        except Unplayable:
            continue
        found = rollovers(pair, texts_of(pair))
        agree(pair, found, seen)
        played += 1
        dropped |= {(pair.kind, one.reason) for one in seen.dropped}
        unmoved += any(outcome.unmoved and not outcome.gaps for one in found for outcome in one.outcomes.values())
    assert played >= PLAYED_LEAST
    # All that a kernel can show: keys that it does not have, wrong MACs, and keys that the peer never requests.
    assert {reason for _, reason in dropped} == {NOT_FOUND, BAD}
    assert len({kind for kind, _ in dropped}) >= 6
    assert unmoved >= 5
