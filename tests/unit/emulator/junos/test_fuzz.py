"""Invalid input over SSH (octets, requests, aborted channels) stops neither the router nor other sessions."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import asyncssh
import pytest

from keyroll.emulator.junos.login import ssh_server
from keyroll.emulator.junos.login.terminal import Terminal
from keyroll.emulator.junos.shell.output import Output

if TYPE_CHECKING:
    from tests.unit.emulator.junos.conftest import LiveRouter

PASSWORD = "made-up-for-tests"
PATIENCE = 30.0
"""Longest wait for an answer, in seconds. The router needs far less; a loaded machine may not."""
OUT = b"\x03\x04\x03\r"
"""Ends whatever was begun: a command, a question, a pasted text, a line."""
WORDS = (
    *(
        "show",
        "set",
        "delete",
        "edit",
        "configure",
        "commit",
        "rollback",
        "load",
        "merge",
        "terminal",
        "run",
        "top",
        "up",
        "insert",
        "ping",
    ),
    *("security", "authentication-key-chains", "key-chain", "key", "secret", "protocols", "bgp", "group", "neighbor"),
    *("interfaces", "ge-0/0/0", "unit", "family", "inet", "address", "policy-options", "system", "login", "user"),
    *(
        "|",
        "display",
        "compare",
        "match",
        "[",
        "]",
        "{",
        "}",
        ";",
        '"',
        "*",
        "<*>",
        "?",
        "0",
        "99999999999",
        "10.0.0.1",
    ),
)


def connect(router: LiveRouter, user: str = "admin") -> object:
    return asyncssh.connect(
        "127.0.0.1", router.port, username=user, password=PASSWORD, known_hosts=None, client_keys=None, config=None
    )


def line(rng: random.Random) -> bytes:
    """Return a line of words, some of them cut or damaged. None ends the session or reboots the router."""
    words = [rng.choice(WORDS) for _ in range(rng.randint(1, 9))]
    words = [word[: rng.randint(1, len(word))] if rng.random() < 0.2 else word for word in words]
    octets = bytearray(" ".join(words).encode())
    if rng.random() < 0.3:
        octets[rng.randrange(len(octets))] = rng.randrange(256)
    return bytes(octets)


async def answers(router: LiveRouter) -> bool:
    async with connect(router) as connection:  # type: ignore[attr-defined]
        done = await asyncio.wait_for(connection.run("show version"), PATIENCE)
        return "Hostname:" in str(done.stdout)


class Watched(Terminal):
    """A terminal that counts the octets received and the lines run."""

    received = ran = 0

    def data(self, octets: bytes) -> None:
        self.received += len(octets)
        super().data(octets)

    async def run(self, work: Awaitable[Output]) -> Output:
        self.ran += 1
        return await super().run(work)


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (1, 2))])
def test_the_router_survives_thousands_of_damaged_lines(
    live: LiveRouter, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = random.Random(seed)
    terminals: list[Watched] = []

    def watched(write: Callable[[bytes], None], *, pty: bool, height: int = 24, width: int = 0) -> Watched:
        terminals.append(Watched(write, pty=pty, height=height, width=width))
        return terminals[-1]

    monkeypatch.setattr(ssh_server, "Terminal", watched)

    def busy(sent: int) -> bool:
        return not terminals or terminals[0].received < sent or bool(terminals[0]._input)

    async def taken(sent: int, pings: int) -> None:
        """Wait until the router has read all that was sent, or has begun a ping, which only Ctrl-C ends."""
        while busy(sent) and len(live.backend.pings) == pings:  # noqa: ASYNC110 - it runs in another thread's loop
            await asyncio.sleep(0.002)

    async def play() -> None:
        async with connect(live) as connection:  # type: ignore[attr-defined]
            process = await connection.create_process(encoding=None, term_type="vt100", term_size=(80, 24))
            process.stdin.write(start := b"set cli screen-length 0\r")
            reading = asyncio.ensure_future(_read_until(process, b"Hostname: "))
            sent = len(start)
            for _ in range(40):
                lines = b"".join(line(rng) + b"\r" for _ in range(20))
                sent, pings = sent + len(lines), len(live.backend.pings)
                process.stdin.write(lines)
                # Ctrl-C discards the input that waits for a running command to end.
                await asyncio.wait_for(taken(sent, pings), PATIENCE)
                process.stdin.write(OUT)
                sent += len(OUT)
            process.stdin.write(OUT + b"run show version | no-more\rshow version | no-more\r")
            await asyncio.wait_for(reading, PATIENCE)
        assert await answers(live)

    asyncio.run(play())
    assert terminals[0].ran > 700


def test_the_router_survives_unexpected_ssh_requests_and_channels(live: LiveRouter) -> None:
    rng = random.Random("channels")

    async def one(connection: asyncssh.SSHClientConnection) -> None:
        way = rng.randrange(5)
        if way == 0:
            await connection.run(line(rng).decode("latin-1"), input="no\n" * 3, encoding="latin-1")
        elif way == 1:
            with contextlib.suppress(asyncssh.Error):  # refused, or ended with a message that names what to use
                process = await connection.create_process(subsystem=rng.choice(["netconf", "sftp", "x" * 300]))
                await process.wait_closed()
        elif way == 2:  # closed before any input
            process = await connection.create_process(term_type="dumb", term_size=(0, 0))
            process.change_terminal_size(rng.randrange(5), 0)
            process.close()
        elif way == 3:  # octets without a terminal, then the end of input
            process = await connection.create_process(encoding=None)
            process.stdin.write(b"configure\nload merge terminal\n" + rng.randbytes(2000))
            process.stdin.write_eof()
            await process.wait_closed()
        else:
            process = await connection.create_process(encoding=None, term_type="vt100")
            process.send_break(1)
            process.send_signal(rng.choice(["INT", "HUP", "WINCH"]))
            process.stdin.write(rng.randbytes(500))
            connection.abort() if rng.random() < 0.2 else process.close()

    async def play() -> None:
        for _ in range(10):
            async with connect(live) as connection:  # type: ignore[attr-defined]
                found = await asyncio.wait_for(
                    asyncio.gather(*(one(connection) for _ in range(8)), return_exceptions=True), PATIENCE
                )
                unexpected = [error for error in found if isinstance(error, BaseException)]
                assert all(_of_a_lost_connection(error) for error in unexpected), unexpected
        assert await answers(live)

    asyncio.run(play())


def _of_a_lost_connection(error: BaseException) -> bool:
    """Say whether a lost connection explains the error.

    asyncssh's client raises AttributeError if another channel aborts the connection while it opens one.
    """
    aborted = isinstance(error, AttributeError) and error.name == "session_started"
    return aborted or isinstance(error, asyncssh.Error | ConnectionError)


async def _read_until(process: asyncssh.SSHClientProcess[bytes], wanted: bytes) -> None:
    seen = b""
    while chunk := await process.stdout.read(65536):
        seen = (seen + chunk)[-4096:]
        if wanted in seen:
            return
    raise AssertionError(f"the session ended: {seen[-300:]!r}")
