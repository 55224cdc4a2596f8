"""The wire path between plain TCP sockets of two kernels; a capture of the link is judged."""

from __future__ import annotations

import errno
import struct
from datetime import timedelta

import pytest
from tests.lab.wire import judging
from tests.lab.wire.judging import T0, Judge
from tests.lab.wire.links import held_syns
from tests.lab.wire.traffic import echo, ip_packet, protect, read, transfer
from tests.lab.wire.two_routers import ADDRESSES, CONNECTED_SECONDS, Rig, until

from keyroll.keychain.secret import Secret
from keyroll.names import Algorithm, Receiving, Sending
from keyroll.tcpao import ACK, RST, SYN, Segment, with_checksum

pytestmark = pytest.mark.lab
HALF_HOUR = timedelta(minutes=30)
SLOW = pytest.mark.slow


@pytest.mark.parametrize(
    ("algorithm", "family"),
    [
        *zip(Algorithm, (4, 6), strict=True),
        *(pytest.param(algorithm, family, marks=SLOW) for algorithm, family in zip(Algorithm, (6, 4), strict=True)),
    ],
)
def test_a_session_rolls_from_key_0_to_key_1_and_every_segment_verifies(
    rig: Rig, family: int, algorithm: Algorithm
) -> None:
    chain = judging.chain(judging.key(0, algorithm=algorithm), judging.key(1, HALF_HOUR, algorithm=algorithm))
    rig.capture()
    for router, bump in enumerate(rig.bumps):
        bump.clock(T0 + timedelta(minutes=1))
        bump.set(judging.session(router, chain, family=family))
    near, far = rig.joined(family)
    with near, far:
        echo(near, far)
        for bump in rig.bumps:
            bump.clock(T0 + HALF_HOUR)
        echo(near, far)
        (connection,) = rig.bumps[0].status().connections
        assert (connection.out.key, connection.out.rolled, connection.in_.key, connection.in_.rolled) == (
            1,
            True,
            1,
            True,
        )
    sent = rig.sent(family)
    judge = Judge(chain)
    keys = [judge.key_of(one) for one in sent]
    assert keys[0] == 0
    assert keys[-1] == 1
    assert keys == sorted(keys)
    assert rig.bumps[0].dropped() == rig.bumps[1].dropped() == {}


@pytest.mark.parametrize("algorithm", [Algorithm.HMAC_SHA_1_96, pytest.param(Algorithm.AES_128_CMAC_96, marks=SLOW)])
def test_a_lossy_link_loses_no_data_and_no_segment_goes_unsigned(rig: Rig, algorithm: Algorithm) -> None:
    chain = judging.chain(judging.key(0, algorithm=algorithm))
    protect(rig, chain)
    rig.capture()
    rig.link.loss, rig.link.repeat, rig.link.swap = 0.01, 0.01, 0.02
    near, far = rig.joined()
    with near, far:
        transfer(near, far, bytes(range(256)) * 8192)
    sent = rig.sent()
    judge = Judge(chain)
    assert {judge.key_of(one) for one in sent} == {0}
    assert max(one.segment.length for one in sent) == 1480, "a full segment is a 1514-octet frame"
    blocks = [one for one in sent if b"\x05\x0a" in one.segment.options]
    assert blocks, "losses cause SACK blocks; one fits beside the TCP-AO option"
    assert not rig.bumps[0].dropped()
    assert not rig.bumps[1].dropped()


@pytest.mark.slow
def test_twelve_rollovers_in_a_row_under_load(rig: Rig) -> None:
    algorithms = list(Algorithm)
    chain = judging.chain(
        *(judging.key(n, timedelta(hours=n), algorithm=algorithms[n % 2]) for n in range(13)), tolerance=60
    )
    protect(rig, chain, sending=Sending.RNEXT, receiving=Receiving.ANY)
    rig.capture()
    near, far = rig.joined()
    with near, far:
        for number in range(1, 13):
            for bump in rig.bumps:
                bump.clock(T0 + timedelta(hours=number))
            transfer(near, far, bytes(1 << 18))
            echo(near, far)
            echo(near, far)
            for bump in rig.bumps:
                (state,) = bump.status().connections
                assert (state.out.key, state.in_.key, state.out.rolled, state.in_.rolled) == (
                    number,
                    number,
                    True,
                    True,
                )
    judge = Judge(chain)
    keys = [judge.key_of(one) for one in rig.sent()]
    assert sorted(set(keys)) == list(range(13))
    assert not rig.bumps[0].dropped()
    assert not rig.bumps[1].dropped()


def test_a_refused_connection_ends_with_a_signed_rst(rig: Rig) -> None:
    protect(rig)
    rig.capture()
    with pytest.raises(ConnectionRefusedError):
        rig.connect(0)
    judge = Judge(judging.chain(judging.key(0)))
    assert [one.segment.flag_letters for one in rig.sent() if judge.key_of(one) == 0] == ["S", "R."]


