"""Two fake routers on a `FakeClock`: tests play scenarios on them in milliseconds, without a lab."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache, partial
from ipaddress import IPv4Interface
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from keyroll.capture import RecentFrames, Standing
from keyroll.configuration import read
from keyroll.instants import FakeClock, Instant
from keyroll.junos.base_configuration import Plan
from keyroll.junos.errors import CommandError, CommitError
from keyroll.junos.exchange import Exchange
from keyroll.junos.pair import Pair
from keyroll.junos.records import ChainStatus, SecurityKeychain
from keyroll.keychain.model import Key, Keychain
from keyroll.keychain.schedule import next_key, send_key
from keyroll.lab.protocol import Impairment
from keyroll.names import SessionKind
from keyroll.scenario.file.fields import ROUTERS, RouterName
from keyroll.scenario.file.read import read_cases
from keyroll.scenario.observe.drops import Drops
from keyroll.scenario.observe.router_clock import RouterClock
from keyroll.scenario.observe.sampler import Sample
from keyroll.scenario.observe.wire import Side
from keyroll.scenario.plan.deadlines import Waits
from keyroll.scenario.plan.keyring import Keyring, Span
from keyroll.scenario.play.context import Moment, Routers, Run
from keyroll.scenario.play.player import Player
from keyroll.scenario.play.time import RealTime, SettingClocks
from keyroll.scenario.record.record import Record
from keyroll.scenario.record.result import Check
from keyroll.scenario.record.stopwatch import Stopwatch
from keyroll.scenario.record.timeline import Timeline

SECOND = timedelta(seconds=1)
T0 = datetime(2030, 1, 1, tzinfo=UTC)
TICK = timedelta(milliseconds=250)
"""The time between two samples of a session."""
KEEPALIVE = 3 * SECOND
"""The time between two segments that a router sends by itself."""
EXCHANGE = timedelta(milliseconds=20)
"""The time that a command to a router takes."""
COMMIT = timedelta(milliseconds=300)
"""The time that a commit takes."""
COMMITS_LISTED = 50
"""Commits that Junos keeps and lists: the present configuration and 49 before it."""
CHAINS = "security authentication-key-chains"


class FakeRouter:
    """A router as its session shows it: a configuration with history, a clock, and keys that follow the clock."""

    def __init__(self, world: World, name: RouterName) -> None:
        self._world, self.name, self.target = world, name, SimpleNamespace(name=name)
        self.history: list[list[str]] = [[]]
        """The configurations that were committed, as set lines, oldest first."""
        self.committed: list[datetime] = [T0]
        """When they were committed, by its own clock; a test may add earlier commits."""
        self._candidate: list[str] | None = None
        self.refuses: str | None = None
        """The message with which it refuses every commit but the first; None: it refuses none."""
        self.rolls_back = True
        """Whether it rolls back a commit that is not confirmed in time."""
        self.busy_until: Instant | None = None
        """Until this instant its routing process answers no command."""

    def connect(self) -> None:
        """Do nothing: a fake router needs no login."""

    close = connect

    # ---- what a session reads

    def show(self, command: str) -> Exchange:
        start = self._spend(EXCHANGE)
        if self.busy_until is not None and self._world.clock.now() < self.busy_until:
            raise CommandError(f"{self.name}: not running", router=self.name, line=command, words="not running")
        if command == "restart routing":
            self.busy_until = self._world.clock.now() + self._world.restart
        raw, parsed = "", None
        if command == "show system commit":
            made = reversed(self.committed[-COMMITS_LISTED:])
            raw = "\n".join(f"{number}   {at:%Y-%m-%d %H:%M:%S} UTC by admin" for number, at in enumerate(made))
        elif command == "show security keychain":
            parsed = SecurityKeychain(tuple(self._status(chain) for chain in self.chains()))
        return Exchange(self.name, command, raw, start.moment, self._world.clock.now().moment, parsed)

    def ask_secret(self, _command: str) -> str:
        self._spend(EXCHANGE)
        return "".join(f"{line}\n" for line in self._chain_lines())

    def clock(self) -> datetime:
        self._spend(EXCHANGE)
        return self.now().replace(microsecond=0)

    def now(self) -> datetime:
        reading = self._world.clocks[self.name].now()
        assert reading is not None
        return reading

    def chains(self) -> list[Keychain]:
        return list(_parsed(tuple(self._chain_lines())))

    def sends(self) -> Key | None:
        chains = self.chains()
        return send_key(chains[0], self.now()) if chains else None

    def _chain_lines(self) -> Iterator[str]:
        return (line for line in self.history[-1] if line.startswith(f"set {CHAINS}"))

    def _status(self, chain: Keychain) -> ChainStatus:
        active, after = send_key(chain, self.now()), next_key(chain, self.now())
        now = None if active is None else active.id
        coming = None if after is None else after.id
        return ChainStatus(chain.name, now, now, coming, coming, None, chain.tolerance)

    # ---- what a session changes

    def configure(self, lines: Sequence[str]) -> None:
        self._spend(EXCHANGE)
        candidate = list(self.history[-1]) if self._candidate is None else self._candidate
        for line in lines:
            verb, _, rest = line.partition(" ")
            if verb == "delete":
                candidate = [one for one in candidate if not f"{one} ".startswith(f"set {rest} ")]
            elif line not in candidate:
                candidate.append(line)
        self._candidate = candidate

    def rollback(self, number: int) -> None:
        self._candidate = list(self.history[-1 - number])

    def discard(self) -> None:
        self._candidate = None

    def compare(self) -> str:
        return ""

    def commit_check(self) -> None:
        self._spend(EXCHANGE)

    def commit(self, comment: str | None = None, *, confirmed_minutes: int | None = None) -> None:
        self._spend(COMMIT)
        if self.refuses is not None and len(self.history) > 1:
            raise CommitError(f"{self.name} refused", router=self.name, line=str(comment), words=self.refuses)
        self._store(self._candidate or [])
        self._candidate = None
        if confirmed_minutes is not None and self.rolls_back:
            self._world.clock.at(
                timedelta(minutes=confirmed_minutes) + timedelta(seconds=0.5),
                lambda: self._store(list(self.history[-2])),
            )
        self._world.configured()

    def _store(self, lines: list[str]) -> None:
        self.history.append(lines)
        self.committed.append(self.now())

    def set_clock(self, moment: datetime) -> None:
        begun = self._spend(EXCHANGE)
        self._world.clocks[self.name].was_set(moment, begun=begun.ns, done=self._world.clock.now().ns)

    def clear_bgp(self, _address: object, *, soft: bool) -> None:
        self._world.cleared.append((self._world.clock.now(), self.name, soft))
        self._spend(EXCHANGE)
        if soft:
            self._world.send(self.name)
        elif self._world.back_after is not None:
            self._world.bring_down(after=timedelta())
            self._world.clock.advance(timedelta())
            self._world.clock.at(self._world.back_after, self._world.bring_up)

    def reboot(self) -> None:
        self._spend(20 * SECOND)

    def _spend(self, length: timedelta) -> Instant:
        """Let time pass; return the instant before it."""
        begun = self._world.clock.now()
        self._world.clock.advance(length)
        return begun


@lru_cache
def _parsed(lines: Sequence[str]) -> Sequence[Keychain]:
    found = read("".join(f"{line}\n" for line in lines), "a router").main.chains
    return tuple(chain.keychain for chain in found)


@dataclass
class FakeWire:
    """The captures: what the fake routers have sent."""

    world: World
    sides: dict[str, Side] = field(default_factory=dict)
    proofs: dict[tuple[str, object], int] = field(default_factory=dict)
    """{(router, key): when data signed with that key was last acknowledged, in nanoseconds}."""
    syns: list[SimpleNamespace] = field(default_factory=list)
    frames: RecentFrames = field(default_factory=RecentFrames)
    special: object = tuple

    def pump(self) -> None:
        """Do nothing: segments are recorded when they are sent."""

    def follow(self, _changed: object) -> None:
        """Do nothing: segments are not judged with the chains."""

    def side(self, router: str, _session: object) -> Side | None:
        return self.sides.get(router)

    def acknowledged_with(self, router: str, _session: object, key: object, *, since: int) -> bool:
        return self.proofs.get((router, key), -1) >= since

    def acknowledged_with_any(self, router: str, _session: object, keys: Iterable[object], *, since: int) -> bool:
        return any(self.proofs.get((router, key), -1) >= since for key in keys)

    def sent_by(self, router: str, *, since: int = 0, until: int | None = None) -> list[SimpleNamespace]:
        side = self.sides.get(router)
        later = side is not None and since <= side.at and (until is None or side.at <= until)
        return [SimpleNamespace(standing=Standing.GOOD, time_ns=side.at)] if side is not None and later else []

    def signed_in_order(self, router: str) -> list[SimpleNamespace]:
        return [SimpleNamespace(connection=1, key=side.key) for side in self.sides.values() if side.router == router]

    def opened_or_reset(self, router: str, since: int, until: int) -> list[SimpleNamespace]:
        return [one for one in self.syns if one.sender == router and since < one.time_ns <= until]

    def received(self, _router: str, _session: object) -> RecentFrames:
        return self.frames


class FakeSamples:
    """Samples of the sessions of the watched routers, taken at each tick."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.watched: set[str] = set()
        self.taken: list[Sample] = []

    def watch(self, router: str) -> None:
        self.watched.add(router)

    def unwatch(self, router: str) -> None:
        self.watched.discard(router)

    def take(self) -> None:
        now = self._world.clock.now()
        for router in sorted(self.watched):
            for session in self._world.sessions:
                self.taken.append(self._sample(router, session, now))

    def _sample(self, router: str, session: SessionKind, now: Instant) -> Sample:
        world = self._world
        up = world.up is not None
        works = "Established" if session == SessionKind.BGP else "Operational"
        since = now - world.up if world.up is not None else timedelta()
        labels = frozenset({("10.0.0.1/32", 3)}) if session == SessionKind.LDP else None
        return Sample(
            router,
            session,
            now.ns,
            now.ns,
            up,
            works if up else "Idle",
            world.flaps,
            since,
            world.routes if session == SessionKind.BGP else None,
            labels,
        )

    def samples(self, router: str, session: object) -> tuple[Sample, ...]:
        return tuple(one for one in self.taken if (one.router, one.session) == (router, session))

    def latest(self, router: str, session: object) -> Sample | None:
        return next((one for one in reversed(self.taken) if (one.router, one.session) == (router, session)), None)

    def await_fresh(self, router: str, asked_after: int, *, within: timedelta) -> None:
        assert router in self.watched
        assert within > TICK
        self._world.clock.advance(TICK)
        assert self.taken[-1].asked >= asked_after


