"""SSH: one asyncssh server on a listening socket, one terminal per channel."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import socket
from collections.abc import Callable, Mapping, Sequence

import asyncssh

from keyroll.emulator.junos.effect import accounts as logins
from keyroll.emulator.junos.login.one_command import run_all
from keyroll.emulator.junos.login.root_shell import Shell
from keyroll.emulator.junos.login.terminal import HangUp, Terminal
from keyroll.emulator.junos.shell.cli import command_line
from keyroll.emulator.junos.shell.router_state import RouterState
from keyroll.keychain.secret import Secret

LOGIN_SECONDS = 60
"""Maximum time from connection to login: enough to type a password; OpenSSH's default is 120."""
TRIES = 6
"""Wrong passwords after which a connection is closed: OpenSSH's default of MaxAuthTries."""
WITHOUT_LOGIN = 10
"""Maximum number of connections without a login; further ones are closed at once, as by OpenSSH (MaxStartups)."""
HANG_UP_SECONDS = 1.0
"""Maximum time that a stopping router waits for clients to read the last output; one that reads needs far less."""
_PACKET = 16384
"""Number of octets that are sent without waiting for more: enough for a packet, and a slow reader is noticed soon."""


INSTEAD_OF_FILES = (
    "not emulated: scp and sftp; to read use 'show configuration | no-more' over ssh, to write 'load set terminal' or "
    "'load merge terminal' in configuration mode"
)
_INSTEAD = {
    "netconf": (
        "not emulated: NETCONF; use the command line over ssh (netmiko, scrapli, Ansible's network_cli), "
        "'show configuration | display set', and 'load set terminal'"
    ),
    "sftp": INSTEAD_OF_FILES,
}
"""For each subsystem, the refusal, which names what to use instead."""
_INSTEAD_OF_PROGRAM = {
    "scp": INSTEAD_OF_FILES,
    "sftp-server": INSTEAD_OF_FILES,
    **dict.fromkeys(("netconf", "xml-mode", "junoscript"), _INSTEAD["netconf"]),
}
"""What is said of a program that clients start where they do not ask for a subsystem."""
_RSA_BITS = 2048
"""The smallest key that OpenSSH clients accept under the usual crypto policies; a larger one takes long to generate."""


@functools.cache
def host_keys() -> tuple[asyncssh.SSHKey, ...]:
    """Return the host keys. They are generated once, as RSA takes 65 ms: routers forked from one program share them.

    The RSA and ECDSA keys are for older clients.
    """
    small = (asyncssh.generate_private_key(kind) for kind in ("ssh-ed25519", "ecdsa-sha2-nistp256"))
    return (*small, asyncssh.generate_private_key("ssh-rsa", key_size=_RSA_BITS))


class _SshConnection(asyncssh.SSHServer):
    """One connection: authenticates its user against the lab's accounts and keys, and the configuration in force.

    `waiting` are the connections that have not logged in; `report` is called with the ended task of each channel.
    """

    def __init__(
        self,
        router: RouterState,
        accounts: Mapping[str, Secret],
        keys: Mapping[str, Sequence[str]],
        channels: set[_Channel],
        waiting: set[_SshConnection],
        report: Callable[[asyncio.Task[None]], None],
    ) -> None:
        self._router = router
        self._channels = channels
        self._report = report
        self._accounts = accounts
        self._keys = keys
        self._connection: asyncssh.SSHServerConnection | None = None
        self._login: logins.Login | None = None
        self._waiting = waiting
        self._failures = 0

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self._connection = conn
        if len(self._waiting) >= WITHOUT_LOGIN:
            self._router.syslog.write("sshd", f"a connection was refused: {WITHOUT_LOGIN} others have not logged in")
            conn.abort()
            return
        self._waiting.add(self)
        self._router.logins.add(conn)

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self._waiting.discard(self)
        self._router.logins.discard(self._connection)

    def auth_completed(self) -> None:
        self._waiting.discard(self)

    def begin_auth(self, username: str) -> bool:
        self._login = self._router.store.logins.get(username)
        if self._connection is not None:
            # Set for each user name: a client may try another one on the same connection.
            self._connection.set_authorized_keys(self._authorized(username))
        return True

    def _authorized(self, username: str) -> asyncssh.SSHAuthorizedKeys | None:
        configured = self._login.keys if self._login is not None else ()
        usable = [*self._keys.get(username, ()), *(line for line in configured if self._readable(line, username))]
        return asyncssh.import_authorized_keys("\n".join(usable)) if usable else None

    def _readable(self, line: str, username: str) -> bool:
        try:
            asyncssh.import_public_key(line)
        except asyncssh.KeyImportError as error:
            self._router.syslog.write("sshd", f"a public key of user '{username}' cannot be used: {error}")
            return False
        return True

    def password_auth_supported(self) -> bool:
        return True

    def validate_password(self, username: str, password: str) -> bool:
        admitted = logins.admits(password, self._accounts.get(username), self._login)
        self._failures += not admitted
        if self._failures >= TRIES:
            raise asyncssh.DisconnectError(
                asyncssh.DISC_NO_MORE_AUTH_METHODS_AVAILABLE, "Too many authentication failures"
            )
        return admitted

    def session_requested(self) -> _Channel:
        return _Channel(self._router, self._channels, self._report)


