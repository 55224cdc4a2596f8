"""The wire path's changes of headers, and the fields that it reads from packets."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.emulator.wire.conftest import Bench
from tests.unit.known import known
from tests.unit.segments import segment_of

from keyroll.emulator.wire.bump import headers
from keyroll.tcpao import OptionError, internet_checksum, split_options, tcp_checksum

TIMESTAMPS = b"\x08\x0a" + bytes(range(8))
NOPS = b"\x01\x01"


def sack(blocks: int) -> bytes:
    body = b"".join(bytes((block,)) * 8 for block in range(1, blocks + 1))
    return bytes((5, 2 + len(body))) + body


def tcp(options: bytes, payload: bytes = b"") -> bytes:
    return struct.pack("!HHIIBBHHH", 1, 179, 5, 6, (20 + len(options)) << 2, 0x10, 512, 0, 0) + options + payload


def options_of(segment: bytes) -> list[bytes]:
    return split_options(segment[20 : (segment[12] >> 4) << 2])


class TestRoomForTcpAo:
    @pytest.mark.parametrize(
        ("options", "kept"),
        [
            (b"", []),
            (NOPS + TIMESTAMPS, [TIMESTAMPS]),
            (NOPS + TIMESTAMPS + NOPS + sack(1), [TIMESTAMPS, sack(1)]),
            (NOPS + TIMESTAMPS + NOPS + sack(2), [TIMESTAMPS, sack(1)]),
            (NOPS + TIMESTAMPS + NOPS + sack(3), [TIMESTAMPS, sack(1)]),
            (NOPS + sack(4) + NOPS + NOPS, [sack(2)]),
        ],
    )
    def test_sack_blocks_are_removed_from_the_last_one_on(self, options: bytes, kept: list[bytes]) -> None:
        trimmed = headers.with_room_for_ao(tcp(options, b"data"))
        assert options_of(trimmed) == kept
        assert trimmed.endswith(b"data")
        assert (trimmed[12] >> 4) * 4 - 20 <= 24

    def test_timestamps_stay_where_linux_looks_for_them_first(self) -> None:
        trimmed = headers.with_room_for_ao(tcp(NOPS + TIMESTAMPS + NOPS + sack(3)))
        assert trimmed[20:24] == b"\x01\x01\x08\x0a"

    def test_the_only_sack_block_is_removed_if_the_option_does_not_fit_otherwise(self) -> None:
        other = b"\x63\x10" + bytes(14)
        assert options_of(headers.with_room_for_ao(tcp(other + NOPS + sack(1)))) == [other]

    def test_other_options_are_never_removed(self) -> None:
        crowded = tcp(b"\x63\x28" + bytes(38))
        assert headers.with_room_for_ao(crowded) == crowded

    def test_malformed_options_are_an_error(self) -> None:
        with pytest.raises(OptionError):
            headers.with_room_for_ao(tcp(b"\x63\x29" + bytes(38)))

    @given(
        st.lists(st.integers(1, 4).map(sack) | st.just(TIMESTAMPS) | st.just(b"\x02\x04\x05\xb4"), max_size=3),
        st.binary(max_size=9),
    )
    def test_only_sack_blocks_are_removed_and_the_data_is_kept(self, options: list[bytes], data: bytes) -> None:
        row = b"".join(options)
        row += b"\x01" * (-len(row) % 4)
        if len(row) > 40:
            return
        trimmed = headers.with_room_for_ao(tcp(row, data))
        assert trimmed[(trimmed[12] >> 4) << 2 :] == data
        left = options_of(trimmed)
        assert [option for option in left if option[0] != 5] == [option for option in options if option[0] != 5]
        blocks = [option for option in options if option[0] == 5]
        for option in left:
            assert option[0] != 5 or any(whole[2:].startswith(option[2:]) for whole in blocks)


@pytest.mark.parametrize(("mss", "lowered"), [(1460, 1444), (65535, 65519), (16, 0), (3, 0)])
def test_the_mss_is_lowered_and_nothing_else_changes(mss: int, lowered: int) -> None:
    before = tcp(b"\x01\x02\x04" + mss.to_bytes(2, "big") + b"\x04\x02\x01")
    after = headers.with_lower_mss(before)
    assert after == before.replace(b"\x02\x04" + mss.to_bytes(2, "big"), b"\x02\x04" + lowered.to_bytes(2, "big"))


def test_a_header_without_mss_is_unchanged() -> None:
    assert headers.with_lower_mss(tcp(NOPS + TIMESTAMPS)) == tcp(NOPS + TIMESTAMPS)


@pytest.mark.parametrize("family", [4, 6])
@given(payload=st.binary(max_size=1500), grown=st.binary(max_size=1500))
def test_a_rebuilt_packet_has_right_lengths_and_checksums(
    bench: Bench, family: int, payload: bytes, grown: bytes
) -> None:
    src, dst = (bytes(12 if family == 6 else 0) + bytes((10, 0, 0, last)) for last in (1, 2))
    segment = segment_of(bench.tcp_packet(src, dst, 1, 179, 5, 6, 0x10, payload=payload))
    again = headers.rebuilt(segment, headers.finished(segment, segment.header) + grown)
    found = segment_of(known(again))
    assert found.payload == payload + grown
    if family == 4:
        assert internet_checksum(found.ip_header) == 0
    plain = segment_of(known(headers.rebuilt(segment, headers.finished(segment, segment.header))))
    assert tcp_checksum(plain.octets, src, dst) == int.from_bytes(plain.octets[16:18], "big")


def test_a_packet_that_would_be_too_long_for_ip_is_not_built(bench: Bench) -> None:
    segment = segment_of(bench.tcp_packet(bytes(4), bytes(4), 1, 179, 5, 6, 0x10))
    assert headers.rebuilt(segment, bytes(0xFFFF - 19)) is None


@pytest.mark.parametrize(
    ("tags", "expected"), [(b"", 14), (b"\x81\x00\x00\x05", 18), (b"\x88\xa8\x00\x07\x81\x00\x00\x05", 22)]
)
def test_the_network_header_is_found_behind_vlan_tags(tags: bytes, expected: int) -> None:
    frame = bytes(12) + tags + b"\x08\x00" + bytes(40)
    assert headers.network_offset(frame, 0, len(frame)) == (0x0800, expected)
    assert headers.network_offset(bytes(10) + frame, 10, 10 + len(frame)) == (0x0800, 10 + expected)


def test_a_frame_that_is_too_short_has_no_network_header() -> None:
    for length in range(14):
        assert headers.network_offset(bytes(12) + b"\x81\x00", 0, length) == (0, length)


@given(st.binary(max_size=120))
def test_any_octets_are_judged_without_a_failure(octets: bytes) -> None:
    headers.network_offset(octets, 0, len(octets))
    headers.packet_ends(octets, 0, len(octets))
    headers.quoted_by_error(octets, 0, len(octets))
    headers.hides_tcp_in_fragment(octets, 0, len(octets))


@given(
    st.sampled_from([b"\x45", b"\x4f", b"\x60"]),
    st.binary(min_size=8, max_size=8),
    st.sampled_from([6, 1, 58, 44, 60, 0, 17]),
    st.booleans(),
    st.binary(max_size=80),
)
def test_any_packet_of_a_protected_peer_is_judged_without_a_failure(
    bench: Bench, first: bytes, head: bytes, protocol: int, mapped: bool, rest: bytes
) -> None:
    router = bench.routers(family=4)[1]
    place = 6 if first == b"\x60" else 9
    octets = bytearray(first + head + bytes(31) + rest)
    octets[place] = protocol
    if mapped:
        octets[12:20] = router.peer + router.address
    assert router.into(bytes(octets)) in (None, bytes(octets))
    assert router.out(bytes(octets)) in (None, bytes(octets))
