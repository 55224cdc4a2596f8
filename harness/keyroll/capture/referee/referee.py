"""The referee: judges for each captured segment whether its MAC is right and whether its receiver accepts it.

    referee = Referee(SpeakerBook([r1, r2]))
    judgement = referee.judge(packet)      # None for whatever need not be protected

It shares only the codec, the key derivation and the MAC with the wire path that it judges (tests prove these on the
vectors of RFC 9235 and on packets of the Linux kernel). It finds ISNs, SNEs and keys from the capture itself.
"""

from __future__ import annotations

import hmac
from typing import NamedTuple

from keyroll.capture.formats.link_types import cut_before_ip, ip_offset
from keyroll.capture.formats.packet import Packet
from keyroll.capture.keys.book import AddressNames, Book, Clock, DirectionKeys, HeldKey
from keyroll.capture.referee.connection import (
    Connection,
    ConnectionTable,
    SocketPair,
    guessed_isns,
    mac_once,
    socket_pair_name,
)
from keyroll.capture.referee.judgement import BAD, Flow, Judgement, Refusal, Verdict
from keyroll.capture.referee.receiver import Finding, Match, receiver_finding
from keyroll.tcpao import (
    ACK,
    AO_LENGTH,
    RST,
    SEQUENCE_MASK,
    SYN,
    AoOption,
    OptionError,
    Segment,
    SegmentDefect,
    SegmentError,
    SneTracker,
    TrafficKey,
    may_carry_tcp,
    parse_segment,
    peek_endpoints,
    segment_message,
)

UNKNOWN_END = "?"
"""Stands for addresses and names in the judgement of a packet that was truncated before them."""

_UNKNOWN_FLOW = Flow(UNKNOWN_END, None, UNKNOWN_END, None, UNKNOWN_END, UNKNOWN_END)
_COVERAGE_MISSES_MAX = 1000
"""After this many wrong MACs in a row, stop trying the other coverage of TCP options. Trying it doubles the cost of a
port scan, and two routers that differ in coverage show it in their first segment."""


class Matched(NamedTuple):
    """The state that verified a segment (not a SYN); the fast path uses it for the following segments."""

    socket_pair: SocketPair
    tracker: SneTracker
    traffic_key: TrafficKey
    key: HeldKey
    receiver_key: HeldKey
    clock: Clock
    src: bytes
    dst: bytes


