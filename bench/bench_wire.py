"""Compare the wire path's time for a segment with the bare MAC; as root also measure TCP through two wire processes.

    python bench/bench_wire.py [MEGABYTES]

Ratios are taken within one run, so that the machine's speed cancels out. Each figure is the median of five rounds.
"""

# ruff: noqa: INP001 - a script, not a package

from __future__ import annotations

import asyncio
import ctypes
import os
import socket
import statistics
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path

from keyroll.emulator.contract.key_clock import to_ns
from keyroll.emulator.contract.offload import disable_offloads
from keyroll.emulator.wire.bump.packet_judge import PacketJudge
from keyroll.emulator.wire.client import WireClient
from keyroll.emulator.wire.model import ProtectedSession
from keyroll.keychain.model import Key, Keychain
from keyroll.keychain.secret import Secret
from keyroll.names import Algorithm
from keyroll.tcpao import ACK, SYN, internet_checksum, with_checksum

START = datetime(2020, 1, 1, tzinfo=UTC)
"""Start-time of the key, which has passed."""
NOW = to_ns(START) + 1
ADDRESSES = ("10.0.12.1", "10.0.12.2")
# Two NOPs and the time stamp option, as Linux sends them.
TIMESTAMPS = b"\x01\x01\x08\x0a" + bytes(8)
ROUNDS = 5
"""Rounds, of which the median counts: one that another process disturbs does not matter."""
SEGMENTS = 5000
"""Segments of a round: some 0.1 s, far above the clock's resolution."""
FULL, EMPTY = 1432, 0
"""Octets of payload: MSS 1460, less TCP-AO (16) and time stamps (12); and a pure ACK."""
MEGABYTES = 64
"""Sent by default: a second or more for each round, so that the start of TCP does not matter."""
COPIED_PORT, BGP = 2222, 179
"""A port without a session, whose segments the wire path only copies; and a session's."""


def main() -> int:
    """Print the table; return 0."""
    write = sys.stdout.write
    write(f"{'segment':34}{'bare MAC':>10}{'sign':>10}{'ratio':>7}{'verify':>10}{'ratio':>7}\n")
    for algorithm in Algorithm:
        for size in (FULL, EMPTY):
            mac, sign, verify = costs(algorithm, size)
            name = f"{algorithm.value}, {size} octets"
            write(f"{name:34}{mac:8.1f}us{sign:8.1f}us{sign / mac:7.1f}{verify:8.1f}us{verify / mac:7.1f}\n")
    if os.geteuid() != 0:
        write("bulk TCP through two wire processes: left out, it needs root\n")
        return 0
    megabytes = int(sys.argv[1]) if len(sys.argv) > 1 else MEGABYTES
    copied = None
    for name, carried in (("copied", None), *((one.value, one) for one in Algorithm)):
        rate = asyncio.run(bulk(carried, megabytes))
        copied = copied or rate
        write(f"bulk TCP, {name:24}{rate:8.0f} Mbit/s{rate / copied:7.2f} of copied\n")
    return 0


def chain(algorithm: Algorithm) -> Keychain:
    """Return a chain of one key that started long ago."""
    key = Key(
        id=0, secret=Secret("bench"), start=START, scheme="ao", send_id=1, recv_id=1, tcp_ao_option=True,
        algorithm=algorithm,
    )  # fmt: skip
    return Keychain("bench", (key,))


def packet(sender: int, seq: int, ack: int, flags: int, options: bytes = b"", payload: bytes = b"") -> bytes:
    """Return an IPv4 packet between the two addresses, to or from port 179."""
    src, dst = (ip_address(ADDRESSES[place]).packed for place in (sender, 1 - sender))
    ports = (40000, BGP) if sender == 0 else (BGP, 40000)
    head = struct.pack("!HHIIBBHHH", *ports, seq, ack, (20 + len(options)) << 2, flags, 512, 0, 0)
    tcp = with_checksum(head + options + payload, src, dst)
    ip = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(tcp), 0, 0x4000, 1, 6, 0) + src + dst
    return ip[:10] + internet_checksum(ip).to_bytes(2, "big") + ip[12:] + tcp


def costs(algorithm: Algorithm, size: int) -> tuple[float, float, float]:
    """Return microseconds for a segment: its bare MAC with a cached traffic key; to sign it; to verify and strip it."""
    judges = [PacketJudge(lambda _event: None) for _ in range(2)]
    for place, judge in enumerate(judges):
        judge.set_sessions([ProtectedSession(ip_address(ADDRESSES[1 - place]), BGP, chain(algorithm))], NOW)
    for sender, seq, ack, flags in ((0, 1, 0, SYN), (1, 9, 2, SYN | ACK), (0, 2, 10, ACK)):
        opening = packet(sender, seq, ack, flags)
        signed = judges[sender].outbound(opening, 0, len(opening), NOW, 0) or b""
        judges[1 - sender].inbound(signed, 0, len(signed), NOW, 0)
    data = packet(0, 2, 10, ACK, TIMESTAMPS, bytes(size))
    signed = judges[0].outbound(data, 0, len(data), NOW, 0) or b""
    (connection,) = judges[0].table.connections()
    mkt = connection.session.mkts[0]
    # Of the message's length: SNE and pseudo header, TCP header with time stamps and TCP-AO, payload.
    key, message = connection.key_out(0, mkt), bytes(16 + 48 + size)
    return (
        microseconds(lambda: key.mac(message)),
        microseconds(lambda: judges[0].outbound(data, 0, len(data), NOW, 0)),
        microseconds(lambda: judges[1].inbound(signed, 0, len(signed), NOW, 0)),
    )


