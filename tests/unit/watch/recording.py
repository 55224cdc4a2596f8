"""An SSH server that records every line it gets, and answers as two routers in a randomly drawn state would."""

# ruff: noqa: E501 - lines of router output are long
from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Self

import asyncssh

from keyroll.instants import FakeClock

USER, PASSWORD = "watcher", "a-password-of-tests"
SECRET = "keyroll-secret-never-written"
BEGIN = datetime(2030, 1, 1, tzinfo=UTC)
NAMES = ("R1", "R2")
PATIENCE = 60.0
"""Seconds for the server to listen, and to close: far beyond what a busy machine needs."""


@dataclass
class FakeRouter:
    """One router: the state from which it answers, and the lines that it was sent."""

    number: int
    clock: FakeClock
    start: datetime
    ldp: bool = False
    labels: int = 1
    secret: str = SECRET
    visible: bool = True
    second_key: bool = True
    skew: timedelta = timedelta()
    flap_at: datetime | None = None
    lose_routes_at: datetime | None = None
    ends_at: datetime | None = None
    """From then on it closes the session instead of answering."""
    slow: timedelta = timedelta()
    garble: Callable[[str, str], str] = lambda _command, answer: answer
    greeting: str = ""
    """Text before the first prompt, repeated `greetings` times."""
    greetings: int = 1
    garbles_login: bool = False
    """Whether `garble` changes the answers at login, too: then the login fails."""
    sent: list[str] = field(default_factory=list)
    logins: int = 0

    @property
    def name(self) -> str:
        return f"R{self.number}"

    @property
    def peer(self) -> str:
        return f"10.0.12.{3 - self.number}"

    def now(self) -> datetime:
        return self.clock.now().moment + self.skew

    def answer(self, line: str) -> str | None:
        """Return what it prints; None: it ends the session."""
        self.sent.append(line)
        if self.ends_at is not None and self.now() >= self.ends_at:
            return None
        self.clock.pause(self.slow)
        answers: dict[str, Callable[[], str]] = {
            "set cli screen-width 511": lambda: "Screen width set to 511",
            "set cli complete-on-space off": lambda: "Disabling complete-on-space",
            "set cli screen-length 0": lambda: "Screen length set to 0",
            "show configuration | no-more": self._configuration,
            "show system uptime": self._uptime,
            "show security keychain detail": self._keychain,
            "show bgp summary": self._bgp,
            "show ldp session detail": self._ldp,
            f"show ldp database session {self.peer}": self._labels,
            "show system statistics tcp": self._drops,
            "show version": lambda: f"Hostname: {self.name}\nModel: mx240\nJunos: 24.4R1.1",
            f"show bgp neighbor {self.peer}": lambda: "Peer: none",
            "show log messages | no-more": lambda: f"secret {self.secret}\nJan  1 00:00:00 R1 rpd[1]: up",
        }
        made = answers.get(line)
        said = made() if made is not None else "unknown command."
        return said if line.startswith("set cli ") and not self.garbles_login else self.garble(line, said)

    def _configuration(self) -> str:
        if not self.visible:
            return "security {\n    /* ACCESS-DENIED */\n}\n" + self._protocols()
        keys = [(0, datetime(2020, 1, 1, tzinfo=UTC))] + ([(1, self.start)] if self.second_key else [])
        send, recv = (1, 2) if self.number == 1 else (2, 1)
        text = f"system {{\n    host-name {self.name};\n}}\nsecurity {{\n    authentication-key-chains {{\n"
        text += "        key-chain kc {\n"
        for number, start in keys:
            text += (
                f'            key {number} {{\n                secret "{self.secret}";\n'
                f'                start-time "{start:%Y-%-m-%-d.%H:%M:%S} +0000";\n                algorithm ao;\n'
                f"                ao-attribute {{\n                    send-id {send + 2 * number};\n"
                f"                    recv-id {recv + 2 * number};\n                    tcp-ao-option enabled;\n"
                "                }\n            }\n"
            )
        return text + "        }\n    }\n}\n" + self._protocols()

    def _protocols(self) -> str:
        ao = "authentication-algorithm ao;\nauthentication-key-chain kc;\n"
        text = (
            f"interfaces {{ ge-0/0/0 {{ unit 0 {{ family inet {{ address 10.0.12.{self.number}/30; }} }} }} }}\n"
            f"routing-options {{ autonomous-system 6500{self.number}; }}\nprotocols {{\nbgp {{ group g {{ type external;\n"
            f"neighbor {self.peer} {{ local-address 10.0.12.{self.number}; peer-as 6500{3 - self.number};\n{ao} }} }} }}\n"
        )
        if self.ldp:
            text += f"ldp {{ interface ge-0/0/0.0; session {self.peer} {{ {ao} }} }}\n"
        return text + "}\n"

    def _uptime(self) -> str:
        return (
            f"Current time: {self.now():%Y-%m-%d %H:%M:%S} UTC\nTime Source:  LOCAL CLOCK \n"
            "System booted: 2029-12-01 00:00:00 UTC (4w2d 00:00 ago)\n"
            "Protocols started: 2029-12-01 00:00:00 UTC (4w2d 00:00 ago)\n"
            "Last configured: 2029-12-02 00:00:00 UTC (4w1d 00:00 ago) by admin\n"
            " 0:00AM  up 31 days, 1 users, load averages: 0.13, 1.68, 4.39"
        )

    def _keychain(self) -> str:
        over = self.second_key and self.now() >= self.start
        active, following = (1, "None") if over else (0, "1" if self.second_key else "None")
        transition = "None" if following == "None" else "00:01:00"
        return (
            "Keychain                 Active-ID        Next-ID       Transition  Tolerance\n"
            "                       Send   Receive   Send   Receive\n"
            f" kc                      {active}      {active}        {following}      {following}        {transition}   3600 (secs)\n"
            f"  Id {active}, Algorithm hmac-md5, State send-receive, Option basic\n"
            "  Start-time Wed Jan  1 00:00:00 2020, Mode send-receive"
        )

    def _uptimes(self) -> tuple[int, int]:
        """Return the flaps, and since when the session is up, in seconds."""
        if self.flap_at is not None and self.now() >= self.flap_at:
            return 1, int((self.now() - self.flap_at).total_seconds())
        return 0, int((self.now() - BEGIN).total_seconds()) + 3600

    def _bgp(self) -> str:
        flaps, seconds = self._uptimes()
        up = str(seconds) if seconds < 60 else f"{seconds // 3600}:{seconds % 3600 // 60:02}:{seconds % 60:02}"
        up = up if seconds >= 3600 or seconds < 60 else f"{seconds // 60}:{seconds % 60:02}"
        count = 100 + int((self.now() - BEGIN).total_seconds()) // 10
        lost = self.lose_routes_at is not None and self.now() >= self.lose_routes_at
        return (
            "Groups: 1 Peers: 1 Down peers: 0\n"
            "Table          Tot Paths  Act Paths Suppressed    History Damp State    Pending\n"
            "inet.0               \n                       5          5          0          0          0          0\n"
            "Peer                     AS      InPkt     OutPkt    OutQ   Flaps Last Up/Dwn State|#Active/Received/Accepted/Damped...\n"
            f"{self.peer}             6500{3 - self.number}         {count}          {count}       0       {flaps}    {up} Establ\n"
            f"  inet.0: {0 if lost else 5}/5/5/0"
        )

    def _ldp(self) -> str:
        _, seconds = self._uptimes()
        up = f"{seconds // 3600:02}:{seconds % 3600 // 60:02}:{seconds % 60:02}"
        return (
            f"Address: {self.peer}, State: Operational, Connection: Open, Hold time: 27\n"
            f"  Session ID: 10.255.0.{self.number}:0--10.255.0.{3 - self.number}:0\n  Next keepalive in 8 seconds\n"
            "  Passive, Maximum PDU: 4096, Hold time: 30, Neighbor count: 1\n  Neighbor types: discovered\n"
            "  Keepalive interval: 10, Connect retry interval: 1\n"
            f"  Local address: 10.0.12.{self.number}, Remote address: {self.peer}\n  Up for {up}"
        )

    def _labels(self) -> str:
        rows = "".join(f"\n{number + 3:7}      10.{number >> 8}.{number & 255}.1/32" for number in range(self.labels))
        return (
            f"Input label database, 10.255.0.{self.number}:0--10.255.0.{3 - self.number}:0\nLabels received: {self.labels}\n"
            f"  Label     Prefix{rows}"
        )

    def _drops(self) -> str:
        return (
            "Tcp:\n        0 send packets dropped by TCP due to auth errors\n"
            "        0 rcv packets dropped by TCP due to auth errors"
        )


