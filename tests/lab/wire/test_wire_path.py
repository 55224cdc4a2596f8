"""The wire path between two kernels' plain TCP sockets, judged from a capture of the link."""

from __future__ import annotations

from datetime import timedelta

import pytest

from harness.keychain.model import Algorithm

pytestmark = pytest.mark.lab
HALF_HOUR = timedelta(minutes=30)


def echo(near, far, octets=b"hello") -> None:
    """Send both ways; returns once both have arrived, so that each direction was acknowledged."""
    near.sendall(octets)
    assert read(far, len(octets)) == octets
    far.sendall(octets)
    assert read(near, len(octets)) == octets


def read(sock, length) -> bytes:
    found = b""
    while len(found) < length:
        part = sock.recv(length - len(found))
        assert part, "closed early"
        found += part
    return found


@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize("algorithm", list(Algorithm))
def test_a_session_rolls_from_key_0_to_key_1_and_every_segment_verifies(rig, tools, family, algorithm) -> None:
    chain = tools.chain(tools.key(0, algorithm=algorithm), tools.key(1, HALF_HOUR, algorithm=algorithm))
    rig.capture()
    for router, bump in enumerate(rig.bumps):
        bump.clock(tools.T0 + timedelta(minutes=1))
        bump.set(tools.session(router, chain, family=family))
    near, far = rig.joined(family)
    with near, far:
        echo(near, far)
        for bump in rig.bumps:
            bump.clock(tools.T0 + HALF_HOUR)
        echo(near, far)
        (connection,) = rig.bumps[0].status().connections
        assert (connection.out.key, connection.out.rolled, connection.in_.key, connection.in_.rolled) == (
            1,
            True,
            1,
            True,
        )
    sent = rig.sent(family)
    judge = tools.Judge(chain)
    keys = [judge.key_of(one) for one in sent]
    assert keys[0] == 0
    assert keys[-1] == 1
    assert keys == sorted(keys)
    assert rig.bumps[0].dropped() == rig.bumps[1].dropped() == {}
