"""How far two routers' clocks may be apart for a rollover to be hitless: sets of skews, as closed and open intervals.

Skew is the second router's clock minus the first's, constant while the rollover lasts. The outcome changes only at
skews at which an event of one router (a start-time, an edge of a window) coincides with one of the other. So each of
these skews is simulated, one between each two of them, and one beyond either end: the set is exact.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from keyroll.check.rollovers import Rollover, Takeover
from keyroll.keychain.model import Keychain
from keyroll.keychain.simulation import (
    EVER,
    SECOND,
    ClockParts,
    Differ,
    Direction,
    Drop,
    Party,
    Simulation,
    State,
    Timetable,
    changes_of,
)
from keyroll.names import Receiving, Sending

Policy = tuple[Sending, Receiving]
Mix = tuple[Policy, Policy]
"""The policies of the first router and of the second."""
POLICIES: tuple[Policy, ...] = tuple(itertools.product(Sending, Receiving))
Parts = tuple[Takeover, Takeover]
MIXES: tuple[Mix, ...] = tuple(itertools.product(POLICIES, POLICIES))


class Interval(NamedTuple):
    """Skews in microseconds from `low` to `high`; None: no bound. Only closed ends belong to it."""

    low: int | None
    high: int | None
    low_closed: bool = False
    high_closed: bool = False

    def holds(self, skew: int) -> bool:
        """Say whether a skew lies inside."""
        above = self.low is None or self.low < skew or (self.low_closed and self.low == skew)
        return above and (self.high is None or skew < self.high or (self.high_closed and self.high == skew))

    def intersect(self, other: Interval) -> Interval | None:
        """Return the skews that both intervals hold, or None."""
        low = max(self, other, key=lambda one: (one.low is not None, one.low or 0, not one.low_closed))
        high = min(self, other, key=lambda one: (one.high is None, one.high or 0, one.high_closed))
        found = Interval(low.low, high.high, low.low_closed, high.high_closed)
        if found.low is None or found.high is None or found.low < found.high:
            return found
        return found if found.low == found.high and found.low_closed and found.high_closed else None


Skews = tuple[Interval, ...]
"""Intervals that neither overlap nor touch, ascending; if there is none, no skew is hitless."""
Known = dict[object, dict[Mix, Skews]]
"""The hitless skews that are computed already, by pattern (`SkewBounds._pattern`) and mix."""
ALL: Skews = (Interval(None, None),)


def intersection(sets: Iterable[Skews]) -> Skews:
    """Return the skews that all sets hold."""
    found = ALL
    for other in sets:
        both = (mine.intersect(theirs) for mine, theirs in itertools.product(found, other))
        found = tuple(interval for interval in both if interval is not None)
    return found


def covers(skews: Skews, within: int) -> bool:
    """Say whether every skew from -within to +within (microseconds) is in the set."""
    return any(interval.holds(-within) and interval.holds(within) for interval in skews)


class SkewBounds:
    """Computes the hitless skews of two chains' rollovers. Rollovers with equal patterns are computed once."""

    def __init__(self, one: Keychain, other: Keychain, known: Known | None = None) -> None:
        """Take two chains. `known` can be shared between pairs: a pattern has all that the skews depend on."""
        self._tables = {
            receiving: (Timetable.of(one, receiving), Timetable.of(other, receiving)) for receiving in Receiving
        }
        self._differ: Differ = {}
        self._known: Known = {} if known is None else known

    def of(self, rollover: Rollover, mixes: Sequence[Mix] = MIXES) -> dict[Mix, Skews]:
        """Return the hitless skews of a rollover under each mix of policies.

        The neighbouring rollovers are simulated too if one of their events can coincide with one of this rollover's at
        a skew that matters to it; their own faults do not count for this rollover.
        """
        one, other = rollover.parts
        if one is None or other is None:
            return dict.fromkeys(mixes, ())
        parts = one, other
        reach = self._reach(parts)
        known = self._known.setdefault(self._pattern(parts, reach), {})
        for mix in mixes:
            if mix not in known:
                known[mix] = self._skews(parts, reach, mix)
        return {mix: known[mix] for mix in mixes}

    def _cuts(self, parts: Parts, reach: int, receiving: tuple[Receiving, Receiving]) -> tuple[_Cut, _Cut]:
        one, other = (
            _Cut.of(self._tables[policy][index], parts[index], reach) for index, policy in enumerate(receiving)
        )
        return one, other

    def _reach(self, parts: Parts) -> int:
        """Return how many neighbours on each side are simulated: 1 if their events are near enough, else 0."""
        both = Receiving.TOLERANCE, Receiving.TOLERANCE
        near, wide = ([set(cut.edges) for cut in self._cuts(parts, reach, both)] for reach in (0, 1))
        greatest = max(abs(theirs - mine) for mine, theirs in itertools.product(*near))
        meeting = itertools.chain(
            itertools.product(near[0], wide[1] - near[1]), itertools.product(wide[0] - near[0], near[1])
        )
        return int(any(abs(theirs - mine) <= greatest for mine, theirs in meeting))

    def _pattern(self, parts: Parts, reach: int) -> object:
        """Return all that the skews of a rollover depend on: edges relative to its start, and which keys match."""
        cuts = self._cuts(parts, reach, (Receiving.TOLERANCE, Receiving.TOLERANCE))
        origin = cuts[0].table.starts[parts[0].place]
        found: list[object] = []
        for sender, (mine, peer) in enumerate(zip(cuts, cuts[::-1], strict=True)):
            base = parts[1 - sender].place
            for place in range(mine.low, mine.high + 1):
                key, table = mine.table.keys[place], peer.table
                named = () if key.send_id is None else table.received_as.get(key.send_id, ())
                wanted = None if key.recv_id is None else table.sent_as.get(key.recv_id)
                columns = (mine.table.starts, mine.table.opens, mine.table.closes)
                found.append(
                    (
                        place - parts[sender].place,
                        tuple(_relative(column[place], origin) for column in columns),
                        tuple((match - base, self._differs(sender, place, match)) for match in named),
                        None if wanted is None else wanted - base,
                    )
                )
        return tuple(found)

    def _differs(self, sender: int, place: int, match: int) -> Drop | None:
        tables = self._tables[Receiving.ANY]
        parties = [Party(table, ClockParts(), Sending.CLOCK) for table in tables]
        return Simulation(parties[0], parties[1], None, self._differ).values_differ(sender, place, match)

    def _skews(self, parts: Parts, reach: int, mix: Mix) -> Skews:
        mine, theirs = self._cuts(parts, reach, (mix[0][1], mix[1][1]))
        one = Party(mine.table, ClockParts(), mix[0][0])

        def hitless(skew: int) -> bool:
            other = Party(theirs.table, ClockParts(offsets=(skew,)), mix[1][0])
            moments = sorted({*mine.edges, *(edge - skew for edge in theirs.edges)})
            simulation = Simulation(one, other, None, self._differ)
            # A second before the first event, both routers still send with the first keys of the timetable.
            return _is_hitless(simulation.run([moments[0] - SECOND, *moments, moments[-1] + SECOND]), parts)

        return intervals_of({there - here for here, there in itertools.product(mine.edges, theirs.edges)}, hitless)


