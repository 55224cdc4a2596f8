"""`JunosRouter`: the Junos half of an emulated router, whole."""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping, Sequence

from harness.emulator.junos.chassis import Chassis
from harness.emulator.junos.datastore import Commit, Datastore
from harness.emulator.junos.server import SshServer
from harness.emulator.junos.statements import ROOT
from harness.emulator.junos.syslog import Syslog
from harness.emulator.keyclock import ReceivePolicy
from harness.emulator.model import Backend, EventBackend, RouterEvent
from harness.keychain.secret import Secret


def _no_log(_line: str) -> None:
    return


class JunosRouter:
    """Configuration, command line and SSH of one router, over a `Backend` that makes commits true.

    `host_name` is the name until one is configured. `log` takes one line of text for each thing that a Junos engineer
    would find in the system log (never a secret). `receiving` is the router's receiving policy, as its show output
    needs to know it.
    """

    def __init__(
        self,
        backend: Backend,
        *,
        host_name: str,
        log: Callable[[str], None] | None = None,
        receiving: ReceivePolicy = ReceivePolicy.TOLERANCE,
    ) -> None:
        store = Datastore(ROOT, backend, host_name=host_name)
        syslog = Syslog(log or _no_log, now=backend.now, zone=lambda: store.zone, host_name=lambda: store.host_name)
        store.log = lambda text: syslog.write("mgd", text)
        store.on_commit = self._committed
        self._chassis = Chassis(store, backend, syslog, receiving)
        self._server = SshServer(self._chassis)
        if isinstance(backend, EventBackend):
            backend.subscribe(self._happened)

    async def listen(
        self,
        sock: socket.socket,
        accounts: Mapping[str, Secret],
        *,
        authorized_keys: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        """Answer SSH on `sock`, which already listens: users with their passwords, and public keys in OpenSSH's form.

        `root` meets a shell prompt that knows `cli`; everybody else meets the CLI.
        """
        await self._server.listen(sock, accounts, authorized_keys or {})

    async def close(self) -> None:
        """End every session and stop listening."""
        self._chassis.store.close()
        await self._server.close()

    def _committed(self, commit: Commit) -> None:
        comment = commit.comment or "none"
        self._chassis.syslog.write(
            "mgd",
            f"UI_COMMIT: User '{commit.user}' requested 'commit' operation (comment: {comment}) via {commit.via}",
        )

    def _happened(self, event: RouterEvent) -> None:
        neighbors = self._chassis.store.in_force.neighbors
        neighbor = next((found for found in neighbors if found.address == event.peer), None)
        self._chassis.syslog.event(
            event, neighbor.peer_as if neighbor else None, external=neighbor.external if neighbor else False
        )
