"""The supervisor's end of the wire path's control socket."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import TypeVar

from keyroll.emulator.wire import protocol
from keyroll.emulator.wire.model import (
    ConnectionRecord,
    Direction,
    ProtectedSession,
    VlanUnit,
    WireError,
    WireEvent,
    WireEventKind,
    WireGoneError,
    WireStatus,
)
from keyroll.names import DropReason

ANSWER_DEADLINE = 10.0
"""Seconds from an order to its answer: the process answers between two frames, so only a hang takes so long."""
READY_DEADLINE = 10.0
"""Seconds from `connect` until the process has its sockets open: usually milliseconds, seconds on a busy machine."""
LINE_LIMIT = 16 * 1024 * 1024
"""Longest line, in octets: a status with the 4096 connections that the table can hold has about 3 MB."""
_MICROSECOND = timedelta(microseconds=1)
_log = logging.getLogger(__name__)
Found = TypeVar("Found")


class WireClient:
    """Gives orders to one wire process over its control socket. Use it from one asyncio event loop.

    Create it, then `await connect()`. `wait_scale` multiplies its deadlines. `on_event` is called with each event.

    Raises:
        WireError: by all methods, if the process has ended, refuses an order, or does not answer in time.
    """

    def __init__(
        self,
        sock: socket.socket,
        *,
        on_event: Callable[[WireEvent], None] | None = None,
        wait_scale: float = 1.0,
    ) -> None:
        self._sock = sock
        self._on_event = on_event
        self._wait_scale = wait_scale
        self._writer: asyncio.StreamWriter | None = None
        self._reading: asyncio.Task[None] | None = None
        self._waiting: dict[int, asyncio.Future[protocol.Json]] = {}
        self._ready: asyncio.Future[None] | None = None
        self._last_id = 0
        self._records: dict[object, ConnectionRecord] = {}
        self._drops: Counter[tuple[Direction, DropReason]] = Counter()
        self._ended: str | None = None

    @property
    def records(self) -> tuple[ConnectionRecord, ...]:
        """The connections as events last reported them, for `connect` of a process that replaces a dead one."""
        return tuple(self._records.values())

    @property
    def drops(self) -> Mapping[tuple[Direction, DropReason], int]:
        """Dropped frames by direction and reason, as events reported them: the last second's may be missing."""
        return dict(self._drops)

    async def connect(
        self,
        sessions: Sequence[ProtectedSession] = (),
        records: Sequence[ConnectionRecord] = (),
        *,
        clock: timedelta = timedelta(0),
        units: Sequence[VlanUnit] = (),
    ) -> int:
        """Wait until the process is ready, and give it its first table of sessions; no frame is carried before that.

        A process that replaces a dead one is given the router's clock (the host's plus `clock`), the table in force and
        the dead one's `records`, so that connections continue.

        Returns:
            How many connections continue: not those whose session is not protected any more.
        """
        loop = asyncio.get_running_loop()
        self._ready = loop.create_future()
        self._sock.settimeout(0)
        reader, self._writer = await asyncio.open_unix_connection(sock=self._sock, limit=LINE_LIMIT)
        self._reading = asyncio.create_task(self._read(reader), name="wire control")
        await self._within(self._ready, READY_DEADLINE, "open its sockets")
        if clock:
            await self.set_clock(clock)  # first: with another clock the first segments would get other keys
        if units:
            await self.set_units(units)
        return await self._hand_over(sessions, records)

    async def set_units(self, units: Sequence[VlanUnit]) -> None:
        """Replace the table of logical interfaces with a VLAN.

        Create new interfaces before, and delete old ones after.
        """
        await self._order("units", units=[protocol.encode_unit(unit) for unit in units])

    async def set_sessions(self, sessions: Sequence[ProtectedSession]) -> None:
        """Replace the whole table of protected sessions; connections of sessions in both tables continue."""
        await self._hand_over(sessions, ())

    async def _hand_over(self, sessions: Sequence[ProtectedSession], records: Sequence[ConnectionRecord]) -> int:
        answer = await self._order(
            "sessions",
            sessions=[protocol.encode_session(session) for session in sessions],
            records=[protocol.encode_record(record) for record in records],
        )
        restored = answer.get("restored")
        if not isinstance(restored, int):
            raise WireError("the wire path did not say how many connections it took over")
        return restored

    async def set_clock(self, offset: timedelta) -> None:
        """Set the router's clock to the host's clock plus `offset`."""
        await self._order("clock", offset_ns=(offset // _MICROSECOND) * 1000)

    async def status(self) -> WireStatus:
        """Return the state of sessions, connections and counters."""
        answer = await self._order("status")
        return protocol.decode_status(answer.get("status"))

    async def fetch_records(self) -> tuple[ConnectionRecord, ...]:
        """Return the connections with their present anchors."""
        answer = await self._order("records")
        records = answer.get("records")
        if not isinstance(records, list):
            raise WireError("the wire path answered without its connection records")
        return tuple(protocol.decode_record(record) for record in records)

    async def stop(self) -> None:
        """End the process in order: it answers, closes its sockets and ends."""
        await self._order("stop")
        await self.close()

    async def drained(self) -> None:
        """Wait until everything that an ended process reported has been read.

        `records` and `drops` are then complete.
        """
        if self._reading is not None:
            await self._within(self._reading, ANSWER_DEADLINE, "close its control socket")

    async def close(self) -> None:
        """Close the socket, which ends the process. Can be called twice."""
        if self._writer is not None:
            self._writer.close()
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)

    async def _order(self, op: str, **fields: object) -> Mapping[str, object]:
        if self._writer is None:
            raise WireError("the wire path's client is not connected")
        if self._ended is not None:
            raise WireGoneError(f"the wire path has ended: {self._ended}", remedy="its log says why")
        self._last_id += 1
        number = self._last_id  # a local copy: another order may be given before this one is answered
        answer: asyncio.Future[protocol.Json] = asyncio.get_running_loop().create_future()
        self._waiting[number] = answer
        try:
            self._writer.write(protocol.to_line({"op": op, "id": number, **fields}))
            found = await self._within(answer, ANSWER_DEADLINE, f"carry out '{op}'")
        finally:
            del self._waiting[number]
        if found.get("ok") is not True:
            raise WireError(f"the wire path refused '{op}': {found.get('error')}")
        return found

    async def _within(self, awaited: asyncio.Future[Found], seconds: float, what: str) -> Found:
        try:
            return await asyncio.wait_for(asyncio.shield(awaited), seconds * self._wait_scale)
        except TimeoutError:
            raise WireError(f"the wire path did not {what} within {seconds * self._wait_scale:g} s") from None

    async def _read(self, reader: asyncio.StreamReader) -> None:
        try:
            while line := await reader.readline():
                self._dispatch(protocol.from_line(line))
            self._end("its control socket was closed")
        except (WireError, OSError, ValueError) as error:
            self._end(str(error))

    def _dispatch(self, message: protocol.Json) -> None:
        if "event" not in message:
            asked = message.get("id")
            answer = self._waiting.get(asked) if isinstance(asked, int) else None
            if answer is not None and not answer.done():
                answer.set_result(message)
            return
        if message["event"] == "ready":
            if self._ready is not None and not self._ready.done():
                self._ready.set_result(None)
            return
        event = protocol.decode_event(message)
        if event.record is not None:
            self._records[event.local, event.remote] = event.record
        elif event.kind is WireEventKind.FORGOTTEN:
            self._records.pop((event.local, event.remote), None)
        if event.kind is WireEventKind.DROP and event.direction is not None and event.reason is not None:
            self._drops[event.direction, event.reason] += event.count
        if self._on_event is not None:
            self._on_event(event)

    def _end(self, why: str) -> None:
        self._ended = why
        _log.info("the wire path's control socket ended: %s", why)
        for waiting in [*self._waiting.values(), self._ready]:
            if waiting is not None and not waiting.done():
                waiting.set_exception(WireGoneError(f"the wire path has ended: {why}", remedy="its log says why"))
