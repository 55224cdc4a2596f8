"""The emulated router as a container: `python -m keyroll.emulator.boot.container` is the image's command.

The container's own network namespace is the router's outer one, where containerlab puts `eth1`, `eth2`, …; FRR and
`ge-0/0/0` live in an inner namespace. Process 1 only starts the router, passes signals on and reaps ended processes;
the router has its own mounts, with a /proc in which sysctls can be set (Docker mounts /proc/sys read-only).

Settings in the container's environment and files:

    host name                 the router's name
    CLAB_INTFS                how many `eth<n>` containerlab adds; the router waits for them
    KEYROLL_SENDING           `clock` or `rnext`, KEYROLL_RECEIVING `tolerance` or `any`: its key policies
    KEYROLL_REPOINT, KEYROLL_ALTERATION, KEYROLL_DELETION
                              `next-connection` or `at-once`: what a commit may change of keychains in use
    KEYROLL_WAIT_SCALE        a factor on every deadline
    /config/juniper.conf      the start-up configuration, in either form

It answers SSH on port 22 (root, with the kind's default password), the command `cli` inside the container over
`/run/keyroll/cli.sock`, and its control socket (docs/control.md) at `/run/keyroll/control.sock`. Its logs are in
/var/log/keyroll, which containerlab keeps in the lab's folder on the host.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import re
import select
import signal
import socket
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from keyroll import linux
from keyroll.emulator.boot.container_console import Console, Greeting
from keyroll.emulator.boot.supervisor import JunosHalf, Supervisor
from keyroll.emulator.contract.errors import ProcessError
from keyroll.emulator.contract.in_use_rules import IN_USE_SETTINGS, IN_USE_VALUES
from keyroll.emulator.contract.model import Backend
from keyroll.emulator.machine.protected_sessions import KeyPolicy
from keyroll.errors import KeyrollError
from keyroll.keychain.secret import Secret

USER = "root"
PASSWORD = "clab123"  # noqa: S105 - containerlab's own default for the kind, public in its documents
STARTUP = Path("/config/juniper.conf")
RUN = Path("/run/keyroll")
CLI_SOCKET = RUN / "cli.sock"
CONTROL_SOCKET = RUN / "control.sock"
LOGS = Path("/var/log/keyroll")
LINKS_SECONDS = 120.0
"""From the router's start to its last link: containerlab makes links only when all containers of the lab run, and a
large lab takes a minute or more to start."""
WARN_SECONDS = 5.0
"""From the router's start to a warning that names the missing links: usually they come within a second or two."""
BACKLOG = 64
"""SSH connections that wait while the router boots: more than the clients of any lab."""
STOP_SECONDS = 8.0
"""From SIGTERM to SIGKILL of the router: less than the ten seconds after which Docker kills everything."""
log = logging.getLogger("container")
_ETH = re.compile(r"eth([1-9][0-9]{0,2})")
_RTMGRP_LINK = 1
"""<linux/rtnetlink.h>: the multicast group for links."""
_SETTINGS = {
    "sending": ("clock", "rnext"),
    "receiving": ("tolerance", "any"),
    **dict.fromkeys(IN_USE_SETTINGS, IN_USE_VALUES),
}
_SYSCTL_PROBE = Path("/proc/sys/net/ipv4/ip_forward")


@dataclass(frozen=True, slots=True)
class ContainerSettings:
    """The settings from the container's environment. `links` None: use the interfaces that exist."""

    name: str
    links: int | None
    settings: Mapping[str, str]
    wait_scale: float

    @classmethod
    def read(cls, environment: Mapping[str, str], name: str) -> ContainerSettings:
        """Read the settings.

        Raises:
            ProcessError: a value is invalid; names the variable and what is allowed.
        """
        links: int | None = None
        count = environment.get("CLAB_INTFS")
        if count is not None:
            if not count.isdecimal():
                raise ProcessError(f"invalid CLAB_INTFS '{count}': use a number of interfaces")
            links = int(count)
        settings = {}
        for key, allowed in _SETTINGS.items():
            value = environment.get(f"KEYROLL_{key.upper()}", "")
            if value and value not in allowed:
                raise ProcessError(f"invalid KEYROLL_{key.upper()} '{value}': use {' or '.join(allowed)}")
            if value:
                settings[key] = value
        scale = environment.get("KEYROLL_WAIT_SCALE", "") or "1"
        try:
            wait_scale = float(scale)
        except ValueError:
            raise ProcessError(f"invalid KEYROLL_WAIT_SCALE '{scale}': use a number") from None
        return cls(name.partition(".")[0], links, settings, wait_scale)


