"""The codec of TCP options: any list is read correctly or refused by name; stripping reverses inserting."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.known import known

from keyroll.tcpao import (
    OptionDefect,
    OptionError,
    OptionRoomError,
    insert_ao,
    join_options,
    scan_options,
    split_options,
    strip_ao,
    with_options,
)
from keyroll.tcpao.option import OptionScan, _walk

FIXED = bytes(range(12)) + b"\x50" + bytes(7)
AO = bytes([29, 16, 7, 9]) + b"M" * 12
other_option = st.builds(
    lambda kind, value: bytes([kind, len(value) + 2]) + value,
    st.integers(2, 255).filter(lambda kind: kind not in {19, 29}),
    st.binary(max_size=10),
)


def header(options: bytes = b"") -> bytes:
    return with_options(FIXED, options)


@given(st.binary(max_size=40))
def test_both_ways_to_scan_options_give_the_same_result_for_any_octets(options: bytes) -> None:
    assert outcome(scan_options, options) == outcome(_walk, options)


def outcome(scan: Callable[[bytes], OptionScan], options: bytes) -> OptionScan | OptionDefect:
    try:
        return scan(options)
    except OptionError as error:
        return error.defect


@given(st.lists(st.one_of(other_option, st.just(b"\x01")), max_size=4), st.integers(0, 4), st.binary(max_size=3))
def test_tcp_ao_is_found_at_any_place_in_the_list(others: list[bytes], place: int, padding: bytes) -> None:
    before = b"".join(others[:place])
    options = before + AO + b"".join(others[place:]) + (b"\0" + padding if padding else b"")
    ao = known(scan_options(options).ao)
    assert (ao.offset, ao.length, ao.key_id, ao.rnext_key_id, ao.mac) == (len(before), 16, 7, 9, b"M" * 12)
    assert _walk(options).ao == ao


@pytest.mark.parametrize(
    ("options", "defect"),
    [
        (b"\x02", OptionDefect.OVERRUN),
        (b"\x02\x01\x00\x00", OptionDefect.SHORT),
        (b"\x02\x00\x00\x00", OptionDefect.SHORT),
        (b"\x01\x01\x02\x05", OptionDefect.OVERRUN),
        (b"\x1d\x03\x00\x01", OptionDefect.AO_SHORT),
        (AO[:12], OptionDefect.OVERRUN),
        (AO + AO, OptionDefect.AO_TWICE),
        (AO + b"\x1d\x04\x00\x00", OptionDefect.AO_TWICE),
    ],
)
def test_a_malformed_list_is_refused_with_the_name_of_its_defect(options: bytes, defect: OptionDefect) -> None:
    with pytest.raises(OptionError) as refused:
        scan_options(options)
    assert refused.value.defect is defect
    assert defect.value in str(refused.value)


def test_octets_after_the_end_of_the_list_are_padding() -> None:
    assert scan_options(b"\x01\x00" + AO).ao is None
    assert scan_options(AO + b"\x00\x13\x12\x02").ao is not None


def test_an_md5_option_is_found() -> None:
    md5 = bytes([19, 18]) + bytes(16)
    assert scan_options(md5 + b"\x01\x01") == (None, True)
    both = scan_options(md5 + AO)
    assert both.md5
    assert known(both.ao).offset == 18


@given(st.lists(other_option, max_size=3))
def test_inserting_and_stripping_are_inverse(others: list[bytes]) -> None:
    try:
        plain = header(join_options(others))
        signed = insert_ao(plain, 7, 9)
    except OptionRoomError:
        assert sum(map(len, others)) > 40 - 16 - 3
        return
    ao = known(scan_options(signed[20:]).ao)
    assert (ao.key_id, ao.rnext_key_id, ao.mac) == (7, 9, bytes(12))
    assert (signed[12] >> 4) * 4 == len(signed) <= 60
    assert split_options(strip_ao(signed)[20:]) == others
    assert strip_ao(signed)[:12] == plain[:12]


def test_inserting_keeps_the_place_of_the_other_options() -> None:
    timestamps = b"\x01\x01\x08\x0a" + bytes(8)
    assert insert_ao(header(timestamps), 1, 2)[20:32] == timestamps
    # A list that ends early is repacked, because nothing after its end would be read.
    ended = b"\x02\x04\x05\xb4\x00\x00\x00\x00"
    assert scan_options(insert_ao(header(ended), 1, 2)[20:]).ao is not None


def test_an_option_that_does_not_fit_is_reported() -> None:
    with pytest.raises(OptionRoomError):
        insert_ao(header(bytes([254, 28]) + bytes(26)), 1, 2)
    with pytest.raises(OptionError):
        insert_ao(header(AO), 1, 2)
