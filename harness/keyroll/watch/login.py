"""From an inventory's entry to a login: get the secret, and follow SSH's own configuration."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from keyroll.errors import InputError
from keyroll.junos.access import Access
from keyroll.junos.exchange import Target
from keyroll.junos.ssh import paramiko
from keyroll.keychain.secret import Secret
from keyroll.watch.inventory import Inventory, RouterEntry, Ways

# IANA's port of SSH.
SSH_PORT = 22
_NONE = "none"
_NO_PASSWORD = Secret(b"")
_COMMAND_SECONDS = 60.0
"""For a vault's client to print a secret: it may have to renew its own login first, over the network."""
_SECRET_MAX = 4096
"""Octets of a password. A command that prints more does not print a password."""


@dataclass(frozen=True, slots=True)
class _Host:
    """What SSH's configuration says about a host."""

    host: str
    port: int
    user: str | None
    key_files: tuple[Path, ...]
    known_hosts: tuple[Path, ...]
    proxy: tuple[str, ...]


def targets(
    inventory: Inventory, *, accept_new: bool = False, run: Callable[[tuple[str, ...]], str] | None = None
) -> list[Target]:
    """Return how each router is logged in to. A secret that several routers share is read once.

    Args:
        inventory: the file.
        accept_new: whether keys of hosts that are not known are added to the file of known hosts.
        run: runs a command and returns its output; by default as a child process.

    Raises:
        InputError: a secret or the SSH configuration cannot be read; names the router and the field.
    """
    secrets = _SecretReader(run or _output_of)
    return [_target(name, entry, secrets, accept_new=accept_new) for name, entry in inventory.routers.items()]


def _target(name: str, entry: RouterEntry, secrets: _SecretReader, *, accept_new: bool) -> Target:
    host = _host(name, entry)
    user = entry.user or host.user
    if user is None:
        raise InputError(f"routers.{name}: no user", remedy="give 'user', or User in the SSH configuration")
    ways = entry.secret
    keys = host.key_files if ways == "agent" else ()
    password = None
    if isinstance(ways, Ways):
        keys = (_key_file(name, ways.key),) if ways.key is not None else ()
        password = None if ways.key is not None else secrets.secret(name, ways)
    access = Access(
        password,
        keys,
        agent=ways == "agent",
        known_hosts=host.known_hosts,
        new_hosts=host.known_hosts[0] if accept_new else None,
        proxy=host.proxy,
    )
    return Target(name, host.host, host.port, user, password or _NO_PASSWORD, entry.platform, access)


def _key_file(name: str, text: str) -> Path:
    path = Path(text).expanduser()
    if not path.is_file():
        raise InputError(f"routers.{name}.secret.key: there is no file {path}")
    return path


class _SecretReader:
    """Reads the secrets, each source once, since a descriptor can be read only once."""

    def __init__(self, run: Callable[[tuple[str, ...]], str]) -> None:
        self._run = run
        self._secrets: dict[Ways, Secret] = {}

    def secret(self, name: str, ways: Ways) -> Secret:
        if ways not in self._secrets:
            text = self._text(f"routers.{name}.secret", ways)
            first = text.split("\n", 1)[0].rstrip("\r")
            if not first or len(first.encode()) > _SECRET_MAX:
                raise InputError(f"routers.{name}.secret: its first line is {'too long' if first else 'empty'}")
            self._secrets[ways] = Secret(first)
        return self._secrets[ways]

    def _text(self, place: str, ways: Ways) -> str:
        if ways.env is not None:
            if ways.env not in os.environ:
                raise InputError(f"{place}.env: the variable {ways.env} is not set")
            return os.environ[ways.env]
        if ways.fd is not None:
            return _from_descriptor(place, ways.fd)
        try:
            return self._run(ways.command or ())
        except (OSError, ValueError, subprocess.SubprocessError) as error:
            # Its output may hold the secret: the message says only how it ended.
            raise InputError(f"{place}.command: {(ways.command or ('',))[0]}: {_how(error)}") from None


