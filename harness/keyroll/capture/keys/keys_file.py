"""Keys files: which key each end signs with, written by a person, without any router's configuration.

    keys:
      - name: key 0                       # optional
        algorithm: hmac-sha-1-96          # or aes-128-cmac-96
        secret: testvector                # or secret_hex: "7465…"
        send_id: {"10.11.12.13": 61, "172.27.28.29": 84}   # the KeyID each end puts on what it sends
        include_options: true             # default
        port: 179                         # optional: only connections with this port

Both ends hold the same keys, and the file has no times: a receiver accepts a segment when the KeyID and MAC are right.
Every connection between two addresses that share a key (on its port, if one is given) must be protected.
"""

from __future__ import annotations

from collections.abc import Callable, Container
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import TypeVar

from keyroll.capture.keys.book import Address, DirectionKeys, HeldKey
from keyroll.document import Document, DocumentError, load
from keyroll.keychain.secret import Secret
from keyroll.names import Algorithm

_FIELDS = ("name", "algorithm", "secret", "secret_hex", "send_id", "include_options", "port")
_REQUIRED = ("algorithm", "send_id")
_NAME_MAX = 80
"""Longest name, in characters: it is printed in every line about the key."""
# A KeyID has one octet (RFC 5925 section 2.2), a port two.
_KEY_ID_MAX = 255
_PORT_MAX = 65535
_CACHED_MAX = 10_000
"""Answers cached by addresses and ports; the limit bounds memory in a scan of forged addresses."""
_HEX = frozenset("0123456789abcdefABCDEF")

V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class _Entry:
    """One key of the file, checked."""

    name: str
    algorithm: Algorithm
    secret: Secret
    send_id: tuple[tuple[Address, int], tuple[Address, int]]
    include_options: bool
    port: int | None


class _Reader:
    """Checks one entry, field by field. Without pydantic: to import it takes longer than to verify a usual capture."""

    def __init__(self, document: Document, number: int) -> None:
        self._document = document
        self._loc: tuple[str | int, ...] = ("keys", number)
        self._data = document.data["keys"][number]
        self._number = number

    def entry(self) -> _Entry:
        """Return the entry.

        Raises:
            DocumentError: for the first thing that is wrong.
        """
        if not isinstance(self._data, dict):
            raise self._error((), "must be a mapping of a key's fields")
        for field in self._data:
            if field not in _FIELDS:
                raise _unknown_field(self._document, (*self._loc, field), _FIELDS)
        for field in _REQUIRED:
            if field not in self._data:
                raise self._error((), f"'keys.{self._number}.{field}' is missing", named=False)
        return _Entry(
            name=self._optional("name", self._name) or f"key {self._number + 1}",
            algorithm=self._algorithm(self._data["algorithm"]),
            secret=self._secret(),
            send_id=self._send_id(self._data["send_id"]),
            include_options=self._optional("include_options", self._boolean) is not False,
            port=self._optional("port", self._port),
        )

    def _optional(self, field: str, check: Callable[[object], V]) -> V | None:
        return check(self._data[field]) if field in self._data else None

    def _name(self, value: object) -> str:
        if not isinstance(value, str) or not 1 <= len(value) <= _NAME_MAX or not value.isprintable():
            raise self._error(("name",), f"must be a text of 1 to {_NAME_MAX} printable characters")
        return value

    def _algorithm(self, value: object) -> Algorithm:
        words = [algorithm.value for algorithm in Algorithm]
        if value not in words:
            raise self._error(("algorithm",), f"must be {' or '.join(words)}")
        return Algorithm(value)

    def _secret(self) -> Secret:
        if ("secret" in self._data) == ("secret_hex" in self._data):
            raise self._error((), "needs either 'secret' or 'secret_hex'")
        field = "secret" if "secret" in self._data else "secret_hex"
        value = self._data[field]
        if not isinstance(value, str):
            raise self._error((field,), "must be a string: put it in quotes")
        if field == "secret":
            return Secret(self._secret_text(value))
        if not value or len(value) % 2 or not _HEX.issuperset(value):
            raise self._error((field,), "must be two hexadecimal digits for each octet, and at least one octet")
        return Secret(bytes.fromhex(value))

    def _secret_text(self, value: str) -> str:
        """Return the text of a secret; it must consist of printable characters.

        A surrogate pair in two escapes, as JSON writes a character beyond U+FFFF, becomes that character.
        """
        if not value:
            raise self._error(("secret",), "must have at least one character")
        text = value.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")
        odd = next((character for character in text if not character.isprintable()), None)
        if odd is None:
            return text
        what = "half of a surrogate pair" if "\ud800" <= odd <= "\udfff" else "not a printable character"
        raise self._error(("secret",), f"U+{ord(odd):04X} is {what}; write octets that are not text as secret_hex")

    def _send_id(self, value: object) -> tuple[tuple[Address, int], tuple[Address, int]]:
        if not isinstance(value, dict) or len(value) != 2:  # noqa: PLR2004 -- a connection has two ends
            raise self._error(("send_id",), "needs two addresses, one for each end, each with the KeyID that it sends")
        near, far = ((self._address(text), self._key_id(text, key_id)) for text, key_id in value.items())
        if near[0].version != far[0].version:
            raise self._error(("send_id",), "both addresses must be IPv4, or both IPv6")
        if near[0] == far[0]:
            raise self._error(("send_id",), f"both ends have the address {near[0]}; it needs two that differ")
        return near, far

    def _address(self, text: object) -> Address:
        try:
            # Refuse numbers: ip_address would read 16909060 as 1.2.3.4.
            return ip_address(text if isinstance(text, str) else "")
        except ValueError:
            where = self._document.where_key((*self._loc, "send_id", str(text)))
            raise DocumentError(f"'keys.{self._number}.send_id': this is not an IP address", where=where) from None

    def _key_id(self, text: object, value: object) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= _KEY_ID_MAX:
            raise self._error(("send_id", str(text)), f"a KeyID must be an integer from 0 to {_KEY_ID_MAX}")
        return value

    def _boolean(self, value: object) -> bool:
        if not isinstance(value, bool):
            raise self._error(("include_options",), "must be true or false")
        return value

    def _port(self, value: object) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= _PORT_MAX:
            raise self._error(("port",), f"must be an integer from 1 to {_PORT_MAX}")
        return value

    def _error(self, field: tuple[str, ...], message: str, *, named: bool = True) -> DocumentError:
        loc = (*self._loc, *field)
        name = f"'{'.'.join(str(part) for part in loc)}': " if named else ""
        return DocumentError(f"{name}{message}", where=self._document.where(loc))