class Recording:
    """The server: each router listens on its own port. A context manager."""

    def __init__(self) -> None:
        self.routers: dict[str, FakeRouter] = {}
        self.ports: dict[str, int] = {}
        self.authorized: list[asyncssh.SSHKey] = []
        """Public keys that may log in; the password always may."""
        self.methods: list[str] = []
        """How each login was made: `password` or `key`."""
        self.forwarded: list[int] = []
        """Ports to which the jump host was asked to forward."""
        self.jump_key: asyncssh.SSHKey | None = None
        self._connections: set[asyncssh.SSHServerConnection] = set()
        self._listeners: list[asyncssh.SSHAcceptor] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="recording server")

    def __enter__(self) -> Self:
        self._thread.start()
        key = asyncssh.generate_private_key("ssh-ed25519")
        for name in NAMES:
            self.ports[name] = asyncio.run_coroutine_threadsafe(self._listen(name, key), self._loop).result(PATIENCE)
        return self

    def jump_host(self) -> int:
        """Start a jump host, which forwards to the routers, and return its port; `jump_key` is its host key."""
        self.jump_key = asyncssh.generate_private_key("ssh-ed25519")
        return asyncio.run_coroutine_threadsafe(self._jump(self.jump_key), self._loop).result(PATIENCE)

    async def _jump(self, key: asyncssh.SSHKey) -> int:
        listener = await asyncssh.listen(
            "127.0.0.1", 0, server_host_keys=[key], server_factory=lambda: _Jump(self)
        )  # fmt: skip
        self._listeners.append(listener)
        return listener.get_port()

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(PATIENCE)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _listen(self, name: str, key: asyncssh.SSHKey) -> int:
        async def session(process: asyncssh.SSHServerProcess[str]) -> None:
            await self._serve(self.routers[name], process)

        listener = await asyncssh.listen(
            "127.0.0.1", 0, server_host_keys=[key], server_factory=lambda: _Login(self), process_factory=session, line_editor=False
        )  # fmt: skip
        self._listeners.append(listener)
        return listener.get_port()

    async def _close(self) -> None:
        for listener in self._listeners:
            listener.close()
            await listener.wait_closed()
        for connection in self._connections:
            connection.abort()
            await connection.wait_closed()
        await asyncio.sleep(0)  # lets the transports run their last callbacks
        for task in asyncio.all_tasks():
            if task is not asyncio.current_task():
                task.cancel()

    async def _serve(self, router: FakeRouter, process: asyncssh.SSHServerProcess[str]) -> None:
        router.logins += 1
        prompt = f"{USER}@{router.name}> "
        process.stdout.write(router.greeting.replace("\n", "\r\n") * router.greetings + prompt)
        try:
            async for line in process.stdin:
                if not line:
                    break  # the session's end; nothing was sent
                said = router.answer(line.rstrip("\n"))
                if said is None:
                    break
                process.stdout.write(line.replace("\n", "\r\n") + said.replace("\n", "\r\n") + "\r\n" + prompt)
        except (asyncssh.Error, OSError):
            pass
        process.exit(0)


