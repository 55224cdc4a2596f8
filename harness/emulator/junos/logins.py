"""Who may log in: the lab's own accounts, and the users and keys of the configuration in force."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from dataclasses import dataclass

from harness.emulator.junos import passwords
from harness.emulator.junos.faults import ValueFault
from harness.emulator.junos.tree import Node
from harness.emulator.junos.values import EntryContext
from harness.keychain.secret import Secret

ROOT = "root"
ENCRYPTED = "encrypted-password"
PLAIN_TEXT = "plain-text-password"
KEY_STATEMENTS = ("ssh-ecdsa", "ssh-ed25519", "ssh-rsa")
_KEY_TYPES = {
    "ssh-ecdsa": ("ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521"),
    "ssh-ed25519": ("ssh-ed25519",),
    "ssh-rsa": ("ssh-rsa",),
}
_LENGTH_OCTETS = 4
_KEY_LIMIT = 8192


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A public key in OpenSSH's form (RFC 4253, 6.6), of the kind that its statement names."""

    statement: str
    hint = ""
    choices = ()

    def store(self, text: str, context: EntryContext) -> str:
        """Return the key as it was typed. Raises ValueFault for what no client could log in with."""
        del context
        fields = text.split()
        if len(text) > _KEY_LIMIT or not text.isprintable() or len(fields) < 2:  # noqa: PLR2004 - kind and key
            raise ValueFault(f"invalid {self.statement} public key: '{self.statement} \"{self._kinds[0]} AAAA…\"'")
        kind, body = fields[:2]
        if kind not in self._kinds:
            raise ValueFault(f"invalid {self.statement} public key: it begins with {' or '.join(self._kinds)}")
        if not _holds(body, kind):
            raise ValueFault(f"invalid {self.statement} public key: it is damaged or cut")
        return text

    @property
    def _kinds(self) -> tuple[str, ...]:
        return _KEY_TYPES[self.statement]


def _holds(body: str, kind: str) -> bool:
    """Say whether the base64 text is a sequence of strings whose first is the key's kind."""
    try:
        octets = base64.b64decode(body, validate=True)
    except (binascii.Error, ValueError):
        return False
    found = []
    while octets:
        length = int.from_bytes(octets[:_LENGTH_OCTETS], "big")
        if len(octets) < _LENGTH_OCTETS + length:
            return False
        found.append(octets[_LENGTH_OCTETS : _LENGTH_OCTETS + length])
        octets = octets[_LENGTH_OCTETS + length :]
    return len(found) > 1 and found[0] == kind.encode()


@dataclass(frozen=True, slots=True)
class EncryptedPassword:
    """A password as crypt(3) leaves it. No message ever quotes what was typed."""

    hint = ""
    choices = ()

    def store(self, text: str, context: EntryContext) -> str:
        """Return the text as it is. Raises ValueFault for what is not of a form that Junos and this router know."""
        del context
        if not text.startswith(passwords.SCHEMES) or not text.isprintable() or " " in text:
            known = ", ".join(passwords.SCHEMES)
            raise ValueFault(f"invalid encrypted password (it begins with one of {known})")
        return text


@dataclass(frozen=True, slots=True)
class Login:
    """How one user of the configuration may prove who he is."""

    keys: tuple[str, ...] = ()
    password: str | None = None


def configured(root: Node) -> dict[str, Login]:
    """Return the users of an expanded configuration, `root` among them where it has a key or a password."""
    system = root.find("system")
    found = dict(_users(system)) if system is not None else {}
    own = system.child("root-authentication") if system is not None else None
    if own is not None:
        found[ROOT] = _login(own)
    return found


def _users(system: Node) -> Iterator[tuple[str, Login]]:
    login = system.child("login")
    for user in login.entries("user") if login is not None else ():
        authentication = user.child("authentication")
        if authentication is not None:
            yield user.key or "", _login(authentication)


def _login(node: Node) -> Login:
    keys = tuple(entry.key or "" for name in KEY_STATEMENTS for entry in node.entries(name))
    return Login(keys, node.value_of(ENCRYPTED))


def admits(password: str, account: Secret | None, login: Login | None) -> bool:
    """Say whether a password opens an account of the lab, or is a configured user's."""
    if account is not None and account == Secret(password):
        return True
    return login is not None and login.password is not None and passwords.fits(password, login.password)
