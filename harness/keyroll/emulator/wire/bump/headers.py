"""Change IP packets and TCP headers for the wire path (lengths, checksums, MSS, SACK), and find what frames carry.

All offsets count octets from the start of the buffer that is given. This module does not use keys.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from keyroll.tcpao import (
    AO_LENGTH,
    Segment,
    internet_checksum,
    join_options,
    split_options,
    with_checksum,
    with_options,
)

# Lengths in octets; EtherTypes of IEEE 802.3 and 802.1Q; protocol numbers and option kinds of IANA.
ETHERNET = 14
ETHERTYPE_IPV4 = 0x0800
ETHERTYPE_IPV6 = 0x86DD
VLAN_TYPES = frozenset({0x8100, 0x88A8, 0x9100})
VLAN_TAG = 4
TCP = 6
ICMP = 1
ICMP6 = 58
USUAL_START = b"\x01\x01\x08\x0a"
"""How an established connection's options begin in Linux: two NOPs and the timestamps."""
_FIXED = 20
_OPTIONS_MAX = 40
_KIND_MSS = 2
_KIND_SACK = 5
_SACK_BLOCK = 8
_V6_HEADER = 40
_V6_FRAGMENT = 44
_V6_EXTENSIONS = frozenset({0, 43, 60, 135, 139, 140})
_PORTS = struct.Struct("!HH")
# Types and codes that RFC 5925 section 7.8 names: ICMPv4 type 3 codes 2 to 4, ICMPv6 type 1 codes 1 and 4. ICMPv6
# "packet too big" (2, 0) is not in its list, but slows a session as ICMPv4's code 4 does.
_HARD_ERRORS = frozenset({(3, 2), (3, 3), (3, 4)})
_HARD_ERRORS_6 = frozenset({(1, 1), (1, 4), (2, 0)})


class Quoted(NamedTuple):
    """The TCP segment that an ICMP error quotes, as it was sent: packed addresses and ports."""

    src: bytes
    dst: bytes
    sport: int
    dport: int


def network_offset(frame: bytes | bytearray | memoryview, start: int, end: int) -> tuple[int, int]:
    """Return (EtherType, offset of the packet) after any VLAN tags of the Ethernet frame at `frame[start:end]`.

    (0, end) if the frame is too short.
    """
    place = start + ETHERNET - 2
    while place + 2 <= end:
        ethertype = frame[place] << 8 | frame[place + 1]
        if ethertype not in VLAN_TYPES:
            return ethertype, place + 2
        place += VLAN_TAG
    return 0, end


def rebuilt(segment: Segment, tcp: bytes) -> bytes | None:
    """Return the segment's IP packet with another TCP segment in it; None if it is too long for IP's length field."""
    header = segment.ip_header
    if header[0] >> 4 == 4:  # noqa: PLR2004 - the version
        length = len(header) + len(tcp)
        if length > 0xFFFF:  # noqa: PLR2004 - 16 bits of length
            return None
        head = b"".join((header[:2], length.to_bytes(2, "big"), header[4:10], b"\0\0", header[12:]))
        checksum = internet_checksum(head).to_bytes(2, "big")
        return b"".join((head[:10], checksum, head[12:], tcp))
    length = len(header) - _V6_HEADER + len(tcp)
    if length > 0xFFFF:  # noqa: PLR2004 - 16 bits of length
        return None
    return b"".join((header[:4], length.to_bytes(2, "big"), header[6:], tcp))


