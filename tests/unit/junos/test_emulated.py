"""Sessions with the emulated router's command line over real SSH, with a machine half in memory."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from typing import Any, cast

import pytest
from tests.unit.known import known

from keyroll.emulator.contract.model import (
    AuthDrops,
    Backend,
    BackendError,
    BgpState,
    Intent,
    LdpAdjacency,
    LdpSession,
    RouteState,
)
from keyroll.emulator.junos.login.router import JunosRouter
from keyroll.junos.base_configuration import Plan, base_configuration
from keyroll.junos.errors import CommandError, CommitError, ConfigurationError
from keyroll.junos.exchange import Exchange, Target
from keyroll.junos.readback import differences, read_keychains
from keyroll.junos.records import (
    BgpNeighbors,
    BgpSummary,
    KeyState,
    LdpConnection,
    LdpNeighbors,
    LdpSessions,
    LdpState,
    RouteSummary,
    SecurityKeychain,
    TcpStatistics,
    Version,
)
from keyroll.junos.records import BgpState as SeenState
from keyroll.junos.session import RouterSession
from keyroll.keychain.generate import generate
from keyroll.keychain.junostext import set_lines
from keyroll.keychain.secret import Secret
from keyroll.names import SessionKind

T0 = datetime(2030, 1, 1, tzinfo=UTC)
PASSWORD = Secret("made-up-for-tests")
PEER = IPv4Address("10.0.0.2")
R1 = Plan("R1", 65001, IPv4Interface("192.0.2.1/32"), "ge-0/0/0", IPv4Interface("10.0.0.1/30"))
R2 = Plan("R2", 65002, IPv4Interface("192.0.2.2/32"), "ge-0/0/0", IPv4Interface("10.0.0.2/30"))
CHAIN = generate(7, name="new_auth_key", first=T0, interval=timedelta(minutes=30))
CONFIGURATION = [*base_configuration(R1, R2, sessions={SessionKind.BGP}, chain=CHAIN.name), *set_lines(CHAIN)]


class MemoryMachine:
    """Reports every configured neighbour as up; its clock moves only when it is set."""

    def __init__(self) -> None:
        self.clock = T0
        self.refuse: str | None = None
        self.cleared: list[Any] = []
        self.intent: Intent | None = None
        self.reboots = 0

    def now(self) -> datetime:
        return self.clock

    async def set_clock(self, moment: datetime) -> None:
        self.clock = moment

    async def apply(self, intent: Intent) -> None:
        if self.refuse:
            raise BackendError(self.refuse)
        self.intent = intent

    async def bgp(self) -> list[BgpState]:
        neighbors = self.intent.neighbors if self.intent else ()
        return [
            BgpState(each.address, each.peer_as, "Established", 93784, 2, 5, 6, 0, {"inet.0": (1, 1, 1)})
            for each in neighbors
        ]

    async def routes(self) -> list[RouteState]:
        return [RouteState(IPv4Network("192.0.2.2/32"), "BGP", PEER, "ge-0/0/0.0", 170, 5)]

    async def ldp_sessions(self) -> list[LdpSession]:
        return [
            LdpSession(
                PEER, R2.loopback.ip, R1.loopback.ip, "Operational", known(R1.ipv4).ip, 87, 3, 9, 8, next_hops=(PEER,)
            )
        ]

    async def ldp_adjacencies(self) -> list[LdpAdjacency]:
        return [LdpAdjacency(PEER, R2.loopback.ip, "ge-0/0/0.0", 12)]

    async def clear_ldp(self, peer: object) -> None:
        self.cleared.append((peer, "ldp"))

    async def auth_drops(self) -> AuthDrops:
        return AuthDrops(received=3, sent=1, icmp_ignored=0)

    async def interfaces(self) -> list[Any]:
        return []

    async def connections(self) -> list[Any]:
        return []

    def ping(self, address: object, *, count: object, source: object) -> None:
        raise NotImplementedError

    async def restart_routing(self) -> None:
        raise NotImplementedError

    async def reboot(self) -> None:
        self.reboots += 1

    async def clear_bgp(self, address: IPv4Address, *, soft: bool) -> None:
        self.cleared.append((address, soft))


@pytest.fixture
def machine() -> MemoryMachine:
    return MemoryMachine()


@pytest.fixture
def port(machine: MemoryMachine) -> Iterator[int]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    sock = socket.create_server(("127.0.0.1", 0))

    async def start() -> JunosRouter:
        router = JunosRouter(cast("Backend", machine), host_name="unnamed")
        await router.listen(sock, {"admin": PASSWORD, "root": PASSWORD})
        return router

    router = asyncio.run_coroutine_threadsafe(start(), loop).result(10)
    yield sock.getsockname()[1]
    asyncio.run_coroutine_threadsafe(router.close(), loop).result(10)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(10)
    loop.close()


@pytest.fixture
def session(port: int) -> Iterator[RouterSession]:
    records: list[Exchange] = []
    with RouterSession(Target("R1", "127.0.0.1", port, "admin", PASSWORD), recorder=records.append) as session:
        yield session
    secrets = [known(key.secret).reveal_text() for key in CHAIN.keys]
    for record in records:
        for secret in (*secrets, "$9$"):
            assert secret not in f"{record.command}{record.raw}{record.error}"


def test_the_whole_configuration_is_accepted_and_read_back(session: RouterSession, machine: MemoryMachine) -> None:
    session.configure(CONFIGURATION)
    diff = session.compare()
    assert "neighbor 10.0.0.2" in diff
    assert "$9$" not in diff
    session.commit_check()
    checked = machine.intent
    assert checked is None
    session.commit("first")
    assert differences([CHAIN], read_keychains(session)) == []
    assert machine.intent is not None
    assert machine.intent.chains == (CHAIN,)
    assert session.compare() == ""


def test_the_outputs_of_keychains_bgp_and_version_are_parsed(session: RouterSession) -> None:
    session.configure(CONFIGURATION)
    session.commit()
    session.set_clock(T0 + timedelta(minutes=10))
    brief = session.read("show security keychain", SecurityKeychain).chain(CHAIN.name)
    assert (brief.active_send, brief.next_send, brief.transition) == (0, 1, timedelta(minutes=20))
    detail = session.read("show security keychain detail", SecurityKeychain).chain(CHAIN.name)
    assert [key.state for key in detail.keys] == [KeyState.SEND_RECEIVE, KeyState.INACTIVE]
    peer = session.read("show bgp summary", BgpSummary).peer(PEER)
    assert (peer.state, peer.flaps, peer.since) == (SeenState.ESTABLISHED, 2, timedelta(seconds=93784))
    assert session.read("show version", Version).hostname == "R1"


def test_the_outputs_of_ldp_routes_neighbours_and_counters_are_parsed(session: RouterSession) -> None:
    both = base_configuration(R1, R2, sessions={SessionKind.BGP, SessionKind.LDP}, chain=CHAIN.name)
    session.configure([*both, *set_lines(CHAIN)])
    session.commit()
    for command in ("show ldp session", "show ldp session detail", f"show ldp session {PEER}"):
        found = session.read(command, LdpSessions).session(PEER)
        assert (found.state, found.connection, found.hold_time) == (LdpState.OPERATIONAL, LdpConnection.OPEN, 8)
    detail = session.read("show ldp session detail", LdpSessions).session(PEER)
    assert (detail.up_for, detail.local_address, detail.keepalive) == (timedelta(seconds=87), known(R1.ipv4).ip, 3)
    assert detail.authentication == f"keychain ({CHAIN.name})"
    (adjacency,) = session.read("show ldp neighbor", LdpNeighbors).neighbors
    assert (adjacency.address, adjacency.interface, adjacency.hold_time) == (PEER, "ge-0/0/0.0", 12)
    (neighbor,) = session.read("show bgp neighbor", BgpNeighbors).neighbors
    assert (neighbor.state, neighbor.key_chain, neighbor.authentication_algorithm) == (
        SeenState.ESTABLISHED, CHAIN.name, "ao"
    )  # fmt: skip
    assert (neighbor.hold_time, neighbor.flaps, neighbor.asn) == (9, 2, 65002)
    assert session.read("show route summary", RouteSummary).active("inet.0", "BGP") == 1
    drops = session.read("show system statistics tcp", TcpStatistics)
    assert (drops.send_dropped, drops.receive_dropped) == (1, 3)


def test_without_protocols_the_records_show_them_as_not_running(session: RouterSession) -> None:
    for command in (
        "show bgp summary",
        "show bgp neighbor",
        "show ldp session",
        "show ldp session detail",
        "show ldp neighbor",
    ):
        parsed: Any = session.show(command).parsed
        assert parsed.running is False


def test_the_clock_is_set_forwards_and_backwards(session: RouterSession) -> None:
    for minutes in (31, 5):
        assert session.set_clock(T0 + timedelta(minutes=minutes)) == T0 + timedelta(minutes=minutes)


def test_a_chain_that_does_not_exist_is_refused_at_commit_and_rolled_back(
    session: RouterSession, machine: MemoryMachine
) -> None:
    session.configure(CONFIGURATION[: -len(set_lines(CHAIN))])
    with pytest.raises(CommitError, match="Referenced key-chain must be defined"):
        session.commit()
    assert machine.intent is None
    assert session.compare() == ""


def test_a_commit_that_the_machine_half_refuses_is_rolled_back(session: RouterSession, machine: MemoryMachine) -> None:
    machine.refuse = "no such interface"
    session.configure(CONFIGURATION)
    with pytest.raises(CommitError, match="no such interface"):
        session.commit()
    assert session.compare() == ""


@pytest.mark.parametrize(
    "line",
    [
        "set protocols bgp group keyroll nonsense 1",
        "set security authentication-key-chains key-chain c key 99 secret abc",
        "nonsense",
    ],
)
def test_an_invalid_line_is_named_and_the_other_lines_are_rolled_back(session: RouterSession, line: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        session.configure(["set system host-name R7", line, "set system nonsense"])
    assert caught.value.line == line.replace("abc", "<secret>")
    assert session.compare() == ""


def test_deleting_a_missing_statement_is_a_warning(session: RouterSession) -> None:
    assert "warning" in session.configure(["delete protocols bgp group keyroll"]).raw


def test_an_unknown_command_is_named(session: RouterSession) -> None:
    with pytest.raises(CommandError, match=r"syntax error|unknown command"):
        session.show("show nonsense")


def test_clear_bgp_is_passed_to_the_machine_half_soft_or_hard(session: RouterSession, machine: MemoryMachine) -> None:
    session.configure(CONFIGURATION)
    session.commit()
    session.clear_bgp(PEER, soft=True)
    session.clear_bgp(PEER)
    assert machine.cleared == [(PEER, True), (PEER, False)]


def test_a_root_login_starts_the_cli_from_the_shell(port: int) -> None:
    with RouterSession(Target("R1", "127.0.0.1", port, "root", PASSWORD)) as session:
        assert session.clock() == T0
