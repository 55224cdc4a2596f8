"""Connection state that the referee derives from the capture alone: ISNs, SNEs, traffic keys.

One socket pair (two addresses and ports) has many connections over time, and forged SYNs between them. So a
`SocketPair` holds several `Connection`s, each with its own pair of ISNs. A SYN gives one ISN; a SYN-ACK, or two
crossing SYNs (simultaneous open), give both. An ISN is proven when a segment verifies under it. A SYN or SYN-ACK with
a wrong MAC is only a claim. Claims are kept separate: they neither replace nor complete a proven connection.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Protocol

from keyroll.capture.keys.book import DirectionKeys, HeldKey
from keyroll.capture.referee.judgement import Flow
from keyroll.tcpao import ACK, SEQUENCE_MASK, SYN, MasterKey, Segment, SneTracker, TrafficKey, kdf_context

CONNECTIONS_MAX = 8
"""Connections kept for one socket pair. Each costs one MAC computation for every segment that no connection verifies.
Eight leave room for a few forged SYNs beside the current connection and its predecessor. Above the limit the oldest
claim is dropped, then the oldest proven connection."""

SOCKET_PAIRS_MAX = 50_000
"""Socket pairs kept, about 40 MB. Above the limit a quarter of them is dropped at once: those whose last segment is the
oldest. To drop one for each new socket pair would need a sort each time, and make a port scan quadratic."""
_DROPPED = SOCKET_PAIRS_MAX // 4
"""The quarter that is dropped at once."""


class Connection:
    """One connection: the ISNs of both ends (None while unknown), the SNE each way, and its traffic keys.

    Index 0 is the end with the lower address and port, and the direction from it.
    """

    __slots__ = ("_keys", "continued", "established", "isn_proven", "isns", "number", "sne")

    def __init__(self, number: int) -> None:
        self.number = number
        self.isns: list[int | None] = [None, None]
        self.isn_proven = [False, False]
        """For each end, whether a segment verified under its ISN."""
        self.sne: list[SneTracker | None] = [None, None]
        self.continued = False
        """Whether a segment that did not verify follows the ISNs exactly: the handshake is real, under unknown keys."""
        self.established = [False, False]
        """For each end, whether a segment without SYN that it sent has verified: this proves that the end takes part.

        A SYN-ACK does not prove it: a replayed old SYN gets one too.
        """
        self._keys: dict[tuple[int, HeldKey], TrafficKey] = {}

    @property
    def whole(self) -> bool:
        """Whether both ISNs are known (or claimed)."""
        return None not in self.isns

    @property
    def proven(self) -> bool:
        """Whether both ISNs are proven."""
        return all(self.isn_proven)

    def set_isn(self, end: int, isn: int) -> None:
        """Record the ISN of an end."""
        self.isns[end] = isn
        self.sne[end] = SneTracker(isn)
        self._keys.clear()

    def is_continued_by(self, segment: Segment, direction: int) -> bool:
        """Whether the sequence numbers make a segment the first one after the handshake."""
        own, peer = self.isns[direction], self.isns[1 - direction]
        return own == (segment.seq - 1) & SEQUENCE_MASK and peer == (segment.ack - 1) & SEQUENCE_MASK

    def traffic_key(self, direction: int, key: HeldKey, segment: Segment) -> TrafficKey:
        """Return the traffic key of `segment`, which goes in this direction, under `key`.

        Raises:
            ValueError: an ISN is not known.
        """
        known = self._keys.get((direction, key))
        if known is None:
            sisn, disn = self.isns[direction], self.isns[1 - direction]
            if sisn is None or disn is None:
                raise ValueError("a connection without both ISNs has no traffic keys")
            known = derive(key, segment, sisn, disn)
            self._keys[direction, key] = known
        return known

    def sne_for(self, direction: int, seq: int) -> int:
        """Return the SNE of a segment that goes in this direction."""
        tracker = self.sne[direction]
        return tracker.sne_for(seq) if tracker else 0

    def kept(self, direction: int, key: HeldKey) -> TrafficKey | None:
        """Return the traffic key of this direction and `key`, if it is derived already."""
        return self._keys.get((direction, key))

    def keep(self, direction: int, key: HeldKey, traffic_key: TrafficKey) -> None:
        """Keep a traffic key that was derived from both ISNs."""
        self._keys[direction, key] = traffic_key

    def commit(self, direction: int, flags: int, seq: int) -> None:
        """Record that a segment in this direction verified: its ISNs are proven, and the SNE may move."""
        self.isn_proven[direction] = True
        if flags & (SYN | ACK) != SYN:
            self.isn_proven[1 - direction] = True
        tracker = self.sne[direction]
        if tracker:
            tracker.commit(seq)


class Ends(Protocol):
    """The addresses (packed) and ports of a segment, as a traffic key depends on them."""

    @property
    def src(self) -> bytes:
        """The sender's address."""
        ...

    @property
    def dst(self) -> bytes:
        """The receiver's address."""
        ...

    @property
    def sport(self) -> int:
        """The sender's port."""
        ...

    @property
    def dport(self) -> int:
        """The receiver's port."""
        ...


