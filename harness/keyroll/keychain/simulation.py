"""One TCP connection between two routers, simulated from event to event on whole microseconds.

The engine below `prediction.py`. It works on integers and indexes, because a plan is simulated some hundred times: once
for each mix of policies, and once for each stretch of clock skew between two edges. Its rules are those of schedule.py;
a property test holds the two together.

Between two events (a start-time, an edge of a window, a step of a clock, a hold timer) nothing changes. The number of
events grows linearly with the number of keys, and a connection that keeps failing while nothing else changes costs no
more than three of them, so a simulation ends on every input.
"""

from __future__ import annotations

import enum
import itertools
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from keyroll.keychain.model import Key, Keychain
from keyroll.keychain.schedule import in_order
from keyroll.keychain.secret import Likeness
from keyroll.names import Receiving, Sending

SECOND = 1_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
EVER = 1 << 62
"""Microseconds that no calendar reaches (146,000 years): the edge of a window that has none."""


class Drop(enum.Enum):
    """Why nothing gets through in one direction."""

    NOTHING_SENT = "the sender has no usable key whose start-time has passed"
    UNKNOWN_KEYID = "the receiver has no usable key with that recv-id"
    TOO_EARLY = "the receiver does not accept that key yet"
    TOO_LATE = "the receiver does not accept that key any more"
    OTHER_SECRET = "the receiver's key of that id has another secret"  # noqa: S105 - a sentence about secrets, not one
    OTHER_ALGORITHM = "the receiver's key of that id has another algorithm"
    OTHER_OPTIONS = "the receiver's key of that id covers the TCP options otherwise"


def to_us(moment: datetime) -> int:
    """Return an aware instant as microseconds since 1970-01-01 UTC."""
    return (moment - _EPOCH) // _MICROSECOND


def from_us(instant: int) -> datetime:
    """Return the instant of so many microseconds since 1970-01-01, in UTC."""
    return _EPOCH + instant * _MICROSECOND


@dataclass(frozen=True, slots=True)
class Timetable:
    """A router's usable keys in order of start-time, as the simulation reads them. Keys are named by their place.

    `starts`, `opens` and `closes` are readings of the router's own clock; a window is closed at its opening and open at
    its closing. `sent_as` has the latest key of each send-id, `received_as` all of a recv-id, the latest first. RFC
    5925 (section 3.1) forbids a second one; that the latest is taken is assumed (docs/assumptions/wire.md W15).
    """

    keys: tuple[Key, ...]
    starts: tuple[int, ...]
    opens: tuple[int, ...]
    closes: tuple[int, ...]
    sent_as: dict[int, int]
    received_as: dict[int, tuple[int, ...]]

    @classmethod
    def of(cls, chain: Keychain, receiving: Receiving) -> Timetable:
        """Take the usable keys of a chain; the windows depend on what the router accepts."""
        keys = in_order(chain)
        starts = tuple(to_us(key.start) for key in keys if key.start is not None)
        tolerance = chain.tolerance * SECOND
        if receiving is Receiving.ANY:
            opens, closes = (-EVER,) * len(keys), (EVER,) * len(keys)
        else:
            opens = tuple(start - tolerance for start in starts)
            closes = (*(start + tolerance for start in starts[1:]), EVER)[: len(keys)]
        received: dict[int, tuple[int, ...]] = {}
        for place, key in enumerate(keys):
            if key.recv_id is not None:
                received[key.recv_id] = (place, *received.get(key.recv_id, ()))
        sent = {key.send_id: place for place, key in enumerate(keys) if key.send_id is not None}
        return cls(keys, starts, opens, closes, sent, received)

    def readings(self) -> Iterator[int]:
        """Yield every reading of the clock at which something changes for this router."""
        for edges in (self.starts, self.opens, self.closes):
            yield from (edge for edge in edges if -EVER < edge < EVER)

    def active(self, reading: int) -> int:
        """Return the key whose start-time passed last, -1 before the first; of equal starts the last in order."""
        return bisect_right(self.starts, reading) - 1

    def accepts(self, place: int, reading: int) -> bool:
        """Say whether a segment signed with that key is accepted at a reading of this router's clock."""
        return self.opens[place] <= reading < self.closes[place]


@dataclass(frozen=True, slots=True)
class ClockParts:
    """A clock as stretches of true time: from `begins[n]` on it shows the true time plus `offsets[n]`."""

    begins: tuple[int, ...] = (-EVER,)
    offsets: tuple[int, ...] = (0,)

    def read(self, instant: int) -> int:
        """Return what the clock shows at a true instant."""
        return instant + self.offsets[bisect_right(self.begins, instant) - 1]

    def moments(self, reading: int) -> Iterator[int]:
        """Yield the true instants at which the clock comes to a reading by running (also: none, or several)."""
        for index, (begin, offset) in enumerate(zip(self.begins, self.offsets, strict=True)):
            instant = reading - offset
            if begin <= instant and (index + 1 == len(self.begins) or instant < self.begins[index + 1]):
                yield instant


