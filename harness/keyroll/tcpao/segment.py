"""Parse an IP packet that carries TCP; only the options are copied.

    segment = parse_segment(packet)               # bytes or memoryview that begins with the IP header
    segment = parse_segment(frame, 14, len(frame))

Returns None for packets of other protocols. Raises `SegmentError`, with a `defect`, when the IP header says TCP but the
packet cannot be parsed. Lengths come from the IP header, not from the frame, because Ethernet pads short frames.
"""

from __future__ import annotations

import enum
import struct
from typing import NamedTuple

from keyroll.errors import InputError
from keyroll.tcpao.option import FIXED_HEADER, OptionScan, scan_options

# Protocol number assigned by IANA.
PROTOCOL_TCP = 6

# TCP flags (RFC 9293 section 3.1).
FIN = 0x01
SYN = 0x02
RST = 0x04
PSH = 0x08
ACK = 0x10
URG = 0x20
_FLAG_LETTERS = ((SYN, "S"), (FIN, "F"), (RST, "R"), (PSH, "P"), (URG, "U"), (0x40, "E"), (0x80, "C"), (ACK, "."))

_IPV4 = struct.Struct("!BxHxxHxB2x4s4s")
_IPV6 = struct.Struct("!4xHBx16s16s")
_TCP = struct.Struct("!HHIIBBH")
# Octets of IP headers without options or extension headers, and versions of IP.
_IPV4_FIXED = 20
_IPV6_FIXED = 40
_V4 = 4
_V6 = 6
# RFC 8200 section 4: hop-by-hop, routing, destination options, and those that share their shape (RFC 6564).
_IPV6_EXTENSIONS = frozenset({0, 43, 60, 135, 139, 140})
_IPV6_FRAGMENT = 44
_IPV6_AUTH = 51
_FRAGMENT_MASK = 0x3FFF
"""IPv4: more-fragments bit and fragment offset."""
_FRAGMENT_MASK_6 = 0xFFF9
"""IPv6: fragment offset and more-fragments bit."""
_FRAGMENT_OFFSET = 0x1FFF
"""IPv4: fragment offset alone."""
_PORTS = struct.Struct("!HH")


class SegmentDefect(enum.Enum):
    """Why a packet cannot be parsed as one TCP segment."""

    NOT_IP = "the packet is neither IPv4 nor IPv6"
    IP_HEADER = "the IP header's lengths contradict each other"
    FRAGMENT = "the packet is an IP fragment"
    CUT = "the packet ends before its IP length says"
    TCP_HEADER = "the TCP header's data offset points outside the segment"


class SegmentError(InputError):
    """The IP header says TCP, but the packet cannot be parsed; `defect` says why."""

    def __init__(self, defect: SegmentDefect) -> None:
        super().__init__(defect.value)
        self.defect = defect


