"""Send: sign segments of protected sessions, or drop them (RFC 5925 sections 7.3 and 7.4)."""

from __future__ import annotations

from keyroll.emulator.wire.bump import headers
from keyroll.emulator.wire.bump.connection import Connection, Entry, SessionState, Tuple4
from keyroll.emulator.wire.bump.live_connections import PASS, Judged, LiveConnections, count, refuses
from keyroll.emulator.wire.model import Direction
from keyroll.names import DropReason
from keyroll.tcpao import ACK, RST, SEQUENCE_MASK, SYN, Mkt, Segment, TrafficKey, sign_segment


class Sender:
    """Signs what the router sends. Instants are `now`, the router's clock, and `mono`, a monotonic one, in ns."""

    def __init__(self, live: LiveConnections) -> None:
        self._live = live

    def judge(self, session: SessionState, at: Tuple4, segment: Segment, now: int, mono: int) -> Judged:
        """Return the signed packet, PASS for a peer admitted without TCP-AO, or why it may not leave.

        Raises:
            OptionError: the segment's options are malformed.
            OptionRoomError: they leave no room for TCP-AO.
        """
        if segment.scan().md5:
            return DropReason.MD5_PRESENT
        entry = self._live.table.entries.get(at)
        flags = segment.flags
        if flags & SYN and not flags & ACK:
            return self._send_syn(session, at, segment, now, mono)
        if entry is None:
            return DropReason.NO_CONNECTION
        if flags & SYN:
            return self._send_syn_ack(session, entry, at, segment, now, mono)
        if refuses(segment, entry.peer_syn, entry.live, entry.live.remote_isn if entry.live else None):
            return self._send_refusal(session, entry, at, segment, now)
        live = entry.live
        if live is None:
            return DropReason.NO_CONNECTION
        entry.last = mono
        return self._send_on(live, segment, now, mono)

    def _send_syn(self, session: SessionState, at: Tuple4, segment: Segment, now: int, mono: int) -> Judged:
        number = session.clock.opening(now)
        mkt = None if number is None else session.mkts.get(number)
        if number is None or mkt is None:
            return DropReason.NO_USABLE_KEY
        key = mkt.traffic_key(at.local, at.remote, at.lport, at.rport, segment.seq, 0)
        signed = sign(segment, key, 0, mkt, mkt.recv_id)
        if isinstance(signed, bytes):
            entry = self._live.table.entry(at, session, mono)
            entry.our_syn = segment.seq
            entry.our_key = number
        return signed

    def _send_syn_ack(
        self, session: SessionState, entry: Entry, at: Tuple4, segment: Segment, now: int, mono: int
    ) -> Judged:
        remote_isn = (segment.ack - 1) & SEQUENCE_MASK
        live = entry.live
        if live is None or (live.local_isn, live.remote_isn) != (segment.seq, remote_isn):
            if entry.peer_syn != remote_isn:
                return DropReason.NO_CONNECTION
            live = Connection(at, session, segment.seq, remote_isn, mono)
            live.plain = entry.peer_plain
            live.current = session.clock.opening(now)
        result = self._send_on(live, segment, now, mono)
        if isinstance(result, bytes) and live is not entry.live:
            self._live.commit(entry, live, now, mono)
        return result

    def _send_refusal(self, session: SessionState, entry: Entry, at: Tuple4, segment: Segment, now: int) -> Judged:
        """Sign a RST that refuses a SYN. This router never chose an ISN; 0 is assumed (docs/assumptions/wire.md)."""
        if entry.peer_plain:
            return PASS
        number = session.clock.opening(now)
        mkt = None if number is None else session.mkts.get(number)
        if mkt is None:
            return DropReason.NO_USABLE_KEY
        key = mkt.traffic_key(at.local, at.remote, at.lport, at.rport, 0, (segment.ack - 1) & SEQUENCE_MASK)
        return sign(segment, key, 0, mkt, mkt.recv_id)

    def _send_on(self, live: Connection, segment: Segment, now: int, mono: int) -> Judged:
        if live.plain:
            count(live.out, segment, None)
            self._live.seen(live, segment, now, mono)
            return PASS
        clock = live.session.clock
        number = live.sending_number(now)
        asked = clock.asked(now)
        mkt = None if number is None else live.mkt(number)
        wanted = None if asked is None else live.mkt(asked)
        if number is None or mkt is None or wanted is None:
            return DropReason.NO_USABLE_KEY
        sne = live.out_sne.sne_for(segment.seq)
        signed = sign(segment, live.key_out(number, mkt), sne, mkt, wanted.recv_id)
        if not isinstance(signed, bytes):
            return signed
        live.current = number
        live.pinned[number] = mkt
        if not segment.flags & RST:
            live.out_sne.commit(segment.seq)
        before = live.out.key
        count(live.out, segment, (number, mkt.send_id, wanted.recv_id))
        self._live.seen(live, segment, now, mono)
        self._live.report_changes(live, Direction.OUT, before, number, now)
        return signed


def sign(segment: Segment, key: TrafficKey, sne: int, mkt: Mkt, rnext_key_id: int) -> Judged:
    """Return the segment's packet, signed with a traffic key and an SNE. Raises as `Sender.judge`."""
    tcp = sign_segment(
        headers.with_room_for_ao(segment.octets),
        src=segment.src,
        dst=segment.dst,
        key=key,
        sne=sne,
        key_id=mkt.send_id,
        rnext_key_id=rnext_key_id,
        include_options=mkt.include_options,
    )
    return headers.rebuilt(segment, tcp) or DropReason.NO_ROOM
