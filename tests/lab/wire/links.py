"""The link between the two routers of the tests: it can lose, repeat, delay and hold frames. And its recording."""

from __future__ import annotations

import contextlib
import os
import random
import selectors
import socket
import threading
from functools import partial
from pathlib import Path

from tests.lab.wire.namespaces import Namespace
from tests.unit.known import known

from keyroll.lab.local.recorder import Capture, file_header


class Link:
    """Forwards frames between two interfaces of a namespace; loses, repeats and delays them as its seed decides.

    `loss`, `repeat` and `swap` are shares from 0 to 1. If `hold` is a list, frames are put into it and not sent.
    """

    def __init__(self, namespace: Namespace, interfaces: tuple[str, str], *, seed: int) -> None:
        self._random = random.Random(seed)
        self.loss = self.repeat = self.swap = 0.0
        self.hold: list[tuple[socket.socket, bytes]] | None = None
        self._stop_reading, self._stop = socket.socketpair()
        self._ends = [namespace.within(partial(packet_socket, name)) for name in interfaces]
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        poll = selectors.DefaultSelector()
        poll.register(self._stop_reading, selectors.EVENT_READ)
        for source, target in (self._ends, reversed(self._ends)):
            poll.register(source, selectors.EVENT_READ, (source, target))
        late: list[tuple[socket.socket, bytes]] = []
        while True:
            for ready, _ in poll.select(0.002 if late else None):
                if ready.data is None:
                    return
                source, target = ready.data
                with contextlib.suppress(BlockingIOError, OSError):
                    while True:
                        self._take(target, source.recv(65536), late)
            for target, frame in late:
                target.send(frame)
            late.clear()

    def _take(self, target: socket.socket, frame: bytes, late: list[tuple[socket.socket, bytes]]) -> None:
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
        """Send the held frames in order, and hold no more."""
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


def held_syns(link: Link) -> int:
    """Forward held ARP frames, without which no SYN is sent; return from how many routers IPv4 frames are held."""
    held = known(link.hold)
    for target, frame in list(held):
        if frame[12:14] == b"\x08\x06":
            held.remove((target, frame))
            target.send(frame)
    return len({target for target, frame in held if frame[12:14] == b"\x08\x00"})


def packet_socket(interface: str) -> socket.socket:
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    sock.setsockopt(263, 23, 1)  # PACKET_IGNORE_OUTGOING
    sock.setsockopt(socket.SOL_SOCKET, 33, 1 << 25)  # SO_RCVBUFFORCE
    sock.bind((interface, 3))
    sock.settimeout(0)
    return sock


class Recording:
    """Writes the frames of a packet socket into a file, in a thread, until `end`."""

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
