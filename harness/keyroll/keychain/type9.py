"""`$9$`: Junos' reversible encoding, which hides a secret from a glance at the screen (it is not encryption).

netutils does the arithmetic; this module closes what it leaves open: texts cut short decode silently there, a bare
`$9$` ends in an IndexError, a salt of 0 means "random", and the filler characters are always random.
The same secret has many encodings (65 salts and fillers), so encodings are never compared: decode both.
"""

from __future__ import annotations

import functools
import hashlib
import importlib
import warnings
from types import ModuleType

from keyroll.keychain.model import SECRET_MAX, KeychainError
from keyroll.keychain.secret import Secret

PREFIX = "$9$"
SALTS = 65
"""How many characters occur in such texts; each can be the salt."""


@functools.cache
def load() -> ModuleType:
    """Import netutils when the first `$9$` text comes: it takes as long as the rest of a small command.

    Who forks processes that will need it imports it before.
    """
    with warnings.catch_warnings():
        # It imports the standard library's `crypt` where there still is one; nothing here uses it.
        warnings.filterwarnings("ignore", "'crypt' is deprecated", DeprecationWarning)
        return importlib.import_module("netutils.password")


class Type9Error(KeychainError):
    """A text is no whole `$9$` encoding. The text itself is never part of the message."""


def is_type9(text: str) -> bool:
    """Say whether Junos would take `text` for an encoded secret: by its first three characters."""
    return text.startswith(PREFIX)


def encode_type9(secret: Secret, salt: int = 0) -> str:
    """Return `secret` as `$9$` text. The same secret and salt give the same text.

    Args:
        secret: any octets; each is encoded as one character.
        salt: 0 to 64, which of the 65 salt characters to begin with.

    Raises:
        Type9Error: the salt is out of range.
    """
    if not 0 <= salt < SALTS:
        raise Type9Error(f"a $9$ salt is 0 to {SALTS - 1}, not {salt}")
    # netutils takes 0 for "choose at random"; counted from the end, every salt is a number that it takes as given.
    text = str(load().encrypt_juniper_type9(secret.reveal().decode("latin-1"), salt - SALTS))
    head, body = _split(text)
    return head[: len(PREFIX) + 1] + _filler(secret, salt, len(head) - len(PREFIX) - 1) + body


def decode_type9(text: str) -> Secret:
    """Return the secret that `text` encodes.

    A text cut inside a character's group is noticed; one cut between two characters is a whole encoding of a shorter
    secret, which nothing can tell.

    Raises:
        Type9Error: it does not begin with `$9$`, is cut, holds a character that does not occur there, encodes
            nothing or more than 126 characters, or is not what any router would have written.
    """
    if not is_type9(text):
        raise Type9Error("an encoded secret begins with $9$")
    if len(text) == len(PREFIX):
        raise Type9Error("nothing follows $9$", remedy="copy the encoded secret whole")
    known = str(load().JUNIPER_KEYS_STRING)
    if any(char not in known for char in text[len(PREFIX) :]):
        raise Type9Error("a character of this $9$ text does not occur in such texts", remedy="copy it whole")
    body = _split(text)[1]
    if not body:
        raise Type9Error("this $9$ text is cut short", remedy="copy the encoded secret whole")
    octets = _decoded(text)
    if octets is None:
        raise Type9Error("this $9$ text was damaged", remedy="copy the encoded secret whole")
    again = str(load().encrypt_juniper_type9(octets.decode("latin-1"), known.index(text[len(PREFIX)]) - SALTS))
    if _split(again)[1] != body:
        raise Type9Error("this $9$ text is cut short or damaged", remedy="copy the encoded secret whole")
    if len(octets) > SECRET_MAX:
        raise Type9Error(f"this $9$ text holds {len(octets)} characters; a secret has 1 to {SECRET_MAX}")
    return Secret(octets)


def _decoded(text: str) -> bytes | None:
    """Return the octets, or None where no encoder made the text: a gap of -1, or a sum beyond one octet.

    No exception leaves here: those of `str.encode` carry what was decoded.
    """
    try:
        return str(load().decrypt_juniper_type9(text)).encode("latin-1")
    except (ValueError, IndexError):
        return None


def _split(text: str) -> tuple[str, str]:
    """Cut a `$9$` text into its head (prefix, salt, fillers) and its body."""
    salt = text[len(PREFIX)]
    end = len(PREFIX) + 1 + int(load().JUNIPER_CHARACTER_KEYS[salt])
    return text[:end], text[end:]


def _filler(secret: Secret, salt: int, count: int) -> str:
    """Return filler characters that depend on nothing but the arguments: they carry no meaning, only variety."""
    digest = hashlib.sha256(b"keyroll $9$ filler" + bytes([salt]) + secret.reveal()).digest()
    known = str(load().JUNIPER_KEYS_STRING)
    return "".join(known[octet % SALTS] for octet in digest[:count])
