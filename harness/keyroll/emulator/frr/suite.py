"""The running FRR daemons of one router: started when first needed, configured by lines, asked for states."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from keyroll.emulator.contract.errors import FrrBusyError, ProcessError
from keyroll.emulator.contract.namespace import set_down_and_up
from keyroll.emulator.contract.processes import Child, Death, Logs, start
from keyroll.emulator.frr import daemons
from keyroll.emulator.frr.config import Daemon, VtyCommand, batches
from keyroll.emulator.frr.vty import Vty

START_SECONDS = 10.0
"""From a daemon's start to its socket: usually some 100 ms, several seconds on a machine with all cores busy."""
BUSY_SECONDS = 5.0
"""Time for asking again when a daemon was too busy to answer: usually it answers within milliseconds."""
_BUSY_PAUSE = 0.01
"""Seconds between two such questions: short, because the answer usually comes with the second one."""
_THROUGH_MGMTD = frozenset({Daemon.ZEBRA, Daemon.STATICD})
_FIRST_LINES = {
    # ldpd logs session changes only with this, and has no counter of them.
    Daemon.LDPD: ("debug mpls ldp event",),
}


class FrrSuite:
    """The daemons.

    `on_line` is called with (daemon, log line), `on_death` for a daemon that ended without being asked.
    """

    def __init__(
        self,
        folder: Path,
        logs: Logs,
        *,
        on_death: Callable[[Death], None],
        on_line: Callable[[Daemon, str], None],
        wait_scale: float,
    ) -> None:
        self._folder = folder
        self._logs = logs
        self._on_death = on_death
        self._on_line = on_line
        self._scale = wait_scale
        self._namespace = -1
        self._interfaces: Sequence[str] = ()
        self._units: Sequence[str] = ()
        self._children: dict[Daemon, Child] = {}
        self._vtys: dict[Daemon, Vty] = {}

    @property
    def processes(self) -> dict[str, int]:
        """The living daemons: name to process id."""
        return {daemon.value: child.pid for daemon, child in self._children.items() if child.alive}

    def prepare(self, namespace: int, interfaces: Sequence[str]) -> None:
        """Make the folder for sockets, and set the network namespace of the daemons and its `interfaces`."""
        daemons.prepare(self._folder)
        self._namespace = namespace
        self._interfaces = interfaces

    def units(self, interfaces: Sequence[str]) -> None:
        """Set the further logical interfaces that exist from now on, in addition to those of `prepare`."""
        self._units = tuple(interfaces)

    async def start_basic(self) -> None:
        """Start the daemons that every router has. zebra must run before the others, and mgmtd before zebra.

        Raises:
            BackendError: one does not come up.
        """
        if daemons.has_mgmtd():
            await self.start(Daemon.MGMTD)
        await self.start(Daemon.ZEBRA)
        if daemons.has_mgmtd():
            set_down_and_up((*self._interfaces, *self._units), self._namespace)
        await self.start(Daemon.BGPD)

    async def start(self, daemon: Daemon) -> None:
        """Start a daemon and connect to it.

        Raises:
            BackendError: it does not come up.
        """
        for stale in (daemons.vty_socket(daemon, self._folder), *self._stale(daemon)):
            stale.unlink(missing_ok=True)
        child = start(
            daemon.value,
            daemons.command(daemon, self._folder),
            self._logs,
            namespace=self._namespace,
            on_line=lambda line: self._on_line(daemon, line),
        )
        self._children[daemon] = child
        child.watch(self._on_death)
        path = daemons.vty_socket(daemon, self._folder)
        await child.wait_for(path, START_SECONDS * self._scale, "open its vty socket")
        if daemon is Daemon.ZEBRA:
            zserv = daemons.zserv_socket(self._folder)
            await child.wait_for(zserv, START_SECONDS * self._scale, "open its socket for the other daemons")
        vty = await Vty.connect(daemon.value, path, wait_scale=self._scale)
        self._vtys[daemon] = vty
        for line in _FIRST_LINES.get(daemon, ()):
            await vty.configure((), line)

    def _stale(self, daemon: Daemon) -> tuple[Path, ...]:
        return (daemons.zserv_socket(self._folder),) if daemon is Daemon.ZEBRA else ()

    async def configure(self, commands: Sequence[VtyCommand]) -> None:
        """Carry out configuration commands in order; a daemon that is not running yet is started.

        Raises:
            BackendError: a command is refused.
        """
        for batch in batches(commands):
            daemon = batch[0].daemon
            if daemon not in self._vtys:
                await self.start(daemon)
            if daemon in _THROUGH_MGMTD and Daemon.MGMTD in self._vtys:
                daemon = Daemon.MGMTD
            vty = self._vty(daemon)
            if len(batch) > 1:
                await vty.configure_together([(step.node, step.text) for step in batch])
            else:
                await vty.configure(batch[0].node, batch[0].text, shown=batch[0].shown)

    def running(self, daemon: Daemon) -> bool:
        """Whether the daemon was started."""
        return daemon in self._vtys

    async def json(self, daemon: Daemon, command: str) -> dict[str, Any]:
        """Ask a daemon for a state.

        ldpd passes every question on to one of its own processes over a socket with a short queue, and answers with an
        empty warning if that is full: the question then has to be asked again.

        Raises:
            BackendError: it does not answer.
        """
        deadline = time.monotonic() + BUSY_SECONDS * self._scale
        while True:
            try:
                return await self._vty(daemon).json(command)
            except FrrBusyError:
                if time.monotonic() > deadline:
                    raise
                await asyncio.sleep(_BUSY_PAUSE)

    async def command(self, daemon: Daemon, command: str) -> str:
        """Have a daemon carry out an operational command. Raises BackendError."""
        return await self._vty(daemon).command(command)

    def _vty(self, daemon: Daemon) -> Vty:
        vty = self._vtys.get(daemon)
        if vty is None:
            raise ProcessError(f"{daemon.value} is not running")
        death = self._children[daemon].death
        if death is not None:
            raise ProcessError(f"{death}; see {death.log}")
        return vty

    async def stop(self) -> tuple[Daemon, ...]:
        """End all daemons, zebra and mgmtd last because the others need them; return which were running."""
        were = tuple(self._vtys)
        for vty in self._vtys.values():
            await vty.close()
        self._vtys.clear()
        last = [Daemon.ZEBRA, Daemon.MGMTD]
        for daemon in sorted(self._children, key=lambda one: last.index(one) if one in last else -1):
            await self._children[daemon].stop()
        self._children.clear()
        return were
