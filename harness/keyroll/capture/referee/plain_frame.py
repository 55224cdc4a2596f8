"""Read frames with the usual headers in one step, for the fast paths. All other frames go to the referee.

    plain = read(packet)       # None where anything is unusual
    message = mac_message(plain, packet.data, sne=0, include_options=True)

Usual headers are: IP directly after an untagged link header, IPv4 without options or IPv6 without extension headers, no
fragment, the whole segment in the frame, well-formed TCP options with one TCP-AO of 16 octets and no MD5.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from keyroll.capture.formats.link_types import ETHERNET, IPV4, IPV6, LINUX_SLL, LINUX_SLL2, RAW, RAW_BSD
from keyroll.capture.formats.packet import Packet
from keyroll.tcpao import MAC_LENGTH, sne_and_pseudo_header
from keyroll.tcpao.option import USUAL
from keyroll.tcpao.segment import PROTOCOL_TCP

LINKS: dict[int, tuple[int, int]] = {
    ETHERNET: (12, 14),
    LINUX_SLL: (14, 16),
    LINUX_SLL2: (0, 20),
    RAW: (0, 0),
    RAW_BSD: (0, 0),
    IPV4: (0, 0),
    IPV6: (0, 0),
}
"""Link type to two offsets in the frame: where templates begin (at the protocol field, or at the IP header if there is
none), and where the IP header begins."""
UNKNOWN = (0, 1 << 30)
"""For any other link type: longer than any frame, so no template matches."""
# Octets of headers without options (RFC 791, RFC 8200, RFC 9293).
V4_HEADER = 20
V6_HEADER = 40
_TCP_HEADER = 20
# EtherTypes of IPv4 and IPv6.
_PROTOCOLS = frozenset({b"\x08\x00", b"\x86\xdd"})
_V4 = struct.Struct("!2xH2xHxB2x4s4sHHIIBB")
"""Total length, fragment, protocol, addresses, ports, sequence and acknowledgement numbers, data offset, flags."""
_V6 = struct.Struct("!4xHBx16s16sHHIIBB")
"""Payload length, next header, then as in IPv4."""
# First octet of an IPv4 header without options; version of IPv6; IPv4's more-fragments bit and fragment offset.
_V4_FIRST = 0x45
_V6_FIRST = 6
_FRAGMENT = 0x3FFF
ZERO_MAC = bytes(MAC_LENGTH)
"""Stands for the MAC in the MAC's own input (RFC 5925 section 5.1)."""


class Plain(NamedTuple):
    """One segment in a frame. The first six fields are offsets in the frame, in octets; addresses are packed."""

    begin: int
    """Where templates begin (see `LINKS`)."""
    base: int
    """The IP header."""
    tcp: int
    """The TCP header."""
    mac_at: int
    """The MAC in the TCP-AO option."""
    payload: int
    """The end of the TCP header."""
    end: int
    """The end of the segment."""
    src: bytes
    dst: bytes
    sport: int
    dport: int
    seq: int
    ack: int
    flags: int
    key_id: int
    rnext_key_id: int
    mac: bytes


def read(packet: Packet) -> Plain | None:
    """Read a frame with the usual headers; None for any other."""
    data = packet.data
    begin, base = LINKS.get(packet.link, UNKNOWN)
    if len(data) < base + V4_HEADER + _TCP_HEADER or (base != begin and data[begin : begin + 2] not in _PROTOCOLS):
        return None
    if data[base] == _V4_FIRST:
        total, fragment, protocol, src, dst, sport, dport, seq, ack, offset, flags = _V4.unpack_from(data, base)
        if fragment & _FRAGMENT:
            return None
        tcp, end = base + V4_HEADER, base + total
    elif data[base] >> 4 == _V6_FIRST and len(data) >= base + V6_HEADER + _TCP_HEADER:
        total, protocol, src, dst, sport, dport, seq, ack, offset, flags = _V6.unpack_from(data, base)
        if not total:
            return None
        tcp = base + V6_HEADER
        end = tcp + total
    else:
        return None
    payload = tcp + (offset >> 4 << 2)
    if protocol != PROTOCOL_TCP or not tcp + _TCP_HEADER <= payload <= end <= len(data):
        return None
    usual = USUAL.match(data, tcp + _TCP_HEADER, payload)
    if usual is None:
        return None
    mac_at = usual.start(3)
    # Same as Plain(...), but faster.
    return tuple.__new__(
        Plain,
        (
            begin,
            base,
            tcp,
            mac_at,
            payload,
            end,
            src,
            dst,
            sport,
            dport,
            seq,
            ack,
            flags,
            data[mac_at - 2],
            data[mac_at - 1],
            data[mac_at : mac_at + MAC_LENGTH],
        ),
    )


def mac_message(plain: Plain, data: bytes, *, sne: int, include_options: bool) -> bytes:
    """Assemble the MAC's input, as `keyroll.tcpao.mac_input` does."""
    # The checksum (octets 16 and 17 of the TCP header) and the MAC count as zero.
    _, _, tcp, mac_at, payload, end, src, dst, *_ = plain
    pseudo = sne_and_pseudo_header(sne, src, dst, end - tcp)
    if include_options:
        before, after = data[tcp + 18 : mac_at], data[mac_at + MAC_LENGTH : end]
    else:
        before, after = data[tcp + 18 : tcp + 20] + data[mac_at - 4 : mac_at], data[payload:end]
    return b"".join((pseudo, data[tcp : tcp + 16], b"\0\0", before, ZERO_MAC, after))
