"""The fast path of what opens connections: a handshake's segments, the first ones after it, and forged SYNs.

Captures of many short connections consist of them, and so does a scan. The referee keeps several connections for one
pair of ports, and asks of every segment which one it belongs to. Here only pairs of ports are taken that have one
connection, or none, or nothing but forged SYNs. The verdict is what the referee would give; where that is not plain,
nothing is changed, and the referee judges.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from keyroll.capture.formats.packet import Packet
from keyroll.capture.keys.book import Clock, DirectionKeys, HeldKey, unknown_clock
from keyroll.capture.referee.account import Account, KeyUse
from keyroll.capture.referee.connection import Connection, SocketPair
from keyroll.capture.referee.forged_syns import ForgedSyns
from keyroll.capture.referee.judgement import Judgement
from keyroll.capture.referee.plain_frame import Plain, mac_message, read
from keyroll.capture.referee.referee import Matched, Referee
from keyroll.tcpao import ACK, FIN, RST, SYN, MasterKey, TrafficKey, kdf_context

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# Nanoseconds beyond every time stamp: a key whose acceptance does not end.
_ALWAYS = 1 << 80
_MASK = 0xFFFFFFFF
_ACCEPTED_MAX = 10_000
"""Answers of `_accepted` that are kept; a book has a few for each direction."""


class CaptureClock:
    """A router's clock that differs from the capture's time stamps by a fixed offset, in nanoseconds."""

    __slots__ = ("offset_ns",)

    def __init__(self, offset_ns: int = 0) -> None:
        self.offset_ns = offset_ns

    def __call__(self, time_ns: int) -> datetime | None:
        """Return the clock's reading at this time stamp; None if `datetime` cannot hold it."""
        try:
            return _EPOCH + timedelta(microseconds=(time_ns + self.offset_ns) // 1000)
        except OverflowError:
            return None

    def span_ns(self, key: HeldKey) -> tuple[int, int]:
        """Return the time stamps from which and until which the receiver accepts `key`."""
        return (
            -_ALWAYS if key.begin is None else self._stamp(key.begin),
            _ALWAYS if key.end is None else self._stamp(key.end),
        )

    def _stamp(self, moment: datetime) -> int:
        return (moment - _EPOCH) // timedelta(microseconds=1) * 1000 - self.offset_ns


def span_of(clock: Clock, key: HeldKey) -> tuple[int, int] | None:
    """Return the time stamps between which the receiver accepts `key`; None if each time stamp needs its own check."""
    if clock is unknown_clock or (key.begin is None and key.end is None):
        return -_ALWAYS, _ALWAYS
    return clock.span_ns(key) if isinstance(clock, CaptureClock) else None


class Followed(NamedTuple):
    """A verified segment behind a handshake, from which a template for the next ones can be made."""

    plain: Plain
    matched: Matched
    use: KeyUse
    span: tuple[int, int]


class _Accepted(NamedTuple):
    """The receiver's key for what a sender's key signs, and the time stamps between which it is accepted."""

    key: HeldKey
    span: tuple[int, int]


class OpeningPath:
    """Judges and counts a capture's segments that open connections, with the referee's state."""

    def __init__(self, referee: Referee, account: Account, forged: ForgedSyns) -> None:
        self._referee = referee
        self._connections = referee.connections
        self._account = account
        self._forged = forged
        self._known: dict[tuple[DirectionKeys, HeldKey], _Accepted | None] = {}

    def take(self, packet: Packet) -> Followed | Judgement | bool:
        """Judge and count one packet.

        True: counted, and there is nothing to say. `Followed`: verified, and it follows a handshake. A judgement: a
        forged SYN, counted too. False: nothing was done, and the referee must judge.
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
        if plain.flags & (SYN | ACK | RST | FIN) == SYN:
            return self._syn(packet, plain, keys, sent[0] if sent else None)
        accepted = self._accepted(keys, sent[0], packet.time_ns) if sent else None
        return accepted is not None and self._answer(packet, plain, keys, sent[0], accepted)

    def _answer(
        self, packet: Packet, plain: Plain, keys: DirectionKeys, key: HeldKey, accepted: _Accepted
    ) -> Followed | bool:
        """Take what follows the only SYN of its socket pair."""
        name, direction = _name(packet.data, plain)
        socket_pair = self._connections.get(name)
        if socket_pair is None or len(socket_pair.connections) != 1:
            return False
        kind = plain.flags & (SYN | ACK | RST | FIN)
        if kind == SYN | ACK:
            return self._syn_ack(packet, plain, keys, key, socket_pair, direction)
        if kind == ACK:
            return self._segment(packet, plain, keys, key, accepted, socket_pair, direction)
        return False

    def _accepted(self, keys: DirectionKeys, key: HeldKey, time_ns: int | None) -> _Accepted | None:
        """Return the receiver's key if it plainly accepts `key` at this time."""
        name = (keys, key)
        if name not in self._known:
            if len(self._known) >= _ACCEPTED_MAX:
                self._known.clear()
            self._known[name] = _receiver_key(keys, key)
        accepted = self._known[name]
        if accepted is None or time_ns is None or not accepted.span[0] <= time_ns < accepted.span[1]:
            return None
        return accepted

    def _syn(self, packet: Packet, plain: Plain, keys: DirectionKeys, key: HeldKey | None) -> Judgement | bool:
        name, direction = _name(packet.data, plain)
        if self._connections.get(name) is not None:
            return False
        if (
            key is not None
            and key.master is not None
            and (packet is self._forged.verified or _is_right(packet, plain, key, key.master))
        ):
            return self._right_syn(packet, plain, keys, key, name, direction)
        return self._forged.learn(packet, plain, keys, direction) and self._forged.take(packet)

    def _right_syn(
        self, packet: Packet, plain: Plain, keys: DirectionKeys, key: HeldKey, name: bytes, direction: int
    ) -> bool:
        if self._connections.has_claims(name) or self._accepted(keys, key, packet.time_ns) is None:
            return False
        socket_pair = self._connections.find(name, packet.number)
        connection = self._connections.syn(socket_pair, direction, plain.seq, verified=True)
        self._count(packet, plain, keys, key, socket_pair, connection, direction)
        return True

    def _syn_ack(
        self,
        packet: Packet,
        plain: Plain,
        keys: DirectionKeys,
        key: HeldKey,
        socket_pair: SocketPair,
        direction: int,
    ) -> bool:
        """Take the SYN-ACK that answers the only SYN."""
        connection = socket_pair.connections[0]
        disn = (plain.ack - 1) & _MASK
        if connection.isns[1 - direction] != disn or connection.isns[direction] not in {None, plain.seq}:
            return False
        traffic_key = _traffic_key(key, plain, plain.seq, disn)
        if traffic_key.mac(_message(packet, plain, key, 0)) != plain.mac:
            return False
        self._connections.syn_ack(socket_pair, direction, plain.seq, disn, verified=True)
        connection.keep(direction, key, traffic_key)
        self._count(packet, plain, keys, key, socket_pair, connection, direction)
        return True

    def _segment(
        self,
        packet: Packet,
        plain: Plain,
        keys: DirectionKeys,
        key: HeldKey,
        accepted: _Accepted,
        socket_pair: SocketPair,
        direction: int,
    ) -> Followed | bool:
        connection = socket_pair.connections[0]
        sisn, disn = connection.isns[direction], connection.isns[1 - direction]
        tracker = connection.sne[direction]
        if sisn is None or disn is None or tracker is None:
            return False
        traffic_key = connection.kept(direction, key)
        if traffic_key is None:
            traffic_key = _traffic_key(key, plain, sisn, disn)
            connection.keep(direction, key, traffic_key)
        if traffic_key.mac(_message(packet, plain, key, tracker.sne_for(plain.seq))) != plain.mac:
            return False
        use = self._count(packet, plain, keys, key, socket_pair, connection, direction)
        matched = Matched(socket_pair, tracker, traffic_key, key, accepted.key, keys.clock, plain.src, plain.dst)
        return Followed(plain, matched, use, accepted.span)

    def _count(
        self,
        packet: Packet,
        plain: Plain,
        keys: DirectionKeys,
        key: HeldKey,
        socket_pair: SocketPair,
        connection: Connection,
        direction: int,
    ) -> KeyUse:
        """Record that a segment is verified."""
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


def _is_right(packet: Packet, plain: Plain, key: HeldKey, master: MasterKey) -> bool:
    """Whether the MAC of a SYN is right under its sender's key."""
    context = kdf_context(plain.src, plain.dst, plain.sport, plain.dport, plain.seq, 0)
    return master.mac(context, _message(packet, plain, key, 0)) == plain.mac


def _message(packet: Packet, plain: Plain, key: HeldKey, sne: int) -> bytes:
    return mac_message(plain, packet.data, sne=sne, include_options=key.include_options)


def _traffic_key(key: HeldKey, plain: Plain, sisn: int, disn: int) -> TrafficKey:
    if key.master is None:
        raise ValueError("an unknown secret derives no traffic keys")
    return key.master.traffic_key(kdf_context(plain.src, plain.dst, plain.sport, plain.dport, sisn, disn))


def _name(data: bytes, plain: Plain) -> tuple[bytes, int]:
    """Return the socket pair's name and the segment's direction, as `socket_pair_name` does."""
    tcp = plain.tcp
    near, far = plain.src + data[tcp : tcp + 2], plain.dst + data[tcp + 2 : tcp + 4]
    return (near + far, 0) if near <= far else (far + near, 1)
