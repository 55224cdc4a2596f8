"""How an SSH login is made where routers are not a lab's: keys, an agent, strict host keys, a jump host."""

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
"""For a jump host's command to end once its connection is closed: it has nothing left to do."""

_COMPLAINT_MAX = 500
"""Octets of what the command says at its end: a line of OpenSSH's, and not a log."""


def _at_once() -> None:
    """Let the next line be typed at once."""


@dataclass(frozen=True, slots=True)
class Access:
    """A login to a router that somebody else keeps.

    A login without it is that of a lab: by password, with host keys unchecked.
    """

    password: Secret | None = None
    key_files: tuple[Path, ...] = ()
    agent: bool = False
    known_hosts: tuple[Path, ...] = ()
    """Files of host keys in OpenSSH's form; those that are not there are passed over."""
    new_hosts: Path | None = None
    """Where the key of a host that is not known is added; None: such a host is refused."""
    proxy: tuple[str, ...] = ()
    """A command whose standard streams are the connection (`ProxyCommand`), as words; empty: connect directly."""
    before_line: Callable[[], None] = field(default=_at_once, repr=False, compare=False)
    """Called before each line that the login types; returns when it may be typed."""


class HostKeyError(SessionError):
    """The host's key is not known, or is not the one that is known."""


class Proxy:
    """A command that carries the connection: its standard input and output are one end of a socket.

    paramiko's own `ProxyCommand` reads pipes, and spins without end when the command has ended.
    """

    def __init__(self, words: tuple[str, ...]) -> None:
        self.command = shlex.join(words)
        # A file, which never fills as a pipe would that nobody reads while the session lasts.
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
    """Return paramiko's arguments of a connection, from those that netmiko would give."""
    return {
        **given,
        "password": None if access.password is None else access.password.reveal_text(),  # for the login
        "look_for_keys": False,  # only what the inventory or SSH's own configuration names
        "allow_agent": access.agent,
        "key_filename": [str(path) for path in access.key_files] or None,
    }