class Referee:
    """Judges the packets of one capture (or of consecutive files), in order."""

    def __init__(self, book: Book, *, capture: str = "") -> None:
        self.book = book
        """Replace it between two packets when a speaker's chain changes; connection state stays."""
        self.capture = capture
        """The name of the current capture; every judgement carries it."""
        self.matched: Matched | None = None
        """Set by `judge` when the last packet was verified and is not a SYN; else None."""
        self._segment: Segment | None = None
        self.connections = ConnectionTable()
        """Also used by `HandshakePath`, so that both see the same connections."""
        self._names = AddressNames()
        self._coverage_misses = 0
        """Wrong MACs in a row that the other coverage of the TCP options did not explain."""

    @property
    def tries_other_coverage(self) -> bool:
        """Whether a wrong MAC is still tried with the other coverage of the TCP options."""
        return self._coverage_misses < _COVERAGE_MISSES_MAX

    def count_coverage_miss(self) -> None:
        """Count a wrong MAC that is wrong with the other coverage of the TCP options too."""
        self._coverage_misses += 1

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
        name, direction = socket_pair_name(segment)
        socket_pair = self.connections.find(name, packet.number)
        finding, ao = self._find(packet, segment, keys, socket_pair, direction)
        if keys.doubt is not None and finding.verdict in BAD:
            reason = f"{finding.reason} {keys.doubt}"
            finding = finding._replace(verdict=Verdict.KEYS_UNKNOWN, reason=reason, refusal=None)
        return self._judgement(packet, segment, self._flow(segment, keys, socket_pair, direction), finding, ao)

    def _find(
        self, packet: Packet, segment: Segment, keys: DirectionKeys, socket_pair: SocketPair, direction: int
    ) -> tuple[Finding, AoOption | None]:
        try:
            scan = segment.scan()
        except OptionError as error:
            return Finding(Verdict.MALFORMED, f"{error.message}.", self.connections.unknown(socket_pair)), None
        ao = scan.ao
        if ao is None:
            verdict = Verdict.MD5 if scan.md5 else Verdict.UNSIGNED
            what = "TCP MD5 instead of TCP-AO" if scan.md5 else "no TCP-AO"
            reason = f"It carries {what}, and this connection must be protected."
            return Finding(verdict, reason, self.connections.unknown(socket_pair)), None
        if scan.md5:
            reason = "It carries both TCP MD5 and TCP-AO; receivers discard such segments (RFC 5925 section 2.2)."
            return Finding(Verdict.MD5_AND_AO, reason, self.connections.unknown(socket_pair)), ao
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
        sent = keys.sent.get(ao.key_id, ())
        usable = tuple(key for key in sent if key.secret.known) if ao.length == AO_LENGTH else ()
        if segment.flags & SYN:
            match, connection = self._handshake(segment, ao, usable, socket_pair, direction)
        else:
            match = self._match(segment, ao, usable, socket_pair, direction)
            connection = match.connection if match else self.connections.unknown(socket_pair)
        if not sent:
            return Finding(Verdict.UNKNOWN_KEYID, unknown_key_id(keys, ao.key_id), connection)
        if ao.length != AO_LENGTH:
            reason = f"Its MAC has {ao.length - 4} octets, {sent[0].name} makes 12."
            return Finding(Verdict.BAD_MAC, reason, connection, sent[0])
        if match is None:
            hidden = next((key for key in sent if not key.secret.known), None)
            if hidden is not None:
                reason = f"The secret of {keys.sender}'s {hidden.name} is not known: {hidden.secret.why_unknown}."
                return Finding(Verdict.KEYS_UNKNOWN, reason, connection, hidden)
            return self._unmatched(segment, ao, sent, socket_pair, direction, connection)
        socket_pair.commit(connection, direction, segment.flags, segment.seq)
        if segment.flags & (SYN | ACK) != SYN and socket_pair.superseded(connection, direction):
            reason = (
                f"{keys.sender}'s {match.key.name} signed it on connection {connection.number}; {keys.receiver} "
                "has left it for a newer one on these ports: late, or replayed."
            )
            return Finding(Verdict.REFUSED, reason, connection, match.key, None, Refusal.OLD_CONNECTION)
        finding = receiver_finding(match, segment, ao, keys, packet.time_ns)
        tracker = connection.sne[direction]
        if finding.verdict is Verdict.VERIFIED and finding.receiver_key and tracker and not segment.flags & SYN:
            traffic_key = connection.traffic_key(direction, match.key, segment)
            self.matched = Matched(
                socket_pair, tracker, traffic_key, match.key, finding.receiver_key, keys.clock, segment.src, segment.dst
            )
        return finding

    def _handshake(
        self, segment: Segment, ao: AoOption, sent: tuple[HeldKey, ...], socket_pair: SocketPair, direction: int
    ) -> tuple[Match | None, Connection]:
        """Judge the MAC of a SYN or SYN-ACK by the ISNs that it carries, and find the connection that it opens."""
        if segment.flags & ACK:
            disn = (segment.ack - 1) & SEQUENCE_MASK
            right = _right_key(segment, ao, sent, segment.seq, disn)
            verified = right is not None
            connection = self.connections.syn_ack(socket_pair, direction, segment.seq, disn, verified=verified)
        else:
            disn = 0
            right = _right_key(segment, ao, sent, segment.seq, disn)
            connection = self.connections.syn(socket_pair, direction, segment.seq, verified=right is not None)
        return (Match(right[0], connection, segment.seq, disn, right[1]) if right else None), connection

    def _match(
        self, segment: Segment, ao: AoOption, sent: tuple[HeldKey, ...], socket_pair: SocketPair, direction: int
    ) -> Match | None:
        """Find the key, and the connection, under which the MAC is right."""
        for connection in socket_pair.candidates():
            sne = connection.sne_for(direction, segment.seq)
            for key in sent:
                message = segment_message(segment, ao, sne=sne, include_options=key.include_options)
                if hmac.compare_digest(connection.traffic_key(direction, key, segment).mac(message), ao.mac):
                    sisn, disn = connection.isns[direction] or 0, connection.isns[1 - direction] or 0
                    return Match(key, connection, sisn, disn, message)
        for connection, sisn, disn in guessed_isns(segment, socket_pair, direction):
            right = _right_key(segment, ao, sent, sisn, disn)
            if right is None:
                continue
            if connection.whole:  # a claim with another ISN: leave it unchanged
                connection = self.connections.add(socket_pair, direction, sisn, disn)  # noqa: PLW2901 -- see above
            else:
                connection.set_isn(direction, sisn)
                connection.set_isn(1 - direction, disn)
            return Match(right[0], connection, sisn, disn, right[1])
        return None

    def _unmatched(
        self,
        segment: Segment,
        ao: AoOption,
        sent: tuple[HeldKey, ...],
        socket_pair: SocketPair,
        direction: int,
        connection: Connection,
    ) -> Finding:
        """Return the finding on a segment that no key and no connection verifies: a bad MAC, or missing ISNs."""
        reason = wrong_mac(sent[0])
        other = None
        if self.tries_other_coverage:
            other = _other_coverage(segment, ao, sent, socket_pair, direction)
            self._coverage_misses = 0 if other is not None else self._coverage_misses + 1
        if other is not None:
            how = "without" if other.include_options else "with"
            reason = (
                f"{reason}: the MAC is right {how} the other TCP options in it, so that the two ends cover different"
            )
            return Finding(Verdict.BAD_MAC, f"{reason} ones.", connection, other)
        bad = Finding(Verdict.BAD_MAC, f"{reason}.", connection, sent[0])
        if segment.flags & SYN:
            return bad
        refused = _refused_syn(segment, ao, sent, socket_pair, direction)
        if refused is not None:
            return refused
        if any(one.proven for one in socket_pair.connections):
            return bad
        # A handshake with only wrong MACs is real, under other keys, if the next segment follows it exactly. Without
        # such a segment it may be forged, beside a connection that began before the capture.
        claims = [one for one in socket_pair.connections if one.whole]
        for one in claims:
            one.continued |= one.is_continued_by(segment, direction)
        if any(one.continued for one in claims) and not socket_pair.unseen_alive:
            return bad
        socket_pair.unseen_alive = True
        return Finding(Verdict.ISN_UNSEEN, _unseen_reason(socket_pair), connection)

    def _unreadable(self, packet: Packet, place: int, error: SegmentError) -> Judgement | None:
        """Judge a packet that cannot be parsed, by the addresses and ports that it still shows."""
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
        flow = self.new_flow(ends.src, ends.sport, ends.dst, ends.dport, keys)
        return Judgement(packet.number, packet.time_ns, flow, verdict, reason, capture=self.capture)

    def _cut_before_ports(self, packet: Packet) -> Judgement | None:
        """Judge a packet truncated within or before its IP header: without addresses it may belong to any session."""
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
        flow = self.new_flow(segment.src, segment.sport, segment.dst, segment.dport, keys)
        socket_pair.flows[direction] = keys, flow
        return flow

    def new_flow(self, src: bytes, sport: int | None, dst: bytes, dport: int | None, keys: DirectionKeys) -> Flow:
        """Return the flow from `src` to `dst` (packed addresses), with the names of `keys`."""
        return Flow(self._names[src], sport, self._names[dst], dport, keys.sender, keys.receiver, keys.session)

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


