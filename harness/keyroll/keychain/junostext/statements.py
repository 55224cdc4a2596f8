"""The statements of `security authentication-key-chains` as a tree of drafts, and the values made of it.

The statement tree, ranges and words are those of Juniper's YANG model `junos-conf-security` 24.4R1 (docs/junos.md
1.1). Later statements win over earlier ones, as when Junos loads them. Deactivated parts are kept, but not in force.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from typing import NoReturn, TypeVar

from keyroll.errors import Where
from keyroll.keychain.junostext.text import KeychainTextError, Source, TooManyKeysError, Word
from keyroll.keychain.model import (
    AO_ID_MAX,
    DESCRIPTION_MAX,
    KEY_ID_MAX,
    SECRET_MAX,
    TOLERANCE_DEFAULT,
    TOLERANCE_MAX,
    Key,
    Keychain,
    KeychainError,
)
from keyroll.keychain.secret import Secret
from keyroll.keychain.starttime import parse_start
from keyroll.keychain.type9 import decode_type9, is_type9
from keyroll.names import Algorithm

V = TypeVar("V")
Path = tuple[str, ...]
"""Words that lead to a statement, from the chain's name: `("c", "key", "0", "ao-attribute", "send-id")`."""
Places = Mapping[tuple[str, int | None, str | None], Where]
"""(chain, key number or None, statement or None) to its place; send-id and the like without `ao-attribute`."""

_CHAIN_LEAVES = ("description", "tolerance")
_KEY_LEAVES = ("secret", "start-time", "algorithm", "options", "fallback", "key-name")
_AO_LEAVES = ("send-id", "recv-id", "tcp-ao-option", "cryptographic-algorithm")
# Statements that Junos takes anywhere and that say nothing about keys.
_META = ("apply-flags", "apply-groups", "apply-groups-except", "apply-macro")
_WORDS: dict[str, tuple[str, ...]] = {
    "algorithm": (
        "md5", "hmac-sha-1", "ao", "sha-1", "hmac-sha2-224", "hmac-sha2-256", "hmac-sha2-384", "hmac-sha2-512",
    ),
    "options": ("basic", "isis-enhanced"),
    "fallback": ("hmac-sha-1", "sha-1"),
    "tcp-ao-option": ("enabled", "disabled"),
    "cryptographic-algorithm": tuple(algorithm.value for algorithm in Algorithm),
}  # fmt: skip
_RANGES = {"tolerance": TOLERANCE_MAX, "send-id": AO_ID_MAX, "recv-id": AO_ID_MAX}
_CHAIN, _KEY, _AO = 1, 3, 4
"""How long a path is when it has come to a chain, a key, and a key's ao-attribute."""
_LEVELS = {0: "authentication-key-chains", _CHAIN: "a key-chain", _KEY: "a key", _AO: "a key's ao-attribute"}
_NAMED = {"key-chain": "name", "key": "number"}
_ZONE = re.compile(r"[+-]\d{4}", re.ASCII)
_HUGE = "999999999"
"""Stands for every key number of so many digits or more: out of range, whatever it was."""