class Segment:
    """One TCP segment inside a buffer. Offsets count octets from the start of `buffer`.

    `src`, `dst`: packed addresses. `ip_offset`, `tcp_offset`, `payload_offset`, `end`: where the IP header, the TCP
    header and the payload begin, and where the segment ends (by the IP length). `options`: the TCP options.
    """

    __slots__ = (
        "ack",
        "buffer",
        "dport",
        "dst",
        "end",
        "flags",
        "ip_offset",
        "options",
        "payload_offset",
        "seq",
        "sport",
        "src",
        "tcp_offset",
        "window",
    )

    def __init__(self, buffer: bytes, ip_offset: int, tcp_offset: int, end: int, src: bytes, dst: bytes) -> None:
        self.buffer = buffer
        self.ip_offset = ip_offset
        self.tcp_offset = tcp_offset
        self.end = end
        self.src = src
        self.dst = dst
        sport, dport, seq, ack, offset, flags, window = _TCP.unpack_from(buffer, tcp_offset)
        self.sport: int = sport
        self.dport: int = dport
        self.seq: int = seq
        self.ack: int = ack
        self.flags: int = flags
        self.window: int = window
        self.payload_offset: int = tcp_offset + ((offset >> 4) << 2)
        self.options: bytes = bytes(buffer[tcp_offset + FIXED_HEADER : self.payload_offset])

    @property
    def version(self) -> int:
        """4 or 6."""
        return _V4 if len(self.src) == _V4 else _V6

    @property
    def ip_header_length(self) -> int:
        """Octets of IP header, with options and extension headers."""
        return self.tcp_offset - self.ip_offset

    @property
    def length(self) -> int:
        """Octets of TCP header and payload, by the IP length."""
        return self.end - self.tcp_offset

    @property
    def payload_length(self) -> int:
        """Octets of payload."""
        return self.end - self.payload_offset

    @property
    def ip_header(self) -> bytes:
        """The IP header, with options and extension headers."""
        return bytes(self.buffer[self.ip_offset : self.tcp_offset])

    @property
    def header(self) -> bytes:
        """The TCP header, with options."""
        return bytes(self.buffer[self.tcp_offset : self.payload_offset])

    @property
    def payload(self) -> bytes:
        """The payload."""
        return bytes(self.buffer[self.payload_offset : self.end])

    @property
    def octets(self) -> bytes:
        """The whole segment: TCP header, options, payload."""
        return bytes(self.buffer[self.tcp_offset : self.end])

    def scan(self) -> OptionScan:
        """Find TCP-AO and MD5 among the options.

        Raises:
            OptionError: the options are malformed.
        """
        return scan_options(self.options)

    @property
    def flag_letters(self) -> str:
        """The flags as tcpdump writes them: `S.`, `P.`, `R`; `none` without any."""
        return flag_letters(self.flags)


def flag_letters(flags: int) -> str:
    """Write TCP flags as tcpdump does: `S.`, `P.`, `R`; `none` without any."""
    return "".join(letter for bit, letter in _FLAG_LETTERS if flags & bit) or "none"


class Endpoints(NamedTuple):
    """Source and destination of a packet; ports are None if the packet does not hold them."""

    src: bytes
    dst: bytes
    sport: int | None
    dport: int | None


def peek_endpoints(buffer: bytes, start: int = 0) -> Endpoints | None:
    """Read addresses and ports of a TCP packet that `parse_segment` refused; None if it does not hold the addresses."""
    head = bytes(buffer[start : start + _IPV6_FIXED])
    version = head[0] >> 4 if head else 0
    if version == _V4 and len(head) >= _IPV4_FIXED:
        first, _, fragment, protocol, src, dst = _IPV4.unpack_from(head)
        if protocol != PROTOCOL_TCP:
            return None
        later = bool(fragment & _FRAGMENT_OFFSET)
        place = start + max((first & 0x0F) << 2, _IPV4_FIXED)
    elif version == _V6 and len(head) == _IPV6_FIXED:
        _, following, src, dst = _IPV6.unpack_from(head)
        later = following != PROTOCOL_TCP
        place = start + _IPV6_FIXED
        # After extension headers the ports stay unknown, except after the header of a first fragment.
        if following == _IPV6_FRAGMENT and len(buffer) >= place + 8:
            if buffer[place] != PROTOCOL_TCP:
                return None
            later = bool(int.from_bytes(buffer[place + 2 : place + 4], "big") & 0xFFF8)
            place += 8
    else:
        return None
    if later or len(buffer) < place + 4:
        return Endpoints(src, dst, None, None)
    sport, dport = _PORTS.unpack_from(buffer, place)
    return Endpoints(src, dst, sport, dport)


def may_carry_tcp(buffer: bytes, start: int = 0) -> bool:
    """Return whether the IP packet at `start`, truncated within its header, may carry TCP."""
    head = bytes(buffer[start : start + _IPV6_FIXED])
    version = head[0] >> 4 if head else _V4
    if version == _V4:
        return len(head) < _IPV4_FIXED and head[9:10] in {b"", b"\x06"}
    following = head[6] if len(head) > 6 else PROTOCOL_TCP  # noqa: PLR2004 -- offset of the next header's number
    known = following == PROTOCOL_TCP or following in {*_IPV6_EXTENSIONS, _IPV6_FRAGMENT, _IPV6_AUTH}
    return version == _V6 and len(head) < _IPV6_FIXED and known


