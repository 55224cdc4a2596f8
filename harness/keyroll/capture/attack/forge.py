"""Make forged frames from a signed one: what an attacker on the link can send without a key. Pure.

RFC 9293 section 3.1 (TCP header, checksum), RFC 5925 section 2.2 (the TCP-AO option); RFC 792, RFC 1191 section 4 and
RFC 4443 section 3 (ICMP errors).
"""

from __future__ import annotations

import random
import struct

from keyroll.capture.attack.recent_frames import SignedFrame
from keyroll.capture.formats.link_types import ETHERNET, ip_offset
from keyroll.errors import RunError
from keyroll.tcpao import (
    ACK,
    AO_LENGTH,
    MAC_LENGTH,
    RST,
    SEQUENCE_MASK,
    SYN,
    Segment,
    SegmentError,
    internet_checksum,
    parse_segment,
    with_checksum,
    with_options,
)
from keyroll.tcpao.option import FIXED_HEADER, KIND_AO

# IP version 4, IANA's protocol numbers of ICMP and ICMPv6.
_V4 = 4
_ICMP, _ICMP6 = 1, 58
_UNREACHABLE = {4: (3, 2), 6: (1, 4)}
"""Type and code of "protocol unreachable" (IPv4), "port unreachable" (IPv6): hard errors (RFC 1122, 4.2.3.9)."""
_TOO_BIG = {4: (3, 4, 552), 6: (2, 0, 1280)}
"""Type, code and MTU of "fragmentation needed" and "packet too big". The MTUs are the smallest that hosts accept:
Linux' net.ipv4.route.min_pmtu, and IPv6's minimum (RFC 8200 section 5)."""
_QUOTED = 48
"""Octets of the original packet that an ICMP error quotes: an IPv6 header, and `_TCP_QUOTED` octets of the TCP
header."""
_TCP_QUOTED = 8
"""The least that an ICMP error quotes of the TCP header, in octets (RFC 792): ports and sequence number."""
_MSS = b"\x02\x04\x05\xb4"
"""A SYN's usual option: MSS 1460."""
# The largest window without scaling (RFC 9293): a receiver never refuses a forged segment for its window.
_WINDOW = 65535
_FIN = 0x01
_EPHEMERAL = range(49152, 65536)
"""Ports that a client may open from (RFC 6335 section 6)."""


class ForgeError(RunError):
    """A frame is not a usable template for a forged one."""


def forge_rst(signed: SignedFrame, *, key_id: int | None, rng: random.Random) -> bytes:
    """Return a RST that continues the signed segment's sequence; with `key_id` it carries TCP-AO and a random MAC.

    Raises:
        ForgeError: the frame is not plain TCP over IPv4 or IPv6.
    """
    segment = _segment(signed.frame)
    option = b"" if key_id is None else _option(signed, key_id, rng)
    after = segment.seq + segment.payload_length + bool(segment.flags & SYN) + bool(segment.flags & _FIN)
    return _frame(segment, (segment.sport, segment.dport), after & SEQUENCE_MASK, segment.ack, RST | ACK, option)


def forge_syn(signed: SignedFrame, *, key_id: int | None = None, rng: random.Random) -> bytes:
    """Return a SYN from the peer's address and another port, to the session's well-known port.

    With `key_id` it carries TCP-AO and a random MAC, else no TCP-AO.

    Raises:
        ForgeError: the frame is not plain TCP over IPv4 or IPv6.
    """
    segment = _segment(signed.frame)
    ports = rng.choice(_EPHEMERAL), min(segment.sport, segment.dport)
    option = b"" if key_id is None else _option(signed, key_id, rng)
    return _frame(segment, ports, rng.randrange(1 << 32), 0, SYN, _MSS + option)


def forge_icmp(signed: SignedFrame, sent: SignedFrame, *, too_big: bool) -> bytes:
    """Return an ICMP error from the peer that quotes a genuine segment of the router.

    Args:
        signed: a frame that the router received from the peer; gives the Ethernet header.
        sent: a frame that the router sent, which the error quotes.
        too_big: "fragmentation needed" (IPv6: "packet too big") with a small MTU, instead of "unreachable".

    Raises:
        ForgeError: a frame is not plain TCP over IPv4 or IPv6.
    """
    segment, quoted = _segment(signed.frame), _segment(sent.frame)
    version = segment.version
    kind, code, mtu = _TOO_BIG[version] if too_big else (*_UNREACHABLE[version], 0)
    body = sent.frame[quoted.ip_offset :][: max(_QUOTED, quoted.ip_header_length + _TCP_QUOTED)]
    icmp = struct.pack("!BBHI", kind, code, 0, mtu) + body
    ip = bytearray(segment.ip_header)
    if version == _V4:
        ip[9], covered = _ICMP, icmp
    else:
        ip[6] = _ICMP6
        covered = segment.src + segment.dst + struct.pack("!II", len(icmp), _ICMP6) + icmp
    icmp = icmp[:2] + internet_checksum(covered + bytes(len(covered) % 2)).to_bytes(2, "big") + icmp[4:]
    return segment.buffer[: segment.ip_offset] + _ip(ip, version, len(icmp)) + icmp


def unknown_key_id(known: set[int]) -> int:
    """Return the highest KeyID that is not among the known ones, which must not be all 256."""
    return next(number for number in range(255, -1, -1) if number not in known)


def _option(signed: SignedFrame, key_id: int, rng: random.Random) -> bytes:
    return bytes((KIND_AO, AO_LENGTH, key_id, signed.rnext_key_id)) + rng.randbytes(MAC_LENGTH)


def _segment(frame: bytes) -> Segment:
    place = ip_offset(ETHERNET, frame)
    try:
        segment = None if place is None else parse_segment(frame, place)
    except SegmentError:
        segment = None
    if segment is None:
        raise ForgeError("cannot forge from this frame: not plain TCP over IPv4 or IPv6")
    return segment


def _frame(segment: Segment, ports: tuple[int, int], seq: int, ack: int, flags: int, options: bytes) -> bytes:
    """Return a frame with the link and IP headers of `segment`, this TCP header, and no payload."""
    fixed = struct.pack("!HHIIBBHHH", *ports, seq, ack, FIXED_HEADER // 4 << 4, flags, _WINDOW, 0, 0)
    tcp = with_checksum(with_options(fixed, options), segment.src, segment.dst)
    ip = _ip(bytearray(segment.ip_header), segment.version, len(tcp))
    return segment.buffer[: segment.ip_offset] + ip + tcp


def _ip(header: bytearray, version: int, payload: int) -> bytes:
    """Return an IP header with the length of its payload and, for IPv4, its checksum."""
    if version == _V4:
        header[2:4] = (len(header) + payload).to_bytes(2, "big")
        header[10:12] = b"\0\0"
        header[10:12] = internet_checksum(bytes(header)).to_bytes(2, "big")
    else:
        header[4:6] = payload.to_bytes(2, "big")
    return bytes(header)
