"""The machine half of a router: FRR and the wire path made to do what an Intent says. Implements `Backend`."""

from __future__ import annotations

import asyncio
import socket
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from harness.emulator.errors import ProcessError
from harness.emulator.frr import daemons, state
from harness.emulator.frr.config import Daemon, Line, Step, steps
from harness.emulator.frr.render import render
from harness.emulator.frr.vty import Vty
from harness.emulator.model import (
    Address,
    BackendError,
    BgpState,
    Intent,
    Interface,
    Protection,
    RouteState,
)
from harness.emulator.namespace import PortPair, make_inner
from harness.emulator.processes import Child, Death, Logs, start
from harness.emulator.protection import cut_off, protected_sessions
from harness.emulator.wire.client import WireClient
from harness.emulator.wire.model import ProtectedSession, WireError, WireEvent, WireStatus

START_SECONDS = 10.0
"""From a daemon's start to its socket."""
_FULL_TABLE_READ_MAX = 20000
"""Up to so many accepted routes the whole table is read to count the active ones; beyond, zebra's totals are."""


@dataclass(slots=True)
class _Applied:
    """What is in force."""

    intent: Intent = field(default_factory=lambda: Intent(""))
    lines: tuple[Line, ...] = ()
    sessions: tuple[ProtectedSession, ...] = ()


