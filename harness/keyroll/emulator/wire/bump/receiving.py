"""Receive: verify and strip segments of protected sessions, or drop them (RFC 5925 section 7.5)."""

from __future__ import annotations

from keyroll.emulator.wire.bump import headers
from keyroll.emulator.wire.bump.connection import Connection, Entry, SessionState, Tuple4
from keyroll.emulator.wire.bump.headers import USUAL_START
from keyroll.emulator.wire.bump.live_connections import PASS, Judged, LiveConnections, count, refuses
from keyroll.emulator.wire.model import Direction
from keyroll.names import DropReason, Sending
from keyroll.tcpao import (
    ACK,
    HALF_SEQUENCE,
    RST,
    SEQUENCE_MASK,
    SYN,
    AoOption,
    Mkt,
    Segment,
    strip_ao,
    tcp_checksum,
    verify_segment,
    with_options,
)

_WHOLE_ROWS = frozenset({12, 24})
"""Lengths in octets of the usual options without TCP-AO: time stamps alone, and with one SACK block. They need no
padding."""


class Receiver:
    """Verifies what the link brings. Instants are `now`, the router's clock, and `mono`, a monotonic one, in ns."""

    def __init__(self, live: LiveConnections) -> None:
        self._live = live

    def judge(self, session: SessionState, at: Tuple4, segment: Segment, now: int, mono: int) -> Judged:
        """Return the stripped packet, PASS for a peer admitted without TCP-AO, or why it is dropped.

        Raises:
            OptionError: the segment's options are malformed.
        """
        scan = segment.scan()
        if scan.md5:
            return DropReason.MD5_PRESENT
        if scan.ao is None:
            return self._receive_plain(session, at, segment, now, mono)
        if segment.flags & (SYN | ACK) == SYN:
            return self._receive_syn(session, at, segment, scan.ao, now, mono)
        entry = self._live.table.entries.get(at)
        live = None if entry is None else entry.live
        if entry is not None and refuses(segment, entry.our_syn, live, live.local_isn if live else None):
            return self._receive_refusal(session, entry, segment, scan.ao, now)
        if entry is not None and segment.flags & SYN:
            live = _connection_of_syn_ack(session, entry, at, segment, mono)
        return self._receive_on(session, entry, live, segment, scan.ao, now, mono)

    def _receive_on(
        self,
        session: SessionState,
        entry: Entry | None,
        live: Connection | None,
        segment: Segment,
        ao: AoOption,
        now: int,
        mono: int,
    ) -> Judged:
        named = session.numbers_received_as(ao.key_id) if live is None else live.numbers_received_as(ao.key_id)
        number = acceptable(session, named, now)
        if isinstance(number, DropReason):
            return number
        if entry is None or live is None or live.plain:
            return DropReason.NO_CONNECTION
        mkt = live.mkt(number)
        if mkt is None:
            return DropReason.UNKNOWN_KEY_ID
        key, sne = live.key_in(number, mkt), live.in_sne.sne_for(segment.seq)
        if not verify_segment(segment, ao, key=key, sne=sne, include_options=mkt.include_options):
            return DropReason.BAD_MAC
        if not mkt.include_options and not _checksum_is_right(segment):
            return DropReason.BAD_CHECKSUM
        if live is not entry.live:
            self._live.commit(entry, live, now, mono)
        self._verified(live, segment, ao, number, mkt, now)
        entry.last = mono
        self._live.seen(live, segment, now, mono)
        return stripped(segment, ao)

    def _verified(self, live: Connection, segment: Segment, ao: AoOption, number: int, mkt: Mkt, now: int) -> None:
        """Update the state after a verified segment: SNE, keys in use, RNextKeyID, counters."""
        if not segment.flags & RST:
            live.in_sne.commit(segment.seq)
        live.pinned[number] = mkt
        before, current = live.in_.key, live.current
        count(live.in_, segment, (number, ao.key_id, ao.rnext_key_id))
        # A replayed segment verifies too. One that acknowledges less than an earlier segment is old, and its RNextKeyID
        # does not say what the peer wants now.
        if segment.flags & ACK and (segment.ack - live.highest_ack) & SEQUENCE_MASK < HALF_SEQUENCE:
            live.highest_ack = segment.ack
            if live.session.clock.sending is Sending.RNEXT:
                live.current = live.session.clock.follow(now, current, live.number_sent_as(ao.rnext_key_id))
        self._live.report_changes(live, Direction.IN, before, number, now, moved=live.current != current)

    def _receive_syn(
        self, session: SessionState, at: Tuple4, segment: Segment, ao: AoOption, now: int, mono: int
    ) -> Judged:
        number = acceptable(session, session.numbers_received_as(ao.key_id), now)
        if isinstance(number, DropReason):
            return number
        mkt = session.mkts[number]
        key = mkt.traffic_key(at.remote, at.local, at.rport, at.lport, segment.seq, 0)
        if not verify_segment(segment, ao, key=key, sne=0, include_options=mkt.include_options):
            return DropReason.BAD_MAC
        entry = self._live.table.entry(at, session, mono)
        entry.peer_syn = segment.seq
        entry.peer_plain = False
        return stripped(segment, ao)

    def _receive_refusal(self, session: SessionState, entry: Entry, segment: Segment, ao: AoOption, now: int) -> Judged:
        number = acceptable(session, session.numbers_received_as(ao.key_id), now)
        if isinstance(number, DropReason):
            return number
        mkt = session.mkts[number]
        key = mkt.key_for(segment, 0, (segment.ack - 1) & SEQUENCE_MASK)
        if not verify_segment(segment, ao, key=key, sne=0, include_options=mkt.include_options):
            return DropReason.BAD_MAC
        entry.our_syn = None
        return stripped(segment, ao)

    def _receive_plain(self, session: SessionState, at: Tuple4, segment: Segment, now: int, mono: int) -> Judged:
        """Judge a segment without TCP-AO: `allow-without-tcpao` admits it, if its connection has no TCP-AO at all."""
        entry = self._live.table.entries.get(at)
        live = None if entry is None else entry.live
        if not session.spec.allow_without_ao or (live is not None and not live.plain and not live.closing):
            return DropReason.NO_OPTION
        flags = segment.flags
        if flags & SYN and not flags & ACK:
            entry = self._live.table.entry(at, session, mono)
            entry.peer_syn = segment.seq
            entry.peer_plain = True
            return PASS
        if entry is not None and entry.our_syn is not None and (segment.ack - 1) & SEQUENCE_MASK == entry.our_syn:
            if flags & SYN:
                connection = Connection(at, session, entry.our_syn, segment.seq, mono)
                connection.plain = True
                count(connection.in_, segment, None)
                self._live.commit(entry, connection, now, mono)
                return PASS
            if flags & RST:
                entry.our_syn = None
                return PASS
        if entry is None or live is None or not live.plain:
            return DropReason.NO_OPTION
        entry.last = mono
        count(live.in_, segment, None)
        self._live.seen(live, segment, now, mono)
        return PASS


