"""Predicts a rollover between two routers: which key is sent when, what is dropped, which key is never used.

Two chains, two clocks, any mix of policies (schedule.py) and one TCP connection with steady traffic both ways. The
prediction is exact under these conditions: a segment takes no time, there is always a next one, and the receiver finds
a segment's key by KeyID. Instants are in true time; each router reads its own clock. The rules are in simulation.py.

RFC 5925 section 7.3 has the rules of KeyID and RNextKeyID; docs/assumptions/keychain.md has those of the two policies.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import NamedTuple

from keyroll.keychain.model import Keychain
from keyroll.keychain.simulation import (
    EVER,
    ClockParts,
    Direction,
    Drop,
    Party,
    Simulation,
    State,
    Timetable,
    changes_of,
    events_of,
    from_us,
    to_us,
)
from keyroll.names import Receiving, Sending

_MICROSECOND = timedelta(microseconds=1)
HOLD_DEFAULT = timedelta(seconds=90)
"""Junos' default BGP hold time: a gap of this length ends the session (docs/junos.md 3.3)."""


@dataclass(frozen=True, slots=True)
class Clock:
    """A router's clock: it shows true time plus an offset. `steps` are (true instant, offset from then on)."""

    offset: timedelta = timedelta()
    steps: tuple[tuple[datetime, timedelta], ...] = ()

    def parts(self) -> ClockParts:
        """Return the clock in the simulation's form."""
        steps = sorted((to_us(instant), offset // _MICROSECOND) for instant, offset in self.steps)
        return ClockParts(
            (-EVER, *(begin for begin, _ in steps)), (self.offset // _MICROSECOND, *(offset for _, offset in steps))
        )


@dataclass(frozen=True, slots=True)
class Side:
    """One router: its name, chain, clock and key policy."""

    name: str
    chain: Keychain
    clock: Clock = Clock()
    sending: Sending = Sending.CLOCK
    receiving: Receiving = Receiving.TOLERANCE


class Flow(NamedTuple):
    """One direction during a span. Keys are key numbers in the chain of the router that each field names."""

    sender: str
    receiver: str
    key: int | None
    """The sender's key that signs; None: nothing is sent."""
    key_id: int | None
    rnext_key: int | None
    """The sender's key that RNextKeyID asks the receiver to use; None: it asks for none."""
    rnext_key_id: int | None
    received_as: int | None
    """The receiver's key with that KeyID; None: it has none."""
    drop: Drop | None = None


class Span(NamedTuple):
    """An interval of true time, closed at its begin and open at its end, in which nothing changes."""

    begin: datetime
    end: datetime
    flows: tuple[Flow, Flow]

    @property
    def through(self) -> bool:
        """Whether segments are accepted in both directions."""
        return all(flow.drop is None for flow in self.flows)


class Gap(NamedTuple):
    """An interval in which segments of one direction are dropped for one reason."""

    begin: datetime
    end: datetime
    flow: Flow

    @property
    def duration(self) -> timedelta:
        """Its length, within the predicted time."""
        return self.end - self.begin


class Change(NamedTuple):
    """A key that became due at a router, by its own clock, after the prediction's begin."""

    router: str
    key: int
    """The key's number in that router's chain."""
    due: datetime
    """The true instant at which the router's clock reached the start-time."""
    done: datetime | None
    """When it (or a later key that was not due yet) first signed a segment that the peer verified; None: never."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """What happens from `begin` to `end`: contiguous spans, key changes, and when the session goes down."""

    spans: tuple[Span, ...]
    changes: tuple[Change, ...] = ()
    momentary: tuple[Gap, ...] = ()
    """Drops that last only until a router receives a request for another key; begin and end are equal."""
    downs: tuple[datetime, ...] = ()
    """When the session goes down. If it keeps failing while nothing else changes, only the first two times."""

    @property
    def hitless(self) -> bool:
        """Whether every segment is accepted in both directions from the beginning, and every due key is used."""
        through = not self.momentary and all(span.through for span in self.spans)
        return through and all(change.done is not None for change in self.changes)

    @property
    def gaps(self) -> tuple[Gap, ...]:
        """All drops, ordered by begin; equal drops in a row are one gap."""
        found: list[Gap] = []
        latest: dict[str, int] = {}
        for span in self.spans:
            for flow in span.flows:
                if flow.drop is None:
                    continue
                last = latest.get(flow.sender)
                if last is not None and (found[last].end, found[last].flow) == (span.begin, flow):
                    found[last] = found[last]._replace(end=span.end)
                else:
                    latest[flow.sender] = len(found)
                    found.append(Gap(span.begin, span.end, flow))
        return tuple(sorted((*self.momentary, *found), key=lambda gap: gap.begin))

    def sent(self, name: str) -> tuple[tuple[datetime, int | None], ...]:
        """Return (instant, key number) for each change of the key that router `name` signs with."""
        changes: list[tuple[datetime, int | None]] = []
        for span in self.spans:
            key = next(flow.key for flow in span.flows if flow.sender == name)
            if not changes or changes[-1][1] != key:
                changes.append((span.begin, key))
        return tuple(changes)

    def at(self, instant: datetime) -> Span:
        """Return the span that contains a true instant.

        Raises:
            ValueError: the instant is outside of the predicted time.
        """
        for span in self.spans:
            if span.begin <= instant < span.end:
                return span
        raise ValueError(f"{instant.isoformat()} lies outside the prediction")


def predict(
    one: Side, other: Side, begin: datetime, end: datetime, *, hold: timedelta | None = HOLD_DEFAULT
) -> Prediction:
    """Return what happens between two routers from `begin` until `end` (true time, aware, begin < end).

    The connection opens as soon as segments are accepted in both directions; until then, and again after the session
    went down, each attempt starts with the latest key whose start has passed. A key that becomes due so late that its
    change would be after `end` counts as never changed to: choose `end` after the start-time on the slower clock.

    Args:
        one: one router; its direction comes first in every span.
        other: its peer, named differently.
        begin: when to begin.
        end: when to stop.
        hold: the hold time: how long a router may receive nothing before it ends the session; None: for ever.

    Raises:
        ValueError: begin is not before end, hold is not more than zero, or both routers have the same name.
    """
    if begin >= end:
        raise ValueError("a prediction begins before it ends")
    if hold is not None and hold <= timedelta():
        raise ValueError("a hold time is more than zero")
    if one.name == other.name:
        raise ValueError(f"both routers are named {one.name}")
    sides = (one, other)
    parties = _party(one), _party(other)
    simulation = Simulation(*parties, None if hold is None else hold // _MICROSECOND)
    steps = [to_us(instant) for side in sides for instant, _ in side.clock.steps]
    until = to_us(end)
    states = list(simulation.run(events_of(parties, to_us(begin), until, steps)))
    tables = parties[0].table, parties[1].table
    changes = (
        Change(side.name, tables[index].keys[due.place].id, from_us(due.due), _moment(due.done))
        for index, side in enumerate(sides)
        for due in changes_of(states, index)
    )
    return Prediction(
        tuple(_spans(states, until, sides, tables)),
        tuple(sorted(changes, key=lambda change: change.due)),
        tuple(_momentary(states, sides, tables)),
        tuple(from_us(down) for down in simulation.downs),
    )


def predict_all(
    one: Side, other: Side, begin: datetime, end: datetime, *, hold: timedelta | None = HOLD_DEFAULT
) -> tuple[tuple[Side, Side, Prediction], ...]:
    """Return the prediction for every mix of policies. A plan is robust if all of them are hitless."""
    return tuple((left, right, predict(left, right, begin, end, hold=hold)) for left, right in mixes(one, other))


def mixes(one: Side, other: Side) -> Iterator[tuple[Side, Side]]:
    """Yield both sides with each of the sixteen mixes of policies."""
    policies = list(itertools.product(Sending, Receiving))
    for mine, theirs in itertools.product(policies, policies):
        yield (
            replace(one, sending=mine[0], receiving=mine[1]),
            replace(other, sending=theirs[0], receiving=theirs[1]),
        )


def _party(side: Side) -> Party:
    return Party(Timetable.of(side.chain, side.receiving), side.clock.parts(), side.sending)


def _moment(instant: int | None) -> datetime | None:
    return None if instant is None else from_us(instant)


def _spans(
    states: Sequence[tuple[int, State]], end: int, sides: tuple[Side, Side], tables: tuple[Timetable, Timetable]
) -> Iterator[Span]:
    """Yield the spans of equal states."""
    # Of several states at one instant the last one counts: the others have no length.
    lasting = list(dict(states).items())
    begin, held = lasting[0]
    for instant, state in (*lasting[1:], (end, None)):
        if state != held:
            one, other = held
            flows = (_flow(one, sides, tables), _flow(other, sides[::-1], tables[::-1]))
            yield Span(from_us(begin), from_us(instant), flows)
            if state is not None:
                begin, held = instant, state


def _momentary(
    states: Sequence[tuple[int, State]], sides: tuple[Side, Side], tables: tuple[Timetable, Timetable]
) -> Iterator[Gap]:
    """Yield what is dropped in a state without length, and not in the state after it."""
    for (instant, state), (following, after) in itertools.pairwise(states):
        if instant != following:
            continue
        flows = (_flow(state[0], sides, tables), _flow(state[1], sides[::-1], tables[::-1]))
        for old, new, flow in zip(state, after, flows, strict=True):
            if old.drop is not None and new.drop is None:
                yield Gap(from_us(instant), from_us(instant), flow)


def _flow(direction: Direction, sides: tuple[Side, Side], tables: tuple[Timetable, Timetable]) -> Flow:
    """Return a direction with keys by their numbers; the sender comes first in `sides` and `tables`."""
    keys, peers = tables[0].keys, tables[1].keys
    key = keys[direction.key] if direction.key >= 0 else None
    asked = keys[direction.asked] if direction.asked >= 0 else None
    return Flow(
        sender=sides[0].name,
        receiver=sides[1].name,
        key=None if key is None else key.id,
        key_id=None if key is None else key.send_id,
        rnext_key=None if asked is None else asked.id,
        rnext_key_id=None if asked is None else asked.recv_id,
        received_as=peers[direction.received_as].id if direction.received_as >= 0 else None,
        drop=direction.drop,
    )