def mac_once(key: HeldKey, ends: Ends, sisn: int, disn: int, message: bytes) -> bytes:
    """Return the MAC of `message` under a segment's traffic key, if no other segment needs that traffic key.

    Raises:
        ValueError: the secret of `key` is not known.
    """
    return _master(key).mac(_context(ends, sisn, disn), message)


def derive(key: HeldKey, ends: Ends, sisn: int, disn: int) -> TrafficKey:
    """Derive the traffic key of a segment from its sender's ISN (`sisn`) and its receiver's (`disn`).

    Raises:
        ValueError: the secret of `key` is not known.
    """
    return _master(key).traffic_key(_context(ends, sisn, disn))


def _master(key: HeldKey) -> MasterKey:
    if key.master is None:
        raise ValueError("an unknown secret derives no traffic keys")
    return key.master


def _context(ends: Ends, sisn: int, disn: int) -> bytes:
    return kdf_context(ends.src, ends.dst, ends.sport, ends.dport, sisn, disn)


class SocketPair:
    """State of one pair of addresses and ports."""

    __slots__ = ("changes", "connections", "flows", "last_packet", "unknown", "unseen_alive")

    def __init__(self) -> None:
        self.connections: list[Connection] = []
        """Newest first."""
        self.unknown: Connection | None = None
        """Placeholder that counts the segments of unknown connections."""
        self.unseen_alive = False
        """Whether a connection is active whose SYNs are not in the capture."""
        self.last_packet = 0
        self.changes = 0
        """Grows when an end turns out to use another connection: conclusions from before may no longer hold."""
        self.flows: list[tuple[DirectionKeys, Flow] | None] = [None, None]
        """By direction, the keys found last and the flow with their names; cached, to build the text only once."""

    def commit(self, connection: Connection, direction: int, flags: int, seq: int) -> None:
        """Record that a segment verified on this connection."""
        connection.commit(direction, flags, seq)
        if not flags & SYN and not connection.established[direction]:
            connection.established[direction] = True
            # It supersedes older connections alone; most socket pairs have none.
            self.changes += connection is not self.connections[-1]

    def candidates(self) -> Iterator[Connection]:
        """Yield the connections with both ISNs: proven ones first, each newest first."""
        yield from (one for one in self.connections if one.proven)
        yield from (one for one in self.connections if one.whole and not one.proven)

    def superseded(self, connection: Connection, direction: int) -> bool:
        """Whether the receiver in this direction uses a newer connection, as its verified segments prove."""
        newer = itertools.takewhile(lambda other: other is not connection, self.connections)
        return any(other.established[1 - direction] for other in newer)

    def half_open(self, end: int, isn: int) -> Connection | None:
        """Return a connection that knows only this ISN of this end (proven ones first), or None."""
        half = [one for one in self.connections if one.isns[end] == isn and one.isns[1 - end] is None]
        return max(half, key=lambda one: one.isn_proven[end], default=None)