def test_both_ends_open_at_once(rig: Rig) -> None:
    protect(rig)
    rig.capture()
    rig.link.hold = []
    ends = []
    for router in (0, 1):
        sock = rig.bumps[router].inner.socket()
        sock.bind((ADDRESSES[4][router], 179))
        sock.settimeout(0)
        assert sock.connect_ex((ADDRESSES[4][1 - router], 179)) == errno.EINPROGRESS
        ends.append(sock)
    until(lambda: held_syns(rig.link) == 2, "both SYNs are held")
    rig.link.release()
    for sock in ends:
        sock.settimeout(CONNECTED_SECONDS)
    with ends[0], ends[1]:
        echo(ends[0], ends[1])
    judge = Judge(judging.chain(judging.key(0)))
    sent = rig.sent()
    assert {judge.key_of(one) for one in sent} == {0}
    assert [one.sender for one in sent if one.segment.flags & (SYN | ACK) == SYN][:2] in ([0, 1], [1, 0])


def forged(rig: Rig, like: Segment, flags: int, *, options: bytes = b"", payload: bytes = b"") -> bytes:
    """Return a frame from R1 to R2 with the sequence numbers that follow `like`, R1's last segment."""
    head = struct.pack(
        "!HHIIBBHHH",
        like.sport,
        like.dport,
        (like.seq + like.payload_length) & 0xFFFFFFFF,
        like.ack,
        (20 + len(options)) << 2,
        flags,
        512,
        0,
        0,
    )
    tcp = with_checksum(head + options + payload, like.src, like.dst)
    return rig.headers(0) + ip_packet(like.src, like.dst, tcp)


AO = b"\x1d\x10"


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (b"", "no-option"),
        (AO + b"\x01\x02" + bytes(12), "bad-mac"),
        (AO + b"\x63\x02" + bytes(12), "unknown-keyid"),
        (b"\x13\x12" + bytes(16) + b"\x01\x01", "md5-present"),
    ],
)
@pytest.mark.parametrize("flags", [pytest.param(RST, marks=SLOW), RST | ACK])
def test_a_forged_rst_with_the_right_sequence_number_is_dropped(
    rig: Rig, flags: int, options: bytes, reason: str
) -> None:
    protect(rig)
    rig.capture()
    near, far = rig.joined()
    with near, far:
        echo(near, far)
        near.sendall(b"x")
        assert far.recv(1) == b"x"
        last = [one.segment for one in rig.sent() if one.sender == 0][-1]
        rig.inject(1, forged(rig, last, flags, options=options))
        until(lambda: rig.bumps[1].dropped() == {("in", reason): 1}, "the forged RST dropped")
        echo(near, far)


def test_without_protection_the_same_rst_resets_the_connection(rig: Rig) -> None:
    rig.capture()
    near, far = rig.joined()
    with near, far:
        echo(near, far)
        near.sendall(b"x")
        assert far.recv(1) == b"x"
        last = [one.segment for one in rig.sent() if one.sender == 0][-1]
        rig.inject(1, forged(rig, last, RST))
        with pytest.raises(ConnectionResetError):
            far.recv(1)


def test_a_replay_of_the_whole_connection_does_not_affect_it(rig: Rig) -> None:
    protect(rig)
    rig.capture()
    near, far = rig.joined()
    with near, far:
        for _ in range(5):
            echo(near, far)
        ethernet = rig.headers(0)
        for one in rig.sent():
            if one.sender == 0:
                segment = one.segment
                rig.inject(1, ethernet + segment.ip_header + segment.octets)
        for _ in range(5):
            echo(near, far)


def test_an_unsigned_syn_gets_no_answer(rig: Rig) -> None:
    protect(rig)
    rig.bumps[0].set()
    with rig.listen(1), pytest.raises(TimeoutError):
        rig.connect(0, timeout=0.5)
    until(lambda: rig.bumps[1].dropped().keys() == {("in", "no-option")}, "the SYN is dropped")


def test_a_connection_recovers_by_retransmission_once_the_late_key_starts(rig: Rig) -> None:
    early = judging.chain(judging.key(0), judging.key(1, timedelta(minutes=30)))
    protect(rig, early)
    rig.bumps[1].set(judging.session(1, judging.chain(judging.key(0))))
    near, far = rig.joined()
    with near, far:
        echo(near, far)
        for bump in rig.bumps:
            bump.clock(T0 + timedelta(minutes=30))
        near.sendall(b"late")
        until(lambda: ("in", "unknown-keyid") in rig.bumps[1].dropped(), "the new key's segments dropped")
        rig.bumps[1].set(judging.session(1, early))
        assert read(far, 4) == b"late"
        echo(near, far)


def test_a_syn_that_is_signed_with_another_secret_is_dropped_as_bad_mac(rig: Rig) -> None:
    protect(rig)
    rig.bumps[1].set(judging.session(1, judging.chain(judging.key(0, secret=Secret("another").reveal_text()))))
    with rig.listen(1), pytest.raises(TimeoutError):
        rig.connect(0, timeout=0.5)
    until(lambda: rig.bumps[1].dropped().keys() == {("in", "bad-mac")}, "the SYN is dropped")
