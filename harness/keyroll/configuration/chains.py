"""The key chains in force: values of `keyroll.keychain`, the place of each statement, and doubts about them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from typing import TypeVar

from keyroll.configuration.findings import Finding, Kind, Note, Path
from keyroll.configuration.inheritance import View
from keyroll.configuration.placeholders import secret_of
from keyroll.errors import Where
from keyroll.keychain.model import (
    AO_ID_MAX,
    DESCRIPTION_MAX,
    KEY_ID_MAX,
    TOLERANCE_DEFAULT,
    TOLERANCE_MAX,
    Key,
    Keychain,
    KeychainError,
)
from keyroll.keychain.secret import Secret
from keyroll.keychain.starttime import parse_start
from keyroll.names import Algorithm

V = TypeVar("V")
Slot = tuple[int | None, str | None]
"""(key number or None, statement or None)."""

ROOT: Path = ("security", "authentication-key-chains")
SCHEMES = frozenset(
    ("md5", "hmac-sha-1", "ao", "sha-1", "hmac-sha2-224", "hmac-sha2-256", "hmac-sha2-384", "hmac-sha2-512")
)
OPTIONS = frozenset(("basic", "isis-enhanced"))
FALLBACKS = frozenset(("hmac-sha-1", "sha-1"))


@dataclass(frozen=True, slots=True)
class Chain:
    """A key chain of one router and the places of its parts.

    `lost` names, for each key, statements that the text has but whose value is not known (unreadable, uncertain): the
    key lacks them in `keychain`, but not on the router.
    """

    keychain: Keychain
    path: Path
    where: Where
    places: Mapping[Slot, Where] = field(repr=False)
    lost: Mapping[int, frozenset[str]] = field(repr=False, default_factory=dict)
    numbers: int = 0
    """The number of keys in the text; keys with other numbers than Junos' 0 to 63 are not in `keychain`."""
    doubts: tuple[Finding, ...] = field(default=(), repr=False)
    """The findings that affect the chain, including unknown secrets."""

    @property
    def name(self) -> str:
        """The chain's name."""
        return self.keychain.name

    def place(self, key: int | None = None, statement: str | None = None) -> Where:
        """Return the place of a key's statement, of the key, or of the chain: the innermost that is known."""
        for slot in ((key, statement), (key, None), (None, statement)):
            if slot in self.places:
                return self.places[slot]
        return self.where

    @property
    def secrets_unknown(self) -> tuple[int, ...]:
        """The numbers of the keys that have an unknown secret."""
        return tuple(key.id for key in self.keychain.keys if key.secret is not None and not key.secret.known)

    @property
    def means_ao(self) -> bool:
        """Whether the chain is for TCP-AO at all: a router may have others, for OSPF or IS-IS."""
        return any(
            key.scheme == "ao" or any(value is not None for value in (key.send_id, key.recv_id, key.tcp_ao_option))
            for key in self.keychain.keys
        )


def chains_of(view: View, *, note: Note, place: Callable[[int], Where], zone: tzinfo) -> tuple[Chain, ...]:
    """Return the chains below `security authentication-key-chains` of a router's view, in the text's order.

    Args:
        view: the router's whole configuration.
        note: called with each finding.
        place: returns the place (file and line) of a line number.
        zone: the zone of start-times that name none.
    """
    held = view.below(*ROOT, "key-chain")
    chains = [
        _ChainReader(held.below(name), (*held.path, name), note, place, zone).chain(name) for name in held.names()
    ]
    return tuple(chain for chain in chains if chain is not None)


