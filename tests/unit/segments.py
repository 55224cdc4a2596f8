"""Helpers for packets in which a test expects a TCP segment or a TCP-AO option."""

from keyroll.tcpao import AoOption, Segment, parse_segment

from .known import known


def segment_of(packet: bytes, offset: int = 0) -> Segment:
    """Return the TCP segment of an IP packet that begins at `offset`."""
    return known(parse_segment(packet, offset))


def ao_of(segment: Segment) -> AoOption:
    """Return the TCP-AO option of a segment that has one."""
    return known(segment.scan().ao)
