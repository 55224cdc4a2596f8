"""Value types of login statements: public keys and encrypted passwords."""

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
"""Size of the length field before each string of a public key (RFC 4251, section 5)."""
_KEY_LIMIT = 8192
"""Maximum length of a public key in characters; an RSA key of 16384 bits has about 2800."""


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A public key in OpenSSH's form (RFC 4253, section 6.6), of the key type that `statement` names."""

    statement: str
    hint = ""
    choices = ()

    def store(self, text: str, context: EntryContext) -> str:
        """Return the key as typed. Raises ValueFault for a key with which no client could log in."""
        del context
        fields = text.split()
        if len(text) > _KEY_LIMIT or not text.isprintable() or len(fields) < 2:  # noqa: PLR2004 - kind and key
            raise ValueFault(f"invalid {self.statement} public key: '{self.statement} \"{self._kinds[0]} AAAA…\"'")
        kind, body = fields[:2]
        if kind not in self._kinds:
            raise ValueFault(f"invalid {self.statement} public key: it begins with {' or '.join(self._kinds)}")
        if not _is_key_of_kind(body, kind):
            raise ValueFault(f"invalid {self.statement} public key: it is damaged or cut")
        return text

    @property
    def _kinds(self) -> tuple[str, ...]:
        return _KEY_TYPES[self.statement]


def _is_key_of_kind(body: str, kind: str) -> bool:
    """Return whether the base64 text is a sequence of SSH strings of which the first is `kind`."""
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
    """The crypt(3) hash of a password. No message quotes the typed text."""

    hint = ""
    choices = ()

    def store(self, text: str, context: EntryContext) -> str:
        """Return the text unchanged. Raises ValueFault unless it is a single word with one of `passwords.SCHEMES`."""
        del context
        if not text.startswith(passwords.SCHEMES) or not text.isprintable() or " " in text:
            known = ", ".join(passwords.SCHEMES)
            raise ValueFault(f"invalid encrypted password (it begins with one of {known})")
        return text
