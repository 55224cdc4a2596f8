"""Send commands to one FRR daemon over its vty socket, as vtysh does.

The protocol (lib/vty.c, `vtysh_read` and `vtysh_return`): a command is text that ends with one zero octet; the answer
is text, then three zero octets and one octet of return code (lib/command.h).
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from keyroll.emulator.contract.errors import FrrBusyError, FrrError

# FRR's result codes (lib/command.h).
CMD_SUCCESS = 0
CMD_WARNING = 1
ANSWER_SECONDS = 10.0
"""From a command to its answer: usually a millisecond; seconds for a table of a million routes."""
ANSWER_OCTETS = 1 << 28
"""Longest answer, in octets: a table of a million routes as JSON has about half as many."""
_TRAILER = 4
"""Octets that end an answer: three zeros and the result code (FRR, vtysh.c)."""
_CODES = {
    1: "warning",
    2: "no such command",
    3: "ambiguous",
    4: "incomplete",
    13: "configuration refused",
    14: "failed; does it exist?",
}


class Vty:
    """One connection; commands are sent one at a time. Made by `connect`."""

    def __init__(
        self, daemon: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, wait_scale: float
    ) -> None:
        self._daemon = daemon
        self._reader = reader
        self._writer = writer
        self._seconds = ANSWER_SECONDS * wait_scale
        self._turn = asyncio.Lock()

    @classmethod
    async def connect(cls, daemon: str, path: Path, *, wait_scale: float = 1.0) -> Vty:
        """Connect to the daemon's socket and enter the enable node.

        Raises:
            FrrError: the connection fails.
        """
        try:
            reader, writer = await asyncio.open_unix_connection(str(path), limit=ANSWER_OCTETS)
        except OSError as error:
            raise FrrError(f"{daemon} does not answer on {path.name}: {error.strerror or error}") from error
        vty = cls(daemon, reader, writer, wait_scale)
        await vty.command("enable")
        return vty

    async def command(self, line: str, *, shown: str | None = None) -> str:
        """Send one command and return its answer. Errors quote `shown` instead of a line that holds a secret.

        Raises:
            FrrError: the daemon refuses it, or does not answer in time.
        """
        async with self._turn:
            return await self._command(line, shown or line)

    async def _command(self, line: str, shown: str) -> str:
        self._writer.write(line.encode() + b"\0")
        return await self._answered(line, shown)

    async def _answered(self, line: str, shown: str) -> str:
        try:
            async with asyncio.timeout(self._seconds):
                text, code = await self._answer()
        except TimeoutError:
            raise FrrError(f"{self._daemon} did not answer '{shown}' within {self._seconds:g} s") from None
        except asyncio.LimitOverrunError:
            raise FrrError(f"{self._daemon} answered '{shown}' with more than {ANSWER_OCTETS} octets") from None
        except (OSError, asyncio.IncompleteReadError) as error:
            raise FrrError(f"{self._daemon} has gone while it was asked '{shown}'") from error
        if code != CMD_SUCCESS:
            words = " ".join(text.split()) if shown == line else ""
            if code == CMD_WARNING and not text.strip():
                raise FrrBusyError(f"{self._daemon} cannot answer '{shown}' now")
            raise FrrError(f"{self._daemon} refused '{shown}': {words or _CODES.get(code, f'code {code}')}")
        return text

    async def _answer(self) -> tuple[str, int]:
        # Text holds no zero octet, so the first one begins the trailer: three zeros and the code.
        text = await self._reader.readuntil(b"\0")
        trailer = await self._reader.readexactly(_TRAILER - 1)
        return text[:-1].decode(errors="replace"), trailer[-1]

    async def json(self, line: str) -> dict[str, Any]:
        """Send a `show … json` command and return the object it answers.

        Raises:
            FrrError: as `command`, or the answer is not a JSON object.
        """
        text = await self.command(line)
        try:
            found = json.loads(text)
        except ValueError as error:
            raise FrrError(f"{self._daemon} answered '{line}' with something that is not JSON") from error
        if not isinstance(found, dict):
            raise FrrError(f"{self._daemon} answered '{line}' with JSON that is not an object")
        return found

    async def configure_together(self, lines: Sequence[tuple[Sequence[str], str]]) -> None:
        """Carry out several (node, line) together: the daemon does nothing else between them.

        This holds if they fit into one read of the daemon (VTY_READ_BUFSIZ, 512 octets).

        Raises:
            FrrError: a line is refused; the lines after it have been sent as well.
        """
        commands = ["configure terminal"]
        for node, line in lines:
            commands += [*node, line]
        commands.append("end")
        async with self._turn:
            self._writer.write(b"".join(command.encode() + b"\0" for command in commands))
            refused: FrrError | None = None
            for command in commands:
                try:
                    await self._answered(command, command)
                except FrrError as error:
                    refused = refused or error
            if refused is not None:
                raise refused

    async def configure(self, node: Sequence[str], line: str, *, shown: str | None = None) -> None:
        """Carry out one configuration line inside `node` (the lines that lead there), then return to the enable node.

        Raises:
            FrrError: the daemon refuses it.
        """
        async with self._turn:
            await self._command("configure terminal", "configure terminal")
            try:
                for step in node:
                    await self._command(step, step)
                await self._command(line, shown or line)
            finally:
                await self._command("end", "end")

    async def close(self) -> None:
        """Close the connection."""
        self._writer.close()
        try:
            await self._writer.wait_closed()
        except OSError:
            return  # the daemon closed first
