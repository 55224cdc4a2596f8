"""Sessions with a chosen ISN: the wire has it, both kernels keep their own, and segments verify across a wrap."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from tests.unit.emulator.wire.conftest import Bench
from tests.unit.segments import segment_of

from keyroll.emulator.wire.bump.packet_judge import PacketJudge
from keyroll.tcpao import ACK, FIN, RST, SYN, tcp_checksum
from keyroll.tcpao.segment import Segment

DATA = ACK | 0x08
WHOLE = 1 << 32
KERNEL_ISNS = (1000, 5_000_000)


@dataclass
class Ends:
    """Two kernels, each with its own next sequence number and the one received from the peer; index 0 opens."""

    bench: Any
    routers: tuple[Any, ...]
    own: list[int] = field(default_factory=lambda: list(KERNEL_ISNS))
    received: list[int] = field(default_factory=lambda: [0, 0])
    wire: list[bytes] = field(default_factory=list)

    def send(self, sender: int, flags: int, payload: bytes = b"", options: bytes = b"") -> tuple[Segment, Segment]:
        """Send and deliver a segment; return (segment on the wire, segment as it arrived)."""
        ports = (40000, 179) if sender == 0 else (179, 40000)
        ack = self.received[sender] if flags & ACK else 0
        packet = self.routers[sender].segment(*ports, self.own[sender], ack, flags, options, payload)
        sent = self.routers[sender].out(packet)
        assert sent is not None, self.routers[sender].dropped()
        self.wire.append(sent)
        arrived = self.routers[1 - sender].into(sent)
        assert arrived is not None, self.routers[1 - sender].dropped()
        segment = segment_of(arrived)
        assert tcp_checksum(segment.octets, segment.src, segment.dst) == int.from_bytes(segment.octets[16:18], "big")
        if flags & ACK:
            assert segment.ack == self.own[1 - sender]
        length = len(payload) + bool(flags & SYN) + bool(flags & FIN)
        self.own[sender] = (self.own[sender] + length) % WHOLE
        self.received[1 - sender] = (segment.seq + length) % WHOLE
        return segment_of(sent), segment

    def open(self) -> tuple[int, int]:
        first = self.send(0, SYN, options=self.bench.SYN_OPTIONS)[0]
        second = self.send(1, SYN | ACK, options=self.bench.SYN_OPTIONS)[0]
        self.send(0, ACK, options=self.bench.TIMESTAMPS)
        return first.seq, second.seq


def ends(bench: Bench, isns: tuple[int | None, int | None], *, family: int = 4, allow: bool = False) -> Ends:
    routers = bench.routers(family=family, allow=allow)
    for place, router in enumerate(routers):
        router.protect(replace(bench.session(place, family=family, allow=allow), isn=isns[place]))
    return Ends(bench, routers)


@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize("isns", [(WHOLE - 1, WHOLE - 30), (WHOLE - 30, None), (None, WHOLE - 1), (0, 7)])
def test_the_wire_shows_the_chosen_numbers_and_data_verifies_across_the_wrap(
    bench: Bench, family: int, isns: tuple[int | None, int | None]
) -> None:
    both = ends(bench, isns, family=family)
    assert both.open() == tuple(KERNEL_ISNS[i] if isn is None else isn for i, isn in enumerate(isns))
    begun = len(both.wire)
    for _ in range(5):
        for sender in (0, 1):
            sent, arrived = both.send(sender, DATA, b"twenty octets of it.", both.bench.TIMESTAMPS)
            assert arrived.payload == sent.payload == b"twenty octets of it."
    for sender, isn in enumerate(isns):
        if isn is not None and isn > WHOLE // 2:
            numbers = [segment_of(packet).seq for packet in both.wire[begun + sender :: 2]]
            assert min(numbers) < 100, "the numbers on the wire did not wrap"
    both.send(0, FIN | ACK)
    both.send(1, RST | ACK)


def test_a_repeated_syn_and_syn_ack_keep_their_number(bench: Bench) -> None:
    both = ends(bench, (WHOLE - 1, WHOLE - 2))
    for _ in range(2):
        both.own, both.received = list(KERNEL_ISNS), [0, 0]
        both.open()
    packets = [segment_of(packet).seq for packet in both.wire]
    assert packets == [WHOLE - 1, WHOLE - 2, 0] * 2


def test_a_new_connection_on_the_same_ports_begins_at_the_chosen_number_again(bench: Bench) -> None:
    both = ends(bench, (WHOLE - 1, None))
    both.open()
    both.send(0, FIN | ACK)
    both.own, both.received = [77_000, 88_000], [0, 0]
    assert both.open() == (WHOLE - 1, 88_000)
    both.send(0, DATA, b"x", both.bench.TIMESTAMPS)


def test_sack_blocks_arrive_with_the_kernels_numbers(bench: Bench) -> None:
    both = ends(bench, (WHOLE - 10, None))
    both.open()
    block = ((WHOLE - 10 + 41) % WHOLE).to_bytes(4, "big") + ((WHOLE - 10 + 61) % WHOLE).to_bytes(4, "big")
    _, arrived = both.send(1, ACK, options=both.bench.TIMESTAMPS + b"\x01\x01\x05\x0a" + block)
    kernels = (KERNEL_ISNS[0] + 41).to_bytes(4, "big") + (KERNEL_ISNS[0] + 61).to_bytes(4, "big")
    assert arrived.options[-8:] == kernels


def test_segments_to_a_peer_without_tcp_ao_have_valid_checksums_too(bench: Bench) -> None:
    both = ends(bench, (None, WHOLE - 1), allow=True)
    syn = both.routers[0].segment(40000, 179, KERNEL_ISNS[0], 0, SYN, both.bench.SYN_OPTIONS)
    assert both.routers[1].into(syn) is not None
    answer = both.routers[1].segment(179, 40000, KERNEL_ISNS[1], KERNEL_ISNS[0] + 1, SYN | ACK, b"")
    sent = segment_of(both.routers[1].out(answer))
    assert sent.seq == WHOLE - 1
    assert tcp_checksum(sent.octets, sent.src, sent.dst) == int.from_bytes(sent.octets[16:18], "big")


def test_a_successor_of_the_wire_process_continues_with_the_same_numbers(bench: Bench) -> None:
    isns = (WHOLE - 30, WHOLE - 40)
    both = ends(bench, isns)
    both.open()
    for place, router in enumerate(both.routers):
        records = router.judge.records()
        assert [record.shift for record in records] == [isns[place] - KERNEL_ISNS[place]]
        router.judge = PacketJudge(router.events.append)
        router.protect(replace(bench.session(place), isn=isns[place]))
        assert router.judge.restore(records, router.now, router.mono) == 1
    for sender in (0, 1, 0, 1):
        both.send(sender, DATA, bytes(30), both.bench.TIMESTAMPS)
