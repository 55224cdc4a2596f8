"""Replacement of the wire path's process: what a successor receives, and when there is none."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from typing import Any

import pytest

from keyroll.emulator.contract.model import BackendError, RouterNote, TcpConnection
from keyroll.emulator.contract.processes import Child, Death, Logs
from keyroll.emulator.contract.processes import start as really_start
from keyroll.emulator.machine import kernel, machine, wire_process
from keyroll.emulator.machine.machine import Machine
from keyroll.emulator.machine.protected_sessions import unknown_to_wire
from keyroll.emulator.machine.wire_process import Replacement, WirePath
from keyroll.emulator.wire import protocol
from keyroll.emulator.wire.model import ConnectionRecord, Direction, ProtectedSession, WireStatus
from keyroll.keychain.model import Keychain
from keyroll.names import DropReason

HERE, PEER, OTHER = (ip_address(text) for text in ("10.0.12.1", "10.0.12.2", "10.0.12.6"))
SESSION = ProtectedSession(PEER, 179, Keychain("chain"))
RECORD = ConnectionRecord((HERE, 40000), (PEER, 179), 179, 1, 2, 1, 2, None)

# Writes each order to the journal and answers it. At the first order of a kind that its `orders` file names, it reports
# a connection and three drops and kills itself. If the file names `start`, a successor ends before it is ready.
FAKE_PROCESS = """
import json, os, socket, sys
fd, journal, orders = int(sys.argv[1]), sys.argv[2], sys.argv[3]
killed_at = open(orders).read().split()
def send(message):
    control.sendall(json.dumps({"v": 1, **message}).encode() + b"\\n")
control = socket.socket(fileno=fd)
if "start" in killed_at and os.path.exists(journal):
    sys.exit("no such interface")
send({"event": "ready"})
for line in control.makefile():
    order = json.loads(line)
    with open(journal, "a") as file:
        file.write(json.dumps([os.getpid(), order]) + "\\n")
    if order["op"] in killed_at:
        open(orders, "w").write(" ".join(one for one in killed_at if one != order["op"]))
        at = {"at_ns": 0, "peer": "10.0.12.2", "port": 179}
        record = RECORD
        send({"event": "drop", **at, "direction": "in", "reason": "bad-mac", "count": 3})
        send({"event": "connection", **at, "local": record["local"], "remote": record["remote"], "record": record})
        os.kill(os.getpid(), 9)
    more = {"restored": len(order.get("records", []))}
    if order["op"] == "status":
        more["status"] = STATUS
    send({"id": order["id"], "ok": True, **more})
