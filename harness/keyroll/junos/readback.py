"""Keychains read back from a router and compared with what was sent, secrets compared decoded.

A router stores a secret as `$9$` text with a salt of its own, so encoded texts are never compared (docs/junos.md 1.4).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol

from keyroll.junos.errors import ReadBackError
from keyroll.keychain.junostext.reader import parse
from keyroll.keychain.model import Key, Keychain

COMMAND = "show configuration security authentication-key-chains"


class SecretReader(Protocol):
    """What can answer a command with text that is not redacted: a `RouterSession`."""

    @property
    def name(self) -> str:
        """The router's name."""
        ...

    def ask_secret(self, command: str) -> str:
        """Return the whole answer."""
        ...


def read_keychains(session: SecretReader) -> list[Keychain]:
    """Return the key-chains of the running configuration, in the router's order; none is an empty list.

    Raises:
        KeychainTextError: what the router shows is no configuration text that can be read.
    """
    return parse(session.ask_secret(COMMAND), source=f"{session.name}: {COMMAND}")


def differences(sent: Iterable[Keychain], found: Iterable[Keychain]) -> list[str]:
    """Return what is not as it was sent, a sentence each: chain, key, attribute, never a secret.

    `include_options` is left out: no router has a statement for it.
    """
    here, there = {chain.name: chain for chain in sent}, {chain.name: chain for chain in found}
    said = [f"key-chain {name} is missing" for name in here if name not in there]
    said += [f"key-chain {name} was not sent" for name in there if name not in here]
    for name in here.keys() & there.keys():
        said += _chain_differences(here[name], there[name])
    return said


def check_keychains(session: SecretReader, sent: Iterable[Keychain]) -> list[Keychain]:
    """Read the chains back and return them.

    Raises:
        ReadBackError: they are not those that were sent; names every difference.
    """
    found = read_keychains(session)
    said = differences(sent, found)
    if said:
        raise ReadBackError(f"{session.name} holds other keychains than were sent: {'; '.join(said)}")
    return found


def _chain_differences(sent: Keychain, found: Keychain) -> Iterator[str]:
    for attribute in ("tolerance", "description"):
        if getattr(sent, attribute) != getattr(found, attribute):
            yield (
                f"key-chain {sent.name}: {attribute} was sent as {getattr(sent, attribute)}, "
                f"is {getattr(found, attribute)}"
            )
    here, there = {key.id: key for key in sent.keys}, {key.id: key for key in found.keys}
    yield from (f"key-chain {sent.name}: key {number} is missing" for number in sorted(here.keys() - there.keys()))
    yield from (f"key-chain {sent.name}: key {number} was not sent" for number in sorted(there.keys() - here.keys()))
    for number in sorted(here.keys() & there.keys()):
        yield from _key_differences(f"key-chain {sent.name}: key {number}", here[number], there[number])


def _key_differences(where: str, sent: Key, found: Key) -> Iterator[str]:
    if sent.secret != found.secret:
        yield f"{where}: the secret is another one"
    for attribute, name in (
        ("start", "start-time"),
        ("scheme", "algorithm"),
        ("send_id", "send-id"),
        ("recv_id", "recv-id"),
        ("tcp_ao_option", "tcp-ao-option"),
        ("algorithm", "cryptographic-algorithm"),
    ):
        mine, theirs = getattr(sent, attribute), getattr(found, attribute)
        if mine != theirs:
            yield f"{where}: {name} was sent as {_shown(mine)}, is {_shown(theirs)}"


def _shown(value: object) -> str:
    return "not set" if value is None else str(getattr(value, "value", value))
