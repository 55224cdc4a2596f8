"""Shift the sequence numbers on the wire against those of the router's kernel, so that tests can make them wrap. Pure.

A kernel chooses its initial sequence numbers, and sending 4 GiB takes long. For a session with a chosen ISN, every
sequence number of this router is shifted by the same amount: sequence numbers of outgoing segments, acknowledgements
and SACK blocks (RFC 2018) of incoming ones. The peer and every capture see a connection that began with the chosen ISN.
"""

from __future__ import annotations

from keyroll.emulator.wire.bump.headers import rebuilt
from keyroll.tcpao import ACK, SEQUENCE_MASK, SYN, Segment, parse_segment, split_options, with_checksum

# Sequence and acknowledgement number in the TCP header, and octets of its fixed part (RFC 9293 section 3.1); kind of
# SACK, and octets of one edge of a block (RFC 2018).
_SEQ = slice(4, 8)
_ACK = slice(8, 12)
_FIXED = 20
_SACK = 5
_EDGE = 4


def shift_of(segment: Segment, isn: int | None, known: int) -> int:
    """Return the shift of an outgoing segment: of a SYN, the distance to the chosen ISN.

    Else `known`, that of its connection.
    """
    if isn is not None and segment.flags & SYN:
        return (isn - segment.seq) & SEQUENCE_MASK
    return known


def on_the_wire(segment: Segment, shift: int) -> Segment:
    """Return a segment of the router's kernel with its sequence number on the wire; its checksum is not changed."""
    tcp = bytearray(segment.octets)
    tcp[_SEQ] = _moved(segment.seq, shift)
    return _parsed(segment, bytes(tcp))


def whole_packet(segment: Segment) -> bytes:
    """Return the IP packet of `on_the_wire`'s segment with a new checksum, for a segment that leaves unsigned."""
    return segment.ip_header + with_checksum(segment.octets, segment.src, segment.dst)


def in_the_kernel(packet: bytes, shift: int) -> bytes:
    """Return a received IP packet with acknowledgement and SACK blocks in the router's kernel's numbers."""
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
    return ((number + shift) & SEQUENCE_MASK).to_bytes(4, "big")


def _parsed(segment: Segment, tcp: bytes) -> Segment:
    packet = rebuilt(segment, tcp)
    found = None if packet is None else parse_segment(packet)
    if found is None:
        raise ValueError("the shifted segment cannot be parsed")
    return found
