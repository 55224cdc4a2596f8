"""An in-memory machine half, and a router that answers SSH on loopback in its own event loop."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest

from keyroll.emulator.contract.model import (
    AuthDrops,
    BackendError,
    BgpState,
    Echo,
    Intent,
    InterfaceState,
    LdpAdjacency,
    LdpBinding,
    LdpSession,
    RouterEvent,
    RouteState,
    TcpConnection,
)
from keyroll.emulator.junos.login.router import JunosRouter
from keyroll.emulator.junos.shell.cli import command_line
from keyroll.keychain.secret import Secret

T0 = datetime(2030, 1, 1, tzinfo=UTC)
PASSWORD = "made-up-for-tests"


@dataclass
class MemoryBackend:
    """Records the calls and returns what a test has stored. Its clock does not move until it is set."""

    clock: datetime = T0
    intents: list[Intent] = field(default_factory=list)
    states: list[BgpState] = field(default_factory=list)
    cleared: list[tuple[object, bool]] = field(default_factory=list)
    refuse: str | None = None
    unreadable: str | None = None
    slow: threading.Event | None = None
    """An event that each apply waits for, if there is one."""
    begun: threading.Event = field(default_factory=threading.Event)

    def now(self) -> datetime:
        return self.clock

    async def set_clock(self, moment: datetime) -> None:
        self.clock = moment.astimezone(UTC)

    async def apply(self, intent: Intent) -> None:
        if self.refuse:
            raise BackendError(self.refuse)
        self.begun.set()
        if self.slow is not None:
            await asyncio.to_thread(self.slow.wait)
        self.intents.append(intent)

    async def bgp(self) -> list[BgpState]:
        if self.unreadable:
            raise BackendError(self.unreadable)
        return self.states

    async def routes(self) -> list[RouteState]:
        return []

    async def clear_bgp(self, address: object, *, soft: bool) -> None:
        self.cleared.append((address, soft))


@dataclass
class FullBackend(MemoryBackend):
    """A machine half with all optional interfaces of the contract."""

    cannot: str | None = None
    """What a check reports as impossible, if anything."""
    table: list[RouteState] = field(default_factory=list)
    sessions: list[LdpSession] = field(default_factory=list)
    adjacencies: list[LdpAdjacency] = field(default_factory=list)
    bindings: list[LdpBinding] = field(default_factory=list)
    cleared_ldp: list[object] = field(default_factory=list)
    ports: list[InterfaceState] = field(default_factory=list)
    sockets: list[TcpConnection] = field(default_factory=list)
    drops: AuthDrops = field(default_factory=lambda: AuthDrops(0, 0, 0))
    restarts: list[str] = field(default_factory=list)
    pings: list[tuple[object, int, object, float]] = field(default_factory=list)
    unanswered: frozenset[int] = frozenset()
    on_event: Callable[[RouterEvent], None] | None = None

    def check(self, intent: Intent) -> None:
        if self.cannot is not None:
            raise BackendError(f"{self.cannot} of {intent.host_name}")

    async def routes(self) -> list[RouteState]:
        return self.table

    async def ldp_sessions(self) -> list[LdpSession]:
        return self.sessions

    async def ldp_adjacencies(self) -> list[LdpAdjacency]:
        return self.adjacencies

    async def ldp_bindings(self) -> list[LdpBinding]:
        return self.bindings

    async def clear_ldp(self, peer: object) -> None:
        self.cleared_ldp.append(peer)

    async def interfaces(self) -> list[InterfaceState]:
        return self.ports

    async def connections(self) -> list[TcpConnection]:
        return self.sockets

    async def auth_drops(self) -> AuthDrops:
        return self.drops

    async def ping(self, address: object, *, count: int, source: object, interval: float) -> AsyncIterator[Echo]:
        self.pings.append((address, count, source, interval))
        for number in range(min(count, 5)):
            yield Echo(number) if number in self.unanswered else Echo(number, 64, 64, 0.1 + number / 10)
        if count > 5:
            await asyncio.Event().wait()  # like a ping without a count, which only Ctrl-C ends

    async def restart_routing(self) -> None:
        self.restarts.append("routing")

    async def reboot(self) -> None:
        self.restarts.append("reboot")

    def subscribe(self, on_event: Callable[[RouterEvent], None]) -> None:
        self.on_event = on_event


class Console:
    """A command line without SSH: takes lines and returns what they print."""

    def __init__(self, backend: MemoryBackend, *, user: str = "admin", **options: Any) -> None:
        self.runner = asyncio.Runner()
        self.log: list[str] = []
        self.answers: list[str] = []
        self.hidden: list[bool] = []
        self.block = ""
        self.router = self.runner.run(self._make(backend, options))
        self.cli = command_line(self.router._state, user, self)

    async def _make(self, backend: MemoryBackend, options: dict[str, Any]) -> JunosRouter:
        router = JunosRouter(backend, host_name="R1", log=self.log.append, **options)
        await router._boot()
        return router

    def another(self, user: str) -> Console:
        """Return one more command line of the same router."""
        made: Console = object.__new__(Console)
        made.__dict__ = {**self.__dict__, "answers": [], "hidden": [], "block": "", "written": []}
        made.cli = command_line(self.router._state, user, made)
        return made

    interactive = True

    async def ask(self, question: str, *, hidden: bool = False) -> str | None:
        self.written.append(question)
        self.hidden.append(hidden)
        return self.answers.pop(0)

    async def read_block(self) -> str:
        return self.block

    async def write_now(self, lines: Sequence[str]) -> None:
        self.written += lines

    def interrupt_with(self, lines: Sequence[str]) -> None:
        self.written += lines

    def type(self, *lines: str) -> str:
        """Type lines and return what the last one prints."""
        self.written: list[str] = []
        for line in lines:
            self.written = []
            answer = self.runner.run(self.cli.execute(line))
            self.written += answer.lines
        return "\n".join(self.written)

    def settle(self) -> None:
        """Run the event loop until all other tasks have ended."""

        async def idle() -> None:
            others = asyncio.all_tasks() - {asyncio.current_task()}
            await asyncio.gather(*others)

        self.runner.run(idle())

    def hang_up(self) -> None:
        """End this command line as if its client had disconnected."""

        async def end() -> None:
            self.cli.close()

        self.runner.run(end())
        self.settle()

    def close(self) -> None:
        self.runner.run(self.router.close())
        self.runner.close()


@pytest.fixture
def full() -> FullBackend:
    return FullBackend()


@pytest.fixture
def open_console() -> Iterator[Callable[..., Console]]:
    opened: list[Console] = []

    def open_one(backend: MemoryBackend, **options: Any) -> Console:
        console = Console(backend, **options)
        opened.append(console)
        return console

    yield open_one
    for console in opened:
        console.close()


@pytest.fixture
def console(full: FullBackend, open_console: Callable[..., Console]) -> Console:
    return open_console(full)


@dataclass
class LiveRouter:
    """A router that listens on 127.0.0.1, in an event loop in a thread of its own."""

    port: int
    backend: FullBackend
    router: JunosRouter
    loop: asyncio.AbstractEventLoop
    log: list[str]
    loop_errors: list[dict[str, object]]
    keys: dict[str, list[str]]


@pytest.fixture
def backend() -> MemoryBackend:
    return MemoryBackend()


@pytest.fixture
def live(full: FullBackend) -> Iterator[LiveRouter]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    sock = socket.create_server(("127.0.0.1", 0))
    log: list[str] = []
    loop_errors: list[dict[str, object]] = []
    keys: dict[str, list[str]] = {}
    loop.set_exception_handler(lambda _loop, context: loop_errors.append(context))

    async def start() -> JunosRouter:
        router = JunosRouter(full, host_name="R1", log=log.append)
        accounts = {"admin": Secret(PASSWORD), "root": Secret(PASSWORD)}
        await router.listen(sock, accounts, authorized_keys=keys)
        return router

    router = asyncio.run_coroutine_threadsafe(start(), loop).result(10)
    try:
        yield LiveRouter(sock.getsockname()[1], full, router, loop, log, loop_errors, keys)
        assert not loop_errors
    finally:
        asyncio.run_coroutine_threadsafe(router.close(), loop).result(10)
        asyncio.run_coroutine_threadsafe(loop.shutdown_asyncgens(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()
