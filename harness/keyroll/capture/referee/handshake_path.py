"""The fast path for handshakes: SYN, SYN-ACK, the first segments after them, and forged SYNs.

Captures of many short connections, and of scans, consist of these segments. The referee keeps several connections for
one socket pair and finds out for every segment which of them it belongs to. This path takes only segments of socket
pairs that have at most one connection, or only forged SYNs. Its verdict is the referee's; in all other cases it changes
nothing and leaves the segment to the referee.
"""

from __future__ import annotations

from typing import NamedTuple

from keyroll.capture.formats.packet import Packet
from keyroll.capture.keys.book import DirectionKeys, HeldKey, span_of
from keyroll.capture.referee.account import Account, KeyUse
from keyroll.capture.referee.connection import Connection, SocketPair, derive, mac_once
from keyroll.capture.referee.forged_syns import ForgedSyns
from keyroll.capture.referee.judgement import Judgement
from keyroll.capture.referee.plain_frame import Plain, mac_message, read
from keyroll.capture.referee.referee import Matched, Referee
from keyroll.tcpao import ACK, FIN, RST, SEQUENCE_MASK, SYN

_ACCEPTED_MAX = 10_000
"""Answers of `_accepted` that are cached; a book has a few for each direction. The limit bounds memory."""


class Followed(NamedTuple):
    """A verified segment after a handshake, from which a template for the following ones can be made."""

    plain: Plain
    matched: Matched
    use: KeyUse
    span: tuple[int, int]


class _Accepted(NamedTuple):
    """The receiver's key for what a sender's key signs, and the time stamps between which it is accepted."""

    key: HeldKey
    span: tuple[int, int]


class _Signed(NamedTuple):
    """A segment, the keys of its direction, and the one that its KeyID names."""

    packet: Packet
    plain: Plain
    keys: DirectionKeys
    key: HeldKey

    def message(self, sne: int) -> bytes:
        """Return the input of the segment's MAC."""
        return mac_message(self.plain, self.packet.data, sne=sne, include_options=self.key.include_options)


