"""Fixtures of the lab tests: two routers, configured over SSH as `keyroll run` does it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Interface
from pathlib import Path

import pytest
from _pytest.runner import runtestprotocol

from keyroll.instants import SYSTEM
from keyroll.junos.base_configuration import Family, Plan, base_configuration
from keyroll.junos.exchange import Target
from keyroll.junos.records import BgpSummary
from keyroll.junos.session import RouterSession
from keyroll.keychain.generate import generate
from keyroll.keychain.junostext import set_lines
from keyroll.keychain.model import Keychain
from keyroll.keychain.secret import Secret
from keyroll.lab.embedded.lab import EmbeddedLab
from keyroll.lab.protocol import Router
from keyroll.lab.topology import read_topology
from keyroll.names import SessionKind
from keyroll.scenario.observe.host_stalls import StallWatch
from pytest_keyroll.settings import add_remarks, pool_of

HERE = Path(__file__).parent
BUSY = ("run fewer labs at once", "gave no sample for")
"""Texts of a run, and of a watch, that could not observe the routers because the machine was too busy."""
STALL = timedelta(seconds=1)
"""If this process does not run for longer than this, the routers' processes may not have run either. Some of their
timers are only a few times longer: a hold time of 9 s, an echo reply within 3 s."""
TOPOLOGY = Path(__file__).parents[2] / "topologies" / "two-router.clab.yml"
NEEDS = frozenset({"capture", "cut-link", "impair", "inject", "reboot", "set-clock"})
START = datetime(2020, 1, 1, tzinfo=UTC)
SECONDS = 60.0
"""Longest wait for a state of a lab. The slowest takes 10 s (a hold time) on an idle machine; a test does not fail
because a busy one takes longer."""
PAUSE_SECONDS = 0.1
"""Interval between two checks of an awaited state: without it the checks would use the routers' processor time."""
Flaps = dict[tuple[str, str], int]
"""BGP flap counters by router and peer address."""


def plan(router: Router) -> Plan:
    assert isinstance(router.loopback, IPv4Interface)
    port = router.ports[0]
    return Plan(router.name, router.asn, router.loopback, port.interface, port.ipv4, port.ipv6, router.loopback6)


class Pair:
    """A deployed lab with a session to each router."""

    def __init__(self, lab: EmbeddedLab, sessions: dict[str, RouterSession]) -> None:
        self.lab = lab
        self.sessions = sessions

    def configure(
        self,
        kinds: Sequence[SessionKind] = (SessionKind.BGP,),
        family: Family = Family.INET,
        chain: Keychain | None = None,
        extra: Sequence[str] = (),
    ) -> None:
        """Commit the base configuration, with R1's chain (mirrored on R2), on both routers at once."""
        r1, r2 = self.lab.routers.values()
        jobs = []
        with ThreadPoolExecutor(2) as pool:
            for me, peer, own in ((r1, r2, chain), (r2, r1, chain.mirrored() if chain else None)):
                lines = list(set_lines(own)) if own else []
                name = own.name if own else None
                lines += base_configuration(
                    plan(me), plan(peer), sessions=kinds, chain=name, hold_time=9, family=family
                )
                jobs.append(pool.submit(self.commit, me.name, [*lines, *extra]))
        for job in jobs:
            job.result()

    def commit(self, router: str, lines: Sequence[str]) -> None:
        self.sessions[router].configure(lines)
        self.sessions[router].commit()

    def until(self, what: str, condition: Callable[[], bool], seconds: float = SECONDS) -> None:
        """Poll `condition` until it holds.

        Raises:
            AssertionError: it does not hold within `seconds`.
            LabError: a part of the lab has ended meanwhile.
        """
        deadline = time.monotonic() + seconds
        pause = threading.Event()
        while not condition():
            self.lab.check()
            if time.monotonic() > deadline:
                shown = {name: session.show("show bgp summary").raw for name, session in self.sessions.items()}
                raise AssertionError(f"{what}: not within {seconds} s; {shown}")
            pause.wait(PAUSE_SECONDS)

    def shows(self, command: str, *words: str) -> Callable[[], bool]:
        """Return a condition: the output of `command` contains all the words, on both routers."""
        return lambda: all(
            all(word in session.show(command).raw for word in words) for session in self.sessions.values()
        )

    def flaps(self) -> Flaps:
        """Return the BGP flap counters; call it when the sessions are up on both routers, and compare with this.

        A counter that is not 0 by then is no fault. If both routers open a connection at the same time, the collision
        rule (RFC 4271, section 6.8) closes one of the two, and a router that is already Established on it counts a
        flap. The emulated routers avoid this, but not on a busy machine (see `emulator.machine.bgp_opener`).
        """
        return {
            (name, str(peer.address)): peer.flaps
            for name, session in self.sessions.items()
            for peer in session.show("show bgp summary").parsed_as(BgpSummary).peers
        }

    def flapped_since(self, before: Flaps) -> list[tuple[str, str]]:
        """Return the sessions of `before` that have flapped since, or are not configured any more."""
        now = self.flaps()
        return [session for session, count in before.items() if now.get(session) != count]


