"""The wire process: an event loop over the control socket and the packet sockets of every port.

No frame is carried before the first `sessions` order: until then the process does not know what is protected. Frames
wait in the sockets meanwhile.
"""

from __future__ import annotations

import errno
import logging
import selectors
import socket
import time
from collections.abc import Iterable, Sequence

from keyroll.emulator.contract.offload import disable_offloads
from keyroll.emulator.wire import protocol
from keyroll.emulator.wire.bump.headers import ETHERTYPE_IPV4, ETHERTYPE_IPV6, network_offset
from keyroll.emulator.wire.bump.packet_judge import PacketJudge
from keyroll.emulator.wire.model import Direction, VlanUnit, WireError, WireEvent
from keyroll.emulator.wire.run.sockets import (
    FRAME_MAX,
    PLAIN,
    VNET,
    PacketSocket,
    put_tag,
    take_tag,
    vlan_of,
    with_full_checksum,
)
from keyroll.errors import RunError
from keyroll.names import DropReason

BATCH = 64
"""Frames carried from one socket before the next socket is read: about a millisecond of work."""
ORDERS = ("units", "sessions", "clock", "status", "records", "stop")
"""The orders; an error lists these and does not quote the unknown one, which may be a misplaced secret."""
TICK = 1.0
"""Seconds between two calls of `PacketJudge.tick`: drops are reported once a second."""
UNSENT_MAX = 4 * 1024 * 1024
"""Octets kept for a supervisor that does not read. Beyond it events are discarded; answers never are."""
_READ = 1 << 16
"""Octets of orders read at once."""
_log = logging.getLogger(__name__)


class Pair:
    """One port of the router: its host sides (towards the kernel) and its wire side (towards the neighbour).

    `host` is the port's first host side, untagged unless a unit gives it a VLAN; the others belong to units with a
    VLAN.
    """

    def __init__(self, host: str, wire: str) -> None:
        disable_offloads(host)
        self.host = PacketSocket(host)
        self.wire = PacketSocket(wire)
        self.units: dict[int, PacketSocket] = {}
        """By VLAN identifier."""
        self._further: dict[str, PacketSocket] = {}

    @property
    def hosts(self) -> tuple[PacketSocket, ...]:
        """Every host side."""
        return (self.host, *self._further.values())

    def tag_of(self, host: PacketSocket) -> int | None:
        """Return the VLAN identifier of a host side's frames on the wire; None: no tag."""
        return next((vlan for vlan, sock in self.units.items() if sock is host), None)

    def receiver(self, vlan: int | None) -> PacketSocket | None:
        """Return the host side for a frame of the wire; None: no unit has that VLAN.

        Frames without a unit go to `host`, whose kernel drops those of a VLAN it does not have. If a unit gave `host` a
        VLAN, it gets frames of that VLAN only.
        """
        if vlan in self.units:
            return self.units[vlan]
        return None if self.tag_of(self.host) is not None else self.host

    def set_units(self, wanted: Iterable[VlanUnit]) -> tuple[list[PacketSocket], list[PacketSocket]]:
        """Open the host sides of new units.

        Return the new ones and those that the caller is to close. Raises WireError.
        """
        tags = {unit.host: unit.vlan for unit in wanted}
        new: dict[str, PacketSocket] = {}
        try:
            for name in tags:
                if name != self.host.ifname and name not in self._further:
                    disable_offloads(name)
                    new[name] = PacketSocket(name)
        except RunError as error:
            for sock in new.values():
                sock.close()
            raise WireError(error.message, remedy=error.remedy) from error
        gone = [self._further.pop(name) for name in [*self._further] if name not in tags]
        self._further |= new
        self.units = {vlan: self._further.get(name, self.host) for name, vlan in tags.items()}
        return [*new.values()], gone