class HandshakePath:
    """Judges and counts the segments of handshakes, with the referee's state."""

    def __init__(self, referee: Referee, account: Account, forged: ForgedSyns) -> None:
        self._referee = referee
        self._connections = referee.connections
        self._account = account
        self._forged = forged
        self._known: dict[tuple[DirectionKeys, HeldKey], _Accepted | None] = {}

    def judge(self, packet: Packet) -> Followed | Judgement | bool:
        """Judge and count one packet.

        Returns:
            True: counted, and nothing to report. `Followed`: verified and counted, after a handshake. A judgement: a
            forged SYN, counted. False: nothing was done, and the referee must judge.
        """
        plain = read(packet)
        if plain is None:
            return False
        keys = self._referee.book.keys_for(plain.src, plain.dst, plain.sport, plain.dport)
        if keys is None or keys.doubt is not None:
            return False
        sent = keys.sent.get(plain.key_id, ())
        if len(sent) > 1 or (sent and not sent[0].secret.known):
            return False
        signed = _Signed(packet, plain, keys, sent[0]) if sent else None
        if plain.flags & (SYN | ACK | RST | FIN) == SYN:
            return self._syn(packet, plain, keys, signed)
        accepted = self._accepted(signed) if signed is not None else None
        return signed is not None and accepted is not None and self._after_syn(signed, accepted)

    def _after_syn(self, signed: _Signed, accepted: _Accepted) -> Followed | bool:
        """Judge a segment after the only SYN of its socket pair."""
        plain = signed.plain
        name, direction = _name(signed.packet.data, plain)
        socket_pair = self._connections.get(name)
        if socket_pair is None or len(socket_pair.connections) != 1:
            return False
        kind = plain.flags & (SYN | ACK | RST | FIN)
        if kind == SYN | ACK:
            return self._syn_ack(signed, socket_pair, direction)
        if kind == ACK:
            return self._segment(signed, accepted, socket_pair, direction)
        return False

    def _accepted(self, signed: _Signed) -> _Accepted | None:
        """Return the receiver's key if it accepts the segment's now and no other key has that recv-id; else None."""
        time_ns = signed.packet.time_ns
        name = (signed.keys, signed.key)
        if name not in self._known:
            if len(self._known) >= _ACCEPTED_MAX:
                self._known.clear()
            self._known[name] = _receiver_key(signed.keys, signed.key)
        accepted = self._known[name]
        if accepted is None or time_ns is None or not accepted.span[0] <= time_ns < accepted.span[1]:
            return None
        return accepted

    def _syn(self, packet: Packet, plain: Plain, keys: DirectionKeys, signed: _Signed | None) -> Judgement | bool:
        name, direction = _name(packet.data, plain)
        if self._connections.get(name) is not None:
            return False
        if (
            signed is not None
            and signed.key.master is not None
            and (packet is self._forged.verified or _is_right(signed))
        ):
            return self._right_syn(signed, name, direction)
        return self._forged.learn(packet, plain, keys, direction) and self._forged.judge(packet)

    def _right_syn(self, signed: _Signed, name: bytes, direction: int) -> bool:
        if self._connections.has_claims(name) or self._accepted(signed) is None:
            return False
        socket_pair = self._connections.find(name, signed.packet.number)
        connection = self._connections.syn(socket_pair, direction, signed.plain.seq, verified=True)
        self._count(signed, socket_pair, connection, direction)
        return True

    def _syn_ack(self, signed: _Signed, socket_pair: SocketPair, direction: int) -> bool:
        """Judge the SYN-ACK that answers the only SYN."""
        plain, key = signed.plain, signed.key
        connection = socket_pair.connections[0]
        disn = (plain.ack - 1) & SEQUENCE_MASK
        if connection.isns[1 - direction] != disn or connection.isns[direction] not in {None, plain.seq}:
            return False
        traffic_key = derive(key, plain, plain.seq, disn)
        if traffic_key.mac(signed.message(0)) != plain.mac:
            return False
        self._connections.syn_ack(socket_pair, direction, plain.seq, disn, verified=True)
        connection.keep(direction, key, traffic_key)
        self._count(signed, socket_pair, connection, direction)
        return True

    def _segment(
        self, signed: _Signed, accepted: _Accepted, socket_pair: SocketPair, direction: int
    ) -> Followed | bool:
        plain, key = signed.plain, signed.key
        connection = socket_pair.connections[0]
        sisn, disn = connection.isns[direction], connection.isns[1 - direction]
        tracker = connection.sne[direction]
        if sisn is None or disn is None or tracker is None:
            return False
        traffic_key = connection.kept(direction, key)
        if traffic_key is None:
            traffic_key = derive(key, plain, sisn, disn)
            connection.keep(direction, key, traffic_key)
        if traffic_key.mac(signed.message(tracker.sne_for(plain.seq))) != plain.mac:
            return False
        use = self._count(signed, socket_pair, connection, direction)
        clock = signed.keys.clock
        matched = Matched(socket_pair, tracker, traffic_key, key, accepted.key, clock, plain.src, plain.dst)
        return Followed(plain, matched, use, accepted.span)

    def _count(self, signed: _Signed, socket_pair: SocketPair, connection: Connection, direction: int) -> KeyUse:
        """Record that a segment is verified."""
        packet, plain, keys, key = signed
        socket_pair.last_packet = packet.number
        socket_pair.commit(connection, direction, plain.flags, plain.seq)
        known = socket_pair.flows[direction]
        if known is None or known[0] is not keys:
            flow = self._referee.new_flow(plain.src, plain.sport, plain.dst, plain.dport, keys)
            known = socket_pair.flows[direction] = keys, flow
        return self._account.verified(
            self._account.direction(connection.number, known[1], packet.number, plain.flags),
            (plain.key_id, key.number, key.name),
            packet.number,
            packet.time_ns,
            data=plain.end > plain.payload,
        )


def _receiver_key(keys: DirectionKeys, key: HeldKey) -> _Accepted | None:
    theirs = keys.received.get(key.key_id, ())
    if len(theirs) != 1 or not theirs[0].secret.known or not (theirs[0] is key or key.same_mac(theirs[0])):
        return None
    span = span_of(keys.clock, theirs[0])
    return None if span is None else _Accepted(theirs[0], span)


def _is_right(signed: _Signed) -> bool:
    """Whether the MAC of a SYN is right under its sender's key."""
    return mac_once(signed.key, signed.plain, signed.plain.seq, 0, signed.message(0)) == signed.plain.mac


def _name(data: bytes, plain: Plain) -> tuple[bytes, int]:
    """Return the socket pair's name and the segment's direction, as `socket_pair_name` does."""
    tcp = plain.tcp
    near, far = plain.src + data[tcp : tcp + 2], plain.dst + data[tcp + 2 : tcp + 4]
    return (near + far, 0) if near <= far else (far + near, 1)