def _socket_pair_of(claims: tuple[int, ...]) -> SocketPair:
    """Return a socket pair with the connections of these claims (see `ConnectionTable.claim`)."""
    direction, last_packet, *pairs = claims
    made = SocketPair()
    for isn, number in zip(pairs[::2], pairs[1::2], strict=True):
        connection = Connection(number)
        connection.set_isn(direction, isn)
        made.connections.insert(0, connection)
    made.last_packet = last_packet
    return made


class ConnectionTable:
    """Finds and keeps the socket pairs of a capture, and numbers connections from 1."""

    def __init__(self) -> None:
        self._socket_pairs: dict[bytes, SocketPair] = {}
        self._claims: dict[bytes, tuple[int, ...]] = {}
        """Socket pairs on which only unverified SYNs of one direction were seen, ordered by their last packet.

        Each value holds the direction, the last packet's number, then for each claim its ISN and its connection's
        number, oldest claim first. A scan makes tens of thousands of such socket pairs, and creating a `SocketPair` for
        each would take longer than computing their MACs.
        """
        self._numbers = itertools.count(1)

    def get(self, name: bytes) -> SocketPair | None:
        """Return the socket pair of this name; None if it is unknown or only has claims."""
        return self._socket_pairs.get(name)

    def has_claims(self, name: bytes) -> bool:
        """Whether the socket pair of this name only has claims."""
        return name in self._claims

    def claim(self, name: bytes, direction: int, isn: int, packet: int) -> int | None:
        """Return the number of the connection that an unverified SYN with TCP-AO claims; `syn` would give the same.

        Returns None and changes nothing if anything but such SYNs was seen on this socket pair.
        """
        claims = self._claims
        found = claims.pop(name, None)
        if found is None:
            if name in self._socket_pairs:
                return None
            if len(claims) >= SOCKET_PAIRS_MAX:
                for oldest in list(itertools.islice(claims, _DROPPED)):
                    del claims[oldest]
            number = next(self._numbers)
            claims[name] = (direction, packet, isn, number)
            return number
        if found[0] != direction:
            claims[name] = found
            return None
        pairs = found[2:]
        if isn in pairs[::2]:
            number = pairs[2 * pairs[::2].index(isn) + 1]
        else:
            number = next(self._numbers)
            pairs = (*pairs, isn, number)[-2 * CONNECTIONS_MAX :]
        claims[name] = (direction, packet, *pairs)
        return number

    def find(self, name: bytes, packet: int) -> SocketPair:
        """Return the socket pair of this name; `packet` is the number of the current packet."""
        found = self._socket_pairs.get(name)
        if found is None:
            if len(self._socket_pairs) >= SOCKET_PAIRS_MAX:
                self._forget()
            claims = self._claims.pop(name, None)
            found = self._socket_pairs[name] = SocketPair() if claims is None else _socket_pair_of(claims)
        found.last_packet = packet
        return found

    def syn(self, socket_pair: SocketPair, direction: int, isn: int, *, verified: bool) -> Connection:
        """Return the connection of this SYN: one with this ISN, or a half-open one that it crosses, or a new one.

        Claims and proven SYNs stay separate: a verified SYN does not join a connection that a claim completed, and
        crosses only a verified SYN; a claim crosses only a claim.
        """
        if not socket_pair.connections:
            connection = self._add(socket_pair)
            connection.set_isn(direction, isn)
            return connection
        for one in socket_pair.connections:
            if one.isns[direction] == isn and (
                not verified or one.isn_proven[direction] or one.isns[1 - direction] is None
            ):
                return one
        alike = (one for one in socket_pair.connections if one.isn_proven[1 - direction] == verified)
        newest = next(alike, None)
        connection = newest if newest and newest.isns[direction] is None else self._add(socket_pair)
        connection.set_isn(direction, isn)
        return connection

    def syn_ack(
        self, socket_pair: SocketPair, direction: int, isn: int, peer_isn: int, *, verified: bool
    ) -> Connection:
        """Return the connection of this SYN-ACK: a known one, a half-open one that it completes, or a new one.

        A SYN-ACK that did not verify does not complete a connection whose SYN verified.
        """
        for one in socket_pair.connections:
            if one.isns[direction] == isn and one.isns[1 - direction] == peer_isn:
                return one
        half = socket_pair.half_open(1 - direction, peer_isn)
        if half is not None and (verified or not half.isn_proven[1 - direction]):
            half.set_isn(direction, isn)
            return half
        return self.add(socket_pair, direction, isn, peer_isn)

    def add(self, socket_pair: SocketPair, direction: int, isn: int, peer_isn: int) -> Connection:
        """Add a connection with both ISNs."""
        connection = self._add(socket_pair)
        connection.set_isn(direction, isn)
        connection.set_isn(1 - direction, peer_isn)
        return connection

    def unknown(self, socket_pair: SocketPair) -> Connection:
        """Return the newest connection, or the placeholder if none is known."""
        if socket_pair.connections:
            return next(socket_pair.candidates(), socket_pair.connections[0])
        if socket_pair.unknown is None:
            socket_pair.unknown = Connection(next(self._numbers))
        return socket_pair.unknown

    def _add(self, socket_pair: SocketPair) -> Connection:
        connection = Connection(next(self._numbers))
        known = socket_pair.connections
        known.insert(0, connection)
        if len(known) > CONNECTIONS_MAX:
            claims = [old for old in known[1:] if not any(old.isn_proven)]
            known.remove(claims[-1] if claims else known[-1])
        return connection

    def _forget(self) -> None:
        oldest_first = sorted(self._socket_pairs, key=lambda name: self._socket_pairs[name].last_packet)
        for name in oldest_first[:_DROPPED]:
            del self._socket_pairs[name]


