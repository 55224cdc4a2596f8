"""The course of a rollover between two routers, predicted: who sends what when, what is dropped, any gap.

Two chains, two clocks, any mix of policies (schedule.py) and one TCP connection with steady traffic both ways. The
prediction is exact under these conditions: a segment takes no time, there is always a next one, and the receiver finds
a segment's key by KeyID. Times are true ones; each router reads its own clock.

RFC 5925 section 7.3 has the rules of KeyID and RNextKeyID; DESIGN ("A key policy") those of the two policies.
"""

from __future__ import annotations

import enum
import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from keyroll.keychain.model import Key, Keychain
from keyroll.keychain.schedule import Receiving, Sending, accepts, in_order, receive_key, send_key, window

HOLD_DEFAULT = timedelta(seconds=90)
"""Junos' default BGP hold time: so long a gap ends the session (docs/junos.md 3.3)."""


@dataclass(frozen=True, slots=True)
class Clock:
    """A router's clock: what it shows is the true time plus an offset. `steps` are (true instant, offset from then)."""

    offset: timedelta = timedelta()
    steps: tuple[tuple[datetime, timedelta], ...] = ()

    def read(self, instant: datetime) -> datetime:
        """Return what the clock shows at a true instant."""
        return instant + next((offset for begin, offset in reversed(self._parts()) if begin <= instant), self.offset)

    def moments(self, reading: datetime) -> Iterator[datetime]:
        """Yield the true instants at which the clock comes to a reading by running (also: none, or several)."""
        parts = self._parts()
        for index, (begin, offset) in enumerate(parts):
            try:
                instant = reading - offset
            except OverflowError:  # a window's edge that no calendar reaches by this clock
                continue
            if begin <= instant and (index + 1 == len(parts) or instant < parts[index + 1][0]):
                yield instant

    def _parts(self) -> list[tuple[datetime, timedelta]]:
        return [(datetime.min.replace(tzinfo=UTC), self.offset), *sorted(self.steps)]


@dataclass(frozen=True, slots=True)
class Side:
    """One router: its name, chain, clock and key policy."""

    name: str
    chain: Keychain
    clock: Clock = Clock()
    sending: Sending = Sending.CLOCK
    receiving: Receiving = Receiving.TOLERANCE


class Drop(enum.Enum):
    """Why nothing gets through in one direction."""

    NOTHING_SENT = "the sender has no usable key whose start-time has passed"
    UNKNOWN_KEYID = "the receiver has no usable key with that recv-id"
    TOO_EARLY = "the receiver does not accept that key yet"
    TOO_LATE = "the receiver does not accept that key any more"
    OTHER_SECRET = "the receiver's key of that id has another secret"  # noqa: S105 - a sentence about secrets, not one
    OTHER_ALGORITHM = "the receiver's key of that id has another algorithm"
    OTHER_OPTIONS = "the receiver's key of that id covers the TCP options otherwise"