def wrong_mac(key: HeldKey) -> str:
    """Return the first part of the reason for the verdict on a wrong MAC."""
    return f"Its KeyID is {key.name}'s, its MAC is not what that key gives"


def unknown_key_id(keys: DirectionKeys, key_id: int) -> str:
    """Return the reason for the verdict on a KeyID that the sender does not have."""
    return f"{keys.sender} has no key with KeyID {key_id}."


def _unseen_reason(socket_pair: SocketPair) -> str:
    if any(any(one.isn_proven) for one in socket_pair.connections):
        missing = "SYN-ACK is"
    elif socket_pair.connections:
        return "No SYN of its connection with a right MAC is in the capture: without ISNs there is no traffic key."
    else:
        missing = "SYN and SYN-ACK are"
    return f"The connection's {missing} not in the capture: without ISNs there is no traffic key."


def _other_coverage(
    segment: Segment, ao: AoOption, sent: tuple[HeldKey, ...], socket_pair: SocketPair, direction: int
) -> HeldKey | None:
    """Return the key with which the MAC is right under the opposite coverage of TCP options, or None."""
    if len(segment.options) == ao.length:
        return None  # TCP-AO is the only option: both coverages give the same MAC
    if segment.flags & SYN:
        isns = [(segment.seq, (segment.ack - 1) & SEQUENCE_MASK if segment.flags & ACK else 0)]
    else:
        whole = socket_pair.candidates()
        isns = [(one.isns[direction] or 0, one.isns[1 - direction] or 0) for one in whole]
    for sisn, disn in isns:
        right = _right_key(segment, ao, sent, sisn, disn, swap_options=True)
        if right is not None:
            return right[0]
    return None