@dataclass(frozen=True, slots=True)
class Party:
    """One router of the simulation."""

    table: Timetable
    clock: ClockParts
    sending: Sending


class Direction(NamedTuple):
    """What happens to one router's segments. Keys are places in a timetable, -1 is none."""

    key: int
    """The sender's key that signs."""
    asked: int
    """The sender's key that RNextKeyID asks the receiver to use."""
    received_as: int
    """The receiver's key of that KeyID."""
    drop: Drop | None


State = tuple[Direction, Direction]
"""What both routers send: the first one's direction, then the second one's."""
Differ = dict[tuple[int, int, int], Drop | None]
"""Why a segment of router 0 or 1, signed with its key of one place, does not verify with the peer's of another."""


class Simulation:
    """The state of one connection with steady traffic both ways while true time passes.

    A segment takes no time, there is always a next one, and the receiver finds a segment's key by KeyID. The connection
    opens as soon as segments get through both ways; until then each attempt starts with the latest key whose start has
    passed, as it does again after the session went down.
    """

    def __init__(self, one: Party, other: Party, hold: int | None, differ: Differ | None = None) -> None:
        """Take both routers, and for how long each may hear nothing (microseconds; None: for ever).

        `differ` can be shared between simulations of the same two chains, so that secrets are compared once.
        """
        self._parties = (one, other)
        self._hold = hold
        self._current = [-1, -1]
        self._up = False
        # Since when each router has heard nothing: each runs its own hold timer.
        self._silent: list[int | None] = [None, None]
        self._differ: Differ = {} if differ is None else differ
        self.downs: list[int] = []
        """When the session went down. Where it keeps failing while nothing else changes: the first two times."""

    def run(self, events: Sequence[int]) -> Iterator[tuple[int, State]]:
        """Yield each instant, but for the last, at which something may change, and the state from then on.

        One instant may come twice: first with what is dropped until a request has been heard.

        Args:
            events: true instants, ascending: where to begin, what `events_of` finds, where to stop (exclusive).
        """
        for instant, following in itertools.pairwise(events):
            for state in self._settle(instant):
                yield instant, state
            yield from self._expire(following)

    def _expire(self, following: int) -> Iterator[tuple[int, State]]:
        """Let hold timers run out before the next event."""
        failures = 0
        while (expiry := self._expiry()) is not None and expiry < following:
            if failures > 1 and self._hold is not None:
                # It opened, failed and opened again with the same keys, so that goes on in the same way each hold time.
                expiry += (following - 1 - expiry) // self._hold * self._hold
            failures += 1
            self._up = False
            self._silent = [None, None]
            if failures <= 2:  # noqa: PLR2004 - see `downs`
                self.downs.append(expiry)
            for state in self._settle(expiry):
                yield expiry, state

    def _expiry(self) -> int | None:
        """Return when the first hold timer runs out if nothing changes."""
        if self._hold is None:
            return None
        return min((since + self._hold for since in self._silent if since is not None), default=None)

    def _settle(self, instant: int) -> Iterator[State]:
        """Bring both routers to where steady traffic takes them at once, and yield what then flows.

        A router that follows a request has to hear it first. Where the key that it sends with until then is accepted no
        more, what is under way is dropped: that state comes first, for no time.
        """
        expiry = self._expiry()
        if expiry is not None and expiry <= instant:
            self._up = False
            self._silent = [None, None]
            self.downs.append(instant)
        one, other = self._parties
        readings = (one.clock.read(instant), other.clock.read(instant))
        asked = (one.table.active(readings[0]), other.table.active(readings[1]))
        for index, party in enumerate(self._parties):
            if party.sending is Sending.CLOCK or not self._up or self._current[index] < 0:
                self._current[index] = asked[index]
        state, was_up = self._state(asked, readings), self._up
        self._up = self._up or (state[0].drop is None and state[1].drop is None)
        waiting = state
        # A request names the same key for as long as this instant lasts, so each router moves once at most.
        while self._up and self._follow(state, readings):
            state = self._state(asked, readings)
        if was_up and any(old.drop is not None and new.drop is None for old, new in zip(waiting, state, strict=True)):
            yield waiting
        for receiver, direction in ((1, state[0]), (0, state[1])):
            if not self._up or direction.drop is None:
                self._silent[receiver] = None
            elif self._silent[receiver] is None:
                self._silent[receiver] = instant
        yield state

    def _follow(self, state: State, readings: tuple[int, int]) -> bool:
        """Let each router under RNEXT follow what its peer's verified segments ask for; say whether one moved."""
        moved = False
        for index, party in enumerate(self._parties):
            heard = state[1 - index]
            if party.sending is not Sending.RNEXT or heard.drop is not None or heard.asked < 0:
                continue
            named = self._parties[1 - index].table.keys[heard.asked].recv_id
            wanted = -1 if named is None else party.table.sent_as.get(named, -1)
            if wanted not in (-1, self._current[index]) and party.table.accepts(wanted, readings[index]):
                self._current[index] = wanted
                moved = True
        return moved

    def _state(self, asked: tuple[int, int], readings: tuple[int, int]) -> State:
        return self._direction(0, asked[0], readings[1]), self._direction(1, asked[1], readings[0])

    def _direction(self, sender: int, asked: int, reading: int) -> Direction:
        # Before the first start-time nothing is sent, also where a clock was stepped back to there.
        if asked < 0:
            return Direction(-1, -1, -1, Drop.NOTHING_SENT)
        place = self._current[sender]
        table = self._parties[1 - sender].table
        send_id = self._parties[sender].table.keys[place].send_id
        named = () if send_id is None else table.received_as.get(send_id, ())
        if not named:
            return Direction(place, asked, -1, Drop.UNKNOWN_KEYID)
        match = next((match for match in named if table.accepts(match, reading)), -1)
        if match < 0:
            early = reading < table.opens[named[0]]
            return Direction(place, asked, named[0], Drop.TOO_EARLY if early else Drop.TOO_LATE)
        return Direction(place, asked, match, self.values_differ(sender, place, match))

    def values_differ(self, sender: int, place: int, match: int) -> Drop | None:
        """Return why a segment that router `sender` signs with a key does not verify with a key of the peer's.

        Each pair is compared once.
        """
        which = (sender, place, match)
        if which not in self._differ:
            mine, theirs = self._parties[sender].table.keys[place], self._parties[1 - sender].table.keys[match]
            self._differ[which] = values_differ(mine, theirs)
        return self._differ[which]


