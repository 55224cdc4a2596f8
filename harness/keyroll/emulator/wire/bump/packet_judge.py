"""The decision on every packet: passed untouched, signed, verified and stripped, or dropped with a reason.

No I/O: packets and instants are arguments. `outbound` judges packets from the router to the link, `inbound` those from
the link to the router. Source: RFC 5925 sections 7.3 to 7.8; what it leaves open is in docs/assumptions/wire.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from ipaddress import ip_address

from keyroll.emulator.contract.model import Address
from keyroll.emulator.wire.bump import headers, sequence_shift
from keyroll.emulator.wire.bump.connection import Connection, Entry, SessionState, Table, Tuple4
from keyroll.emulator.wire.bump.drops import Emit, Reporter
from keyroll.emulator.wire.bump.live_connections import PASS, LiveConnections
from keyroll.emulator.wire.bump.receiving import Receiver
from keyroll.emulator.wire.bump.sending import Sender
from keyroll.emulator.wire.bump.status import connection_status, session_status
from keyroll.emulator.wire.model import ConnectionRecord, Direction, ProtectedSession, WireStatus
from keyroll.keychain.model import Keychain
from keyroll.names import DropReason
from keyroll.tcpao import (
    ACK,
    SYN,
    OptionError,
    OptionRoomError,
    Segment,
    SegmentDefect,
    SegmentError,
    parse_segment,
)

Verdict = bytes | None
"""PASS: carry the packet unchanged; other octets: carry these instead; None: drop it."""

_NO_CHAIN = Keychain("none")


class PacketJudge:
    """Sessions, connections and the verdicts. `now` is the router's clock and `mono` a monotonic one, in ns."""

    def __init__(self, emit: Emit) -> None:
        self.report = Reporter(emit)
        self.table = Table()
        live = LiveConnections(self.table, self.report)
        self._sender = Sender(live)
        self._receiver = Receiver(live)
        self._sessions: list[SessionState] = []
        self._by_peer: dict[tuple[bytes, int], list[SessionState]] = {}
        self._peers: set[bytes] = set()
        self._groups: list[ProtectedSession] = []
        self._former: dict[tuple[Address, int, Address | None], SessionState] = {}

    def set_sessions(self, specs: Sequence[ProtectedSession], now: int) -> None:
        """Replace the table of sessions. Connections of sessions in both tables continue; all others stay protected.

        A connection keeps its keys while it lives (RFC 5925 section 3.1): segments that close a connection whose
        session was removed are still signed and verified, until it has been idle for CLOSED_LIFETIME. A new connection
        between the same ends is not protected.
        """
        self._former = {session.identity: session for session in self._sessions}
        self._sessions = []
        self._by_peer = {}
        self._peers = set()
        groups = [spec for spec in specs if spec.prefix is not None]
        self._groups = sorted(groups, key=lambda spec: spec.prefix.prefixlen if spec.prefix else 0, reverse=True)
        for spec in specs:
            if spec.prefix is None:
                self._add(spec)
        self.report.forget_sessions()
        for at, entry in list(self.table.entries.items()):
            self._reassign(at, entry, now)

    def restore(self, records: Iterable[ConnectionRecord], now: int, mono: int) -> int:
        """Continue the connections of a former process; return how many belong to a protected session.

        A connection whose session was removed from the table has no keys: segments that close it are dropped, because
        they must not leave unsigned.
        """
        taken = 0
        for record in records:
            at = Tuple4(record.local[0].packed, record.local[1], record.remote[0].packed, record.remote[1])
            session = self._session(at)
            if record.plain and (session is None or not session.spec.allow_without_ao):
                continue
            retired = session is None
            home = session or SessionState(ProtectedSession(record.remote[0], record.port, _NO_CHAIN))
            connection = Connection(at, home, record.local_isn, record.remote_isn, mono)
            connection.restore(record)
            entry = self.table.entry(at, home, mono)
            entry.live = connection
            entry.shift = connection.shift
            entry.retired = retired
            self.report.connection(connection, now)
            taken += not retired
        return taken

    def outbound(self, buffer: bytes, start: int, end: int, now: int, mono: int) -> Verdict:
        """Judge the IP packet `buffer[start:end]` that the router sends; see `Verdict`."""
        try:
            segment = parse_segment(buffer, start, end)
        except SegmentError as error:
            return self._unreadable(buffer, start, end, error, Direction.OUT, now, mono)
        if segment is None:
            return self._other(buffer, start, end, Direction.OUT, now, mono)
        at = Tuple4(segment.src, segment.sport, segment.dst, segment.dport)
        entry = self.table.entries.get(at)
        if entry is not None and entry.retired and segment.flags & (SYN | ACK) == SYN:
            self._forget(at, entry, now)  # a new SYN: for the router's kernel the old connection is over
            entry = None
        session = entry.session if entry is not None else self._session(at)
        if session is None:
            return PASS
        shift = 0
        if session.spec.isn is not None or (entry is not None and entry.shift):
            shift = sequence_shift.shift_of(segment, session.spec.isn, 0 if entry is None else entry.shift)
            segment = sequence_shift.on_the_wire(segment, shift)
            if entry is not None:
                entry.shift = shift
        try:
            verdict = self._sender.judge(session, at, segment, now, mono)
        except OptionRoomError:
            verdict = DropReason.NO_ROOM
        except OptionError:
            verdict = DropReason.MALFORMED
        if isinstance(verdict, DropReason):
            self.report.drop(session, Direction.OUT, verdict, now, mono)
            return None
        return self._shifted(at, segment, verdict, shift) if shift else verdict

    def inbound(self, buffer: bytes, start: int, end: int, now: int, mono: int) -> Verdict:
        """Judge the IP packet `buffer[start:end]` that came from the link; see `Verdict`."""
        try:
            segment = parse_segment(buffer, start, end)
        except SegmentError as error:
            return self._unreadable(buffer, start, end, error, Direction.IN, now, mono)
        if segment is None:
            return self._other(buffer, start, end, Direction.IN, now, mono)
        at = Tuple4(segment.dst, segment.dport, segment.src, segment.sport)
        entry = self.table.entries.get(at)
        session = entry.session if entry is not None else self._session(at)
        if session is None:
            return PASS
        try:
            verdict = self._receiver.judge(session, at, segment, now, mono)
        except OptionError:
            verdict = DropReason.MALFORMED
        if isinstance(verdict, DropReason):
            self.report.drop(session, Direction.IN, verdict, now, mono)
            return None
        if entry is not None and entry.shift:
            return sequence_shift.in_the_kernel(verdict or bytes(buffer[start:end]), entry.shift)
        return verdict

    def tick(self, now: int, mono: int) -> None:
        """Remove connections that are over, and report drops that were held back. Called once a second."""
        for connection in self.table.expire(mono):
            self.report.forgotten(connection, now)
        self.report.tick(now, mono)

    def records(self) -> list[ConnectionRecord]:
        """Return the record of every connection."""
        return [connection.record() for connection in self.table.connections()]

    def status(self, now: int, mono: int, clock_offset: int) -> WireStatus:
        """Return the whole state."""
        return WireStatus(
            sessions=tuple(session_status(session, now) for session in self._sessions),
            connections=tuple(connection_status(at, entry, now, mono) for at, entry in self.table.entries.items()),
            drops=dict(self.report.drops),
            passed=dict(self.report.passed),
            clock_offset_ns=clock_offset,
        )

    def _shifted(self, at: Tuple4, segment: Segment, verdict: bytes, shift: int) -> bytes:
        """Record the shift of a SYN that leaves; return its packet."""
        entry = self.table.entries.get(at)
        if entry is not None:
            entry.shift = shift
        return verdict or sequence_shift.whole_packet(segment)

    # -- finding the session ------------------------------------------------------------------------------------------

    def _session(self, at: Tuple4) -> SessionState | None:
        """Return the session that protects these addresses and ports.

        If a peer is protected at one of this router's addresses, its segments to another address are not let through
        unprotected: a listening daemon would accept them as the same neighbour's.
        """
        found = self._by_peer.get((at.remote, at.rport)) or self._by_peer.get((at.remote, at.lport))
        if not found:
            return self._of_group(at) if self._groups else None
        for session in found:
            if session.spec.local is not None and session.spec.local.packed == at.local:
                return session
        return next((session for session in found if session.spec.local is None), found[0])

    def _of_group(self, at: Tuple4) -> SessionState | None:
        """Add and return a session with a peer that only a prefix covers."""
        peer = ip_address(at.remote)
        for group in self._groups:
            if group.port in (at.rport, at.lport) and group.covers(peer):
                return self._add(group.with_peer(peer))
        return None

    def _add(self, spec: ProtectedSession) -> SessionState:
        """Add a session to the table, with its counters from the former table."""
        session = SessionState(spec)
        old = self._former.get(session.identity)
        if old is not None:
            session.drops = old.drops
        self._sessions.append(session)
        self._by_peer.setdefault((spec.peer.packed, spec.port), []).append(session)
        self._peers.add(spec.peer.packed)
        return session

    def _is_peer(self, address: bytes) -> bool:
        return address in self._peers or any(group.covers(ip_address(address)) for group in self._groups)

    def _reassign(self, at: Tuple4, entry: Entry, now: int) -> None:
        session = self._session(at)
        live = entry.live
        if session is None:
            if live is None or live.plain:
                self._forget(at, entry, now)
            else:
                entry.retired = True
                entry.our_syn = entry.peer_syn = None
            return
        if live is not None and (
            live.session.identity != session.identity or (live.plain and not session.spec.allow_without_ao)
        ):
            self.report.forgotten(live, now)
            entry.live = None
        entry.retired = False
        entry.session = session
        entry.peer_plain = entry.peer_plain and session.spec.allow_without_ao
        if entry.live is not None:
            entry.live.continue_under(session)
            if entry.live.differs:
                self.report.connection(entry.live, now)

    def _forget(self, at: Tuple4, entry: Entry, now: int) -> None:
        if entry.live is not None:
            self.report.forgotten(entry.live, now)
        del self.table.entries[at]

    # -- packets that are not a whole TCP segment ----------------------------------------------------------------------

    def _unreadable(
        self, buffer: bytes, start: int, end: int, error: SegmentError, direction: Direction, now: int, mono: int
    ) -> Verdict:
        """Judge a TCP packet that cannot be parsed: from or to a protected peer it is dropped."""
        ends = headers.packet_ends(buffer, start, end)
        if ends is None or not self._is_peer(ends[0 if direction is Direction.IN else 1]):
            return PASS
        reason = DropReason.FRAGMENT if error.defect is SegmentDefect.FRAGMENT else DropReason.MALFORMED
        self.report.drop(None, direction, reason, now, mono)
        return None

    def _other(self, buffer: bytes, start: int, end: int, direction: Direction, now: int, mono: int) -> Verdict:
        """Judge what is not TCP: drop ICMP errors about protected connections, and fragments that may hide TCP."""
        if direction is Direction.IN:
            quoted = headers.quoted_by_error(buffer, start, end)
            if quoted is not None:
                session = self._session(Tuple4(quoted.src, quoted.sport, quoted.dst, quoted.dport))
                if session is not None:
                    self.report.drop(session, direction, DropReason.ICMP_ERROR, now, mono)
                    return None
        ends = headers.packet_ends(buffer, start, end)
        if (
            ends is not None
            and self._is_peer(ends[0 if direction is Direction.IN else 1])
            and headers.hides_tcp_in_fragment(buffer, start, end)
        ):
            self.report.drop(None, direction, DropReason.FRAGMENT, now, mono)
            return None
        return PASS
