"""VLAN tags are inserted and removed in place, and the virtio header still locates a partial checksum."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from keyroll.emulator.wire.run.sockets import FRAME_MAX, VNET, put_tag, take_tag, vlan_of

NEEDS_CHECKSUM = 1


@given(st.binary(min_size=14, max_size=80), st.integers(0, 4094), st.integers(0, 1))
def test_an_inserted_tag_is_found_and_removed_again(frame: bytes, vlan: int, partial: int) -> None:
    header = bytes((NEEDS_CHECKSUM * partial, 0, 0, 0, 0, 0, 34, 0, 16, 0))
    buffer = bytearray(FRAME_MAX)
    end = VNET + len(frame)
    buffer[:end] = header + frame
    view = memoryview(buffer)  # like the process's own view: while it exists, the buffer cannot be resized
    tagged = put_tag(buffer, end, vlan)
    assert vlan_of(buffer, tagged) == vlan
    assert bytes(view[VNET:tagged]) == frame[:12] + b"\x81\x00" + vlan.to_bytes(2, "big") + frame[12:]
    assert buffer[6] == (38 if partial else 34)
    assert take_tag(buffer, tagged) == end
    assert bytes(buffer[:end]) == header + frame


def test_a_frame_without_a_tag_has_no_vlan() -> None:
    assert vlan_of(bytearray(VNET) + bytearray(12) + b"\x08\x00" + bytes(46), VNET + 60) is None
    assert vlan_of(bytearray(VNET) + bytearray(12) + b"\x81\x00", VNET + 14) is None