def microseconds(call: Callable[[], object]) -> float:
    """Return the median over ROUNDS of the mean time of SEGMENTS calls, in microseconds."""
    found = []
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        for _ in range(SEGMENTS):
            call()
        found.append((time.perf_counter() - begun) / SEGMENTS * 1e6)
    return statistics.median(found)


async def bulk(algorithm: Algorithm | None, megabytes: int) -> float:
    """Return Mbit/s of one TCP connection between two kernels through two wire processes; None: an unprotected port."""
    spaces = [Space() for _ in range(4)]  # R1's kernel, R1's wire, R2's wire, R2's kernel
    clients, processes = [], []
    try:
        connect(spaces[1], "eth1", spaces[2], "eth1")
        for place, (kernel, wire) in enumerate(((spaces[0], spaces[1]), (spaces[3], spaces[2]))):
            connect(wire, "h0", kernel, "ge-0-0-0")
            kernel.within(lambda: disable_offloads("ge-0-0-0"))
            kernel.run("ip", "addr", "add", f"{ADDRESSES[place]}/30", "dev", "ge-0-0-0")
            ours, theirs = socket.socketpair()
            command = [sys.executable, "-m", "keyroll.emulator.wire", "--control-fd", str(theirs.fileno())]
            with theirs:
                processes.append(wire.popen(*command, "--pair", "h0:eth1", fds=[theirs.fileno()]))
            clients.append(WireClient(ours))
            sessions = [] if algorithm is None else [
                ProtectedSession(ip_address(ADDRESSES[1 - place]), BGP, chain(algorithm))
            ]  # fmt: skip
            await clients[-1].connect(sessions)
        port = COPIED_PORT if algorithm is None else BGP
        rates = [await asyncio.to_thread(transfer, spaces[0], spaces[3], port, megabytes) for _ in range(ROUNDS)]
        return statistics.median(rates)
    finally:
        for client in clients:
            await client.close()
        for process in processes:
            process.wait()
        for space in spaces:
            space.end()


def transfer(near: Space, far: Space, port: int, megabytes: int) -> float:
    """Send `megabytes` MiB from one kernel to the other; return Mbit/s."""
    with far.tcp() as listening:
        listening.bind((ADDRESSES[1], port))
        listening.listen()
        with near.tcp() as source:
            source.connect((ADDRESSES[1], port))
            sink, _ = listening.accept()
            with sink:
                octets = bytes(megabytes << 20)
                sending = threading.Thread(target=source.sendall, args=(octets,))
                begun = time.perf_counter()
                sending.start()
                left = len(octets)
                while left:
                    left -= len(sink.recv(min(left, 1 << 20)))
                took = time.perf_counter() - begun
                sending.join()
    return len(octets) * 8 / took / 1e6


class Space:
    """An anonymous network namespace that a child process keeps alive."""

    def __init__(self) -> None:
        self._holder = subprocess.Popen(
            ["unshare", "--net", "sh", "-c", "echo; exec sleep 3600"], stdout=subprocess.PIPE
        )
        if self._holder.stdout is not None:
            self._holder.stdout.readline()
        self.pid = self._holder.pid
        self._path = f"/proc/{self.pid}/ns/net"

    def run(self, *argv: str) -> None:
        """Run a command in the namespace."""
        subprocess.run(["nsenter", f"--net={self._path}", *argv], check=True)

    def popen(self, *argv: str, fds: list[int]) -> subprocess.Popen[bytes]:
        """Start a command in the namespace."""
        return subprocess.Popen(["nsenter", f"--net={self._path}", *argv], pass_fds=fds)

    def within(self, call: Callable[[], object]) -> object:
        """Call in the namespace, from a thread that enters it."""
        made: list[object] = []

        def enter() -> None:
            with Path(self._path).open("rb") as net:
                ctypes.CDLL(None).setns(net.fileno(), 0)
            made.append(call())

        thread = threading.Thread(target=enter)
        thread.start()
        thread.join()
        return made[0]

    def tcp(self) -> socket.socket:
        """Return a TCP socket of the namespace."""
        sock = self.within(lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM))
        if not isinstance(sock, socket.socket):
            raise TypeError("no socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        return sock

    def end(self) -> None:
        """End the process that holds it, and so the namespace."""
        self._holder.kill()
        self._holder.communicate()


def connect(first: Space, name: str, second: Space, other: str) -> None:
    """Connect two namespaces by a veth."""
    first.run("ip", "link", "add", name, "type", "veth", "peer", "name", other, "netns", str(second.pid))
    for space, interface in ((first, name), (second, other)):
        space.run("ip", "link", "set", interface, "up")


if __name__ == "__main__":
    sys.exit(main())
