"""The supervisor's side of the wire path: one process, which is replaced if it dies.

Only the wire process knows the connections' initial sequence numbers and sequence number extensions. It reports them
over its control socket before it sends the first segment that needs them. A replacement process gets the clock, the
table and these connections before it carries a frame, so that connections continue. Until then no frame passes in
either direction, because the kernel does not bridge the two sides. The caller has to reset connections that were not
reported (`records` names those that continue). A process that dies soon after it replaced another one is not replaced:
the cause remains.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TypeVar

from keyroll.emulator.contract.errors import ProcessError
from keyroll.emulator.contract.model import BGP_PORT, Address, BackendError
from keyroll.emulator.contract.namespace import PortPair
from keyroll.emulator.contract.processes import END_SECONDS, Child, Death, Logs, start, start_fork
from keyroll.emulator.wire.client import WireClient
from keyroll.emulator.wire.model import (
    ConnectionRecord,
    Direction,
    ProtectedSession,
    VlanUnit,
    WireError,
    WireEvent,
    WireGoneError,
    WireStatus,
)
from keyroll.emulator.wire.run.program import carry
from keyroll.forking import alone
from keyroll.names import DropReason

log = logging.getLogger(__name__)
NAME = "wire"
_PROGRAM = "keyroll.emulator.wire"
AGAIN_SECONDS = 10.0
"""A process that dies within this time after it replaced another one is not replaced: the cause remains."""
REPLACED_SECONDS = 15.0
"""Time that an order to a process that has ended waits for the replacement, which has READY_DEADLINE to open its
sockets (see `client`) and some seconds for the rest."""
Found = TypeVar("Found")


@dataclass(frozen=True, slots=True)
class Replacement:
    """A wire process died and was replaced; `connections` continue, after `seconds` without a wire path."""

    death: Death
    connections: int
    seconds: float


@dataclass(frozen=True, slots=True)
class WireRestart:
    """A wire process died and was replaced. `reset` are the sessions (port, peer) whose state was lost with it."""

    at: datetime
    """On the router's own clock."""
    death: Death
    connections: int
    """How many protected connections continue."""
    seconds: float
    """How long no frame was carried, in seconds."""
    reset: tuple[tuple[int, Address], ...]

    def __str__(self) -> str:
        kept = "1 connection continues" if self.connections == 1 else f"{self.connections} connections continue"
        names = ", ".join(f"{'BGP' if port == BGP_PORT else 'LDP'} {peer}" for port, peer in self.reset)
        lost = f"; reset because their state was lost: {names}" if names else ""
        return f"{self.death}; replaced after {self.seconds:.3f} s without a wire path; {kept}{lost}"


