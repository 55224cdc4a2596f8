"""Connection state as the referee derives it from the capture alone: ISNs, SNEs, traffic keys.

One socket pair (two addresses and ports) sees many connections over time, and forged SYNs in between, so that a
`SocketPair` holds several `Connection`s, each with its own pair of ISNs. A SYN gives one ISN, a SYN-ACK both, two
crossing SYNs (simultaneous open) give both as well. An ISN counts as proven when a segment verified under it. A SYN or
SYN-ACK whose MAC is wrong is a mere claim, and is kept apart from what is proven: it hides nothing and completes
nothing.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from keyroll.capture.keys.book import DirectionKeys, HeldKey
from keyroll.capture.referee.judgement import Flow
from keyroll.tcpao import ACK, SYN, Segment, SneTracker, TrafficKey, kdf_context

CONNECTIONS_MAX = 8
"""Connections remembered of one socket pair: each one costs a MAC for every segment that none of them verifies. Beyond
that the oldest claim goes, then the oldest proven one."""

SOCKET_PAIRS_MAX = 50_000
"""Socket pairs remembered, some 40 MB; beyond that those go that were longest silent."""

_MASK = 0xFFFFFFFF


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
        """Whether a segment that did not verify follows the ISNs exactly: the handshake is real, its keys are not."""
        self.established = [False, False]
        """For each end, whether a segment of its own verified that shows that it takes part: any without SYN.

        A SYN-ACK shows less: whoever replays an old SYN gets one.
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
        """Note the ISN of an end."""
        self.isns[end] = isn
        self.sne[end] = SneTracker(isn)
        self._keys.clear()

    def is_continued_by(self, segment: Segment, direction: int) -> bool:
        """Whether a segment is the first one behind the handshake, by its numbers."""
        own, peer = self.isns[direction], self.isns[1 - direction]
        return own == (segment.seq - 1) & _MASK and peer == (segment.ack - 1) & _MASK

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

    def commit(self, direction: int, segment: Segment) -> None:
        """Note that a segment in this direction verified: its ISNs are proven, and the SNE may move."""
        self.isn_proven[direction] = True
        if segment.flags & (SYN | ACK) != SYN:
            self.isn_proven[1 - direction] = True
        tracker = self.sne[direction]
        if tracker:
            tracker.commit(segment.seq)


def derive(key: HeldKey, segment: Segment, sisn: int, disn: int) -> TrafficKey:
    """Derive the traffic key of a segment from its sender's and its receiver's ISN."""
    context = kdf_context(segment.src, segment.dst, segment.sport, segment.dport, sisn, disn)
    if key.master is None:
        raise ValueError("an unknown secret derives no traffic keys")
    return key.master.traffic_key(context)


class SocketPair:
    """All that is known of one pair of addresses and ports."""

    __slots__ = ("changes", "connections", "flows", "last_packet", "unknown", "unseen_alive")

    def __init__(self) -> None:
        self.connections: list[Connection] = []
        """Newest first."""
        self.unknown: Connection | None = None
        """Stands for segments of which no connection is known, so that they are counted somewhere."""
        self.unseen_alive = False
        """Whether a connection was seen alive whose SYNs are not in the capture."""
        self.last_packet = 0
        self.changes = 0
        """Grows whenever an end proves to have moved to another connection: what was concluded before may not hold."""
        self.flows: list[tuple[DirectionKeys, Flow] | None] = [None, None]
        """By direction, its flow as the keys last found for it name it: text is made once, not for every segment."""

    def commit(self, connection: Connection, direction: int, segment: Segment) -> None:
        """Note that a segment verified on this connection."""
        connection.commit(direction, segment)
        if not segment.flags & SYN and not connection.established[direction]:
            connection.established[direction] = True
            self.changes += 1

    def candidates(self) -> Iterator[Connection]:
        """Yield the connections with both ISNs: proven ones first, each newest first."""
        yield from (one for one in self.connections if one.proven)
        yield from (one for one in self.connections if one.whole and not one.proven)

    def superseded(self, connection: Connection, direction: int) -> bool:
        """Whether who receives in this direction has left this connection for a newer one, as its segments prove."""
        newer = itertools.takewhile(lambda other: other is not connection, self.connections)
        return any(other.established[1 - direction] for other in newer)

    def half_open(self, end: int, isn: int) -> Connection | None:
        """Return a connection where only this end's ISN is known and is this one (proven before claimed), or None."""
        half = [one for one in self.connections if one.isns[end] == isn and one.isns[1 - end] is None]
        return max(half, key=lambda one: one.isn_proven[end], default=None)


class ConnectionTable:
    """Finds and keeps the socket pairs of a capture, and numbers connections from 1."""

    def __init__(self) -> None:
        self._socket_pairs: dict[bytes, SocketPair] = {}
        self._numbers = itertools.count(1)

    def find(self, segment: Segment, packet: int) -> tuple[SocketPair, int]:
        """Return the socket pair of this segment and its direction (0 from the lower end, 1 from the higher)."""
        near = segment.src + segment.sport.to_bytes(2, "big")
        far = segment.dst + segment.dport.to_bytes(2, "big")
        direction = 0 if near <= far else 1
        name = far + near if direction else near + far
        found = self._socket_pairs.get(name)
        if found is None:
            if len(self._socket_pairs) >= SOCKET_PAIRS_MAX:
                self._forget()
            found = self._socket_pairs[name] = SocketPair()
        found.last_packet = packet
        return found, direction

    def syn(self, socket_pair: SocketPair, direction: int, isn: int, *, verified: bool) -> Connection:
        """Return the connection of this SYN: one with this ISN, or a half-open one that it crosses, or a new one.

        A verified SYN joins nothing that only a claim completes, and crosses only a verified one, as a claim only
        crosses a claim.
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
        """Return the connection that this SYN-ACK names: known, or half-open and now whole, or new.

        One that did not verify completes no connection whose SYN did.
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
        """Return the newest connection, or the one that stands for "no connection known"."""
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
        silent = sorted(self._socket_pairs, key=lambda name: self._socket_pairs[name].last_packet)
        # A quarter at once: sorting them all for one new socket pair would make a scan of ports quadratic.
        for name in silent[: SOCKET_PAIRS_MAX // 4]:
            del self._socket_pairs[name]


def guessed_isns(segment: Segment, socket_pair: SocketPair, direction: int) -> Iterator[tuple[Connection, int, int]]:
    """Yield (connection, sender's ISN, receiver's ISN) that a segment suggests where the SYN-ACK is missing.

    As long as its sender has sent no data before, a segment begins one behind the sender's ISN; as long as its
    receiver has sent none, it acknowledges one behind the receiver's. The other ISN is known from a SYN. A guess counts
    only when the MAC is right under it.
    """
    sisn, disn = (segment.seq - 1) & _MASK, (segment.ack - 1) & _MASK
    # Connections whose SYN verified before mere claims, which may have copied its ISN.
    for one in sorted(socket_pair.connections, key=lambda one: not any(one.isn_proven)):
        if one.proven:
            continue
        own, peer = one.isns[direction], one.isns[1 - direction]
        # Mere claims are many in a flood of forged SYNs: for those the known number must fit as well.
        if own is not None and own != sisn and not one.isn_proven[direction]:
            own = None
        if peer is not None and peer != disn and not one.isn_proven[1 - direction]:
            peer = None
        if own is not None and (own, disn) != (one.isns[direction], one.isns[1 - direction]):
            yield one, own, disn
        elif peer is not None and (sisn, peer) != (one.isns[direction], one.isns[1 - direction]):
            yield one, sisn, peer
