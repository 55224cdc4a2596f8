"""A link between two routers: forwards frames between its two ends, and can cut, lose, delay, reorder, damage, inject.

Each router's `eth1` is one end of a veth pair; the other ends are in the lab's own namespace, and this process forwards
frames between them. So the captures at the routers' wire ports see sent frames before impairment, and received frames
after it. The SHA-256 of each injected, damaged or dropped frame is logged, so that the referee can tell these frames
from the routers' own.

Orders are messages of `channel` (`keyroll.lab.local.link_controller` lists them); each answer has the order's `id`.
"""

from __future__ import annotations

import contextlib
import errno
import heapq
import itertools
import random
import select
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass

from keyroll import linux
from keyroll.lab.embedded.syn_crossing import SynCrossing
from keyroll.lab.local import channel, frame_log
from keyroll.lab.local.recorder import has_vlan_tag, with_vlan_tag
from keyroll.lab.protocol import Impairment, LabError

_BUFFER = 16 << 20
"""Socket buffer of each end, in octets: ten thousand full frames, some tenths of a second of a busy link, so that
nothing is lost while this process waits for a processor."""
_FRAME_MAX = 65536
"""Longest frame, in octets: with segmentation offload (TSO) a veth delivers frames up to this size."""
_BATCH = 64
"""Frames read from one end before the other end and the orders are served, so that neither waits long."""
_SEND_SECONDS = 1.0
"""Seconds to wait for room in a full queue before the next try; affects only the number of tries."""
_ANCILLARY = 64
"""Octets for the auxiliary data of each frame: 40, with a margin."""
_ETHERNET = 14
"""Octets of the Ethernet header, which damage leaves intact, so that the frame still reaches the router."""
_LINK_DOWN = frozenset({errno.ENETDOWN, errno.ENODEV})
_NO_ROOM = frozenset({errno.ENOBUFS, errno.EMSGSIZE})
"""The queue is full, as on any link; or the frame is longer than the link's MTU. Both lose the frame."""
NOTHING = Impairment()


@dataclass(frozen=True, slots=True)
class Outcome:
    """The fate of one frame: when it is sent (seconds from now; None: never), its octets, and the reason."""

    after: float | None
    frame: bytes
    what: str | None = None


class Direction:
    """Applies an impairment to the frames of one direction. Deterministic: same seed and frames, same outcomes."""

    def __init__(self, impairment: Impairment = NOTHING) -> None:
        self._impairment = impairment
        self._chance = random.Random(impairment.seed)  # noqa: S311 - repeatable on purpose
        self.plain = impairment == Impairment(seed=impairment.seed, hold=impairment.hold)

    def decide(self, frame: bytes) -> Outcome:
        """Decide about the next frame."""
        rules = self._impairment
        if rules.loss and self._chance.random() < rules.loss:
            return Outcome(None, frame, "lost")
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
        return Outcome(after, frame, what)


def open_end(interface: str) -> socket.socket:
    """Return a packet socket for the frames of `interface` in the current namespace. Raises OSError."""
    end = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0)
    try:
        end.setsockopt(linux.SOL_PACKET, linux.PACKET_IGNORE_OUTGOING, 1)
        # The kernel takes a VLAN tag out of the frame and reports it separately: without this the tag would be lost.
        end.setsockopt(linux.SOL_PACKET, linux.PACKET_AUXDATA, 1)
        for forced, plain in ((linux.SO_RCVBUFFORCE, socket.SO_RCVBUF), (linux.SO_SNDBUFFORCE, socket.SO_SNDBUF)):
            try:
                end.setsockopt(socket.SOL_SOCKET, forced, _BUFFER)
            except PermissionError:  # in a user namespace the host's limits apply
                end.setsockopt(socket.SOL_SOCKET, plain, _BUFFER)
        end.settimeout(0)
        end.bind((interface, linux.ETH_P_ALL))
    except OSError:
        end.close()
        raise
    return end


def _with_tag(frame: memoryview, ancillary: list[tuple[int, int, bytes]]) -> bytes | memoryview:
    for level, kind, data in ancillary:
        if level == linux.SOL_PACKET and kind == linux.PACKET_AUXDATA and has_vlan_tag(data):
            return with_vlan_tag(bytes(frame), data)
    return frame


class LinkProcess:
    """Forwards frames between `ends`, and executes orders. `frame_log` is the descriptor of the frame log."""

    def __init__(self, ends: tuple[socket.socket, socket.socket], orders: socket.socket, frame_log: int) -> None:
        self._ends = ends
        self._orders = orders
        self._frame_log = frame_log
        self._directions = [Direction(), Direction()]
        self._cut = False
        self._crossing: SynCrossing | None = None
        self._held: list[tuple[float, int, int, bytes]] = []
        self._number = itertools.count()
        self._buffer = bytearray(_FRAME_MAX)

    def run(self) -> None:
        """Forward frames until the channel of orders is closed."""
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

    def _frames(self, end: socket.socket) -> Iterator[bytes | memoryview]:
        view = memoryview(self._buffer)
        for _ in range(_BATCH):
            try:
                length, ancillary, _, _ = end.recvmsg_into([self._buffer], _ANCILLARY)
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno not in _LINK_DOWN:
                    raise
                return
            yield _with_tag(view[:length], ancillary)

    def _carry(self, source: int) -> None:
        """Forward the waiting frames of one end. Direction `n` leads towards end `n`."""
        towards = 1 - source
        direction = self._directions[towards]
        for frame in self._frames(self._ends[source]):
            if self._cut:
                frame_log.append(self._frame_log, "cut", towards, bytes(frame))
            elif self._crossing is not None and self._cross(self._crossing, towards, bytes(frame)):
                continue
            elif direction.plain:
                self._send(towards, frame)
            else:
                self._dispose(towards, direction.decide(bytes(frame)))

    def _cross(self, crossing: SynCrossing, towards: int, frame: bytes) -> bool:
        """Return whether a frame is held for now, or was sent together with the SYN that it waited for."""
        freed = crossing.take(towards, frame, time.monotonic())
        for direction, held in freed or ():
            self._send(direction, held)
        if crossing.done:
            self._crossing = None
        return freed is not None

    def _dispose(self, towards: int, outcome: Outcome) -> None:
        frame = outcome.frame
        if outcome.what is not None:
            frame_log.append(self._frame_log, outcome.what, towards, frame)
        if outcome.after is None:
            return
        if outcome.after <= 0 and not self._held:
            self._send(towards, frame)
        else:
            # The number keeps the order of frames with equal times, and avoids that the heap compares frames.
            heapq.heappush(self._held, (time.monotonic() + outcome.after, next(self._number), towards, frame))

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
        with contextlib.suppress(OSError):  # the requester may have ended; the main loop sees the end of the channel
            channel.send(self._orders, channel.answered(received[0], answer))
        return True

    def _carry_out(self, order: channel.Message) -> channel.Message:
        match order.get("op"):
            case "impair":
                self._directions[order["towards"]] = Direction(Impairment(**order["impairment"]))
            case "inject":
                frame = bytes.fromhex(order["frame"])
                digest = frame_log.append(self._frame_log, "injected", order["towards"], frame)
                self._send(order["towards"], frame)
                return {"ok": True, "sha256": digest}
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
                raise LabError(f"invalid order of a link: '{other}'")
        return {"ok": True}