def with_room_for_ao(tcp: bytes) -> bytes:
    """Return the TCP segment without as many SACK blocks as TCP-AO needs room for; unchanged if it fits already.

    The first block is the most recent one and is removed last (RFC 2018 section 4). Other options are never removed: if
    they leave no room, signing refuses the segment.

    Raises:
        OptionError: the options are malformed.
    """
    offset = (tcp[12] >> 4) << 2
    if offset <= _FIXED + _OPTIONS_MAX - AO_LENGTH:
        return tcp
    row = tcp[_FIXED:offset]
    blocks = sum((len(option) - 2) // _SACK_BLOCK for option in split_options(row) if option[0] == _KIND_SACK)
    for kept in range(blocks - 1, -1, -1):
        options = [_fewer_blocks(option, kept) for option in split_options(row)]
        if sum(map(len, options)) + AO_LENGTH <= _OPTIONS_MAX:
            return with_options(tcp[:offset], _padded_as_usual(options)) + tcp[offset:]
    return tcp


def _fewer_blocks(option: bytes, kept: int) -> bytes:
    if option[0] != _KIND_SACK:
        return option
    length = 2 + kept * _SACK_BLOCK
    return bytes((_KIND_SACK, length)) + option[2:length] if kept else b""


def _padded_as_usual(options: list[bytes]) -> bytes:
    """Put NOPs before each option that needs them to end on a 4-octet boundary, as Linux does and expects."""
    usual = b"".join(b"\x01" * (-len(option) % 4) + option for option in options)
    return usual if len(usual) + AO_LENGTH <= _OPTIONS_MAX else join_options(options)


def with_lower_mss(header: bytes, by: int = AO_LENGTH) -> bytes:
    """Return the TCP header with its MSS option lowered, so that the router's kernel leaves room for TCP-AO.

    Unchanged without an MSS option: the defaults of 536 and 1220 octets leave enough room.

    Raises:
        OptionError: the options are malformed.
    """
    options = split_options(header[_FIXED:])
    if not any(option[0] == _KIND_MSS and len(option) == 4 for option in options):  # noqa: PLR2004 - kind, length, MSS
        return header
    place = _FIXED
    while header[place] != _KIND_MSS:
        place += 1 if header[place] == 1 else header[place + 1]
    lowered = max(0, int.from_bytes(header[place + 2 : place + 4], "big") - by)
    return header[: place + 2] + lowered.to_bytes(2, "big") + header[place + 4 :]


def finished(segment: Segment, header: bytes) -> bytes:
    """Return the segment's payload after another TCP header, with a new checksum."""
    return with_checksum(header + segment.payload, segment.src, segment.dst)


def packet_ends(buffer: bytes, start: int, end: int) -> tuple[bytes, bytes] | None:
    """Return the packed source and destination of an IP packet; None if it is too short to hold them."""
    if end - start < _FIXED:
        return None
    if buffer[start] >> 4 == 4:  # noqa: PLR2004 - the version
        return bytes(buffer[start + 12 : start + 16]), bytes(buffer[start + 16 : start + 20])
    if end - start < _V6_HEADER:
        return None
    return bytes(buffer[start + 8 : start + 24]), bytes(buffer[start + 24 : start + 40])


def quoted_by_error(buffer: bytes, start: int, end: int) -> Quoted | None:
    """Return the TCP segment that the packet quotes if it is an ICMP error of RFC 5925 section 7.8; else None."""
    version = buffer[start] >> 4 if end > start else 0
    if version == 4 and end - start >= _FIXED:  # noqa: PLR2004 - the version
        if buffer[start + 9] != ICMP:
            return None
        inner, errors = start + ((buffer[start] & 0x0F) << 2), _HARD_ERRORS
    elif version == 6 and end - start >= _V6_HEADER:  # noqa: PLR2004 - the version
        following, inner, _ = _after_extensions(buffer, start, end)
        if following != ICMP6:
            return None
        errors = _HARD_ERRORS_6
    else:
        return None
    if inner + 8 > end or (buffer[inner], buffer[inner + 1]) not in errors:
        return None
    return _quoted(buffer, inner + 8, end)


def hides_tcp_in_fragment(buffer: bytes, start: int, end: int) -> bool:
    """Return whether an IPv6 packet is a fragment whose transport header follows further extension headers.

    Such a fragment may carry TCP without naming it.
    """
    if end - start < _V6_HEADER or buffer[start] >> 4 != 6:  # noqa: PLR2004 - the version
        return False
    following, _, fragment = _after_extensions(buffer, start, end)
    return fragment and following in {TCP, _V6_FRAGMENT, *_V6_EXTENSIONS}


def _after_extensions(buffer: bytes, start: int, end: int) -> tuple[int, int, bool]:
    """Walk the IPv6 extension headers; return the next header's number, its offset, and whether this is a fragment."""
    following, place = buffer[start + 6], start + _V6_HEADER
    while place + 8 <= end and (following in _V6_EXTENSIONS or following == _V6_FRAGMENT):
        if following == _V6_FRAGMENT:
            if int.from_bytes(buffer[place + 2 : place + 4], "big") & 0xFFF9:
                return buffer[place], place + 8, True
            following, place = buffer[place], place + 8
        else:
            following, place = buffer[place], place + ((buffer[place + 1] + 1) << 3)
    return following, place, False


def _quoted(buffer: bytes, start: int, end: int) -> Quoted | None:
    ends = packet_ends(buffer, start, end)
    if ends is None:
        return None
    if buffer[start] >> 4 == 4:  # noqa: PLR2004 - the version
        protocol, inner = buffer[start + 9], start + ((buffer[start] & 0x0F) << 2)
    else:
        protocol, inner, _ = _after_extensions(buffer, start, end)
    if protocol != TCP or inner + 4 > end:
        return None
    return Quoted(*ends, *_PORTS.unpack_from(buffer, inner))
