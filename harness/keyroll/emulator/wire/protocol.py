"""The control protocol's JSON, both ways (the package's docstring describes it).

Decoding raises `WireError`; no message of an error repeats a value that might hold a secret.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from ipaddress import ip_network
from typing import cast

from keyroll.emulator.contract.key_clock import ReceivePolicy, SendPolicy
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
from keyroll.emulator.wire.model import ConnectionRecord, Direction, EventKind, ProtectedSession, WireError, WireEvent
from keyroll.errors import InputError
from keyroll.keychain.model import Key, Keychain
from keyroll.keychain.secret import Secret
from keyroll.names import Algorithm, DropReason
from keyroll.tcpao import Algorithm as MacAlgorithm
from keyroll.tcpao import Mkt

VERSION = 1


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
        "local": text_of(session.local),
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
    fields = as_object(message, "session")
    try:
        return ProtectedSession(
            peer=as_address(fields["peer"]),
            port=as_int(fields["port"]),
            local=None if fields["local"] is None else as_address(fields["local"]),
            chain=Keychain(
                name=str(fields["chain"]),
                keys=tuple(_decode_key(key) for key in as_list(fields["keys"])),
                tolerance=as_int(fields["tolerance"]),
            ),
            sending=SendPolicy(fields["sending"]),
            receiving=ReceivePolicy(fields["receiving"]),
            allow_without_ao=as_bool(fields["allow_without_ao"]),
            isn=as_optional_int(fields["isn"]),
            prefix=None if fields["prefix"] is None else ip_network(str(fields["prefix"])),
            excepted=tuple(ip_network(str(network)) for network in as_list(fields["excepted"])),
        )
    except (KeyError, ValueError, InputError) as error:
        raise WireError(f"a session is not understood: {what_of(error)}") from None


def encode_record(record: ConnectionRecord) -> Json:
    """Return a connection record as JSON."""
    return {
        "local": encode_endpoint(record.local),
        "remote": encode_endpoint(record.remote),
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
    fields = as_object(message, "connection record")
    try:
        return ConnectionRecord(
            local=as_endpoint(fields["local"]),
            remote=as_endpoint(fields["remote"]),
            port=as_int(fields["port"]),
            local_isn=as_int(fields["local_isn"]),
            remote_isn=as_int(fields["remote_isn"]),
            out_anchor=as_int(fields["out_anchor"]),
            in_anchor=as_int(fields["in_anchor"]),
            sending_key=as_optional_int(fields["sending_key"]),
            plain=as_bool(fields["plain"]),
            closing=as_bool(fields["closing"]),
            pinned=tuple(_decode_mkt(mkt) for mkt in as_list(fields["pinned"])),
            shift=as_int(fields["shift"]),
        )
    except (KeyError, ValueError, InputError) as error:
        raise WireError(f"a connection record is not understood: {what_of(error)}") from None


def encode_event(event: WireEvent) -> Json:
    """Return an event as JSON; fields that do not apply are left out."""
    fields: Json = {
        "event": event.kind.value,
        "at_ns": event.at_ns,
        "peer": text_of(event.peer),
        "port": event.port,
        "local": None if event.local is None else encode_endpoint(event.local),
        "remote": None if event.remote is None else encode_endpoint(event.remote),
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
            at_ns=as_int(fields["at_ns"]),
            peer=as_address(fields["peer"]) if "peer" in fields else None,
            port=as_optional_int(fields.get("port")),
            local=as_endpoint(fields["local"]) if "local" in fields else None,
            remote=as_endpoint(fields["remote"]) if "remote" in fields else None,
            direction=Direction(fields["direction"]) if "direction" in fields else None,
            reason=DropReason(str(fields["reason"])) if "reason" in fields else None,
            count=as_int(fields.get("count", 0)),
            key=as_optional_int(fields.get("key")),
            old_key=as_optional_int(fields.get("old_key")),
            key_id=as_optional_int(fields.get("key_id")),
            rnext_key_id=as_optional_int(fields.get("rnext_key_id")),
            record=decode_record(fields["record"]) if "record" in fields else None,
        )
    except (KeyError, ValueError) as error:
        raise WireError(f"an event of the wire path is not understood: {what_of(error)}") from None


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
    fields = as_object(message, "key")
    return Key(
        id=as_int(fields["number"]),
        secret=Secret(_octets(fields["secret"])),
        start=datetime.fromisoformat(str(fields["start"])),
        scheme="ao",
        send_id=as_int(fields["send_id"]),
        recv_id=as_int(fields["recv_id"]),
        tcp_ao_option=True,
        algorithm=Algorithm(str(fields["algorithm"])),
        include_options=as_bool(fields["include_options"]),
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
    fields = as_object(message, "key in use")
    number = as_int(fields["number"])
    return number, Mkt(
        name=f"key {number}",
        algorithm=MacAlgorithm(str(fields["algorithm"])),
        master_key=_octets(fields["secret"]),
        send_id=as_int(fields["send_id"]),
        recv_id=as_int(fields["recv_id"]),
        include_options=as_bool(fields["include_options"]),
    )


def _octets(value: object) -> bytes:
    try:
        return bytes.fromhex(str(value))
    except ValueError:
        raise WireError("a key's secret is not given in hexadecimal") from None
