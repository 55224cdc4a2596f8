"""A command line that is reached without SSH: octets both ways, as a console or `cli` in a container has."""

from __future__ import annotations

import asyncio
import contextlib

from keyroll.emulator.junos.login.one_command import run_all
from keyroll.emulator.junos.login.terminal import HangUp, Terminal
from keyroll.emulator.junos.shell.chassis import Chassis
from keyroll.emulator.junos.shell.cli import command_line

_CHUNK = 65536
"""Octets read at once: what a Unix socket's buffer holds."""


async def converse(
    chassis: Chassis,
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    *,
    user: str,
    command: str | None,
    pty: bool,
    height: int,
) -> None:
    """Serve one conversation: a command line until it is left, or one command and its answer."""
    terminal = Terminal(writer.write, pty=pty, height=height)
    listening = asyncio.create_task(_listen(reader, terminal), name="console")
    cli = command_line(chassis, user, terminal)
    try:
        if command is None:
            await terminal.serve(cli)
        else:
            await run_all(cli, terminal, command)
    except HangUp:
        pass
    finally:
        cli.close()
        listening.cancel()
        with contextlib.suppress(ConnectionError):
            await writer.drain()


async def _listen(reader: asyncio.StreamReader, terminal: Terminal) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(_CHUNK):
            terminal.data(data)
    terminal.end()
