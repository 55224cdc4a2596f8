"""Two routers' kernels, two wire processes and the link between them, in anonymous network namespaces.

    [inner R1: ge-0-0-0] -- h0 [outer R1: wire process] eth1 -- eth1 [outer R2: wire process] h0 -- [ge-0-0-0: inner R2]

A namespace lives as long as the process that holds it; ending that process leaves nothing behind.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import json
import os
import random
import select
import selectors
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest

from harness.emulator.keyclock import ReceivePolicy, SendPolicy
from harness.emulator.wire.client import WireClient
from harness.emulator.wire.model import ProtectedSession, WireEvent
from harness.emulator.wire.offload import disable_offloads
from harness.keychain.model import Algorithm, Key, Keychain
from harness.keychain.secret import Secret
from harness.lab.embedded.capture import Capture, file_header, open_socket
from harness.tcpao import (
    ACK,
    RST,
    SYN,
    Mkt,
    Segment,
    SneTracker,
    parse_segment,
    verify_segment,
)
from harness.tcpao import (
    Algorithm as MacAlgorithm,
)

T0 = datetime(2030, 1, 1, tzinfo=UTC)
ADDRESSES = {4: ("10.0.12.1", "10.0.12.2"), 6: ("2001:db8:12::1", "2001:db8:12::2")}
PORT = 179
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


class Loop:
    """An event loop in a thread, for the asynchronous client."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()

    def run(self, awaitable):
        return asyncio.run_coroutine_threadsafe(awaitable, self._loop).result(30)

    def end(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


class Nursery:
    """Where wire processes come from (see `nursery.py`)."""

    def __init__(self) -> None:
        self._orders, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            command = [sys.executable, str(Path(__file__).with_name("nursery.py")), str(theirs.fileno())]
            self._program = subprocess.Popen(command, pass_fds=[theirs.fileno()])

    def start(self, pairs: list[list[str]], control: socket.socket, log: int, namespace: Namespace) -> WireProcess:
        with Path(namespace.path).open("rb") as net:
            return WireProcess(self, self._ask([control.fileno(), log, net.fileno()], op="start", pairs=pairs))

    def code_of(self, pid: int) -> int:
        return self._ask([], op="code", pid=pid)

    def _ask(self, descriptors: list[int], **order: object) -> int:
        socket.send_fds(self._orders, [json.dumps(order).encode()], descriptors)
        return json.loads(self._orders.recv(100))

    def end(self) -> None:
        self._orders.close()
        self._program.wait(10)


class WireProcess:
    """A process of the nursery, with what a `subprocess.Popen` has of it."""

    def __init__(self, nursery: Nursery, pid: int) -> None:
        self._nursery, self._pid = nursery, pid
        self._pidfd = os.pidfd_open(pid)
        self._code: int | None = None

    def poll(self) -> int | None:
        if self._code is None and select.select([self._pidfd], [], [], 0)[0]:
            self.wait()
        return self._code

    def wait(self, seconds: float | None = None) -> int:
        if self._code is None:
            assert select.select([self._pidfd], [], [], seconds)[0], f"it runs after {seconds} s"
            self._code = self._nursery.code_of(self._pid)
            os.close(self._pidfd)
        return self._code

    def kill(self) -> None:
        if self._code is None:
            signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)


@dataclass
class Bump:
    """One router: its two namespaces and its wire process."""

    inner: Namespace
    outer: Namespace
    loop: Loop
    nursery: Nursery
    process: WireProcess = field(init=False)
    client: WireClient = field(init=False)
    events: list[WireEvent] = field(default_factory=list)
    log: Path | None = None

    def start(self, sessions=(), records=()) -> None:
        ours, theirs = socket.socketpair()
        with theirs, self.log.open("ab") as log:
            self.process = self.nursery.start([["h0", "eth1"]], theirs, log.fileno(), self.outer)
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

    def status(self):
        return self.loop.run(self.client.status())

    def dropped(self) -> dict[tuple[str, str], int]:
        return {(way.value, reason.value): count for (way, reason), count in self.status().drops.items()}


@dataclass(frozen=True)
class Sent:
    """A captured segment with who sent it (0 or 1) and when (monotonic order of the file)."""

    sender: int
    segment: Segment


