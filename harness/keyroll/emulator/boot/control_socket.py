"""The router's control socket: JSON over a Unix socket, one request or answer on each line (docs/control.md)."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
from collections.abc import Awaitable, Callable
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from keyroll.emulator.contract.model import BackendError, BgpState, LdpSession
from keyroll.emulator.contract.processes import Death, Logs
from keyroll.emulator.machine.machine import Machine
from keyroll.emulator.machine.wire_process import WireRestart
from keyroll.emulator.wire.model import ConnectionStatus, Direction, WireStatus
from keyroll.errors import KeyrollError

VERSION = 1
"""Of requests and answers; another version is refused."""
Found = TypeVar("Found")
_LINE_MAX = 65536
"""Longest request, in octets: a request has some dozen, so that a longer line is not one; its connection is closed."""
_PING_SECONDS = 2.0
"""Time for the router's parts to answer a ping, unless the request gives another: usually they take milliseconds."""


class ControlServer:
    """Answers `status`, `drops`, `ping`, `clock`, `namespace` and `stop`."""

    def __init__(self, machine: Machine, logs: Logs, *, stop: Callable[[], None]) -> None:
        self._machine = machine
        self._logs = logs
        self._stop = stop
        self._server: socket.socket | None = None
        self._path = Path()
        self._accepting: asyncio.Task[None] | None = None
        self._conversations: set[asyncio.Task[None]] = set()
        self._pings: set[asyncio.Task[None]] = set()

    async def listen(self, path: Path) -> None:
        """Make the socket and answer on it. Mode 0600: whoever can connect controls the router."""
        server = socket.socket(socket.AF_UNIX)
        server.settimeout(0)
        mask = os.umask(0o177)
        try:
            server.bind(str(path))
        except OSError as error:
            server.close()
            raise BackendError(f"the control socket {path} cannot be made: {error.strerror or error}") from error
        finally:
            os.umask(mask)
        server.listen()
        self._server = server
        self._path = path
        self._accepting = asyncio.create_task(self._accept(server), name="control")

    async def close(self) -> None:
        """Stop answering."""
        tasks = [*self._conversations, *self._pings, *filter(None, [self._accepting])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._server is not None:
            self._server.close()
            self._path.unlink(missing_ok=True)

    async def _accept(self, server: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            connection, _ = await loop.sock_accept(server)
            conversation = asyncio.create_task(self._talk(connection))
            self._conversations.add(conversation)
            conversation.add_done_callback(self._conversations.discard)

    async def _talk(self, connection: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        connection.settimeout(0)
        rest = b""
        with connection, contextlib.suppress(OSError):
            while data := await loop.sock_recv(connection, _LINE_MAX):
                *lines, rest = (rest + data).split(b"\n")
                if len(rest) > _LINE_MAX:
                    return
                for line in lines:
                    await self._answer(connection, line)

    async def _answer(self, connection: socket.socket, line: bytes) -> None:
        descriptors: list[int] = []
        try:
            answer = await self._carry_out(_request(line), descriptors)
        except KeyrollError as error:
            answer = {"ok": False, "error": str(error)}
        data = json.dumps({"v": VERSION, **answer}).encode() + b"\n"
        if descriptors:
            socket.send_fds(connection, [data], descriptors)
        else:
            await asyncio.get_running_loop().sock_sendall(connection, data)

    async def _carry_out(self, request: dict[str, Any], descriptors: list[int]) -> dict[str, Any]:
        match request.get("op"):
            case "status":
                return await self._status()
            case "drops":
                return {"ok": True, **_drops(await self._machine.wire_status())}
            case "ping":
                return {"ok": True, "silent": await self._silent(float(request.get("seconds", _PING_SECONDS)))}
            case "clock":
                if "set" in request:
                    await self._machine.set_clock(_moment(request["set"]))
                return {"ok": True, "now": self._machine.now().isoformat()}
            case "namespace":
                descriptors.append(self._machine.inner_namespace)
                return {"ok": True}
            case "stop":
                self._stop()
                return {"ok": True}
            case other:
                raise BackendError(f"unknown request '{other}': use clock, drops, namespace, ping, status or stop")

    async def _silent(self, seconds: float) -> list[str]:
        """Return which of the wire path and the daemons have not answered after `seconds`.

        An error is an answer too; a daemon that has died is reported as a death.
        """
        machine = self._machine
        asked = {
            asyncio.create_task(_answered(part)): name
            for name, part in (
                ("wire path", machine.wire_status()),
                ("bgpd", machine.bgp()),
                ("ldpd", machine.ldp_sessions()),
            )
        }
        # Late questions are not cancelled: on a daemon's socket the answer would then be taken for that of the next
        # one.
        self._pings |= set(asked)
        for task in asked:
            task.add_done_callback(self._pings.discard)
        _, late = await asyncio.wait(asked, timeout=seconds)
        return [name for task, name in asked.items() if task in late]

    async def _status(self) -> dict[str, Any]:
        machine = self._machine
        unreadable: dict[str, str] = {}

        async def read(what: str, asked: Awaitable[Found]) -> Found | None:
            try:
                return await asked
            except BackendError as error:
                if not machine.deaths:
                    raise
                unreadable[what] = str(error)  # report the rest, above all which process died
                return None

        bgp = await read("bgp", machine.bgp())
        ldp = await read("ldp", machine.ldp_sessions())
        wire = await read("wire", machine.wire_status())
        return {
            "ok": True,
            "now": machine.now().isoformat(),
            "processes": machine.processes,
            "deaths": [self._death(death) for death in machine.deaths],
            "restarts": [self._restart(restart) for restart in machine.restarts],
            "unreadable": unreadable,
            "bgp": None if bgp is None else [_bgp(state) for state in bgp],
            "ldp": None if ldp is None else [_ldp(session) for session in ldp],
            "wire": None if wire is None else _wire(wire),
        }

    def _death(self, death: Death) -> dict[str, Any]:
        return {
            "what": death.name,
            "code": death.code,
            "sentence": str(death),
            "log": death.log,
            "last_lines": self._logs.last_lines(death.log),
        }

    def _restart(self, restart: WireRestart) -> dict[str, Any]:
        return {
            "at": restart.at.isoformat(),
            **self._death(restart.death),
            "sentence": str(restart),
            "seconds": restart.seconds,
            "connections": restart.connections,
            "reset": [[port, str(peer)] for port, peer in restart.reset],
        }


async def _answered(part: Awaitable[object]) -> None:
    with contextlib.suppress(KeyrollError):
        await part


def _request(line: bytes) -> dict[str, Any]:
    try:
        request = json.loads(line)
    except ValueError:
        raise BackendError("invalid request: use one JSON object on each line") from None
    if not isinstance(request, dict) or request.get("v") != VERSION:
        raise BackendError(f'invalid request: use a JSON object with "v": {VERSION}')
    return request


def _moment(text: object) -> datetime:
    try:
        moment = datetime.fromisoformat(str(text))
    except ValueError:
        raise BackendError(f"invalid time '{text}': use ISO 8601 with a time zone") from None
    if moment.tzinfo is None:
        raise BackendError(f"invalid time '{text}': add a time zone")
    return moment


def _bgp(state: BgpState) -> dict[str, Any]:
    return {
        "neighbor": str(state.address),
        "peer_as": state.peer_as,
        "state": state.state,
        "since_seconds": state.since_seconds,
        "flaps": state.flaps,
    }


def _ldp(session: LdpSession) -> dict[str, Any]:
    return {
        "neighbor": str(session.peer),
        "lsr_id": str(session.peer_id),
        "state": session.state,
        "since_seconds": session.up_seconds,
        "flaps": session.flaps,
    }


def _drops(status: WireStatus) -> dict[str, Any]:
    return {
        way.value: {reason.value: count for (one, reason), count in status.drops.items() if one is way}
        for way in Direction
    }


def _wire(status: WireStatus) -> dict[str, Any]:
    return {
        "connections": [_connection(connection) for connection in status.connections],
        "drops": {f"{way.value} {reason.value}": count for (way, reason), count in status.drops.items() if count},
        "passed": {way.value: count for way, count in status.passed.items()},
    }


def _connection(status: ConnectionStatus) -> dict[str, Any]:
    return {
        "local": f"{status.local[0]}:{status.local[1]}",
        "remote": f"{status.remote[0]}:{status.remote[1]}",
        "port": status.port,
        "phase": status.phase,
        "sending_key": status.sending_key,
        "asked_key": status.asked_key,
        **{
            way: {
                "segments": one.segments,
                "key": one.key,
                "keyid": one.key_id,
                "rnextkeyid": one.rnext_key_id,
                "rolled": one.rolled,
            }
            for way, one in (("out", status.out), ("in", status.in_))
        },
    }
