"""Connection state as the referee derives it from the capture alone: ISN pairs, SNEs, traffic keys.

One pair of addresses and ports sees many connections over time (and forged SYNs in between), so that a `Tuple4` holds
several `Pair`s of ISNs. A SYN opens half a pair, a SYN-ACK carries a whole one, two crossing SYNs (simultaneous open)
make one as well. A pair is proven by the first segment whose MAC is right under it; what is only claimed never hides
what is proven.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from keyroll.capture.keys.book import LaneKey
from keyroll.tcpao import Segment, SneTracker, TrafficKey, kdf_context, traffic_key

PAIRS_MAX = 8
"""Pairs remembered for the same addresses and ports; beyond that the oldest claim goes, then the oldest proven one."""

TUPLES_MAX = 50_000
"""Address and port tuples remembered; beyond that those go that were longest silent. It bounds the memory."""

_MASK = 0xFFFFFFFF


class Pair:
    """One connection: the ISNs of both ends (None while unknown), the SNE each way, and its traffic keys.

    Index 0 is the end with the lower address and port, and the direction from it.
    """

    __slots__ = ("_keys", "established", "isns", "number", "proven", "sne")

    def __init__(self, number: int) -> None:
        self.number = number
        self.isns: list[int | None] = [None, None]
        self.sne: list[SneTracker | None] = [None, None]
        self.proven = False
        self.established = [False, False]
        """For each end, whether a segment of its own verified that shows that it lives here: any with no SYN flag.

        A SYN-ACK shows less: whoever replays an old SYN gets one.
        """
        self._keys: dict[tuple[int, LaneKey], TrafficKey] = {}

    @property
    def whole(self) -> bool:
        """Whether both ISNs are known (or claimed)."""
        return None not in self.isns

    def set_isn(self, end: int, isn: int) -> None:
        """Note the ISN of an end."""
        self.isns[end] = isn
        self.sne[end] = SneTracker(isn)
        self._keys.clear()

    def key(self, direction: int, lane_key: LaneKey, segment: Segment) -> TrafficKey:
        """Return the traffic key of `segment`, which goes in this direction, under `lane_key`."""
        known = self._keys.get((direction, lane_key))
        if known is None:
            sisn, disn = self.isns[direction], self.isns[1 - direction]
            if sisn is None or disn is None:
                raise ValueError("a pair without both ISNs has no traffic keys")
            known = derive(lane_key, segment, sisn, disn)
            self._keys[direction, lane_key] = known
        return known

    def sne_for(self, direction: int, seq: int) -> int:
        """Return the SNE of a segment that goes in this direction."""
        tracker = self.sne[direction]
        return tracker.sne_for(seq) if tracker else 0

    def commit(self, direction: int, seq: int) -> None:
        """Note that a segment in this direction verified: the pair is proven, and the SNE may move."""
        self.proven = True
        tracker = self.sne[direction]
        if tracker:
            tracker.commit(seq)


def derive(lane_key: LaneKey, segment: Segment, sisn: int, disn: int) -> TrafficKey:
    """Derive the traffic key of a segment from its sender's and its receiver's ISN."""
    context = kdf_context(segment.src, segment.dst, segment.sport, segment.dport, sisn, disn)
    return traffic_key(lane_key.algorithm, lane_key.secret.reveal(), context)


class Tuple4:
    """All that is known of one pair of addresses and ports."""

    __slots__ = ("changes", "last_packet", "pairs", "stray", "unseen_live")

    def __init__(self) -> None:
        self.pairs: list[Pair] = []
        """Newest first."""
        self.stray: Pair | None = None
        """Stands for segments of which no pair is known, so that they are counted somewhere."""
        self.unseen_live = False
        """Whether a connection was seen alive whose SYNs are not in the capture."""
        self.last_packet = 0
        self.changes = 0
        """Grows whenever an end proves to have moved to another pair: what was concluded before may hold no more."""

    def commit(self, pair: Pair, direction: int, seq: int, *, opens: bool) -> None:
        """Note that a segment verified under this pair; `opens`: a SYN or SYN-ACK."""
        pair.commit(direction, seq)
        if not opens and not pair.established[direction]:
            pair.established[direction] = True
            self.changes += 1

    def candidates(self) -> Iterator[Pair]:
        """Yield the whole pairs: proven ones first, each newest first."""
        yield from (pair for pair in self.pairs if pair.proven and pair.whole)
        yield from (pair for pair in self.pairs if not pair.proven and pair.whole)

    def superseded(self, pair: Pair, direction: int) -> bool:
        """Whether who receives in this direction has left this pair for a newer one, as its own segments prove."""
        newer = itertools.takewhile(lambda other: other is not pair, self.pairs)
        return any(other.established[1 - direction] for other in newer)

    def half_open(self, end: int, isn: int) -> Pair | None:
        """Return the pair where only this end's ISN is known and is this one, or None."""
        return next((pair for pair in self.pairs if pair.isns[end] == isn and pair.isns[1 - end] is None), None)