class Link:
    """A link of our own between two interfaces of a namespace, which loses, repeats and delays frames from a seed."""

    def __init__(self, namespace: Namespace, interfaces: tuple[str, str], *, seed: int) -> None:
        self._random = random.Random(seed)
        self.loss = self.repeat = self.swap = 0.0
        self.hold: list[tuple[socket.socket, bytes]] | None = None
        self._stop_reading, self._stop = socket.socketpair()
        self._ends = [namespace.within(lambda name=name: packet_socket(name)) for name in interfaces]
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        poll = selectors.DefaultSelector()
        poll.register(self._stop_reading, selectors.EVENT_READ)
        for source, target in (self._ends, reversed(self._ends)):
            poll.register(source, selectors.EVENT_READ, target)
        late: list[tuple[socket.socket, bytes]] = []
        while True:
            for ready, _ in poll.select(0.002 if late else None):
                if ready.data is None:
                    return
                with contextlib.suppress(BlockingIOError, OSError):
                    while True:
                        frame = ready.fileobj.recv(65536)
                        self._take(ready.data, frame, late)
            for target, frame in late:
                target.send(frame)
            late.clear()

    def _take(self, target: socket.socket, frame: bytes, late: list) -> None:
        if self.hold is not None:
            self.hold.append((target, frame))
        elif self._random.random() < self.loss:
            return
        elif self._random.random() < self.swap:
            late.append((target, frame))
        else:
            target.send(frame)
            if self._random.random() < self.repeat:
                target.send(frame)

    def release(self) -> None:
        """Let go of what was held, in order, and hold no longer."""
        held, self.hold = self.hold or [], None
        for target, frame in held:
            target.send(frame)

    def pause(self) -> None:
        if self._thread.is_alive():
            self._stop.send(b"x")
            self._thread.join()

    def end(self) -> None:
        self.pause()
        for sock in (*self._ends, self._stop, self._stop_reading):
            sock.close()


def packet_socket(interface: str) -> socket.socket:
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    sock.setsockopt(263, 23, 1)  # PACKET_IGNORE_OUTGOING
    sock.setsockopt(socket.SOL_SOCKET, 33, 1 << 25)  # SO_RCVBUFFORCE
    sock.bind((interface, 3))
    sock.settimeout(0)
    return sock


IP_ETHERTYPES = (b"\x08\x00", b"\x86\xdd")


class Recording:
    """Drains a packet socket into a file, in a thread, until it is ended."""

    def __init__(self, packet: socket.socket, path: Path) -> None:
        self._packet, self._stop = packet, os.pipe()
        self._out = path.open("w+b", buffering=0)
        self._stats = path.with_suffix(".stats").open("w+b", buffering=0)
        self._out.write(file_header())
        drain = Capture(packet, self._out.fileno(), self._stats.fileno()).run
        self._thread = threading.Thread(target=drain, args=(self._stop[0],))
        self._thread.start()

    def end(self) -> None:
        os.close(self._stop[1])
        self._thread.join()
        os.close(self._stop[0])
        for one in (self._packet, self._out, self._stats):
            one.close()


class Rig:
    """Both routers, the link and its capture."""

    def __init__(self, folder: Path, nursery: Nursery) -> None:
        self.loop = Loop()
        self.bumps = [Bump(Namespace(), Namespace(), self.loop, nursery) for _ in range(2)]
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
        until(lambda: self._captured() == self._captured(pause=0.05), "capture quiet")
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

    def connect(self, router: int, family: int = 4, port: int = PORT, timeout: float = 10) -> socket.socket:
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
            far.settimeout(10)
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
        """Stop the link and return both its ends; the test is the link from now on."""
        self.link.pause()
        return self.link._ends

    def inject(self, router: int, frame: bytes) -> None:
        """Send a frame from the link to a router."""
        self.link._ends[router].send(frame)

    def headers(self, sender: int) -> bytes:
        """The Ethernet header of an IPv4 frame that `sender` sends to the other."""
        macs = [
            bytes.fromhex(
                json.loads(bump.inner.run("ip", "-j", "link", "show", "ge-0-0-0"))[0]["address"].replace(":", "")
            )
            for bump in self.bumps
        ]
        return macs[1 - sender] + macs[sender] + b"\x08\x00"