def parse_segment(buffer: bytes, start: int = 0, end: int | None = None) -> Segment | None:
    """Parse the IP packet at `buffer[start:end]`; None for other protocols than TCP.

    Reads IPv4 with options and IPv6 with extension headers. Every fragment is an error, the first one too: it holds
    only a part of its segment.

    Raises:
        SegmentError: it cannot be read; `defect` says why.
    """
    limit = len(buffer) if end is None else end
    if limit - start < 1:
        raise SegmentError(SegmentDefect.CUT)
    version = buffer[start] >> 4
    if version == _V4:
        return _parse_v4(buffer, start, limit)
    if version == _V6:
        return _parse_v6(buffer, start, limit)
    raise SegmentError(SegmentDefect.NOT_IP)


def _parse_v4(buffer: bytes, start: int, limit: int) -> Segment | None:
    if limit - start < _IPV4_FIXED:
        raise SegmentError(SegmentDefect.CUT)
    first, total, fragment, protocol, src, dst = _IPV4.unpack_from(buffer, start)
    if protocol != PROTOCOL_TCP:
        return None
    header = (first & 0x0F) << 2
    # With segmentation offload a captured packet may have a total length of 0: use the frame's length instead.
    total = total or limit - start
    if header < _IPV4_FIXED or total < header:
        raise SegmentError(SegmentDefect.IP_HEADER)
    if fragment & _FRAGMENT_MASK:
        raise SegmentError(SegmentDefect.FRAGMENT)
    return _segment(buffer, start, start + header, start + total, limit, src, dst)


def _parse_v6(buffer: bytes, start: int, limit: int) -> Segment | None:
    if limit - start < _IPV6_FIXED:
        raise SegmentError(SegmentDefect.CUT)
    length, following, src, dst = _IPV6.unpack_from(buffer, start)
    place = start + _IPV6_FIXED
    end = place + length if length else limit
    while following != PROTOCOL_TCP:
        if following not in _IPV6_EXTENSIONS and following not in {_IPV6_FRAGMENT, _IPV6_AUTH}:
            return None
        if place + 8 > min(end, limit):
            raise SegmentError(SegmentDefect.CUT if end > limit else SegmentDefect.IP_HEADER)
        following_next: int = buffer[place]
        if following == _IPV6_FRAGMENT:
            if int.from_bytes(buffer[place + 2 : place + 4], "big") & _FRAGMENT_MASK_6:
                if following_next != PROTOCOL_TCP:
                    return None
                raise SegmentError(SegmentDefect.FRAGMENT)
            place += 8  # an atomic fragment (RFC 6946) is a whole packet
        elif following == _IPV6_AUTH:
            place += (buffer[place + 1] + 2) << 2
        else:
            # With segments left in a routing header, the final destination (which the pseudo header needs) is not the
            # header's destination address. Sessions between neighbours do not use such packets.
            place += (buffer[place + 1] + 1) << 3
        following = following_next
    return _segment(buffer, start, place, end, limit, src, dst)


def _segment(buffer: bytes, start: int, tcp: int, end: int, limit: int, src: bytes, dst: bytes) -> Segment:
    if tcp + FIXED_HEADER > end:
        raise SegmentError(SegmentDefect.TCP_HEADER if end <= limit else SegmentDefect.CUT)
    if end > limit:
        raise SegmentError(SegmentDefect.CUT)
    segment = Segment(buffer, start, tcp, end, src, dst)
    if not FIXED_HEADER <= segment.payload_offset - tcp <= end - tcp:
        raise SegmentError(SegmentDefect.TCP_HEADER)
    return segment