@dataclass(frozen=True, slots=True)
class Flow:
    """One direction during a span. Keys are numbers in the chain of the router named."""

    sender: str
    receiver: str
    key: int | None
    """The sender's key that signs, None when nothing is sent."""
    key_id: int | None
    rnext_key: int | None
    """The sender's key that RNextKeyID asks the receiver to use, None when it asks for none."""
    rnext_key_id: int | None
    received_as: int | None
    """The receiver's key with that KeyID, None when it has none."""
    drop: Drop | None = None


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of true time, closed at its begin and open at its end, in which nothing changes."""

    begin: datetime
    end: datetime
    flows: tuple[Flow, Flow]

    @property
    def through(self) -> bool:
        """Whether segments get through both ways."""
        return all(flow.drop is None for flow in self.flows)


@dataclass(frozen=True, slots=True)
class Gap:
    """A stretch in which one direction is dropped for one reason."""

    begin: datetime
    end: datetime
    flow: Flow

    @property
    def duration(self) -> timedelta:
        """How long it lasts (within the course)."""
        return self.end - self.begin


@dataclass(frozen=True, slots=True)
class Course:
    """What happens from `begin` to `end`: spans without holes between them, and when the session goes down."""

    spans: tuple[Span, ...]
    downs: tuple[datetime, ...] = field(default=())

    @property
    def hitless(self) -> bool:
        """Whether every segment gets through, both ways, from the first instant on."""
        return all(span.through for span in self.spans)

    @property
    def gaps(self) -> tuple[Gap, ...]:
        """Everything that is dropped, by begin; equal neighbours are one gap."""
        found: list[Gap] = []
        for span in self.spans:
            for flow in span.flows:
                if flow.drop is None:
                    continue
                last = next((i for i, gap in enumerate(found) if (gap.end, gap.flow) == (span.begin, flow)), None)
                if last is None:
                    found.append(Gap(span.begin, span.end, flow))
                else:
                    found[last] = replace(found[last], end=span.end)
        return tuple(sorted(found, key=lambda gap: gap.begin))

    def sent(self, name: str) -> tuple[tuple[datetime, int | None], ...]:
        """Return which key of its chain router `name` signs with, from when on."""
        changes: list[tuple[datetime, int | None]] = []
        for span in self.spans:
            key = next(flow.key for flow in span.flows if flow.sender == name)
            if not changes or changes[-1][1] != key:
                changes.append((span.begin, key))
        return tuple(changes)

    def at(self, instant: datetime) -> Span:
        """Return the span that holds a true instant.

        Raises:
            ValueError: the instant lies outside the course.
        """
        for span in self.spans:
            if span.begin <= instant < span.end:
                return span
        raise ValueError(f"{instant.isoformat()} lies outside the course")


def predict(one: Side, other: Side, begin: datetime, end: datetime, *, hold: timedelta | None = HOLD_DEFAULT) -> Course:
    """Return what happens between two routers from `begin` until `end` (true times, aware, begin < end).

    The connection opens as soon as segments get through both ways; until then each attempt starts with the latest key
    whose start has passed, as it does again after the session went down.

    Args:
        one: one router; its direction comes first in every span.
        other: its peer, named differently.
        begin: when to begin.
        end: when to stop.
        hold: for how long a router may hear nothing before it ends the session; None: for ever.

    Raises:
        ValueError: begin is not before end, hold is not more than zero, or both routers have the same name.
    """
    if begin >= end:
        raise ValueError("a course begins before it ends")
    if hold is not None and hold <= timedelta():
        raise ValueError("a hold time is more than zero")
    if one.name == other.name:
        raise ValueError(f"both routers are named {one.name}")
    return _Connection(one, other, hold).run(begin.astimezone(UTC), end.astimezone(UTC))


def predict_all(
    one: Side, other: Side, begin: datetime, end: datetime, *, hold: timedelta | None = HOLD_DEFAULT
) -> tuple[tuple[Side, Side, Course], ...]:
    """Return the course under every mix of policies. A plan is robust when all of them are hitless."""
    policies = list(itertools.product(Sending, Receiving))
    sides = [
        (replace(one, sending=mine[0], receiving=mine[1]), replace(other, sending=theirs[0], receiving=theirs[1]))
        for mine, theirs in itertools.product(policies, policies)
    ]
    return tuple((left, right, predict(left, right, begin, end, hold=hold)) for left, right in sides)


class _Connection:
    """The state of one connection while true time passes from event to event."""

    def __init__(self, one: Side, other: Side, hold: timedelta | None) -> None:
        self._sides = (one, other)
        self._hold = hold
        self._current: dict[str, Key | None] = {one.name: None, other.name: None}
        self._up = False
        # Since when each router has heard nothing: each runs its own hold timer.
        self._silent_since: dict[str, datetime] = {}
        self._downs: list[datetime] = []

    def run(self, begin: datetime, end: datetime) -> Course:
        events = sorted({begin, *(instant for instant in self._events() if begin < instant < end)})
        spans: list[Span] = []
        instant: datetime | None = begin
        while instant is not None:
            flows = self._settle(instant)
            following = self._following(instant, events, end)
            until = following or end
            if spans and spans[-1].flows == flows:
                spans[-1] = replace(spans[-1], end=until)
            else:
                spans.append(Span(instant, until, flows))
            instant = following
        return Course(tuple(spans), tuple(self._downs))

    def _events(self) -> Iterator[datetime]:
        """Yield every true instant at which a start-time, an edge of a window or a step of a clock comes."""
        for side in self._sides:
            yield from (instant for instant, _ in side.clock.steps)
            for key in in_order(side.chain):
                for reading in (key.start, *window(side.chain, key, side.receiving)):
                    if reading is not None:
                        yield from side.clock.moments(reading.astimezone(UTC))

    def _following(self, instant: datetime, events: list[datetime], end: datetime) -> datetime | None:
        upcoming = [event for event in events if event > instant]
        upcoming += self._expiries()
        earliest = min(upcoming, default=None)
        return earliest if earliest is not None and earliest < end else None

    def _expiries(self) -> list[datetime]:
        """Return when hold timers run out if nothing changes."""
        return [] if self._hold is None else [since + self._hold for since in self._silent_since.values()]

    def _settle(self, instant: datetime) -> tuple[Flow, Flow]:
        """Bring both routers to where steady traffic takes them at once, and return what then flows."""
        if any(expiry <= instant for expiry in self._expiries()):
            self._up = False
            self._downs.append(instant)
        for side in self._sides:
            if side.sending is Sending.CLOCK or not self._up or self._current[side.name] is None:
                self._current[side.name] = send_key(side.chain, side.clock.read(instant))
        flows = self._flows(instant)
        self._up = self._up or all(flow.drop is None for flow in flows)
        while self._up and self._follow(flows, instant):
            flows = self._flows(instant)
        self._silent_since = {
            flow.receiver: self._silent_since.get(flow.receiver, instant)
            for flow in flows
            if self._up and flow.drop is not None
        }
        return flows

    def _follow(self, flows: tuple[Flow, Flow], instant: datetime) -> bool:
        """Let each router under RNEXT follow what its peer's verified segments ask for; say whether one moved."""
        moved = False
        for side, flow in zip(self._sides, reversed(flows), strict=True):
            if side.sending is not Sending.RNEXT or flow.drop is not None or flow.rnext_key_id is None:
                continue
            wanted = next((key for key in in_order(side.chain) if key.send_id == flow.rnext_key_id), None)
            if (
                wanted is not None
                and wanted != self._current[side.name]
                and accepts(side.chain, wanted, side.clock.read(instant), side.receiving)
            ):
                self._current[side.name] = wanted
                moved = True
        return moved

    def _flows(self, instant: datetime) -> tuple[Flow, Flow]:
        one, other = self._sides
        return self._flow(one, other, instant), self._flow(other, one, instant)

    def _flow(self, sender: Side, receiver: Side, instant: datetime) -> Flow:
        asked = receive_key(sender.chain, sender.clock.read(instant))
        # Before the first start-time nothing is sent, also where a clock was stepped back to there.
        key = None if asked is None else self._current[sender.name]
        reading = receiver.clock.read(instant)
        match = None if key is None else _match(receiver, key, reading)
        return Flow(
            sender=sender.name,
            receiver=receiver.name,
            key=None if key is None else key.id,
            key_id=None if key is None else key.send_id,
            rnext_key=None if asked is None else asked.id,
            rnext_key_id=None if asked is None else asked.recv_id,
            received_as=None if match is None else match.id,
            drop=_drop(key, match, receiver, reading),
        )


def _match(receiver: Side, key: Key, reading: datetime) -> Key | None:
    """Return the receiver's key with that KeyID; of several (RFC 5925 forbids it) the latest that it accepts.

    That the latest is taken is assumed (docs/assumptions/wire.md W15); the wire path does so.
    """
    found = [candidate for candidate in reversed(in_order(receiver.chain)) if candidate.recv_id == key.send_id]
    accepted = (match for match in found if accepts(receiver.chain, match, reading, receiver.receiving))
    return next(accepted, found[0] if found else None)


def _drop(key: Key | None, match: Key | None, receiver: Side, reading: datetime) -> Drop | None:
    if key is None:
        return Drop.NOTHING_SENT
    if match is None:
        return Drop.UNKNOWN_KEYID
    if not accepts(receiver.chain, match, reading, receiver.receiving):
        begin, _ = window(receiver.chain, match, receiver.receiving)
        return Drop.TOO_EARLY if begin is not None and reading < begin else Drop.TOO_LATE
    if match.effective_algorithm is not key.effective_algorithm:
        return Drop.OTHER_ALGORITHM
    if match.include_options is not key.include_options:
        return Drop.OTHER_OPTIONS
    return None if match.secret == key.secret else Drop.OTHER_SECRET
