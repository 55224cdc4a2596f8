"""The referee: says of each captured segment whether its sender signed it rightly and its receiver would take it.

    referee = Referee(SpeakerBook([r1, r2]))
    judgement = referee.judge(packet)      # None for whatever need not be protected

It shares the codec, the key derivation and the MAC with the wire path that it judges (proven on RFC 9235's vectors and
the Linux kernel's packets), and nothing else: ISNs, SNEs and keys are its own findings from the capture.
"""

from __future__ import annotations

import hmac
from typing import NamedTuple

from keyroll.capture.formats.link_types import cut_before_ip, ip_offset
from keyroll.capture.formats.packet import Packet
from keyroll.capture.keys.book import AddressNames, Book, Clock, DirectionKeys, HeldKey
from keyroll.capture.referee.connection import Connection, ConnectionTable, SocketPair, derive, guessed_isns
from keyroll.capture.referee.judgement import Flow, Judgement, Refusal, Verdict
from keyroll.capture.referee.receiver import Finding, Match, received
from keyroll.tcpao import (
    ACK,
    AO_LENGTH,
    RST,
    SYN,
    AoOption,
    OptionError,
    Segment,
    SegmentDefect,
    SegmentError,
    SneTracker,
    TrafficKey,
    mac_input,
    may_carry_tcp,
    parse_segment,
    peek_endpoints,
)

UNKNOWN_END = "?"
"""Addresses and names in the judgement of a packet that was cut before them."""

_UNKNOWN_FLOW = Flow(UNKNOWN_END, None, UNKNOWN_END, None, UNKNOWN_END, UNKNOWN_END)
_MASK = 0xFFFFFFFF


class Matched(NamedTuple):
    """What a verified segment (no SYN) was judged by: the fast path verifies the next ones of its kind with it."""

    socket_pair: SocketPair
    tracker: SneTracker
    traffic_key: TrafficKey
    key: HeldKey
    receiver_key: HeldKey
    clock: Clock
    src: bytes
    dst: bytes


