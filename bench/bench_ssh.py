"""Compare the emulated Junos command line over SSH with a bare asyncssh server that echoes and answers fixed texts.

    python bench/bench_ssh.py [ROUNDS]

netmiko connects to both servers, runs a show command and commits a keychain, in turns; each server is a process.
Figures are medians, and their ratio within one run counts. Connect and show may take at most 1.5 times as long as with
the bare server; for the commit, which the bare server does not carry out, the ratio is only printed.
"""

# ruff: noqa: INP001 - a script, not a package

from __future__ import annotations

import asyncio
import secrets
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import asyncssh
from netmiko import ConnectHandler
from netmiko.juniper.juniper import JuniperSSH

from keyroll.emulator.contract.model import BgpState, Intent, RouteState
from keyroll.emulator.junos.login.router import JunosRouter
from keyroll.keychain.secret import Secret

USER = "admin"
ROUNDS = 9
"""Rounds, of which the median counts; odd, so that it is a measured value."""
ALLOWED = 1.5
"""netmiko's own waits are most of both times: half as much again is a delay that a person notices."""
CHAIN = [
    f"set security authentication-key-chains key-chain c key {number} {rest}"
    for number in range(2)
    for rest in (
        f"secret s{number}",
        f"start-time 2030-01-01.0{number}:00",
        "algorithm ao",
        f"ao-attribute send-id {2 * number + 1}",
        f"ao-attribute recv-id {2 * number + 2}",
        "ao-attribute tcp-ao-option enabled",
    )
]
FIXED = {
    "set cli screen-width 511": "Screen width set to 511",
    "set cli complete-on-space off": "Disabling complete-on-space",
    "set cli screen-length 0": "Screen length set to 0",
    "show version": "Hostname: R1\nModel: bare\nJunos: 0",
    "configure": "Entering configuration mode",
    "commit": "commit complete",
    "exit configuration-mode": "Exiting configuration mode",
}


class Idle:
    """A machine half that does nothing, so that only the Junos half is measured."""

    def now(self) -> datetime:
        """Return the host's clock."""
        return datetime.now(UTC)

    async def set_clock(self, moment: datetime) -> None:
        """Do nothing."""

    async def apply(self, intent: Intent) -> None:
        """Do nothing."""

    async def bgp(self) -> Sequence[BgpState]:
        """Return nothing."""
        return []

    async def routes(self) -> Sequence[RouteState]:
        """Return nothing."""
        return []

    async def clear_bgp(self, address: object, *, soft: bool) -> None:
        """Do nothing."""


class Account(asyncssh.SSHServer):
    """Accepts one user with a password."""

    def __init__(self, password: str) -> None:
        self._password = password

    def begin_auth(self, username: str) -> bool:
        """Ask everybody for a password."""
        return bool(username)

    def password_auth_supported(self) -> bool:
        """Accept passwords."""
        return True

    def validate_password(self, username: str, password: str) -> bool:
        """Compare both."""
        return username == USER and secrets.compare_digest(password, self._password)


async def bare(process: asyncssh.SSHServerProcess[str]) -> None:
    """Answer with fixed texts; asyncssh's line editor echoes."""
    prompt = "> "
    while True:
        process.stdout.write(f"\n{'[edit]' + chr(10) if prompt == '# ' else ''}{USER}@R1{prompt}")
        line = (await process.stdin.readline()).strip()
        if line == "exit":
            process.exit(0)
            return
        prompt = {"configure": "# ", "exit configuration-mode": "> "}.get(line, prompt)
        if line in FIXED:
            process.stdout.write(FIXED[line] + "\n")


async def serve(kind: str, password: str) -> None:
    """Serve one of the two until standard input closes; print the port first."""
    sock = socket.create_server(("127.0.0.1", 0))
    if kind == "junos":
        router = JunosRouter(Idle(), host_name="R1")
        await router.listen(sock, {USER: Secret(password)})
    else:
        await asyncssh.listen(
            sock=sock,
            server_factory=lambda: Account(password),
            process_factory=bare,
            server_host_keys=[asyncssh.generate_private_key("ssh-ed25519")],
        )
    sys.stdout.write(f"{sock.getsockname()[1]}\n")
    sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.read)


class Server:
    """One of the two servers, in a child process."""

    def __init__(self, kind: str) -> None:
        self.password = secrets.token_urlsafe(12)
        self._child = subprocess.Popen(
            [sys.executable, __file__, "--serve", kind], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        if self._child.stdin is None or self._child.stdout is None:
            raise RuntimeError("the server's pipes are missing")
        self._child.stdin.write(self.password + "\n")
        self._child.stdin.flush()
        self.port = int(self._child.stdout.readline())

    def connect(self) -> JuniperSSH:
        """Connect and prepare the session, as netmiko does."""
        connection = ConnectHandler(
            device_type="juniper_junos", host="127.0.0.1", port=self.port, username=USER, password=self.password
        )
        if not isinstance(connection, JuniperSSH):
            raise TypeError("netmiko has no juniper_junos driver")
        return connection

    def close(self) -> None:
        """End the process."""
        if self._child.stdin is not None:
            self._child.stdin.close()
        self._child.wait()


def timed(work: Callable[[], object]) -> float:
    """Return how long `work` takes, in seconds."""
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def one_round(server: Server, found: dict[str, list[float]]) -> None:
    """Measure connect, show and commit once."""
    connections: list[JuniperSSH] = []
    found["connect"].append(timed(lambda: connections.append(server.connect())))
    (connection,) = connections
    found["show"].append(timed(lambda: connection.send_command("show version")))

    def commit() -> None:
        connection.send_config_set(CHAIN, exit_config_mode=False)
        connection.commit()
        connection.exit_config_mode()

    found["commit of a keychain"].append(timed(commit))
    connection.disconnect()


def main(rounds: int) -> int:
    """Measure both in turns and print the result; return 1 if a ratio is beyond its limit, else 0."""
    names = ("connect", "show", "commit of a keychain")
    servers = {kind: Server(kind) for kind in ("bare", "junos")}
    found: dict[str, dict[str, list[float]]] = {kind: {name: [] for name in names} for kind in servers}
    try:
        for _ in range(rounds):
            for kind, server in servers.items():
                one_round(server, found[kind])
    finally:
        for server in servers.values():
            server.close()
    failed = False
    for name in names:
        bare_, junos = (statistics.median(found[kind][name]) for kind in ("bare", "junos"))
        too_slow = name != "commit of a keychain" and junos / bare_ > ALLOWED
        failed = failed or too_slow
        verdict = f"  more than {ALLOWED}" if too_slow else ""
        sys.stdout.write(
            f"{name}: bare {bare_ * 1e3:.0f} ms, junos {junos * 1e3:.0f} ms, ratio {junos / bare_:.2f}{verdict}\n"
        )
    return 1 if failed else 0


if __name__ == "__main__":
    if sys.argv[1:2] == ["--serve"]:
        asyncio.run(serve(sys.argv[2], sys.stdin.readline().strip()))
    else:
        sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS))
