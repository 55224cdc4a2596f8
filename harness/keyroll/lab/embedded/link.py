"""A link between two routers: carries frames between its two ends, and can cut, lose, delay, reorder, damage, inject.

Each router's `eth1` is one end of a veth; the other ends (one a side) lie in the lab's own namespace, and this
process carries frames between them. So impairment lies outside the captures at the routers' wire ports: sent frames
are captured before it, received ones after it. Whatever is not plainly carried is written down with the SHA-256 of
the frame, so that a judge knows injected, damaged and lost frames from the routers' own.

Orders come as messages of `channel`: {"op": "impair", "towards": 0|1, …}, {"op": "inject", "towards": …, "frame":
hex}, {"op": "cut"}, {"op": "restore"}, {"op": "cross-syns", "port": …}, {"op": "ping"}; each is answered, with the
order's `id`.
"""

from __future__ import annotations

import contextlib
import hashlib
import heapq
import itertools
import json
import os
import random
import select
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass

from keyroll.lab.embedded.syn_crossing import SynCrossing
from keyroll.lab.local import channel
from keyroll.lab.protocol import Impairment, LabError

_SOL_PACKET = 263
_PACKET_IGNORE_OUTGOING = 23
_SO_RCVBUFFORCE = 33
_SO_SNDBUFFORCE = 32
_BUFFER = 16 << 20
_ETH_P_ALL = 0x0003
_FRAME_MAX = 65536
_BATCH = 64


NOTHING = Impairment()


@dataclass(frozen=True, slots=True)
class Fate:
    """What becomes of one frame: when it goes out (seconds from now; None: never), as which octets, and why."""

    after: float | None
    frame: bytes
    what: str | None = None


class Direction:
    """The frames in one direction, under an impairment. Pure but for the order of calls: same seed, same fates."""

    def __init__(self, impairment: Impairment = NOTHING) -> None:
        self._impairment = impairment
        self._chance = random.Random(impairment.seed)  # noqa: S311 - repeatable on purpose
        self.plain = impairment == Impairment(seed=impairment.seed, hold=impairment.hold)

    def fate(self, frame: bytes) -> Fate:
        """Decide about the next frame."""
        rules = self._impairment
        if rules.loss and self._chance.random() < rules.loss:
            return Fate(None, frame, "lost")
        what = None
        if rules.damage and self._chance.random() < rules.damage and len(frame) > _ETHERNET:
            place = self._chance.randrange(_ETHERNET * 8, len(frame) * 8)
            damaged = bytearray(frame)
            damaged[place // 8] ^= 1 << (place % 8)
            frame, what = bytes(damaged), "damaged"
        after = rules.delay
        if rules.jitter:
            after += self._chance.uniform(0, rules.jitter)
        if rules.reorder and self._chance.random() < rules.reorder:
            after += rules.hold
        return Fate(after, frame, what)


_ETHERNET = 14


def open_end(interface: str) -> socket.socket:
    """Return a packet socket that carries frames over `interface` of the present namespace. Raises OSError."""
    end = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0)
    try:
        end.setsockopt(_SOL_PACKET, _PACKET_IGNORE_OUTGOING, 1)
        for forced, plain in ((_SO_RCVBUFFORCE, socket.SO_RCVBUF), (_SO_SNDBUFFORCE, socket.SO_SNDBUF)):
            try:
                end.setsockopt(socket.SOL_SOCKET, forced, _BUFFER)
            except PermissionError:  # in a user namespace the host's limits hold
                end.setsockopt(socket.SOL_SOCKET, plain, _BUFFER)
        end.settimeout(0)
        end.bind((interface, _ETH_P_ALL))
    except OSError:
        end.close()
        raise
    return end