def socket_pair_name(segment: Segment) -> tuple[bytes, int]:
    """Return the name of a segment's socket pair, and its direction: 0 from the lower end, 1 from the higher."""
    near = segment.src + segment.sport.to_bytes(2, "big")
    far = segment.dst + segment.dport.to_bytes(2, "big")
    return (near + far, 0) if near <= far else (far + near, 1)


def guessed_isns(segment: Segment, socket_pair: SocketPair, direction: int) -> Iterator[tuple[Connection, int, int]]:
    """Yield guesses (connection, sender's ISN, receiver's ISN) from a segment, for a capture without the SYN-ACK.

    Until its sender has sent data, a segment's sequence number is the sender's ISN + 1. Until its receiver has sent
    data, its acknowledgement is the receiver's ISN + 1. The other ISN comes from a SYN. A guess counts only if the MAC
    is right with it.
    """
    sisn, disn = (segment.seq - 1) & SEQUENCE_MASK, (segment.ack - 1) & SEQUENCE_MASK
    # Verified SYNs first: a claim may have copied the ISN of one.
    for one in sorted(socket_pair.connections, key=lambda one: not any(one.isn_proven)):
        if one.proven:
            continue
        own, peer = one.isns[direction], one.isns[1 - direction]
        # A flood of forged SYNs makes many claims. To limit the guesses, the known number must fit too.
        if own is not None and own != sisn and not one.isn_proven[direction]:
            own = None
        if peer is not None and peer != disn and not one.isn_proven[1 - direction]:
            peer = None
        if own is not None and (own, disn) != (one.isns[direction], one.isns[1 - direction]):
            yield one, own, disn
        elif peer is not None and (sisn, peer) != (one.isns[direction], one.isns[1 - direction]):
            yield one, sisn, peer
