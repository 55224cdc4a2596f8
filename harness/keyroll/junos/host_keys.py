"""SSH clients that check, refuse or add host keys. Separate from `access`, which must not import an SSH client."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

from keyroll.junos.access import Access, HostKeyError
from keyroll.junos.ssh import paramiko


def client(access: Access) -> paramiko.SSHClient:
    """Return a client that knows the hosts of `known_hosts`, and refuses others, or adds them to `new_hosts`."""
    made = paramiko.SSHClient()
    for path in access.known_hosts:
        if path.is_file():
            made.load_system_host_keys(str(path))
    made.set_missing_host_key_policy(_Refuse() if access.new_hosts is None else _Add(access.new_hosts))
    return made


def fingerprint(key: paramiko.PKey) -> str:
    """Return a key's fingerprint as OpenSSH prints it."""
    return "SHA256:" + base64.b64encode(hashlib.sha256(key.asbytes()).digest()).decode().rstrip("=")


class _Refuse(paramiko.MissingHostKeyPolicy):
    def missing_host_key(self, client: paramiko.SSHClient, hostname: str, key: paramiko.PKey) -> None:
        del client
        raise HostKeyError(
            f"the host key of {hostname} is not known: {key.get_name()} {fingerprint(key)}",
            remedy="compare it with the router's, then use --accept-new-host-keys once",
        )


class _Add(paramiko.MissingHostKeyPolicy):
    def __init__(self, path: Path) -> None:
        self._path = path

    def missing_host_key(self, client: paramiko.SSHClient, hostname: str, key: paramiko.PKey) -> None:
        client.get_host_keys().add(hostname, key.get_name(), key)
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self._path.open("a", encoding="utf-8") as stream:
            stream.write(f"{hostname} {key.get_name()} {key.get_base64()}\n")