def _connection_of_syn_ack(
    session: SessionState, entry: Entry, at: Tuple4, segment: Segment, mono: int
) -> Connection | None:
    """Return the live connection whose SYN-ACK is repeated, or the new one that a SYN-ACK opens."""
    local_isn, live = (segment.ack - 1) & SEQUENCE_MASK, entry.live
    if live is not None and (live.local_isn, live.remote_isn) == (local_isn, segment.seq):
        return live
    if entry.our_syn != local_isn:
        return None
    connection = Connection(at, session, local_isn, segment.seq, mono)
    connection.current = entry.our_key
    return connection


def _checksum_is_right(segment: Segment) -> bool:
    """Return whether the TCP checksum is right: the one computed later must not hide damage to options without MAC."""
    tcp = segment.octets
    return tcp_checksum(tcp, segment.src, segment.dst) == int.from_bytes(tcp[16:18], "big")


def stripped(segment: Segment, ao: AoOption) -> Judged:
    """Return a verified segment's packet without TCP-AO; in a SYN the MSS is lowered to leave room for it."""
    options = segment.options[: ao.offset] + segment.options[ao.offset + ao.length :]
    header = segment.header
    if len(options) in _WHOLE_ROWS and options[:4] == USUAL_START:
        header = with_options(header, options)  # TCP-AO followed the usual time stamps: nothing to repack
    else:
        header = strip_ao(header)
    if segment.flags & SYN:
        header = headers.with_lower_mss(header)
    return headers.rebuilt(segment, headers.finished(segment, header)) or DropReason.MALFORMED


def acceptable(session: SessionState, numbers: list[int], now: int) -> int | DropReason:
    """Return the key that a received KeyID names: of those acceptable now, the one with the latest start-time."""
    if not numbers:
        return DropReason.UNKNOWN_KEY_ID if session.mkts else DropReason.NO_USABLE_KEY
    return next((number for number in numbers if session.clock.acceptable(number, now)), DropReason.NOT_ACCEPTABLE)