class Connections:
    """Finds and keeps the `Tuple4`s of a capture, and numbers connections from 1."""

    def __init__(self) -> None:
        self._tuples: dict[bytes, Tuple4] = {}
        self._numbers = itertools.count(1)

    def find(self, segment: Segment, packet: int) -> tuple[Tuple4, int]:
        """Return the tuple of this segment and its direction (0 from the lower end, 1 from the higher)."""
        near = segment.src + segment.sport.to_bytes(2, "big")
        far = segment.dst + segment.dport.to_bytes(2, "big")
        direction = 0 if near <= far else 1
        name = far + near if direction else near + far
        found = self._tuples.get(name)
        if found is None:
            if len(self._tuples) >= TUPLES_MAX:
                self._forget()
            found = self._tuples[name] = Tuple4()
        found.last_packet = packet
        return found, direction

    def syn(self, tuple4: Tuple4, direction: int, isn: int) -> Pair:
        """Return the pair that this SYN belongs to: one with this ISN, or a half-open one that it crosses, or new."""
        for pair in tuple4.pairs:
            if pair.isns[direction] == isn:
                return pair
        crossed = next((pair for pair in tuple4.pairs[:1] if pair.isns[direction] is None), None)
        pair = crossed or self._add(tuple4)
        pair.set_isn(direction, isn)
        return pair

    def syn_ack(self, tuple4: Tuple4, direction: int, isn: int, peer_isn: int) -> Pair:
        """Return the pair that this SYN-ACK names: known, or half-open and now whole, or new."""
        for pair in tuple4.pairs:
            if pair.isns[direction] == isn and pair.isns[1 - direction] == peer_isn:
                return pair
        half = tuple4.half_open(1 - direction, peer_isn)
        if half is not None:
            half.set_isn(direction, isn)
            return half
        return self.claim(tuple4, direction, isn, peer_isn)

    def claim(self, tuple4: Tuple4, direction: int, isn: int, peer_isn: int) -> Pair:
        """Add a pair with both ISNs, not proven."""
        pair = self._add(tuple4)
        pair.set_isn(direction, isn)
        pair.set_isn(1 - direction, peer_isn)
        return pair

    def stray(self, tuple4: Tuple4) -> Pair:
        """Return the newest pair, or the one that stands for "no pair known"."""
        if tuple4.pairs:
            return next(tuple4.candidates(), tuple4.pairs[0])
        if tuple4.stray is None:
            tuple4.stray = Pair(next(self._numbers))
        return tuple4.stray

    def _add(self, tuple4: Tuple4) -> Pair:
        pair = Pair(next(self._numbers))
        tuple4.pairs.insert(0, pair)
        if len(tuple4.pairs) > PAIRS_MAX:
            claims = [old for old in tuple4.pairs[1:] if not old.proven]
            tuple4.pairs.remove(claims[-1] if claims else tuple4.pairs[-1])
        return pair

    def _forget(self) -> None:
        silent = sorted(self._tuples, key=lambda name: self._tuples[name].last_packet)
        for name in silent[: TUPLES_MAX // 4]:
            del self._tuples[name]


def guessed_isns(segment: Segment, tuple4: Tuple4, direction: int) -> Iterator[tuple[Pair, int, int]]:
    """Yield (half-open pair, sender's ISN, receiver's ISN) that a handshake's third segment suggests.

    Where the SYN-ACK is missing in the capture, the segment that follows it begins one behind its sender's ISN and
    acknowledges one behind the other's. A guess counts only when the MAC is right under it.
    """
    sisn, disn = (segment.seq - 1) & _MASK, (segment.ack - 1) & _MASK
    for pair in tuple4.pairs:
        if not pair.whole and (pair.isns[direction] == sisn or pair.isns[1 - direction] == disn):
            yield pair, sisn, disn
