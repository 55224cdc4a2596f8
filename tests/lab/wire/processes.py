"""Wire processes of the tests, forked from one program that has loaded the wire path, and their asynchronous client."""

from __future__ import annotations

import asyncio
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from tests.lab.wire.namespaces import Namespace
from tests.unit.known import known

from keyroll.emulator.wire.client import WireClient
from keyroll.emulator.wire.model import ConnectionRecord, ProtectedSession, WireEvent, WireStatus

Result = TypeVar("Result")
ENDS_SECONDS = 60.0
"""Longest time for an answer or for the end of a process: milliseconds on an idle machine."""


class Loop:
    """An event loop in a thread, for the asynchronous client."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()

    def run(self, awaitable: Coroutine[object, object, Result]) -> Result:
        return asyncio.run_coroutine_threadsafe(awaitable, self._loop).result(ENDS_SECONDS)

    def end(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


class ForkServer:
    """Starts wire processes (see `wire_fork_server.py`)."""

    def __init__(self) -> None:
        self._orders, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            command = [sys.executable, str(Path(__file__).with_name("wire_fork_server.py")), str(theirs.fileno())]
            self._program = subprocess.Popen(command, pass_fds=[theirs.fileno()])

    def start(self, pairs: list[list[str]], control: socket.socket, log: int, namespace: Namespace) -> WireProcess:
        with Path(namespace.path).open("rb") as net:
            return WireProcess(self, self._ask([control.fileno(), log, net.fileno()], op="start", pairs=pairs))

    def code_of(self, pid: int) -> int:
        found: int = self._ask([], op="code", pid=pid)
        return found

    def _ask(self, descriptors: list[int], **order: object) -> int:
        socket.send_fds(self._orders, [json.dumps(order).encode()], descriptors)
        found: int = json.loads(self._orders.recv(100))
        return found

    def end(self) -> None:
        self._orders.close()
        self._program.wait(ENDS_SECONDS)


class WireProcess:
    """A process of the fork server, with a part of the interface of `subprocess.Popen`."""

    def __init__(self, fork_server: ForkServer, pid: int) -> None:
        self._fork_server, self._pid = fork_server, pid
        self._pidfd = os.pidfd_open(pid)
        self._code: int | None = None

    def poll(self) -> int | None:
        if self._code is None and select.select([self._pidfd], [], [], 0)[0]:
            self.wait()
        return self._code

    def wait(self, seconds: float | None = None) -> int:
        if self._code is None:
            assert select.select([self._pidfd], [], [], seconds)[0], f"it still runs after {seconds} s"
            self._code = self._fork_server.code_of(self._pid)
            os.close(self._pidfd)
        return self._code

    def kill(self) -> None:
        if self._code is None:
            signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)


@dataclass
class Bump:
    """One router: its inner namespace (the kernel), its outer namespace (the wire), and its wire process."""

    inner: Namespace
    outer: Namespace
    loop: Loop
    fork_server: ForkServer
    process: WireProcess = field(init=False)
    client: WireClient = field(init=False)
    events: list[WireEvent] = field(default_factory=list)
    log: Path | None = None

    def start(self, sessions: Sequence[ProtectedSession] = (), records: Sequence[ConnectionRecord] = ()) -> None:
        ours, theirs = socket.socketpair()
        with theirs, known(self.log).open("ab") as log:
            self.process = self.fork_server.start([["h0", "eth1"]], theirs, log.fileno(), self.outer)
        self.client = WireClient(ours, on_event=self.events.append)
        self.loop.run(self.client.connect(sessions, records))

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        self.loop.run(self.client.close())

    def set(self, *sessions: ProtectedSession) -> None:
        self.loop.run(self.client.set_sessions(sessions))

    def clock(self, moment: datetime) -> None:
        self.loop.run(self.client.set_clock(moment - datetime.now(UTC)))

    def status(self) -> WireStatus:
        return self.loop.run(self.client.status())

    def dropped(self) -> dict[tuple[str, str], int]:
        return {(way.value, reason.value): count for (way, reason), count in self.status().drops.items()}
