"""The search for traffic keys in outputs finds them in each form, and derives the right ones."""

from __future__ import annotations

from base64 import b64encode, urlsafe_b64encode
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.capture.conftest import chain_of, make_key, make_talk, pcap_octets
from tests.unit.traffic_keys import Search, traffic_keys

OCTETS = st.binary(max_size=9)


@given(OCTETS, st.binary(min_size=16, max_size=20), OCTETS)
def test_a_key_is_found_in_every_encoding_and_between_any_octets(before: bytes, key: bytes, behind: bytes) -> None:
    whole = before + key + behind
    search = Search([key])
    for text in (whole, b64encode(whole), urlsafe_b64encode(whole), key.hex().encode(), key.hex(":").upper().encode()):
        assert search.finds(text), text


@given(st.binary(min_size=16, max_size=20), st.binary(min_size=16, max_size=20))
def test_another_key_is_not_found(key: bytes, another: bytes) -> None:
    if key not in another:
        assert not Search([key]).finds(b64encode(another) + b" " + another.hex().encode())


def test_a_connection_has_traffic_keys_for_each_direction_and_for_its_syn(tmp_path: Path) -> None:
    talk = make_talk(chain=chain_of(make_key(0, secret="the-secret-of-both")))
    talk.open().exchange()
    (tmp_path / "link.pcap").write_bytes(pcap_octets(talk.packets))
    found = traffic_keys(tmp_path / "link.pcap", [b"the-secret-of-both"])
    # Two algorithms and two directions, each with a key for data and one for a SYN (the far end sends no SYN).
    assert len(found) == 8
    with pytest.raises(AssertionError, match="has other keys"):
        traffic_keys(tmp_path / "link.pcap", [b"another"])