class Referee:
    """Judges the packets of one capture (or of files that follow one another), in their order."""

    def __init__(self, book: Book, *, capture: str = "") -> None:
        self.book = book
        """May be replaced between two packets, when a speaker's chain has changed; connection state stays."""
        self.capture = capture
        """The name of the capture that packets come from now; every judgement carries it."""
        self.matched: Matched | None = None
        """Set by `judge` when the last packet was verified and is not a SYN; else None."""
        self._segment: Segment | None = None
        self._connections = ConnectionTable()
        self._names = AddressNames()

    def payload(self) -> bytes:
        """Return the TCP payload of the packet that was judged last; empty where it carries no readable TCP."""
        return b"" if self._segment is None else self._segment.payload

    def judge(self, packet: Packet) -> Judgement | None:
        """Judge one packet; None when it carries no TCP segment that must be protected."""
        self.matched = self._segment = None
        place = ip_offset(packet.link, packet.data)
        if place is None:
            return self._cut_before_ports(packet) if cut_before_ip(packet.link, packet.data) else None
        try:
            segment = parse_segment(packet.data, place)
        except SegmentError as error:
            return self._unreadable(packet, place, error)
        if segment is None:
            return None
        keys = self.book.keys_for(segment.src, segment.dst, segment.sport, segment.dport)
        if keys is None:
            return None
        self._segment = segment
        socket_pair, direction = self._connections.find(segment, packet.number)
        finding, ao = self._find(packet, segment, keys, socket_pair, direction)
        return self._judgement(packet, segment, self._flow(segment, keys, socket_pair, direction), finding, ao)

    def _find(
        self, packet: Packet, segment: Segment, keys: DirectionKeys, socket_pair: SocketPair, direction: int
    ) -> tuple[Finding, AoOption | None]:
        try:
            scan = segment.scan()
        except OptionError as error:
            return Finding(Verdict.MALFORMED, f"{error.message}.", self._connections.unknown(socket_pair)), None
        ao = scan.ao
        if ao is None:
            verdict = Verdict.MD5 if scan.md5 else Verdict.UNSIGNED
            what = "TCP MD5 instead of TCP-AO" if scan.md5 else "no TCP-AO"
            reason = f"It carries {what}, and this connection must be protected."
            return Finding(verdict, reason, self._connections.unknown(socket_pair)), None
        if scan.md5:
            reason = "It carries both TCP MD5 and TCP-AO; receivers discard such segments (RFC 5925 section 2.2)."
            return Finding(Verdict.MD5_AND_AO, reason, self._connections.unknown(socket_pair)), ao
        return self._signed(packet, segment, ao, keys, socket_pair, direction), ao

    def _signed(
        self,
        packet: Packet,
        segment: Segment,
        ao: AoOption,
        keys: DirectionKeys,
        socket_pair: SocketPair,
        direction: int,
    ) -> Finding:
        claimed = self._handshake(segment, socket_pair, direction)
        sent = keys.sent.get(ao.key_id, ())
        if not sent:
            connection = claimed or self._connections.unknown(socket_pair)
            return Finding(Verdict.UNKNOWN_KEYID, f"{keys.sender} has no key with KeyID {ao.key_id}.", connection)
        if ao.length != AO_LENGTH:
            connection = claimed or self._connections.unknown(socket_pair)
            reason = f"Its MAC has {ao.length - 4} octets, {sent[0].name} makes 12."
            return Finding(Verdict.BAD_MAC, reason, connection, sent[0])
        match = self._match(segment, ao, sent, socket_pair, direction, claimed)
        if match is None:
            return self._unmatched(segment, ao, sent, socket_pair, direction, claimed)
        socket_pair.commit(match.connection, direction, segment.seq, opens=bool(segment.flags & SYN))
        if segment.flags & (SYN | ACK) != SYN and socket_pair.superseded(match.connection, direction):
            reason = (
                f"{keys.sender}'s {match.key.name} signed it on connection {match.connection.number}; {keys.receiver} "
                "has left it for a newer one on these ports: late, or replayed."
            )
            return Finding(Verdict.REFUSED, reason, match.connection, match.key, None, Refusal.OLD_CONNECTION)
        finding = received(match, segment, ao, keys, packet.time_ns)
        tracker = match.connection.sne[direction]
        if finding.verdict is Verdict.VERIFIED and finding.receiver_key and tracker and not segment.flags & SYN:
            traffic_key = match.connection.traffic_key(direction, match.key, segment)
            self.matched = Matched(
                socket_pair, tracker, traffic_key, match.key, finding.receiver_key, keys.clock, segment.src, segment.dst
            )
        return finding

    def _handshake(self, segment: Segment, socket_pair: SocketPair, direction: int) -> Connection | None:
        """Take the ISNs that a SYN or SYN-ACK claims; None for any other segment."""
        if not segment.flags & SYN:
            return None
        if segment.flags & ACK:
            return self._connections.syn_ack(socket_pair, direction, segment.seq, (segment.ack - 1) & _MASK)
        return self._connections.syn(socket_pair, direction, segment.seq)

    def _match(
        self,
        segment: Segment,
        ao: AoOption,
        sent: tuple[HeldKey, ...],
        socket_pair: SocketPair,
        direction: int,
        claimed: Connection | None,
    ) -> Match | None:
        """Find the key, and the connection, under which the MAC is right."""
        if claimed is not None:
            disn = (segment.ack - 1) & _MASK if segment.flags & ACK else 0
            return _try_isns(segment, ao, sent, claimed, segment.seq, disn)
        for connection in socket_pair.candidates():
            sne = connection.sne_for(direction, segment.seq)
            for key in sent:
                message = _message(segment, ao, key, sne=sne)
                if hmac.compare_digest(connection.traffic_key(direction, key, segment).mac(message), ao.mac):
                    sisn, disn = connection.isns[direction] or 0, connection.isns[1 - direction] or 0
                    return Match(key, connection, sisn, disn, message)
        for connection, sisn, disn in guessed_isns(segment, socket_pair, direction):
            match = _try_isns(segment, ao, sent, connection, sisn, disn)
            if match is not None:
                connection.set_isn(direction, sisn)
                connection.set_isn(1 - direction, disn)
                return match
        return None

    def _unmatched(
        self,
        segment: Segment,
        ao: AoOption,
        sent: tuple[HeldKey, ...],
        socket_pair: SocketPair,
        direction: int,
        claimed: Connection | None,
    ) -> Finding:
        """Say why no key and no connection fits: a bad MAC, or nothing to judge it by."""
        connection = claimed or self._connections.unknown(socket_pair)
        bad = Finding(
            Verdict.BAD_MAC, f"Its KeyID is {sent[0].name}'s, its MAC is not what that key gives.", connection, sent[0]
        )
        if claimed is not None:
            return bad
        refused = _refused_syn(segment, ao, sent, socket_pair, direction)
        if refused is not None:
            return refused
        whole = list(socket_pair.candidates())
        if any(known.proven for known in whole) or (whole and not socket_pair.unseen_alive):
            return bad
        socket_pair.unseen_alive = True
        missing = "SYN-ACK is" if socket_pair.connections else "SYN and SYN-ACK are"
        reason = f"The connection's {missing} not in the capture: without ISNs there is no traffic key."
        return Finding(Verdict.ISN_UNSEEN, reason, connection)

    def _unreadable(self, packet: Packet, place: int, error: SegmentError) -> Judgement | None:
        """Judge a packet that cannot be taken apart, as far as its addresses and ports can be told."""
        ends = peek_endpoints(packet.data, place)
        if ends is None:
            cut = error.defect is SegmentDefect.CUT and may_carry_tcp(packet.data, place)
            return self._cut_before_ports(packet) if cut else None
        keys = self.book.keys_for(ends.src, ends.dst, ends.sport, ends.dport)
        if keys is None:
            return None
        cut = error.defect is SegmentDefect.CUT and packet.length > len(packet.data)
        if cut:
            verdict = Verdict.INCOMPLETE
            reason = _cut_reason(packet)
        elif error.defect is SegmentDefect.FRAGMENT:
            verdict, reason = Verdict.INCOMPLETE, "It is an IP fragment: its segment is not all in one packet."
        else:
            verdict, reason = Verdict.MALFORMED, f"{error.message[:1].upper()}{error.message[1:]}."
        flow = Flow(
            self._names[ends.src],
            ends.sport,
            self._names[ends.dst],
            ends.dport,
            keys.sender,
            keys.receiver,
            keys.session,
        )
        return Judgement(packet.number, packet.time_ns, flow, verdict, reason, capture=self.capture)

    def _cut_before_ports(self, packet: Packet) -> Judgement | None:
        """Judge a packet cut within its IP header or before: whose it is cannot be told, so that it may be any."""
        if packet.length <= len(packet.data):
            return None
        return Judgement(
            packet.number,
            packet.time_ns,
            _UNKNOWN_FLOW,
            Verdict.INCOMPLETE,
            _cut_reason(packet),
            capture=self.capture,
        )

    def _flow(self, segment: Segment, keys: DirectionKeys, socket_pair: SocketPair, direction: int) -> Flow:
        known = socket_pair.flows[direction]
        if known is not None and known[0] is keys:
            return known[1]
        flow = Flow(
            self._names[segment.src],
            segment.sport,
            self._names[segment.dst],
            segment.dport,
            keys.sender,
            keys.receiver,
            keys.session,
        )
        socket_pair.flows[direction] = keys, flow
        return flow

    def _judgement(
        self, packet: Packet, segment: Segment, flow: Flow, finding: Finding, ao: AoOption | None
    ) -> Judgement:
        key, receiver_key = finding.key, finding.receiver_key
        return Judgement(
            packet.number,
            packet.time_ns,
            flow,
            finding.verdict,
            finding.reason,
            finding.refusal,
            key.number if key else None,
            key.name if key else None,
            receiver_key.number if receiver_key else None,
            receiver_key.name if receiver_key else None,
            ao.key_id if ao else None,
            ao.rnext_key_id if ao else None,
            segment.flags,
            segment.seq,
            segment.ack,
            segment.end - segment.payload_offset,
            finding.connection.number,
            self.capture,
        )


