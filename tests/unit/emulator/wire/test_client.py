"""The supervisor's client against a fake wire process."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from typing import Any

import pytest
from tests.unit.emulator.wire.conftest import Bench

from keyroll.emulator.wire import protocol
from keyroll.emulator.wire.client import WireClient
from keyroll.emulator.wire.model import WireError, WireEvent, WireEventKind

pytestmark = pytest.mark.filterwarnings("error")


class FakeProcess:
    """The process's end of the socket: answers each order, but refuses `refuse` and, if `mute`, answers nothing."""

    def __init__(
        self, sock: socket.socket, *, refuse: str | None = None, mute: bool = False, restored: int | None = 0
    ) -> None:
        self.sock, self.refuse, self.mute, self.restored = sock, refuse, mute, restored
        self.orders: list[dict[str, Any]] = []
        self.unanswered = asyncio.Event()

    async def run(self) -> None:
        self.sock.settimeout(0)
        self.reader, self.writer = await asyncio.open_unix_connection(sock=self.sock)
        self.send({"event": "ready"})
        while line := await self.reader.readline():
            order = protocol.from_line(line)
            self.orders.append(order)
            if self.mute:
                self.unanswered.set()
                continue
            if order["op"] == self.refuse:
                self.send({"id": order["id"], "ok": False, "error": "because"})
            else:
                self.send({"id": order["id"], "ok": True, "restored": self.restored})
        self.writer.close()

    def send(self, message: Mapping[str, object]) -> None:
        self.writer.write(protocol.to_line(message))


Steps = Callable[[WireClient, FakeProcess, list[WireEvent]], Awaitable[None]]


def play(steps: Steps, **options: Any) -> FakeProcess:
    """Run `steps(client, process, events)` against a fake process; return the process."""

    async def act() -> FakeProcess:
        ours, theirs = socket.socketpair()
        process = FakeProcess(theirs, **options)
        running = asyncio.create_task(process.run())
        events: list[Any] = []
        client = WireClient(ours, on_event=events.append, wait_scale=0.05 if options.get("mute") else 1.0)
        try:
            await steps(client, process, events)
        finally:
            await client.close()
            await running
        return process

    return asyncio.run(act())


def test_connect_sends_the_first_session_table(bench: Bench) -> None:
    async def steps(client: WireClient, _process: FakeProcess, _events: list[WireEvent]) -> None:
        await client.connect([bench.session(0)])

    (order,) = play(steps).orders
    assert (order["op"], order["records"]) == ("sessions", [])
    assert [session["peer"] for session in order["sessions"]] == ["10.0.12.2"]


def test_a_successor_gets_the_clock_and_then_the_table_with_the_records(bench: Bench) -> None:
    flow = bench.flow().open()

    async def steps(client: WireClient, _process: FakeProcess, _events: list[WireEvent]) -> None:
        await client.connect([bench.session(0)], flow.near.judge.records(), clock=timedelta(hours=1))

    clock, table = play(steps).orders
    assert (clock["op"], table["op"]) == ("clock", "sessions")
    assert [len(table[what]) for what in ("sessions", "records")] == [1, 1]


def test_an_answer_without_the_number_of_restored_connections_is_refused() -> None:
    async def steps(client: WireClient, _process: FakeProcess, _events: list[WireEvent]) -> None:
        with pytest.raises(WireError, match="how many"):
            await client.connect()

    play(steps, restored=None)


def test_events_that_a_process_sent_before_its_end_are_all_read(bench: Bench) -> None:
    flow = bench.flow().open()
    flow.near.into(flow.near.segment(179, 50000, 1, 1, 0x10))

    async def steps(client: WireClient, process: FakeProcess, _events: list[WireEvent]) -> None:
        await client.connect()
        for event in flow.near.events:
            process.send(protocol.encode_event(event))
        process.writer.close()
        await client.drained()
        assert len(client.records) == 1
        assert sum(client.drops.values()) == sum(event.count for event in flow.near.events)

    play(steps)


def test_the_clock_is_sent_in_whole_nanoseconds() -> None:
    async def steps(client: WireClient, _process: FakeProcess, _events: list[WireEvent]) -> None:
        await client.connect()
        await client.set_clock(timedelta(days=-3, microseconds=7))

    assert play(steps).orders[-1]["offset_ns"] == -3 * 86400 * 10**9 + 7000


def test_concurrent_orders_each_get_their_own_answer() -> None:
    async def steps(client: WireClient, _process: FakeProcess, _events: list[WireEvent]) -> None:
        await client.connect()
        await asyncio.gather(*(client.set_clock(timedelta(seconds=second)) for second in range(5)))

    process = play(steps)
    assert len({order["id"] for order in process.orders}) == len(process.orders)


def test_a_refused_order_is_an_error_with_the_reason() -> None:
    async def steps(client: WireClient, _process: FakeProcess, _events: list[WireEvent]) -> None:
        await client.connect()
        with pytest.raises(WireError, match="refused 'clock': because"):
            await client.set_clock(timedelta(0))

    play(steps, refuse="clock")


def test_an_order_that_is_never_answered_ends_at_its_deadline() -> None:
    async def steps(client: WireClient, _process: FakeProcess, _events: list[WireEvent]) -> None:
        with pytest.raises(WireError, match=r"within 0\.5 s"):
            await client.connect()

    play(steps, mute=True)


def test_a_process_that_ends_fails_waiting_and_later_orders() -> None:
    async def steps(client: WireClient, process: FakeProcess, _events: list[WireEvent]) -> None:
        await client.connect()
        process.mute = True
        waiting = asyncio.create_task(client.status())
        await asyncio.wait_for(process.unanswered.wait(), 5)
        process.writer.close()
        with pytest.raises(WireError, match="has ended"):
            await waiting
        with pytest.raises(WireError, match="has ended"):
            await client.set_sessions([])

    play(steps)


def test_events_are_reported_and_records_kept_for_a_successor(bench: Bench) -> None:
    flow = bench.flow().open()

    async def steps(client: WireClient, process: FakeProcess, events: list[WireEvent]) -> None:
        await client.connect()
        for event in flow.near.events:
            process.send(protocol.encode_event(event))
        await client.set_clock(timedelta(0))
        assert [event.kind for event in events] == [WireEventKind.CONNECTION]
        assert client.records == tuple(event.record for event in events)
        flow.near.judge.report.forgotten(next(flow.near.judge.table.connections()), 0)
        process.send(protocol.encode_event(flow.near.events[-1]))
        await client.set_clock(timedelta(0))
        assert client.records == ()

    play(steps)


def test_an_order_before_connect_is_an_error() -> None:
    async def steps(client: WireClient, _process: FakeProcess, _events: list[WireEvent]) -> None:
        with pytest.raises(WireError, match="not connected"):
            await client.status()
        await client.connect()

    play(steps)
