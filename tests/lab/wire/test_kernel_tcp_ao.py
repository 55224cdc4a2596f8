"""The wire path against the TCP-AO of Linux (6.7 and newer, CONFIG_TCP_AO): kernel sockets on the other side.

If the host's kernel has no TCP-AO, `make kernel-peer` builds one that has, and `make test KERNEL_PEER=1` runs these
tests on it. R1 is the wire path with the chain; R2 is the kernel with the chain's mirror.
"""

from __future__ import annotations

import contextlib
import errno
import platform
import socket
import struct
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from tests.lab.wire import judging
from tests.lab.wire import kernel_sockets as kernel
from tests.lab.wire.judging import T0, Judge
from tests.lab.wire.links import held_syns
from tests.lab.wire.traffic import echo, read, transfer
from tests.lab.wire.two_routers import ADDRESSES, CONNECTED_SECONDS, PORT, Rig, until

from keyroll.keychain.model import Keychain
from keyroll.names import Algorithm, Receiving, Sending
from keyroll.tcpao import ACK, SYN

pytestmark = pytest.mark.lab

HALF_HOUR = timedelta(minutes=30)
OPENERS = ("wire path", "kernel")
SILENCE_SECONDS = 2.5
"""In this time a SYN is sent twice: a connection that is not established by then does not come up."""


@pytest.fixture(scope="module", autouse=True)
def kernel_with_tcp_ao() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as sock:
        try:
            sock.getsockopt(socket.IPPROTO_TCP, kernel.INFO, 48)
        except OSError as error:  # a kernel with TCP-AO raises another error, because the socket has no key
            if error.errno == errno.ENOPROTOOPT:
                pytest.skip(f"this kernel ({platform.release()}) has no TCP-AO: it needs 6.7 with CONFIG_TCP_AO")


class Pair:
    """R1's wire path with a chain, and R2's kernel with its mirror, on one connection at a time."""

    def __init__(self, rig: Rig) -> None:
        self.rig, (self.ours, self.theirs) = rig, rig.bumps
        self.chain = judging.chain(judging.key(0), judging.key(1, HALF_HOUR))
        self.family = 4

    def begin(
        self,
        chain: Keychain | None = None,
        *,
        family: int = 4,
        isn: int | None = None,
        sending: Sending = Sending.CLOCK,
    ) -> None:
        self.chain, self.family = chain or self.chain, family
        self.ours.clock(T0 + timedelta(minutes=1))
        session = judging.session(0, self.chain, family=family, sending=sending, receiving=Receiving.ANY)
        self.ours.set(replace(session, isn=isn))
        self.rig.capture()

    def given(self, sock: socket.socket, chain: Keychain | None = None, *, current: int | None = None) -> None:
        kernel.give(sock, chain or self.chain, ADDRESSES[self.family][0], current=current)

    def joined(
        self, opener: str, chain: Keychain | None = None, *, isn: int | None = None, timeout: float = CONNECTED_SECONDS
    ) -> tuple[socket.socket, socket.socket]:
        """Return both ends, R1's first.

        The kernel uses `chain` in place of the pair's, and the ISN `isn` if it is the opener.
        """
        kind = kernel.family_of(self.family)
        if opener == "kernel":
            with self.rig.listen(0, self.family) as listening:
                far = self.theirs.inner.socket(kind)
                with contextlib.ExitStack() as undo:
                    undo.callback(far.close)
                    self.given(far, chain, current=0)
                    if isn is not None:
                        kernel.begin_at(far, isn)
                    far.settimeout(timeout)
                    far.connect((ADDRESSES[self.family][0], PORT))
                    near, _ = listening.accept()
                    undo.pop_all()
        else:
            with self.rig.listen(1, self.family) as listening:
                self.given(listening, chain)
                near = self.rig.connect(0, self.family, timeout=timeout)
                far, _ = listening.accept()
        near.settimeout(timeout)
        far.settimeout(timeout)
        return near, far

    def keys(self, sender: int | None = None) -> list[int]:
        """Verify every segment on the link; return the keys of those of both ends, or of one (1: the kernel)."""
        judge = Judge(self.chain)
        judged = [(one.sender, judge.key_of(one)) for one in self.rig.sent(self.family)]
        return [key for who, key in judged if sender in (None, who)]

    def counted(self) -> dict[str, int]:
        return kernel.counters(self.theirs.inner)


