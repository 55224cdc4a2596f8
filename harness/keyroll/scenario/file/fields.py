"""The kinds of fields that scenario files are made of: strict models, values by router, names."""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, GetCoreSchemaHandler, Strict
from pydantic_core import CoreSchema, core_schema

from keyroll.names import Algorithm, DropReason, SessionKind

ROUTERS: tuple[Literal["R1"], Literal["R2"]] = ("R1", "R2")
RouterName = Literal["R1", "R2"]
ANY: Literal["any"] = "any"
"""Every drop reason except an ICMP error, which is not a failure of authentication."""
SENDING_ONLY = frozenset({DropReason.NO_ROOM, DropReason.CONGESTION})
"""Reasons for which a router drops what it should send; a scenario counts only drops of what a router receives."""
Value = TypeVar("Value")


class OneOf:
    """Reads a member of a string enumeration by its word: `Annotated[Algorithm, OneOf()]`.

    `of` is the enumeration where the annotation does not name it; `also` are further words, read as plain text; members
    in `but` are refused. Pydantic's own handling does not do: in strict mode it refuses a word for an enumeration, and
    its JSON schema has a reference in place of the list of words, which editors complete from.
    """

    def __init__(
        self,
        of: type[StrEnum] | None = None,
        *,
        also: tuple[str, ...] = (),
        but: frozenset[StrEnum] = frozenset(),
    ) -> None:
        self._of = of
        self._also = also
        self._but = but

    def __get_pydantic_core_schema__(self, source: type[StrEnum], handler: GetCoreSchemaHandler) -> CoreSchema:
        """Return the schema of one of the words, for pydantic."""
        members = {member.value: member for member in (self._of or source) if member not in self._but}
        words = [*self._also, *members]
        return core_schema.no_info_after_validator_function(
            lambda word: members.get(word, word),
            core_schema.literal_schema(words),
            serialization=core_schema.to_string_ser_schema(),
        )


Many = Annotated[tuple[Value, ...], Strict(strict=False)]
"""A YAML list."""


class StrictModel(BaseModel):
    """A mapping in a scenario file: unknown fields and values of another type are refused."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, populate_by_name=True)


def spread_over_routers(value: object) -> Mapping[Any, Any]:
    """Return `value` as a mapping by router: `X` means X on both, `{R1: X, R2: Y}` gives a value for each.

    Raises:
        ValueError: a mapping that names another router, or is empty.
    """
    if not isinstance(value, Mapping):
        return dict.fromkeys(ROUTERS, value)
    strangers = [str(name) for name in value if name not in ROUTERS]
    if strangers or not value:
        found = ", ".join(f"'{name}'" for name in strangers) or "an empty mapping"
        raise ValueError(f"should be one value for both routers, or a mapping by router (R1, R2), not {found}")
    return value


def one_or_many(value: object) -> object:
    """Return `value` as a list, so that a single item can be written without brackets."""
    return value if isinstance(value, list | tuple) else [value]


def spread_by_reason(value: object) -> Mapping[Any, Any]:
    """Return drops by router and reason: `{bad-mac: 3}` means both routers, `{R2: {bad-mac: 3}}` one.

    Raises:
        ValueError: routers and reasons side by side, or a router without reasons.
    """
    if isinstance(value, Mapping) and value and not any(name in ROUTERS for name in value):
        return dict.fromkeys(ROUTERS, value)
    spread = spread_over_routers(value)
    if not all(isinstance(reasons, Mapping) and reasons for reasons in spread.values()):
        raise ValueError("should be a mapping of reasons to numbers, such as {bad-mac: 3}")
    return spread


def place_of(router: str, session: str | None) -> str:
    """Return the key that a value by router, or by session and router, has: `R1`, `v6.R1`."""
    return router if session is None else f"{session}.{router}"


def spread_over_sessions(value: object) -> Mapping[Any, Any]:
    """Return `value` by router, or by session and router: `{v6: X}` means X for v6 on both, `{v6: {R1: X}}` on one.

    Raises:
        ValueError: routers and sessions side by side, a name that is not valid, or an empty mapping.
    """
    if not isinstance(value, Mapping) or not value or any(name in ROUTERS for name in value):
        return spread_over_routers(value)
    if all(isinstance(name, str) and _PLACE.fullmatch(name) for name in value):
        return value  # already spread: a model is validated again when it is copied
    if not all(isinstance(name, str) and _NAME.fullmatch(name) for name in value):
        return spread_over_routers(value)  # raises, and says what is wrong
    return {
        place_of(router, session): one
        for session, inner in value.items()
        for router, one in spread_over_routers(inner).items()
    }


_NAME = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_PLACE = re.compile(rf"(?:{_NAME.pattern}\.)?R[12]")
Place = Annotated[str, Field(pattern=f"^{_PLACE.pattern}$")]
ByRouter = Annotated[dict[RouterName, Value], BeforeValidator(spread_over_routers)]
BySession = Annotated[dict[Place, Value], BeforeValidator(spread_over_sessions)]
"""A value for all sessions, or by router, by session, or by session and router (see `place_of`)."""
OneOrMany = Annotated[tuple[Value, ...], Strict(strict=False), BeforeValidator(one_or_many)]

AsNumber = Annotated[int, Field(ge=1, le=4294967295)]
"""An autonomous system, of two octets or four (RFC 6793)."""
KeyNumber = Annotated[int, Field(ge=0, le=63)]
"""A Junos key number (`key N`)."""
KeyId = Annotated[int, Field(ge=0, le=255)]
"""A number as the TCP-AO option carries it (KeyID, RNextKeyID)."""
Slug = Annotated[str, Field(pattern=r"^[a-z0-9]+(?:-[a-z0-9]+)*$")]
"""An id that is readable on a command line: small letters, digits, hyphens."""
AlgorithmName = Annotated[Algorithm, OneOf()]
SessionName = Annotated[SessionKind, OneOf()]
"""A kind of session, by its word."""
SessionRef = Slug
"""The name of a session of the file, or a kind: all of that kind."""
DroppedFor = Annotated[DropReason | Literal["any"], OneOf(DropReason, also=(ANY,), but=SENDING_ONLY)]
"""Why a router dropped a segment that it received (docs/control.md), or `any`."""
