"""The control protocol's JSON, both ways (the package's docstring describes it).

Decoding raises `WireError`; no message of an error repeats a value that might hold a secret.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from ipaddress import ip_address, ip_network
from typing import cast

from harness.emulator.keyclock import ReceivePolicy, SendPolicy
from harness.emulator.model import Address
from harness.emulator.wire.model import (
    ConnectionRecord,
    ConnectionStatus,
    Direction,
    DirectionStatus,
    DropReason,
    EventKind,
    ProtectedSession,
    SessionStatus,
    WireError,
    WireEvent,
    WireStatus,
)
from harness.errors import InputError
from harness.keychain.model import Algorithm, Key, Keychain
from harness.keychain.secret import Secret
from harness.tcpao import Algorithm as MacAlgorithm
from harness.tcpao import Mkt

VERSION = 1
Json = dict[str, object]
Endpoint = tuple[Address, int]


def to_line(message: Mapping[str, object]) -> bytes:
    """Return a message as one line of JSON, with the protocol's version."""
    return json.dumps({"v": VERSION, **message}, separators=(",", ":")).encode() + b"\n"


def from_line(line: bytes) -> Json:
    """Return the object of one line. Raises WireError where it is none of this protocol's version."""
    try:
        message = json.loads(line)
    except ValueError as error:
        raise WireError(f"the control socket carried a line of {len(line)} octets that is no JSON") from error
    if not isinstance(message, dict) or message.get("v") != VERSION:
        raise WireError(
            f"the control socket carried a line of {len(line)} octets that is no object of version {VERSION}"
        )
    return cast("Json", message)


def encode_session(session: ProtectedSession) -> Json:
    """Return a session as JSON, with its usable keys only and their secrets in the clear."""
    return {
        "peer": str(session.peer),
        "port": session.port,
        "local": _text(session.local),
        "chain": session.chain.name,
        "tolerance": session.chain.tolerance,
        "sending": session.sending.value,
        "receiving": session.receiving.value,
        "allow_without_ao": session.allow_without_ao,
        "isn": session.isn,
        "prefix": None if session.prefix is None else str(session.prefix),
        "excepted": [str(network) for network in session.excepted],
        "keys": [_encode_key(key) for key in session.chain.keys if key.usable],
    }


def decode_session(message: object) -> ProtectedSession:
    """Return the session of `encode_session`. Raises WireError."""
    fields = _object(message, "session")
    try:
        return ProtectedSession(
            peer=_address(fields["peer"]),
            port=_int(fields["port"]),
            local=None if fields["local"] is None else _address(fields["local"]),
            chain=Keychain(
                name=str(fields["chain"]),
                keys=tuple(_decode_key(key) for key in _list(fields["keys"])),
                tolerance=_int(fields["tolerance"]),
            ),
            sending=SendPolicy(fields["sending"]),
            receiving=ReceivePolicy(fields["receiving"]),
            allow_without_ao=_bool(fields["allow_without_ao"]),
            isn=_optional_int(fields["isn"]),
            prefix=None if fields["prefix"] is None else ip_network(str(fields["prefix"])),
            excepted=tuple(ip_network(str(network)) for network in _list(fields["excepted"])),
        )
    except (KeyError, ValueError, InputError) as error:
        raise WireError(f"a session is not understood: {_what(error)}") from None


def encode_record(record: ConnectionRecord) -> Json:
    """Return a connection record as JSON."""
    return {
        "local": _encode_endpoint(record.local),
        "remote": _encode_endpoint(record.remote),
        "port": record.port,
        "local_isn": record.local_isn,
        "remote_isn": record.remote_isn,
        "out_anchor": record.out_anchor,
        "in_anchor": record.in_anchor,
        "sending_key": record.sending_key,
        "plain": record.plain,
        "closing": record.closing,
        "pinned": [_encode_mkt(number, mkt) for number, mkt in record.pinned],
        "shift": record.shift,
    }


def decode_record(message: object) -> ConnectionRecord:
    """Return the record of `encode_record`. Raises WireError."""
    fields = _object(message, "connection record")
    try:
        return ConnectionRecord(
            local=_endpoint(fields["local"]),
            remote=_endpoint(fields["remote"]),
            port=_int(fields["port"]),
            local_isn=_int(fields["local_isn"]),
            remote_isn=_int(fields["remote_isn"]),
            out_anchor=_int(fields["out_anchor"]),
            in_anchor=_int(fields["in_anchor"]),
            sending_key=_optional_int(fields["sending_key"]),
            plain=_bool(fields["plain"]),
            closing=_bool(fields["closing"]),
            pinned=tuple(_decode_mkt(mkt) for mkt in _list(fields["pinned"])),
            shift=_int(fields["shift"]),
        )
    except (KeyError, ValueError, InputError) as error:
        raise WireError(f"a connection record is not understood: {_what(error)}") from None


