"""What lab tests share: two routers configured over SSH as the client side does it."""

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

from keyroll.junos.base_configuration import Family, Plan, base_configuration
from keyroll.junos.exchange import Target
from keyroll.junos.session import RouterSession
from keyroll.keychain.generate import generate
from keyroll.keychain.junostext import set_lines
from keyroll.keychain.model import Keychain
from keyroll.keychain.secret import Secret
from keyroll.lab.embedded.lab import EmbeddedLab
from keyroll.lab.protocol import Router
from keyroll.lab.topology import read_topology
from keyroll.names import SessionKind
from pytest_keyroll.settings import add_remarks, pool_of

HERE = Path(__file__).parent
BUSY = ("run fewer labs at once", "gave no sample for")
"""What is said of a run, and of a watch, that was too busy to see."""
TOPOLOGY = Path(__file__).parents[2] / "topologies" / "two-router.clab.yml"
NEEDS = frozenset({"capture", "cut-link", "impair", "inject", "reboot", "set-clock"})
START = datetime(2020, 1, 1, tzinfo=UTC)
PAUSE_SECONDS = 0.1
"""Between two looks at a state that a lab has to come to: looking without end would cost the routers their time."""


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

    def until(self, what: str, condition: Callable[[], bool], seconds: float = 10.0) -> None:
        """Poll `condition` until it holds; a part of the lab that dies meanwhile is raised."""
        deadline = time.monotonic() + seconds
        pause = threading.Event()
        while not condition():
            self.lab.check()
            if time.monotonic() > deadline:
                shown = {name: session.show("show bgp summary").raw for name, session in self.sessions.items()}
                raise AssertionError(f"{what}: not within {seconds} s; {shown}")
            pause.wait(PAUSE_SECONDS)

    def shows(self, command: str, *words: str) -> Callable[[], bool]:
        """Return a condition: every router's answer to `command` holds all the words."""
        return lambda: all(
            all(word in session.show(command).raw for word in words) for session in self.sessions.values()
        )


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
    """A lab of this worker's pool: its routers are as new, its counters, captures and logs go on from others' tests."""
    with pool_of(request.config).lease(tmp_path / "evidence", {}, needs=NEEDS) as lease, ExitStack() as stack:
        assert isinstance(lease.lab, EmbeddedLab)
        yield _pair(lease.lab, stack)


@pytest.fixture
def own_pair(tmp_path: Path) -> Iterator[Pair]:
    """A lab of the test's own, for what no other test could live with, or what has to be seen from its beginning."""
    with deployed(tmp_path / "evidence") as found:
        yield found


@pytest.fixture(scope="session")
def deploy() -> Callable[..., AbstractContextManager[Pair]]:
    return deployed


@pytest.fixture(scope="session")
def chain() -> Keychain:
    """Two keys: one in force since 2020, one from 2120 on."""
    return generate("lab", name="lab_chain", count=2, first=START, interval=timedelta(days=36525))


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> bool | None:
    """Play a test once more whose run says that this machine was too busy to see: that is no answer about keyroll.

    A scenario file, and a test with `run_scenario`, get this from the plugin; one that starts `keyroll run` does not.
    """
    if HERE not in item.path.parents:
        return None
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    reports = runtestprotocol(item, nextitem=nextitem, log=False)
    if any(report.failed and word in report.longreprtext for report in reports for word in BUSY):
        add_remarks(item.config, [f"{item.name} was played again: this machine was too busy"])
        item._initrequest()  # type: ignore[attr-defined]
        reports = runtestprotocol(item, nextitem=nextitem, log=False)
    for report in reports:
        item.ihook.pytest_runtest_logreport(report=report)
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    return True
