"""Two routers' kernels, two wire processes and the link between them, in anonymous network namespaces.

    [inner R1: ge-0-0-0] -- h0 [outer R1: wire process] eth1 -- eth1 [outer R2: wire process] h0 -- [ge-0-0-0: inner R2]

A namespace exists as long as the process that holds it; the end of that process leaves nothing behind.
"""

from __future__ import annotations

import contextlib
import json
import socket
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

from tests.lab.wire.links import Link, Recording
from tests.lab.wire.namespaces import Namespace
from tests.lab.wire.processes import Bump, ForkServer, Loop

from keyroll.emulator.contract.offload import disable_offloads
from keyroll.lab.local.recorder import open_socket
from keyroll.tcpao import Segment, parse_segment

ADDRESSES = {4: ("10.0.12.1", "10.0.12.2"), 6: ("2001:db8:12::1", "2001:db8:12::2")}
PORT = 179
IP_ETHERTYPES = (b"\x08\x00", b"\x86\xdd")
CONNECTED_SECONDS = 60.0
"""Longest time for a handshake, or for data on a connection: milliseconds on an idle machine."""


@dataclass(frozen=True)
class Sent:
    """A captured segment, and the router that sent it (0: R1, 1: R2)."""

    sender: int
    segment: Segment


class Rig:
    """Both routers, the link and its capture."""

    def __init__(self, folder: Path, fork_server: ForkServer) -> None:
        self.loop = Loop()
        self.bumps = [Bump(Namespace(), Namespace(), self.loop, fork_server) for _ in range(2)]
        self._capture: Recording | None = None
        self.pcap = folder / "eth1.pcap"
        self._between = Namespace()
        for place, bump in enumerate(self.bumps):
            bump.log = folder / f"wire{place}.log"
            bump.outer.script(f"""
                ip link add eth1 type veth peer name l{place} netns {self._between.pid}
                ip link add h0 type veth peer name ge-0-0-0 netns {bump.inner.pid}
                ip link set h0 up
                ip link set eth1 up
            """)
            self._between.script(f"echo 1 > /proc/sys/net/ipv6/conf/l{place}/disable_ipv6; ip link set l{place} up")
            bump.inner.within(lambda: disable_offloads("ge-0-0-0"))
            bump.inner.script(f"""
                echo 0 > /proc/sys/net/ipv6/conf/ge-0-0-0/accept_dad
                ip link set ge-0-0-0 up
                ip addr add {ADDRESSES[4][place]}/30 dev ge-0-0-0
                ip addr add {ADDRESSES[6][place]}/64 dev ge-0-0-0 nodad
            """)
        self.link = Link(self._between, ("l0", "l1"), seed=5925)
        for bump in self.bumps:
            bump.start()

    def capture(self) -> None:
        self._capture = Recording(self.bumps[0].outer.within(lambda: open_socket("eth1")), self.pcap)

    def sent(self, family: int = 4) -> list[Sent]:
        """End the capture and return its segments."""
        assert self._capture is not None
        until(lambda: self._captured() == self._captured(pause=0.05), "no more frames captured")
        self._capture.end()
        self._capture = None
        data, found, place = self.pcap.read_bytes(), [], 24
        while place < len(data):
            _, _, size, _ = struct.unpack_from("<IIII", data, place)
            frame = data[place + 16 : place + 16 + size]
            place += 16 + size
            segment = parse_segment(frame, 14) if frame[12:14] in IP_ETHERTYPES else None
            if segment is not None:
                found.append(Sent(ADDRESSES[family].index(str(ip_address(segment.src))), segment))
        return found

    def _captured(self, pause: float = 0.0) -> int:
        threading.Event().wait(pause)
        return self.pcap.stat().st_size

    def listen(self, router: int, family: int = 4, port: int = PORT) -> socket.socket:
        sock = self.bumps[router].inner.socket(socket.AF_INET if family == 4 else socket.AF_INET6)
        sock.bind((ADDRESSES[family][router], port))
        sock.listen(8)
        return sock

    def connect(
        self, router: int, family: int = 4, port: int = PORT, timeout: float = CONNECTED_SECONDS
    ) -> socket.socket:
        sock = self.bumps[router].inner.socket(socket.AF_INET if family == 4 else socket.AF_INET6)
        sock.settimeout(timeout)
        try:
            sock.connect((ADDRESSES[family][1 - router], port))
        except OSError:
            sock.close()
            raise
        return sock

    def joined(self, family: int = 4, port: int = PORT) -> tuple[socket.socket, socket.socket]:
        """Return both ends of a connection from R1 to R2."""
        with self.listen(1, family, port) as listening:
            near = self.connect(0, family, port)
            far, _ = listening.accept()
            far.settimeout(CONNECTED_SECONDS)
        return near, far

    def end(self) -> None:
        if self._capture is not None:
            self._capture.end()
        for bump in self.bumps:
            with contextlib.suppress(AttributeError):
                bump.kill()
            bump.inner.end()
            bump.outer.end()
        self.link.end()
        self._between.end()
        self.loop.end()

    def link_ends(self) -> list[socket.socket]:
        """Stop the link and return both its ends: from now on the test forwards frames itself."""
        self.link.pause()
        return self.link._ends

    def inject(self, router: int, frame: bytes) -> None:
        """Send a frame from the link to a router."""
        self.link._ends[router].send(frame)

    def headers(self, sender: int) -> bytes:
        """Return the Ethernet header of an IPv4 frame from router `sender` to the other one."""
        macs = [
            bytes.fromhex(
                json.loads(bump.inner.run("ip", "-j", "link", "show", "ge-0-0-0"))[0]["address"].replace(":", "")
            )
            for bump in self.bumps
        ]
        return macs[1 - sender] + macs[sender] + b"\x08\x00"


def until(holds: Callable[[], bool], what: str, seconds: float = 60.0) -> None:
    """Poll `holds` until it is true. Raises AssertionError after `seconds`."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        threading.Event().wait(0.01)