def ports(names: list[str]) -> list[dict[str, str]]:
    """Return the boot message's `ports` for the interfaces of a namespace: `eth<n>` is `ge-0/0/<n-1>`."""
    numbers = sorted(int(match[1]) for name in names if (match := _ETH.fullmatch(name)))
    return [{"wire": f"eth{number}", "router": f"ge-0-0-{number - 1}"} for number in numbers]


def await_links(count: int | None, seconds: float) -> list[dict[str, str]]:
    """Wait until `count` interfaces `eth1`, `eth2`, … exist (rtnetlink reports each); return them as `ports` does.

    The log has a warning if this takes longer than a deploy needs: a container that was restarted alone has lost its
    links, and nothing makes them again.

    Raises:
        ProcessError: not all of them came in time; says which did.
    """
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0) as link_changes:
        link_changes.bind((0, _RTMGRP_LINK))
        begun, warned = time.monotonic(), False
        while True:
            found = ports([name for _, name in socket.if_nameindex()])
            if count is None or len(found) >= count:
                return found
            waited = time.monotonic() - begun
            names = ", ".join(port["wire"] for port in found) or "none"
            if waited >= seconds:
                raise ProcessError(
                    f"expected {count} links within {seconds:g} s, found {names}",
                    remedy="a container that is restarted alone loses its links: deploy the lab again",
                )
            if waited >= WARN_SECONDS and not warned:
                warned = True
                log.warning(
                    "waiting for links: %d expected (CLAB_INTFS), found %s; containerlab makes them at deploy, and a"
                    " container that is restarted alone has lost them: deploy the lab again",
                    count,
                    names,
                )
            end = seconds if warned else min(seconds, WARN_SECONDS)
            if select.select([link_changes], [], [], max(0.0, end - waited))[0]:
                link_changes.recv(65536)


def make_sysctls_writable() -> None:
    """Give this process a /proc in which sysctls can be set, in its own mounts, if the container's is read-only.

    Raises:
        ProcessError: the container is not allowed to; the remedy names what it needs.
    """
    remedy = (
        "give the container NET_ADMIN, NET_RAW and SYS_ADMIN, and with AppArmor `apparmor=unconfined`"
        " (topologies/emulated.clab.yml does)"
    )
    try:
        if _sysctls_are_writable():
            return
        linux.unshare(linux.CLONE_NEWNS)
        linux.mount("none", "/", None, linux.MS_REC | linux.MS_PRIVATE)
        linux.mount("proc", "/proc", "proc", linux.MS_NOSUID | linux.MS_NODEV)
        if not _sysctls_are_writable():
            raise ProcessError("sysctls cannot be set in this container", remedy=remedy)
    except OSError as error:
        raise ProcessError(f"this container cannot mount its own /proc: {error.strerror}", remedy=remedy) from error


def _sysctls_are_writable() -> bool:
    try:
        with _SYSCTL_PROBE.open("r+", encoding="ascii") as file:
            value = file.read()
            file.seek(0)
            file.write(value)
    except OSError:
        return False
    return True


def disable_outer_ipv6(wires: list[str]) -> None:
    """Switch off the outer namespace's IPv6 on the wire's interfaces: only the inner namespace uses IPv6 there."""
    for wire in wires:
        with contextlib.suppress(FileNotFoundError):  # a kernel without IPv6
            Path(f"/proc/sys/net/ipv6/conf/{wire}/disable_ipv6").write_text("1", encoding="ascii")


def _listener() -> socket.socket:
    """Return the listening socket for SSH.

    Connections wait in its backlog until the router is up. Raises ProcessError.
    """
    try:
        if socket.has_dualstack_ipv6():
            return socket.create_server(("::", 22), family=socket.AF_INET6, dualstack_ipv6=True, backlog=BACKLOG)
        return socket.create_server(("0.0.0.0", 22), backlog=BACKLOG)  # noqa: S104 - in the container's own namespace
    except OSError as error:
        raise ProcessError(f"cannot listen on port 22: {error.strerror}") from error


