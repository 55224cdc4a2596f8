"""netmiko's session for Junos, with its own session preparation, which waits for prompts and uses no fixed delays.

netmiko takes the first `#`, `>`, `%` or `$` for a prompt. A banner may hold these characters, and a root login may then
stay in the shell. This preparation accepts a prompt only at the end of the output. Its steps are netmiko's: from a
shell into the CLI, then width, completion, paging.
"""

from __future__ import annotations

import contextlib
import re
from datetime import timedelta
from typing import Any

from keyroll.errors import printable
from keyroll.instants import SYSTEM, Instant
from keyroll.junos.access import Access, Proxy, parameters
from keyroll.junos.errors import SessionError
from keyroll.junos.host_keys import client
from keyroll.junos.ssh import JuniperSSH, NetmikoTimeoutException, ReadException, ReadTimeout, paramiko

WIDTH = 511
"""Columns of the terminal, more than any line sent: Junos' line editor scrolls longer lines, which hides their echo."""
_PREPARATION = (
    (f"set cli screen-width {WIDTH}", "Screen width set to"),
    ("set cli complete-on-space off", "Disabling complete-on-space"),
    ("set cli screen-length 0", "Screen length set to"),
)
GOODBYE = timedelta(seconds=1)
"""Seconds to log out: a working router needs milliseconds, and waiting for a stuck one gains nothing."""
_PREPARATION_SECONDS = 20.0
"""Limits the preparation where the caller sets no limit: as long as one answer may take (`Deadlines.answer`)."""
_GREETING_MAX = 1 << 20
"""Characters before a prompt at login: a banner has some thousands. Each part is searched with all that came before."""
_CHUNK = 65536
"""Octets of one read: twice the largest packet of SSH, so that one read empties what has come."""
_ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def plain(text: str) -> str:
    """Remove terminal control characters from a text: escape sequences, carriage returns, bells."""
    return _ANSI.sub("", text).replace("\r", "").replace("\a", "")


class JunosConnection(JuniperSSH):
    """Like `JuniperSSH`; `read_timeout_override` limits the whole preparation. `access` None: a lab's router."""

    def __init__(self, *, access: Access | None = None, **settings: Any) -> None:  # noqa: ANN401 - netmiko's own
        self._access = access
        self._proxy: Proxy | None = None
        try:
            super().__init__(**settings)
        except NetmikoTimeoutException as error:
            self._tell_of_proxy(error)
            raise

    def _tell_of_proxy(self, error: NetmikoTimeoutException) -> None:
        """Raise an error with the output of the jump host's command, if any: netmiko does not know the cause."""
        if self._proxy is None or isinstance(error.__context__, paramiko.BadHostKeyException):
            return
        self._proxy.close()
        said = printable(self._proxy.complaint) or "it said nothing"
        words = f"no SSH connection through the jump host's command '{self._proxy.command}': {said}"
        raise SessionError(f"{self.host}: {words}") from None

    def _build_ssh_client(self) -> paramiko.SSHClient:
        return super()._build_ssh_client() if self._access is None else client(self._access)

    def _connect_params_dict(self) -> dict[str, Any]:
        given: dict[str, Any] = super()._connect_params_dict()
        if self._access is None:
            return given
        given = parameters(self._access, given)
        if self._access.proxy:
            self._proxy = Proxy(self._access.proxy)
            given["sock"] = self._proxy.socket
        return given

    def paramiko_cleanup(self) -> None:
        """Close the connection, and what carries it."""
        super().paramiko_cleanup()
        if self._proxy is not None:
            self._proxy.close()

    def _type(self, line: str) -> None:
        if self._access is not None:
            self._access.before_line()
        self.write_channel(line + "\n")

    def _try_session_preparation(self, force_data: bool = True) -> None:  # noqa: FBT001, FBT002 - netmiko's signature
        del force_data  # no need to send Enter: Junos prints a prompt after the login
        super()._try_session_preparation(force_data=False)

    def session_preparation(self) -> None:
        """Enter the CLI and set up the terminal. Raises ReadTimeout, ReadException, and errors of a lost session."""
        deadline = SYSTEM.now() + timedelta(seconds=self.read_timeout_override or _PREPARATION_SECONDS)
        user = re.escape(self.username)
        cli = rf"(?:^|\n)(?P<cli>{user}@[\w.-]+)> ?\Z"
        shell = rf"(?:^|\n)(?:\[?{user}@[\w.-]+[^\n>]*[#%$]|[%$#]) ?\Z"
        found = self._until(rf"{cli}|{shell}", deadline)
        if found["cli"] is None:
            self._type("cli")
            found = self._until(cli, deadline)
        for command, answer in _PREPARATION:
            self._type(command)
            found = self._until(rf"(?s:{re.escape(command)}\n.*{answer}.*?){cli}", deadline)
        self.base_prompt = found["cli"]

    def cleanup(self, command: str = "exit") -> None:
        """Leave configuration mode and log out, within one second; ignore a lost session.

        netmiko would wait for its time-out (15 s here) on each line, even on a channel that a dead router has closed.
        To a router outside of a lab nothing more is sent: its session ends with the connection.
        """
        if self._access is not None:
            return
        deadline = SYSTEM.now() + GOODBYE
        with contextlib.suppress(ReadException, ReadTimeout, paramiko.SSHException, OSError, EOFError):
            self._say("", deadline)
            if self._until(r"[>#] ?\Z", deadline)[0].startswith("#"):
                self._say("exit configuration-mode", deadline)
                if "?" in self._until(r"(?:> ?|\?[^\n>#]*)\Z", deadline)[0]:  # uncommitted changes: they stay
                    self._say("yes", deadline)
                    self._until(r"> ?\Z", deadline)
            self._say(command, deadline)
            self._until(r"(?!)", deadline)  # read to the end: the router closes the session

    def _say(self, line: str, deadline: Instant) -> None:
        channel = self.remote_conn
        if not isinstance(channel, paramiko.Channel) or channel.closed or channel.eof_received:
            raise ReadException("the router closed it")
        channel.settimeout(max(0.0, (deadline - SYSTEM.now()).total_seconds()))
        channel.sendall(f"{line}\n".encode())

    def _until(self, pattern: str, deadline: Instant) -> re.Match[str]:
        """Read until the output since the last call matches `pattern`, which is anchored at its end."""
        channel = self.remote_conn
        if not isinstance(channel, paramiko.Channel):
            raise ReadException("there is no SSH channel")
        text = ""
        while (remaining := (deadline - SYSTEM.now()).total_seconds()) > 0:
            channel.settimeout(remaining)
            try:
                octets = channel.recv(_CHUNK)
            except TimeoutError:
                break
            if not octets:
                raise ReadException("the router closed it")
            text += octets.decode("utf-8", "replace")
            if len(text) > _GREETING_MAX:
                raise ReadException(f"more than {_GREETING_MAX >> 20} MiB came before a prompt")
            found = re.search(pattern, plain(text))
            if found:
                return found
        raise ReadTimeout("no prompt")