def intervals_of(points: Iterable[int], hitless: Callable[[int], bool]) -> Skews:
    """Return where `hitless` is true. It changes only at `points` (whole microseconds, at least two apart)."""
    ordered = sorted(points)
    if not ordered:
        return ALL if hitless(0) else ()
    # One skew between each two points, and one a second beyond either end.
    between = [
        ordered[0] - SECOND,
        *((low + high) // 2 for low, high in itertools.pairwise(ordered)),
        ordered[-1] + SECOND,
    ]
    found: list[Interval] = []
    begun: Interval | None = Interval(None, None) if hitless(between[0]) else None
    for point, after in zip(ordered, between[1:], strict=True):
        here, beyond = hitless(point), hitless(after)
        if begun is None and here:
            begun = Interval(point, None, low_closed=True)
        if begun is not None and not (here and beyond):
            found.append(begun._replace(high=point, high_closed=here))
            begun = None
        if begun is None and beyond:
            begun = Interval(point, None)
    return tuple(found if begun is None else [*found, begun])


class _Cut(NamedTuple):
    """The part of a timetable around a rollover: its first key has no beginning, and its last key no end.

    The keys of each id are not cut: under `any`, a later key with the same id counts however much later it is.
    """

    table: Timetable
    low: int
    high: int
    edges: tuple[int, ...]
    """The start-times and window edges that matter to the rollover, by the router's own clock, in microseconds."""

    @classmethod
    def of(cls, table: Timetable, part: Takeover, reach: int) -> _Cut:
        """Cut so that up to `reach` keys before and after those of the rollover take part."""
        low, high = max(part.before_place - reach, 0), min(part.place + reach, len(table.keys) - 1)
        starts = tuple(
            -EVER if place <= low else EVER if place > high else start for place, start in enumerate(table.starts)
        )
        opens = tuple(-EVER if place == low else edge for place, edge in enumerate(table.opens))
        closes = tuple(EVER if place == high else edge for place, edge in enumerate(table.closes))
        edges = {edge for column in (starts, opens, closes) for edge in column[low : high + 1] if abs(edge) < EVER}
        return cls(table._replace(starts=starts, opens=opens, closes=closes), low, high, tuple(sorted(edges)))


def _relative(edge: int, origin: int) -> int:
    return edge if abs(edge) == EVER else edge - origin


def _is_hitless(states: Iterable[tuple[int, State]], parts: Parts) -> bool:
    seen: list[tuple[int, State]] = []
    for instant, state in states:
        for sender, direction in enumerate(state):
            if direction.drop is not None and _concerns(direction, parts[sender], parts[1 - sender]):
                return False
        seen.append((instant, state))
    return all(
        change.done is not None
        for index, part in enumerate(parts)
        for change in changes_of(seen, index)
        if change.place == part.place
    )


def _concerns(direction: Direction, sender: Takeover, receiver: Takeover) -> bool:
    """Say whether this rollover causes a drop, and not a neighbouring one that is simulated with it."""
    if direction.drop is Drop.TOO_LATE:
        return receiver.before_place <= direction.received_as < receiver.place
    if direction.drop is Drop.TOO_EARLY:
        return direction.key == sender.place
    return sender.before_place <= direction.key <= sender.place
