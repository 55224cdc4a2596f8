"""Anonymous network namespaces for tests: each one exists as long as the process that holds it."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from tests.unit.known import known

from keyroll import linux

Made = TypeVar("Made")


class Namespace:
    """An anonymous network namespace."""

    def __init__(self) -> None:
        self._holder = subprocess.Popen(
            ["unshare", "--net", "--", "sh", "-c", "ip link set lo up; echo; exec sleep 3600"], stdout=subprocess.PIPE
        )
        assert self._holder.stdout is not None
        self._holder.stdout.readline()
        self.path = f"/proc/{self._holder.pid}/ns/net"

    @property
    def pid(self) -> int:
        return self._holder.pid

    def run(self, *argv: str) -> str:
        return subprocess.run(
            ["nsenter", f"--net={self.path}", *argv], check=True, capture_output=True, text=True
        ).stdout

    def script(self, lines: str) -> None:
        self.run("sh", "-ec", lines)

    def popen(self, *argv: str, **options: Any) -> subprocess.Popen[bytes]:
        return subprocess.Popen(["nsenter", f"--net={self.path}", *argv], **options)

    def within(self, make: Callable[[], Made]) -> Made:
        """Call `make` in the namespace; sockets that it opens stay in that namespace."""
        with Path(self.path).open("rb") as net, linux.inside(net.fileno()):
            return make()

    def socket(self, family: int = socket.AF_INET) -> socket.socket:
        sock = self.within(lambda: socket.socket(family, socket.SOCK_STREAM))
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.settimeout(60)  # a failing test waits for data that never comes; on a busy machine data only comes late
        return sock

    def end(self) -> None:
        self._holder.kill()
        self._holder.wait()
        known(self._holder.stdout).close()
