"""Parsing packets: lengths come from the IP header; a packet that cannot be parsed is refused by name."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.segments import segment_of

from keyroll.tcpao import SegmentDefect, SegmentError, flag_letters, parse_segment, peek_endpoints

A4, B4 = b"\x0a\0\0\1", b"\x0a\0\0\2"
A6, B6 = bytes(15) + b"\1", bytes(15) + b"\2"


def tcp(data: bytes = b"data", options: bytes = b"") -> bytes:
    return struct.pack("!HHIIBBHHH", 179, 50000, 7, 8, (20 + len(options)) // 4 << 4, 0x18, 9, 0, 0) + options + data


def v4(
    payload: bytes, *, options: bytes = b"", protocol: int = 6, fragment: int = 0, total: int | None = None
) -> bytes:
    total = 20 + len(options) + len(payload) if total is None else total
    head = struct.pack("!BBHHHBBH4s4s", 0x45 + len(options) // 4, 0, total, 0, fragment, 1, protocol, 0, A4, B4)
    return head + options + payload


def v6(payload: bytes, *, following: int = 6, length: int | None = None) -> bytes:
    return (
        struct.pack("!IHBB16s16s", 6 << 28, len(payload) if length is None else length, following, 1, A6, B6) + payload
    )


@pytest.mark.parametrize("options", [b"", b"\x94\x04\0\0", bytes(40)])
def test_ipv4_with_options_and_padding_is_parsed(options: bytes) -> None:
    packet = b"frame header" + v4(tcp(), options=options) + b"Ethernet padding"
    segment = segment_of(packet, 12)
    assert (segment.src, segment.dst, segment.sport, segment.dport) == (A4, B4, 179, 50000)
    assert (segment.seq, segment.ack, segment.flag_letters) == (7, 8, "P.")
    assert (segment.payload, segment.length, segment.ip_header_length) == (b"data", 24, 20 + len(options))
    assert segment.version == 4


@pytest.mark.parametrize("kinds", [(), (0,), (0, 60), (43,), (44,), (51,), (0, 43, 60, 44)])
def test_ipv6_with_extension_headers_is_parsed(kinds: tuple[int, ...]) -> None:
    packet = tcp()
    following = 6
    for kind in reversed(kinds):
        body = {44: bytes(6), 51: b"\x02" + bytes(13)}.get(kind, bytes(7))
        # AH counts its length in units of four octets less two, the others in units of eight less one.
        packet = bytes([following]) + (b"\0" + body if kind == 44 else body) + packet
        following = kind
    if 51 in kinds:
        packet = bytes([6, 2]) + bytes(14) + tcp()
    segment = segment_of(v6(packet, following=following) + b"padding")
    assert (segment.src, segment.payload, segment.version) == (A6, b"data", 6)


@pytest.mark.parametrize(
    ("packet", "defect"),
    [
        (b"", SegmentDefect.CUT),
        (b"\x20" + bytes(60), SegmentDefect.NOT_IP),
        (v4(tcp())[:30], SegmentDefect.CUT),
        (v4(tcp())[:-1], SegmentDefect.CUT),
        (v4(tcp())[:12], SegmentDefect.CUT),
        (v6(tcp())[:39], SegmentDefect.CUT),
        (v4(tcp(), total=19), SegmentDefect.IP_HEADER),
        (v4(tcp(), total=39), SegmentDefect.TCP_HEADER),
        (v4(tcp(), fragment=0x2000), SegmentDefect.FRAGMENT),
        (v4(tcp(), fragment=1), SegmentDefect.FRAGMENT),
        (v6(b"\x06\0\0\1" + bytes(4) + tcp(), following=44), SegmentDefect.FRAGMENT),
        (v4(tcp()[:12] + b"\x40" + tcp()[13:]), SegmentDefect.TCP_HEADER),
        (v4(tcp()[:12] + b"\xf0" + tcp()[13:]), SegmentDefect.TCP_HEADER),
        (v6(b"\x06", following=0), SegmentDefect.IP_HEADER),
    ],
)
def test_a_packet_that_cannot_be_parsed_is_refused_with_the_name_of_its_defect(
    packet: bytes, defect: SegmentDefect
) -> None:
    with pytest.raises(SegmentError) as refused:
        parse_segment(packet)
    assert refused.value.defect is defect


@pytest.mark.parametrize(
    "packet", [v4(bytes(20), protocol=17), v6(bytes(20), following=58), v6(bytes(8), following=59)]
)
def test_other_protocols_are_not_tcp_segments(packet: bytes) -> None:
    assert parse_segment(packet) is None
    assert peek_endpoints(packet) is None or packet[0] >> 4 == 6


def test_a_total_length_of_zero_means_the_whole_frame() -> None:
    """With segmentation offload a captured packet may have a total length of 0."""
    assert segment_of(v4(tcp(b"large send"), total=0)).payload == b"large send"


@given(st.binary(max_size=90))
def test_random_octets_give_a_segment_none_or_a_named_error(octets: bytes) -> None:
    try:
        segment = parse_segment(octets)
    except SegmentError:
        peek_endpoints(octets)
        return
    if segment is not None:
        assert len(segment.octets) == segment.length
        assert segment.header + segment.payload == segment.octets


@given(st.binary(min_size=40, max_size=90), st.sampled_from([0x45, 0x60]))
def test_random_packets_of_either_ip_version_give_a_segment_or_a_named_error(octets: bytes, first: int) -> None:
    protocol = 9 if first == 0x45 else 6
    packet = bytes([first]) + octets[1:protocol] + b"\x06" + octets[protocol + 1 :]
    try:
        segment = segment_of(packet)
    except SegmentError:
        peek_endpoints(packet)
        return
    assert segment.length >= segment.payload_offset - segment.tcp_offset >= 20


def test_flags_are_written_as_tcpdump_does() -> None:
    assert [flag_letters(bits) for bits in (2, 18, 16, 24, 4, 17, 0)] == ["S", "S.", ".", "P.", "R", "F.", "none"]
