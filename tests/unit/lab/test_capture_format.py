from __future__ import annotations

import struct

from hypothesis import given
from hypothesis import strategies as st

from keyroll.lab.local import recorder


def test_the_pcap_header_declares_nanoseconds_and_ethernet() -> None:
    assert recorder.file_header()[:4] == struct.pack("=I", 0xA1B23C4D)
    assert struct.unpack("=I", recorder.file_header()[-4:]) == (1,)
    assert len(recorder.file_header()) == 24


@given(frame=st.binary(max_size=2000), seconds=st.integers(0, 2**32 - 1), nanoseconds=st.integers(0, 999_999_999))
def test_a_record_holds_time_length_and_the_whole_frame(frame: bytes, seconds: int, nanoseconds: int) -> None:
    data = recorder.record(frame, seconds, nanoseconds)
    assert struct.unpack("=IIII", data[:16]) == (seconds, nanoseconds, len(frame), len(frame))
    assert data[16:] == frame


@given(frame=st.binary(min_size=14, max_size=100), tci=st.integers(0, 0xFFFF))
def test_a_vlan_tag_taken_out_by_the_kernel_is_put_back(frame: bytes, tci: int) -> None:
    auxdata = struct.pack("=IIIHHHH", 0x50, 0, 0, 0, 0, tci, 0x88A8)
    tagged = recorder.with_vlan_tag(frame, auxdata)
    assert tagged[:12] + tagged[16:] == frame
    assert tagged[12:16] == struct.pack("!HH", 0x88A8, tci)


def test_an_untagged_frame_stays_as_it_is() -> None:
    assert recorder.with_vlan_tag(b"x" * 20, struct.pack("=IIIHHHH", 1, 0, 0, 0, 0, 5, 0x8100)) == b"x" * 20
