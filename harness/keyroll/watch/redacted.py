"""What is written of the configurations: the watched sessions, from parsed values, without secrets.

It also removes their secrets from everything else: a router may quote them in its log, or on purpose.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from keyroll.configuration import Configuration
from keyroll.configuration.sessions import Session
from keyroll.junos.exchange import Target
from keyroll.junos.redact import secrets_in
from keyroll.keychain.model import Keychain
from keyroll.keychain.secret import SHOWN, Secret
from keyroll.keychain.starttime import format_start_stored
from keyroll.scenario.record.run_folder import FolderRedactor
from keyroll.watch.situation import Situation

_CHAINS = "set security authentication-key-chains key-chain"


class Redaction:
    """Removes secrets from every text: those of the logins, and those of the configurations once they are read."""

    def __init__(self, targets: Iterable[Target]) -> None:
        self._secrets = [
            one.access.password for one in targets if one.access is not None and one.access.password is not None
        ]
        self._redact = FolderRedactor(self._secrets)

    @property
    def secrets(self) -> Sequence[Secret]:
        """The secrets that are known."""
        return tuple(self._secrets)

    def learn(self, texts: Iterable[str], configurations: Mapping[str, Configuration]) -> None:
        """Add the secrets of configurations: those of key-chains, and everything else that is a secret by its place."""
        found = [secret for text in texts for secret in secrets_in(text)]
        for configuration in configurations.values():
            chains = [chain for router in configuration.routers for chain in router.chains]
            found += [key.secret for chain in chains for key in chain.keychain.keys if key.secret is not None]
        self._secrets += [secret for secret in found if secret.known]
        self._redact = FolderRedactor(self._secrets)

    def __call__(self, text: str) -> str:
        """Return the text with all known secrets replaced."""
        return self._redact(text)


def lines_of(configuration: Configuration) -> Iterator[str]:
    """Yield a router's protected sessions and their chains as set lines; a fixed word replaces each secret.

    The lines are made from parsed values: no text of the router itself is written to the disk, whatever it holds.
    """
    for router in configuration.routers:
        yield f"set system host-name {_word(router.name)}"
        protected = [session for session in router.sessions if session.authentication.chain is not None]
        for session in protected:
            yield from _session_lines(session)
        used = {session.authentication.chain.value for session in protected if session.authentication.chain}
        for chain in router.chains:
            if chain.name in used:
                yield from chain_lines(chain.keychain)


def _session_lines(session: Session) -> Iterator[str]:
    at = f"set {' '.join(_word(word) for word in session.path)}"
    chain, algorithm = session.authentication.chain, session.authentication.algorithm
    if algorithm is not None:
        yield f"{at} authentication-algorithm {_word(algorithm.value)}"
    if chain is not None:
        yield f"{at} authentication-key-chain {_word(chain.value)}"
    if session.hold_time is not None and session.kind.value == "bgp":
        yield f"{at} hold-time {session.hold_time.value}"


def _word(text: str) -> str:
    return text if text and all(letter.isprintable() and not letter.isspace() for letter in text) else f'"{text!r}"'


def chain_lines(chain: Keychain) -> Iterator[str]:
    """Yield a chain as set lines, without its secrets."""
    at = f"{_CHAINS} {_word(chain.name)}"
    yield f"{at} tolerance {chain.tolerance}"
    for key in chain.keys:
        one = f"{at} key {key.id}"
        if key.secret is not None:
            yield f"{one} secret {SHOWN}"
        if key.start is not None:
            yield f'{one} start-time "{format_start_stored(key.start)}"'
        if key.scheme is not None:
            yield f"{one} algorithm {key.scheme}"
        for name, value in (("send-id", key.send_id), ("recv-id", key.recv_id)):
            if value is not None:
                yield f"{one} ao-attribute {name} {value}"
        if key.tcp_ao_option is not None:
            yield f"{one} ao-attribute tcp-ao-option {'enabled' if key.tcp_ao_option else 'disabled'}"
        yield f"{one} ao-attribute cryptographic-algorithm {key.effective_algorithm.value}"


def chains_as_data(situation: Situation) -> dict[str, object]:
    """Return the chains of the watched sessions as a run's `chains.json` has them."""
    routers: dict[str, list[dict[str, object]]] = {router: [] for router in situation.routers}
    for number in sorted({session.pair for session in situation.sessions}):
        for chain in situation.report.pairs[number].chains:
            data: dict[str, object] = {
                "name": chain.name,
                "keys": [
                    {"id": key.id, "start": key.start.isoformat(), "send": key.send_id, "recv": key.recv_id}
                    for key in chain.keychain.keys
                    if key.start is not None
                ],
            }
            if data not in routers[chain.where.file]:
                routers[chain.where.file].append(data)
    return {"format": 1, "routers": routers}
