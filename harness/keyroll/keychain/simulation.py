"""One TCP connection between two routers, simulated from event to event on whole microseconds.

`prediction.py` uses it. It works on integers and indexes, because a plan is simulated some hundred times: once for each
mix of policies, and once for each range of clock skew. Its values are tuples: one is made in a quarter of the time of a
frozen dataclass. Its rules are those of schedule.py; a property test compares the two.

Nothing changes between two events (a start-time, the begin or end of a window, a step of a clock, a hold timer). The
number of events grows linearly with the number of keys, and a connection that keeps failing while nothing else changes
adds three at most, so a simulation ends on every input.
"""

from __future__ import annotations

import enum
import itertools
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
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
"""The end of a window without one: microseconds (146,000 years) beyond any date."""


class Drop(enum.Enum):
    """Why all segments of one direction are lost."""

    NOTHING_SENT = "the sender has no usable key whose start-time has passed"
    UNKNOWN_KEYID = "the receiver has no usable key with that recv-id"
    TOO_EARLY = "the receiver does not accept that key yet"
    TOO_LATE = "the receiver does not accept that key any more"
    OTHER_SECRET = "the receiver's key of that id has another secret"  # noqa: S105 - a sentence about secrets, not one
    OTHER_ALGORITHM = "the receiver's key of that id has another algorithm"
    OTHER_OPTIONS = "only one of sender and receiver covers the TCP options with that key"


def to_us(moment: datetime) -> int:
    """Return an aware instant as microseconds since 1970-01-01 UTC."""
    return (moment - _EPOCH) // _MICROSECOND


def from_us(instant: int) -> datetime:
    """Return the instant that is `instant` microseconds after 1970-01-01 UTC, in UTC."""
    return _EPOCH + instant * _MICROSECOND


class Timetable(NamedTuple):
    """A router's usable keys in order of start-time, in the simulation's form. A key is identified by its index.

    `starts`, `opens` and `closes` are readings of the router's own clock; a window includes its opening and excludes
    its closing. `sent_as` has the latest key of each send-id, `received_as` all keys of a recv-id, the latest first.
    RFC 5925 (section 3.1) forbids a second one; that the latest is used is assumed (docs/assumptions/wire.md W15).
    """

    keys: tuple[Key, ...]
    starts: tuple[int, ...]
    opens: tuple[int, ...]
    closes: tuple[int, ...]
    sent_as: dict[int, int]
    received_as: dict[int, tuple[int, ...]]

    @classmethod
    def of(cls, chain: Keychain, receiving: Receiving) -> Timetable:
        """Return the timetable of a chain's usable keys; the windows depend on the receiving policy."""
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
        """Return the index of the key whose start-time passed last, -1 before the first; of equal starts the last."""
        return bisect_right(self.starts, reading) - 1

    def accepts(self, place: int, reading: int) -> bool:
        """Return whether a segment signed with that key is accepted at a reading of this router's clock."""
        return self.opens[place] <= reading < self.closes[place]


class ClockParts(NamedTuple):
    """A clock in intervals of true time: from `begins[n]` on it shows true time plus `offsets[n]` (microseconds)."""

    begins: tuple[int, ...] = (-EVER,)
    offsets: tuple[int, ...] = (0,)

    def read(self, instant: int) -> int:
        """Return the clock's reading at a true instant."""
        return instant + self.offsets[bisect_right(self.begins, instant) - 1]

    def moments(self, reading: int) -> Iterator[int]:
        """Yield the true instants at which the running clock reaches a reading: one, none, or several."""
        for index, (begin, offset) in enumerate(zip(self.begins, self.offsets, strict=True)):
            instant = reading - offset
            if begin <= instant and (index + 1 == len(self.begins) or instant < self.begins[index + 1]):
                yield instant


class Party(NamedTuple):
    """One router of the simulation."""

    table: Timetable
    clock: ClockParts
    sending: Sending


class Direction(NamedTuple):
    """What happens to one router's segments. Keys are indexes in a timetable; -1: none."""

    key: int
    """The sender's key that signs."""
    asked: int
    """The sender's key that RNextKeyID asks the receiver to use."""
    received_as: int
    """The receiver's key of that KeyID."""
    drop: Drop | None


State = tuple[Direction, Direction]
"""Both directions: the first router's, then the second router's."""
Differ = dict[tuple[int, int, int], Drop | None]
"""Returns why a segment of router 0 or 1, signed with its key of an index, does not verify with a key of the peer."""


