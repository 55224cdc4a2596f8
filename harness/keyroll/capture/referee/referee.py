"""The referee: says of each captured segment whether its sender signed it rightly and its receiver would take it.

    referee = Referee(SpeakerBook([r1, r2]))
    judgement = referee.judge(packet)      # None for whatever need not be protected

It shares the codec, the key derivation and the MAC with the wire path that it judges (proven on RFC 9235's vectors and
the Linux kernel's packets), and nothing else: ISNs, SNEs and keys are its own findings from the capture.
"""

from __future__ import annotations

import hmac
from datetime import datetime
from typing import NamedTuple

from keyroll.capture.formats.link_types import cut_before_ip, ip_offset
from keyroll.capture.formats.packet import Packet
from keyroll.capture.keys.book import AddressNames, Book, Clock, Lane, LaneKey
from keyroll.capture.referee.connection import Connections, Pair, Tuple4, derive, guessed_isns
from keyroll.capture.referee.judgement import Judgement, Refusal, Verdict
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
_MASK = 0xFFFFFFFF


class _Match(NamedTuple):
    """A sender's key under which a segment's MAC is right; `pair` is None for a refused SYN's RST."""

    key: LaneKey
    pair: Pair
    sisn: int
    disn: int
    message: bytes


class _Finding(NamedTuple):
    """A verdict in the making."""

    verdict: Verdict
    reason: str
    pair: Pair
    key: LaneKey | None = None
    receiver_key: LaneKey | None = None
    refusal: Refusal | None = None


class Matched(NamedTuple):
    """What a verified segment (no SYN) was judged by: for who judges the next of its kind quicker."""

    tuple4: Tuple4
    tracker: SneTracker
    traffic_key: TrafficKey
    key: LaneKey
    receiver_key: LaneKey
    clock: Clock
    src: bytes
    dst: bytes


