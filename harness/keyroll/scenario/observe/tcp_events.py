"""TCP events in one capture: connection collisions, sequence numbers that wrap, reused ports. Pure.

A scenario that forces such an event uses this to prove that it happened. RFC 4271 sections 4.5 and 6.8 (collision;
NOTIFICATION "Cease", with RFC 4486's subcode 7), RFC 9293 section 3.4 (sequence numbers are modulo 2^32).
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from keyroll.capture import Judgement

TcpEvent = Literal["collision", "sequence-wrap", "wrap-resent", "port-reuse"]
"""`collision`: two connections of a session, one from each router, were both up, and BGP closed one for this reason.
`sequence-wrap`: verified data from the router has sequence numbers beyond 2^32.
`wrap-resent`: verified data from the router from before the 2^32 wrap, retransmitted after a segment beyond it.
`port-reuse`: verified data from the router on a connection with the addresses and ports of an earlier one."""
_WRAP_WORDS = {
    "sequence-wrap": ("no wrap", "data beyond 2^32"),
    "wrap-resent": (
        "no retransmission from before the wrap",
        "data from before 2^32 retransmitted after a segment beyond it",
    ),
}
# Flags of TCP; BGP's marker, type NOTIFICATION, code Cease, subcode of a collision (RFC 4271, RFC 4486).
_FIN, _SYN, _RST, _ACK = 0x01, 0x02, 0x04, 0x10
_MARKER = b"\xff" * 16
_NOTIFICATION, _CEASE, _COLLISION = 3, 6, 7
_HEAD = struct.Struct("!16sHBBB")

End = tuple[str, int]


@dataclass(slots=True)
class _Connection:
    """The observed state of a connection. Instants are ns since 1970; routers are given by name."""

    number: int
    ends: frozenset[End]
    begun: int
    opener: str | None = None
    isns: dict[str, int] = field(default_factory=dict)
    established: int | None = None
    ended: int | None = None
    collided: bool = False
    data: dict[str, int] = field(default_factory=dict)
    """By router, when data from it last verified."""
    wrapped: dict[str, int] = field(default_factory=dict)
    """The same for data beyond the wrap."""
    resent: dict[str, int] = field(default_factory=dict)
    """The same for data from before the wrap, sent after a segment beyond it."""
    beyond: set[str] = field(default_factory=set)
    """The routers that sent any segment beyond the wrap, acknowledgements included."""

    def note(self, sender: str, seq: int, at: int, *, data: bool) -> None:
        """Record a verified segment from a router, other than SYN and RST."""
        isn = self.isns.get(sender)
        if isn is not None and seq < isn:
            self.beyond.add(sender)
        if not data:
            return
        self.data[sender] = at
        if isn is not None and seq < isn:
            self.wrapped[sender] = at
        elif sender in self.beyond:
            self.resent[sender] = at


class TcpEvents:
    """See the module. The caller leaves out forged and damaged segments."""

    def __init__(self) -> None:
        self._connections: dict[int, _Connection] = {}

    def observe(self, judgement: Judgement, payload: Callable[[], bytes]) -> None:
        """Record the next judged segment; `payload` returns its TCP payload, and is called only if needed."""
        if judgement.connection is None or judgement.sport is None or judgement.dport is None or not judgement.verified:
            return
        at, sender = judgement.time_ns or 0, judgement.sender
        connection = self._connections.get(judgement.connection)
        if connection is None:
            ends = frozenset({(judgement.src, judgement.sport), (judgement.dst, judgement.dport)})
            connection = self._connections[judgement.connection] = _Connection(judgement.connection, ends, at)
        if judgement.flags & _SYN:
            connection.isns.setdefault(sender, judgement.seq)
            if not judgement.flags & _ACK:
                connection.opener = connection.opener or sender
            elif connection.established is None:
                connection.established = at
        if not judgement.flags & (_SYN | _RST):
            connection.note(sender, judgement.seq, at, data=bool(judgement.payload_length))
        if judgement.payload_length and not connection.collided:
            connection.collided = _says_collision(payload())
        if judgement.flags & (_FIN | _RST):
            connection.ended = connection.ended or at

    def seen(self, event: TcpEvent, router: str, *, since: int) -> tuple[bool, str]:
        """Return whether the event happened since an instant (ns), and a text that describes what was seen."""
        connections = [
            connection
            for connection in self._connections.values()
            if connection.begun >= since or connection.data.get(router, -1) >= since
        ]
        match event:
            case "collision":
                return _collision([connection for connection in connections if connection.begun >= since])
            case "sequence-wrap" | "wrap-resent":
                when = [
                    connection.wrapped if event == "sequence-wrap" else connection.resent for connection in connections
                ]
                found = any(one.get(router, -1) >= since for one in when)
                words = ", ".join(
                    f"connection {connection.number} began at {_isn(connection, router)}" for connection in connections
                )
                return found, f"{_WRAP_WORDS[event][found]}; {words or 'no connection'}"
            case "port-reuse":
                pairs = [
                    (connection, self._before(connection))
                    for connection in connections
                    if connection.data.get(router, -1) >= since
                ]
                again = [
                    (connection, before)
                    for connection, before in pairs
                    if before is not None and connection.begun >= since
                ]
                if again:
                    connection, before = again[-1]
                    return True, f"connection {connection.number} has the ports of connection {before.number}"
                return False, f"{len(connections)} connections, none with the ports of an earlier one"

    def _before(self, connection: _Connection) -> _Connection | None:
        earlier = [
            one for one in self._connections.values() if one.ends == connection.ends and one.begun < connection.begun
        ]
        return earlier[-1] if earlier else None


def _collision(connections: list[_Connection]) -> tuple[bool, str]:
    whole = [connection for connection in connections if connection.established is not None]
    for one in whole:
        for other in whole:
            together = (one.established or 0) < (other.ended or 1 << 63) and (other.established or 0) < (
                one.ended or 1 << 63
            )
            if one.collided and one.number != other.number and one.opener != other.opener and together:
                return True, f"connections {one.number} (closed: Cease, collision) and {other.number} were both up"
    openers = ", ".join(
        f"{connection.number} by {connection.opener}{', closed' if connection.ended else ''}"
        for connection in connections
    )
    return False, f"no two connections collided; there were {openers or 'none'}"


def _isn(connection: _Connection, router: str) -> str:
    return str(connection.isns.get(router, "an unknown number"))


def _says_collision(payload: bytes) -> bool:
    """Return whether a segment, which must start with a BGP message, holds the NOTIFICATION for a collision."""
    place = 0
    while len(payload) - place >= _HEAD.size - 2:
        marker, length, kind = struct.unpack_from("!16sHB", payload, place)
        if marker != _MARKER or length < _HEAD.size - 2:
            return False
        if kind == _NOTIFICATION and len(payload) - place >= _HEAD.size:
            return _HEAD.unpack_from(payload, place)[3:] == (_CEASE, _COLLISION)
        place += length
    return False
