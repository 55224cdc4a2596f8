"""The router's end of the command `cli` inside a container: a Unix socket that only the container's root can use.

The first line is JSON: `{"v": 1, "command": "show version" or null, "pty": true, "height": 24}`. After it octets go in
both directions, as in an SSH channel. `image/cli` is the other end.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeAlias

from keyroll.emulator.contract.errors import ProcessError

HEAD_LIMIT = 65536
"""Longest first line, in octets: it holds a command, which has at most as many (`junos.shell.cli.LINE_LIMIT`)."""
VERSION = 1
"""Of the first line; another version is refused."""
HEIGHT = 24
"""Lines of a terminal whose height the first line does not give."""
log = logging.getLogger(__name__)


class Console:
    """The socket. It accepts connections between `open` and `close`; a reboot of the router calls both."""

    Converse: TypeAlias = Callable[[asyncio.StreamReader, asyncio.StreamWriter, "Greeting"], Awaitable[None]]

    def __init__(self, path: Path) -> None:
        self._path = path
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()

    async def open(self, converse: Converse) -> None:
        """Accept connections: `converse` is called for each with its first line. Raises ProcessError."""

        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            if task is not None:
                self._connections.add(task)
                task.add_done_callback(self._connections.discard)
            with contextlib.suppress(ConnectionError, asyncio.CancelledError):
                await self._answer(converse, reader, writer)
            writer.close()

        self._path.unlink(missing_ok=True)
        mask = os.umask(0o177)
        try:
            sock = socket.socket(socket.AF_UNIX)
            sock.bind(str(self._path))
            self._server = await asyncio.start_unix_server(answer, sock=sock, limit=HEAD_LIMIT)
        except OSError as error:
            raise ProcessError(
                f"the console's socket {self._path} cannot be made: {error.strerror or error}"
            ) from error
        finally:
            os.umask(mask)

    async def _answer(self, converse: Converse, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            greeting = Greeting.parse(await reader.readline())
        except ValueError as error:
            log.warning("console: %s", error)
            return
        await converse(reader, writer, greeting)

    async def close(self) -> None:
        """Close all connections and accept no more. Can be called twice."""
        if self._server is None:
            return
        self._server.close()
        self._server = None
        for task in list(self._connections):
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)
        self._path.unlink(missing_ok=True)


class Greeting:
    """The first line of a connection. `command` None: an interactive command line."""

    def __init__(self, command: str | None, *, pty: bool, height: int) -> None:
        self.command = command
        self.pty = pty
        self.height = height

    @classmethod
    def parse(cls, line: bytes) -> Greeting:
        """Read the line. Raises ValueError if it is invalid."""
        data = json.loads(line)
        if not isinstance(data, dict) or data.get("v") != VERSION:
            raise ValueError(f"the first line is not a greeting of version {VERSION}")
        command, height = data.get("command"), data.get("height", HEIGHT)
        if not (command is None or isinstance(command, str)) or not isinstance(height, int):
            raise ValueError("greeting: `command` must be text or null, `height` an integer")
        return cls(command, pty=data.get("pty") is True, height=height)