@dataclass(slots=True)
class Draft:
    """What has been read so far. `words` holds each statement's value (None for a container) in order of arrival."""

    source: Source
    words: dict[Path, Word | None] = field(default_factory=dict)
    places: dict[Path, int] = field(default_factory=dict)
    inactive: set[Path] = field(default_factory=set)

    def set(self, words: Sequence[Word], at: int, *, inactive: bool = False) -> None:
        """Take in one statement: the words that follow `authentication-key-chains`.

        Args:
            words: the statement's words; several attributes may follow each other.
            at: the offset that errors about the statement's end point to.
            inactive: whether what the words lead to is deactivated.
        """
        last: Path = ()
        for path, word, value in self._walk(words, at, values=True):
            self.words[path] = value
            self.places[path] = word.offset
            last = path
        if inactive and last:
            self.inactive.add(last)

    def delete(self, words: Sequence[Word], at: int) -> None:
        """Delete what the words lead to, and all below it; nothing there is nothing to do."""
        gone = self._target(words, at)
        self.words = {path: value for path, value in self.words.items() if path[: len(gone)] != gone}
        self.inactive = {path for path in self.inactive if path[: len(gone)] != gone}

    def deactivate(self, words: Sequence[Word], at: int, *, active: bool = False) -> None:
        """Deactivate (or with `active`, activate again) what the words lead to."""
        target = self._target(words, at)
        if active:
            self.inactive.discard(target)
        else:
            self.inactive.add(target)

    def _target(self, words: Sequence[Word], at: int) -> Path:
        paths = [path for path, _, _ in self._walk(words, at, values=False)]
        return paths[-1] if paths else ()

    def _walk(self, words: Sequence[Word], at: int, *, values: bool) -> Iterator[tuple[Path, Word, Word | None]]:
        """Yield each container and statement that the words lead through: its path, its word, its value.

        Without `values` (as after `delete`), a statement's value may be left out.
        """
        rest = list(words)
        path: Path = ()
        while rest:
            word = rest.pop(0)
            if word.quoted or word.text not in _allowed(path):
                self._unknown(path, word)
            if word.text in _META:
                if path:
                    yield (*path, word.text), word, None
                return
            if word.text in ("key-chain", "key"):
                if not rest:
                    raise self.source.error(f"'{word.text}' needs a {_NAMED[word.text]}", at)
                name = rest.pop(0)
                path = (name.text,) if word.text == "key-chain" else (*path, "key", self._key_number(name))
                yield path, name, None
            elif word.text == "ao-attribute":
                path = (*path, word.text)
                yield path, word, None
            elif rest:
                yield (*path, word.text), word, rest.pop(0)
            elif values:
                self._no_value(word, at)
            else:
                yield (*path, word.text), word, None

    def _key_number(self, word: Word) -> str:
        if not (word.text.isascii() and word.text.isdecimal()):
            raise self.source.error(f"a key has a number, 0 to {KEY_ID_MAX}", word.offset)
        # Leading zeros go here, so that `key 01` and `key 1` are one key. Its range is checked when all are there.
        digits = word.text.lstrip("0") or "0"
        return digits if len(digits) < len(_HUGE) else _HUGE

    def _no_value(self, word: Word, at: int) -> NoReturn:
        remedy = "a login that may not see secrets is shown none" if word.text == "secret" else None
        raise self.source.error(f"'{word.text}' needs a value", at, remedy=remedy)

    def _unknown(self, path: Path, word: Word) -> NoReturn:
        level = _LEVELS[len(path)]
        if level == "a key" and _ZONE.fullmatch(word.text):
            raise self.source.error("a start-time with a zone stands in quotes", word.offset)
        names = ", ".join(name for name in _allowed(path) if name not in _META)
        # The word itself is not quoted: it may be the second half of a secret with a space in it.
        raise self.source.error(
            f"this word is no statement of {level}", word.offset, remedy=f"allowed here: {names}; quote what has spaces"
        )


def _allowed(path: Path) -> tuple[str, ...]:
    if not path:
        return ("key-chain", *_META)
    if len(path) == _CHAIN:
        return (*_CHAIN_LEAVES, "key", *_META)
    if len(path) == _KEY:
        return (*_KEY_LEAVES, "ao-attribute", *_META)
    return (*_AO_LEAVES, *_META)


def chains_of(draft: Draft, default_zone: tzinfo) -> tuple[tuple[Keychain, ...], Places]:
    """Return the chains in force, in the order in which they were first named, and the place of each part.

    Raises:
        KeychainTextError: a value is out of its range or no value of its statement; names line and column.
    """
    inactive = draft.inactive
    live = {
        path: value
        for path, value in draft.words.items()
        if not any(path[:end] in inactive for end in range(len(path) + 1))
    }
    places = {_place_of(path): draft.source.where(draft.places[path]) for path in live}
    numbers: dict[str, set[int]] = {}
    for path in live:
        known = numbers.setdefault(path[0], set())
        if len(path) == _KEY:
            known.add(int(path[2]))
    for name, found in numbers.items():
        _check_numbers(draft, name, found)
    builder = _Builder(draft, live, default_zone)
    return tuple(builder.chain(name, sorted(found)) for name, found in numbers.items()), places


def _place_of(path: Path) -> tuple[str, int | None, str | None]:
    if len(path) < _KEY:
        return path[0], None, path[1] if len(path) > 1 else None
    return path[0], int(path[2]), path[-1] if len(path) > _KEY else None


