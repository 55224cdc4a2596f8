"""The wire path's status as the control protocol's JSON, both ways. Decoding raises `WireError`."""

from __future__ import annotations

from collections.abc import Mapping

from keyroll.emulator.wire.jsonfields import (
    Json,
    as_address,
    as_bool,
    as_endpoint,
    as_int,
    as_list,
    as_object,
    as_optional_int,
    encode_endpoint,
    text_of,
    what_of,
)
from keyroll.emulator.wire.model import (
    ConnectionStatus,
    Direction,
    DirectionStatus,
    SessionStatus,
    WireError,
    WireStatus,
)
from keyroll.names import DropReason


def encode_status(status: WireStatus) -> Json:
    """Return the status as JSON."""
    return {
        "sessions": [
            {
                "peer": str(session.peer),
                "port": session.port,
                "local": text_of(session.local),
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
    fields = as_object(message, "status")
    try:
        return WireStatus(
            sessions=tuple(_decode_session_status(entry) for entry in as_list(fields["sessions"])),
            connections=tuple(_decode_connection(entry) for entry in as_list(fields["connections"])),
            drops=_decode_drops(fields["drops"]),
            passed={Direction(name): as_int(count) for name, count in as_object(fields["passed"], "passed").items()},
            clock_offset_ns=as_int(fields["clock_offset_ns"]),
        )
    except (KeyError, ValueError) as error:
        raise WireError(f"the status of the wire path is not understood: {what_of(error)}") from None


def _encode_drops(drops: Mapping[tuple[Direction, DropReason], int]) -> list[Json]:
    return [
        {"direction": direction.value, "reason": reason.value, "count": count}
        for (direction, reason), count in drops.items()
    ]


def _decode_drops(message: object) -> dict[tuple[Direction, DropReason], int]:
    entries = [as_object(entry, "drop counter") for entry in as_list(message)]
    return {
        (Direction(entry["direction"]), DropReason(str(entry["reason"]))): as_int(entry["count"]) for entry in entries
    }


def _decode_session_status(message: object) -> SessionStatus:
    fields = as_object(message, "session status")
    return SessionStatus(
        peer=as_address(fields["peer"]),
        port=as_int(fields["port"]),
        local=None if fields["local"] is None else as_address(fields["local"]),
        active_key=as_optional_int(fields["active_key"]),
        next_key=as_optional_int(fields["next_key"]),
        acceptable_keys=tuple(as_int(number) for number in as_list(fields["acceptable_keys"])),
        drops=_decode_drops(fields["drops"]),
    )


def _encode_connection(connection: ConnectionStatus) -> Json:
    return {
        "local": encode_endpoint(connection.local),
        "remote": encode_endpoint(connection.remote),
        "port": connection.port,
        "phase": connection.phase,
        "sending_key": connection.sending_key,
        "asked_key": connection.asked_key,
        "idle_seconds": connection.idle_seconds,
        "out": _encode_direction(connection.out),
        "in": _encode_direction(connection.in_),
    }


def _decode_connection(message: object) -> ConnectionStatus:
    fields = as_object(message, "connection status")
    idle = fields["idle_seconds"]
    if not isinstance(idle, int | float):
        raise ValueError("idle_seconds is no number")  # noqa: TRY004 - one error for every field, told on by the caller
    return ConnectionStatus(
        local=as_endpoint(fields["local"]),
        remote=as_endpoint(fields["remote"]),
        port=as_int(fields["port"]),
        phase=str(fields["phase"]),
        sending_key=as_optional_int(fields["sending_key"]),
        asked_key=as_optional_int(fields["asked_key"]),
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
    fields = as_object(message, "direction status")
    return DirectionStatus(
        segments=as_int(fields["segments"]),
        octets=as_int(fields["octets"]),
        key=as_optional_int(fields["key"]),
        key_id=as_optional_int(fields["key_id"]),
        rnext_key_id=as_optional_int(fields["rnext_key_id"]),
        rolled=as_bool(fields["rolled"]),
    )
