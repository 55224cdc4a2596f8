"""SSH logins to routers outside of labs: with keys, an agent, checked host keys, a jump host."""

from __future__ import annotations

import os
import shlex
import socket
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from keyroll.junos.errors import SessionError
from keyroll.keychain.secret import Secret

_GOODBYE_SECONDS = 2.0
"""Seconds for a jump host's command to end after its connection is closed; it then has nothing left to do."""

_COMPLAINT_MAX = 500
"""The most octets of the command's error output that are kept: enough for a line of OpenSSH, too few for a log."""


def _at_once() -> None:
    """Return at once: the default of `Access`, for logins without a limit on their pace."""


@dataclass(frozen=True, slots=True)
class Access:
    """How to log in to a router outside of a lab.

    A target without it is a lab's router: login by password, with host keys unchecked.
    """

    password: Secret | None = None
    key_files: tuple[Path, ...] = ()
    agent: bool = False
    known_hosts: tuple[Path, ...] = ()
    """Files of host keys in OpenSSH's format; files that do not exist are ignored."""
    new_hosts: Path | None = None
    """The file that the key of an unknown host is added to; None: unknown hosts are refused."""
    proxy: tuple[str, ...] = ()
    """A command whose standard streams are the connection (`ProxyCommand`), as words; empty: connect directly."""
    before_line: Callable[[], None] = field(default=_at_once, repr=False, compare=False)
    """Called before each line that the login types; returns when it may be typed."""


class HostKeyError(SessionError):
    """The host's key is unknown, or differs from the known one."""


class Proxy:
    """A command that carries the connection: its standard input and output are one end of a socket.

    paramiko's own `ProxyCommand` reads pipes, and loops forever when the command has ended.
    """

    def __init__(self, words: tuple[str, ...]) -> None:
        self.command = shlex.join(words)
        # A file, because a pipe that is not read during the session could fill up and block the command.
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the connection
        mine, theirs = socket.socketpair()
        with theirs:
            try:
                self._process = subprocess.Popen(
                    words, stdin=theirs.fileno(), stdout=theirs.fileno(), stderr=self._errors
                )
            except OSError as error:
                mine.close()
                self._errors.close()
                raise SessionError(f"the jump host's command '{shlex.join(words)}' cannot be run: {error}") from None
        self.socket = mine
        self._complaint = ""

    @property
    def complaint(self) -> str:
        """The last line that the command wrote to its standard error; known once it is closed."""
        return self._complaint

    def close(self) -> None:
        """End the command."""
        self.socket.close()
        try:
            self._process.wait(_GOODBYE_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if not self._errors.closed:
            size = self._errors.seek(0, os.SEEK_END)
            self._errors.seek(max(0, size - _COMPLAINT_MAX))
            lines = self._errors.read().decode("utf-8", "replace").split("\n")
            self._complaint = next((line.strip() for line in reversed(lines) if line.strip()), "")
            self._errors.close()


def parameters(access: Access, given: Mapping[str, object]) -> dict[str, object]:
    """Return paramiko's arguments for a connection, based on those of netmiko."""
    return {
        **given,
        "password": None if access.password is None else access.password.reveal_text(),  # for the login
        "look_for_keys": False,  # only what the inventory or SSH's own configuration names
        "allow_agent": access.agent,
        "key_filename": [str(path) for path in access.key_files] or None,
    }
