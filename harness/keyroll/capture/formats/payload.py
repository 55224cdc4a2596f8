"""What a captured segment carries behind its TCP header."""

from __future__ import annotations

from keyroll.capture.formats.link_types import ip_offset
from keyroll.capture.formats.packet import Packet
from keyroll.tcpao import parse_segment


def payload_of(packet: Packet) -> bytes:
    """Return the TCP payload of a captured packet; empty where it carries no TCP.

    Raises:
        SegmentError: it carries TCP that cannot be read.
    """
    place = ip_offset(packet.link, packet.data)
    segment = None if place is None else parse_segment(packet.data, place)
    return b"" if segment is None else segment.payload
