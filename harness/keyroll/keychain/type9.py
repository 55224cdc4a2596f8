"""`$9$`: Junos' reversible encoding, which hides a secret from a look at the screen (it is not encryption).

netutils does the arithmetic; this module adds what it lacks: there, truncated texts decode silently, a bare `$9$` ends
in an IndexError, a salt of 0 means "random", and the filler characters are always random.
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
"""The number of different characters in such texts; each can be the salt."""


@functools.cache
def load() -> ModuleType:
    """Import netutils on first use: the import takes as long as the rest of a small command.

    Call this before forking processes that will need it.
    """
    with warnings.catch_warnings():
        # netutils imports the deprecated module `crypt` of older Python versions; nothing here uses it.
        warnings.filterwarnings("ignore", "'crypt' is deprecated", DeprecationWarning)
        return importlib.import_module("netutils.password")


class Type9Error(KeychainError):
    """A text is not a complete `$9$` encoding. The text itself is never part of the message."""


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
    # netutils takes 0 for "choose at random"; a negative index, counted from the end, is used as given.
    text = str(load().encrypt_juniper_type9(secret.reveal().decode("latin-1"), salt - SALTS))
    head, body = _split(text)
    return head[: len(PREFIX) + 1] + _filler(secret, salt, len(head) - len(PREFIX) - 1) + body


def decode_type9(text: str) -> Secret:
    """Return the secret that `text` encodes.

    A text that is cut inside a character's group is detected; one that is cut between two characters is a valid
    encoding of a shorter secret, and cannot be detected.

    Raises:
        Type9Error: it does not begin with `$9$`, is cut, has a character that such texts do not have, encodes nothing
            or more than 126 characters, or is a text that no router would write.
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
    """Return the octets, or None if no encoder can have made the text: a gap of -1, or a sum beyond one octet.

    It raises nothing: exceptions of `str.encode` would contain the decoded secret.
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
    """Return filler characters, which decoders ignore; they depend only on the arguments, so texts are repeatable."""
    digest = hashlib.sha256(b"keyroll $9$ filler" + bytes([salt]) + secret.reveal()).digest()
    known = str(load().JUNIPER_KEYS_STRING)
    return "".join(known[octet % SALTS] for octet in digest[:count])