def _check_numbers(draft: Draft, name: str, numbers: AbstractSet[int]) -> None:
    beyond = min((number for number in numbers if number > KEY_ID_MAX), default=None)
    if beyond is None:
        return
    where = draft.source.where(draft.places[name, "key", str(beyond)])
    if len(numbers) > KEY_ID_MAX + 1:
        raise TooManyKeysError(f"the chain has {len(numbers)} keys; Junos takes {KEY_ID_MAX + 1}", where=where)
    shown = "this" if str(beyond) == _HUGE else beyond
    raise KeychainTextError(f"key: Value {shown} is not within range (0..{KEY_ID_MAX})", where=where)


class _Builder:
    """Makes values of words, with the word's place in every error."""

    def __init__(self, draft: Draft, live: Mapping[Path, Word | None], default_zone: tzinfo) -> None:
        self._draft = draft
        self._live = live
        self._zone = default_zone

    def chain(self, name: str, numbers: Sequence[int]) -> Keychain:
        description = self._read((name, "description"), self._description)
        tolerance = self._read((name, "tolerance"), self._number)
        keys = tuple(self._key((name, "key", str(number)), number) for number in numbers)
        try:
            return Keychain(
                name, keys, tolerance=TOLERANCE_DEFAULT if tolerance is None else tolerance, description=description
            )
        except KeychainError as error:  # only the name is still unchecked
            raise self._draft.source.error(error.message, self._draft.places[name,]) from None

    def _key(self, path: Path, number: int) -> Key:
        for name in ("options", "fallback"):  # read for their words alone: they belong to IS-IS
            self._read((*path, name), self._word)
        scheme = self._read((*path, "algorithm"), self._word)
        ao = (*path, "ao-attribute")
        option = self._read((*ao, "tcp-ao-option"), self._word)
        algorithm = self._read((*ao, "cryptographic-algorithm"), self._word)
        return Key(
            id=number,
            secret=self._read((*path, "secret"), self._secret),
            start=self._read((*path, "start-time"), self._start),
            scheme=scheme,
            send_id=self._read((*ao, "send-id"), self._number),
            recv_id=self._read((*ao, "recv-id"), self._number),
            tcp_ao_option=None if option is None else option == "enabled",
            algorithm=None if algorithm is None else Algorithm(algorithm),
        )

    def _read(self, path: Path, make: Callable[[str, Word], V]) -> V | None:
        word = self._live.get(path)
        return None if word is None else make(path[-1], word)

    def _number(self, name: str, word: Word) -> int:
        top = _RANGES[name]
        if not (word.text.isascii() and word.text.isdecimal()):
            raise self._draft.source.error(f"{name}: not a number; allowed: 0 to {top}", word.offset)
        if len(word.text) > len(str(TOLERANCE_MAX)) or int(word.text) > top:
            shown = word.text if len(word.text) <= len(str(TOLERANCE_MAX)) else "this"
            raise self._draft.source.error(f"{name}: Value {shown} is not within range (0..{top})", word.offset)
        return int(word.text)

    def _word(self, name: str, word: Word) -> str:
        if word.text not in _WORDS[name]:
            raise self._draft.source.error(
                f"{name}: not a value of it", word.offset, remedy=f"allowed: {', '.join(_WORDS[name])}"
            )
        return word.text

    def _description(self, _: str, word: Word) -> str:
        if not 1 <= len(word.text) <= DESCRIPTION_MAX:
            raise self._draft.source.error(f"a description has 1 to {DESCRIPTION_MAX} characters", word.offset)
        return word.text

    def _start(self, _: str, word: Word) -> datetime:
        try:
            return parse_start(word.text, self._zone)
        except KeychainError as error:
            raise self._draft.source.error(error.message, word.offset, remedy=error.remedy) from None

    def _secret(self, _: str, word: Word) -> Secret:
        if word.text.startswith("$8$"):
            raise self._draft.source.error(
                "this secret is encrypted with the router's master password ($8$), which a text does not know",
                word.offset,
                remedy="put the clear secret or its $9$ form here",
            )
        message = None
        secret = Secret(b"")
        if is_type9(word.text):
            try:
                secret = decode_type9(word.text)
            except KeychainError as error:
                message = f"secret: {error.message}"
        else:
            # Half a surrogate pair, which no file in UTF-8 can hold, becomes "?".
            secret = Secret(word.text.encode("utf-8", "replace"))
        if message:
            raise self._draft.source.error(message, word.offset)
        if not 1 <= len(secret) <= SECRET_MAX:
            raise self._draft.source.error(f"a secret has 1 to {SECRET_MAX} characters, not {len(secret)}", word.offset)
        return secret
