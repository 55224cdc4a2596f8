"""The kinds of fields that scenario files are made of: strict models, values by router, names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, Strict

ROUTERS: tuple[Literal["R1"], Literal["R2"]] = ("R1", "R2")
RouterName = Literal["R1", "R2"]
SessionName = Literal["bgp", "ldp"]
DropReason = Literal[
    "any",
    "no-option",
    "unknown-keyid",
    "not-acceptable-now",
    "bad-mac",
    "bad-checksum",
    "md5-present",
    "no-usable-key",
    "no-connection-state",
    "malformed",
    "fragment",
    "icmp-error",
]
"""Why a router dropped a segment that it received (docs/control.md); `any` is any but an ICMP error."""
ANY: DropReason = "any"
ICMP_ERROR: DropReason = "icmp-error"
AlgorithmName = Literal["hmac-sha-1-96", "aes-128-cmac-96"]
Value = TypeVar("Value")

Many = Annotated[tuple[Value, ...], Strict(strict=False)]
"""A YAML list."""


class StrictModel(BaseModel):
    """A mapping in a scenario file: unknown fields and values of another type are refused."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, populate_by_name=True)


def spread_over_routers(value: object) -> Mapping[Any, Any]:
    """Return `value` as a mapping by router: `X` means X on both, `{R1: X, R2: Y}` says it for each.

    Raises:
        ValueError: a mapping that names another router, or none.
    """
    if not isinstance(value, Mapping):
        return dict.fromkeys(ROUTERS, value)
    strangers = [str(name) for name in value if name not in ROUTERS]
    if strangers or not value:
        raise ValueError(f"should be one value for both routers, or a mapping by router (R1, R2), not {strangers}")
    return value


def one_or_many(value: object) -> object:
    """Return `value` as a list, so that one thing can be written without brackets."""
    return value if isinstance(value, list | tuple) else [value]


def spread_by_reason(value: object) -> Mapping[Any, Any]:
    """Return drops by router and reason: `{bad-mac: 3}` means it on both, `{R2: {bad-mac: 3}}` says it for one.

    Raises:
        ValueError: routers and reasons side by side, or a router without reasons.
    """
    if isinstance(value, Mapping) and value and not any(name in ROUTERS for name in value):
        return dict.fromkeys(ROUTERS, value)
    spread = spread_over_routers(value)
    if not all(isinstance(reasons, Mapping) and reasons for reasons in spread.values()):
        raise ValueError("should be a mapping of reasons to numbers, such as {bad-mac: 3}")
    return spread


ByRouter = Annotated[dict[RouterName, Value], BeforeValidator(spread_over_routers)]
OneOrMany = Annotated[tuple[Value, ...], Strict(strict=False), BeforeValidator(one_or_many)]

KeyNumber = Annotated[int, Field(ge=0, le=63)]
"""A Junos key number (`key N`)."""
KeyId = Annotated[int, Field(ge=0, le=255)]
"""A number as the TCP-AO option carries it (KeyID, RNextKeyID)."""
Slug = Annotated[str, Field(pattern=r"^[a-z0-9]+(?:-[a-z0-9]+)*$")]
"""An id that is readable on a command line: small letters, digits, hyphens."""