class Link:
    """Carries frames between `ends`, and obeys orders. `book` is the descriptor of the file of special frames."""

    def __init__(self, ends: tuple[socket.socket, socket.socket], orders: socket.socket, book: int) -> None:
        self._ends = ends
        self._orders = orders
        self._book = book
        self._directions = [Direction(), Direction()]
        self._cut = False
        self._crossing: SynCrossing | None = None
        self._held: list[tuple[float, int, int, bytes]] = []
        self._number = itertools.count()
        self._buffer = bytearray(_FRAME_MAX)

    def run(self) -> None:
        """Carry frames until the orders' channel ends."""
        poll = select.poll()
        for source in (*self._ends, self._orders):
            poll.register(source, select.POLLIN)
        places = {end.fileno(): place for place, end in enumerate(self._ends)}
        while True:
            for fd, _ in poll.poll(self._patience()):
                if fd in places:
                    self._carry(places[fd])
                elif not self._obey():
                    return
            self._release()

    def _patience(self) -> float | None:
        return max(0.0, (self._held[0][0] - time.monotonic()) * 1000) if self._held else None

    def _frames(self, end: socket.socket) -> Iterator[memoryview]:
        view = memoryview(self._buffer)
        for _ in range(_BATCH):
            try:
                length = end.recv_into(self._buffer)
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno not in _LINK_DOWN:
                    raise
                return
            yield view[:length]

    def _carry(self, source: int) -> None:
        """Carry what came in at one end. Direction `n` leads towards end `n`."""
        towards = 1 - source
        direction = self._directions[towards]
        for frame in self._frames(self._ends[source]):
            if self._cut:
                self._write("cut", towards, bytes(frame))
            elif self._crossing is not None and self._cross(self._crossing, towards, bytes(frame)):
                continue
            elif direction.plain:
                self._send(towards, frame)
            else:
                self._dispose(towards, direction.fate(bytes(frame)))

    def _cross(self, crossing: SynCrossing, towards: int, frame: bytes) -> bool:
        """Say whether a frame is held, or was let go together with the one that it waited for."""
        freed = crossing.take(towards, frame, time.monotonic())
        for direction, held in freed or ():
            self._send(direction, held)
        if crossing.done:
            self._crossing = None
        return freed is not None

    def _dispose(self, towards: int, fate: Fate) -> None:
        if fate.what is not None:
            self._write(fate.what, towards, fate.frame)
        if fate.after is None:
            return
        if fate.after <= 0 and not self._held:
            self._send(towards, fate.frame)
        else:
            heapq.heappush(self._held, (time.monotonic() + fate.after, next(self._number), towards, fate.frame))

    def _release(self) -> None:
        now = time.monotonic()
        while self._held and self._held[0][0] <= now:
            _, _, towards, frame = heapq.heappop(self._held)
            self._send(towards, frame)

    def _send(self, towards: int, frame: bytes | memoryview) -> None:
        end = self._ends[towards]
        while True:
            try:
                end.send(frame)
            except BlockingIOError:
                select.select([], [end], [], _SEND_SECONDS)
                continue
            except OSError as error:
                if error.errno not in _LINK_DOWN and error.errno not in _NO_ROOM:
                    raise
            return

    def _obey(self) -> bool:
        received = channel.receive(self._orders)
        if received is None:
            return False
        try:
            answer = self._carry_out(received[0])
        except LabError as error:
            answer = {"ok": False, "error": str(error)}
        with contextlib.suppress(OSError):  # who asked may be gone; the channel's end says so by itself
            channel.send(self._orders, channel.answered(received[0], answer))
        return True

    def _carry_out(self, order: channel.Message) -> channel.Message:
        match order.get("op"):
            case "impair":
                self._directions[order["towards"]] = Direction(Impairment(**order["impairment"]))
            case "inject":
                frame = bytes.fromhex(order["frame"])
                self._write("injected", order["towards"], frame)
                self._send(order["towards"], frame)
                return {"ok": True, "sha256": hashlib.sha256(frame).hexdigest()}
            case "cut":
                self._cut = True
            case "restore":
                self._cut = False
                self._crossing = None
            case "cross-syns":
                self._crossing = SynCrossing(order["port"])
            case "ping":
                pass
            case other:
                raise LabError(f"a link does not know '{other}'")
        return {"ok": True}

    def _write(self, what: str, towards: int, frame: bytes) -> None:
        entry = {
            "ns": time.time_ns(),
            "what": what,
            "towards": towards,
            "sha256": hashlib.sha256(frame).hexdigest(),
            "length": len(frame),
        }
        os.write(self._book, json.dumps(entry).encode() + b"\n")


_LINK_DOWN = frozenset({100, 19})
"""ENETDOWN and ENODEV."""
_NO_ROOM = frozenset({105, 90})
"""ENOBUFS: the queue is full, as on any link; EMSGSIZE: longer than the link's MTU."""
_SEND_SECONDS = 1.0