def events_of(parties: Iterable[Party], begin: int, end: int, steps: Iterable[int] = ()) -> list[int]:
    """Return `begin`, every true instant before `end` at which something changes for a router, and `end`.

    `steps` are true instants at which a clock is set.
    """
    moments = (
        moment for party in parties for reading in party.table.readings() for moment in party.clock.moments(reading)
    )  # fmt: skip
    return [begin, *sorted({moment for moment in (*moments, *steps) if begin < moment < end}), end]


def values_differ(mine: Key, theirs: Key) -> Drop | None:
    """Return why a segment signed with `mine` does not verify with `theirs`, whatever their ids and times."""
    if mine.effective_algorithm is not theirs.effective_algorithm:
        return Drop.OTHER_ALGORITHM
    if mine.include_options is not theirs.include_options:
        return Drop.OTHER_OPTIONS
    if mine.secret is None or theirs.secret is None:
        return None if mine.secret is theirs.secret else Drop.OTHER_SECRET
    # An unknown secret is assumed right: who asks for a prediction says so beside it.
    return Drop.OTHER_SECRET if mine.secret.compare(theirs.secret) is Likeness.DIFFERENT else None


@dataclass(frozen=True, slots=True)
class Due:
    """A key that a router's clock made due: its place, when that was, and when it was first sent and verified.

    A later key counts as well until a later one becomes due: from then on the key itself must be sent, or it was
    skipped. `done` is None where no segment that counts was ever verified.
    """

    place: int
    due: int
    done: int | None


def changes_of(states: Sequence[tuple[int, State]], index: int) -> list[Due]:
    """Return the keys that became due at a router (0 or 1) after the first of the states that `Simulation.run` yields.

    What is active in the first state was not due in it.
    """
    found: list[Due] = []
    waiting: list[tuple[int, int]] = []
    previous = states[0][1][index].asked
    for instant, state in states:
        direction = state[index]
        if direction.asked > previous >= 0:
            waiting.append((direction.asked, instant))
        previous = direction.asked
        if waiting and direction.drop is None:
            latest = waiting[-1][0]
            done = {
                (place, due)
                for place, due in waiting
                if place == direction.key or (place == latest and place < direction.key)
            }
            found += [Due(place, due, instant) for place, due in done]
            waiting = [entry for entry in waiting if entry not in done]
    found += [Due(place, due, None) for place, due in waiting]
    return sorted(found, key=lambda change: (change.due, change.place))
