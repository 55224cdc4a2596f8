"""Where the IP header begins in a captured frame, by its link type (the LINKTYPE_ registry of tcpdump.org)."""

from __future__ import annotations

# Link types, by the registry's numbers.
NULL = 0
ETHERNET = 1
RAW_BSD = 12
RAW_OPENBSD = 14
RAW = 101
LOOP = 108
LINUX_SLL = 113
JUNIPER_ETHER = 178
"""Captures that a Junos router writes (`monitor traffic interface … write-file`); see `_juniper_header`."""
IPV4 = 228
IPV6 = 229
LINUX_SLL2 = 276

KNOWN = frozenset({NULL, ETHERNET, RAW_BSD, RAW_OPENBSD, RAW, LOOP, LINUX_SLL, JUNIPER_ETHER, IPV4, IPV6, LINUX_SLL2})
NAMES = "Ethernet, Linux cooked v1 and v2, raw IP, BSD loopback, Juniper Ethernet"

_RAWS = frozenset({RAW, RAW_BSD, RAW_OPENBSD, IPV4, IPV6})
# Offset of the EtherType, and length of the link header, in octets; EtherTypes of IP, of VLAN tags and of MPLS.
_PROTOCOL_AT = {ETHERNET: 12, LINUX_SLL: 14, LINUX_SLL2: 0}
_HEADER = {ETHERNET: 14, LINUX_SLL: 16, LINUX_SLL2: 20}
_IP = frozenset({0x0800, 0x86DD})
_VLAN = frozenset({0x8100, 0x88A8, 0x9100, 0x9200})
_MPLS = frozenset({0x8847, 0x8848})
_LOOP_HEADER = 4
"""Octets of the address family before the IP packet on BSD loopback interfaces."""

# Juniper's header (libpcap, gencode.c): magic, and the flags "no layer-2 header" and "extensions".
_JUNIPER_MAGIC = b"MGC"
_JUNIPER_NO_L2 = 0x02
_JUNIPER_EXTENSIONS = 0x80
_JUNIPER_FAMILY = 4
"""Octets of the address family, which precedes the IP packet if there is no layer-2 header."""


def ip_offset(link: int, frame: bytes) -> int | None:
    """Return where the IP header begins (after VLAN tags and MPLS labels), or None when the frame carries no IP."""
    if link in _RAWS:
        return 0
    start = 0
    if link == JUNIPER_ETHER:
        start, has_l2 = _juniper_header(frame)
        if not has_l2:
            return start if frame[start : start + 1] and frame[start] >> 4 in {4, 6} else None
        link = ETHERNET
    header = _HEADER.get(link)
    if header is None:
        return _LOOP_HEADER if link in {NULL, LOOP} and len(frame) > _LOOP_HEADER else None
    place, at = start + header, start + _PROTOCOL_AT[link]
    protocol = int.from_bytes(frame[at : at + 2], "big")
    while protocol in _VLAN:
        protocol = int.from_bytes(frame[place + 2 : place + 4], "big")
        place += 4
    if protocol in _MPLS:
        return _after_labels(frame, place)
    return place if protocol in _IP and place < len(frame) else None


def cut_before_ip(link: int, frame: bytes) -> bool:
    """For a frame without an `ip_offset`: return whether it is too short to show that it carries no IP."""
    if link in _RAWS:
        return not frame
    if link in {NULL, LOOP}:
        return len(frame) <= _LOOP_HEADER
    start = 0
    if link == JUNIPER_ETHER:
        start, has_l2 = _juniper_header(frame)
        if not has_l2 or start >= len(frame):
            return start >= len(frame)
        link = ETHERNET
    header = _HEADER.get(link)
    if header is None:
        return False
    place, at = start + header, start + _PROTOCOL_AT[link]
    protocol = int.from_bytes(frame[at : at + 2], "big")
    while protocol in _VLAN and place + 4 <= len(frame):
        protocol = int.from_bytes(frame[place + 2 : place + 4], "big")
        place += 4
    if protocol in _MPLS:
        labels = range(place, len(frame) - 4, 4)
        return not any(frame[label + 2] & 1 for label in labels)
    return len(frame) < at + 2 or protocol in _VLAN or (protocol in _IP and len(frame) <= place)


def _juniper_header(frame: bytes) -> tuple[int, bool]:
    """Return the offset of the packet after Junos' capture header, and whether a layer-2 header comes first.

    The header: `MGC`; flags (0x01: received, 0x02: no layer-2 header follows, 0x80: extensions); with 0x80 a block of
    extensions after its two-octet length; without layer-2 header, four octets of address family. tcpdump's
    print-juniper.c reads the same. For a truncated or different header the offset is beyond the frame's end.
    """
    if len(frame) <= len(_JUNIPER_MAGIC) or frame[:3] != _JUNIPER_MAGIC:
        return len(frame), True
    flags, start = frame[3], 4
    if flags & _JUNIPER_EXTENSIONS:
        if len(frame) < start + 2:
            return len(frame), True
        start += 2 + int.from_bytes(frame[start : start + 2], "big")
    if flags & _JUNIPER_NO_L2:
        return start + _JUNIPER_FAMILY, False
    return start, True


def _after_labels(frame: bytes, place: int) -> int | None:
    """Return the offset after an MPLS label stack (RFC 3032); None unless an IP version nibble follows it."""
    while place + 4 < len(frame):
        bottom = frame[place + 2] & 1
        place += 4
        if bottom:
            return place if frame[place] >> 4 in {4, 6} else None
    return None
