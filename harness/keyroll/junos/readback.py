"""Read keychains back from a router and compare them with those that were sent.

A router stores a secret as `$9$` text with a random salt, so secrets are decoded before the comparison (docs/junos.md
1.4).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol

from keyroll.configuration import ConfigurationError, read
from keyroll.junos.errors import ReadBackError
from keyroll.keychain.model import Key, Keychain
from keyroll.keychain.secret import Likeness

COMMAND = "show configuration security authentication-key-chains"


class SecretReader(Protocol):
    """A session that returns unredacted output: a `RouterSession`."""

    @property
    def name(self) -> str:
        """The router's name."""
        ...

    def ask_secret(self, command: str) -> str:
        """Return the whole answer."""
        ...


def read_keychains(session: SecretReader) -> list[Keychain]:
    """Return the key-chains of the running configuration, in the router's order; empty if there are none.

    Raises:
        ReadBackError: a statement in the output is unknown, or a secret is hidden.
    """
    source = f"{session.name}: {COMMAND}"
    try:
        configuration = read(session.ask_secret(COMMAND), source)
    except ConfigurationError as error:
        raise ReadBackError(str(error)) from None
    if configuration.findings:
        raise ReadBackError(str(configuration.findings[0]))
    return [chain.keychain for chain in configuration.main.chains]


def differences(sent: Iterable[Keychain], found: Iterable[Keychain]) -> list[str]:
    """Return the differences, one sentence each: chain, key, attribute, never a secret.

    `include_options` is not compared: no router has a statement for it.
    """
    here, there = {chain.name: chain for chain in sent}, {chain.name: chain for chain in found}
    said = [f"key-chain {name} is missing" for name in here if name not in there]
    said += [f"key-chain {name} was not sent" for name in there if name not in here]
    for name in here.keys() & there.keys():
        said += _chain_differences(here[name], there[name])
    return said


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
    if not _same_secret(sent, found):
        yield f"{where}: the secret differs"
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


def _same_secret(sent: Key, found: Key) -> bool:
    if sent.secret is None or found.secret is None:
        return sent.secret is found.secret
    return sent.secret.compare(found.secret) is Likeness.EQUAL
