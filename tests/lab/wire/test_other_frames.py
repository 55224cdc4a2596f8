"""Frames on the wire path besides plain protected segments: VLAN tags, fragments, bulk data, offloads."""

from __future__ import annotations

import socket
import struct
from datetime import timedelta
from functools import partial

import pytest
from tests.lab.wire.links import packet_socket
from tests.lab.wire.namespaces import Namespace
from tests.lab.wire.traffic import ip_packet, protect, transfer
from tests.lab.wire.two_routers import ADDRESSES, CONNECTED_SECONDS, Rig, until

from keyroll.tcpao import SYN, with_checksum

pytestmark = pytest.mark.lab
HALF_HOUR = timedelta(minutes=30)


def tagged(sock: socket.socket) -> bytes:
    """Receive the next frame of VLAN 42, and return it with the tag, which the kernel has removed from it."""
    sock.setsockopt(263, 8, 1)  # PACKET_AUXDATA
    sock.settimeout(CONNECTED_SECONDS)
    while True:
        frame, ancillary, _, _ = sock.recvmsg(2000, 100)
        if ancillary and ancillary[0][2][0] & 0x10 and struct.unpack_from("=H", ancillary[0][2], 16)[0] == 42:
            return frame[:12] + b"\x81\x00\x00\x2a" + frame[12:]


class TestOtherFrames:
    def test_a_protected_segment_behind_a_vlan_tag_is_signed_and_verified_and_keeps_its_tag(self, rig: Rig) -> None:
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

    def test_a_forged_segment_behind_vlan_tags_is_dropped(self, rig: Rig) -> None:
        """The kernel would accept it for the session on any VLAN: Linux takes its address on every interface."""
        protect(rig)
        first, second = (socket.inet_aton(address) for address in ADDRESSES[4])
        syn = with_checksum(struct.pack("!HHIIBBHHH", 40000, 179, 1, 0, 0x50, SYN, 512, 0, 0), first, second)
        ethernet = rig.headers(0)[:12]
        for tags in (b"", b"\x81\x00\x00\x2a", b"\x88\xa8\x00\x07\x81\x00\x00\x2a"):
            rig.inject(1, ethernet + tags + b"\x08\x00" + ip_packet(first, second, syn))
        until(lambda: rig.bumps[1].dropped() == {("in", "no-option"): 3}, "all three dropped")

    def test_udp_in_fragments_passes(self, rig: Rig) -> None:
        protect(rig)
        for family, kind in ((4, socket.AF_INET), (6, socket.AF_INET6)):
            near, far = (bump.inner.within(partial(socket.socket, kind, socket.SOCK_DGRAM)) for bump in rig.bumps)
            with near, far:
                far.bind((ADDRESSES[family][1], 646))
                far.settimeout(CONNECTED_SECONDS)
                near.sendto(bytes(4000), (ADDRESSES[family][1], 646))
                assert len(far.recv(5000)) == 4000

    def test_an_unprotected_connection_to_another_port_passes_in_bulk(self, rig: Rig) -> None:
        protect(rig)
        near, far = rig.joined(port=2222)
        with near, far:
            transfer(near, far, bytes(1 << 20))

    def test_segments_of_a_neighbour_with_offloads_on_are_verified(self, rig: Rig) -> None:
        """Such a neighbour sends partial checksums, and segments of up to 64 KiB, which must pass unchanged."""
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
                near = bump.inner.within(partial(socket.socket, socket.AF_INET, protocol))
                far = neighbour.within(partial(socket.socket, socket.AF_INET, protocol))
                with near, far:
                    near.settimeout(CONNECTED_SECONDS)
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