def changes(keys: list[int]) -> list[int]:
    """Return the keys without repetitions of the key before."""
    return [key for place, key in enumerate(keys) if place == 0 or keys[place - 1] != key]


@pytest.fixture
def pair(rig: Rig) -> Pair:
    return Pair(rig)


@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize("algorithm", list(Algorithm))
@pytest.mark.parametrize("opener", OPENERS)
@pytest.mark.parametrize("sending", list(Sending))
def test_both_sides_roll_over_when_both_ask_for_the_next_key(
    pair: Pair, family: int, algorithm: Algorithm, opener: str, sending: Sending
) -> None:
    chain = judging.chain(judging.key(0, algorithm=algorithm), judging.key(1, HALF_HOUR, algorithm=algorithm))
    pair.begin(chain, family=family, sending=sending)
    near, far = pair.joined(opener)
    with near, far:
        echo(near, far)
        pair.ours.clock(T0 + HALF_HOUR)
        kernel.request(far, chain.keys[1])
        for _ in range(3):
            echo(near, far)
        (state,) = [one for one in pair.ours.status().connections if one.phase == "open"]
        assert (state.out.key, state.in_.key, state.out.rolled, state.in_.rolled) == (1, 1, True, True)
        state_of_r2 = kernel.info(far)
        assert (state_of_r2.current, state_of_r2.bad, state_of_r2.not_found) == (chain.keys[1].recv_id, 0, 0)
    assert sorted(set(pair.keys())) == [0, 1]
    assert pair.ours.dropped() == {}
    counted = pair.counted()
    assert counted["TCPAOGood"] > 5
    assert (counted["TCPAOBad"], counted["TCPAOKeyNotFound"]) == (0, 0)


@pytest.mark.parametrize("opener", OPENERS)
def test_the_kernel_follows_a_rollover_that_the_wire_path_asks_for(pair: Pair, opener: str) -> None:
    pair.begin()
    near, far = pair.joined(opener)
    with near, far:
        echo(near, far)
        pair.ours.clock(T0 + HALF_HOUR)
        for _ in range(3):
            echo(near, far)
        assert kernel.info(far).current == pair.chain.keys[1].recv_id
    assert sorted(set(pair.keys())) == [0, 1]
    assert pair.ours.dropped() == {}


@pytest.mark.parametrize("opener", OPENERS)
def test_the_wire_path_follows_a_rollover_that_the_kernel_asks_for_under_the_policy_rnext(
    pair: Pair, opener: str
) -> None:
    # Both keys have started: the peer's RNextKeyID decides which one is sent.
    chain = judging.chain(judging.key(0), judging.key(1, timedelta(seconds=1)))
    pair.begin(chain, sending=Sending.RNEXT)
    near, far = pair.joined(opener)
    with near, far:
        kernel.request(far, chain.keys[0])
        for _ in range(3):
            echo(near, far)
        (before,) = [one for one in pair.ours.status().connections if one.phase == "open"]
        kernel.request(far, chain.keys[1])
        for _ in range(3):
            echo(near, far)
        (after,) = [one for one in pair.ours.status().connections if one.phase == "open"]
        assert (before.out.key, after.out.key) == (0, 1)
    assert set(pair.keys()) == {0, 1}
    assert pair.ours.dropped() == {}


def test_a_key_that_the_kernel_deletes_and_gets_again_is_usable(pair: Pair) -> None:
    pair.begin()
    near, far = pair.joined("kernel")
    first, second = pair.chain.keys
    with near, far:
        echo(near, far)
        with pytest.raises(OSError, match="busy"):
            kernel.delete_key(far, first, ADDRESSES[4][0])
        pair.ours.clock(T0 + HALF_HOUR)
        kernel.request(far, second)
        for _ in range(3):
            echo(near, far)
        kernel.delete_key(far, first, ADDRESSES[4][0])
        echo(near, far)
        kernel.add_key(far, first, ADDRESSES[4][0])
        pair.ours.clock(T0 + timedelta(minutes=1))
        kernel.request(far, first)
        for _ in range(3):
            echo(near, far)
        assert kernel.info(far).bad == 0
    assert changes(pair.keys(sender=1)) == [0, 1, 0]
    assert pair.ours.dropped() == {}


