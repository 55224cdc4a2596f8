"""Keys files: which key each end signs with, written by a person, without any router's configuration.

    keys:
      - name: key 0                       # optional
        algorithm: hmac-sha-1-96          # or aes-128-cmac-96
        secret: testvector                # or secret_hex: "7465…"
        send_id: {"10.11.12.13": 61, "172.27.28.29": 84}   # the KeyID each end puts on what it sends
        include_options: true             # default
        port: 179                         # optional: only connections with this port

Both ends hold the same keys and times are unknown, so that a segment's receiver takes it when the KeyID and MAC are
right. Every connection between two addresses that share a key (on its port, where one is given) must be protected.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, StrictBool, StrictInt, field_validator, model_validator

from harness.capture.lanes import Lane, LaneKey
from harness.document import Document, DocumentError, load, read
from harness.keychain.secret import Secret
from harness.tcpao import Algorithm

KeyId = Annotated[StrictInt, Field(ge=0, le=255)]
Port = Annotated[StrictInt, Field(ge=1, le=65535)]


class _Entry(BaseModel):
    """One key of the file."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    name: Annotated[str, Field(min_length=1, max_length=80)] | None = None
    algorithm: Literal["hmac-sha-1-96", "aes-128-cmac-96"]
    secret: SecretStr | None = None
    secret_hex: SecretStr | None = None
    send_id: dict[str, KeyId]
    include_options: StrictBool = True
    port: Port | None = None

    @field_validator("secret")
    @classmethod
    def _some_secret(cls, value: SecretStr | None) -> SecretStr | None:
        if value is None or not value.get_secret_value():
            raise ValueError("a secret has at least one character")
        return value

    @field_validator("secret_hex")
    @classmethod
    def _hex(cls, value: SecretStr | None) -> SecretStr | None:
        text = value.get_secret_value() if value else ""
        if not text or len(text) % 2 or any(digit not in "0123456789abcdefABCDEF" for digit in text):
            raise ValueError("two hexadecimal digits for each octet, in quotes, and at least one octet")
        return value

    @field_validator("send_id")
    @classmethod
    def _two_ends(cls, value: dict[str, int]) -> dict[str, int]:
        addresses = []
        for text in value:
            try:
                addresses.append(ip_address(text))
            except ValueError:
                raise ValueError(f"'{text[:60]}' is no IP address") from None
        if len(set(addresses)) != 2:  # noqa: PLR2004 -- a connection has two ends
            raise ValueError("needs two addresses, one for each end, each with the KeyID that it sends")
        if addresses[0].version != addresses[1].version:
            raise ValueError("both addresses must be IPv4, or both IPv6")
        return value

    @model_validator(mode="after")
    def _one_secret(self) -> _Entry:
        if (self.secret is None) == (self.secret_hex is None):
            raise ValueError("needs either 'secret' or 'secret_hex'")
        return self

    def octets(self) -> bytes:
        """Return the secret's octets."""
        if self.secret_hex is not None:
            return bytes.fromhex(self.secret_hex.get_secret_value())
        return self.secret.get_secret_value().encode() if self.secret else b""


class _File(BaseModel):
    """The whole file."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    keys: Annotated[list[_Entry], Field(min_length=1)]


@dataclass(frozen=True, slots=True)
class _Shared:
    """A key between two ends, for one direction."""

    port: int | None
    key: LaneKey


class KeysBook:
    """The book of a keys file; see `harness.capture.lanes.Book`."""

    def __init__(self, shared: dict[tuple[bytes, bytes], list[_Shared]]) -> None:
        self._shared = shared
        self._lanes: dict[tuple[bytes, bytes, int | None, int | None], Lane | None] = {}
        self._ports = {entry.port for entries in shared.values() for entry in entries}

    def lane(self, src: bytes, dst: bytes, sport: int | None, dport: int | None) -> Lane | None:
        """Return the lane from `src` to `dst`, or None where they share no key on these ports."""
        # Ports that no key names are all alike, so that few lanes are ever made.
        near = sport if sport in self._ports else None
        far = dport if dport in self._ports else None
        name = (src, dst, near, far)
        if sport is None:
            return self._make(src, dst, None)
        if name not in self._lanes:
            if len(self._lanes) > 10_000:  # noqa: PLR2004 -- a scan of forged addresses must not fill the memory
                self._lanes.clear()
            self._lanes[name] = self._make(src, dst, {near, far, None})
        return self._lanes[name]

    def _make(self, src: bytes, dst: bytes, ports: set[int | None] | None) -> Lane | None:
        keys: dict[int, tuple[LaneKey, ...]] = {}
        for entry in self._shared.get((src, dst), ()):
            if ports is None or entry.port in ports:
                keys[entry.key.key_id] = (*keys.get(entry.key.key_id, ()), entry.key)
        if not keys:
            return None
        return Lane(str(ip_address(src)), str(ip_address(dst)), keys, keys)


def read_keys(path: Path, text: str | None = None) -> KeysBook:
    """Read a keys file.

    Raises:
        DocumentError: it cannot be read or says something wrong; names line, column and field, and quotes no secret.
    """
    document = load(path, text)
    entries = read(document, _File).keys
    shared: dict[tuple[bytes, bytes], list[_Shared]] = {}
    taken: dict[tuple[bytes, bytes, int], list[tuple[int, int | None]]] = {}
    for number, entry in enumerate(entries, 1):
        ends: list[tuple[IPv4Address | IPv6Address, int]] = [
            (ip_address(text), key_id) for text, key_id in entry.send_id.items()
        ]
        for (src, key_id), (dst, _) in (ends, ends[::-1]):
            earlier = taken.setdefault((src.packed, dst.packed, key_id), [])
            _check_unique(document, entry, number, earlier, f"KeyID {key_id} on what {src} sends to {dst}")
            earlier.append((number, entry.port))
            key = LaneKey(
                number,
                entry.name or f"key {number}",
                Algorithm(entry.algorithm),
                Secret(entry.octets()),
                key_id,
                entry.include_options,
            )
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