class _Channel(asyncssh.SSHServerSession[bytes]):
    """One session channel: an interactive command line, or the commands given at login."""

    def __init__(
        self, router: RouterState, channels: set[_Channel], report: Callable[[asyncio.Task[None]], None]
    ) -> None:
        self._router = router
        self._channels = channels
        self._report = report
        self._channel: asyncssh.SSHServerChannel[bytes] | None = None
        self._terminal: Terminal | None = None
        self._task: asyncio.Task[None] | None = None
        self._pty = False
        self._height, self._width = 24, 0
        self._command: str | None = None
        self._pending = bytearray()
        """Output that has not been sent."""
        self._subsystem: str | None = None
        self._failed = False

    def connection_made(self, chan: asyncssh.SSHServerChannel[bytes]) -> None:
        self._channel = chan

    def pty_requested(
        self, term_type: str, term_size: tuple[int, int, int, int], term_modes: Mapping[int, int]
    ) -> bool:
        del term_type, term_modes
        self._pty = True
        self._width, self._height = term_size[0], term_size[1] or 24
        return True

    def terminal_size_changed(self, width: int, height: int, pixwidth: int, pixheight: int) -> None:
        del pixwidth, pixheight
        if self._terminal is not None:
            self._terminal.resize(width, height)

    def shell_requested(self) -> bool:
        return True

    def exec_requested(self, command: str) -> bool:
        self._command = command
        return True

    def subsystem_requested(self, subsystem: str) -> bool:
        self._subsystem = subsystem
        return subsystem in _INSTEAD

    def session_started(self) -> None:
        assert self._channel is not None  # noqa: S101 - asyncssh calls connection_made first
        self._channels.add(self)
        self._terminal = Terminal(self._write, pty=self._pty, height=self._height, width=self._width)
        self._task = asyncio.get_running_loop().create_task(self._run(self._terminal), name="ssh channel")
        self._task.add_done_callback(self._report)

    def _write(self, octets: bytes) -> None:
        """Send output: at once when it is long, else together with all output before the next event.

        The output of a command, the empty line after it and the prompt then make one packet. Each packet costs both
        ends a MAC, an encryption and a system call.
        """
        self._pending += octets
        if len(self._pending) >= _PACKET:
            self._send()
        elif len(self._pending) == len(octets):
            asyncio.get_running_loop().call_soon(self._send)

    def _send(self) -> None:
        if self._pending and self._channel is not None and not self._channel.is_closing():
            self._channel.write(bytes(self._pending))
        self._pending.clear()

    def data_received(self, data: bytes, datatype: int | None) -> None:
        if self._terminal is not None and datatype is None:
            self._terminal.data(data)

    def eof_received(self) -> bool:
        if self._terminal is not None:
            self._terminal.end()
        return True

    def break_received(self, msec: int) -> bool:
        del msec
        if self._terminal is not None:
            self._terminal.data(b"\x03")
        return True

    def signal_received(self, signal: str) -> None:
        if signal == "INT":
            self.break_received(0)

    def pause_writing(self) -> None:
        if self._terminal is not None:
            self._terminal.pause()

    def resume_writing(self) -> None:
        if self._terminal is not None:
            self._terminal.resume()

    async def hang_up(self) -> None:
        """Close the channel in order, and wait until the client has read all output and closed its end."""
        if self._terminal is not None and self._channel is not None:
            self._terminal.end()
            await self._channel.wait_closed()

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self._channels.discard(self)
        if self._terminal is not None:
            self._terminal.end()
        if self._task is not None:
            self._task.cancel()

    async def _run(self, terminal: Terminal) -> None:
        assert self._channel is not None  # noqa: S101 - see session_started
        user = str(self._channel.get_extra_info("username"))
        try:
            if self._subsystem is not None:
                self._refuse(_INSTEAD[self._subsystem])
            elif self._command is not None:
                await self._run_command(terminal, user, self._command)
            elif user == logins.ROOT:
                await terminal.serve(self._shell(terminal))
            else:
                await self._run_cli(terminal, user)
        except HangUp:
            pass
        finally:
            self._send()
            self._channel.exit(1 if self._failed else 0)

    async def _run_cli(self, terminal: Terminal, user: str) -> None:
        cli = command_line(self._router, user, terminal)
        try:
            await terminal.serve(cli)
        finally:
            cli.close()

    def _shell(self, terminal: Terminal) -> Shell:
        async def start_cli() -> None:
            await self._run_cli(terminal, logins.ROOT)

        return Shell(lambda: self._router.store.host_name, start_cli)

    async def _run_command(self, terminal: Terminal, user: str, command: str) -> None:
        """Run the commands that were given at login; refuse other services that clients start by a command."""
        instead = _INSTEAD_OF_PROGRAM.get(command.partition(" ")[0])
        if instead is not None:
            self._refuse(instead)
            return
        cli = command_line(self._router, user, terminal)
        try:
            await run_all(cli, terminal, command)
        finally:
            cli.close()

    def _refuse(self, message: str) -> None:
        """Print a message on the error output; the channel then ends with exit status 1."""
        if self._channel is not None:
            self._channel.write_stderr(f"{message}\n".encode())
            self._failed = True