def _folder(path: Path) -> None:
    path.mkdir(mode=0o700, parents=True, exist_ok=True)


class _Router:
    """The router's process: the supervisor and the console."""

    def __init__(self, settings: ContainerSettings) -> None:
        self._settings = settings
        self._console = Console(CLI_SOCKET)

    async def run(self) -> int:
        settings = self._settings
        listener = _listener()
        make_sysctls_writable()
        found = await asyncio.to_thread(await_links, settings.links, LINKS_SECONDS * settings.wait_scale)
        disable_outer_ipv6([port["wire"] for port in found])
        boot = {
            "v": 1,
            "name": settings.name,
            "accounts": {USER: PASSWORD},
            "ports": found,
            "control": str(CONTROL_SOCKET),
            "wait_scale": settings.wait_scale,
            "settings": dict(settings.settings),
        }
        logs = os.open(LOGS, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        ours, theirs = socket.socketpair()
        with ours:
            ours.sendall(json.dumps(boot).encode() + b"\n")
            ours.setblocking(False)  # noqa: FBT003 - the standard library's signature
            asyncio.get_running_loop().add_reader(ours, _drop, ours)
            try:
                return await Supervisor(theirs, listener, logs, self._make_junos, _load).run()
            finally:
                await self._console.close()

    def _make_junos(self, backend: Backend, *, host_name: str, policy: KeyPolicy, saved: Path) -> JunosHalf:
        from keyroll.emulator.junos.login.router import JunosRouter  # noqa: PLC0415 - loaded by `_load` by then

        junos = JunosRouter(
            backend,
            host_name=host_name,
            log=logging.getLogger("junos").info,
            receiving=policy.receiving,
            rules=policy.in_use,
            saved=saved,
            startup_file=STARTUP,
        )

        async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, greeting: Greeting) -> None:
            await junos.converse(reader, writer, command=greeting.command, pty=greeting.pty, height=greeting.height)

        return _WithConsole(junos, self._console, converse)


class _WithConsole:
    """A Junos half whose console answers for as long as its SSH server does."""

    def __init__(self, junos: JunosHalf, console: Console, converse: Console.Converse) -> None:
        self._junos = junos
        self._console = console
        self._converse = converse

    async def listen(self, sock: socket.socket, accounts: Mapping[str, Secret]) -> None:
        await self._junos.listen(sock, accounts)
        await self._console.open(self._converse)

    async def close(self) -> None:
        await self._console.close()
        await self._junos.close()


def _drop(events: socket.socket) -> None:
    """Read and discard the supervisor's events: nothing in the container needs them, and the log has the same."""
    if not events.recv(65536):
        asyncio.get_running_loop().remove_reader(events)


def _load() -> None:
    import keyroll.emulator.junos.login.router  # noqa: PLC0415, F401 - loaded while the daemons start, see Supervisor


def _run_router() -> int:
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    try:
        for path in (RUN, LOGS):
            _folder(path)
        for path in (CONTROL_SOCKET, CLI_SOCKET):
            path.unlink(missing_ok=True)  # left from before the container was restarted
        return asyncio.run(_Router(ContainerSettings.read(os.environ, socket.gethostname())).run())
    except KeyrollError as error:
        log.error("%s", error)  # noqa: TRY400 - the sentence is what helps
        return int(error.exit_code)


def main() -> int:
    """Run as process 1: start the router, pass signals on, reap ended processes, and exit when the router does."""
    signals = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD, signal.SIGALRM}
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    router = os.fork()
    if router == 0:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, signals)
        os._exit(_flushed(_run_router()))
    while True:
        got = signal.sigwait(signals)
        if got == signal.SIGALRM:
            os.kill(router, signal.SIGKILL)
        elif got != signal.SIGCHLD:
            os.kill(router, signal.SIGTERM)
            signal.setitimer(signal.ITIMER_REAL, STOP_SECONDS)
        with contextlib.suppress(ChildProcessError):
            while (ended := os.waitpid(-1, os.WNOHANG))[0]:
                if ended[0] == router:
                    return abs(os.waitstatus_to_exitcode(ended[1]))


def _flushed(code: int) -> int:
    sys.stderr.flush()
    sys.stdout.flush()
    return code


if __name__ == "__main__":
    sys.exit(main())