class Referee:
    """Judges the packets of one capture, in their order."""

    def __init__(self, book: Book) -> None:
        self.book = book
        """May be replaced between two packets, when a speaker's chain has changed; connection state stays."""
        self.matched: Matched | None = None
        """Set by `judge` when the last packet was verified and is not a SYN; else None."""
        self._connections = Connections()
        self._names = AddressNames()

    def judge(self, packet: Packet) -> Judgement | None:
        """Judge one packet; None when it carries no TCP segment that must be protected."""
        self.matched = None
        place = ip_offset(packet.link, packet.data)
        if place is None:
            return self._beheaded(packet) if cut_before_ip(packet.link, packet.data) else None
        try:
            segment = parse_segment(packet.data, place)
        except SegmentError as error:
            return self._unreadable(packet, place, error)
        if segment is None:
            return None
        lane = self.book.lane(segment.src, segment.dst, segment.sport, segment.dport)
        if lane is None:
            return None
        tuple4, direction = self._connections.find(segment, packet.number)
        try:
            scan = segment.scan()
        except OptionError as error:
            finding = _Finding(Verdict.MALFORMED, f"{error.message}.", self._connections.stray(tuple4))
            return self._judgement(packet, segment, lane, finding, None)
        ao = scan.ao
        if ao is None:
            verdict = Verdict.MD5 if scan.md5 else Verdict.UNSIGNED
            what = "TCP MD5 instead of TCP-AO" if scan.md5 else "no TCP-AO"
            reason = f"It carries {what}, and this connection must be protected."
            return self._judgement(
                packet, segment, lane, _Finding(verdict, reason, self._connections.stray(tuple4)), None
            )
        if scan.md5:
            reason = "It carries both TCP MD5 and TCP-AO; receivers discard such segments (RFC 5925 section 2.2)."
            finding = _Finding(Verdict.MD5_AND_AO, reason, self._connections.stray(tuple4))
        else:
            finding = self._signed(packet, segment, ao, lane, tuple4, direction)
        return self._judgement(packet, segment, lane, finding, ao)

    def _signed(
        self, packet: Packet, segment: Segment, ao: AoOption, lane: Lane, tuple4: Tuple4, direction: int
    ) -> _Finding:
        claimed = self._handshake(segment, tuple4, direction)
        keys = lane.sent.get(ao.key_id, ())
        if not keys:
            pair = claimed or self._connections.stray(tuple4)
            return _Finding(Verdict.UNKNOWN_KEYID, f"{lane.sender} has no key with KeyID {ao.key_id}.", pair)
        if ao.length != AO_LENGTH:
            pair = claimed or self._connections.stray(tuple4)
            reason = f"Its MAC has {ao.length - 4} octets, {keys[0].name} makes 12."
            return _Finding(Verdict.BAD_MAC, reason, pair, keys[0])
        match = self._match(segment, ao, keys, tuple4, direction, claimed)
        if match is None:
            return self._unmatched(segment, ao, keys, tuple4, direction, claimed)
        tuple4.commit(match.pair, direction, segment.seq, opens=bool(segment.flags & SYN))
        if segment.flags & (SYN | ACK) != SYN and tuple4.superseded(match.pair, direction):
            reason = (
                f"{lane.sender}'s {match.key.name} signed it on connection {match.pair.number}; {lane.receiver} has "
                "left it for a newer one on these ports: late, or replayed."
            )
            return _Finding(Verdict.REFUSED, reason, match.pair, match.key, None, Refusal.OLD_CONNECTION)
        finding = _received(match, segment, ao, lane, packet.time_ns)
        tracker = match.pair.sne[direction]
        if finding.verdict is Verdict.VERIFIED and finding.receiver_key and tracker and not segment.flags & SYN:
            traffic_key = match.pair.key(direction, match.key, segment)
            self.matched = Matched(
                tuple4, tracker, traffic_key, match.key, finding.receiver_key, lane.clock, segment.src, segment.dst
            )
        return finding

    def _handshake(self, segment: Segment, tuple4: Tuple4, direction: int) -> Pair | None:
        """Take the ISNs that a SYN or SYN-ACK claims; None for any other segment."""
        if not segment.flags & SYN:
            return None
        if segment.flags & ACK:
            return self._connections.syn_ack(tuple4, direction, segment.seq, (segment.ack - 1) & _MASK)
        return self._connections.syn(tuple4, direction, segment.seq)

    def _match(
        self,
        segment: Segment,
        ao: AoOption,
        keys: tuple[LaneKey, ...],
        tuple4: Tuple4,
        direction: int,
        claimed: Pair | None,
    ) -> _Match | None:
        """Find the key, and the pair of ISNs, under which the MAC is right."""
        if claimed is not None:
            disn = (segment.ack - 1) & _MASK if segment.flags & ACK else 0
            return _try_isns(segment, ao, keys, claimed, segment.seq, disn)
        for pair in tuple4.candidates():
            sne = pair.sne_for(direction, segment.seq)
            for key in keys:
                message = _message(segment, ao, key, sne=sne)
                if hmac.compare_digest(pair.key(direction, key, segment).mac(message), ao.mac):
                    sisn, disn = pair.isns[direction] or 0, pair.isns[1 - direction] or 0
                    return _Match(key, pair, sisn, disn, message)
        for pair, sisn, disn in guessed_isns(segment, tuple4, direction):
            match = _try_isns(segment, ao, keys, pair, sisn, disn)
            if match is not None:
                pair.set_isn(direction, sisn)
                pair.set_isn(1 - direction, disn)
                return match
        return None

    def _unmatched(
        self,
        segment: Segment,
        ao: AoOption,
        keys: tuple[LaneKey, ...],
        tuple4: Tuple4,
        direction: int,
        claimed: Pair | None,
    ) -> _Finding:
        """Say why no key and no pair of ISNs fits: a bad MAC, or nothing to judge it by."""
        pair = claimed or self._connections.stray(tuple4)
        bad = _Finding(
            Verdict.BAD_MAC, f"Its KeyID is {keys[0].name}'s, its MAC is not what that key gives.", pair, keys[0]
        )
        if claimed is not None:
            return bad
        refused = self._refused_syn(segment, ao, keys, tuple4, direction)
        if refused is not None:
            return refused
        whole = list(tuple4.candidates())
        if any(known.proven for known in whole) or (whole and not tuple4.unseen_live):
            return bad
        tuple4.unseen_live = True
        missing = "SYN-ACK" if tuple4.pairs else "SYN and SYN-ACK"
        reason = f"The connection's {missing} not in the capture: without ISNs there is no traffic key."
        return _Finding(
            Verdict.ISN_UNSEEN, reason.replace(" not", " are not" if " and " in missing else " is not"), pair
        )

    def _refused_syn(
        self, segment: Segment, ao: AoOption, keys: tuple[LaneKey, ...], tuple4: Tuple4, direction: int
    ) -> _Finding | None:
        """Judge a RST where its sender never had an ISN: the answer to a SYN that nobody listened for."""
        if not segment.flags & RST:
            return None
        disn = (segment.ack - 1) & _MASK
        half = tuple4.half_open(1 - direction, disn) if segment.flags & ACK else None
        if half is None:
            if any(pair.proven and pair.whole for pair in tuple4.pairs):
                return None
            half = next((pair for pair in tuple4.pairs if not pair.whole), None)
            if half is None:
                return None
        match = _try_isns(segment, ao, keys, half, 0, disn)
        if match is not None:
            reason = (
                f"It refuses a SYN, so that no pair of ISNs exists; its MAC is {match.key.name}'s with source ISN 0."
            )
            return _Finding(Verdict.RST_NO_ISN, reason, half, match.key)
        reason = "No pair of ISNs exists for this connection, so that RFC 5925 has no traffic key for this RST."
        return _Finding(Verdict.RST_NO_ISN, reason, half)

    def _unreadable(self, packet: Packet, place: int, error: SegmentError) -> Judgement | None:
        """Judge a packet that cannot be taken apart, as far as its addresses and ports can be told."""
        ends = peek_endpoints(packet.data, place)
        if ends is None:
            cut = error.defect is SegmentDefect.CUT and may_carry_tcp(packet.data, place)
            return self._beheaded(packet) if cut else None
        lane = self.book.lane(ends.src, ends.dst, ends.sport, ends.dport)
        if lane is None:
            return None
        cut = error.defect is SegmentDefect.CUT and packet.length > len(packet.data)
        if cut:
            verdict = Verdict.INCOMPLETE
            reason = _cut_reason(packet)
        elif error.defect is SegmentDefect.FRAGMENT:
            verdict, reason = Verdict.INCOMPLETE, "It is an IP fragment: its segment is not all in one packet."
        else:
            verdict, reason = Verdict.MALFORMED, f"{error.message[:1].upper()}{error.message[1:]}."
        return Judgement(
            number=packet.number,
            time_ns=packet.time_ns,
            src=self._names[ends.src],
            sport=ends.sport,
            dst=self._names[ends.dst],
            dport=ends.dport,
            sender=lane.sender,
            receiver=lane.receiver,
            verdict=verdict,
            reason=reason,
        )

    def _beheaded(self, packet: Packet) -> Judgement | None:
        """Judge a packet cut within its IP header or before: whose it is cannot be told, so that it may be any."""
        if packet.length <= len(packet.data):
            return None
        return Judgement(
            number=packet.number,
            time_ns=packet.time_ns,
            src=UNKNOWN_END,
            sport=None,
            dst=UNKNOWN_END,
            dport=None,
            sender=UNKNOWN_END,
            receiver=UNKNOWN_END,
            verdict=Verdict.INCOMPLETE,
            reason=_cut_reason(packet),
        )

    def _judgement(
        self, packet: Packet, segment: Segment, lane: Lane, finding: _Finding, ao: AoOption | None
    ) -> Judgement:
        key, receiver_key = finding.key, finding.receiver_key
        return Judgement(
            packet.number,
            packet.time_ns,
            self._names[segment.src],
            segment.sport,
            self._names[segment.dst],
            segment.dport,
            lane.sender,
            lane.receiver,
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
            finding.pair.number,
        )


