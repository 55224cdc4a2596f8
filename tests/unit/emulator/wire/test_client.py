"""The supervisor's client against a wire process that the test plays."""

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


class Played:
    """The process' end of the socket: answers orders as told."""

    def __init__(
        self, sock: socket.socket, *, refuse: str | None = None, mute: bool = False, taken: int | None = 0
    ) -> None:
        self.sock, self.refuse, self.mute, self.taken = sock, refuse, mute, taken
        self.orders: list[dict[str, Any]] = []
        self.unanswered = asyncio.Event()

    async def run(self) -> None:
        self.sock.settimeout(0)
        self.reader, self.writer = await asyncio.open_unix_connection(sock=self.sock)
        self.say({"event": "ready"})
        while line := await self.reader.readline():
            order = protocol.from_line(line)
            self.orders.append(order)
            if self.mute:
                self.unanswered.set()
                continue
            if order["op"] == self.refuse:
                self.say({"id": order["id"], "ok": False, "error": "because"})
            else:
                self.say({"id": order["id"], "ok": True, "restored": self.taken})
        self.writer.close()

    def say(self, message: Mapping[str, object]) -> None:
        self.writer.write(protocol.to_line(message))


Story = Callable[[WireClient, Played, list[WireEvent]], Awaitable[None]]


def play(story: Story, **options: Any) -> Played:
    """Run `story(client, played, events)` against a played process."""

    async def act() -> Played:
        ours, theirs = socket.socketpair()
        played = Played(theirs, **options)
        running = asyncio.create_task(played.run())
        events: list[Any] = []
        client = WireClient(ours, on_event=events.append, wait_scale=0.05 if options.get("mute") else 1.0)
        try:
            await story(client, played, events)
        finally:
            await client.close()
            await running
        return played

    return asyncio.run(act())


def test_connecting_hands_over_the_first_table(bench: Bench) -> None:
    async def story(client: WireClient, _played: Played, _events: list[WireEvent]) -> None:
        await client.connect([bench.session(0)])

    (order,) = play(story).orders
    assert (order["op"], order["records"]) == ("sessions", [])
    assert [session["peer"] for session in order["sessions"]] == ["10.0.12.2"]


def test_a_successor_gets_the_clock_and_then_the_table_with_the_records(bench: Bench) -> None:
    flow = bench.flow().open()

    async def story(client: WireClient, _played: Played, _events: list[WireEvent]) -> None:
        await client.connect([bench.session(0)], flow.near.guard.records(), clock=timedelta(hours=1))

    clock, table = play(story).orders
    assert (clock["op"], table["op"]) == ("clock", "sessions")
    assert [len(table[what]) for what in ("sessions", "records")] == [1, 1]


def test_a_process_that_does_not_say_how_many_connections_it_took_is_refused() -> None:
    async def story(client: WireClient, _played: Played, _events: list[WireEvent]) -> None:
        with pytest.raises(WireError, match="how many"):
            await client.connect()

    play(story, taken=None)


def test_what_a_process_told_before_its_end_is_read_to_the_end(bench: Bench) -> None:
    flow = bench.flow().open()
    flow.near.into(flow.near.segment(179, 50000, 1, 1, 0x10))

    async def story(client: WireClient, played: Played, _events: list[WireEvent]) -> None:
        await client.connect()
        for event in flow.near.events:
            played.say(protocol.encode_event(event))
        played.writer.close()
        await client.drained()
        assert len(client.records) == 1
        assert sum(client.drops.values()) == sum(event.count for event in flow.near.events)

    play(story)


def test_the_clock_goes_over_in_whole_nanoseconds() -> None:
    async def story(client: WireClient, _played: Played, _events: list[WireEvent]) -> None:
        await client.connect()
        await client.set_clock(timedelta(days=-3, microseconds=7))

    assert play(story).orders[-1]["offset_ns"] == -3 * 86400 * 10**9 + 7000


def test_orders_under_way_at_once_each_get_their_own_answer() -> None:
    async def story(client: WireClient, _played: Played, _events: list[WireEvent]) -> None:
        await client.connect()
        await asyncio.gather(*(client.set_clock(timedelta(seconds=second)) for second in range(5)))

    played = play(story)
    assert len({order["id"] for order in played.orders}) == len(played.orders)


def test_a_refused_order_says_why() -> None:
    async def story(client: WireClient, _played: Played, _events: list[WireEvent]) -> None:
        await client.connect()
        with pytest.raises(WireError, match="refused 'clock': because"):
            await client.set_clock(timedelta(0))

    play(story, refuse="clock")


def test_an_order_that_is_never_answered_ends_at_its_deadline() -> None:
    async def story(client: WireClient, _played: Played, _events: list[WireEvent]) -> None:
        with pytest.raises(WireError, match=r"within 0\.5 s"):
            await client.connect()

    play(story, mute=True)


def test_a_process_that_ends_fails_what_waits_and_what_comes_after() -> None:
    async def story(client: WireClient, played: Played, _events: list[WireEvent]) -> None:
        await client.connect()
        played.mute = True
        waiting = asyncio.create_task(client.status())
        await asyncio.wait_for(played.unanswered.wait(), 5)
        played.writer.close()
        with pytest.raises(WireError, match="has ended"):
            await waiting
        with pytest.raises(WireError, match="has ended"):
            await client.set_sessions([])

    play(story)


def test_events_are_told_and_records_kept_for_a_successor(bench: Bench) -> None:
    flow = bench.flow().open()

    async def story(client: WireClient, played: Played, events: list[WireEvent]) -> None:
        await client.connect()
        for event in flow.near.events:
            played.say(protocol.encode_event(event))
        await client.set_clock(timedelta(0))
        assert [event.kind for event in events] == [WireEventKind.CONNECTION]
        assert client.records == tuple(event.record for event in events)
        flow.near.guard.report.forgotten(next(flow.near.guard.table.connections()), 0)
        played.say(protocol.encode_event(flow.near.events[-1]))
        await client.set_clock(timedelta(0))
        assert client.records == ()

    play(story)


def test_an_order_before_connect_is_an_error() -> None:
    async def story(client: WireClient, _played: Played, _events: list[WireEvent]) -> None:
        with pytest.raises(WireError, match="not connected"):
            await client.status()
        await client.connect()

    play(story)
