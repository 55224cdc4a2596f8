"""Encode and decode the JSON of the control protocol, which the package's docstring describes.

Decoding is strict: a field that is missing or has another type raises a `WireError` with the field's name and its type.
No error repeats a value, and none is chained to one that does: any field of a malformed message may hold a secret.
docs/decisions/0017 says why no library does this. The encoder and decoder of each value stand next to each other, which
makes this module longer than others.
"""

from __future__ import annotations

import enum
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from dataclasses import fields as fields_of
from datetime import UTC, datetime
from ipaddress import ip_address, ip_network
from typing import TypeVar, cast

from keyroll.emulator.contract.model import Address, Network
from keyroll.emulator.wire.model import (
    VLAN_MAX,
    ConnectionRecord,
    ConnectionStatus,
    Direction,
    DirectionStatus,
    ProtectedSession,
    SessionStatus,
    VlanUnit,
    WireError,
    WireEvent,
    WireEventKind,
    WireStatus,
)
from keyroll.errors import InputError
from keyroll.keychain.model import Key, Keychain
from keyroll.keychain.secret import Secret
from keyroll.names import Algorithm, DropReason, Receiving, Sending
from keyroll.tcpao import Algorithm as MacAlgorithm
from keyroll.tcpao import Mkt

VERSION = 1
"""Raised when a field changes its meaning or is removed; another version is refused."""
Json = dict[str, object]
Endpoint = tuple[Address, int]
_Word = TypeVar("_Word", bound=enum.Enum)
_Read = TypeVar("_Read")


# -- lines -------------------------------------------------------------------------------------------------------------


def to_line(message: Mapping[str, object]) -> bytes:
    """Return a message as one line of JSON, with the protocol's version."""
    return json.dumps({"v": VERSION, **message}, separators=(",", ":")).encode() + b"\n"


def from_line(line: bytes) -> Json:
    """Return the object of one line. Raises WireError if it is not an object of this version."""
    try:
        message = json.loads(line)
    except (ValueError, RecursionError):
        raise WireError(f"the control socket carried a line of {len(line)} octets that is not JSON") from None
    if not isinstance(message, dict) or message.get("v") != VERSION:
        raise WireError(
            f"the control socket carried a line of {len(line)} octets that is not an object of version {VERSION}"
        )
    return cast("Json", message)


# -- fields ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Fields:
    """A JSON object being decoded; `what` names it in errors. Every method raises WireError."""

    what: str
    values: Mapping[str, object]

    @classmethod
    def of(cls, message: object, what: str) -> _Fields:
        if not isinstance(message, dict):
            raise WireError(f"a {what} is not a JSON object")
        return cls(what, cast("Json", message))

    def read(self, name: str, expected: str, convert: Callable[[object], _Read]) -> _Read:
        """Return field `name` as `convert` reads it; the error says that it should be `expected`."""
        if name not in self.values:
            raise WireError(f"a {self.what} lacks field '{name}'")
        try:
            return convert(self.values[name])
        except (ValueError, TypeError, KeyError):
            raise WireError(f"field '{name}' of a {self.what} is not {expected}") from None

    def maybe(self, name: str, expected: str, convert: Callable[[object], _Read]) -> _Read | None:
        """Return field `name` as `convert` reads it, None if it is null; it must not be missing."""
        return self.read(name, expected, lambda value: None if value is None else convert(value))

    def number(self, name: str) -> int:
        return self.read(name, "a whole number", _as_int)

    def maybe_number(self, name: str) -> int | None:
        return self.maybe(name, "a whole number or null", _as_int)

    def boolean(self, name: str) -> bool:
        return self.read(name, "true or false", _as_bool)

    def text(self, name: str) -> str:
        return self.read(name, "text", _as_text)

    def address(self, name: str) -> Address:
        return self.read(name, "an IP address", _as_address)

    def maybe_address(self, name: str) -> Address | None:
        return self.maybe(name, "an IP address or null", _as_address)

    def endpoint(self, name: str) -> Endpoint:
        return self.read(name, "an address and a port", _as_endpoint)

    def maybe_endpoint(self, name: str) -> Endpoint | None:
        return self.maybe(name, "an address and a port, or null", _as_endpoint)

    def word(self, name: str, words: type[_Word]) -> _Word:
        return self.read(name, f"one of {_listed(words)}", words)

    def maybe_word(self, name: str, words: type[_Word]) -> _Word | None:
        return self.maybe(name, f"null or one of {_listed(words)}", words)

    def octets(self, name: str) -> bytes:
        return self.read(name, "hexadecimal text", lambda value: bytes.fromhex(_as_text(value)))

    def entries(self, name: str) -> list[object]:
        return self.read(name, "a list", _as_list)

    def numbers(self, name: str) -> tuple[int, ...]:
        return self.read(name, "a list of whole numbers", lambda value: tuple(map(_as_int, _as_list(value))))


def _listed(words: type[enum.Enum]) -> str:
    return ", ".join(str(word.value) for word in words)


