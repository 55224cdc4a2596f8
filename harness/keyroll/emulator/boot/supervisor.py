"""Run one emulated router: start the machine half, then the Junos half on top of it, and serve the control socket.

The boot message (one line of JSON on the boot socket) describes the router; events are sent over the same socket:

    {"event": "phase", "name": …, "seconds": …}     a part of the start has ended, and took so long
    {"event": "ready"}                               SSH answers
    {"event": "died", "what": …, "code": …, "log": …}  a daemon or the wire path has ended and is not replaced
    {"event": "restarted", "what": "wire", "code": …, "log": …, "seconds": …, "connections": …, "reset": [[port, peer]]}
                                                     a wire process that ended was replaced
    {"event": "failed", "message": …}                the router cannot start

See docs/control.md.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import signal
import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Protocol

from keyroll.emulator.boot.control_socket import ControlServer
from keyroll.emulator.contract.model import Backend, BackendError
from keyroll.emulator.contract.namespace import PortPair
from keyroll.emulator.contract.processes import Death, Logs
from keyroll.emulator.frr import daemons
from keyroll.emulator.machine.machine import Machine
from keyroll.emulator.machine.protected_sessions import KeyPolicy
from keyroll.emulator.machine.wire_process import WireRestart
from keyroll.keychain.secret import Secret

log = logging.getLogger(__name__)
BOOT_VERSION = 1
"""Of the boot message (docs/control.md); another version is refused."""
_HOME = Path("/var/tmp")  # noqa: S108 - the embedded lab's own tmpfs, or the container's own folder


@dataclass(frozen=True, slots=True)
class Boot:
    """The boot message. `ports` in order; `control` is where the control socket is made."""

    name: str
    accounts: Mapping[str, Secret]
    ports: tuple[PortPair, ...]
    control: Path
    wait_scale: float = 1.0
    policy: KeyPolicy = field(default_factory=KeyPolicy)

    @classmethod
    def parse(cls, line: bytes) -> Boot:
        """Read the boot message.

        Raises:
            BackendError: it is invalid.
        """
        try:
            data: dict[str, Any] = json.loads(line)
            if data["v"] != BOOT_VERSION:
                raise BackendError(f"boot message version {data['v']} is not {BOOT_VERSION}")
            ports = tuple(
                PortPair(wire=str(port["wire"]), host=f"h{index}", router=str(port["router"]))
                for index, port in enumerate(data["ports"])
            )
            accounts = {str(user): Secret(password) for user, password in data["accounts"].items()}
            policy = KeyPolicy.of(data.get("settings", {}))
            scale = float(data.get("wait_scale", 1.0))
            return cls(str(data["name"]), accounts, ports, Path(data["control"]), scale, policy)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise BackendError(f"the boot message cannot be read: {type(error).__name__}") from error


class JunosHalf(Protocol):
    """The Junos half, as the supervisor needs it."""

    async def listen(self, sock: socket.socket, accounts: Mapping[str, Secret]) -> None:
        """Answer SSH on the listening socket."""
        ...

    async def close(self) -> None:
        """End all sessions and stop listening."""
        ...


class MakeJunosHalf(Protocol):
    """Makes the Junos half on top of a machine half."""

    def __call__(self, backend: Backend, *, host_name: str, policy: KeyPolicy, saved: Path) -> JunosHalf:
        """Return the Junos half of the router called `host_name`; `saved` keeps its configurations over a reboot."""
        ...


class Supervisor:
    """See the module. `load`, if given, imports what `make_junos` needs, in a thread while the daemons start."""

    def __init__(
        self,
        boot_socket: socket.socket,
        listener: socket.socket,
        logs_folder: int,
        make_junos: MakeJunosHalf,
        load: Callable[[], object] | None = None,
    ) -> None:
        self._boot_socket = boot_socket
        self._listener = listener
        self._logs_folder = logs_folder
        self._make_junos = make_junos
        self._load = load
        self._stopping = asyncio.Event()
        self._rebooting = asyncio.Event()

    async def run(self) -> int:
        """Run until asked to stop; return the exit code."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stopping.set)
        try:
            boot = Boot.parse(await self._read_boot())
            await self._serve(boot)
        except BackendError as error:
            log.error("%s", error)  # noqa: TRY400 - the sentence is what helps
            self._send({"event": "failed", "message": str(error)})
            return 1
        return 0

    async def _read_boot(self) -> bytes:
        self._boot_socket.settimeout(0)
        loop = asyncio.get_running_loop()
        data = b""
        while not data.endswith(b"\n"):
            more = await loop.sock_recv(self._boot_socket, 65536)
            if not more:
                raise BackendError("the boot socket closed before the boot message came")
            data += more
        return data

    async def _serve(self, boot: Boot) -> None:
        logs = Logs(self._logs_folder, boot.name)
        daemons.isolate()
        clock = timedelta(0)
        while not self._stopping.is_set():
            self._rebooting.clear()
            clock = await self._run_once(boot, logs, clock)

    async def _run_once(self, boot: Boot, logs: Logs, clock: timedelta) -> timedelta:
        """Run the router from its boot until it is stopped or rebooted.

        Return its clock's offset, which a reboot keeps.
        """
        machine = Machine(
            boot.ports,
            _HOME / f"{boot.name}-frr",
            logs,
            on_death=self._on_death,
            on_restart=self._on_restart,
            on_reboot=self._rebooting.set,
            policy=boot.policy,
            wait_scale=boot.wait_scale,
        )
        junos: JunosHalf | None = None
        control = ControlServer(machine, logs, stop=self._stopping.set)
        # Importing the SSH server's libraries takes longer than starting FRR, so both run at the same time.
        loading = asyncio.create_task(self._loaded())
        try:
            await machine.start(self._phase, clock=clock)
            begun = time.monotonic()
            await loading
            junos = self._make_junos(
                machine, host_name=boot.name, policy=boot.policy, saved=_HOME / f"{boot.name}-configuration"
            )
            # A copy: the server closes its socket when it ends, but the port must stay open over a reboot.
            await junos.listen(self._listener.dup(), boot.accounts)
            await control.listen(boot.control)
            self._phase("ssh", time.monotonic() - begun)
            self._send({"event": "ready"})
            await self._until_stopped_or_rebooted()
        finally:
            await asyncio.gather(loading, return_exceptions=True)
            await control.close()
            if junos is not None:
                await junos.close()
            await machine.stop()
        return machine.clock

    async def _loaded(self) -> None:
        if self._load is not None:
            await asyncio.to_thread(self._load)

    async def _until_stopped_or_rebooted(self) -> None:
        """Wait until the router is stopped or rebooted."""
        ends = [asyncio.create_task(event.wait()) for event in (self._stopping, self._rebooting)]
        try:
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for end in ends:
                end.cancel()

    def _phase(self, name: str, seconds: float) -> None:
        self._send({"event": "phase", "name": name, "seconds": seconds})

    def _on_death(self, death: Death) -> None:
        log.error("%s; see %s", death, death.log)
        self._send({"event": "died", "what": death.name, "code": death.code, "log": death.log})

    def _on_restart(self, restart: WireRestart) -> None:
        log.warning("%s; see %s", restart, restart.death.log)
        self._send(
            {
                "event": "restarted",
                "what": restart.death.name,
                "code": restart.death.code,
                "log": restart.death.log,
                "seconds": restart.seconds,
                "connections": restart.connections,
                "reset": [[port, str(peer)] for port, peer in restart.reset],
            }
        )

    def _send(self, event: dict[str, Any]) -> None:
        with contextlib.suppress(OSError):  # the process that made a kept lab has ended
            self._boot_socket.send(json.dumps(event).encode() + b"\n")