def until(holds: Callable[[], bool], what: str, seconds: float = 10.0) -> None:
    """Poll until it holds; the deadline starts now."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"within {seconds} s: {what}"
        threading.Event().wait(0.01)


def chain(*keys: Key, tolerance: int = 3600) -> Keychain:
    return Keychain("chain", keys, tolerance=tolerance)


def key(
    number: int,
    start: timedelta = timedelta(0),
    *,
    send: int | None = None,
    recv: int | None = None,
    secret: str | None = None,
    algorithm: Algorithm = Algorithm.HMAC_SHA_1_96,
    include_options: bool = True,
) -> Key:
    return Key(
        id=number,
        secret=Secret(secret or f"secret of key {number}"),
        start=T0 + start,
        scheme="ao",
        send_id=2 * number + 1 if send is None else send,
        recv_id=2 * number + 2 if recv is None else recv,
        tcp_ao_option=True,
        algorithm=algorithm,
        include_options=include_options,
    )


def session(
    router: int,
    keychain: Keychain,
    *,
    family: int = 4,
    port: int = PORT,
    sending: SendPolicy = SendPolicy.CLOCK,
    receiving: ReceivePolicy = ReceivePolicy.TOLERANCE,
    allow: bool = False,
) -> ProtectedSession:
    """The session of `router` with the other; the chain is R1's, R2 gets its mirror."""
    return ProtectedSession(
        peer=ip_address(ADDRESSES[family][1 - router]),
        port=port,
        chain=keychain if router == 0 else keychain.mirrored(),
        sending=sending,
        receiving=receiving,
        allow_without_ao=allow,
    )


def mkts_of(keychain: Keychain) -> list[Mkt]:
    """The MKTs as R1 has them."""
    return [
        Mkt(
            name=str(entry.id),
            algorithm=MacAlgorithm(entry.effective_algorithm.value),
            master_key=entry.secret.reveal(),
            send_id=entry.send_id,
            recv_id=entry.recv_id,
            include_options=entry.include_options,
        )
        for entry in keychain.keys
    ]


class Judge:
    """Verifies every segment of one capture, with ISNs taken from its SYNs and SYN-ACKs alone."""

    def __init__(self, keychain: Keychain) -> None:
        self._mkts = mkts_of(keychain)
        self._isns: dict[tuple, tuple[int, int]] = {}
        self._sne: dict[tuple, SneTracker] = {}
        self._refused: dict[tuple, int] = {}

    def key_of(self, sent: Sent) -> int:
        """Return the key number of a segment that verifies; fails the test for any other."""
        seg = sent.segment
        ao = seg.scan().ao
        assert ao is not None, f"unsigned: {seg.flag_letters} seq {seg.seq}"
        mkt = next((m for m in self._mkts if ao.key_id == (m.send_id, m.recv_id)[sent.sender]), None)
        assert mkt is not None, f"unknown KeyID {ao.key_id}"
        way = (seg.src, seg.sport, seg.dst, seg.dport)
        back = (seg.dst, seg.dport, seg.src, seg.sport)
        if seg.flags & (SYN | ACK) == SYN:
            isns = (seg.seq, 0)
            self._refused[back] = seg.seq
        elif seg.flags & SYN:
            isns = self._isns[way] = (seg.seq, (seg.ack - 1) & 0xFFFFFFFF)
            self._isns[back] = (isns[1], isns[0])
            self._sne[way], self._sne[back] = SneTracker(isns[0]), SneTracker(isns[1])
        elif way not in self._isns:
            assert seg.flags & RST
            isns = (0, self._refused[way])
        else:
            isns = self._isns[way]
        tracker = self._sne.get(way)
        sne = tracker.sne_for(seg.seq) if tracker is not None and seg.flags & (SYN | ACK) != SYN else 0
        good = verify_segment(seg, ao, key=mkt.key_for(seg, *isns), sne=sne, include_options=mkt.include_options)
        assert good, f"bad MAC under key {mkt.name}: {seg.flag_letters} seq {seg.seq}"
        if tracker is not None and not seg.flags & RST:
            tracker.commit(seg.seq)
        return int(mkt.name)


@dataclass(frozen=True)
class Tools:
    """What tests use besides the rig (conftest modules are not imported by tests)."""

    key = staticmethod(key)
    chain = staticmethod(chain)
    session = staticmethod(session)
    until = staticmethod(until)
    packet_socket = staticmethod(packet_socket)
    Namespace = Namespace
    Judge = Judge
    T0 = T0
    addresses = ADDRESSES


@pytest.fixture
def tools() -> Tools:
    return Tools()


@pytest.fixture(scope="session")
def nursery() -> Iterator[Nursery]:
    made = Nursery()
    yield made
    made.end()


@pytest.fixture
def rig(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Rig]:
    if os.geteuid() != 0:
        pytest.skip("network namespaces need root here")
    made = Rig(tmp_path, request.getfixturevalue("nursery"))
    try:
        yield made
    finally:
        made.end()