def _refused_syn(
    segment: Segment, ao: AoOption, sent: tuple[HeldKey, ...], socket_pair: SocketPair, direction: int
) -> Finding | None:
    """Judge a RST whose sender has no ISN: the answer to a SYN to a closed port."""
    if not segment.flags & RST:
        return None
    disn = (segment.ack - 1) & SEQUENCE_MASK
    half = socket_pair.half_open(1 - direction, disn) if segment.flags & ACK else None
    if half is None:
        if any(one.proven for one in socket_pair.connections):
            return None
        half = next((one for one in socket_pair.connections if not one.whole), None)
        if half is None:
            return None
    right = _right_key(segment, ao, sent, 0, disn, sne=0)
    if right is not None:
        reason = f"It refuses a SYN, so that no pair of ISNs exists; its MAC is {right[0].name}'s with source ISN 0."
        return Finding(Verdict.RST_NO_ISN, reason, half, right[0])
    reason = "No pair of ISNs exists for this connection, so that RFC 5925 has no traffic key for this RST."
    return Finding(Verdict.RST_NO_ISN, reason, half)


def _cut_reason(packet: Packet) -> str:
    return f"Only {len(packet.data)} of {packet.length} octets were captured (tcpdump -s 0 takes whole frames)."


def _right_key(
    segment: Segment,
    ao: AoOption,
    sent: tuple[HeldKey, ...],
    sisn: int,
    disn: int,
    *,
    sne: int | None = None,
    swap_options: bool = False,
) -> tuple[HeldKey, bytes] | None:
    """Return the key under which the MAC is right with these ISNs, and the MAC's input; None when none is.

    Without `sne`, the segment counts as one of its connection's first 2 GiB: the SNE follows from the sender's ISN.
    `swap_options`: use the opposite of the key's coverage of the other TCP options.
    """
    if sne is None:
        sne = SneTracker(sisn).sne_for(segment.seq)
    for key in sent:
        message = segment_message(segment, ao, sne=sne, include_options=key.include_options is not swap_options)
        if hmac.compare_digest(mac_once(key, segment, sisn, disn, message), ao.mac):
            return key, message
    return None