class WireProcess:
    """Carries frames between the sides of each port and carries out orders.

    `run` returns when the control socket ends.
    """

    def __init__(self, control: socket.socket, pairs: Sequence[tuple[str, str]]) -> None:
        """Open every interface. Raises WireError."""
        self._control = control
        self._control.settimeout(0)
        self._unsent = bytearray()
        self._unread = bytearray()
        self._buffer = bytearray(FRAME_MAX)
        self._view = memoryview(self._buffer)
        self._offset = 0
        self._over = False
        self._carrying = False
        self._judge = PacketJudge(self._tell)
        self._pairs = [Pair(host, wire) for host, wire in pairs]
        self._poll = selectors.DefaultSelector()
        self._poll.register(control, selectors.EVENT_READ, None)

    def run(self) -> None:
        """Carry frames until the control socket ends or `stop` is ordered.

        Raises WireError if an interface is removed.
        """
        self._write(protocol.to_line({"event": "ready"}))
        tick_at = time.monotonic() + TICK
        while not self._over:
            ready = self._poll.select(max(0.0, tick_at - time.monotonic()))
            # Orders first, so that waiting frames are judged by the newest table.
            for key, mask in sorted(ready, key=lambda found: found[0].data is not None):
                if key.data is not None:
                    if key.data[1].fileno() >= 0:  # else an order in this round has closed it
                        self._carry(*key.data)
                elif mask & selectors.EVENT_WRITE:
                    self._write(b"")
                else:
                    self._read_orders()
            if time.monotonic() >= tick_at:
                self._judge.tick(self._now(), time.monotonic_ns())
                tick_at = time.monotonic() + TICK
        self._write(b"")
        for pair in self._pairs:
            for sock in (*pair.hosts, pair.wire):
                sock.close()
        self._control.close()

    def _now(self) -> int:
        return time.time_ns() + self._offset

    # -- frames -------------------------------------------------------------------------------------------------------

    def _carry(self, pair: Pair, source: PacketSocket, direction: Direction) -> None:
        buffer, view = self._buffer, self._view
        judge = self._judge.outbound if direction is Direction.OUT else self._judge.inbound
        passed = self._judge.report.passed
        target: PacketSocket | None = pair.wire if direction is Direction.OUT else pair.host
        tag = pair.tag_of(source)
        for _ in range(BATCH):
            end = source.receive(buffer)
            if not end:
                return
            if tag is not None:
                end = put_tag(buffer, end, tag)
            elif pair.units and direction is Direction.IN:
                vlan = vlan_of(buffer, end)
                target = pair.receiver(vlan)
                if target is None:
                    continue  # as a router's port drops frames of a VLAN that no unit of it has
                end = take_tag(buffer, end) if vlan in pair.units else end
            assert target is not None  # noqa: S101 - without units the port's own
            ethertype, start = network_offset(buffer, VNET, end)
            if ethertype not in (ETHERTYPE_IPV4, ETHERTYPE_IPV6):
                self._forward(target, view[:end], direction)
                passed[direction] += 1
                continue
            packet = judge(with_full_checksum(buffer, end), start, end, self._now(), time.monotonic_ns())
            if packet is None:
                continue
            if packet:
                self._forward(target, b"".join((PLAIN, view[VNET:start], packet)), direction)
            else:
                self._forward(target, view[:end], direction)
                passed[direction] += 1

    def _forward(self, target: PacketSocket, frame: bytes | memoryview, direction: Direction) -> None:
        error = target.send(frame)
        if error is None:
            return
        reason = DropReason.NO_ROOM if error.errno == errno.EMSGSIZE else DropReason.CONGESTION
        self._judge.report.drop(None, direction, reason, self._now(), time.monotonic_ns())
        if error.errno not in (errno.EMSGSIZE, errno.EAGAIN, errno.ENOBUFS, errno.ENETDOWN, errno.EIO):
            raise WireError(f"the interface {target.ifname} does not take frames: {error.strerror}") from error

    # -- control ------------------------------------------------------------------------------------------------------

    def _tell(self, event: WireEvent) -> None:
        if len(self._unsent) < UNSENT_MAX:
            self._write(protocol.to_line(protocol.encode_event(event)))

    def _read_orders(self) -> None:
        try:
            octets = self._control.recv(_READ)
        except BlockingIOError:
            return
        except ConnectionResetError:
            octets = b""
        if not octets:
            self._over = True
            return
        self._unread += octets
        while not self._over and (end := self._unread.find(b"\n")) >= 0:
            line = bytes(self._unread[:end])
            del self._unread[: end + 1]
            self._answer(line)

    def _answer(self, line: bytes) -> None:
        asked: object = None
        try:
            order = protocol.from_line(line)
            asked = order.get("id")
            answer = {"id": asked, "ok": True, **self._execute(order)}
        except WireError as error:
            _log.warning("an order was refused: %s", error)
            answer = {"id": asked, "ok": False, "error": str(error)}
        self._write(protocol.to_line(answer))

    def _execute(self, order: protocol.Json) -> protocol.Json:
        now, mono = self._now(), time.monotonic_ns()
        match order.get("op"):
            case "units":
                self._set_units(order)
            case "sessions":
                return {"restored": self._set_sessions(order, now, mono)}
            case "clock":
                offset = order.get("offset_ns")
                if not isinstance(offset, int):
                    raise WireError("'clock' needs offset_ns, in whole nanoseconds")
                self._offset = offset
            case "status":
                return {"status": protocol.encode_status(self._judge.status(now, mono, self._offset))}
            case "records":
                return {"records": [protocol.encode_record(record) for record in self._judge.records()]}
            case "stop":
                self._over = True
            case _:
                raise WireError(f"unknown order: use one of {', '.join(ORDERS)}")
        return {}

    def _set_sessions(self, order: protocol.Json, now: int, mono: int) -> int:
        """Replace the table and continue a former process' connections; no frame is judged in between."""
        sessions = [protocol.decode_session(session) for session in _listed(order, "sessions")]
        records = [protocol.decode_record(record) for record in _listed(order, "records")] if "records" in order else []
        self._judge.set_sessions(sessions, now)
        restored = self._judge.restore(records, now, mono)
        if not self._carrying:
            self._carrying = True
            for pair in self._pairs:
                self._poll.register(pair.wire, selectors.EVENT_READ, (pair, pair.wire, Direction.IN))
                for host in pair.hosts:
                    self._carry_from(pair, host)
        return restored

    def _carry_from(self, pair: Pair, host: PacketSocket) -> None:
        self._poll.register(host, selectors.EVENT_READ, (pair, host, Direction.OUT))

    def _set_units(self, order: protocol.Json) -> None:
        """Replace the table of units with a VLAN. The caller creates interfaces before it, and deletes them after."""
        units = [protocol.decode_unit(unit) for unit in _listed(order, "units")]
        for pair in self._pairs:
            new, gone = pair.set_units(unit for unit in units if unit.wire == pair.wire.ifname)
            for host in new if self._carrying else ():
                self._carry_from(pair, host)
            for host in gone:
                if self._carrying:
                    self._poll.unregister(host)
                host.close()

    def _write(self, octets: bytes) -> None:
        self._unsent += octets
        try:
            sent = self._control.send(self._unsent) if self._unsent else 0
        except BlockingIOError:
            sent = 0
        except (BrokenPipeError, ConnectionResetError):
            self._over = True
            return
        del self._unsent[:sent]
        wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if self._unsent else 0)
        if self._poll.get_key(self._control).events != wanted:
            self._poll.modify(self._control, wanted, None)


def _listed(order: protocol.Json, field: str) -> list[object]:
    value = order.get(field)
    if not isinstance(value, list):
        raise WireError(f"'sessions' needs a list of {field}")
    return value
