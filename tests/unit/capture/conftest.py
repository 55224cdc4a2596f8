"""Build captures for tests: TCP conversations signed with TCP-AO packet by packet, and capture files of them."""

import struct
from dataclasses import dataclass, field
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import Any, Self

import pytest
from tests.unit.known import known

from keyroll.capture import Packet, Referee, Speaker, SpeakerBook, Verdict
from keyroll.capture.referee.judgement import Judgement
from keyroll.keychain.model import Key, Keychain
from keyroll.keychain.secret import Secret
from keyroll.names import Algorithm
from keyroll.tcpao import Algorithm as AoAlgorithm
from keyroll.tcpao import Mkt, Segment, parse_segment, sign_segment

START = datetime(2030, 1, 1, tzinfo=UTC)
SYN, ACK, RST, FIN, PSH = 2, 16, 4, 1, 8
TIMESTAMPS = b"\x01\x01\x08\x0a" + bytes(8)


def make_key(
    number: int,
    *,
    secret: str | bytes | None = None,
    send: int | None = None,
    recv: int | None = None,
    algorithm: Algorithm = Algorithm.HMAC_SHA_1_96,
    start: datetime = START,
    **more: bool,
) -> Key:
    return Key(
        id=number,
        secret=Secret(secret or f"secret of key {number}"),
        start=start,
        scheme="ao",
        send_id=2 * number + 1 if send is None else send,
        recv_id=2 * number + 2 if recv is None else recv,
        tcp_ao_option=True,
        algorithm=algorithm,
        **more,
    )


@dataclass
class End:
    """One end of a conversation; `seq` is the 64-bit sequence number of its next octet."""

    name: str
    address: str
    port: int
    chain: Keychain
    isn: int
    seq: int = 0
    sent: bool = False

    @property
    def packed(self) -> bytes:
        return ip_address(self.address).packed


@dataclass
class Talk:
    """A conversation of two ends on Ethernet; each `send` appends one packet to `packets`, 1 ms after the last."""

    near: End
    far: End
    packets: list[Any] = field(default_factory=list)
    time_ns: int = 1_900_000_000_000_000_000

    def other(self, end: End) -> End:
        return self.far if end is self.near else self.near

    def isns(self, end: End, flags: int) -> tuple[int, int]:
        """Return the ISNs (source, destination) of a segment of `end`; the destination's is 0 for a SYN."""
        return end.isn, (0 if flags & (SYN | ACK) == SYN else self.other(end).isn)

    def octets(
        self,
        end: End,
        flags: int = ACK,
        data: bytes = b"",
        *,
        key: int | None = 0,
        seq: int | None = None,
        ack: int | None = None,
        options: bytes = b"",
        rnext: int | None = None,
        isns: tuple[int, int] | None = None,
    ) -> bytes:
        """One IP packet, signed with `end`'s key of that number; `key=None` leaves it unsigned."""
        peer = self.other(end)
        seq = end.seq if seq is None else seq
        ack = (peer.seq if flags & ACK else 0) if ack is None else ack
        head = struct.pack(
            "!HHIIBBHHH",
            end.port,
            peer.port,
            seq & 0xFFFFFFFF,
            ack & 0xFFFFFFFF,
            (20 + len(options)) // 4 << 4,
            flags,
            1000,
            0,
            0,
        )
        tcp = head + options + data
        if key is not None:
            held = known(end.chain.key(key))
            send_id, recv_id = known(held.send_id), known(held.recv_id)
            mkt = Mkt("made", AoAlgorithm(held.effective_algorithm.value), known(held.secret).reveal(), send_id, 0)
            sisn, disn = isns or self.isns(end, flags)
            tcp = sign_segment(
                tcp,
                src=end.packed,
                dst=peer.packed,
                key=mkt.traffic_key(end.packed, peer.packed, end.port, peer.port, sisn, disn),
                sne=seq >> 32 & 0xFFFFFFFF,
                key_id=send_id,
                rnext_key_id=recv_id if rnext is None else rnext,
                include_options=held.include_options,
            )
        if len(end.packed) == 4:
            return struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(tcp), 0, 0, 1, 6, 0, end.packed, peer.packed) + tcp
        return struct.pack("!IHBB16s16s", 6 << 28, len(tcp), 6, 1, end.packed, peer.packed) + tcp

    def put(self, octets: bytes) -> Packet:
        """Append an IP packet as an Ethernet frame, 1 ms after the last packet."""
        kind = b"\x08\x00" if octets[0] >> 4 == 4 else b"\x86\xdd"
        frame = bytes(12) + kind + octets
        self.time_ns += 1_000_000
        packet = Packet(len(self.packets) + 1, self.time_ns, 1, frame, len(frame))
        self.packets.append(packet)
        return packet

    def send(self, end: End, flags: int = ACK, data: bytes = b"", **more: Any) -> Packet:
        packet = self.put(self.octets(end, flags, data, **more))
        if more.get("seq") is None:
            end.seq += len(data) + bool(flags & SYN) + bool(flags & FIN)
        return packet

    def open(self, *, key: int = 0, far_key: int | None = None) -> Self:
        """Send the three segments of a handshake."""
        self.near.seq, self.far.seq = self.near.isn, self.far.isn
        self.send(self.near, SYN, key=key)
        self.send(self.far, SYN | ACK, key=key if far_key is None else far_key)
        self.send(self.near, ACK, key=key)
        return self

    def exchange(self, *, key: int = 0, far_key: int | None = None, data: bytes = b"x" * 60) -> Self:
        """Send data in both directions; each end acknowledges the other."""
        far_key = key if far_key is None else far_key
        self.send(self.near, ACK | PSH, data, key=key)
        self.send(self.far, ACK | PSH, data, key=far_key)
        self.send(self.near, ACK, key=key)
        return self

    def book(self, *, near: Keychain | None = None, far: Keychain | None = None, **more: Any) -> SpeakerBook:
        return SpeakerBook(
            [
                Speaker("R1", frozenset({ip_address(self.near.address)}), near or self.near.chain, **more),
                Speaker("R2", frozenset({ip_address(self.far.address)}), far or self.far.chain, **more),
            ]
        )

    def segment(self, number: int) -> Segment:
        return known(parse_segment(self.packets[number - 1].data, 14))


