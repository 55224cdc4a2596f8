"""The machine half of a router: carries out an Intent with FRR and the wire path. Implements `Backend`."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

from keyroll.emulator.contract.model import (
    BGP_PORT,
    Address,
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
    RouterNote,
    RouteState,
    TcpConnection,
)
from keyroll.emulator.contract.namespace import PortPair, make_inner, remove_ports
from keyroll.emulator.contract.processes import Death, Logs
from keyroll.emulator.frr import ldp_state, render_policy, session_log
from keyroll.emulator.frr.config import Daemon, Line, steps
from keyroll.emulator.frr.queries import BgpReader, read_routes
from keyroll.emulator.frr.render import render
from keyroll.emulator.frr.render_ldp import hold_time, local_id
from keyroll.emulator.frr.suite import FrrSuite
from keyroll.emulator.machine import kernel
from keyroll.emulator.machine.bgp_opener import BgpOpener
from keyroll.emulator.machine.events import EventPublisher
from keyroll.emulator.machine.link_carrier import CarrierWatch
from keyroll.emulator.machine.protected_sessions import (
    KeyPolicy,
    changed_kind,
    has_groups,
    protected_sessions,
    removed_sessions,
    unknown_to_wire,
)
from keyroll.emulator.machine.vlan_units import VlanUnits, vlan_units
from keyroll.emulator.machine.wire_process import Replacement, WirePath, WireRestart
from keyroll.emulator.wire.model import ProtectedSession, VlanUnit, WireStatus

log = logging.getLogger(__name__)

_LDP_READS_MAX = 5
"""How often ldpd is asked if a session goes down between its two answers: to happen five times in a row, sessions would
have to go down faster than they can come up."""


@dataclass(slots=True)
class _Applied:
    """What is in force."""

    intent: Intent = field(default_factory=lambda: Intent(""))
    lines: tuple[Line, ...] = ()
    sessions: tuple[ProtectedSession, ...] = ()
    units: dict[PortPair, VlanUnit] = field(default_factory=dict)


class Machine:
    """See the module. Use it in one event loop, on the main thread; call `start` first and `stop` last.

    `on_death` is called for a daemon that ended (or a wire path that is not replaced), `on_restart` for a wire path
    that was replaced, `on_reboot` when a reboot is requested.
    """

    def __init__(
        self,
        ports: Sequence[PortPair],
        folder: Path,
        logs: Logs,
        *,
        on_death: Callable[[Death], None],
        on_restart: Callable[[WireRestart], None],
        on_reboot: Callable[[], None],
        policy: KeyPolicy | None = None,
        wait_scale: float = 1.0,
    ) -> None:
        self._ports = tuple(ports)
        self._on_death = on_death
        self._on_restart = on_restart
        self._on_reboot = on_reboot
        self._policy = policy or KeyPolicy()
        self._inner = -1
        self._events = EventPublisher()
        self._ldp_counts = session_log.LdpCounts()
        self._frr = FrrSuite(folder, logs, on_death=self._died, on_line=self._read_log_line, wait_scale=wait_scale)
        self._bgp = BgpReader(self._frr)
        self._opener = BgpOpener(self._bgp, self._open_actively, self._make_passive, self._restart_timer)
        self._wire = WirePath(
            ports,
            logs,
            on_event=self._events.wire,
            on_death=self._died,
            on_replaced=self._wire_replaced,
            wait_scale=wait_scale,
        )
        self._units = VlanUnits(self._ports, self._wire, self._frr)
        self._carrier: CarrierWatch | None = None
        self._applied = _Applied()
        self._offset = timedelta(0)
        self._turn = asyncio.Lock()
        self.deaths: list[Death] = []
        self.restarts: list[WireRestart] = []

    @property
    def inner_namespace(self) -> int:
        """The descriptor of the inner network namespace."""
        return self._inner

    @property
    def policy(self) -> KeyPolicy:
        """The rules that the router's keys follow."""
        return self._policy

    @property
    def clock(self) -> timedelta:
        """The router's clock less the host's."""
        return self._offset

    async def start(self, on_phase: Callable[[str, float], None], *, clock: timedelta = timedelta(0)) -> None:
        """Make the inner namespace and start the wire path, zebra and bgpd; `on_phase` is called with (part, seconds).

        `clock` is the router's clock less the host's.

        Raises:
            BackendError: a part did not come up.
        """
        begun = time.monotonic()
        self._inner = make_inner(self._ports, source_port=self._policy.port)
        self._frr.prepare(self._inner, ("lo", *(port.router for port in self._ports)))
        self._carrier = CarrierWatch({port.wire: port.host for port in self._ports})
        self._carrier.start()
        self._units.start(self._inner, self._carrier)
        self._opener.listen(self._inner)
        on_phase("inner namespace", time.monotonic() - begun)
        begun = time.monotonic()
        wire = asyncio.create_task(self._wire.start())
        try:
            await self._frr.start_basic()
            on_phase("daemons", time.monotonic() - begun)
        finally:
            await wire
        if clock:
            await self.set_clock(datetime.now(UTC) + clock)
        on_phase("daemons and wire path", time.monotonic() - begun)

    def _died(self, death: Death) -> None:
        self.deaths.append(death)
        self._events.note(str(death))
        self._on_death(death)

    async def _wire_replaced(self, replaced: Replacement) -> None:
        """Reset the sessions whose state was lost with a wire process, and report the replacement."""
        lost: list[tuple[int, Address]] = []
        try:
            open_now = kernel.connections(self._inner)  # before the records: what opens meanwhile has one
            lost = unknown_to_wire(open_now, await self._wire.records(), self._applied.sessions)
            for port, peer in lost:
                await self._reset(port, peer)
        except BackendError as error:
            log.error("what the dead wire path held cannot be put right: %s", error)  # noqa: TRY400 - the sentence helps
            self._died(replaced.death)
            return
        restart = WireRestart(self.now(), replaced.death, replaced.connections, replaced.seconds, tuple(lost))
        self.restarts.append(restart)
        self._events.note(str(restart))
        self._on_restart(restart)

    def _read_log_line(self, daemon: Daemon, line: str) -> None:
        change = session_log.read(daemon, line)
        if change is not None:
            self._ldp_counts.count(change, time.monotonic())
            self._events.session(change)
            if change.protocol == "bgp" and not change.up:
                self._opener.went_down(change.peer)

    async def stop(self) -> None:
        """End the daemons and the wire path."""
        if self._carrier is not None:
            self._carrier.close()
        await self._opener.close()
        # The daemons first, so that their last messages to their peers still pass through the wire path.
        await self._frr.stop()
        await self._wire.stop()
        if self._inner >= 0:
            self._units.close()
            remove_ports(self._ports)
            os.close(self._inner)
            self._inner = -1

    # -- Backend ----------------------------------------------------------------------------------------------------

    def now(self) -> datetime:
        """Return the router's own wall clock, in UTC."""
        return datetime.now(UTC) + self._offset

    async def set_clock(self, moment: datetime) -> None:
        """Move the router's own wall clock, and the wire path's key clock with it."""
        offset = moment - datetime.now(UTC)
        await self._wire.set_clock(offset)
        self._offset = offset

    def check(self, intent: Intent) -> None:
        """Raise BackendError for what this router cannot do; asks no daemon and changes nothing."""
        render(intent, [port.router for port in self._ports])
        protected_sessions(intent, self._policy)

    async def apply(self, intent: Intent) -> None:
        """Make `intent` true, touching no session that it does not concern; on failure the former state is restored.

        Protection is in force before FRR can open the session, and stays until FRR has given it up.

        Raises:
            BackendError: something in it cannot be done, or a daemon refused it.
        """
        async with self._turn:
            former = self._applied
            passive_for_now = self._opener.choose(former.intent, intent)
            lines = self._render(intent, passive_for_now)
            units = vlan_units(intent, self._ports)
            wanted = _Applied(intent, lines, protected_sessions(intent, self._policy), units)
            by_prefix = has_groups(former.intent) or has_groups(intent)
            ldp_peers = [session.peer for session in await self.ldp_sessions()] if by_prefix else []
            try:
                await self._change(former, wanted)
            except BackendError as refused:
                await self._restore(wanted, former, refused)
                raise
            self._applied = wanted
            self._bgp.configured(intent)
            self._opener.applied(intent, passive_for_now)
            if intent.ldp is None:
                self._ldp_counts.clear()
            for port, peer in changed_kind(former.intent, intent, ldp_peers):
                await self._reset(port, peer)
            for peer in render_policy.changed(former.intent, intent):
                await self.clear_bgp(peer, soft=True)

    def _render(self, intent: Intent, passive_for_now: frozenset[Address]) -> tuple[Line, ...]:
        return render(intent, [port.router for port in self._ports], passive_for_now)

    async def _open_actively(self, address: Address) -> bool:
        """Open the connection to a neighbour from this side too; return False if the peer has opened it meanwhile."""
        async with self._turn:
            # Only now: a commit, or the same for other neighbours, may have had its turn for seconds on a busy machine.
            if await self._bgp.state_of(address) == "Established" or self._opener.peer_is_opening(address):
                return False
            intent = self._applied.intent
            self._opener.mark_active(address)
            lines = self._render(intent, self._opener.choose(intent, intent))
            between = lines
            if not await self._bgp.was_up(address):
                # A neighbour that is removed and added opens at once, not a second later. Not after its session has
                # been up: that would reset its counters.
                without = replace(intent, neighbors=tuple(one for one in intent.neighbors if one.address != address))
                between = self._render(without, self._opener.choose(intent, without))
            await self._frr.configure([*steps(self._applied.lines, between), *steps(between, lines)])
            self._applied.lines = lines
            return True

    async def _make_passive(self, address: Address) -> None:
        """Become passive towards a neighbour whose session is down."""
        async with self._turn:
            # Becoming passive would reset a session that is up or that the peer is opening. In the state Idle bgpd
            # refuses what the peer opens, so that nothing is lost.
            state = await self._bgp.state_of(address)
            if state == "Established" or (state != "Idle" and self._opener.peer_is_opening(address)):
                return
            if not self._opener.mark_passive(address):
                return
            intent = self._applied.intent
            lines = self._render(intent, self._opener.choose(intent, intent))
            await self._frr.configure(steps(self._applied.lines, lines))
            self._applied.lines = lines

    async def _restart_timer(self, address: Address) -> None:
        """Restart bgpd's start timer of a neighbour, unless it has fired already."""
        async with self._turn:
            if await self._bgp.state_of(address) == "Idle":
                await self.clear_bgp(address, soft=False)

    async def _change(self, old: _Applied, new: _Applied) -> None:
        both = tuple(new.sessions) + removed_sessions(old.sessions, new.sessions)
        if both != old.sessions:
            await self._wire.set_sessions(both)
        if new.units != old.units:
            await self._units.make(new.units)
        await self._frr.configure(steps(old.lines, new.lines))
        if both != new.sessions:
            await self._wire.set_sessions(new.sessions)
        if new.units != old.units:
            await self._units.keep(new.units)

    async def _reset(self, port: int, peer: Address) -> None:
        await (self.clear_bgp(peer, soft=False) if port == BGP_PORT else self._clear_ldp(peer))

    async def _restore(self, attempted: _Applied, former: _Applied, refused: BackendError) -> None:
        """Undo what was carried out of `attempted`.

        FRR refuses to undo lines that were never entered: this is expected.
        """
        broken: list[str] = []
        for step in steps(attempted.lines, former.lines):
            undoing = step.text.startswith("no ")
            try:
                await self._frr.configure([step])
            except BackendError as error:
                if not undoing:
                    broken.append(str(error))
        await self._wire.set_sessions(former.sessions)
        await self._units.make(former.units)
        await self._units.keep(former.units)
        if broken:
            raise BackendError(f"{refused}; and the former state could not be restored: {broken[0]}") from refused

    async def bgp(self) -> list[BgpState]:
        """Return the state of every configured neighbour, from bgpd."""
        async with self._turn:  # a neighbour that is removed and added again is missing for a moment
            return await self._bgp.states()

    async def routes(self) -> list[RouteState]:
        """Return the active routes, from zebra."""
        units = self._applied.intent.units
        return await read_routes(self._frr, [(unit.name, address) for unit in units for address in unit.addresses])

    async def clear_bgp(self, address: Address | None, *, soft: bool) -> None:
        """Reset sessions, or with `soft` only exchange routes again."""
        await self._bgp.clear(address, soft=soft)

    # -- LdpBackend -------------------------------------------------------------------------------------------------

    async def ldp_sessions(self) -> list[LdpSession]:
        """Return the LDP sessions with every neighbour that ldpd knows; none when LDP is not configured."""
        intent = self._applied.intent
        if intent.ldp is None or not self._frr.running(Daemon.LDPD):
            return []
        summary: dict[str, Any] = {}
        detail: dict[str, Any] = {}
        for _ in range(_LDP_READS_MAX):
            summary = await self._frr.json(Daemon.LDPD, "show mpls ldp neighbor json")
            detail = await self._frr.json(Daemon.LDPD, "show mpls ldp neighbor detail json")
            if ldp_state.agree(summary, detail):
                break
        return ldp_state.sessions(summary, detail, local_id(intent), hold_time(intent.ldp), self._ldp_counts)

    async def ldp_adjacencies(self) -> list[LdpAdjacency]:
        """Return the neighbours heard by hellos."""
        if self._applied.intent.ldp is None or not self._frr.running(Daemon.LDPD):
            return []
        return ldp_state.adjacencies(await self._frr.json(Daemon.LDPD, "show mpls ldp discovery detail json"))

    async def ldp_bindings(self) -> list[LdpBinding]:
        """Return the labels that were exchanged with every neighbour."""
        if self._applied.intent.ldp is None or not self._frr.running(Daemon.LDPD):
            return []
        return ldp_state.bindings(await self._frr.json(Daemon.LDPD, "show mpls ldp binding detail json"))

    async def clear_ldp(self, peer: IPv4Address | None) -> None:
        """Reset the LDP sessions (all when `peer`, a transport address, is None)."""
        await self._clear_ldp(peer)

    async def _clear_ldp(self, peer: Address | None) -> None:
        target = "" if peer is None else f" {peer}"
        await self._frr.command(Daemon.LDPD, f"clear mpls ldp neighbor{target}")

    # -- HostBackend and EventBackend -------------------------------------------------------------------------------

    async def interfaces(self) -> list[InterfaceState]:
        """Return the physical interfaces, from zebra."""
        return kernel.interfaces(await self._frr.json(Daemon.ZEBRA, "show interface json"))

    async def connections(self) -> list[TcpConnection]:
        """Return the TCP sockets of the router's own namespace."""
        return kernel.connections(self._inner)

    async def auth_drops(self) -> AuthDrops:
        """Return the drops that the wire path counted."""
        return kernel.auth_drops(await self.wire_status())

    def ping(self, address: Address, *, count: int, source: Address | None, interval: float) -> AsyncIterator[Echo]:
        """Ping from the router's own namespace; yields each request's outcome as it comes."""
        return kernel.ping(self._inner, address, count=count, source=source, interval=interval)

    async def restart_routing(self) -> None:
        """Restart the routing daemons and carry out the present intent again. Every session goes down."""
        async with self._turn:
            were = await self._frr.stop()
            await self._frr.start_basic()
            for daemon in were:
                if not self._frr.running(daemon):
                    await self._frr.start(daemon)
            intent = self._applied.intent
            self._applied.lines = self._render(intent, self._opener.restarted(intent))
            await self._frr.configure(steps((), self._applied.lines))
            self._bgp.restarted()

    async def reboot(self) -> None:
        """Restart the whole router: every daemon, the wire path and its connections, the inner namespace."""
        self._on_reboot()

    def subscribe(self, on_event: Callable[[RouterEvent | RouterNote], None]) -> None:
        """Report session changes, key changes on the wire, drops, deaths and restarts to `on_event`."""
        self._events.subscribe(on_event)

    # -- for status and diagnosis -----------------------------------------------------------------------------------

    async def wire_status(self) -> WireStatus:
        """Return the wire path's state: connections, keys on the wire, and drops."""
        return await self._wire.status()

    @property
    def processes(self) -> dict[str, int]:
        """The living child processes: name to process id, as this namespace counts."""
        wire = self._wire.pid
        return self._frr.processes | ({} if wire is None else {"wire": wire})
