"""The test's own TCP connection between two emulated routers, protected like LDP's, which carries data all the time.

BGP and LDP send a message every few seconds, but a prediction is about the edges of windows. So this sends from both
sides every 40 ms, over port 646 between the routers' inner namespaces. No ldpd listens there: the tests' configuration
has an LDP session with its key-chain, but no interface that runs LDP.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import threading
import time
from collections.abc import Callable
from typing import TypeVar

from keyroll import linux

T = TypeVar("T")
PORT = 646
EVERY_SECONDS = 0.04
_ADDRESS_SECONDS = 20.0
"""How long to wait until a committed address is on its interface: zebra sets it after the answer to the commit."""
_LOOK_SECONDS = 0.05
"""How often to look for the address: short for a test, and little load for the machine."""


def namespace(lab: str, router: str) -> int:
    """Return a file descriptor of a router's inner network namespace."""
    with socket.socket(socket.AF_UNIX) as control:
        control.connect(f"/run/keyroll/{lab}/{router}.ctl")
        control.sendall(b'{"v": 1, "op": "namespace"}\n')
        _, descriptors, _, _ = socket.recv_fds(control, 4096, 1)
    return descriptors[0]


def within(net: int, make: Callable[[], T]) -> T:
    """Call `make` in a network namespace: the sockets that it makes stay there."""
    with linux.inside(net):
        return make()


def with_address(make: Callable[[], T]) -> T:
    """Call `make` until the address that it binds to exists."""
    deadline = time.monotonic() + _ADDRESS_SECONDS
    while True:
        try:
            return make()
        except OSError as error:
            if error.errno != errno.EADDRNOTAVAIL or time.monotonic() > deadline:
                raise
        threading.Event().wait(_LOOK_SECONDS)


class Traffic:
    """The connection: R2 listens, R1 opens it, both send. `received` has the octets that arrived at each router."""

    def __init__(self, lab: str, addresses: dict[str, str]) -> None:
        self.received = {"R1": 0, "R2": 0}
        self._over = threading.Event()
        self._descriptors = [namespace(lab, router) for router in ("R1", "R2")]
        near, far = self._descriptors
        listener = with_address(lambda: within(far, lambda: socket.create_server((addresses["R2"], PORT))))
        listener.settimeout(20)
        with listener:
            source = addresses["R1"], 0
            one = with_address(
                lambda: within(near, lambda: socket.create_connection((addresses["R2"], PORT), 20, source))
            )
            other, _ = listener.accept()
        self._sockets = {"R1": one, "R2": other}
        self._threads = [
            threading.Thread(target=work, args=(router,))
            for router in self._sockets
            for work in (self._send, self._read)
        ]
        for sock in self._sockets.values():
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.settimeout(None)
        for thread in self._threads:
            thread.start()

    def _send(self, router: str) -> None:
        with contextlib.suppress(OSError):
            while not self._over.wait(EVERY_SECONDS):
                self._sockets[router].send(b"x")

    def _read(self, router: str) -> None:
        with contextlib.suppress(OSError):
            while data := self._sockets[router].recv(4096):
                self.received[router] += len(data)

    def close(self) -> None:
        """End the connection with a reset, so that dropped data is not sent again after the test."""
        self._over.set()
        for sock in self._sockets.values():
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RD)
            sock.close()
        for thread in self._threads:
            thread.join()
        for descriptor in self._descriptors:
            os.close(descriptor)
