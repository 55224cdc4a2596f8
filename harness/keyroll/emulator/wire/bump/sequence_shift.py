"""Sequence numbers that run elsewhere on the wire than in the router's kernel, so that they can be made to wrap. Pure.

A kernel chooses initial sequence numbers by itself, and 4 GiB are long to send. A session with a chosen ISN has every
number of its own shifted by the same amount: sequence numbers on the way out, acknowledgements and SACK blocks (RFC
2018) on the way in. The peer, and whoever watches the wire, sees a connection that began with that ISN.
"""

from __future__ import annotations

from keyroll.emulator.wire.bump.headers import rebuilt
from keyroll.tcpao import ACK, SYN, Segment, parse_segment, split_options, with_checksum

_MASK = 0xFFFFFFFF
_SEQ = slice(4, 8)
_ACK = slice(8, 12)
# Octets of TCP's fixed header (RFC 9293); kind of SACK, and octets of one edge of a block (RFC 2018).
_FIXED = 20
_SACK = 5
_EDGE = 4


def shift_of(segment: Segment, isn: int | None, known: int) -> int:
    """Return by how much a segment that leaves is to be shifted: a SYN to the chosen ISN, all else as is known."""
    if isn is not None and segment.flags & SYN:
        return (isn - segment.seq) & _MASK
    return known


def on_the_wire(segment: Segment, shift: int) -> Segment:
    """Return a segment of the router's kernel with its sequence number as the wire shows it, its checksum as it was."""
    tcp = bytearray(segment.octets)
    tcp[_SEQ] = _moved(segment.seq, shift)
    return _parsed(segment, bytes(tcp))


def whole_packet(segment: Segment) -> bytes:
    """Return the IP packet of `on_the_wire` as it may leave unsigned: its checksum computed again."""
    return segment.ip_header + with_checksum(segment.octets, segment.src, segment.dst)


def in_the_kernel(packet: bytes, shift: int) -> bytes:
    """Return a received IP packet that carries TCP, with what it says of our numbers as our kernel knows them."""
    segment = parse_segment(packet)
    if segment is None or not segment.flags & ACK:
        return packet
    tcp = bytearray(segment.octets)
    tcp[_ACK] = _moved(segment.ack, -shift)
    place = _FIXED
    for option in split_options(segment.options):
        place = tcp.index(option, place)
        if option[0] == _SACK:
            for edge in range(place + 2, place + len(option), _EDGE):
                tcp[edge : edge + _EDGE] = _moved(int.from_bytes(tcp[edge : edge + _EDGE], "big"), -shift)
        place += len(option)
    return segment.ip_header + with_checksum(bytes(tcp), segment.src, segment.dst)


def _moved(number: int, shift: int) -> bytes:
    return ((number + shift) & _MASK).to_bytes(4, "big")


def _parsed(segment: Segment, tcp: bytes) -> Segment:
    packet = rebuilt(segment, tcp)
    found = None if packet is None else parse_segment(packet)
    if found is None:
        raise ValueError("a segment that was taken apart can be put together again")
    return found