class Simulation:
    """The state of one connection with continuous traffic in both directions while true time passes.

    A segment takes no time, there is always a next one, and the receiver finds a segment's key by KeyID. The connection
    opens as soon as segments are accepted in both directions; until then, and again after the session went down, each
    attempt starts with the latest key whose start has passed.
    """

    def __init__(self, one: Party, other: Party, hold: int | None, differ: Differ | None = None) -> None:
        """`hold` is how long each router may receive nothing (microseconds; None: for ever).

        `differ` can be shared between simulations of the same two chains, so that secrets are compared only once.
        """
        self._parties = (one, other)
        self._followers = [index for index, party in enumerate(self._parties) if party.sending is Sending.RNEXT]
        self._hold = hold
        self._current = [-1, -1]
        self._up = False
        # When each router last received a segment: each runs its own hold timer.
        self._silent: list[int | None] = [None, None]
        self._differ: Differ = {} if differ is None else differ
        self.downs: list[int] = []
        """When the session went down. If it keeps failing while nothing else changes, only the first two times."""

    def run(self, events: Sequence[int]) -> Iterator[tuple[int, State]]:
        """Yield each instant except the last at which something may change, and the state from then on.

        An instant may come twice: first with what is dropped until a request for a key has been received.

        Args:
            events: true instants, ascending: the begin, those of `events_of`, the end (exclusive).
        """
        for instant, following in itertools.pairwise(events):
            for state in self._settle(instant):
                yield instant, state
            yield from self._expire(following)

    def _expire(self, following: int) -> Iterator[tuple[int, State]]:
        """Yield the states after hold timers that expire before the next event."""
        failures = 0
        while (expiry := self._expiry()) is not None and expiry < following:
            if failures > 1 and self._hold is not None:
                # It opened, failed and opened again with the same keys: this repeats in the same way every hold time.
                expiry += (following - 1 - expiry) // self._hold * self._hold
            failures += 1
            self._up = False
            self._silent = [None, None]
            if failures <= 2:  # noqa: PLR2004 - see `downs`
                self.downs.append(expiry)
            for state in self._settle(expiry):
                yield expiry, state

    def _expiry(self) -> int | None:
        """Return when the first hold timer expires if nothing changes; None: never."""
        if self._hold is None:
            return None
        return min((since + self._hold for since in self._silent if since is not None), default=None)

    def _settle(self, instant: int) -> tuple[State, ...]:
        """Return the state that continuous traffic leads to at once.

        A router must receive a request for a key before it follows it. If the key that it uses until then is no longer
        accepted, segments on the way are dropped: that state, without length, comes first.
        """
        expiry = self._expiry()
        if expiry is not None and expiry <= instant:
            self._up = False
            self._silent = [None, None]
            self.downs.append(instant)
        one, other = self._parties
        readings = (one.clock.read(instant), other.clock.read(instant))
        asked = (one.table.active(readings[0]), other.table.active(readings[1]))
        for index in (0, 1):
            if index not in self._followers or not self._up or self._current[index] < 0:
                self._current[index] = asked[index]
        state = waiting = self._state(asked, readings)
        was_up = self._up
        self._up = was_up or (state[0].drop is None and state[1].drop is None)
        # A request names the same key during this instant, so each router changes its key once at most.
        while self._up and self._follow(state, readings):
            state = self._state(asked, readings)
        for receiver, direction in ((1, state[0]), (0, state[1])):
            if not self._up or direction.drop is None:
                self._silent[receiver] = None
            elif self._silent[receiver] is None:
                self._silent[receiver] = instant
        if not was_up or state is waiting:
            return (state,)
        lost = any(old.drop is not None and new.drop is None for old, new in zip(waiting, state, strict=True))
        return (waiting, state) if lost else (state,)

    def _follow(self, state: State, readings: tuple[int, int]) -> bool:
        """Let routers under RNEXT follow the request in the peer's verified segments; return whether one changed."""
        moved = False
        for index in self._followers:
            party, heard = self._parties[index], state[1 - index]
            if heard.drop is not None or heard.asked < 0:
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
        # Nothing is sent before the first start-time, also if a clock was set back to before it.
        if asked < 0:
            return Direction(-1, -1, -1, Drop.NOTHING_SENT)
        place = self._current[sender]
        table = self._parties[1 - sender].table
        send_id = self._parties[sender].table.keys[place].send_id
        named = () if send_id is None else table.received_as.get(send_id, ())
        if not named:
            return Direction(place, asked, -1, Drop.UNKNOWN_KEYID)
        for match in named:
            if table.accepts(match, reading):
                return Direction(place, asked, match, self.values_differ(sender, place, match))
        early = reading < table.opens[named[0]]
        return Direction(place, asked, named[0], Drop.TOO_EARLY if early else Drop.TOO_LATE)

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
    # An unknown secret is assumed to match: whoever shows the prediction must say so.
    return Drop.OTHER_SECRET if mine.secret.compare(theirs.secret) is Likeness.DIFFERENT else None


class Due(NamedTuple):
    """A key whose start-time a router's clock reached: its index, when that was, when it was first sent and verified.

    A later key counts as well until a later one becomes due: from then on the key itself must be sent, or it was
    skipped. `done` is None if no such segment was ever verified.
    """

    place: int
    due: int
    done: int | None


def changes_of(states: Sequence[tuple[int, State]], index: int) -> list[Due]:
    """Return the keys that became due at a router (0 or 1) after the first of the states that `Simulation.run` yields.

    The key that is active in the first state did not become due in it.
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
