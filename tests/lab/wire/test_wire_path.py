"""The wire path between two kernels' plain TCP sockets, judged from a capture of the link."""

from __future__ import annotations

import errno
import hashlib
import socket
import struct
import subprocess
import sys
import threading
import time
from datetime import timedelta

import pytest

from harness.emulator.keyclock import ReceivePolicy, SendPolicy
from harness.emulator.wire.model import EventKind
from harness.keychain.model import Algorithm
from harness.keychain.secret import Secret
from harness.tcpao import ACK, RST, SYN, with_checksum
from tests.lab.wire import judging
from tests.lab.wire.judging import T0, Judge
from tests.lab.wire.links import packet_socket
from tests.lab.wire.namespaces import Namespace
from tests.lab.wire.rig import ADDRESSES, until

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
def test_a_session_rolls_from_key_0_to_key_1_and_every_segment_verifies(rig, family, algorithm) -> None:
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


def protect(rig, chain=None, **options) -> None:
    """Protect BGP between both routers, a minute after the first key's start."""
    for router, bump in enumerate(rig.bumps):
        bump.clock(T0 + timedelta(minutes=1))
        bump.set(judging.session(router, chain or judging.chain(judging.key(0)), **options))


def transfer(source, sink, octets: bytes) -> None:
    """Send octets through, and compare what arrives by its hash."""
    found = hashlib.sha256()
    failed: list[OSError] = []

    def send() -> None:
        try:
            source.sendall(octets)
        except OSError as error:
            failed.append(error)

    sending = threading.Thread(target=send)
    sending.start()
    left = len(octets)
    while left:
        part = sink.recv(min(left, 1 << 20))
        assert part, failed
        found.update(part)
        left -= len(part)
    sending.join()
    assert found.digest() == hashlib.sha256(octets).digest()


@pytest.mark.parametrize("algorithm", list(Algorithm))
def test_a_lossy_link_loses_no_data_and_no_segment_goes_unsigned(rig, algorithm) -> None:
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
    assert blocks, "a lossy link makes SACK blocks, and one has room"
    assert not rig.bumps[0].dropped()
    assert not rig.bumps[1].dropped()


def test_twelve_rollovers_in_a_row_under_load(rig) -> None:
    algorithms = list(Algorithm)
    chain = judging.chain(
        *(judging.key(n, timedelta(hours=n), algorithm=algorithms[n % 2]) for n in range(13)), tolerance=60
    )
    protect(rig, chain, sending=SendPolicy.RNEXT, receiving=ReceivePolicy.ANY)
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


def test_a_refused_connection_fails_at_once(rig) -> None:
    protect(rig)
    rig.capture()
    begun = time.monotonic()
    with pytest.raises(ConnectionRefusedError):
        rig.connect(0)
    assert time.monotonic() - begun < 0.9, "before the SYN is repeated"
    judge = Judge(judging.chain(judging.key(0)))
    assert [one.segment.flag_letters for one in rig.sent() if judge.key_of(one) == 0] == ["S", "R."]


def test_both_ends_open_at_once(rig) -> None:
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
    # ARP has to come through first; then both SYNs are held, and let go together.
    held_syns = set()
    deadline = time.monotonic() + 10
    while len(held_syns) < 2:
        assert time.monotonic() < deadline
        for target, frame in list(rig.link.hold):
            if frame[12:14] == b"\x08\x06":
                rig.link.hold.remove((target, frame))
                target.send(frame)
            elif frame[12:14] == b"\x08\x00":
                held_syns.add(target)
    rig.link.release()
    for sock in ends:
        sock.settimeout(10)
    with ends[0], ends[1]:
        echo(*ends)
    judge = Judge(judging.chain(judging.key(0)))
    sent = rig.sent()
    assert {judge.key_of(one) for one in sent} == {0}
    assert [one.sender for one in sent if one.segment.flags & (SYN | ACK) == SYN][:2] in ([0, 1], [1, 0])


def forged(rig, like, flags, *, options=b"", payload=b"") -> bytes:
    """A frame of R1 to R2 with the exact sequence numbers that `like`, R1's last segment, leads up to."""
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


def ip_packet(src, dst, tcp) -> bytes:
    ip = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(tcp), 1, 0x4000, 1, 6, 0) + src + dst
    total = sum(struct.unpack("!10H", ip))
    total = (total & 0xFFFF) + (total >> 16)
    return ip[:10] + struct.pack("!H", 0xFFFF ^ total) + ip[12:] + tcp


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
@pytest.mark.parametrize("flags", [RST, RST | ACK])
def test_a_forged_rst_with_the_right_sequence_number_is_dropped(rig, flags, options, reason) -> None:
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


