"""A scripted router behind a real SSH server, with a prompt, an echo and a candidate configuration."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import asyncssh
import pytest
from tests.unit.known import known

from keyroll.junos.exchange import Deadlines, Target
from keyroll.keychain.secret import Secret

GOLDEN = Path(__file__).parent / "golden"
PASSWORD = "lab-password-1"
UNKNOWN = f"{' ' * 12}^\nunknown command."
Reply = str | Callable[["Device", str], str]


class Device:
    """Answers from `replies` and refuses all other lines as Junos does; `received` has every line it got."""

    def __init__(self, *, user: str = "admin", host: str = "R1", start_in_shell: bool = False) -> None:
        self.user, self.host, self.start_in_shell = user, host, start_in_shell
        self.replies: dict[str, Reply] = {}
        self.received: list[str] = []
        self.dirty = False
        self.banner, self.login_delay = "", 0.0
        self.reboots = 0
        self.level = ""
        self.level_after: dict[str, str] = {"top": ""}
        self.commit_reply = "commit complete"
        self.check_reply = "configuration check succeeds"
        self.refusals: dict[str, str] = {}
        self.hang_on: str | None = None
        self.drop_on: str | None = None
        self.port = 0
        self._connections: list[asyncssh.SSHServerConnection] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._server: asyncssh.SSHAcceptor | None = None

    def start(self) -> None:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._listen(self.port), self._loop).result(10)

    def stop_listening(self) -> None:
        async def close() -> None:
            known(self._server).close()  # no wait_closed: since Python 3.12 it waits until every connection has ended

        asyncio.run_coroutine_threadsafe(close(), self._loop).result(10)

    def listen_again(self) -> None:
        asyncio.run_coroutine_threadsafe(self._listen(self.port), self._loop).result(10)

    def stop(self) -> None:
        async def hang_up() -> None:
            for connection in self._connections:
                connection.abort()
                await connection.wait_closed()

        self.stop_listening()
        asyncio.run_coroutine_threadsafe(hang_up(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def target(self, password: str = PASSWORD) -> Target:
        return Target(self.host, "127.0.0.1", self.port, self.user, Secret(password))

    async def _listen(self, port: int) -> None:
        device = self

        class Server(asyncssh.SSHServer):
            def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
                device._connections.append(conn)

            def password_auth_supported(self) -> bool:
                return True

            def validate_password(self, username: str, password: str) -> bool:
                return (username, password) == (device.user, PASSWORD)

        self._server = await asyncssh.create_server(
            Server,
            "127.0.0.1",
            port,
            server_host_keys=[asyncssh.generate_private_key("ssh-ed25519")],
            process_factory=self._serve,
        )
        self.port = self._server.get_port()

    async def _serve(self, process: asyncssh.SSHServerProcess[str]) -> None:
        mode = "shell" if self.start_in_shell else "cli"
        write = process.stdout.write
        write("Last login: Tue Jan  1 00:00:00 2030 from 127.0.0.1\n--- JUNOS 21.2R3-S2.9 Kernel 64-bit\n")
        write(self.banner)
        await asyncio.sleep(self.login_delay)
        write(self._prompt(mode))
        try:
            async for raw in process.stdin:
                line = raw.rstrip("\n")
                if line.strip():
                    self.received.append(line)
                if line == self.drop_on:
                    process.channel.get_connection().abort()
                    return
                if line == self.hang_on:
                    continue
                mode, text = self._answer(mode, line.strip())
                if mode == "closed":
                    break
                if mode in {"exit?", "reboot?"}:
                    write(text)
                    continue
                write(text + "\n" if text else "")
                write(("\n" if text else "") + self._prompt(mode))
                if mode == "rebooting":
                    break
        except (asyncssh.BreakReceived, asyncssh.TerminalSizeChanged, asyncssh.SignalReceived):
            pass
        process.exit(0)

    def _prompt(self, mode: str) -> str:
        return {
            "shell": f"root@{self.host}:~# ",
            "rebooting": f"{self.user}@{self.host}> ",
            "cli": f"{self.user}@{self.host}> ",
            "configure": f"[edit{self.level}]\n{self.user}@{self.host}# ",
        }[mode]

    def _answer(self, mode: str, line: str) -> tuple[str, str]:
        """Return the mode after `line`, and the answer."""
        fixed = {
            "": "",
            "set cli screen-width 511": "Screen width set to 511",
            "set cli complete-on-space off": "Disabling complete-on-space",
            "set cli screen-length 0": "Screen length set to 0",
        }
        if mode in {"cli", "configure"}:
            if line in fixed:
                return mode, fixed[line]
            command = line.removeprefix("run ")
            if command in self.replies and (mode == "cli" or line != command):
                reply = self.replies[command]
                return mode, reply if isinstance(reply, str) else reply(self, line)
        answers = {
            "shell": self._shell,
            "cli": self._operational,
            "configure": self._configuration,
            "exit?": lambda _line: ("cli", "Exiting configuration mode"),
            "reboot?": self._reboot,
        }
        return answers[mode](line)

    def _shell(self, line: str) -> tuple[str, str]:
        return ("cli" if line == "cli" else "shell"), ""

    def _reboot(self, line: str) -> tuple[str, str]:
        if line != "yes":
            return "cli", ""
        self.reboots += 1
        return "rebooting", "Shutdown NOW!\n[pid 4711]"

    def _operational(self, line: str) -> tuple[str, str]:
        note = "\nThe configuration has been changed but not committed" if self.dirty else ""
        answers = {
            "configure": ("configure", "Entering configuration mode" + note),
            "request system reboot": ("reboot?", "Reboot the system ? [yes,no] (no) "),
            "exit": ("closed", ""),
        }
        answers["configure exclusive"] = answers["configure"]
        return answers.get(line, ("cli", UNKNOWN))

    def _configuration(self, line: str) -> tuple[str, str]:
        if line in self.refusals:
            return "configure", self.refusals[line]
        if line in self.level_after:
            self.level = f" {self.level_after[line]}".rstrip()
            return "configure", ""
        if line == "exit configuration-mode":
            note = "The configuration has been changed but not committed\n"
            question = note + "Exit with uncommitted changes? [yes,no] (yes) "
            return ("exit?", question) if self.dirty else ("cli", "Exiting configuration mode")
        return "configure", self._statement(line)

    def _statement(self, line: str) -> str:
        if line == "show | compare":
            return '[edit system]\n+  host-name R1;\n+  secret "$9$abc"; ## SECRET-DATA' if self.dirty else ""
        if line == "commit check":
            return self.check_reply
        if line.startswith("commit"):
            self.dirty &= "commit complete" not in self.commit_reply
            return self.commit_reply
        if line.startswith("rollback "):
            self.dirty = line != "rollback 0"
            return "load complete"
        if line.startswith(("set ", "delete ")):
            self.dirty = True
            return ""
        return UNKNOWN


@pytest.fixture
def device() -> Iterator[Device]:
    device = Device()
    device.start()
    yield device
    device.stop()


@pytest.fixture
def make_device() -> Iterator[Callable[..., Device]]:
    made: list[Device] = []

    def make(*, user: str = "admin", host: str = "R1", start_in_shell: bool = False) -> Device:
        made.append(Device(user=user, host=host, start_in_shell=start_in_shell))
        made[-1].start()
        return made[-1]

    yield make
    for device in made:
        device.stop()


@pytest.fixture
def quick() -> Deadlines:
    """Deadlines for tests in which an answer never comes."""
    return Deadlines(connect=10, answer=1.5, commit=1.5, reconnect=15)
