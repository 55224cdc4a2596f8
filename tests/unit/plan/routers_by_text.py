"""Simulates two routers from their configuration texts and a plan's set files, without any code of keyroll.

It has its own reader of set lines and its own rules for which key is sent and accepted, under every pair of policies:
what judges a plan's files here shares no code with what made them.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone

_LINE = re.compile(r"(set|delete) security authentication-key-chains key-chain \S+ (.*)")
_KEY = re.compile(r"key (\d+)(?: (?:ao-attribute )?(\S+) (.*))?")
_START = re.compile(r'"(\d+)-(\d+)-(\d+)\.(\d+):(\d+):(\d+) ([+-])(\d\d)(\d\d)"')
_NEEDED = {"secret", "start-time", "algorithm", "send-id", "recv-id", "tcp-ao-option"}
POLICIES = tuple(itertools.product(("clock", "rnext"), ("tolerance", "any")))
TOLERANCE = 3600
"""Junos' default, in seconds."""


@dataclass(frozen=True)
class Held:
    """The chain that a router holds: the statements of each key, by key number, and the tolerance in seconds."""

    keys: dict[int, dict[str, str]]
    tolerance: int = TOLERANCE

    def changed(self, text: str) -> Held:
        """Return the chain after these set and delete lines. A line that is not about a key-chain is ignored."""
        keys, tolerance = {number: dict(key) for number, key in self.keys.items()}, self.tolerance
        for verb, rest in (match.groups() for line in text.splitlines() if (match := _LINE.fullmatch(line))):
            if rest.startswith("tolerance "):
                tolerance = int(rest.split()[1])
                continue
            match = _KEY.fullmatch(rest)
            assert match is not None, "a line that is not understood"
            number = int(match[1])
            if verb == "delete":
                del keys[number]  # KeyError: the line deletes a key that does not exist
            else:
                keys.setdefault(number, {})[match[2]] = match[3]
        return Held(keys, tolerance)

    def in_order(self) -> list[HeldKey]:
        """Return the keys by start-time. Each must have all statements that TCP-AO needs."""
        return sorted((HeldKey.of(number, key) for number, key in self.keys.items()), key=lambda one: one.start)


@dataclass(frozen=True)
class HeldKey:
    """A key of a router, as read from its statements."""

    start: datetime
    number: int
    send: str
    recv: str
    values: tuple[str, str]
    """Secret and algorithm: what must match on the other side."""

    @classmethod
    def of(cls, number: int, key: dict[str, str]) -> HeldKey:
        assert set(key) >= _NEEDED, f"key {number} lacks a statement"
        assert (key["algorithm"], key["tcp-ao-option"]) == ("ao", "enabled")
        values = key["secret"].strip('"'), key.get("cryptographic-algorithm", "hmac-sha-1-96")
        return cls(_instant(key["start-time"]), number, key["send-id"], key["recv-id"], values)


def _instant(text: str) -> datetime:
    match = _START.fullmatch(text)
    assert match is not None, text
    *numbers, sign, hours, minutes = match.groups()
    offset = timedelta(hours=int(hours), minutes=int(minutes)) * (1 if sign == "+" else -1)
    year, month, day, hour, minute, second = map(int, numbers)
    return datetime(year, month, day, hour, minute, second, tzinfo=timezone(offset)).astimezone(UTC)


class Simulated:
    """HeldKey router: its chains, each from an instant on, its clock's offset, and its policies."""

    def __init__(self, held: Sequence[tuple[datetime, Held]], offset: timedelta, policy: tuple[str, str]) -> None:
        self._states = [(instant, held.in_order(), timedelta(seconds=held.tolerance)) for instant, held in held]
        self._offset = offset
        self.sending, self._receiving = policy
        self.current: HeldKey | None = None

    def held(self, instant: datetime) -> tuple[list[HeldKey], timedelta]:
        return next((keys, span) for begin, keys, span in reversed(self._states) if begin <= instant)

    def events(self) -> Iterable[datetime]:
        for begin, keys, tolerance in self._states:
            yield begin
            for key in keys:
                yield from (key.start - self._offset + shift for shift in (-tolerance, timedelta(), tolerance))

    def active(self, instant: datetime) -> HeldKey:
        return [key for key in self.held(instant)[0] if key.start <= instant + self._offset][-1]

    def accepts(self, key: HeldKey, instant: datetime) -> bool:
        keys, tolerance = self.held(instant)
        now, place = instant + self._offset, keys.index(key)
        if self._receiving == "any":
            return True
        ends = keys[place + 1].start + tolerance if place + 1 < len(keys) else None
        return key.start - tolerance <= now and (ends is None or now < ends)


def assert_hitless(one: Simulated, other: Simulated, begin: datetime, end: datetime) -> None:
    """Assert that at every instant each router sends exactly one key, and the other accepts it."""
    events = sorted({begin, end, *(event for event in (*one.events(), *other.events()) if begin <= event <= end)})
    between = [early + (late - early) / 2 for early, late in itertools.pairwise(events)]
    one.current, other.current = one.active(begin), other.active(begin)
    for instant in sorted({*events, *between}):
        for router in (one, other):
            if router.sending == "clock":
                router.current = router.active(instant)
        # A segment that is sent before a request is followed must be accepted as well.
        _assert_delivered(one, other, instant)
        for router, peer in ((one, other), (other, one), (one, other)):
            if router.sending == "rnext":
                _follow(router, peer, instant)
        _assert_delivered(one, other, instant)


def _follow(router: Simulated, peer: Simulated, instant: datetime) -> None:
    asked = peer.active(instant)
    for key in router.held(instant)[0]:
        if key.send == asked.recv and router.accepts(key, instant):
            router.current = key


def _assert_delivered(one: Simulated, other: Simulated, instant: datetime) -> None:
    for sender, receiver in ((one, other), (other, one)):
        key = sender.current
        assert key in sender.held(instant)[0], f"{instant}: the sender does not have key {key}"
        assert key is not None
        found = [peer for peer in receiver.held(instant)[0] if peer.recv == key.send]
        assert len(found) == 1, f"{instant}: KeyID {key.send} is known {len(found)} times"
        assert (found[0].values, found[0].send) == (key.values, key.recv), f"{instant}: the receiver has another key"
        assert receiver.accepts(found[0], instant), f"{instant}: key {found[0].number} is not accepted"
