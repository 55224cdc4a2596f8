"""What sending and receiving share: the live connections, their counters, and the reports on them."""

from __future__ import annotations

from typing import Final

from keyroll.emulator.wire.bump.connection import Connection, DirectionState, Entry, Table
from keyroll.emulator.wire.bump.drops import Reporter
from keyroll.emulator.wire.model import Direction
from keyroll.names import DropReason
from keyroll.tcpao import ACK, FIN, RST, SEQUENCE_MASK, Segment

PASS: Final = b""
"""The verdict that a packet passes as it is. Other octets are the packet to carry instead."""
Judged = bytes | DropReason
ANCHOR_STEP = 1 << 30
"""Octets after which a record is reported again: less than half the sequence space, so that a replacement process still
finds the SNE as the nearest value."""


class LiveConnections:
    """The table of connections with the reports on it."""

    def __init__(self, table: Table, report: Reporter) -> None:
        self.table = table
        self.report = report

    def commit(self, entry: Entry, connection: Connection, now: int, mono: int) -> None:
        """Make `connection` the live one of its addresses and ports."""
        entry.live = connection
        connection.shift = entry.shift
        entry.our_syn = entry.peer_syn = None
        entry.peer_plain = False
        entry.last = mono
        self.report.connection(connection, now)
        if connection.plain:
            self.report.admitted(connection, now)

    def report_changes(
        self, live: Connection, direction: Direction, before: int | None, number: int, now: int, *, moved: bool = False
    ) -> None:
        """Report a key change (`before` is the former key), or a record that a replacement process needs by now."""
        if before is not None and before != number:
            self.report.key_change(live, direction, before, now)
        elif moved or live.out_sne.anchor + live.in_sne.anchor - live.reported_anchor > ANCHOR_STEP:
            self.report.connection(live, now)

    def seen(self, live: Connection, segment: Segment, now: int, mono: int) -> None:
        """Record that a segment of the connection passed, and report the first FIN or RST."""
        live.last = mono
        if segment.flags & (FIN | RST) and not live.closing:
            live.closing = True
            self.report.connection(live, now)


def refuses(segment: Segment, pending: int | None, live: Connection | None, isn_of_live: int | None) -> bool:
    """Return whether a RST refuses the pending SYN with that ISN, whose connection was never established."""
    return (
        pending is not None
        and segment.flags & (RST | ACK) == RST | ACK
        and segment.seq == 0
        and (segment.ack - 1) & SEQUENCE_MASK == pending
        and (live is None or isn_of_live != pending)
    )


def count(state: DirectionState, segment: Segment, key: tuple[int, int, int] | None) -> None:
    """Count a segment that passed, with its key number, KeyID and RNextKeyID; None for one without TCP-AO."""
    state.segments += 1
    state.octets += segment.payload_length
    if key is not None:
        state.key, state.key_id, state.rnext_key_id = key
