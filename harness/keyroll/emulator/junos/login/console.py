"""A command line over a byte stream without SSH, for the console and for `cli` in a container."""

from __future__ import annotations

import asyncio
import contextlib

from keyroll.emulator.junos.login.one_command import run_all
from keyroll.emulator.junos.login.terminal import HangUp, Terminal
from keyroll.emulator.junos.shell.cli import command_line
from keyroll.emulator.junos.shell.router_state import RouterState

_CHUNK = 65536
"""Maximum number of octets of one read: as many as asyncio buffers for a stream."""


async def converse(
    router: RouterState,
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    *,
    user: str,
    command: str | None,
    pty: bool,
    height: int,
) -> None:
    """Serve one connection: a command line until `user` leaves it, or the commands of `command`.

    With `pty` there is an echo, and paging at `height` lines.
    """
    terminal = Terminal(writer.write, pty=pty, height=height)
    reading = asyncio.create_task(_read(reader, terminal), name="console")
    cli = command_line(router, user, terminal)
    try:
        if command is None:
            await terminal.serve(cli)
        else:
            await run_all(cli, terminal, command)
    except HangUp:
        pass
    finally:
        cli.close()
        reading.cancel()
        with contextlib.suppress(ConnectionError):
            await writer.drain()


async def _read(reader: asyncio.StreamReader, terminal: Terminal) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(_CHUNK):
            terminal.data(data)
    terminal.end()