def _unknown_field(document: Document, loc: tuple[str | int, ...], allowed: tuple[str, ...]) -> DocumentError:
    # Do not quote its name: it may be a misplaced secret.
    return DocumentError(f"unknown field; allowed here: {', '.join(sorted(allowed))}", where=document.where_key(loc))


def _entries(document: Document) -> list[_Entry]:
    data = document.data
    if not isinstance(data, dict):
        raise DocumentError("a keys file must be a mapping with the field 'keys'", where=document.where())
    for field in data:
        if field != "keys":
            raise _unknown_field(document, (field,), ("keys",))
    if "keys" not in data:
        raise DocumentError("'keys' is missing", where=document.where())
    if not isinstance(data["keys"], list) or not data["keys"]:
        raise DocumentError("'keys': must be a list of at least one key", where=document.where(("keys",)))
    return [_Reader(document, number).entry() for number in range(len(data["keys"]))]


@dataclass(frozen=True, slots=True)
class _Shared:
    """A key between two ends, for one direction."""

    port: int | None
    key: HeldKey


class KeysBook:
    """The book of a keys file; see `keyroll.capture.keys.book.Book`."""

    def __init__(self, shared: dict[tuple[bytes, bytes], list[_Shared]]) -> None:
        self._shared = shared
        self._directions: dict[tuple[bytes, bytes, int | None, int | None], DirectionKeys | None] = {}
        self._ports = {entry.port for entries in shared.values() for entry in entries}

    @property
    def ports(self) -> Container[int | None]:
        """The ports that keys name."""
        return self._ports

    def keys_for(self, src: bytes, dst: bytes, sport: int | None, dport: int | None) -> DirectionKeys | None:
        """Return the keys from `src` to `dst`, or None where they share no key on these ports."""
        # Ports that no key names count as one, so that the number of directions stays small.
        near = sport if sport in self._ports else None
        far = dport if dport in self._ports else None
        name = (src, dst, near, far)
        if sport is None:
            return self._make(src, dst, None)
        if name not in self._directions:
            if len(self._directions) > _CACHED_MAX:
                self._directions.clear()
            self._directions[name] = self._make(src, dst, {near, far, None})
        return self._directions[name]

    def _make(self, src: bytes, dst: bytes, ports: set[int | None] | None) -> DirectionKeys | None:
        keys: dict[int, tuple[HeldKey, ...]] = {}
        for entry in self._shared.get((src, dst), ()):
            if ports is None or entry.port in ports:
                keys[entry.key.key_id] = (*keys.get(entry.key.key_id, ()), entry.key)
        if not keys:
            return None
        return DirectionKeys(str(ip_address(src)), str(ip_address(dst)), keys, keys)


def read_keys(path: Path, text: str | None = None) -> KeysBook:
    """Read a keys file.

    Raises:
        DocumentError: the file cannot be read or is invalid; names line, column and field, and quotes no secret.
    """
    document = load(path, text, quotes_names=False)
    shared: dict[tuple[bytes, bytes], list[_Shared]] = {}
    taken: dict[tuple[bytes, bytes, int], list[tuple[int, int | None]]] = {}
    for number, entry in enumerate(_entries(document), 1):
        ends = entry.send_id
        for (src, key_id), (dst, _) in (ends, ends[::-1]):
            earlier = taken.setdefault((src.packed, dst.packed, key_id), [])
            _check_unique(document, entry, number, earlier, f"KeyID {key_id} on what {src} sends to {dst}")
            earlier.append((number, entry.port))
            key = HeldKey(number, entry.name, entry.algorithm, entry.secret, key_id, entry.include_options)
            shared.setdefault((src.packed, dst.packed), []).append(_Shared(entry.port, key))
    return KeysBook(shared)


def _check_unique(
    document: Document, entry: _Entry, number: int, earlier: list[tuple[int, int | None]], what: str
) -> None:
    for other, port in earlier:
        if entry.port is None or port is None or entry.port == port:
            raise DocumentError(
                f"'keys.{number - 1}.send_id': key {other} of this file already has {what}; "
                "within a connection a KeyID names one key (RFC 5925 section 3.1)",
                where=document.where(("keys", number - 1, "send_id")),
            )
