"""When a key change is proven: a segment with data, signed with the key, was acknowledged by a verified segment.

    handovers = Handovers()
    for judgement in judgements:
        proof = handovers.observe(judgement)       # an Acknowledged when a key is proven for the first time
    handovers.acknowledged(sender="R1", key=1)     # all proofs so far, oldest first
    handovers.uses                                 # who signed data with which key, from when to when

Only new octets count: data that had been sent before under another key could have been accepted then.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from keyroll.capture.referee.judgement import Judgement
from keyroll.tcpao import ACK, RST, SYN

_MASK = 0xFFFFFFFF
_HALF = 0x80000000


class Acknowledged(NamedTuple):
    """The proof that a receiver took data signed with a key, in one direction of one connection."""

    connection: int
    sender: str
    src: str
    sport: int | None
    dst: str
    dport: int | None
    key: int | None
    key_name: str | None
    data_packet: int
    data_time_ns: int | None
    ack_packet: int
    ack_time_ns: int | None


@dataclass(slots=True)
class KeyUse:
    """A key that signed verified segments in one direction of one connection, and from when to when."""

    connection: int
    sender: str
    src: str
    sport: int | None
    dst: str
    dport: int | None
    key: int | None
    key_name: str | None
    first_packet: int
    first_time_ns: int | None
    last_packet: int
    last_time_ns: int | None
    segments: int = 0
    data_segments: int = 0
    first_data_packet: int | None = None
    first_data_time_ns: int | None = None
    last_data_packet: int | None = None
    last_data_time_ns: int | None = None
    acknowledged: Acknowledged | None = None


class _Pending(NamedTuple):
    use: KeyUse
    end: int
    judgement: Judgement


class _Direction:
    """One direction of a connection: how far its data reached, and what waits for an acknowledgement."""

    __slots__ = ("pending", "sent")

    def __init__(self) -> None:
        self.sent: int | None = None
        self.pending: list[_Pending] = []


class Handovers:
    """Follows judgements (of one capture, in their order) and finds the proofs."""

    def __init__(self) -> None:
        self._uses: dict[tuple[int, str, int | None, str | None], KeyUse] = {}
        self._directions: dict[tuple[int, str, int | None], _Direction] = {}
        self._proofs: list[Acknowledged] = []
        self.syns: dict[str, int] = {}
        """SYNs (with or without ACK) by sender, whatever their verdict."""
        self.rsts: dict[str, int] = {}
        """RSTs by sender, whatever their verdict."""

    @property
    def uses(self) -> Sequence[KeyUse]:
        """Every key's use by connection and direction, in the order of first use."""
        return tuple(self._uses.values())

    @property
    def proofs(self) -> Sequence[Acknowledged]:
        """All proofs, in the order in which they were completed."""
        return tuple(self._proofs)

    def acknowledged(self, *, sender: str, key: int, connection: int | None = None) -> list[Acknowledged]:
        """Return the proofs that `sender`'s key of that number was taken, on any connection or a given one."""
        return [
            proof
            for proof in self._proofs
            if proof.sender == sender and proof.key == key and connection in {None, proof.connection}
        ]

    def observe(self, judgement: Judgement) -> Acknowledged | None:
        """Take the next judgement; returns a proof when this segment completes one (the last, if several)."""
        if judgement.flags & SYN:
            self.syns[judgement.sender] = self.syns.get(judgement.sender, 0) + 1
        if judgement.flags & RST:
            self.rsts[judgement.sender] = self.rsts.get(judgement.sender, 0) + 1
        connection = judgement.connection
        if not judgement.verified or connection is None:
            return None
        use = self._use(judgement, connection)
        if judgement.payload_length and not judgement.flags & (SYN | RST):
            self._data(judgement, connection, use)
        return self._acknowledge(judgement, connection) if judgement.flags & ACK else None

    def _use(self, judgement: Judgement, connection: int) -> KeyUse:
        name = (connection, judgement.src, judgement.sport, judgement.key_name)
        use = self._uses.get(name)
        if use is None:
            use = self._uses[name] = KeyUse(
                connection,
                judgement.sender,
                judgement.src,
                judgement.sport,
                judgement.dst,
                judgement.dport,
                judgement.key,
                judgement.key_name,
                judgement.number,
                judgement.time_ns,
                judgement.number,
                judgement.time_ns,
            )
        use.segments += 1
        use.last_packet, use.last_time_ns = judgement.number, judgement.time_ns
        return use

    def _data(self, judgement: Judgement, connection: int, use: KeyUse) -> None:
        use.data_segments += 1
        use.last_data_packet, use.last_data_time_ns = judgement.number, judgement.time_ns
        if use.first_data_packet is None:
            use.first_data_packet, use.first_data_time_ns = judgement.number, judgement.time_ns
        direction = self._directions.setdefault((connection, judgement.src, judgement.sport), _Direction())
        end = (judgement.seq + judgement.payload_length) & _MASK
        fresh = direction.sent is None or _at_or_after(judgement.seq, direction.sent)
        if direction.sent is None or _at_or_after(end, direction.sent):
            direction.sent = end
        if fresh and use.acknowledged is None and all(waiting.use is not use for waiting in direction.pending):
            direction.pending.append(_Pending(use, end, judgement))

    def _acknowledge(self, judgement: Judgement, connection: int) -> Acknowledged | None:
        direction = self._directions.get((connection, judgement.dst, judgement.dport))
        if direction is None or not direction.pending:
            return None
        done = [waiting for waiting in direction.pending if _at_or_after(judgement.ack, waiting.end)]
        direction.pending = [waiting for waiting in direction.pending if waiting not in done]
        proof = None
        for use, _, data in done:
            proof = use.acknowledged = Acknowledged(
                connection,
                data.sender,
                data.src,
                data.sport,
                data.dst,
                data.dport,
                use.key,
                use.key_name,
                data.number,
                data.time_ns,
                judgement.number,
                judgement.time_ns,
            )
            self._proofs.append(proof)
        return proof


def _at_or_after(seq: int, other: int) -> bool:
    """Compare sequence numbers as RFC 9293 section 3.4 does, modulo 2**32."""
    return (seq - other) & _MASK < _HALF
