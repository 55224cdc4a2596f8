"""A secret that never shows itself by accident."""

from __future__ import annotations

import hmac
from typing import NoReturn

SHOWN = "<secret>"


class Secret:
    """A key's secret, 1 to 126 characters in Junos (docs/junos.md 1.1).

    repr, str and format show a placeholder; pickling, copying into JSON and iteration are refused; equality is
    constant-time. `reveal()` is the one way out, so that every use can be found by that word.
    """

    __slots__ = ("_octets",)

    def __init__(self, value: str | bytes) -> None:
        self._octets = value.encode("utf-8") if isinstance(value, str) else bytes(value)

    def reveal(self) -> bytes:
        """Return the octets that the KDF uses as master key."""
        return self._octets

    def reveal_text(self) -> str:
        """Return the secret as text, as a configuration holds it."""
        return self._octets.decode("utf-8")

    def __len__(self) -> int:
        return len(self._octets)

    def __repr__(self) -> str:
        return SHOWN

    __str__ = __repr__

    def __format__(self, format_spec: str) -> str:
        return format(SHOWN, format_spec)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and hmac.compare_digest(self._octets, other._octets)

    def __hash__(self) -> int:
        return hash((Secret, self._octets))

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret is not serialised; reveal() it where it is really meant to leave")