class FakeLinks:
    """The link between the routers, and the actions on it."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.done: list[str] = []
        self.impairments: list[Impairment] = []
        self.injected: list[bytes] = []
        self.special_frames = tuple

    def cut(self) -> None:
        self.done.append("cut")
        self._world.bring_down(after=9 * SECOND)

    def restore(self) -> None:
        self.done.append("restore")

    def impair(self, impairment: Impairment, *, towards: str) -> None:
        self.done.append(f"impair {towards}")
        self.impairments.append(impairment)

    def inject(self, frame: bytes, *, towards: str) -> str:
        self.injected.append(frame)
        self._world.count_drop(towards)
        return ""


class World:
    """Two fake routers, the link between them, and the run that is played on them."""

    def __init__(
        self, text: str, folder: Path, *, real_time: bool = False, t0: datetime = T0, mutate: str | None = None
    ) -> None:
        path = folder / "scenario.yaml"
        path.write_text(text)
        (case,) = read_cases(path)
        self.scenario = case.scenario
        self.sessions = [SessionKind(name) for name in case.scenario.session_names]
        self.clock = FakeClock(T0)
        self.clocks: dict[str, RouterClock] = {router: RouterClock(clock=self.clock) for router in ROUTERS}
        self.up: Instant | None = None
        self.flaps, self.routes = 0, 1
        self.comes_up_after = SECOND
        """How long a session takes to come up, once both routers have it configured."""
        self.back_after: timedelta | None = None
        """How long a session that is reset stays down; None: a reset does nothing."""
        self.acknowledges = True
        self.restart = 2 * SECOND
        """How long a routing process takes to restart."""
        self.drops_after: timedelta | None = timedelta()
        """How long after its arrival a forged frame is counted as dropped; None: it is not dropped."""
        self.cleared: list[tuple[Instant, str, bool]] = []
        self.dropped: dict[str, int] = dict.fromkeys(ROUTERS, 0)
        self.dead: Exception | None = None
        self.routers: dict[RouterName, FakeRouter] = {router: FakeRouter(self, router) for router in ROUTERS}
        self.samples, self.wire, self.links = FakeSamples(self), FakeWire(self), FakeLinks(self)
        self.pair = Pair(cast("Any", self.routers), clock=self.clock)
        mutation = None if mutate is None else self.scenario.mutations[mutate]
        keyring = Keyring(self.scenario, seed=7, t0=t0, mutation=mutation)
        self.timeline = Timeline(folder / "timeline.jsonl", clocks=self.clocks, redact=str, clock=self.clock)
        self.record = Record(self.timeline, Stopwatch(self.clock), lambda *_: None)
        now = self.clock.now().ns
        plans = {
            router: Plan(
                router,
                65000 + number,
                IPv4Interface(f"192.0.2.{number}/32"),
                "ge-0/0/0",
                IPv4Interface(f"10.0.12.{number}/24"),
            )
            for number, router in enumerate(ROUTERS, start=1)
        }
        peers = {"R1": plans["R2"].ipv4, "R2": plans["R1"].ipv4}
        self.run = Run(
            scenario=self.scenario,
            seed=7,
            t0=t0,
            waits=Waits(timedelta(seconds=self.scenario.hold_time)),
            clock=self.clock,
            time=RealTime() if real_time else SettingClocks(),
            routers=Routers(
                self.pair,
                self.clocks,
                cast("Any", plans),
                cast("Any", {router: one.ip for router, one in peers.items() if one is not None}),
                cast("Any", SimpleNamespace(read=self._read_drops)),
                cast("Any", self.links),
                self._check,
            ),
            wire=cast("Any", self.wire),
            samples=cast("Any", self.samples),
            keyring=keyring,
            record=self.record,
            moment=Moment("the start", Span(now, now)),
        )
        self._every(TICK, self.samples.take)
        for router in ROUTERS:
            self._every(KEEPALIVE, partial(self.send, router))

    def play(self, *, until: Sequence[str] = ()) -> dict[str, list[Check]]:
        """Play the scenario; return its checks by their labels."""
        checks: dict[str, list[Check]] = {}
        for check in Player(self.run, until=until).play():
            checks.setdefault(check.label, []).append(check)
        return checks

    def close(self) -> None:
        self.pair.close()
        self.timeline.__exit__(None, None, None)

    # ---- events

    def configured(self) -> None:
        """Let the session come up after a while, if both routers have committed a configuration."""
        if self.up is None and all(len(router.history) > 1 for router in self.routers.values()):
            self.clock.at(self.comes_up_after, self.bring_up)

    def bring_up(self) -> None:
        if self.up is None:
            self.up = self.clock.now()
            for router in ROUTERS:
                self.send(router)

    def bring_down(self, *, after: timedelta) -> None:
        def down() -> None:
            if self.up is not None:
                self.up, self.flaps = None, self.flaps + 1

        self.clock.at(after, down)

    def send(self, router: RouterName) -> None:
        """Have a router send data, which its peer acknowledges."""
        key = self.routers[router].sends()
        if self.up is None or key is None:
            return
        now = self.clock.now().ns
        self.wire.sides[router] = Side(router, key.id, key.send_id or 0, 0, now)
        if self.acknowledges:
            self.wire.proofs[router, key.id] = now

    def count_drop(self, router: str) -> None:
        """Count a forged frame as dropped, after the configured time."""

        def drop() -> None:
            self.dropped[router] += 1

        if self.drops_after is not None:
            self.clock.at(self.drops_after, drop)
            self.clock.advance(timedelta())

    def _every(self, period: timedelta, happen: Callable[[], object]) -> None:
        def again() -> None:
            happen()
            self.clock.at(period, again)

        self.clock.at(period, again)

    def _read_drops(self, routers: Sequence[str] = ROUTERS) -> Mapping[str, Drops]:
        self.clock.advance(EXCHANGE)
        return {router: Drops({"no-option": self.dropped[router]}, by_reason=True) for router in routers}

    def _check(self) -> None:
        if self.dead is not None:
            raise self.dead


HEAD = """\
keyroll: 1
id: two-keys
title: Two keys
sessions: [bgp]
keychain: {name: chain, keys: [{id: 0, start: 0m}, {id: 1, start: 30m}]}
steps:
"""
ROLLOVER = """\
  - apply: {routers: [R1, R2]}
  - expect: {bgp: Established, active: 0, next: 1}
  - advance: {to: 30m}
  - expect: {active: 1, next: null, wire: {R1: 1, R2: 1}}
"""


@pytest.fixture
def world(tmp_path: Path) -> Iterator[Callable[..., World]]:
    """Return a function that makes a `World` for a scenario with the given steps."""
    made: list[World] = []

    def make(steps: str = ROLLOVER, *, head: str = HEAD, tail: str = "", **options: Any) -> World:
        folder = tmp_path / str(len(made))
        folder.mkdir()
        made.append(World(head + steps + tail, folder, **options))
        return made[-1]

    yield make
    for one in made:
        one.close()
