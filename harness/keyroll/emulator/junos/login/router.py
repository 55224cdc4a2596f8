"""`JunosRouter`: the complete Junos half of an emulated router."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from keyroll.emulator.contract.in_use_rules import InUseRules
from keyroll.emulator.contract.model import Backend, BackendError, EventBackend, EventKind, RouterEvent, RouterNote
from keyroll.emulator.junos.commit import save
from keyroll.emulator.junos.commit.datastore import Commit, Datastore
from keyroll.emulator.junos.configuration.faults import JunosFault
from keyroll.emulator.junos.configuration.statements import ROOT
from keyroll.emulator.junos.effect.accounts import ROOT as ROOT_USER
from keyroll.emulator.junos.effect.keys_in_use import Runtime, SessionId
from keyroll.emulator.junos.effect.syslog import Syslog
from keyroll.emulator.junos.login import console
from keyroll.emulator.junos.login.ssh_server import SshServer
from keyroll.emulator.junos.shell import startup
from keyroll.emulator.junos.shell.router_state import RouterState
from keyroll.keychain.secret import Secret
from keyroll.names import Receiving


def _no_log(_line: str) -> None:
    return


class JunosRouter:
    """Configuration, command line and SSH server of one router, on a `Backend` that carries out commits.

    `host_name` is used until one is configured. `log` is called with each line of the system log; no line holds a
    secret. `receiving` is the router's receiving policy, on which show output depends. `rules` define what a commit may
    change of a session in use. `saved` is the file that keeps the commits over a reboot (secrets as `$9$`, readable by
    its owner only); None keeps nothing. `startup_file` is the configuration to load when nothing is saved.
    """

    def __init__(
        self,
        backend: Backend,
        *,
        host_name: str,
        log: Callable[[str], None] | None = None,
        receiving: Receiving = Receiving.TOLERANCE,
        rules: InUseRules | None = None,
        saved: Path | None = None,
        startup_file: Path | None = None,
    ) -> None:
        runtime = Runtime(backend, rules or InUseRules())
        store = Datastore(ROOT, backend, host_name=host_name, runtime=runtime)
        syslog = Syslog(log or _no_log, now=backend.now, zone=lambda: store.zone, host_name=lambda: store.host_name)
        store.log = lambda text: syslog.write("mgd", text)
        runtime.note = lambda text: syslog.write("rpd", f"RPD_TCP_AO_IN_USE: {text}")
        self._saved = saved
        self._startup = startup_file
        self._ending: set[asyncio.Task[None]] = set()
        store.on_commit = self._committed
        store.keep = self._save
        self._state = RouterState(store, backend, syslog, receiving)
        store.broadcast = self._state.broadcast
        self._server = SshServer(self._state)
        if isinstance(backend, EventBackend):
            backend.subscribe(self._on_event)

    async def listen(
        self,
        sock: socket.socket,
        accounts: Mapping[str, Secret],
        *,
        authorized_keys: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        """Load the saved configuration, then serve SSH on `sock`, which already listens.

        `accounts` are users with their passwords, `authorized_keys` users with public keys in OpenSSH's form; users of
        the configuration may log in as well. `root` gets a shell with the command `cli`, all others get the CLI.
        """
        await self._boot()
        await self._server.listen(sock, accounts, {} if authorized_keys is None else authorized_keys)

    async def _boot(self) -> None:
        """Put the configuration saved before a reboot into force, else load the start-up configuration."""
        if self._saved is None or not self._saved.exists():
            if self._startup is not None:
                await startup.start_with(self._startup, self._state)
            return
        store = self._state.store
        try:
            store.adopt(save.load(self._saved, store.root))
            await store.enforce()
        except JunosFault as fault:
            self._state.syslog.write("mgd", f"UI_BOOT_FAILED: {' '.join(fault.lines(0))}")

    async def converse(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        *,
        command: str | None = None,
        pty: bool = False,
        height: int = 24,
    ) -> None:
        """Serve root's command line, or `command`, to the client of a byte stream."""
        await console.converse(self._state, reader, writer, user=ROOT_USER, command=command, pty=pty, height=height)

    async def close(self) -> None:
        """End every session and stop listening."""
        await self._state.store.close()
        for task in self._ending:
            task.cancel()
        await self._server.close()

    def _committed(self, commit: Commit) -> None:
        comment = commit.comment or "none"
        self._state.syslog.write(
            "mgd",
            f"UI_COMMIT: User '{commit.user}' requested 'commit' operation (comment: {comment}) via {commit.via}",
        )

    def _save(self) -> str | None:
        if self._saved is None:
            return None
        try:
            save.save(self._saved, self._state.store.commits)
        except OSError as error:
            return f"UI_SAVE_FAILED: a reboot would lose this commit: {error.strerror}"
        return None

    def _on_event(self, event: RouterEvent | RouterNote) -> None:
        """Log an event of the machine half; after the end of a session, apply the changes that it deferred."""
        if isinstance(event, RouterNote):
            self._state.syslog.write("init", event.text)
            return
        neighbors = self._state.store.in_force.neighbors
        neighbor = next((found for found in neighbors if found.address == event.peer), None)
        self._state.syslog.event(
            event, neighbor.peer_as if neighbor else None, external=neighbor.external if neighbor else False
        )
        if event.kind is EventKind.SESSION_DOWN:
            task = asyncio.get_running_loop().create_task(self._session_ended((event.protocol, event.peer)))
            self._ending.add(task)
            task.add_done_callback(self._ending.discard)

    async def _session_ended(self, session: SessionId) -> None:
        try:
            await self._state.store.session_ended(session)
        except BackendError as error:
            self._state.syslog.write("rpd", f"RPD_TCP_AO_IN_USE: deferred changes could not be applied: {error}")
