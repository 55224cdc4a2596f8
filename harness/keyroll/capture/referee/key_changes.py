"""When a key change is proven: a segment with data, signed with the key, was acknowledged by a verified segment.

    account, key_changes = Account(), KeyChanges()
    for judgement in judgements:
        proof = key_changes.observe(judgement, account.observe(judgement))

A key has its proof when data signed with it is acknowledged for the first time. Only new octets count: the receiver may
have accepted retransmitted data earlier, under another key.
"""

from __future__ import annotations

from typing import NamedTuple

from keyroll.capture.referee.account import Acknowledged, KeyUse
from keyroll.capture.referee.judgement import Judgement
from keyroll.tcpao import ACK, HALF_SEQUENCE, RST, SEQUENCE_MASK, SYN

_DirectionName = tuple[int, str, int | None]
"""A connection's number, the sender's address and port."""


class _Pending(NamedTuple):
    """Data not yet acknowledged; `end` is the sequence number after its last octet."""

    use: KeyUse
    end: int


class _Sent:
    """The highest sequence number of one direction, and its unacknowledged data."""

    __slots__ = ("end", "pending")

    def __init__(self) -> None:
        self.end: int | None = None
        self.pending: list[_Pending] = []


class KeyChanges:
    """Follows the judgements of one capture, in their order, and finds the proofs."""

    def __init__(self) -> None:
        self._sent: dict[_DirectionName, _Sent] = {}

    def observe(self, judgement: Judgement, use: KeyUse | None) -> Acknowledged | None:
        """Take the next judgement, and the use that the account counted it with.

        Returns:
            A proof when this segment completes one (the last, if several).
        """
        connection = judgement.connection
        if use is None or connection is None:
            return None
        if judgement.payload_length and not judgement.flags & (SYN | RST):
            self._record_data(judgement, connection, use)
        return self._acknowledge(judgement, connection) if judgement.flags & ACK else None

    def _record_data(self, judgement: Judgement, connection: int, use: KeyUse) -> None:
        sent = self._sent.setdefault((connection, judgement.src, judgement.sport), _Sent())
        end = (judgement.seq + judgement.payload_length) & SEQUENCE_MASK
        fresh = sent.end is None or _at_or_after(judgement.seq, sent.end)
        if sent.end is None or _at_or_after(end, sent.end):
            sent.end = end
        if fresh and use.acknowledged is None and all(waiting.use is not use for waiting in sent.pending):
            sent.pending.append(_Pending(use, end))

    def _acknowledge(self, judgement: Judgement, connection: int) -> Acknowledged | None:
        sent = self._sent.get((connection, judgement.dst, judgement.dport))
        if sent is None or not sent.pending:
            return None
        done = [waiting for waiting in sent.pending if _at_or_after(judgement.ack, waiting.end)]
        sent.pending = [waiting for waiting in sent.pending if waiting not in done]
        proof = None
        for use, _ in done:
            proof = use.acknowledged = Acknowledged(use, judgement.number, judgement.time_ns)
        return proof


def _at_or_after(seq: int, other: int) -> bool:
    """Compare sequence numbers as RFC 9293 section 3.4 does, modulo 2**32."""
    return (seq - other) & SEQUENCE_MASK < HALF_SEQUENCE