def _pair(lab: EmbeddedLab, stack: ExitStack) -> Pair:
    sessions = {
        name: stack.enter_context(
            RouterSession(Target(name, router.host, router.port, router.user, Secret(router.password)))
        )
        for name, router in lab.routers.items()
    }
    return Pair(lab, sessions)


@contextmanager
def deployed(evidence: Path, topology: Path = TOPOLOGY, **options: object) -> Iterator[Pair]:
    with ExitStack() as stack:
        lab = stack.enter_context(EmbeddedLab(read_topology(topology), evidence=evidence, **options))  # type: ignore[arg-type]
        yield _pair(lab, stack)


@pytest.fixture
def pair(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Pair]:
    """A lab of this worker's pool: its routers have their first configuration, but keep the counters, captures and logs
    of earlier tests.
    """
    with pool_of(request.config).lease(tmp_path / "evidence", {}, needs=NEEDS) as lease, ExitStack() as stack:
        assert isinstance(lease.lab, EmbeddedLab)
        yield _pair(lease.lab, stack)


@pytest.fixture
def own_pair(tmp_path: Path) -> Iterator[Pair]:
    """A lab that only this test uses: the test breaks it, or examines its captures from the beginning."""
    with deployed(tmp_path / "evidence") as found:
        yield found


@pytest.fixture(scope="session")
def deploy() -> Callable[..., AbstractContextManager[Pair]]:
    return deployed


@pytest.fixture(scope="session")
def chain() -> Keychain:
    """Return a chain of two keys; they start in 2020 and in 2120."""
    return generate("lab", name="lab_chain", count=2, first=START, interval=timedelta(days=36525))


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> bool | None:
    """Repeat a failed test once if this machine was too busy for it: such a failure says nothing about keyroll.

    The plugin does this for scenario files and for tests with `run_scenario`, but not for tests that start
    `keyroll run`, or that use a lab directly.
    """
    if HERE not in item.path.parents:
        return None
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    with StallWatch(SYSTEM, limit=STALL) as watch:
        reports = runtestprotocol(item, nextitem=nextitem, log=False)
        disturbances = watch.look()
    failures = [report.longreprtext for report in reports if report.failed]
    reason = next((one.words() for one in disturbances), "")
    if any(word in text for text in failures for word in BUSY):
        reason = "this machine was too busy"
    if failures and reason:
        add_remarks(item.config, [f"{item.name} was played again: {reason}"])
        item._initrequest()  # type: ignore[attr-defined]
        reports = runtestprotocol(item, nextitem=nextitem, log=False)
    for report in reports:
        item.ihook.pytest_runtest_logreport(report=report)
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    return True
