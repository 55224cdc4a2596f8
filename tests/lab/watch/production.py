"""A pair of routers in the role of production: reached only by SSH, and changed once after the first look."""

from __future__ import annotations

import contextlib
import select
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.lab.conftest import Pair, plan

from keyroll.junos.access import Access
from keyroll.junos.base_configuration import Family, base_configuration
from keyroll.junos.exchange import Target
from keyroll.keychain.generate import generate
from keyroll.keychain.junostext import set_lines
from keyroll.keychain.model import Key, Keychain
from keyroll.keychain.secret import Secret
from keyroll.names import Algorithm, SessionKind
from keyroll.watch.engine import Outcome, watch
from keyroll.watch.inventory import Inventory
from keyroll.watch.state import Options, State

AHEAD = timedelta(minutes=10)
"""From the commit to the second key's start-time: the clocks are set forward, so that no test waits for it."""
BEFORE = timedelta(seconds=2)
"""From the clocks' new time to the start-time: longer than it takes to set the second clock on an idle machine."""
TOLERANCE = 20
"""Seconds, so few that a skew or a late key of the cases exceeds them soon."""
NEAR = timedelta(seconds=12)
"""The clocks are first set to this long before the start-time. A router then accepts the key that the other may already
send, also with a skew of 4 s, so that a busy machine has time to set the second clock to `BEFORE`."""
Do = Callable[["Production"], object]


def nothing(_: Production) -> None:
    """Change nothing."""


@dataclass(frozen=True)
class Case:
    """What the pair is configured with, and the change that is made after the first look."""

    kinds: tuple[SessionKind, ...] = (SessionKind.BGP,)
    family: Family = Family.INET
    algorithm: Algorithm = Algorithm.HMAC_SHA_1_96
    late: timedelta = timedelta()
    """By how much R2's second key starts later."""
    skew: timedelta = timedelta()
    """By how much R2's clock is set further than R1's."""
    other_secret: bool = False
    lacking: bool = False
    """Whether R2 has no second key."""
    extra: Sequence[str] = ()
    roll: bool = True
    """Whether the clocks are set to the start-time after the first look."""
    then: Do = nothing
    """Called after that: causes the case's fault."""


class Production:
    def __init__(self, pair: Pair, case: Case, folder: Path) -> None:
        self.pair = pair
        self.case = case
        self.folder = folder
        self.start = datetime.now(UTC).replace(microsecond=0) + AHEAD
        self.targets = [
            Target(name, router.host, router.port, router.user, Secret(router.password), access=self._access(router))
            for name, router in pair.lab.routers.items()
        ]

    def _access(self, router: Any) -> Access:
        known = self.folder / "known_hosts"
        return Access(Secret(router.password), known_hosts=(known,), new_hosts=known)

    def chains(self) -> tuple[Keychain, Keychain]:
        case = self.case
        drawn = generate(
            str(self.folder), name="production", count=2, first=datetime(2020, 1, 1, tzinfo=UTC),
            interval=timedelta(days=1), algorithms=(case.algorithm,),
        )  # fmt: skip
        one = replace(drawn, tolerance=TOLERANCE, keys=(drawn.keys[0], replace(drawn.keys[1], start=self.start)))
        other = one.mirrored()
        second: Key = replace(other.keys[1], start=self.start + case.late)
        if case.other_secret:
            second = replace(second, secret=Secret("not-what-R1-has"))
        return one, replace(other, keys=(other.keys[0],) if case.lacking else (other.keys[0], second))

    def configure(self) -> None:
        r1, r2 = self.pair.lab.routers.values()
        case = self.case
        for me, peer, own in zip((r1, r2), (r2, r1), self.chains(), strict=True):
            lines = base_configuration(
                plan(me), plan(peer), sessions=case.kinds, chain=own.name, hold_time=9, family=case.family
            )
            self.pair.commit(me.name, [*set_lines(own), *lines, *case.extra])
        if SessionKind.BGP in case.kinds:
            self.pair.until("BGP carries routes", self.pair.shows("show bgp summary", "Establ", ": 1/1/1/0"), 30)
        if SessionKind.LDP in case.kinds:
            self.pair.until("LDP is up", self.pair.shows("show ldp session", "Operational"), 30)

    def set_clocks(self) -> None:
        """Set both clocks to shortly before the start-time, as if hours had passed.

        They are not set to the start-time itself: one is set after the other, and the keys would differ in between.
        """
        for before in (NEAR, BEFORE):
            for name, session in self.pair.sessions.items():
                session.set_clock(self.start - before + (self.case.skew if name == "R2" else timedelta()))

    def watched(self, *, every: float = 1.0, until: timedelta | None = None, **more: Any) -> Outcome:
        """Watch the pair; after the first look set the clocks, and cause the case's fault."""
        looks = iter(range(1_000))

        def on_look(_: State) -> None:
            if next(looks) == 0:
                if self.case.roll:
                    self.set_clocks()
                self.case.then(self)

        routers = {one.name: {"host": one.host, "port": one.port, "user": one.user} for one in self.targets}
        more.setdefault("targets", self.targets)
        end = None if until is None else datetime.now(UTC) + until
        return watch(
            Options(
                Inventory.model_validate({"inventory": 1, "routers": routers}),
                Path("routers.yml"),
                every=timedelta(seconds=every),
                until=end,
                run_dir=self.folder / "run",
                on_look=on_look,
                **more,
            )
        )


class Tunnel:
    """A TCP connection to a router's SSH port that a test can cut."""

    def __init__(self, host: str, port: int) -> None:
        self._to = (host, port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._cut = threading.Event()
        self._thread = threading.Thread(target=self._carry, name="tunnel")
        self._thread.start()

    def cut(self) -> None:
        self._cut.set()
        self._thread.join()

    def _carry(self) -> None:
        with contextlib.ExitStack() as stack:
            stack.enter_context(self._listener)
            self._listener.settimeout(60)
            with contextlib.suppress(TimeoutError):
                near, _ = self._listener.accept()
                stack.enter_context(near)
                far = stack.enter_context(socket.create_connection(self._to))
                while not self._cut.is_set():
                    for one in select.select([near, far], [], [], 0.1)[0]:
                        octets = one.recv(65536)
                        if not octets:
                            return
                        (far if one is near else near).sendall(octets)


@contextlib.contextmanager
def tunnel(production: Production, name: str) -> Iterator[Tunnel]:
    """Connect to a router through a tunnel within the block."""
    number = next(n for n, one in enumerate(production.targets) if one.name == name)
    made = Tunnel(production.targets[number].host, production.targets[number].port)
    production.targets[number] = replace(production.targets[number], port=made.port)
    try:
        yield made
    finally:
        made.cut()
