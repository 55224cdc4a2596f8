"""Network namespaces for tests: anonymous, each living as long as the process that holds it."""

from __future__ import annotations

import ctypes
import socket
import subprocess
import threading
from pathlib import Path

_libc = ctypes.CDLL(None, use_errno=True)


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

    def popen(self, *argv: str, **options) -> subprocess.Popen:
        return subprocess.Popen(["nsenter", f"--net={self.path}", *argv], **options)

    def within(self, make):
        """Call `make` in the namespace (what sockets it makes stay there)."""
        made: list = []
        failed: list[BaseException] = []

        def call() -> None:
            with Path(self.path).open("rb") as net:
                if _libc.setns(net.fileno(), 0):
                    failed.append(OSError(ctypes.get_errno(), "setns"))
                    return
            try:
                made.append(make())
            except OSError as error:
                failed.append(error)

        thread = threading.Thread(target=call)
        thread.start()
        thread.join()
        if failed:
            raise failed[0]
        return made[0]

    def socket(self, family: int = socket.AF_INET) -> socket.socket:
        sock = self.within(lambda: socket.socket(family, socket.SOCK_STREAM))
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.settimeout(10)
        return sock

    def end(self) -> None:
        self._holder.kill()
        self._holder.wait()
        self._holder.stdout.close()
