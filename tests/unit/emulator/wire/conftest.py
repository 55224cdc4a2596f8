"""Hand-made segments, and two packet judges connected by a link on which tests can change packets."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any

import pytest
from tests.unit.segments import segment_of

from keyroll.emulator.contract.key_clock import NS, to_ns
from keyroll.emulator.wire.bump.live_connections import PASS
from keyroll.emulator.wire.bump.packet_judge import PacketJudge
from keyroll.emulator.wire.model import ProtectedSession, WireEvent, WireStatus
from keyroll.keychain.model import Key, Keychain
from keyroll.keychain.secret import Secret
from keyroll.names import Algorithm, Receiving, Sending
from keyroll.tcpao import ACK, RST, SYN, internet_checksum, with_checksum
from keyroll.tcpao.option import AoOption

START = datetime(2030, 1, 1, tzinfo=UTC)
T0 = to_ns(START)
HALF_HOUR = 1800 * NS
ADDRESSES = {4: ("10.0.12.1", "10.0.12.2"), 6: ("2001:db8::1", "2001:db8::2")}
MSS = b"\x02\x04\x05\xb4"
TIMESTAMPS = b"\x01\x01\x08\x0a" + bytes(8)
SYN_OPTIONS = MSS + b"\x04\x02" + b"\x08\x0a" + bytes(8) + b"\x01\x03\x03\x07"
DATA = ACK | 0x08


def ip_packet(src: bytes, dst: bytes, protocol: int, body: bytes) -> bytes:
    if len(src) == 4:
        head = struct.pack("!BBHHHBBH", 0x45, 0xC0, 20 + len(body), 7, 0x4000, 1, protocol, 0) + src + dst
        checksum = internet_checksum(head).to_bytes(2, "big")
        return head[:10] + checksum + head[12:] + body
    return struct.pack("!IHBB", 6 << 28, len(body), protocol, 1) + src + dst + body


def tcp_packet(  # noqa: PLR0917 - the order of the header
    src: bytes,
    dst: bytes,
    sport: int,
    dport: int,
    seq: int,
    ack: int,
    flags: int,
    options: bytes = b"",
    payload: bytes = b"",
) -> bytes:
    head = struct.pack(
        "!HHIIBBHHH", sport, dport, seq & 0xFFFFFFFF, ack & 0xFFFFFFFF, (20 + len(options)) << 2, flags, 512, 0, 0
    )
    return ip_packet(src, dst, 6, with_checksum(head + options + payload, src, dst))


@dataclass
class Router:
    """A packet judge with its clock, and the addresses of both ends."""

    address: bytes
    peer: bytes
    events: list[WireEvent] = field(default_factory=list)
    now: int = T0 + 60 * NS
    mono: int = 1_000 * NS

    def __post_init__(self) -> None:
        self.judge = PacketJudge(self.events.append)

    def out(self, packet: bytes) -> bytes | None:
        verdict = self.judge.outbound(packet, 0, len(packet), self.now, self.mono)
        return packet if verdict == PASS else verdict

    def into(self, packet: bytes) -> bytes | None:
        verdict = self.judge.inbound(packet, 0, len(packet), self.now, self.mono)
        return packet if verdict == PASS else verdict

    def protect(self, *sessions: ProtectedSession) -> None:
        self.judge.set_sessions(sessions, self.now)

    def segment(
        self, sport: int, dport: int, seq: int, ack: int, flags: int, options: bytes = b"", payload: bytes = b""
    ) -> bytes:
        return tcp_packet(self.address, self.peer, sport, dport, seq, ack, flags, options, payload)

    def dropped(self) -> dict[tuple[str, str], int]:
        return {(way.value, reason.value): count for (way, reason), count in self.judge.report.drops.items()}

    def status(self) -> WireStatus:
        return self.judge.status(self.now, self.mono, 0)


@dataclass
class TcpFlow:
    """A connection with the next sequence number of both kernels. R1 opens it from a high port to 179."""

    near: Router
    far: Router
    isns: tuple[int, int] = (1000, 5_000_000)
    sport: int = 40000
    dport: int = 179
    wire: list[bytes] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.next = [self.isns[0] + 1, self.isns[1] + 1]

    def carry(self, sender: int, packet: bytes) -> bytes | None:
        """Carry a packet from one router's kernel to the other's; None when it was dropped on the way."""
        ends = (self.near, self.far)
        sent = ends[sender].out(packet)
        if sent is None:
            return None
        self.wire.append(sent)
        return ends[1 - sender].into(sent)

    def syn(self) -> bytes:
        return self.near.segment(self.sport, self.dport, self.isns[0], 0, SYN, SYN_OPTIONS)

    def syn_ack(self) -> bytes:
        return self.far.segment(self.dport, self.sport, self.isns[1], self.isns[0] + 1, SYN | ACK, SYN_OPTIONS)

    def build(
        self, sender: int, payload: bytes = b"", flags: int = ACK, options: bytes = TIMESTAMPS, seq: int | None = None
    ) -> bytes:
        router = (self.near, self.far)[sender]
        ports = (self.sport, self.dport) if sender == 0 else (self.dport, self.sport)
        place = self.next[sender] if seq is None else seq
        return router.segment(*ports, place, self.next[1 - sender], flags, options, payload)

    def send(
        self, sender: int, payload: bytes = b"data", flags: int = DATA, options: bytes = TIMESTAMPS
    ) -> bytes | None:
        arrived = self.carry(sender, self.build(sender, payload, flags, options))
        if arrived is not None:
            self.next[sender] = (self.next[sender] + len(payload)) & 0xFFFFFFFF
        return arrived

    def open(self) -> TcpFlow:
        assert self.carry(0, self.syn()) is not None
        assert self.carry(1, self.syn_ack()) is not None
        assert self.send(0, b"", ACK) is not None
        return self


@dataclass(frozen=True)
class Bench:
    """Constants and builders for the tests of this folder: keys, chains, sessions, routers and flows."""

    T0 = T0
    NS = NS
    HALF_HOUR = HALF_HOUR
    ADDRESSES = ADDRESSES
    SYN_OPTIONS = SYN_OPTIONS
    TIMESTAMPS = TIMESTAMPS
    Flow = TcpFlow
    Router = Router
    ip_packet = staticmethod(ip_packet)
    tcp_packet = staticmethod(tcp_packet)

    def key(self, number: int, start: int = 0, **changes: Any) -> Key:
        """Return key `number`, starting `start` seconds after T0, with send-id 2n+1 and recv-id 2n+2."""
        plain = Key(
            id=number,
            secret=Secret(f"secret of key {number}"),
            start=START + timedelta(seconds=start),
            scheme="ao",
            send_id=2 * number + 1,
            recv_id=2 * number + 2,
            tcp_ao_option=True,
            algorithm=Algorithm.HMAC_SHA_1_96,
        )
        return replace(plain, **changes)

    def chain(self, *keys: Key, tolerance: int = 300) -> Keychain:
        return Keychain("chain", keys or (self.key(0), self.key(1, 1800)), tolerance=tolerance)

    def session(
        self,
        router: int,
        chain: Keychain | None = None,
        *,
        family: int = 4,
        port: int = 179,
        sending: Sending = Sending.CLOCK,
        receiving: Receiving = Receiving.TOLERANCE,
        allow: bool = False,
        local: IPv6Address | IPv4Address | None = None,
    ) -> ProtectedSession:
        """Return the session of R1 (0) or R2 (1); R2's chain is the mirror of R1's."""
        keys = self.chain() if chain is None else chain
        return ProtectedSession(
            peer=ip_address(ADDRESSES[family][1 - router]),
            port=port,
            chain=keys if router == 0 else keys.mirrored(),
            local=local,
            sending=sending,
            receiving=receiving,
            allow_without_ao=allow,
        )

    def routers(self, *, family: int = 4, **options: Any) -> tuple[Any, Any]:
        """Return both routers, protected; `options` are those of `session`."""
        first, second = (ip_address(text).packed for text in ADDRESSES[family])
        both = Router(first, second), Router(second, first)
        for place, router in enumerate(both):
            router.protect(self.session(place, family=family, **options))
        return both

    def flow(self, **options: Any) -> Any:
        return TcpFlow(*self.routers(**options))

    def ao(self, packet: bytes) -> AoOption | None:
        """Return the TCP-AO option of a packet, or None."""
        return segment_of(packet).scan().ao

    def refusal(self, flow: TcpFlow) -> bytes:
        """Return the RST with which R2's kernel answers R1's SYN if nothing listens."""
        return bytes(flow.far.segment(flow.dport, flow.sport, 0, flow.isns[0] + 1, RST | ACK))


@pytest.fixture(scope="session")
def bench() -> Bench:
    return Bench()