def _as_int(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError
    return value


def _as_number(value: object) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise TypeError
    return float(value)


def _as_bool(value: object) -> bool:
    if not isinstance(value, bool):
        raise TypeError
    return value


def _as_text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _as_list(value: object) -> list[object]:
    if not isinstance(value, list):
        raise TypeError
    return cast("list[object]", value)


def _as_address(value: object) -> Address:
    return ip_address(_as_text(value))


def _as_network(value: object) -> Network:
    return ip_network(_as_text(value))


def _as_endpoint(value: object) -> Endpoint:
    address, port = _as_list(value)
    return _as_address(address), _as_int(port)


def _endpoint(endpoint: Endpoint) -> list[object]:
    return [str(endpoint[0]), endpoint[1]]


def _text(value: object) -> str | None:
    return None if value is None else str(value)


# -- sessions and keys -------------------------------------------------------------------------------------------------


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
        "prefix": _text(session.prefix),
        "excepted": [str(network) for network in session.excepted],
        "keys": [_encode_key(key) for key in session.chain.keys if key.usable],
    }


def decode_session(message: object) -> ProtectedSession:
    """Return the session of `encode_session`. Raises WireError."""
    fields = _Fields.of(message, "session")
    try:
        keys = tuple(_decode_key(key) for key in fields.entries("keys"))
        chain = Keychain(name=fields.text("chain"), keys=keys, tolerance=fields.number("tolerance"))
    except InputError:
        raise WireError("the keys of a session do not make a key chain") from None
    return ProtectedSession(
        peer=fields.address("peer"),
        port=fields.number("port"),
        local=fields.maybe_address("local"),
        chain=chain,
        sending=fields.word("sending", Sending),
        receiving=fields.word("receiving", Receiving),
        allow_without_ao=fields.boolean("allow_without_ao"),
        isn=fields.maybe_number("isn"),
        prefix=fields.maybe("prefix", "a prefix or null", _as_network),
        excepted=fields.read("excepted", "a list of prefixes", lambda value: tuple(map(_as_network, _as_list(value)))),
    )


def encode_unit(unit: VlanUnit) -> Json:
    """Return a logical interface with a VLAN as JSON."""
    return {"host": unit.host, "wire": unit.wire, "vlan": unit.vlan}


def decode_unit(message: object) -> VlanUnit:
    """Return the unit of `encode_unit`. Raises WireError."""
    fields = _Fields.of(message, "unit")
    vlan = fields.number("vlan")
    if not 0 <= vlan <= VLAN_MAX:
        raise WireError(f"field 'vlan' of a unit is not a VLAN identifier: use 0 to {VLAN_MAX}")
    return VlanUnit(fields.text("host"), fields.text("wire"), vlan)


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
    fields = _Fields.of(message, "key")
    return Key(
        id=fields.number("number"),
        secret=Secret(fields.octets("secret")),
        start=fields.read("start", "a time in ISO 8601", lambda value: datetime.fromisoformat(_as_text(value))),
        scheme="ao",
        send_id=fields.number("send_id"),
        recv_id=fields.number("recv_id"),
        tcp_ao_option=True,
        algorithm=fields.word("algorithm", Algorithm),
        include_options=fields.boolean("include_options"),
    )


# -- connection records ------------------------------------------------------------------------------------------------