def encode_event(event: WireEvent) -> Json:
    """Return an event as JSON; fields that do not apply are left out."""
    fields: Json = {
        "event": event.kind.value,
        "at_ns": event.at_ns,
        "peer": _text(event.peer),
        "port": event.port,
        "local": None if event.local is None else _encode_endpoint(event.local),
        "remote": None if event.remote is None else _encode_endpoint(event.remote),
        "direction": None if event.direction is None else event.direction.value,
        "reason": None if event.reason is None else event.reason.value,
        "count": event.count or None,
        "key": event.key,
        "old_key": event.old_key,
        "key_id": event.key_id,
        "rnext_key_id": event.rnext_key_id,
        "record": None if event.record is None else encode_record(event.record),
    }
    return {name: value for name, value in fields.items() if value is not None}


def decode_event(fields: Mapping[str, object]) -> WireEvent:
    """Return the event of `encode_event`. Raises WireError."""
    try:
        return WireEvent(
            kind=EventKind(fields["event"]),
            at_ns=_int(fields["at_ns"]),
            peer=_address(fields["peer"]) if "peer" in fields else None,
            port=_optional_int(fields.get("port")),
            local=_endpoint(fields["local"]) if "local" in fields else None,
            remote=_endpoint(fields["remote"]) if "remote" in fields else None,
            direction=Direction(fields["direction"]) if "direction" in fields else None,
            reason=DropReason(fields["reason"]) if "reason" in fields else None,
            count=_int(fields.get("count", 0)),
            key=_optional_int(fields.get("key")),
            old_key=_optional_int(fields.get("old_key")),
            key_id=_optional_int(fields.get("key_id")),
            rnext_key_id=_optional_int(fields.get("rnext_key_id")),
            record=decode_record(fields["record"]) if "record" in fields else None,
        )
    except (KeyError, ValueError) as error:
        raise WireError(f"an event of the wire path is not understood: {_what(error)}") from None


def encode_status(status: WireStatus) -> Json:
    """Return the status as JSON."""
    return {
        "sessions": [
            {
                "peer": str(session.peer),
                "port": session.port,
                "local": _text(session.local),
                "active_key": session.active_key,
                "next_key": session.next_key,
                "acceptable_keys": list(session.acceptable_keys),
                "drops": _encode_drops(session.drops),
            }
            for session in status.sessions
        ],
        "connections": [_encode_connection(connection) for connection in status.connections],
        "drops": _encode_drops(status.drops),
        "passed": {direction.value: count for direction, count in status.passed.items()},
        "clock_offset_ns": status.clock_offset_ns,
    }


def decode_status(message: object) -> WireStatus:
    """Return the status of `encode_status`. Raises WireError."""
    fields = _object(message, "status")
    try:
        return WireStatus(
            sessions=tuple(_decode_session_status(entry) for entry in _list(fields["sessions"])),
            connections=tuple(_decode_connection(entry) for entry in _list(fields["connections"])),
            drops=_decode_drops(fields["drops"]),
            passed={Direction(name): _int(count) for name, count in _object(fields["passed"], "passed").items()},
            clock_offset_ns=_int(fields["clock_offset_ns"]),
        )
    except (KeyError, ValueError) as error:
        raise WireError(f"the status of the wire path is not understood: {_what(error)}") from None


def _encode_key(key: Key) -> Json:
    if key.start is None or key.secret is None:
        raise WireError(f"key {key.id} is not usable and cannot be handed to the wire path")
    return {
        "number": key.id,
        "start": key.start.astimezone(UTC).isoformat(),
        "send_id": key.send_id,
        "recv_id": key.recv_id,
        "secret": key.secret.reveal().hex(),
        "algorithm": key.effective_algorithm.value,
        "include_options": key.include_options,
    }


def _decode_key(message: object) -> Key:
    fields = _object(message, "key")
    return Key(
        id=_int(fields["number"]),
        secret=Secret(_octets(fields["secret"])),
        start=datetime.fromisoformat(str(fields["start"])),
        scheme="ao",
        send_id=_int(fields["send_id"]),
        recv_id=_int(fields["recv_id"]),
        tcp_ao_option=True,
        algorithm=Algorithm(fields["algorithm"]),
        include_options=_bool(fields["include_options"]),
    )


def _encode_mkt(number: int, mkt: Mkt) -> Json:
    return {
        "number": number,
        "send_id": mkt.send_id,
        "recv_id": mkt.recv_id,
        "secret": mkt.master_key.hex(),
        "algorithm": mkt.algorithm.value,
        "include_options": mkt.include_options,
    }