def test_without_protection_the_same_rst_kills_the_connection(rig) -> None:
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


def test_everything_replayed_leaves_the_connection_alone(rig) -> None:
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


def test_an_unsigned_syn_gets_no_answer(rig) -> None:
    protect(rig)
    rig.bumps[0].set()
    with rig.listen(1), pytest.raises(TimeoutError):
        rig.connect(0, timeout=0.5)
    assert rig.bumps[1].dropped()["in", "no-option"] >= 1


def test_a_late_key_comes_back_by_retransmission(rig) -> None:
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


class TestTheProcess:
    def test_killed_and_replaced_with_its_records_it_carries_connections_on(self, rig) -> None:
        protect(rig, judging.chain(judging.key(0)))
        near, far = rig.joined()
        with near, far:
            echo(near, far)
            records = rig.bumps[0].client.records
            assert len(records) == 1
            rig.bumps[0].kill()
            near.sendall(b"while it was down")
            rig.bumps[0].start([judging.session(0, judging.chain(judging.key(0)))], records)
            rig.bumps[0].clock(T0 + timedelta(minutes=1))
            assert read(far, 17) == b"while it was down"
            echo(near, far)

    def test_replaced_without_records_it_signs_nothing_that_it_cannot(self, rig) -> None:
        protect(rig)
        near, far = rig.joined()
        with near, far:
            echo(near, far)
            rig.bumps[0].kill()
            rig.bumps[0].start([judging.session(0, judging.chain(judging.key(0)))])
            rig.bumps[0].clock(T0 + timedelta(minutes=1))
            near.sendall(b"x")
            until(lambda: ("out", "no-connection-state") in rig.bumps[0].dropped(), "segments held back")
            near.settimeout(0.3)
            far.settimeout(0.3)
            with pytest.raises(TimeoutError):
                far.recv(1)

    def test_its_control_sockets_end_ends_it(self, rig) -> None:
        bump = rig.bumps[0]
        rig.loop.run(bump.client.close())
        assert bump.process.wait(5) == 0

    def test_stop_ends_it(self, rig) -> None:
        bump = rig.bumps[0]
        rig.loop.run(bump.client.stop())
        assert bump.process.wait(5) == 0

    def test_a_missing_interface_is_one_sentence(self, rig) -> None:
        ours, theirs = socket.socketpair()
        command = [sys.executable, "-m", "harness.emulator.wire", "--control-fd", str(theirs.fileno())]
        with ours, theirs:
            process = rig.bumps[0].outer.popen(
                *command, "--pair", "h7:eth1", pass_fds=[theirs.fileno()], stderr=subprocess.PIPE
            )
            said = process.communicate(timeout=5)[1].decode()
        assert process.returncode == 2
        assert "h7" in said
        assert len(said.splitlines()) == 1

    def test_a_link_that_goes_down_and_up_is_survived(self, rig) -> None:
        protect(rig)
        near, far = rig.joined()
        with near, far:
            for interface in ("eth1", "h0"):
                rig.bumps[0].outer.run("ip", "link", "set", interface, "down")
                rig.bumps[0].outer.run("ip", "link", "set", interface, "up")
                echo(near, far)
        assert rig.bumps[0].process.poll() is None

    def test_an_interface_that_goes_ends_it_with_one_sentence(self, rig) -> None:
        rig.bumps[0].outer.run("ip", "link", "del", "eth1")
        assert rig.bumps[0].process.wait(5) == 2
        (said,) = [line for line in rig.bumps[0].log.read_text().splitlines() if "eth1" in line]
        assert said.startswith("wire: the interface eth1 ")

    def test_events_tell_the_connection_the_key_change_and_the_drop(self, rig) -> None:
        protect(rig, judging.chain(judging.key(0), judging.key(1, timedelta(minutes=30))))
        near, far = rig.joined()
        with near, far:
            echo(near, far)
            rig.bumps[0].clock(T0 + timedelta(minutes=30))
            rig.bumps[0].set(judging.session(0, judging.chain(judging.key(0), judging.key(1, timedelta(minutes=30)))))
            echo(near, far)
        kinds = [event.kind for event in rig.bumps[0].events]
        assert EventKind.CONNECTION in kinds
        assert EventKind.KEY_CHANGE in kinds