class SshServer:
    """The SSH server of one router."""

    def __init__(self, router: RouterState) -> None:
        self._router = router
        self._acceptor: asyncssh.SSHAcceptor | None = None
        self._channels: set[_Channel] = set()
        self._waiting: set[_SshConnection] = set()
        """The connections that have not logged in."""

    async def listen(
        self, sock: socket.socket, accounts: Mapping[str, Secret], authorized_keys: Mapping[str, Sequence[str]]
    ) -> None:
        """Serve SSH on a socket that already listens. The host keys are only in memory."""
        self._acceptor = await asyncssh.listen(
            sock=sock,
            server_factory=lambda: _SshConnection(
                self._router, accounts, authorized_keys, self._channels, self._waiting, self._channel_ended
            ),
            server_host_keys=list(host_keys()),
            encoding=None,
            line_editor=False,
            allow_scp=False,
            agent_forwarding=False,
            login_timeout=LOGIN_SECONDS,
        )

    def _channel_ended(self, task: asyncio.Task[None]) -> None:
        """Report an exception that ended a channel; the router and all other channels continue."""
        error = None if task.cancelled() else task.exception()
        if error is not None:
            asyncio.get_running_loop().call_exception_handler(
                {"message": "an SSH channel broke", "exception": error, "task": task}
            )

    async def close(self) -> None:
        """Stop listening, end all sessions, and wait for them."""
        if self._acceptor is None:
            return
        self._acceptor.close()
        # Channels first: a client that is told to disconnect discards output that it has not printed.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(HANG_UP_SECONDS):
                await asyncio.gather(*(channel.hang_up() for channel in list(self._channels)))
        connections = list(self._router.logins)
        for connection in connections:
            connection.close()
        await self._acceptor.wait_closed()
        for connection in connections:
            await connection.wait_closed()