"""


class Rig:
    """A wire path with fake processes."""

    def __init__(self, folder: Path, logs: Logs, killed_at: str, monkeypatch: pytest.MonkeyPatch) -> None:
        self.journal, orders = folder / "journal", folder / "orders"
        orders.write_text(killed_at)
        status = protocol_status()
        program = FAKE_PROCESS.replace("STATUS", repr(status)).replace("RECORD", repr(protocol.encode_record(RECORD)))

        def start(name: str, _command: list[str], logs: Logs, *, pass_fds: tuple[int]) -> Child:
            command = [sys.executable, "-c", program, str(pass_fds[0]), str(self.journal), str(orders)]
            return really_start(name, command, logs, pass_fds=pass_fds)

        monkeypatch.setattr(
            wire_process, "alone", lambda: False
        )  # alone, it would fork this process and not start the fake one
        monkeypatch.setattr(wire_process, "start", start)
        self.deaths: list[Death] = []
        self.replaced: list[Replacement] = []
        self.path = WirePath(
            (),
            logs,
            on_event=lambda _event: None,
            on_death=self.deaths.append,
            on_replaced=self._note,
            wait_scale=1.0,
        )

    async def _note(self, replacement: Replacement) -> None:
        self.replaced.append(replacement)

    def orders(self) -> list[tuple[int, dict[str, Any]]]:
        """Return (process, order) in the order of receipt; processes are numbered from 0."""
        entries = [json.loads(line) for line in self.journal.read_text().splitlines()]
        pids = list(dict.fromkeys(pid for pid, _ in entries))
        return [(pids.index(pid), order) for pid, order in entries]

    def play(self, steps: Callable[[WirePath], Awaitable[None]]) -> None:
        async def act() -> None:
            try:
                await self.path.start()
                await steps(self.path)
            finally:
                await self.path.stop()

        asyncio.run(act())


def protocol_status() -> dict[str, Any]:
    return protocol.encode_status(
        WireStatus((), (), {(Direction.IN, DropReason.BAD_MAC): 4}, {Direction.IN: 0, Direction.OUT: 0}, 0)
    )


@pytest.fixture
def logs(tmp_path: Path) -> Iterator[Logs]:
    folder = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
    yield Logs(folder, "R1")
    os.close(folder)


@pytest.fixture
def rig(tmp_path: Path, logs: Logs, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Rig]:
    return lambda killed_at: Rig(tmp_path, logs, killed_at, monkeypatch)


def test_a_successor_gets_the_clock_the_table_the_connections_and_then_the_unfinished_order(
    rig: Callable[[str], Rig],
) -> None:
    made = rig("status")

    async def steps(path: WirePath) -> None:
        await path.set_clock(timedelta(hours=1))
        await path.set_sessions([SESSION])
        status = await path.status()
        assert status.drops == {(Direction.IN, DropReason.BAD_MAC): 7}

    made.play(steps)
    after = [order for process, order in made.orders() if process == 1]
    assert [order["op"] for order in after] == ["clock", "sessions", "status"]
    assert after[0]["offset_ns"] == 3600 * 10**9
    assert [session["peer"] for session in after[1]["sessions"]] == [str(PEER)]
    assert [record["remote"] for record in after[1]["records"]] == [[str(PEER), 179]]
    (replaced,) = made.replaced
    assert (replaced.death.code, replaced.connections) == (-9, 1)
    assert made.deaths == []


def test_a_session_table_set_during_the_failure_is_given_to_the_successor(
    rig: Callable[[str], Rig],
) -> None:
    made = rig("clock")

    async def steps(path: WirePath) -> None:
        await asyncio.gather(path.set_clock(timedelta(hours=1)), path.set_sessions([SESSION]))

    made.play(steps)
    tables = [order["sessions"] for process, order in made.orders() if process == 1 and order["op"] == "sessions"]
    assert [session["peer"] for session in tables[-1]] == [str(PEER)]


def test_a_wire_process_that_soon_ends_again_is_not_replaced(
    rig: Callable[[str], Rig],
) -> None:
    made = rig("status clock")

    async def steps(path: WirePath) -> None:
        await path.status()
        with pytest.raises(BackendError, match="the wire path has ended"):
            await path.set_clock(timedelta(hours=1))
        with pytest.raises(BackendError, match="the wire path has ended"):
            await path.status()
        assert path.pid is None

    made.play(steps)
    assert len(made.replaced) == 1
    assert [str(death) for death in made.deaths] == ["wire was killed by SIGKILL"]


def test_a_successor_that_does_not_start_ends_the_wire_path(rig: Callable[[str], Rig], tmp_path: Path) -> None:
    made = rig("status start")

    async def steps(path: WirePath) -> None:
        with pytest.raises(BackendError, match="the wire path has ended"):
            await path.status()

    made.play(steps)
    assert [(death.name, death.code) for death in made.deaths] == [("wire", 1)]
    assert "no such interface" in (tmp_path / made.deaths[0].log).read_text()


def connection(
    local: tuple[IPv4Address | IPv6Address | None, int],
    remote: tuple[IPv4Address | IPv6Address, int] | None,
    state: str = "ESTABLISHED",
) -> TcpConnection:
    return TcpConnection(local, remote, state)


def test_open_connections_unknown_to_the_wire_path_are_found() -> None:
    known = connection((HERE, 40000), (PEER, 179))
    ldp = ProtectedSession(OTHER, 646, Keychain("chain"))
    lost = [connection((HERE, 179), (PEER, 40001)), connection((HERE, 646), (OTHER, 40002))]
    free = [
        connection((HERE, 22), (PEER, 40003)),
        connection((HERE, 40004), (OTHER, 179)),
        connection((HERE, 179), (PEER, 40005), "TIME_WAIT"),
        connection((None, 179), None, "LISTEN"),
    ]
    assert unknown_to_wire([known, *free], [RECORD], [SESSION, ldp]) == []
    assert unknown_to_wire([known, *lost, *free], [RECORD], [SESSION, ldp]) == [(179, PEER), (646, OTHER)]


def test_sessions_whose_state_is_lost_are_reset_and_reported(
    tmp_path: Path, logs: Logs, monkeypatch: pytest.MonkeyPatch
) -> None:
    restarts: list[Any] = []
    notes: list[Any] = []
    reset: list[Any] = []

    def unexpected_end(death: Death) -> None:
        pytest.fail(f"a process ended unexpectedly: {death}")

    router = Machine((), tmp_path, logs, on_death=unexpected_end, on_restart=restarts.append, on_reboot=lambda: None)
    router.subscribe(notes.append)

    async def known() -> tuple[ConnectionRecord, ...]:
        return ()

    async def clear(port: int, peer: IPv4Address) -> None:
        reset.append((port, peer))

    monkeypatch.setattr(kernel, "connections", lambda _namespace: [connection((HERE, 40000), (PEER, 179))])
    monkeypatch.setattr(router._wire, "records", known)
    monkeypatch.setattr(router, "_reset", clear)
    router._applied = machine._Applied(sessions=(SESSION,))
    asyncio.run(router._wire_replaced(Replacement(Death("wire", -9, "R1-wire.log"), 0, 0.25)))
    assert reset == [(179, PEER)]
    (restart,) = restarts
    assert restart.at - datetime.now(UTC) < timedelta(minutes=1)
    start = "wire was killed by SIGKILL; replaced after 0.250 s without a wire path; 0 connections continue; reset"
    assert notes == [RouterNote(f"{start} because their state was lost: BGP 10.0.12.2")]