def tagged(sock) -> bytes:
    """Receive the next frame with VLAN tag 42, and return it with its tag in its place."""
    sock.setsockopt(263, 8, 1)  # PACKET_AUXDATA
    sock.settimeout(5)
    while True:
        frame, ancillary, _, _ = sock.recvmsg(2000, 100)
        if ancillary and ancillary[0][2][0] & 0x10 and struct.unpack_from("=H", ancillary[0][2], 16)[0] == 42:
            return frame[:12] + b"\x81\x00\x00\x2a" + frame[12:]


class TestOtherFrames:
    def test_a_vlan_tag_stays_on_and_a_protected_segment_behind_one_is_judged(self, rig) -> None:
        protect(rig)
        ends = rig.link_ends()
        kernels = [bump.inner.within(lambda: packet_socket("ge-0-0-0")) for bump in rig.bumps]
        first, second = (socket.inet_aton(address) for address in ADDRESSES[4])
        syn = with_checksum(struct.pack("!HHIIBBHHH", 40000, 179, 1, 0, 0x50, SYN, 512, 0, 0), first, second)
        packet = ip_packet(first, second, syn)
        ethernet = rig.headers(0)
        with kernels[0], kernels[1]:
            for payload in (b"\x08\x00" + packet, b"\x88\xb5" + b"no IP at all".ljust(46, b".")):
                kernels[0].send(ethernet[:12] + b"\x81\x00\x00\x2a" + payload)
                wire = tagged(ends[0])
                assert (len(wire) - 18 - len(packet) == 16) == (payload[:2] == b"\x08\x00"), "signed behind the tag"
                ends[1].send(wire)
                assert tagged(kernels[1])[16:] == payload
        assert rig.bumps[1].dropped() == {}
        assert rig.bumps[0].status().connections[0].phase == "opening"

    def test_udp_passes_in_fragments_too(self, rig) -> None:
        protect(rig)
        for family, kind in ((4, socket.AF_INET), (6, socket.AF_INET6)):
            near, far = (
                bump.inner.within(lambda kind=kind: socket.socket(kind, socket.SOCK_DGRAM)) for bump in rig.bumps
            )
            with near, far:
                far.bind((ADDRESSES[family][1], 646))
                far.settimeout(5)
                near.sendto(bytes(4000), (ADDRESSES[family][1], 646))
                assert len(far.recv(5000)) == 4000

    def test_an_unprotected_connection_to_another_port_passes_in_bulk(self, rig) -> None:
        protect(rig)
        near, far = rig.joined(port=2222)
        with near, far:
            transfer(near, far, bytes(1 << 20))

    def test_a_neighbour_whose_offloads_are_on_is_understood(self, rig) -> None:
        """The neighbour's kernel hands over partial checksums and segments of up to 64 KiB, which pass as they are."""
        bump = rig.bumps[0]
        neighbour = Namespace()
        try:
            bump.kill()
            bump.outer.run("ip", "link", "del", "eth1")
            bump.outer.run(
                "ip", "link", "add", "eth1", "type", "veth", "peer", "name", "e0", "netns", str(neighbour.pid)
            )
            bump.outer.run("ip", "link", "set", "eth1", "up")
            neighbour.run("ip", "link", "set", "e0", "up")
            neighbour.run("ip", "addr", "add", f"{ADDRESSES[4][1]}/30", "dev", "e0")
            bump.start()
            for protocol in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
                near = bump.inner.within(lambda kind=protocol: socket.socket(socket.AF_INET, kind))
                far = neighbour.within(lambda kind=protocol: socket.socket(socket.AF_INET, kind))
                with near, far:
                    near.settimeout(10)
                    near.bind((ADDRESSES[4][0], 2222))
                    if protocol == socket.SOCK_DGRAM:
                        far.sendto(b"hello", (ADDRESSES[4][0], 2222))
                        assert near.recv(10) == b"hello"
                    else:
                        near.listen()
                        far.connect((ADDRESSES[4][0], 2222))
                        accepted, _ = near.accept()
                        with accepted:
                            transfer(far, accepted, bytes(range(256)) * 4096)
                            transfer(accepted, far, bytes(range(256)) * 4096)
        finally:
            neighbour.end()


def test_wrong_secrets_meet_as_bad_macs_on_both_sides(rig) -> None:
    protect(rig)
    rig.bumps[1].set(judging.session(1, judging.chain(judging.key(0, secret=Secret("another").reveal_text()))))
    with rig.listen(1), pytest.raises(TimeoutError):
        rig.connect(0, timeout=0.5)
    assert rig.bumps[1].dropped().keys() == {("in", "bad-mac")}
