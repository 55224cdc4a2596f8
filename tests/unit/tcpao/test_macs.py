"""What a MAC covers, SNEs, checksums and MKTs; random segments are compared with scapy."""

import hashlib
import hmac
import pickle
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.contrib.tcpao import calc_tcpao_mac, calc_tcpao_traffic_key, get_alg
from scapy.layers.inet import IP
from scapy.layers.inet6 import IPv6
from tests.unit.segments import ao_of, segment_of

from keyroll.tcpao import (
    Algorithm,
    Mkt,
    MktError,
    SneTracker,
    TrafficKey,
    internet_checksum,
    kdf_context,
    segment_mac,
    sign_segment,
    strip_ao,
    tcp_checksum,
    traffic_key,
    verify_segment,
)

A4, B4 = b"\x0a\0\0\1", b"\x0a\0\0\2"
A6, B6 = bytes(15) + b"\1", bytes(15) + b"\2"
TIMESTAMPS = b"\x01\x01\x08\x0a\0\0\0\1\0\0\0\2"


def packet(
    *,
    v6: bool = False,
    algorithm: Algorithm = Algorithm.HMAC_SHA_1_96,
    covered: bool = True,
    sne: int = 0,
    secret: bytes = b"secret",
    data: bytes = b"payload!",
) -> tuple[bytes, TrafficKey]:
    src, dst = (A6, B6) if v6 else (A4, B4)
    bare = struct.pack("!HHIIBBHHH", 179, 50000, 70, 80, 0x80, 0x18, 9, 0, 0) + TIMESTAMPS + data
    key = traffic_key(algorithm, secret, kdf_context(src, dst, 179, 50000, 1, 2))
    tcp = sign_segment(bare, src=src, dst=dst, key=key, sne=sne, key_id=5, rnext_key_id=6, include_options=covered)
    if v6:
        return struct.pack("!IHBB16s16s", 6 << 28, len(tcp), 6, 1, src, dst) + tcp, key
    return struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(tcp), 0, 0, 1, 6, 0, src, dst) + tcp, key


@pytest.mark.parametrize("v6", [False, True])
@pytest.mark.parametrize("algorithm", list(Algorithm))
@pytest.mark.parametrize("covered", [True, False])
def test_a_flipped_bit_is_detected_exactly_where_the_mac_covers_it(
    v6: bool, algorithm: Algorithm, covered: bool
) -> None:
    whole, key = packet(v6=v6, algorithm=algorithm, covered=covered)
    start = 40 if v6 else 20
    addresses = range(8, 40) if v6 else range(12, 20)
    lengths = {4, 5} if v6 else {0, 2, 3}
    options = range(start + 20, start + 20 + len(TIMESTAMPS))
    for place in range(len(whole)):
        for bit in range(8):
            changed = bytearray(whole)
            changed[place] ^= 1 << bit
            in_header_shape = place in lengths or (v6 and place in {0, 6}) or (not v6 and place in {6, 7, 9})
            if in_header_shape or place == start + 12 or (place in options and place not in options[4:]):
                continue  # with another length or kind of option it is another packet, or none
            if place - start - 20 - len(TIMESTAMPS) in {0, 1} or (place in options[:4]):
                continue
            segment = segment_of(bytes(changed))
            ao = ao_of(segment)
            expected = not (
                place in addresses
                or (place >= start and place not in {start + 16, start + 17} and (covered or place not in options))
            )
            assert verify_segment(segment, ao, key=key, sne=0, include_options=covered) is expected, (place, bit)


@pytest.mark.parametrize("field", [16, 17])
def test_the_checksum_is_correct_and_not_covered_by_the_mac(field: int) -> None:
    whole, key = packet()
    tcp = whole[20:]
    assert tcp_checksum(tcp, A4, B4) == int.from_bytes(tcp[16:18], "big")
    changed = bytearray(whole)
    changed[20 + field] ^= 0xFF
    segment = segment_of(bytes(changed))
    assert verify_segment(segment, ao_of(segment), key=key, sne=0)


@given(st.binary(max_size=64).map(lambda octets: octets + b"\0" * (len(octets) % 2)))
def test_the_checksum_is_the_one_of_rfc_1071(octets: bytes) -> None:
    total = sum(struct.unpack(f"!{len(octets) // 2}H", octets))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    assert internet_checksum(octets) == total ^ 0xFFFF


@given(st.binary(min_size=1, max_size=130), st.binary(max_size=200))
def test_traffic_keys_and_macs_are_those_of_the_hmac_module(secret: bytes, message: bytes) -> None:
    context = kdf_context(A4, B4, 1, 2, 3, 4)
    key = traffic_key(Algorithm.HMAC_SHA_1_96, secret, context)
    expected = hmac.new(secret, b"\x01TCP-AO" + context + b"\0\xa0", hashlib.sha1).digest()
    assert key.reveal() == expected
    assert key.mac(message) == hmac.new(expected, message, hashlib.sha1).digest()[:12]


def test_traffic_keys_are_neither_shown_nor_serialised() -> None:
    key = traffic_key(Algorithm.AES_128_CMAC_96, b"s", kdf_context(A4, B4, 1, 2, 3, 4))
    assert key.reveal().hex() not in repr(key) + str(key)
    with pytest.raises(TypeError):
        pickle.dumps(key)
    mkt = Mkt("key 1", Algorithm.AES_128_CMAC_96, b"hidden", 1, 2)
    assert "hidden" not in repr(mkt)


@given(st.integers(0, 2**32 - 1), st.lists(st.integers(-(2**31) + 1, 2**31 - 1), max_size=60))
def test_the_sne_follows_wraps_of_the_sequence_number(isn: int, steps: list[int]) -> None:
    tracker = SneTracker(isn)
    highest = isn
    for step in steps:
        true = max(highest + step, 0)
        assert tracker.sne_for(true & 0xFFFFFFFF) == true >> 32
        tracker.commit(true & 0xFFFFFFFF)
        highest = max(highest, true)
        assert tracker.anchor == highest


def test_an_id_larger_than_one_octet_is_refused() -> None:
    with pytest.raises(MktError, match=r"use 0 to 255"):
        Mkt("4", Algorithm.HMAC_SHA_1_96, b"d", 256, 0)


@given(
    v6=st.booleans(),
    algorithm=st.sampled_from(list(Algorithm)),
    covered=st.booleans(),
    sne=st.integers(0, 2**32 - 1),
    secret=st.binary(min_size=1, max_size=126),
    data=st.binary(max_size=100),
)
def test_scapy_computes_the_same_traffic_key_and_mac(
    v6: bool, algorithm: Algorithm, covered: bool, sne: int, secret: bytes, data: bytes
) -> None:
    whole, key = packet(v6=v6, algorithm=algorithm, covered=covered, sne=sne, secret=secret, data=data)
    segment = segment_of(whole)
    ao = ao_of(segment)
    theirs = IPv6(whole) if v6 else IP(whole)
    alg = get_alg(algorithm.value)
    theirs_key = calc_tcpao_traffic_key(theirs, alg, secret, 1, 2)
    assert theirs_key == key.reveal()
    assert calc_tcpao_mac(theirs, alg, theirs_key, covered, sne) == ao.mac
    assert segment_mac(segment, ao, key=key, sne=sne, include_options=covered) == ao.mac
    assert strip_ao(segment.header)[20:] == TIMESTAMPS