@pytest.mark.parametrize("algorithm", list(Algorithm))
@pytest.mark.parametrize("opener", OPENERS)
def test_sequence_numbers_that_wrap_at_both_ends_are_signed_with_the_next_sne(
    pair: Pair, opener: str, algorithm: Algorithm
) -> None:
    pair.begin(judging.chain(judging.key(0, algorithm=algorithm)), isn=0xFFFFFF00)
    near, far = pair.joined(opener, isn=0xFFFFFE00)
    with near, far:
        transfer(near, far, bytes(range(256)) * 256)
        transfer(far, near, bytes(range(256)) * 256)
        state_of_r2 = kernel.info(far)
        assert (state_of_r2.bad, state_of_r2.not_found) == (0, 0)
    judge = Judge(pair.chain)
    sent = pair.rig.sent()
    assert {judge.key_of(one) for one in sent} == {0}, "the judge has its own SNE"
    wrapped = [one for one in sent if one.segment.seq < 1 << 20 and one.sender == 0]
    assert len(wrapped) > 10
    assert pair.ours.dropped() == {}


FIXED_IN = (99, 0)
"""The first release of Linux without this bug of listening sockets; none is known (docs/field-bugs.md)."""


@pytest.mark.xfail(
    tuple(int(part) for part in platform.release().split(".")[:2]) < FIXED_IN,
    reason=f"Linux {platform.release()}: a listener's child begins with a receive SNE of 0 (docs/field-bugs.md)",
    strict=True,
)
def test_a_listener_accepts_data_of_a_peer_whose_isn_is_the_last_number(pair: Pair) -> None:
    pair.begin(isn=0xFFFFFFFF)
    near, far = pair.joined("wire path", timeout=SILENCE_SECONDS)
    with near, far:
        echo(near, far)


@pytest.mark.parametrize("opener", OPENERS)
def test_both_sides_leave_out_options_that_the_mac_does_not_cover(pair: Pair, opener: str) -> None:
    pair.begin(judging.chain(judging.key(0, include_options=False)))
    near, far = pair.joined(opener)
    with near, far:
        echo(near, far)
    assert set(pair.keys()) == {0}
    assert pair.ours.dropped() == {}


@pytest.mark.parametrize("opener", OPENERS)
@pytest.mark.parametrize(
    ("other", "ours", "counter"),
    [
        ({"secret": "another secret"}, "bad-mac", "TCPAOBad"),
        ({"algorithm": Algorithm.AES_128_CMAC_96}, "bad-mac", "TCPAOBad"),
        ({"include_options": False}, "bad-mac", "TCPAOBad"),
        ({"send": 77, "recv": 78}, "unknown-keyid", "TCPAOKeyNotFound"),
    ],
    ids=["secret", "algorithm", "coverage", "ids"],
)
def test_a_mismatch_keeps_the_connection_down_and_is_counted(
    pair: Pair, opener: str, other: dict[str, Any], ours: str, counter: str
) -> None:
    pair.begin(judging.chain(judging.key(0)))
    before = pair.counted()[counter]
    with pytest.raises(OSError, match="timed out"):
        pair.joined(opener, judging.chain(judging.key(0, **other)), timeout=SILENCE_SECONDS)
    if opener == "kernel":
        until(lambda: ("in", ours) in pair.ours.dropped(), "the wire path has dropped the SYN")
    else:
        until(lambda: pair.counted()[counter] > before, "the kernel has dropped the SYN")


@pytest.mark.parametrize("who", ["wire path", "kernel"])
def test_an_abort_is_signed_and_accepted_by_the_other_side(pair: Pair, who: str) -> None:
    pair.begin()
    near, far = pair.joined("kernel")
    aborts, other = (near, far) if who == "wire path" else (far, near)
    with other:
        echo(near, far)
        aborts.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        aborts.close()
        with pytest.raises(ConnectionResetError):
            other.recv(1)
    assert pair.keys()[-1] == 0
    assert pair.ours.dropped() == {}


