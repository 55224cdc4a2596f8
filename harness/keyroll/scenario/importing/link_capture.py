"""What a capture of the real link shows before anything is played: which keys were sent, and are the segments right.

Judged as `keyroll verify` does, with both configurations as the source of keys.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, tzinfo
from ipaddress import ip_address
from pathlib import Path

from keyroll.capture.formats.packet import CaptureError
from keyroll.capture.keys.book import SESSION_PORTS, CaptureClock
from keyroll.capture.keys.config_book import ConfigSource, config_book
from keyroll.capture.referee.account import DirectionAccount
from keyroll.capture.referee.judgement import BAD, Flow, Verdict
from keyroll.capture.verify.files import files_in_order
from keyroll.scenario.importing.session_groups import SessionGroup

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class SeenKey:
    """A key that a router signed with, from its first segment on until it signed with another."""

    key: int
    """The number in the router's own chain."""
    first: datetime | None
    """By the capture's time stamps."""
    segments: int


@dataclass(frozen=True, slots=True)
class SeenDirection:
    """What one router sent in one session."""

    session: str
    """As the file names it; `another session` for those that it does not play."""
    router: str
    keys: tuple[SeenKey, ...]
    """In the order of their first segments."""
    wrong: dict[str, int]
    """Counts of wrong segments, by verdict."""
    unjudged: dict[str, int]
    """Counts of segments that could not be judged, by verdict."""


@dataclass(frozen=True, slots=True)
class SeenOnLink:
    """What a capture says of the sessions between two routers."""

    directions: tuple[SeenDirection, ...]
    problems: tuple[str, ...]
    """Why the account may be incomplete: a capture that ends early, a configuration that is in doubt."""

    @property
    def right(self) -> int:
        """The number of segments with a valid MAC under the right key."""
        return sum(key.segments for one in self.directions for key in one.keys)

    @property
    def wrong(self) -> int:
        """The number of wrong segments."""
        return sum(sum(one.wrong.values()) for one in self.directions)

    @property
    def unjudged(self) -> int:
        """Segments that could not be judged."""
        return sum(sum(one.unjudged.values()) for one in self.directions)

    def lines(self) -> Iterator[str]:
        """Yield the lines to print, without any name, address or secret of the routers."""
        yield f"{self.right} protected segments are right, {self.wrong} wrong, {self.unjudged} could not be judged"
        for one in self.directions:
            order = ", then ".join(_of_key(key) for key in one.keys) or "no known key"
            counted = ", ".join(f"{count} {verdict}" for verdict, count in {**one.wrong, **one.unjudged}.items())
            yield f"{one.session}, {one.router} sends {order}" + (f"; {counted}" if counted else "")
        yield from self.problems


def _of_key(key: SeenKey) -> str:
    since = f" from {key.first.isoformat()}" if key.first is not None else ""
    return f"key {key.key}{since} ({key.segments} segments)"


def seen(
    captures: Sequence[Path], sources: Sequence[ConfigSource], groups: Sequence[SessionGroup], *, zone: tzinfo
) -> SeenOnLink:
    """Judge captures of the link.

    Args:
        captures: in any order; files that continue each other are one.
        sources: R1's and R2's configuration.
        groups: the sessions that the scenario plays.
        zone: of start-times that name none, on routers without a `time-zone`.

    Raises:
        InputError: a capture cannot be read, or a configuration is no source of keys.
    """
    book = config_book(sources, clock=CaptureClock(0), zone=zone)
    names = _Names(groups)
    problems: list[str] = []
    accounts: list[DirectionAccount] = []
    for file in files_in_order(captures, book):
        for _ in file.offending():
            pass  # what is wrong is counted in the account
        if file.error is not None:
            if not file.packets:
                raise file.error
            problems.append(f"capture {captures.index(file.path) + 1} ends early: {_bare(file.error)}")
        accounts += file.account.directions
    if book.notes:
        problems.append(f"{len(book.notes)} statements of the configurations leave open what is protected")
    return SeenOnLink(tuple(_directions(accounts, names)), tuple(problems))


def _bare(error: CaptureError) -> str:
    """Return a capture's fault without its path, which may hold names."""
    return error.message


class _Names:
    """Maps a flow to a session of the file and the router that sent it."""

    def __init__(self, groups: Sequence[SessionGroup]) -> None:
        self._senders: dict[tuple[str, str, str], tuple[str, str]] = {}
        for group in groups:
            for (one, other), played in zip(group.sessions, group.played, strict=True):
                # R1's end names R2's address, and the other way round.
                for router, sender, receiver in (("R1", other.peer, one.peer), ("R2", one.peer, other.peer)):
                    self._senders[one.kind.value, str(sender), str(receiver)] = played.name, router

    def of(self, flow: Flow) -> tuple[str, str] | None:
        """Return the session and the sending router; None where the file plays no such session."""
        ports = [port for port in (flow.sport, flow.dport) if port is not None]
        kinds = {SESSION_PORTS[port] for port in ports if port in SESSION_PORTS}
        addresses = str(ip_address(flow.src)), str(ip_address(flow.dst))
        return next((self._senders[kind, *addresses] for kind in kinds if (kind, *addresses) in self._senders), None)


def _directions(accounts: Iterable[DirectionAccount], names: _Names) -> Iterator[SeenDirection]:
    grouped: dict[tuple[str, str], list[DirectionAccount]] = {}
    for account in accounts:
        try:
            place = names.of(account.flow)
        except ValueError:  # an account of many flows together has no address
            place = None
        grouped.setdefault(place or ("another session", "a router"), []).append(account)
    for (session, router), members in sorted(grouped.items()):
        counted: Counter[Verdict] = Counter()
        for account in members:
            counted.update({one: n for one, n in account.verdicts().items() if one is not Verdict.VERIFIED})
        wrong = {verdict.value: count for verdict, count in counted.items() if verdict in BAD}
        other = {verdict.value: count for verdict, count in counted.items() if verdict not in BAD}
        yield SeenDirection(session, router, tuple(_keys(members)), wrong, other)


def _keys(accounts: Iterable[DirectionAccount]) -> Iterator[SeenKey]:
    """Yield the keys in the order of their first segments; uses of one key in a row count as one."""
    uses = sorted(
        (use for account in accounts for use in account.uses.values()), key=lambda use: use.first_time_ns or 0
    )
    last: SeenKey | None = None
    for use in uses:
        moment = None if use.first_time_ns is None else _EPOCH + timedelta(microseconds=use.first_time_ns // 1000)
        number = -1 if use.key is None else use.key
        if last is not None and last.key == number:
            last = replace(last, segments=last.segments + use.segments)
            continue
        if last is not None:
            yield last
        last = SeenKey(number, moment, use.segments)
    if last is not None:
        yield last
