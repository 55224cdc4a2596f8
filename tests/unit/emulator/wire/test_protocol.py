"""The control protocol: round trips of messages, refusals, and no secret in any error."""

from __future__ import annotations

import json
import traceback
from dataclasses import replace
from ipaddress import ip_address, ip_network
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.emulator.wire.conftest import Bench

from keyroll.emulator.wire import protocol
from keyroll.emulator.wire.model import (
    ConnectionRecord,
    ConnectionStatus,
    Direction,
    DirectionStatus,
    SessionStatus,
    VlanUnit,
    WireError,
    WireEvent,
    WireEventKind,
    WireStatus,
)
from keyroll.keychain.secret import Secret
from keyroll.names import Algorithm, DropReason, Receiving, Sending
from keyroll.tcpao import Algorithm as MacAlgorithm
from keyroll.tcpao import Mkt

addresses = st.ip_addresses()
ports = st.integers(0, 65535)
endpoints = st.tuples(addresses, ports)
numbers = st.integers(0, 63)
maybe = st.none() | numbers
counts = st.integers(0, 2**40)
isns = st.integers(0, 2**32 - 1)
anchors = st.integers(0, 2**64 - 1)
drops = st.dictionaries(st.tuples(st.sampled_from(Direction), st.sampled_from(DropReason)), counts, max_size=4)
octets = st.integers(0, 255)
mkts = numbers.flatmap(
    lambda number: st.tuples(
        st.just(number),
        st.builds(
            Mkt, st.just(f"key {number}"), st.sampled_from(MacAlgorithm), st.binary(), octets, octets, st.booleans()
        ),
    )
)
records = st.builds(
    ConnectionRecord,
    endpoints,
    endpoints,
    ports,
    isns,
    isns,
    anchors,
    anchors,
    maybe,
    st.booleans(),
    st.booleans(),
    st.lists(mkts, max_size=2).map(tuple),
)
ways = st.builds(DirectionStatus, counts, counts, maybe, maybe, maybe, st.booleans())
statuses = st.builds(
    WireStatus,
    st.lists(
        st.builds(
            SessionStatus, addresses, ports, st.none() | addresses, maybe, maybe, st.lists(numbers).map(tuple), drops
        ),
        max_size=3,
    ).map(tuple),
    st.lists(
        st.builds(
            ConnectionStatus,
            endpoints,
            endpoints,
            ports,
            st.sampled_from(["opening", "open", "closing", "plain"]),
            maybe,
            maybe,
            st.floats(0, 1e6),
            ways,
            ways,
        ),
        max_size=3,
    ).map(tuple),
    drops,
    st.dictionaries(st.sampled_from(Direction), counts),
    st.integers(-(2**62), 2**62),
)
events = st.builds(
    WireEvent,
    st.sampled_from(WireEventKind),
    anchors,
    st.none() | addresses,
    st.none() | ports,
    st.none() | endpoints,
    st.none() | endpoints,
    st.none() | st.sampled_from(Direction),
    st.none() | st.sampled_from(DropReason),
    counts,
    maybe,
    maybe,
    maybe,
    maybe,
    st.none() | records,
)


def through_json(message: Any) -> Any:
    return protocol.from_line(protocol.to_line(message))


@given(records)
def test_records_survive_a_round_trip(record: ConnectionRecord) -> None:
    assert protocol.decode_record(through_json(protocol.encode_record(record))) == record


@given(events)
def test_events_survive_a_round_trip(event: WireEvent) -> None:
    assert protocol.decode_event(through_json(protocol.encode_event(event))) == event


@given(statuses)
def test_statuses_survive_a_round_trip(status: WireStatus) -> None:
    assert protocol.decode_status(through_json(protocol.encode_status(status))) == status


