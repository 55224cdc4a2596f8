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

Sight = Literal["collision", "sequence-wrap", "wrap-resent", "port-reuse"]
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
class _Life:
    """The observed state of a connection. Instants are ns since 1970; routers are given by name."""

    number: int
    ends: frozenset[End]
    begun: int
    opener: str | None = None
    isns: dict[str, int] = field(default_factory=dict)
    came_to_be: int | None = None
    over: int | None = None
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


class Sightings:
    """See the module. The caller leaves out forged and damaged segments."""

    def __init__(self) -> None:
        self._lives: dict[int, _Life] = {}

    def observe(self, judgement: Judgement, payload: Callable[[], bytes]) -> None:
        """Record the next judged segment; `payload` returns its TCP payload, and is called only if needed."""
        if judgement.connection is None or judgement.sport is None or judgement.dport is None or not judgement.verified:
            return
        at, sender = judgement.time_ns or 0, judgement.sender
        life = self._lives.get(judgement.connection)
        if life is None:
            ends = frozenset({(judgement.src, judgement.sport), (judgement.dst, judgement.dport)})
            life = self._lives[judgement.connection] = _Life(judgement.connection, ends, at)
        if judgement.flags & _SYN:
            life.isns.setdefault(sender, judgement.seq)
            if not judgement.flags & _ACK:
                life.opener = life.opener or sender
            elif life.came_to_be is None:
                life.came_to_be = at
        if not judgement.flags & (_SYN | _RST):
            life.note(sender, judgement.seq, at, data=bool(judgement.payload_length))
        if judgement.payload_length and not life.collided:
            life.collided = _says_collision(payload())
        if judgement.flags & (_FIN | _RST):
            life.over = life.over or at

    def seen(self, sight: Sight, router: str, *, since: int) -> tuple[bool, str]:
        """Return whether the event happened since an instant (ns), and a text that describes what was seen."""
        lives = [life for life in self._lives.values() if life.begun >= since or life.data.get(router, -1) >= since]
        match sight:
            case "collision":
                return _collision([life for life in lives if life.begun >= since])
            case "sequence-wrap" | "wrap-resent":
                when = [life.wrapped if sight == "sequence-wrap" else life.resent for life in lives]
                found = any(one.get(router, -1) >= since for one in when)
                words = ", ".join(f"connection {life.number} began at {_isn(life, router)}" for life in lives)
                return found, f"{_WRAP_WORDS[sight][found]}; {words or 'no connection'}"
            case "port-reuse":
                pairs = [(life, self._before(life)) for life in lives if life.data.get(router, -1) >= since]
                again = [(life, before) for life, before in pairs if before is not None and life.begun >= since]
                if again:
                    life, before = again[-1]
                    return True, f"connection {life.number} has the ports of connection {before.number}"
                return False, f"{len(lives)} connections, none with the ports of an earlier one"

    def _before(self, life: _Life) -> _Life | None:
        earlier = [one for one in self._lives.values() if one.ends == life.ends and one.begun < life.begun]
        return earlier[-1] if earlier else None


def _collision(lives: list[_Life]) -> tuple[bool, str]:
    whole = [life for life in lives if life.came_to_be is not None]
    for one in whole:
        for other in whole:
            together = (one.came_to_be or 0) < (other.over or 1 << 63) and (other.came_to_be or 0) < (
                one.over or 1 << 63
            )
            if one.collided and one.number != other.number and one.opener != other.opener and together:
                return True, f"connections {one.number} (closed: Cease, collision) and {other.number} were both up"
    openers = ", ".join(f"{life.number} by {life.opener}{', closed' if life.over else ''}" for life in lives)
    return False, f"no two connections collided; there were {openers or 'none'}"


def _isn(life: _Life, router: str) -> str:
    return str(life.isns.get(router, "an unknown number"))


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
