"""The command `cli` inside a container: a Unix socket on which somebody with the container's root meets the router.

The first line is JSON: `{"v": 1, "command": "show version" or null, "pty": true, "height": 24}`. After it octets go
both ways, as in an SSH channel. `image/cli` is the other end.
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
"""Octets of the first line: as long as a command line may be (`junos.shell.cli.LINE_LIMIT`)."""
VERSION = 1
log = logging.getLogger(__name__)


class Console:
    """The socket, answered on between `open` and `close`; a router's reboot does both."""

    Converse: TypeAlias = Callable[[asyncio.StreamReader, asyncio.StreamWriter, "Greeting"], Awaitable[None]]

    def __init__(self, path: Path) -> None:
        self._path = path
        self._server: asyncio.Server | None = None
        self._talks: set[asyncio.Task[None]] = set()

    async def open(self, converse: Converse) -> None:
        """Answer: `converse` gets each conversation with what its first line said. Raises ProcessError."""

        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            if task is not None:
                self._talks.add(task)
                task.add_done_callback(self._talks.discard)
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
        """Hang up on everybody, and answer no more. Can be called twice."""
        if self._server is None:
            return
        self._server.close()
        self._server = None
        for task in list(self._talks):
            task.cancel()
        await asyncio.gather(*self._talks, return_exceptions=True)
        self._path.unlink(missing_ok=True)


class Greeting:
    """The first line of a conversation. `command` None: an interactive command line."""

    def __init__(self, command: str | None, *, pty: bool, height: int) -> None:
        self.command = command
        self.pty = pty
        self.height = height

    @classmethod
    def parse(cls, line: bytes) -> Greeting:
        """Read it. Raises ValueError when it is invalid."""
        data = json.loads(line)
        if not isinstance(data, dict) or data.get("v") != VERSION:
            raise ValueError(f"the first line is not a greeting of version {VERSION}")
        command, height = data.get("command"), data.get("height", 24)
        if not (command is None or isinstance(command, str)) or not isinstance(height, int):
            raise ValueError("greeting: `command` must be text or null, `height` an integer")
        return cls(command, pty=data.get("pty") is True, height=height)
