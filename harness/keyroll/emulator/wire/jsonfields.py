"""The single values of the control protocol's JSON, read strictly: what is no address is none."""

from __future__ import annotations

from ipaddress import ip_address
from typing import cast

from keyroll.emulator.contract.model import Address
from keyroll.emulator.wire.model import WireError

Json = dict[str, object]
Endpoint = tuple[Address, int]


def encode_endpoint(endpoint: Endpoint) -> list[object]:
    """Return an address and port as JSON."""
    return [str(endpoint[0]), endpoint[1]]


def as_endpoint(value: object) -> Endpoint:
    """Return the address and port of `encode_endpoint`. Raises ValueError."""
    entries = as_list(value)
    if len(entries) != 2:  # noqa: PLR2004 - an address and a port
        raise ValueError("an endpoint is not an address and a port")
    return as_address(entries[0]), as_int(entries[1])


def as_address(value: object) -> Address:
    """Return an address. Raises ValueError."""
    return ip_address(str(value))


def text_of(address: Address | None) -> str | None:
    """Return an address as JSON, or null."""
    return None if address is None else str(address)


def as_object(value: object, what: str) -> Json:
    """Return a JSON object; `what` says in the error what it should be. Raises WireError."""
    if not isinstance(value, dict):
        raise WireError(f"a {what} is no JSON object")
    return cast("Json", value)


def as_list(value: object) -> list[object]:
    """Return a JSON list. Raises ValueError."""
    if not isinstance(value, list):
        raise ValueError("a list is expected")  # noqa: TRY004 - decoders catch ValueError
    return cast("list[object]", value)


def as_int(value: object) -> int:
    """Return a whole number. Raises ValueError."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError("a whole number is expected")  # noqa: TRY004 - decoders catch ValueError
    return value


def as_optional_int(value: object) -> int | None:
    """Return a whole number or null. Raises ValueError."""
    return None if value is None else as_int(value)


def as_bool(value: object) -> bool:
    """Return true or false. Raises ValueError."""
    if not isinstance(value, bool):
        raise ValueError("true or false is expected")  # noqa: TRY004 - decoders catch ValueError
    return value


def what_of(error: Exception) -> str:
    """Return what an error of a decoder says, without any value that might hold a secret."""
    return f"field {error} is missing" if isinstance(error, KeyError) else str(error)