def _decode_mkt(message: object) -> tuple[int, Mkt]:
    fields = _object(message, "key in use")
    number = _int(fields["number"])
    return number, Mkt(
        name=f"key {number}",
        algorithm=MacAlgorithm(fields["algorithm"]),
        master_key=_octets(fields["secret"]),
        send_id=_int(fields["send_id"]),
        recv_id=_int(fields["recv_id"]),
        include_options=_bool(fields["include_options"]),
    )


def _octets(value: object) -> bytes:
    try:
        return bytes.fromhex(str(value))
    except ValueError:
        raise WireError("a key's secret is not given in hexadecimal") from None


def _encode_drops(drops: Mapping[tuple[Direction, DropReason], int]) -> list[Json]:
    return [
        {"direction": direction.value, "reason": reason.value, "count": count}
        for (direction, reason), count in drops.items()
    ]


def _decode_drops(message: object) -> dict[tuple[Direction, DropReason], int]:
    entries = [_object(entry, "drop counter") for entry in _list(message)]
    return {(Direction(entry["direction"]), DropReason(entry["reason"])): _int(entry["count"]) for entry in entries}


def _decode_session_status(message: object) -> SessionStatus:
    fields = _object(message, "session status")
    return SessionStatus(
        peer=_address(fields["peer"]),
        port=_int(fields["port"]),
        local=None if fields["local"] is None else _address(fields["local"]),
        active_key=_optional_int(fields["active_key"]),
        next_key=_optional_int(fields["next_key"]),
        acceptable_keys=tuple(_int(number) for number in _list(fields["acceptable_keys"])),
        drops=_decode_drops(fields["drops"]),
    )


def _encode_connection(connection: ConnectionStatus) -> Json:
    return {
        "local": _encode_endpoint(connection.local),
        "remote": _encode_endpoint(connection.remote),
        "port": connection.port,
        "phase": connection.phase,
        "sending_key": connection.sending_key,
        "asked_key": connection.asked_key,
        "idle_seconds": connection.idle_seconds,
        "out": _encode_direction(connection.out),
        "in": _encode_direction(connection.in_),
    }


def _decode_connection(message: object) -> ConnectionStatus:
    fields = _object(message, "connection status")
    idle = fields["idle_seconds"]
    if not isinstance(idle, int | float):
        raise ValueError("idle_seconds is no number")  # noqa: TRY004 - one error for every field, told on by the caller
    return ConnectionStatus(
        local=_endpoint(fields["local"]),
        remote=_endpoint(fields["remote"]),
        port=_int(fields["port"]),
        phase=str(fields["phase"]),
        sending_key=_optional_int(fields["sending_key"]),
        asked_key=_optional_int(fields["asked_key"]),
        idle_seconds=float(idle),
        out=_decode_direction(fields["out"]),
        in_=_decode_direction(fields["in"]),
    )


def _encode_direction(direction: DirectionStatus) -> Json:
    return {
        "segments": direction.segments,
        "octets": direction.octets,
        "key": direction.key,
        "key_id": direction.key_id,
        "rnext_key_id": direction.rnext_key_id,
        "rolled": direction.rolled,
    }


def _decode_direction(message: object) -> DirectionStatus:
    fields = _object(message, "direction status")
    return DirectionStatus(
        segments=_int(fields["segments"]),
        octets=_int(fields["octets"]),
        key=_optional_int(fields["key"]),
        key_id=_optional_int(fields["key_id"]),
        rnext_key_id=_optional_int(fields["rnext_key_id"]),
        rolled=_bool(fields["rolled"]),
    )


def _encode_endpoint(endpoint: Endpoint) -> list[object]:
    return [str(endpoint[0]), endpoint[1]]


def _endpoint(value: object) -> Endpoint:
    entries = _list(value)
    if len(entries) != 2:  # noqa: PLR2004 - an address and a port
        raise ValueError("an endpoint is not an address and a port")
    return _address(entries[0]), _int(entries[1])


def _address(value: object) -> Address:
    return ip_address(str(value))


def _text(address: Address | None) -> str | None:
    return None if address is None else str(address)


def _object(value: object, what: str) -> Json:
    if not isinstance(value, dict):
        raise WireError(f"a {what} is no JSON object")
    return cast("Json", value)


def _list(value: object) -> list[object]:
    if not isinstance(value, list):
        raise ValueError("a list is expected")  # noqa: TRY004 - as in _decode_connection
    return cast("list[object]", value)


def _int(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError("a whole number is expected")  # noqa: TRY004 - as in _decode_connection
    return value


def _optional_int(value: object) -> int | None:
    return None if value is None else _int(value)


def _bool(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError("true or false is expected")  # noqa: TRY004 - as in _decode_connection
    return value


def _what(error: Exception) -> str:
    return f"field {error} is missing" if isinstance(error, KeyError) else str(error)
