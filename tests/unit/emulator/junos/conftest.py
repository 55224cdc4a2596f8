"""An in-memory machine half, and a router that answers SSH on loopback in its own event loop."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from harness.emulator.junos.router import JunosRouter
from harness.emulator.model import BackendError, BgpState, Intent, RouteState
from harness.keychain.secret import Secret

T0 = datetime(2030, 1, 1, tzinfo=UTC)
PASSWORD = "made-up-for-tests"


@dataclass
class MemoryBackend:
    """Remembers what it was asked; answers what a test put there. Its clock stands still until it is set."""

    clock: datetime = T0
    intents: list[Intent] = field(default_factory=list)
    states: list[BgpState] = field(default_factory=list)
    cleared: list[tuple[object, bool]] = field(default_factory=list)
    refuse: str | None = None
    unreadable: str | None = None

    def now(self) -> datetime:
        return self.clock

    async def set_clock(self, moment: datetime) -> None:
        self.clock = moment.astimezone(UTC)

    async def apply(self, intent: Intent) -> None:
        if self.refuse:
            raise BackendError(self.refuse)
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
class LiveRouter:
    """A router that answers on 127.0.0.1."""

    port: int
    backend: MemoryBackend
    router: JunosRouter
    loop: asyncio.AbstractEventLoop
    log: list[str]
    broken: list[dict[str, object]]


@pytest.fixture
def backend() -> MemoryBackend:
    return MemoryBackend()


@pytest.fixture
def live(backend: MemoryBackend) -> Iterator[LiveRouter]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    sock = socket.create_server(("127.0.0.1", 0))
    log: list[str] = []
    broken: list[dict[str, object]] = []
    loop.set_exception_handler(lambda _loop, context: broken.append(context))

    async def start() -> JunosRouter:
        router = JunosRouter(backend, host_name="R1", log=log.append)
        await router.listen(sock, {"admin": Secret(PASSWORD), "root": Secret(PASSWORD)})
        return router

    router = asyncio.run_coroutine_threadsafe(start(), loop).result(10)
    try:
        yield LiveRouter(sock.getsockname()[1], backend, router, loop, log, broken)
        assert not broken
    finally:
        asyncio.run_coroutine_threadsafe(router.close(), loop).result(10)
        asyncio.run_coroutine_threadsafe(loop.shutdown_asyncgens(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


__all__ = ["timedelta"]