class WirePath:
    """See the module. Use it in one event loop; call `start` first and `stop` last.

    `on_death` is called for a death that ends the wire path, `on_replaced` after a replacement. An order during which
    the process dies is given to the replacement.

    Raises:
        BackendError: by all orders, if the wire path has ended, refuses, or does not answer in time.
    """

    def __init__(
        self,
        ports: Sequence[PortPair],
        logs: Logs,
        *,
        on_event: Callable[[WireEvent], None],
        on_death: Callable[[Death], None],
        on_replaced: Callable[[Replacement], Awaitable[None]],
        wait_scale: float,
    ) -> None:
        self._ports = tuple(ports)
        self._logs = logs
        self._on_event = on_event
        self._on_death = on_death
        self._on_replaced = on_replaced
        self._scale = wait_scale
        self._child: Child | None = None
        self._client: WireClient | None = None
        self._sessions: tuple[ProtectedSession, ...] = ()
        self._units: tuple[VlanUnit, ...] = ()
        self._clock = timedelta(0)
        self._drops: dict[tuple[Direction, DropReason], int] = {}
        self._replaced_at: float | None = None
        self._replacing: asyncio.Task[None] | None = None
        self._changed = asyncio.Event()
        self._over = False
        self.replacements: list[Replacement] = []

    @property
    def pid(self) -> int | None:
        """The process id, as this process counts; None while there is none."""
        return self._child.pid if self._child is not None and self._child.alive else None

    async def start(self) -> None:
        """Start the first process.

        Raises:
            BackendError: it does not come up.
        """
        async with _as_backend_errors():
            await self._spawn(())

    async def stop(self) -> None:
        """End the process. Can be called twice, and before `start`."""
        self._over = True
        self._changed.set()
        if self._replacing is not None:
            self._replacing.cancel()
            await asyncio.gather(self._replacing, return_exceptions=True)
        if self._child is not None:
            self._child.expect_end()
        if self._client is not None:
            await self._client.close()
        if self._child is not None:
            await self._child.stop()

    async def set_sessions(self, sessions: Sequence[ProtectedSession]) -> None:
        """Replace the table of protected sessions."""
        former, self._sessions = self._sessions, tuple(sessions)
        try:
            await self._order(lambda client: client.set_sessions(sessions))
        except BackendError:
            self._sessions = former
            raise

    async def set_units(self, units: Sequence[VlanUnit]) -> None:
        """Replace the table of logical interfaces with a VLAN.

        Create new interfaces before, and delete old ones after.
        """
        former, self._units = self._units, tuple(units)
        try:
            await self._order(lambda client: client.set_units(units))
        except BackendError:
            self._units = former
            raise

    async def set_clock(self, clock: timedelta) -> None:
        """Set the router's clock to the host's clock plus `clock`."""
        former, self._clock = self._clock, clock
        try:
            await self._order(lambda client: client.set_clock(clock))
        except BackendError:
            self._clock = former
            raise

    async def status(self) -> WireStatus:
        """Return the state of sessions, connections and counters. Drops count from the first process on."""
        status = await self._order(lambda client: client.status())
        drops = dict(status.drops)
        for what, count in self._drops.items():
            drops[what] = drops.get(what, 0) + count
        return replace(status, drops=drops)

    async def records(self) -> tuple[ConnectionRecord, ...]:
        """Return the connections that the process knows."""
        return await self._order(lambda client: client.fetch_records())

    # -- one process after the other ----------------------------------------------------------------------------------

    async def _order(self, give: Callable[[WireClient], Awaitable[Found]]) -> Found:
        async with _as_backend_errors():
            while True:
                client = self._client
                if client is None:
                    raise WireGoneError("the wire path is not running")
                try:
                    return await give(client)
                except WireGoneError as gone:
                    await self._successor_of(client, gone)

    async def _successor_of(self, client: WireClient, gone: WireGoneError) -> None:
        """Wait until another process has replaced `client`'s. Raises WireGoneError if none does."""
        try:
            async with asyncio.timeout(REPLACED_SECONDS * self._scale):
                while self._client is client and not self._over:
                    await self._changed.wait()
        except TimeoutError:
            raise gone from None
        if self._over:
            raise gone

    def _notify(self) -> None:
        """Wake the orders that wait for a replacement."""
        self._changed.set()
        self._changed = asyncio.Event()

    async def _spawn(self, records: Sequence[ConnectionRecord]) -> int:
        """Start a process and give it clock, tables and `records`; return how many connections continue."""
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                child = self._process(theirs.fileno())
        except ProcessError:
            ours.close()
            raise
        child.watch(lambda death: self._died(child, death))
        client = WireClient(ours, on_event=self._on_event, wait_scale=self._scale)
        try:
            taken = await client.connect(self._sessions, records, clock=self._clock, units=self._units)
        except (WireError, asyncio.CancelledError) as error:
            # A process that ended is reported by its death, which will be noticed soon; any other is ended here.
            if not (isinstance(error, WireGoneError) and await child.ends(END_SECONDS)):
                await child.stop()
            await client.close()
            raise
        self._child, self._client = child, client
        return taken

    def _process(self, control: int) -> Child:
        """Start a process: a fork of this one if it has a single thread, else a new program."""
        pairs = [(port.host, port.wire) for port in self._ports]
        words = [f"{host}:{wire}" for host, wire in pairs]
        if alone():
            title = f"{_PROGRAM} {' '.join(words)}"
            return start_fork(NAME, lambda: carry(control, pairs), self._logs, title=title, keep=(control,))
        options = [option for pair in words for option in ("--pair", pair)]
        command = [sys.executable, "-P", "-m", _PROGRAM, "--control-fd", str(control), *options]
        return start(NAME, command, self._logs, pass_fds=(control,))

    def _died(self, child: Child, death: Death) -> None:
        if self._over:
            return
        if child is not self._child:  # it was still starting: `_spawn` raises the error
            self._give_up(death)
            return
        since = None if self._replaced_at is None else asyncio.get_running_loop().time() - self._replaced_at
        if since is not None and since < AGAIN_SECONDS * self._scale:
            self._give_up(death)
        else:
            self._replacing = asyncio.create_task(self._replace(death), name="wire path's successor")

    def _give_up(self, death: Death) -> None:
        self._over = True
        self._notify()
        self._on_death(death)

    async def _replace(self, death: Death) -> None:
        begun = asyncio.get_running_loop().time()
        log.warning("%s; it is being replaced; see %s", death, death.log)
        former = self._client
        assert former is not None  # noqa: S101 - set for every process that has started
        try:
            await former.drained()
            await former.close()
            for what, count in former.drops.items():
                self._drops[what] = self._drops.get(what, 0) + count
            taken = await self._spawn(former.records)
        except (WireError, ProcessError) as error:
            log.error("the wire path's replacement did not start: %s", error)  # noqa: TRY400 - the sentence is what helps
            if not self._over:
                self._give_up(death)
            return
        self._replaced_at = asyncio.get_running_loop().time()
        done = Replacement(death, taken, self._replaced_at - begun)
        self.replacements.append(done)
        self._notify()
        await self._on_replaced(done)


@contextlib.asynccontextmanager
async def _as_backend_errors() -> AsyncIterator[None]:
    """Raise the wire path's errors as `BackendError`, which the Junos half handles."""
    try:
        yield
    except WireError as error:
        raise BackendError(error.message, remedy=error.remedy) from error
