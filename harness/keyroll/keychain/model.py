"""Key and Keychain: the values that all other modules use."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import datetime

from keyroll.errors import InputError
from keyroll.keychain.secret import Secret
from keyroll.names import Algorithm

# Junos' own limits.
KEY_ID_MAX = 63
KEYS_MAX = KEY_ID_MAX + 1  # key numbers begin at 0
AO_ID_MAX = 255
SECRET_MAX = 126
DESCRIPTION_MAX = 80
"""The largest numbers, and lengths in characters, in Junos (docs/junos.md); ids are octets (RFC 5925, 2.2)."""
# Seconds (docs/junos.md 1.1).
TOLERANCE_DEFAULT = 3600
TOLERANCE_MAX = 4294967295
NAME_MESSAGE = "Must be string of 32 characters or less with no spaces"
_NAME_REFUSED = re.compile(r"(__.*__)|(.*[ ].*)|(.{33,})", re.DOTALL)


class KeychainError(InputError):
    """A key or keychain has a value that Junos does not accept."""


@dataclass(frozen=True, slots=True)
class Key:
    """One key of a chain, as in `security authentication-key-chains key-chain C key N`.

    Junos makes none of the statements mandatory, so each may be missing (None); `usable` says whether TCP-AO can work
    with what is there. `start` is an aware datetime. `scheme` is the statement `algorithm` ("ao"); None is Junos'
    default (md5). `algorithm` None is Junos' default, HMAC-SHA-1-96. `tcp_ao_option` None is Junos' default, disabled.
    `include_options` says whether the MAC covers the other TCP options (RFC 5925 section 3.1; Junos has no statement
    for it, and interoperates with options covered). A key with an unknown secret is in the schedule like any other, but
    nothing can be signed with it.
    """

    id: int
    secret: Secret | None = None
    start: datetime | None = None
    scheme: str | None = None
    send_id: int | None = None
    recv_id: int | None = None
    tcp_ao_option: bool | None = None
    algorithm: Algorithm | None = None
    include_options: bool = True

    def __post_init__(self) -> None:
        _check_range("key", self.id, KEY_ID_MAX)
        if self.secret is not None and self.secret.known and not 1 <= len(self.secret) <= SECRET_MAX:
            raise KeychainError(f"key {self.id}: a secret has 1 to {SECRET_MAX} characters, not {len(self.secret)}")
        if self.start is not None and self.start.tzinfo is None:
            raise KeychainError(f"key {self.id}: start-time needs a time zone")
        for name, value in (("send-id", self.send_id), ("recv-id", self.recv_id)):
            if value is not None:
                _check_range(f"key {self.id}: {name}", value, AO_ID_MAX)

    @property
    def usable(self) -> bool:
        """Whether TCP-AO can sign and verify with this key: no statement is missing, `algorithm ao`, option enabled."""
        return (
            self.secret is not None
            and self.start is not None
            and self.send_id is not None
            and self.recv_id is not None
            and self.scheme == "ao"
            and self.tcp_ao_option is True
        )

    @property
    def effective_algorithm(self) -> Algorithm:
        """The algorithm in force: the configured one or Junos' default."""
        return self.algorithm or Algorithm.HMAC_SHA_1_96

    def mirrored(self) -> Key:
        """Return the same key as the peer has it: send-id and recv-id reversed (Juniper, recv-id)."""
        return replace(self, send_id=self.recv_id, recv_id=self.send_id)


@dataclass(frozen=True, slots=True)
class Keychain:
    """A chain of up to 64 keys under a name. `tolerance` is in seconds; keys are kept in ascending key number."""

    name: str
    keys: tuple[Key, ...] = ()
    tolerance: int = TOLERANCE_DEFAULT
    description: str | None = None

    def __post_init__(self) -> None:
        if not self.name or _NAME_REFUSED.fullmatch(self.name):
            raise KeychainError(f"key-chain '{self.name}': {NAME_MESSAGE}")
        if self.description is not None and not 1 <= len(self.description) <= DESCRIPTION_MAX:
            raise KeychainError(f"key-chain {self.name}: a description has 1 to {DESCRIPTION_MAX} characters")
        _check_range(f"key-chain {self.name}: tolerance", self.tolerance, TOLERANCE_MAX)
        numbers = [key.id for key in self.keys]
        if twice := {number for number in numbers if numbers.count(number) > 1}:
            raise KeychainError(f"key-chain {self.name}: two keys have the number {min(twice)}")
        if numbers != sorted(numbers):
            object.__setattr__(self, "keys", tuple(sorted(self.keys, key=lambda key: key.id)))

    def key(self, number: int) -> Key | None:
        """Return the key of that number, or None."""
        return next((key for key in self.keys if key.id == number), None)

    def mirrored(self) -> Keychain:
        """Return the peer's chain: the same keys with send-id and recv-id reversed."""
        return replace(self, keys=tuple(key.mirrored() for key in self.keys))


def _check_range(what: str, value: int, top: int) -> None:
    if not 0 <= value <= top:
        raise KeychainError(f"{what}: Value {value} is not within range (0..{top})")
