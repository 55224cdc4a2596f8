"""A secret that cannot be printed by accident, and may be unknown."""

from __future__ import annotations

import enum
import hmac
from typing import NoReturn

from keyroll.errors import InputError

SHOWN = "<secret>"


class UnknownSecretError(InputError):
    """An unknown secret was used: to sign, to write it, or with `==`."""


class Likeness(enum.Enum):
    """The result of comparing two secrets."""

    EQUAL = "equal"
    DIFFERENT = "different"
    UNKNOWN = "unknown"


class Secret:
    """A key's secret, 1 to 126 characters in Junos (docs/junos.md 1.1).

    repr, str and format show a placeholder; pickling, copying into JSON and iteration are refused; equality is
    constant-time. `reveal()` is the only way to read it, so that every use can be found by that word.
    A secret that a configuration does not show (removed, or encrypted with a master password) is `Secret.unknown(why)`.
    Use `compare` with it; `==` raises, so that two placeholders are never taken for two equal secrets.
    """

    __slots__ = ("_octets", "_why")

    def __init__(self, value: str | bytes) -> None:
        self._octets = value.encode("utf-8") if isinstance(value, str) else bytes(value)
        self._why: str | None = None

    @classmethod
    def unknown(cls, why: str) -> Secret:
        """Return a secret that exists but is not known; `why` is the reason in a few words: "it was taken out"."""
        made = cls(b"")
        made._why = why
        return made

    @property
    def known(self) -> bool:
        """Whether its octets are known."""
        return self._why is None

    @property
    def why_unknown(self) -> str:
        """Why it is not known; empty if it is known."""
        return self._why or ""

    def compare(self, other: Secret) -> Likeness:
        """Return whether both are equal, different, or unknown. An unknown secret equals only itself."""
        if self is other:
            return Likeness.EQUAL
        if not (self.known and other.known):
            return Likeness.UNKNOWN
        return Likeness.EQUAL if hmac.compare_digest(self._octets, other._octets) else Likeness.DIFFERENT

    def reveal(self) -> bytes:
        """Return the octets that the KDF uses as master key (RFC 5926, section 3.1).

        Raises:
            UnknownSecretError: it is not known.
        """
        self._must_be_known()
        return self._octets

    def reveal_text(self) -> str:
        """Return the secret as the text of a configuration. Raises UnknownSecretError: it is not known."""
        return self.reveal().decode("utf-8")

    def _must_be_known(self) -> None:
        if self._why is not None:
            raise UnknownSecretError(
                f"a secret is not known: {self._why}", remedy="take a configuration that shows its secrets"
            )

    def __len__(self) -> int:
        self._must_be_known()
        return len(self._octets)

    def __bool__(self) -> bool:
        return True

    def __repr__(self) -> str:
        return SHOWN if self.known else "<unknown secret>"

    __str__ = __repr__

    def __format__(self, format_spec: str) -> str:
        return format(str(self), format_spec)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return False
        if not (self.known and other.known) and self is not other:
            raise UnknownSecretError("an unknown secret is compared", remedy="use Secret.compare")
        return hmac.compare_digest(self._octets, other._octets)

    def __hash__(self) -> int:
        return hash((Secret, self._octets)) if self.known else hash((Secret, id(self)))

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret cannot be serialised: use reveal() where it must leave the process")
