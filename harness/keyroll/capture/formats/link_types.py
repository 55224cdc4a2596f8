"""Where the IP header begins in a captured frame, by its link type (the LINKTYPE_ registry of tcpdump.org)."""

from __future__ import annotations

NULL = 0
ETHERNET = 1
RAW_BSD = 12
RAW_OPENBSD = 14
RAW = 101
LOOP = 108
LINUX_SLL = 113
IPV4 = 228
IPV6 = 229
LINUX_SLL2 = 276

KNOWN = frozenset({NULL, ETHERNET, RAW_BSD, RAW_OPENBSD, RAW, LOOP, LINUX_SLL, IPV4, IPV6, LINUX_SLL2})
NAMES = "Ethernet, Linux cooked v1 and v2, raw IP, BSD loopback"

_RAWS = frozenset({RAW, RAW_BSD, RAW_OPENBSD, IPV4, IPV6})
_PROTOCOL_AT = {ETHERNET: 12, LINUX_SLL: 14, LINUX_SLL2: 0}
_HEADER = {ETHERNET: 14, LINUX_SLL: 16, LINUX_SLL2: 20}
_IP = frozenset({0x0800, 0x86DD})
_VLAN = frozenset({0x8100, 0x88A8, 0x9100, 0x9200})
_MPLS = frozenset({0x8847, 0x8848})
_LOOP_HEADER = 4


def ip_offset(link: int, frame: bytes) -> int | None:
    """Return where the IP header begins (after VLAN tags and MPLS labels), or None when the frame carries no IP."""
    if link in _RAWS:
        return 0
    place = _HEADER.get(link)
    if place is None:
        return _LOOP_HEADER if link in {NULL, LOOP} and len(frame) > _LOOP_HEADER else None
    at = _PROTOCOL_AT[link]
    protocol = int.from_bytes(frame[at : at + 2], "big")
    while protocol in _VLAN:
        protocol = int.from_bytes(frame[place + 2 : place + 4], "big")
        place += 4
    if protocol in _MPLS:
        return _behind_labels(frame, place)
    return place if protocol in _IP and place < len(frame) else None


def cut_before_ip(link: int, frame: bytes) -> bool:
    """Say whether a frame in which `ip_offset` finds no IP ends too soon to show that it carries none."""
    if link in _RAWS:
        return not frame
    if link in {NULL, LOOP}:
        return len(frame) <= _LOOP_HEADER
    place, at = _HEADER.get(link), _PROTOCOL_AT.get(link, 0)
    if place is None:
        return False
    protocol = int.from_bytes(frame[at : at + 2], "big")
    while protocol in _VLAN and place + 4 <= len(frame):
        protocol = int.from_bytes(frame[place + 2 : place + 4], "big")
        place += 4
    if protocol in _MPLS:
        labels = range(place, len(frame) - 4, 4)
        return not any(frame[label + 2] & 1 for label in labels)
    return len(frame) < at + 2 or protocol in _VLAN or (protocol in _IP and len(frame) <= place)


def _behind_labels(frame: bytes, place: int) -> int | None:
    """Skip an MPLS label stack (RFC 3032); what is below is IP when its version nibble says so."""
    while place + 4 < len(frame):
        bottom = frame[place + 2] & 1
        place += 4
        if bottom:
            return place if frame[place] >> 4 in {4, 6} else None
    return None