def _cut_reason(packet: Packet) -> str:
    return f"Only {len(packet.data)} of {packet.length} octets were captured (tcpdump -s 0 takes whole frames)."


def _message(segment: Segment, ao: AoOption, key: LaneKey, *, sne: int) -> bytes:
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
    segment: Segment, ao: AoOption, keys: tuple[LaneKey, ...], pair: Pair, sisn: int, disn: int
) -> _Match | None:
    """Try the keys with these ISNs; the SNE is 0, as it is at the start of every connection."""
    for key in keys:
        message = _message(segment, ao, key, sne=0)
        if hmac.compare_digest(derive(key, segment, sisn, disn).mac(message), ao.mac):
            return _Match(key, pair, sisn, disn, message)
    return None


def _received(match: _Match, segment: Segment, ao: AoOption, lane: Lane, time_ns: int | None) -> _Finding:
    """Give the receiver's verdict on a segment that is right under its sender's key."""
    key = match.key
    theirs = lane.received.get(ao.key_id, ())
    if not theirs:
        reason = f"{lane.sender}'s {key.name} signed it; {lane.receiver} has no usable key with recv-id {ao.key_id}."
        return _Finding(Verdict.REFUSED, reason, match.pair, key, None, Refusal.UNKNOWN)
    for other in theirs:
        if key.same_mac(other) or _mac_is_right(match, other, segment, ao):
            return _inside_window(match, other, lane, time_ns)
    reason = (
        f"{lane.sender}'s {key.name} signed it; under {lane.receiver}'s {theirs[0].name} the MAC is another: "
        f"{_difference(key, theirs[0])}."
    )
    return _Finding(Verdict.REFUSED, reason, match.pair, key, theirs[0], Refusal.MISMATCH)


