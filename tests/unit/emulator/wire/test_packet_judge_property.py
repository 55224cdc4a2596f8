"""In any order of events, no protected segment is sent unsigned and none is accepted that was not sent.

Two packet judges are connected. Their kernels send any segment at any time; the link delivers, repeats, reorders,
damages and forges segments; session tables, clocks and processes change meanwhile.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from tests.unit.emulator.wire.conftest import Bench
from tests.unit.known import known
from tests.unit.segments import segment_of

from keyroll.keychain.model import Keychain
from keyroll.names import Algorithm, Receiving, Sending
from keyroll.tcpao import ACK, FIN, RST, SYN, parse_segment
from keyroll.tcpao.segment import Segment

sides = st.sampled_from([0, 1])
flag_sets = st.sampled_from([SYN, SYN | ACK, ACK, ACK | 0x08, FIN | ACK, RST, RST | ACK, 0, SYN | FIN, SYN | RST])
sequence = st.sampled_from([0, 1, 2, 1000, 1001, 1005, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF])
port_pairs = st.sampled_from([(40000, 179), (179, 40000), (179, 179), (40001, 179)])
option_sets = st.sampled_from(["none", "timestamps", "syn", "sack", "crowded"])
OPTIONS = {
    "none": b"",
    "timestamps": b"\x01\x01\x08\x0a" + bytes(8),
    "syn": b"\x02\x04\x05\xb4\x04\x02\x08\x0a" + bytes(8) + b"\x01\x03\x03\x07",
    "sack": b"\x01\x01\x08\x0a" + bytes(8) + b"\x01\x01\x05\x1a" + bytes(24),
    "crowded": b"\x63\x28" + bytes(38),
}
INSTANTS = [-1, 0, 60, 1499, 1500, 1800, 2099, 2100, 90_000]


def identity(segment: Segment) -> tuple[object, ...]:
    return (segment.src, segment.sport, segment.dport, segment.seq, segment.ack, segment.flags, segment.payload)


class JudgePair(RuleBasedStateMachine):
    bench: Any = None  # set by the fixture, because conftest modules are not imported

    def __init__(self) -> None:
        super().__init__()
        self.routers = self.bench.routers()
        self.specs = [self.bench.session(place) for place in range(2)]
        self.wire: list[tuple[int, bytes]] = []
        self.sent: set[tuple[object, ...]] = set()

    @initialize(sending=st.sampled_from(Sending), receiving=st.sampled_from(Receiving))
    def choose(self, sending: Sending, receiving: Receiving) -> None:
        for place in range(2):
            self.specs[place] = replace(self.specs[place], sending=sending, receiving=receiving)
            self.routers[place].protect(self.specs[place])

    @rule(side=sides, flags=flag_sets, ports=port_pairs, seq=sequence, ack=sequence, options=option_sets)
    def kernel_sends(self, side: int, flags: int, ports: tuple[int, int], seq: int, ack: int, options: str) -> None:
        packet = self.routers[side].segment(*ports, seq, ack, flags, OPTIONS[options], b"x" if flags & 0x08 else b"")
        signed = self.routers[side].out(packet)
        if signed is not None:
            ao = self.bench.ao(signed)
            assert ao is not None, "sent unsigned"
            assert ao.key_id in ((1, 3), (2, 4))[side]
            self.wire.append((side, signed))
            self.sent.add(identity(known(parse_segment(packet))))

    @rule(isns=st.sampled_from([(1000, 2000), (0xFFFFFFFE, 0x7FFFFFFF), (7, 0xFFFFFF00)]))
    def kernels_connect(self, isns: tuple[int, int]) -> None:
        """Open a connection and send 64 KiB of data each way, which often wraps the sequence numbers."""
        near, far = isns
        self.exchange(0, near, 0, SYN)
        self.exchange(1, far, near + 1, SYN | ACK)
        self.exchange(0, near + 1, far + 1, ACK)
        for step in (1, 40_000, 65_000):
            self.exchange(0, near + step, far + 1, ACK | 0x08, b"x")
            self.exchange(1, far + step, near + 1, ACK | 0x08, b"x")

    def exchange(self, side: int, seq: int, ack: int, flags: int, payload: bytes = b"") -> None:
        ports = (179, 40000) if side else (40000, 179)
        packet = self.routers[side].segment(*ports, seq, ack, flags, b"", payload)
        signed = self.routers[side].out(packet)
        if signed is None:
            return
        assert self.bench.ao(signed) is not None, "sent unsigned"
        self.wire.append((side, signed))
        self.sent.add(identity(known(parse_segment(packet))))
        self.arrive(side, signed)

    @rule(place=st.integers(0, 10**6))
    def link_delivers(self, place: int) -> None:
        if self.wire:
            side, packet = self.wire[place % len(self.wire)]
            self.arrive(side, packet)

    @rule(place=st.integers(0, 10**6), octet=st.integers(0, 10**6), bit=st.integers(0, 7))
    def link_damages(self, place: int, octet: int, bit: int) -> None:
        if not self.wire:
            return
        side, packet = self.wire[place % len(self.wire)]
        where = 20 + octet % (len(packet) - 20)
        if where in (36, 37):
            return  # the checksum, which is computed again
        damaged = bytearray(packet)
        damaged[where] ^= 1 << bit
        arrived = self.routers[1 - side].into(bytes(damaged))
        assert arrived is None or arrived == bytes(damaged), "a damaged segment was accepted"
        if arrived is not None:
            segment = segment_of(bytes(damaged))
            assert 179 not in (segment.sport, segment.dport)

    @rule(
        side=sides,
        flags=flag_sets,
        ports=port_pairs,
        seq=sequence,
        ack=sequence,
        ids=st.sampled_from([1, 2, 3, 4, 9, None]),
    )
    def attacker_forges(
        self, side: int, flags: int, ports: tuple[int, int], seq: int, ack: int, ids: int | None
    ) -> None:
        options = b"" if ids is None else bytes((29, 16, ids, ids)) + b"guess of MAC"
        forged = self.routers[1 - side].segment(*ports, seq, ack, flags, options)
        assert self.routers[side].into(forged) is None

    @rule(side=sides, variant=st.sampled_from(["both", "first", "second", "empty", "cmac", "removed and restored"]))
    def table_changes(self, side: int, variant: str) -> None:
        keys = {
            "first": [self.bench.key(0)],
            "second": [self.bench.key(1, 1800)],
            "cmac": [self.bench.key(0), self.bench.key(1, 1800, algorithm=Algorithm.AES_128_CMAC_96)],
            "empty": [],
        }.get(variant, [self.bench.key(0), self.bench.key(1, 1800)])
        chain = Keychain("chain", tuple(keys), tolerance=300)
        if variant == "removed and restored":
            self.routers[side].protect()
        spec = replace(self.specs[side], chain=chain if side == 0 else chain.mirrored())
        self.routers[side].protect(spec)

    @rule(side=sides, second=st.sampled_from(INSTANTS))
    def clock_is_set(self, side: int, second: int) -> None:
        self.routers[side].now = self.bench.T0 + second * self.bench.NS

    @rule(side=sides, seconds=st.sampled_from([1, 125, 250]))
    def time_passes(self, side: int, seconds: int) -> None:
        router = self.routers[side]
        router.mono += seconds * self.bench.NS
        router.judge.tick(router.now, router.mono)

    @rule(side=sides, kept=st.booleans())
    def process_restarts(self, side: int, kept: bool) -> None:
        old = self.routers[side]
        new = self.bench.Router(old.address, old.peer, now=old.now, mono=old.mono)
        new.protect(self.specs[side])
        if kept:
            new.judge.restore(old.judge.records(), new.now, new.mono)
        self.routers = tuple(new if place == side else self.routers[place] for place in range(2))

    @invariant()
    def the_status_can_be_read(self) -> None:
        for router in self.routers:
            router.status()

    def arrive(self, side: int, packet: bytes) -> None:
        arrived = self.routers[1 - side].into(packet)
        if arrived is not None:
            segment = segment_of(arrived)
            assert segment.scan().ao is None
            assert identity(segment) in self.sent


@pytest.fixture(scope="module")
def machine(bench: Bench) -> type[JudgePair]:
    JudgePair.bench = bench
    return JudgePair


def test_no_protected_segment_is_sent_unsigned_and_none_is_accepted_that_was_not_sent(machine: type[JudgePair]) -> None:
    case = machine.TestCase()
    # Each run has many steps, so half the default number of runs is enough to reach as many states.
    type(case).settings = settings(stateful_step_count=60, max_examples=known(settings.default).max_examples // 2)
    case.runTest()
