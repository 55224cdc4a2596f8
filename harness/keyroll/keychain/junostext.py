"""Writes key chains as set lines, in the order in which Junos shows the statements.

`keyroll.configuration` reads them.
"""

from __future__ import annotations

import enum
import hashlib
import re
from collections.abc import Iterator
from datetime import tzinfo

from keyroll.errors import InputError
from keyroll.keychain.model import TOLERANCE_DEFAULT, Key, Keychain
from keyroll.keychain.secret import Secret
from keyroll.keychain.starttime import format_start_stored
from keyroll.keychain.type9 import SALTS, encode_type9

_PLAIN = re.compile(r"[A-Za-z0-9_./:@+-]+", re.ASCII)
_NEEDS_ESCAPE = re.compile(r'(["\\])')
ROOT = "security authentication-key-chains"


class KeychainTextError(InputError):
    """A chain cannot be written as configuration text. Never quotes what may be a secret."""


class Encoding(enum.Enum):
    """How secrets are written."""

    CLEAR = "clear"
    """Plain. A secret that cannot be written in a line of text (control characters, octets that are not UTF-8, a
    leading `$`, which Junos would take for an encoded secret) is nevertheless written as `$9$`."""
    TYPE9 = "$9$"
    """Encoded as in `show configuration`; the same chain always gives the same text."""


def set_lines(chain: Keychain, encoding: Encoding = Encoding.CLEAR, *, zone: tzinfo | None = None) -> list[str]:
    """Return the chain as set commands, one statement a line (docs/junos.md 1.5).

    They contain secrets: send them to a router or write them to a file of mode 0600, never to a log. `include_options`
        has
    no statement in Junos and is not written.

    Args:
        chain: what to write; a missing statement is not written.
        encoding: how secrets are written.
        zone: the zone to write start-times in; None keeps each in its own. Either way the offset is written out.

    Raises:
        KeychainTextError: a name or description has a character that cannot be written in a line.
    """
    head = f"set {ROOT} key-chain {_text('name', chain.name)}"
    lines = [f"{head} {' '.join(words)}" for words in _chain_statements(chain)]
    for key in chain.keys:
        start = f"{head} key {key.id}"
        statements = [" ".join(words) for words in _key_statements(chain, key, encoding, zone)]
        lines += [f"{start} {statement}" for statement in statements] or [start]
    return lines or [head]


def _chain_statements(chain: Keychain) -> Iterator[tuple[str, ...]]:
    if chain.description is not None:
        yield "description", _text("description", chain.description)
    if chain.tolerance != TOLERANCE_DEFAULT:
        yield "tolerance", str(chain.tolerance)


def _key_statements(chain: Keychain, key: Key, encoding: Encoding, zone: tzinfo | None) -> Iterator[tuple[str, ...]]:
    if key.secret is not None:
        yield "secret", _secret(chain, key, key.secret, encoding)
    if key.start is not None:
        yield "start-time", quoted(format_start_stored(key.start, zone or key.start.tzinfo or _no_zone(key)))
    if key.scheme is not None:
        yield "algorithm", key.scheme
    if key.send_id is not None:
        yield "ao-attribute", "send-id", str(key.send_id)
    if key.recv_id is not None:
        yield "ao-attribute", "recv-id", str(key.recv_id)
    if key.tcp_ao_option is not None:
        yield "ao-attribute", "tcp-ao-option", "enabled" if key.tcp_ao_option else "disabled"
    if key.algorithm is not None:
        yield "ao-attribute", "cryptographic-algorithm", key.algorithm.value


def _no_zone(key: Key) -> tzinfo:
    raise KeychainTextError(f"key {key.id}: start-time needs a time zone")


def _secret(chain: Keychain, key: Key, secret: Secret, encoding: Encoding) -> str:
    if encoding is Encoding.CLEAR:
        try:
            text = secret.reveal_text()
        except UnicodeDecodeError:
            text = "$"
        if text.isprintable() and not text.startswith("$"):
            return quote(text)
    # The salt differs from key to key, but not from run to run, so that the same chain gives the same text.
    label = f"{chain.name} {key.id} ".encode() + secret.reveal()
    return quoted(encode_type9(secret, hashlib.sha256(label).digest()[0] % SALTS))


def quote(text: str) -> str:
    """Return `text` as one word of configuration text, in quotes where Junos needs them."""
    return text if _PLAIN.fullmatch(text) else quoted(text)


def quoted(text: str) -> str:
    """Return `text` in quotes; a quote or backslash in it is escaped."""
    return '"' + _NEEDS_ESCAPE.sub(r"\\\1", text) + '"'


def _text(what: str, text: str) -> str:
    if not text.isprintable():
        raise KeychainTextError(f"a {what} with control characters cannot be written as configuration text")
    return quote(text)