def _refused_syn(
    segment: Segment, ao: AoOption, sent: tuple[HeldKey, ...], socket_pair: SocketPair, direction: int
) -> Finding | None:
    """Judge a RST where its sender never had an ISN: the answer to a SYN that nobody listened for."""
    if not segment.flags & RST:
        return None
    disn = (segment.ack - 1) & _MASK
    half = socket_pair.half_open(1 - direction, disn) if segment.flags & ACK else None
    if half is None:
        if any(one.proven and one.whole for one in socket_pair.connections):
            return None
        half = next((one for one in socket_pair.connections if not one.whole), None)
        if half is None:
            return None
    match = _try_isns(segment, ao, sent, half, 0, disn)
    if match is not None:
        reason = f"It refuses a SYN, so that no pair of ISNs exists; its MAC is {match.key.name}'s with source ISN 0."
        return Finding(Verdict.RST_NO_ISN, reason, half, match.key)
    reason = "No pair of ISNs exists for this connection, so that RFC 5925 has no traffic key for this RST."
    return Finding(Verdict.RST_NO_ISN, reason, half)


def _cut_reason(packet: Packet) -> str:
    return f"Only {len(packet.data)} of {packet.length} octets were captured (tcpdump -s 0 takes whole frames)."


def _message(segment: Segment, ao: AoOption, key: HeldKey, *, sne: int) -> bytes:
    return mac_input(
        sne=sne,
        src=segment.src,
        dst=segment.dst,
        header=segment.header,
        payload=segment.payload,
        ao_offset=ao.offset,
        include_options=key.include_options,
    )


def _try_isns(
    segment: Segment, ao: AoOption, sent: tuple[HeldKey, ...], connection: Connection, sisn: int, disn: int
) -> Match | None:
    """Try the keys with these ISNs; the SNE is 0, as it is at the start of every connection."""
    for key in sent:
        message = _message(segment, ao, key, sne=0)
        if hmac.compare_digest(derive(key, segment, sisn, disn).mac(message), ao.mac):
            return Match(key, connection, sisn, disn, message)
    return None