def _from_descriptor(place: str, number: int) -> str:
    try:
        with open(number, "rb", closefd=False) as stream:
            return stream.read(_SECRET_MAX + 1).decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        how = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise InputError(f"{place}.fd: descriptor {number} cannot be read: {how}") from None


def _how(error: Exception) -> str:
    if isinstance(error, subprocess.CalledProcessError):
        return f"ended with {error.returncode}"
    if isinstance(error, subprocess.TimeoutExpired):
        return f"did not end within {error.timeout:g} s"
    return f"cannot be run: {error.strerror}" if isinstance(error, OSError) else "its output is not UTF-8"


def _output_of(words: tuple[str, ...]) -> str:
    done = subprocess.run(words, stdout=subprocess.PIPE, check=True, timeout=_COMMAND_SECONDS)
    return done.stdout.decode("utf-8")


def _host(name: str, entry: RouterEntry) -> _Host:
    config, path = _ssh_config(name, entry)
    found = config.lookup(entry.host) if config is not None else {}
    host, port = str(found.get("hostname", entry.host)), entry.port or int(found.get("port", SSH_PORT))
    known = [Path(entry.known_hosts).expanduser()] if entry.known_hosts else _known_hosts(found)
    keys = (Path(text).expanduser() for text in found.get("identityfile", ()))
    jump = entry.jump or _hops(str(found.get("proxyjump", "")))
    proxy: tuple[str, ...] = ()
    if jump:
        proxy = _through(jump, host, port, path)
    elif str(found.get("proxycommand", _NONE)).lower() != _NONE:
        proxy = tuple(shlex.split(str(found["proxycommand"])))
    user = found.get("user")
    return _Host(host, port, user and str(user), tuple(key for key in keys if key.is_file()), tuple(known), proxy)


def _ssh_config(name: str, entry: RouterEntry) -> tuple[paramiko.SSHConfig | None, Path | None]:
    if entry.ssh_config == _NONE:
        return None, None
    path = Path(entry.ssh_config).expanduser()
    try:
        return paramiko.SSHConfig.from_path(str(path)), path
    except FileNotFoundError:
        if entry.ssh_config == RouterEntry.model_fields["ssh_config"].default:
            return None, None
        raise InputError(f"routers.{name}.ssh-config: there is no file {path}") from None
    except (OSError, UnicodeDecodeError, paramiko.SSHException) as error:
        raise InputError(f"routers.{name}.ssh-config: {path} cannot be read: {error}") from None


def _known_hosts(found: dict[str, str] | paramiko.SSHConfigDict) -> list[Path]:
    files = str(found.get("userknownhostsfile", "~/.ssh/known_hosts")).split()
    more = str(found.get("globalknownhostsfile", "/etc/ssh/ssh_known_hosts")).split()
    return [Path(text).expanduser() for text in (*files, *more)]


def _hops(text: str) -> tuple[str, ...]:
    return () if text.lower() in ("", _NONE) else tuple(text.split(","))


def _through(hops: tuple[str, ...], host: str, port: int, config: Path | None) -> tuple[str, ...]:
    """Return OpenSSH's command for a connection through jump hosts, with the user's own keys and logins for them.

    It never prompts: the live view would hide the prompt.
    """
    follow = ("-F", str(config) if config is not None else "none")
    before = ("-J", ",".join(hops[:-1])) if len(hops) > 1 else ()
    last, _, last_port = hops[-1].rpartition(":") if _has_port(hops[-1]) else (hops[-1], "", "")
    to = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    at = ("-p", last_port) if last_port else ()
    return ("ssh", *follow, "-o", "BatchMode=yes", *before, *at, "-W", to, "--", last.strip("[]"))


def _has_port(hop: str) -> bool:
    return hop.rpartition("]")[2].count(":") == 1