def chain_of(*keys: Key, **more: Any) -> Keychain:
    return Keychain("chain", keys or (make_key(0), make_key(1)), **more)


def make_talk(
    *,
    chain: Keychain | None = None,
    far_chain: Keychain | None = None,
    v6: bool = False,
    isns: tuple[int, int] = (1000, 2000),
) -> Talk:
    chain = chain or chain_of()
    near, far = ("fd00::1", "fd00::2") if v6 else ("10.0.0.1", "10.0.0.2")
    return Talk(
        End("R1", near, 40000, chain, isns[0], isns[0]),
        End("R2", far, 179, far_chain or chain.mirrored(), isns[1], isns[1]),
    )


def pcap_octets(packets: list[Packet], *, order: str = "<", nanoseconds: bool = False, link: int = 1) -> bytes:
    magic = 0xA1B23C4D if nanoseconds else 0xA1B2C3D4
    parts = [struct.pack(f"{order}IHHiIII", magic, 2, 4, 0, 0, 262144, link)]
    for packet in packets:
        seconds, rest = divmod(known(packet.time_ns), 1_000_000_000)
        fraction = rest if nanoseconds else rest // 1000
        parts.append(struct.pack(f"{order}IIII", seconds, fraction, len(packet.data), packet.length) + packet.data)
    return b"".join(parts)


def judge(talk: Talk, book: SpeakerBook | None = None) -> list[Judgement]:
    """Return the referee's judgement of each packet; each must belong to a protected session."""
    referee = Referee(book or talk.book())
    return [known(referee.judge(packet)) for packet in talk.packets]


def verdicts(talk: Talk, book: SpeakerBook | None = None) -> list[Verdict]:
    return [judgement.verdict for judgement in judge(talk, book)]


class Maker:
    """The helpers of this module, which test modules get as the fixture `make`."""

    SYN, ACK, RST, FIN, PSH = SYN, ACK, RST, FIN, PSH
    START = START
    TIMESTAMPS = TIMESTAMPS
    key = staticmethod(make_key)
    chain = staticmethod(chain_of)
    talk = staticmethod(make_talk)
    pcap = staticmethod(pcap_octets)


@pytest.fixture(scope="session")
def make() -> type[Maker]:
    return Maker
