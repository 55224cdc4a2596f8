"""Values of login statements: public keys and encrypted passwords, as the configuration holds them."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass

from keyroll.emulator.junos.configuration import passwords
from keyroll.emulator.junos.configuration.faults import ValueFault
from keyroll.emulator.junos.configuration.values import EntryContext

ENCRYPTED = "encrypted-password"
PLAIN_TEXT = "plain-text-password"
KEY_STATEMENTS = ("ssh-ecdsa", "ssh-ed25519", "ssh-rsa")
_KEY_TYPES = {
    "ssh-ecdsa": ("ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521"),
    "ssh-ed25519": ("ssh-ed25519",),
    "ssh-rsa": ("ssh-rsa",),
}
_LENGTH_OCTETS = 4
"""Of the length before each string of a public key (RFC 4251, 5)."""
_KEY_LIMIT = 8192
"""Characters of a public key: an RSA key of 16384 bits has about 2800."""


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