def test_the_kernel_accepts_an_rst_that_is_signed_with_a_source_isn_of_0(pair: Pair) -> None:
    """The wire path signs the RST to a SYN according to assumption W6; Linux verifies it while it awaits a SYN-ACK."""
    pair.begin()
    with kernel.within(pair.theirs.inner.socket(), CONNECTED_SECONDS) as far:
        pair.given(far, current=0)
        with pytest.raises(ConnectionRefusedError):
            far.connect((ADDRESSES[4][0], PORT))
    assert pair.keys() == [0, 0], "one SYN, and one RST: the kernel has not repeated the SYN"


def test_the_kernel_does_not_answer_a_signed_syn_to_a_closed_port(pair: Pair) -> None:
    pair.begin()
    with pytest.raises(TimeoutError):
        pair.rig.connect(0, timeout=SILENCE_SECONDS)
    assert {one.sender for one in pair.rig.sent()} == {0}


@pytest.mark.parametrize("opener", OPENERS)
@pytest.mark.parametrize("algorithm", list(Algorithm))
def test_a_lossy_link_loses_no_data(pair: Pair, opener: str, algorithm: Algorithm) -> None:
    pair.begin(judging.chain(judging.key(0, algorithm=algorithm)))
    pair.rig.link.loss, pair.rig.link.repeat, pair.rig.link.swap = 0.01, 0.01, 0.02
    near, far = pair.joined(opener)
    with near, far:
        transfer(near, far, bytes(range(256)) * 1024)
        transfer(far, near, bytes(range(256)) * 1024)
        assert kernel.info(far).bad == 0
    assert set(pair.keys()) == {0}
    assert pair.ours.dropped() == {}


def test_both_ends_open_at_once(pair: Pair) -> None:
    pair.begin()
    pair.rig.link.hold = []
    ends = []
    for router, bump in enumerate(pair.rig.bumps):
        sock = bump.inner.socket()
        sock.bind((ADDRESSES[4][router], PORT))
        if router == 1:
            pair.given(sock, current=0)
        sock.settimeout(0)
        assert sock.connect_ex((ADDRESSES[4][1 - router], PORT)) == errno.EINPROGRESS
        ends.append(sock)
    until(lambda: held_syns(pair.rig.link) == 2, "both SYNs are held")
    pair.rig.link.release()
    for sock in ends:
        sock.settimeout(CONNECTED_SECONDS)
    with ends[0], ends[1]:
        echo(ends[0], ends[1])
    sent = pair.rig.sent()
    judge = Judge(pair.chain)
    assert {judge.key_of(one) for one in sent} == {0}
    assert {one.sender for one in sent if one.segment.flags & (SYN | ACK) == SYN} == {0, 1}


@pytest.mark.parametrize("length", [1, 15, 16, 17, 64, 80])
@pytest.mark.parametrize("algorithm", list(Algorithm))
def test_secrets_of_every_length_that_linux_takes_give_the_same_traffic_keys(
    pair: Pair, algorithm: Algorithm, length: int
) -> None:
    pair.begin(judging.chain(judging.key(0, algorithm=algorithm, secret="x" * length)))
    near, far = pair.joined("kernel")
    with near, far:
        echo(near, far)
    assert set(pair.keys()) == {0}


def test_a_wire_path_that_is_killed_and_replaced_continues_its_connection_with_the_kernel(pair: Pair) -> None:
    pair.begin()
    near, far = pair.joined("kernel")
    with near, far:
        echo(near, far)
        records = pair.ours.client.records
        pair.ours.kill()
        far.sendall(b"while it was down")
        session = judging.session(0, pair.chain, receiving=Receiving.ANY)
        pair.ours.start([session], records)
        pair.ours.clock(T0 + timedelta(minutes=1))
        assert read(near, 17) == b"while it was down"
        pair.ours.clock(T0 + HALF_HOUR)
        for _ in range(3):
            echo(near, far)
        assert kernel.info(far).current == pair.chain.keys[1].recv_id


def test_a_chain_of_sixty_four_keys_rolls_over_to_each_of_them(pair: Pair) -> None:
    chain = judging.chain(*(judging.key(number, timedelta(hours=number)) for number in range(64)))
    pair.begin(chain)
    near, far = pair.joined("kernel")
    with near, far:
        for number in range(64):
            pair.ours.clock(T0 + timedelta(hours=number, minutes=1))
            for _ in range(2):
                echo(near, far)
    assert set(pair.keys()) == set(range(64))
    assert pair.ours.dropped() == {}
