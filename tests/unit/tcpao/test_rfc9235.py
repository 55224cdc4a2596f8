"""The 32 segments of RFC 9235: traffic keys, MACs, and the whole packet signed again from its unsigned form."""

import json
from pathlib import Path
from typing import Any

import pytest
from tests.unit.segments import ao_of, segment_of

from keyroll.tcpao import Algorithm, Mkt, TrafficKey, segment_mac, sign_segment, strip_ao, verify_segment
from keyroll.tcpao.segment import Segment

VECTORS = json.loads((Path(__file__).parents[2] / "data" / "rfc9235_vectors.json").read_text())


def _name(vector: dict[str, Any]) -> str:
    return f"{vector['section']}-{vector['alg']}-{'covered' if vector['include_options'] else 'omitted'}"


@pytest.fixture(params=VECTORS, ids=_name)
def vector(request: pytest.FixtureRequest) -> dict[str, Any]:
    found: dict[str, Any] = request.param
    return found


@pytest.fixture
def segment(vector: dict[str, Any]) -> Segment:
    return segment_of(bytes.fromhex(vector["packet"]))


@pytest.fixture
def key(vector: dict[str, Any], segment: Segment) -> TrafficKey:
    mkt = Mkt(
        name="vector",
        algorithm=Algorithm(vector["alg"]),
        master_key=vector["master_key"].encode(),
        send_id=vector["key_id"],
        recv_id=vector["rnext_key_id"],
    )
    return mkt.key_for(segment, vector["src_isn"], vector["dst_isn"])


def test_all_32_vectors_are_present() -> None:
    assert len(VECTORS) == 32
    assert len({(v["section"], v["alg"], v["include_options"]) for v in VECTORS}) == 32


def test_the_traffic_key_of_each_vector_is_derived(vector: dict[str, Any], key: TrafficKey) -> None:
    assert key.reveal().hex() == vector["traffic_key"]
    assert vector["traffic_key"] not in repr(key)


def test_the_mac_of_each_vector_verifies(vector: dict[str, Any], segment: Segment, key: TrafficKey) -> None:
    ao = ao_of(segment)
    assert (ao.key_id, ao.rnext_key_id, ao.mac.hex()) == (vector["key_id"], vector["rnext_key_id"], vector["mac"])
    mac = segment_mac(segment, ao, key=key, sne=0, include_options=vector["include_options"])
    assert mac.hex() == vector["mac"]
    assert verify_segment(segment, ao, key=key, sne=0, include_options=vector["include_options"])
    assert not verify_segment(segment, ao, key=key, sne=1, include_options=vector["include_options"])


def test_a_segment_that_is_signed_again_verifies(vector: dict[str, Any], segment: Segment, key: TrafficKey) -> None:
    bare = strip_ao(segment.header) + segment.payload
    signed = sign_segment(
        bare,
        src=segment.src,
        dst=segment.dst,
        key=key,
        sne=0,
        key_id=vector["key_id"],
        rnext_key_id=vector["rnext_key_id"],
        include_options=vector["include_options"],
    )
    again = segment_of(segment.ip_header + signed)
    ao = ao_of(again)
    assert verify_segment(again, ao, key=key, sne=0, include_options=vector["include_options"])
    # Where the RFC's packet has TCP-AO as its last option, ours is the same packet, octet for octet.
    if ao_of(segment).offset + 16 == len(segment.options) and len(again.options) == len(segment.options):
        assert ao.mac.hex() == vector["mac"]