def _mac_is_right(match: _Match, other: LaneKey, segment: Segment, ao: AoOption) -> bool:
    # Secrets that differ can make the same key (HMAC pads with zeros); what counts is the MAC.
    if match.key.include_options != other.include_options:
        return False
    return hmac.compare_digest(derive(other, segment, match.sisn, match.disn).mac(match.message), ao.mac)


def _difference(ours: LaneKey, theirs: LaneKey) -> str:
    if ours.algorithm is not theirs.algorithm:
        return f"{ours.algorithm.value} here, {theirs.algorithm.value} there"
    if ours.include_options != theirs.include_options:
        return "one end covers the other TCP options, the other end does not"
    return "the secrets differ"


def _inside_window(match: _Match, other: LaneKey, lane: Lane, time_ns: int | None) -> _Finding:
    key = match.key
    now = lane.clock(time_ns) if time_ns is not None and (other.begin or other.end) else None
    if now is not None:
        if other.begin is not None and now < other.begin:
            reason = _outside(lane, other, now, f"only from {other.begin.isoformat()}")
            return _Finding(Verdict.REFUSED, reason, match.pair, key, other, Refusal.WINDOW)
        if other.end is not None and now >= other.end:
            reason = _outside(lane, other, now, f"no longer than {other.end.isoformat()}")
            return _Finding(Verdict.REFUSED, reason, match.pair, key, other, Refusal.WINDOW)
    return _Finding(Verdict.VERIFIED, f"Signed with {lane.sender}'s {key.name}.", match.pair, key, other)


def _outside(lane: Lane, key: LaneKey, now: datetime, until: str) -> str:
    return f"{lane.receiver} accepts {key.name} {until}; its clock says {now.isoformat()}."