def encode_record(record: ConnectionRecord) -> Json:
    """Return a connection record as JSON."""
    return {
        "local": _endpoint(record.local),
        "remote": _endpoint(record.remote),
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
    fields = _Fields.of(message, "connection record")
    return ConnectionRecord(
        local=fields.endpoint("local"),
        remote=fields.endpoint("remote"),
        port=fields.number("port"),
        local_isn=fields.number("local_isn"),
        remote_isn=fields.number("remote_isn"),
        out_anchor=fields.number("out_anchor"),
        in_anchor=fields.number("in_anchor"),
        sending_key=fields.maybe_number("sending_key"),
        plain=fields.boolean("plain"),
        closing=fields.boolean("closing"),
        pinned=tuple(_decode_mkt(mkt) for mkt in fields.entries("pinned")),
        shift=fields.number("shift"),
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
    fields = _Fields.of(message, "key in use")
    number = fields.number("number")
    return number, Mkt(
        name=f"key {number}",
        algorithm=fields.word("algorithm", MacAlgorithm),
        master_key=fields.octets("secret"),
        send_id=fields.number("send_id"),
        recv_id=fields.number("recv_id"),
        include_options=fields.boolean("include_options"),
    )


# -- events ------------------------------------------------------------------------------------------------------------


_EVENT_FIELDS = tuple(field.name for field in fields_of(WireEvent) if field.name not in ("kind", "at_ns"))


def encode_event(event: WireEvent) -> Json:
    """Return an event as JSON; fields that do not apply are left out."""
    fields: Json = {
        "event": event.kind.value,
        "at_ns": event.at_ns,
        "peer": _text(event.peer),
        "port": event.port,
        "local": None if event.local is None else _endpoint(event.local),
        "remote": None if event.remote is None else _endpoint(event.remote),
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


def decode_event(message: object) -> WireEvent:
    """Return the event of `encode_event`. Raises WireError."""
    fields = _Fields.of(message, "wire event")
    fields = _Fields(
        fields.what, {**dict.fromkeys(_EVENT_FIELDS), **fields.values}
    )  # fields that do not apply are absent
    return WireEvent(
        kind=fields.word("event", WireEventKind),
        at_ns=fields.number("at_ns"),
        peer=fields.maybe_address("peer"),
        port=fields.maybe_number("port"),
        local=fields.maybe_endpoint("local"),
        remote=fields.maybe_endpoint("remote"),
        direction=fields.maybe_word("direction", Direction),
        reason=fields.maybe_word("reason", DropReason),
        count=0 if fields.values["count"] is None else fields.number("count"),
        key=fields.maybe_number("key"),
        old_key=fields.maybe_number("old_key"),
        key_id=fields.maybe_number("key_id"),
        rnext_key_id=fields.maybe_number("rnext_key_id"),
        record=None if fields.values["record"] is None else decode_record(fields.values["record"]),
    )


# -- status ------------------------------------------------------------------------------------------------------------


def encode_status(status: WireStatus) -> Json:
    """Return the status as JSON."""
    return {
        "sessions": [_encode_session_status(session) for session in status.sessions],
        "connections": [_encode_connection(connection) for connection in status.connections],
        "drops": _encode_drops(status.drops),
        "passed": {direction.value: count for direction, count in status.passed.items()},
        "clock_offset_ns": status.clock_offset_ns,
    }


def decode_status(message: object) -> WireStatus:
    """Return the status of `encode_status`. Raises WireError."""
    fields = _Fields.of(message, "wire status")
    return WireStatus(
        sessions=tuple(_decode_session_status(entry) for entry in fields.entries("sessions")),
        connections=tuple(_decode_connection(entry) for entry in fields.entries("connections")),
        drops=_decode_drops(fields),
        passed=fields.read("passed", "a count for each direction", _as_passed),
        clock_offset_ns=fields.number("clock_offset_ns"),
    )


def _as_passed(value: object) -> dict[Direction, int]:
    if not isinstance(value, dict):
        raise TypeError
    return {Direction(name): _as_int(count) for name, count in cast("Json", value).items()}


def _encode_drops(drops: Mapping[tuple[Direction, DropReason], int]) -> list[Json]:
    return [
        {"direction": direction.value, "reason": reason.value, "count": count}
        for (direction, reason), count in drops.items()
    ]


def _decode_drops(fields: _Fields) -> dict[tuple[Direction, DropReason], int]:
    entries = [_Fields.of(entry, "drop counter") for entry in fields.entries("drops")]
    return {
        (entry.word("direction", Direction), entry.word("reason", DropReason)): entry.number("count")
        for entry in entries
    }


def _encode_session_status(session: SessionStatus) -> Json:
    return {
        "peer": str(session.peer),
        "port": session.port,
        "local": _text(session.local),
        "active_key": session.active_key,
        "next_key": session.next_key,
        "acceptable_keys": list(session.acceptable_keys),
        "drops": _encode_drops(session.drops),
    }


def _decode_session_status(message: object) -> SessionStatus:
    fields = _Fields.of(message, "session status")
    return SessionStatus(
        peer=fields.address("peer"),
        port=fields.number("port"),
        local=fields.maybe_address("local"),
        active_key=fields.maybe_number("active_key"),
        next_key=fields.maybe_number("next_key"),
        acceptable_keys=fields.numbers("acceptable_keys"),
        drops=_decode_drops(fields),
    )


def _encode_connection(connection: ConnectionStatus) -> Json:
    return {
        "local": _endpoint(connection.local),
        "remote": _endpoint(connection.remote),
        "port": connection.port,
        "phase": connection.phase,
        "sending_key": connection.sending_key,
        "asked_key": connection.asked_key,
        "idle_seconds": connection.idle_seconds,
        "out": _encode_direction(connection.out),
        "in": _encode_direction(connection.in_),
    }


def _decode_connection(message: object) -> ConnectionStatus:
    fields = _Fields.of(message, "connection status")
    return ConnectionStatus(
        local=fields.endpoint("local"),
        remote=fields.endpoint("remote"),
        port=fields.number("port"),
        phase=fields.text("phase"),
        sending_key=fields.maybe_number("sending_key"),
        asked_key=fields.maybe_number("asked_key"),
        idle_seconds=fields.read("idle_seconds", "a number", _as_number),
        out=_decode_direction(fields.values.get("out")),
        in_=_decode_direction(fields.values.get("in")),
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
    fields = _Fields.of(message, "direction status")
    return DirectionStatus(
        segments=fields.number("segments"),
        octets=fields.number("octets"),
        key=fields.maybe_number("key"),
        key_id=fields.maybe_number("key_id"),
        rnext_key_id=fields.maybe_number("rnext_key_id"),
        rolled=fields.boolean("rolled"),
    )