class _ChainReader:
    def __init__(self, view: View, path: Path, note: Note, place: Callable[[int], Where], zone: tzinfo) -> None:
        self._view = view
        self._path = path
        self._note = note
        self._place = place
        self._zone = zone
        self._places: dict[Slot, Where] = {}
        self._lost: dict[int, set[str]] = {}

    def chain(self, name: str) -> Chain | None:
        view = self._view
        if not view.surely_here():
            self._note(Kind.MAYBE, f"this key-chain may not be in force: {_doubt(view)}", view.line, self._path)
            return None
        tolerance = self._read(view, None, "tolerance", _number(TOLERANCE_MAX))
        description = self._read(view, None, "description", _description)
        numbers = view.below("key").names()
        keys = [key for number in numbers if (key := self._key(number)) is not None]
        try:
            held = Keychain(
                name,
                tuple(keys),
                tolerance=TOLERANCE_DEFAULT if tolerance is None else tolerance,
                description=description,
            )
        except KeychainError as error:  # the name, or two spellings of one number: `key 1` and `key 01`
            # The name is not quoted: in a damaged line it may be a secret.
            said = error.message.rpartition(": ")[2] if "Must be" in error.message else "a key number occurs twice"
            self._note(Kind.INVALID_VALUE, f"invalid key-chain: {said}", view.line, self._path)
            return None
        lost = {number: frozenset(names) for number, names in self._lost.items()}
        return Chain(held, self._path, self._place(view.line), self._places, lost, len(numbers))

    def _key(self, number: str) -> Key | None:
        view = self._view.below("key", number)
        path = (*self._path, "key", number)
        if not (number.isascii() and number.isdecimal()) or len(number) > 9 or int(number) > KEY_ID_MAX:  # noqa: PLR2004 - digits
            self._note(Kind.INVALID_VALUE, f"invalid key number: use 0 to {KEY_ID_MAX}", view.line, self._path)
            return None
        key = int(number)
        self._places[key, None] = self._place(view.line)
        if not view.surely_here():
            self._note(Kind.MAYBE, f"this key may not be in force: {_doubt(view)}", view.line, path)
            return None
        ao = view.below("ao-attribute")
        for word, words in (
            ("options", OPTIONS),
            ("fallback", FALLBACKS),
        ):  # statements of IS-IS: only their values are checked
            self._read(view, key, word, _one_of(words))
        option = self._read(ao, key, "tcp-ao-option", _one_of(frozenset(("enabled", "disabled"))))
        return Key(
            id=key,
            secret=self._secret(view, key),
            start=self._read(view, key, "start-time", self._start),
            scheme=self._read(view, key, "algorithm", _one_of(SCHEMES)),
            send_id=self._read(ao, key, "send-id", _number(AO_ID_MAX)),
            recv_id=self._read(ao, key, "recv-id", _number(AO_ID_MAX)),
            tcp_ao_option=None if option is None else option == "enabled",
            algorithm=self._read(ao, key, "cryptographic-algorithm", _algorithm),
        )

    def _secret(self, view: View, key: int) -> Secret | None:
        secret = self._read(view, key, "secret", secret_of)
        if secret is not None and not secret.known:
            line = view.leaf("secret").value
            self._note(
                Kind.SECRET_UNKNOWN,
                f"key {key}: the secret is not known: {secret.why_unknown}",
                line.line if line is not None else view.line,
                (*self._path, "key", str(key), "secret"),
            )
        return secret

    def _start(self, text: str) -> datetime:
        return parse_start(text, self._zone)

    def _read(self, view: View, key: int | None, word: str, make: Callable[[str], V]) -> V | None:
        found = view.leaf(word)
        path = view.path
        for doubt in found.doubts:
            self._note(Kind.MAYBE, doubt, found.doubt_line, path)
        value = found.value
        if found.doubts and key is not None:
            self._lost.setdefault(key, set()).add(word)
        if value is None:
            # The text has the statement without a value, or the value is deactivated: the key has no value.
            if key is not None and any(not layer.node for layer in view.below(word).layers):
                self._lost.setdefault(key, set()).add(word)
            return None
        self._places[key, word] = self._place(value.line)
        try:
            return make(value.text)
        except (KeychainError, ValueError) as error:
            said = error.message if isinstance(error, KeychainError) else str(error)
            self._note(Kind.INVALID_VALUE, f"{word}: {said}", value.line, path)
            if key is not None:
                self._lost.setdefault(key, set()).add(word)
            return None


def _doubt(view: View) -> str:
    return next((layer.doubt for layer in view.layers if layer.doubt is not None), "")


def _number(top: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not (text.isascii() and text.isdecimal()):
            raise ValueError(f"not a number: use 0 to {top}")
        if len(text) > len(str(TOLERANCE_MAX)) or int(text) > top:
            raise ValueError(f"not within range (0..{top})")
        return int(text)

    return read


def _one_of(words: frozenset[str]) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text not in words:
            raise ValueError(f"invalid value: use {', '.join(sorted(words))}")
        return text

    return read


def _algorithm(text: str) -> Algorithm:
    return Algorithm(_one_of(frozenset(algorithm.value for algorithm in Algorithm))(text))


def _description(text: str) -> str:
    if not 1 <= len(text) <= DESCRIPTION_MAX:
        raise ValueError(f"invalid length: use 1 to {DESCRIPTION_MAX} characters")
    return text