class Machine:
    """See the module. Made and used in one event loop, on the main thread; `start` first, `stop` last."""

    def __init__(
        self,
        ports: Sequence[PortPair],
        folder: Path,
        logs: Logs,
        *,
        on_death: Callable[[Death], None],
        wait_scale: float = 1.0,
    ) -> None:
        self._ports = tuple(ports)
        self._folder = folder
        self._logs = logs
        self._on_death = on_death
        self._scale = wait_scale
        self._inner = -1
        self._children: dict[str, Child] = {}
        self._vtys: dict[Daemon, Vty] = {}
        self._wire: WireClient | None = None
        self._applied = _Applied()
        self._configured_at: dict[Address, float] = {}
        self._offset = timedelta(0)
        self._turn = asyncio.Lock()
        self._on_wire_event: Callable[[WireEvent], None] = lambda _event: None

    @property
    def inner_namespace(self) -> int:
        """The descriptor of the inner network namespace."""
        return self._inner

    async def start(self, told: Callable[[str, float], None]) -> None:
        """Make the inner namespace and start the wire path, zebra and bgpd; `told` gets (part, seconds).

        Raises:
            BackendError: a part did not come up.
        """
        begun = time.monotonic()
        daemons.prepare(self._folder)
        self._inner = make_inner(self._ports)
        told("inner namespace", time.monotonic() - begun)
        begun = time.monotonic()
        wire = asyncio.create_task(self._start_wire())
        try:
            await self._start_daemon(Daemon.ZEBRA)
            await self._start_daemon(Daemon.BGPD)
            told("daemons", time.monotonic() - begun)
        finally:
            await wire
        told("daemons and wire path", time.monotonic() - begun)

    async def _start_wire(self) -> None:
        ours, theirs = socket.socketpair()
        pairs = [option for port in self._ports for option in ("--pair", f"{port.host}:{port.wire}")]
        command = [sys.executable, "-P", "-m", "harness.emulator.wire", "--control-fd", str(theirs.fileno()), *pairs]
        with theirs:
            child = start("wire", command, self._logs, pass_fds=(theirs.fileno(),))
        self._keep(child)
        self._wire = WireClient(ours, on_event=self._wire_told, wait_scale=self._scale)
        with _wire_errors():
            await self._wire.connect()

    async def _start_daemon(self, daemon: Daemon) -> None:
        child = start(daemon.value, daemons.command(daemon, self._folder), self._logs, namespace=self._inner)
        self._keep(child)
        path = daemons.vty_socket(daemon, self._folder)
        await child.wait_for(path, START_SECONDS * self._scale, "open its vty socket")
        if daemon is Daemon.ZEBRA:
            zserv = daemons.zserv_socket(self._folder)
            await child.wait_for(zserv, START_SECONDS * self._scale, "open its socket for the other daemons")
        self._vtys[daemon] = await Vty.connect(daemon.value, path, wait_scale=self._scale)

    def _wire_told(self, event: WireEvent) -> None:
        self._on_wire_event(event)

    def _keep(self, child: Child) -> None:
        self._children[child.name] = child
        child.watch(self._on_death)

    def listen_wire(self, on_event: Callable[[WireEvent], None]) -> None:
        """Have the wire path's events told to `on_event`."""
        self._on_wire_event = on_event

    async def stop(self) -> None:
        """End the daemons and the wire path."""
        for vty in self._vtys.values():
            await vty.close()
        if self._wire is not None:
            await self._wire.close()
        await asyncio.gather(*(child.stop() for child in self._children.values()))

    # -- the Backend ------------------------------------------------------------------------------------------------

    def now(self) -> datetime:
        """Return the router's own wall clock, in UTC."""
        return datetime.now(UTC) + self._offset

    async def set_clock(self, moment: datetime) -> None:
        """Move the router's own wall clock, and the wire path's key clock with it."""
        offset = moment - datetime.now(UTC)
        with _wire_errors():
            await self._client().set_clock(offset)
        self._offset = offset

    async def apply(self, intent: Intent) -> None:
        """Make `intent` true, touching no session that it does not concern; on failure the former state is restored.

        Protection is in force before FRR can open the session, and stays until FRR has given it up.

        Raises:
            BackendError: something in it cannot be done, or a daemon refused it.
        """
        async with self._turn:
            former = self._applied
            wanted = _Applied(intent, render(intent, [port.router for port in self._ports]), protected_sessions(intent))
            try:
                await self._change(former, wanted)
            except BackendError as refused:
                await self._restore(wanted, former, refused)
                raise
            self._applied = wanted
            await self._follow_up(former.intent, intent)

    async def _change(self, old: _Applied, new: _Applied) -> None:
        both = tuple(new.sessions) + cut_off(old.sessions, new.sessions)
        if both != old.sessions:
            await self._set_sessions(both)
        for step in steps(old.lines, new.lines):
            await self._tell(step)
        if both != new.sessions:
            await self._set_sessions(new.sessions)

    async def _set_sessions(self, sessions: tuple[ProtectedSession, ...]) -> None:
        with _wire_errors():
            await self._client().set_sessions(sessions)

    async def _restore(self, attempted: _Applied, former: _Applied, refused: BackendError) -> None:
        """Undo what was done of `attempted`. Lines that were never made are refused when undone: that is expected."""
        broken: list[str] = []
        for step in steps(attempted.lines, former.lines):
            undoing = step.text.startswith("no ")
            try:
                await self._tell(step)
            except BackendError as error:
                if not undoing:
                    broken.append(str(error))
        await self._set_sessions(former.sessions)
        if broken:
            raise BackendError(f"{refused}; and the former state could not be restored: {broken[0]}") from refused

    async def _tell(self, step: Step) -> None:
        if step.daemon not in self._vtys:
            await self._start_daemon(step.daemon)
        await self._vtys[step.daemon].configure(step.node, step.text, shown=step.shown)

    async def _follow_up(self, old: Intent, new: Intent) -> None:
        """Remember since when neighbours are there; reset sessions whose kind of protection changed."""
        former = {neighbor.address: neighbor for neighbor in old.neighbors}
        moment = time.monotonic()
        self._configured_at = {
            neighbor.address: self._configured_at.get(neighbor.address, moment) for neighbor in new.neighbors
        }
        for neighbor in new.neighbors:
            before = former.get(neighbor.address)
            if before is not None and _kind(before.protection) != _kind(neighbor.protection):
                # The connection's segments were protected otherwise until now: neither end can go on with it.
                await self.clear_bgp(neighbor.address, soft=False)

    async def bgp(self) -> list[BgpState]:
        """Return the state of every configured neighbour, from bgpd."""
        if not self._applied.intent.neighbors:
            return []
        vty = self._vty(Daemon.BGPD)
        neighbors = await vty.json("show bgp neighbors json")
        active: dict[tuple[str, str], int] = {}
        for family, counter, table in (("ipv4", "ipv4Unicast", "inet.0"), ("ipv6", "ipv6Unicast", "inet6.0")):
            accepted = {
                address: int(entry.get("addressFamilyInfo", {}).get(counter, {}).get("acceptedPrefixCounter", 0))
                for address, entry in neighbors.items()
                if isinstance(entry, dict)
            }
            if sum(accepted.values()):
                active |= await self._active(family, table, accepted)
        moment = time.monotonic()
        waiting = {address: int(moment - since) for address, since in self._configured_at.items()}
        return state.bgp_states(neighbors, active, waiting)

    async def _active(self, family: str, table: str, accepted: dict[str, int]) -> dict[tuple[str, str], int]:
        giving = [address for address, count in accepted.items() if count]
        if sum(accepted.values()) > _FULL_TABLE_READ_MAX and len(giving) == 1:
            name = "ip" if family == "ipv4" else "ipv6"
            total = state.bgp_total(await self._vty(Daemon.ZEBRA).json(f"show {name} route summary json"))
            return {(giving[0], table): total}
        return state.active_counts(table, await self._vty(Daemon.BGPD).json(f"show bgp {family} unicast json"))

    async def routes(self) -> list[RouteState]:
        """Return the active routes, from zebra."""
        zebra = self._vty(Daemon.ZEBRA)
        tables = [await zebra.json("show ip route json"), await zebra.json("show ipv6 route json")]
        return state.routes(tables, self._addresses())

    def _addresses(self) -> list[tuple[str, Interface]]:
        return [(unit.name, address) for unit in self._applied.intent.units for address in unit.addresses]

    async def clear_bgp(self, address: Address | None, *, soft: bool) -> None:
        """Reset sessions, or with `soft` only exchange routes again."""
        target = "*" if address is None else str(address)
        if address is not None and address not in self._configured_at:
            raise BackendError(f"there is no BGP neighbor {address}")
        await self._vty(Daemon.BGPD).command(f"clear bgp {target}{' soft' if soft else ''}")

    # -- beyond the Backend: for status and diagnosis ---------------------------------------------------------------

    async def wire_status(self) -> WireStatus:
        """Return what the wire path says of connections, keys on the wire, and drops."""
        with _wire_errors():
            return await self._client().status()

    @property
    def processes(self) -> dict[str, int]:
        """The living child processes: name to process id, as this namespace counts."""
        return {name: child.pid for name, child in self._children.items() if child.alive}

    def _client(self) -> WireClient:
        if self._wire is None:
            raise ProcessError("the wire path is not running")
        return self._wire

    def _vty(self, daemon: Daemon) -> Vty:
        vty = self._vtys.get(daemon)
        if vty is None:
            raise ProcessError(f"{daemon.value} is not running")
        return vty


@contextmanager
def _wire_errors() -> Iterator[None]:
    """Have the wire path's errors come out as the `BackendError` that the Junos half knows."""
    try:
        yield
    except WireError as error:
        raise BackendError(error.message, remedy=error.remedy) from error


def _kind(protection: Protection | None) -> object:
    return None if protection is None else protection.scheme