@given(
    st.binary(min_size=1, max_size=126),
    st.sampled_from(Algorithm),
    st.booleans(),
    st.sampled_from(Sending),
    st.sampled_from(Receiving),
    st.integers(0, 2**32 - 1),
)
def test_sessions_survive_a_round_trip(
    bench: Bench,
    secret: bytes,
    algorithm: Algorithm,
    include_options: bool,
    sending: Sending,
    receiving: Receiving,
    tolerance: int,
) -> None:
    key = bench.key(5, 77, secret=Secret(secret), algorithm=algorithm, include_options=include_options)
    chain = bench.chain(key, tolerance=tolerance)
    session = bench.session(0, chain, family=6, sending=sending, receiving=receiving, local=ip_address("2001:db8::1"))
    assert protocol.decode_session(through_json(protocol.encode_session(session))) == session


def test_unusable_keys_are_not_sent(bench: Bench) -> None:
    chain = bench.chain(bench.key(0), bench.key(1, tcp_ao_option=False), bench.key(2, secret=None))
    decoded = protocol.decode_session(protocol.encode_session(bench.session(0, chain)))
    assert [key.id for key in decoded.chain.keys] == [0]


@pytest.mark.parametrize("line", [b"", b"\n", b"{", b"[]", b"7", b'{"v": 2}', b"{}", b"\xff\xfe"])
def test_a_line_that_is_not_a_message_is_refused(line: bytes) -> None:
    with pytest.raises(WireError, match="control socket"):
        protocol.from_line(line)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("peer",), "nowhere"),
        (("port",), "179"),
        (("sending",), "sometimes"),
        (("receiving",), None),
        (("tolerance",), -1),
        (("allow_without_ao",), 1),
        (("keys",), {}),
        (("keys", 0), []),
        (("keys", 0, "secret"), "s3cr3t-in-clear"),
        (("keys", 0, "start"), "tomorrow"),
        (("keys", 0, "start"), "2030-01-01T00:00:00"),
        (("keys", 0, "send_id"), 256),
        (("keys", 0, "algorithm"), "rot13"),
        (("keys", 0, "number"), True),
    ],
)
def test_a_wrong_field_of_a_session_is_refused_without_a_secret_in_the_message(
    bench: Bench, path: tuple[str | int, ...], value: Any
) -> None:
    message = json.loads(json.dumps(protocol.encode_session(bench.session(0, bench.chain(bench.key(0))))))
    secret = message["keys"][0]["secret"]
    place = message
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    with pytest.raises(WireError) as refused:
        protocol.decode_session(message)
    assert secret not in str(refused.value)
    assert "s3cr3t" not in str(refused.value)


MARKER = "s3cr3t-in-the-wrong-place"


def examples(bench: Bench) -> Any:
    """Return (decoder, valid message) for each kind of message."""
    key = bench.key(0)
    mkt = Mkt("key 0", next(iter(MacAlgorithm)), b"s3cr3t", 1, 2, True)  # noqa: FBT003 - a positional dataclass
    end = (ip_address("192.0.2.1"), 179)
    record = ConnectionRecord(end, end, 179, 1, 2, 3, 4, 0, False, False, ((0, mkt),))  # noqa: FBT003
    way = DirectionStatus(1, 2, 0, 1, 2, True)  # noqa: FBT003
    drops = {(Direction.IN, DropReason.BAD_MAC): 1}
    session = SessionStatus(end[0], 179, end[0], 0, 1, (0, 1), drops)
    connection = ConnectionStatus(end, end, 179, "open", 0, 0, 1.5, way, way)
    status = WireStatus((session,), (connection,), drops, {Direction.IN: 3}, 0)
    event = WireEvent(
        WireEventKind.DROP, 5, end[0], 179, end, end, Direction.IN, DropReason.BAD_MAC, 1, 0, 1, 2, 3, record
    )
    group = replace(
        bench.session(0, bench.chain(key), local=end[0]),
        isn=7,
        prefix=ip_network("10.0.12.0/24"),
        excepted=(ip_network("10.0.12.8/32"),),
    )
    return [
        (protocol.decode_session, protocol.encode_session(group)),
        (protocol.decode_record, protocol.encode_record(record)),
        (protocol.decode_event, protocol.encode_event(event)),
        (protocol.decode_status, protocol.encode_status(status)),
    ]