class _Login(asyncssh.SSHServer):
    """A router's login: a password, or a key of those that are authorized."""

    def __init__(self, recording: Recording) -> None:
        self._recording = recording

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self._recording._connections.add(conn)

    def begin_auth(self, username: str) -> bool:
        return username == USER

    def password_auth_supported(self) -> bool:
        return True

    def validate_password(self, username: str, password: str) -> bool:
        self._recording.methods.append("password")
        return (username, password) == (USER, PASSWORD)

    def public_key_auth_supported(self) -> bool:
        return bool(self._recording.authorized)

    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        found = username == USER and key in self._recording.authorized
        if found:
            self._recording.methods.append("key")
        return found


class _Jump(_Login):
    """A jump host: it forwards only to the routers."""

    def password_auth_supported(self) -> bool:
        return False

    def connection_requested(self, dest_host: str, dest_port: int, orig_host: str, orig_port: int) -> bool:
        del orig_host, orig_port
        self._recording.forwarded.append(dest_port)
        return (dest_host, dest_port) in [("127.0.0.1", port) for port in self._recording.ports.values()]


def plain(clock: FakeClock, *, ldp: bool = False) -> dict[str, FakeRouter]:
    """Return two routers without a fault, whose keys roll over after a minute."""
    return {name: FakeRouter(n + 1, clock, BEGIN + timedelta(minutes=1), ldp=ldp) for n, name in enumerate(NAMES)}


def drawn(seed: int, clock: FakeClock) -> dict[str, FakeRouter]:
    """Return two routers in a state drawn from the seed: good, faulty, slow, hostile, or lost during the watch."""
    dice = random.Random(seed)
    found = plain(clock, ldp=dice.random() < 0.4)
    start = BEGIN + timedelta(seconds=dice.choice([20, 60, 300]))
    for router in found.values():
        router.start = start
    one = found[dice.choice(NAMES)]
    at = BEGIN + timedelta(seconds=dice.randrange(10, 120))
    kinds: list[dict[str, object]] = [
        {},
        {},
        {"flap_at": at},
        {"lose_routes_at": at},
        {"ends_at": at},
        {"slow": timedelta(seconds=dice.choice([0.5, 2, 7]))},
        {"second_key": False},
        {"visible": False},
        {"skew": timedelta(seconds=dice.choice([-5, 3, 7200]))},
        {"garble": lambda _, answer: answer[: dice.randrange(len(answer) + 1)]},
        {"garble": lambda _, answer: dice.choice([answer, f"\x1b]0;x\x07\x1b[2J{answer}", "| save /tmp/x\nconfigure"])},
        {"garble": lambda _, answer: answer.replace(one.peer, "10.0.12.9; request system reboot")},
    ]
    one.garbles_login = dice.random() < 0.05
    for name, value in dice.choice(kinds).items():
        setattr(one, name, value)
    return found