def places(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """Return the path of every value in a message, including the message itself."""
    found = [path]
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, below in entries:
        found += places(below, (*path, name))
    return found


def replaced(message: Any, path: tuple[str | int, ...], value: object) -> Any:
    if not path:
        return value
    copy = json.loads(json.dumps(message))
    place = copy
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    return copy


def all_text(error: WireError) -> str:
    """Return all text of an error that a log might show, including its cause, notes and arguments."""
    return (
        "".join(traceback.format_exception(error, chain=True)) + repr(error) + repr(error.args) + repr(error.__cause__)
    )


@pytest.mark.parametrize("kind", range(4), ids=["session", "record", "event", "status"])
def test_no_error_shows_a_secret_whatever_field_contains_it(bench: Bench, kind: int) -> None:
    decode, good = examples(bench)[kind]
    good = json.loads(json.dumps(good))
    decode(good)
    refusals = []
    for path in places(good):
        for wrong in (MARKER, [MARKER], {MARKER: MARKER}, {"secret": MARKER}, {path[-1] if path else "": [MARKER]}):
            try:
                decode(replaced(good, path, wrong))
            except WireError as error:
                refusals.append((path, error))
    assert [path for path, error in refusals if MARKER in all_text(error)] == []
    assert [path for path, error in refusals if error.__context__ is not None and not error.__suppress_context__] == []
    assert len(refusals) > len(places(good))


@pytest.mark.parametrize("line", [b'{"v": 1, "secret": "%s', b'{"v": "%s"}', b'["%s"]', b'{"v":1}%s', b"\xff%s"])
def test_no_error_shows_a_secret_of_a_line_that_is_not_a_message(line: bytes) -> None:
    with pytest.raises(WireError) as refused:
        protocol.from_line(line.replace(b"%s", MARKER.encode()))
    assert MARKER not in all_text(refused.value)


def test_a_line_nested_too_deeply_is_refused() -> None:
    with pytest.raises(WireError, match="not JSON"):
        protocol.from_line(b'{"v":1,"id":' + b"[" * 100_000)


@pytest.mark.parametrize("field", ["peer", "port", "chain", "tolerance", "keys", "sending", "receiving"])
def test_a_missing_field_of_a_session_is_named(bench: Bench, field: str) -> None:
    message = protocol.encode_session(bench.session(0))
    del message[field]
    with pytest.raises(WireError, match=field):
        protocol.decode_session(message)


def test_a_session_shows_no_secret(bench: Bench) -> None:
    shown = repr(bench.session(0, bench.chain(bench.key(0, secret=Secret("do not show")))))
    assert "do not show" not in shown


def test_a_session_with_every_peer_of_a_prefix_survives_a_round_trip(bench: Bench) -> None:
    networks = ip_network("10.0.12.0/24"), ip_network("10.0.12.8/32")
    session = replace(bench.session(0, port=646), prefix=networks[0], excepted=networks[1:])
    assert protocol.decode_session(through_json(protocol.encode_session(session))).prefix == networks[0]
    assert protocol.decode_session(through_json(protocol.encode_session(session))).excepted == networks[1:]


def test_a_unit_with_a_vlan_survives_a_round_trip_and_an_invalid_vlan_is_refused() -> None:
    unit = VlanUnit("h0.100", "eth1", 100)
    assert protocol.decode_unit(json.loads(json.dumps(protocol.encode_unit(unit)))) == unit
    with pytest.raises(WireError, match="use 0 to 4094"):
        protocol.decode_unit({"host": "h0.100", "wire": "eth1", "vlan": 4095})
