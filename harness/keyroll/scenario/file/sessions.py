"""The sessions of a pair as a scenario file has them: each is a word for its kind, or a mapping with more detail.

`sessions: [bgp, ldp]` is one of each on the link. `{bgp: v6, family: inet6}` is a BGP session named `v6`. Conditions,
samples and invariants refer to a session by its name; a session that is written as a word has that word as its name.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, GetCoreSchemaHandler, GetJsonSchemaHandler, TypeAdapter, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from keyroll.names import AuthenticationLevel, SessionKind
from keyroll.scenario.file.fields import ROUTERS, AsNumber, ByRouter, OneOf, RouterName, SessionName, Slug, StrictModel

KINDS = frozenset(kind.value for kind in SessionKind)
_PLACES: tuple[Literal["link"], Literal["loopbacks"]] = ("link", "loopbacks")
HoldTime = Annotated[int, Field(ge=3, le=600)]
"""Seconds."""


class SessionPlan(StrictModel):
    """One session of the pair: `{bgp: NAME, ...}` or `{ldp: NAME, ...}`."""

    bgp: Slug | None = None
    ldp: Slug | None = None
    family: Literal["inet", "inet6"] | None = None
    """The address family that it runs over; left out: the file's `family`."""
    type: Literal["external", "internal"] = "external"
    between: Literal["link", "loopbacks"] | None = None
    """Left out: the link, unless the session is named `loopbacks`."""
    vlan: Annotated[int, Field(ge=1, le=4094)] | None = None
    """The VLAN of the link that it runs on: a logical interface with its own addresses. Left out: the port's unit 0."""
    chain: ByRouter[str] = Field(default_factory=dict)
    """The keychain that protects it, by router; left out: `keychain`."""
    local_as: ByRouter[AsNumber] = Field(default_factory=dict, alias="local-as")
    """BGP's `local-as`, by router; left out: it opens with the file's `as`."""
    authentication_at: ByRouter[Annotated[AuthenticationLevel, OneOf()]] = Field(
        default_factory=dict, alias="authentication-at"
    )
    """The level of BGP at which its authentication is configured, by router; left out: the neighbor."""
    passive: RouterName | None = None
    """The router that opens no connection."""
    hold_time: HoldTime | None = Field(default=None, alias="hold-time")
    """Left out: the file's `hold-time`."""

    @model_validator(mode="after")
    def _is_one_session(self) -> Self:
        if (self.bgp is None) == (self.ldp is None):
            raise ValueError("must name one session: {bgp: NAME} or {ldp: NAME}")
        if self.name in KINDS and self.name != self.kind:
            raise ValueError(f"a session of {self.kind} cannot be named {self.name}")
        if self.kind is SessionKind.LDP and self.model_fields_set & {"family", "type", "passive", "hold_time"}:
            raise ValueError("an LDP session has no family, type, passive or hold-time: it runs over IPv4")
        if self.kind is SessionKind.LDP and self.model_fields_set & {"local_as", "authentication_at"}:
            raise ValueError("an LDP session has no local-as or authentication-at: its chain is configured under LDP")
        if self.type == "internal" and self.place == "link" and self.between is None:
            raise ValueError("an internal session must say where it runs: use `between: loopbacks` or `between: link`")
        if self.vlan is not None and self.place != "link":
            raise ValueError("a session between loopbacks has no vlan: it is reached over unit 0")
        return self

    @property
    def kind(self) -> SessionKind:
        """BGP or LDP."""
        return SessionKind.BGP if self.bgp is not None else SessionKind.LDP

    @property
    def name(self) -> str:
        """Its name in the file."""
        return self.bgp or self.ldp or ""

    @property
    def place(self) -> Literal["link", "loopbacks"]:
        """Where it runs: as `between` says, else a session that is named `loopbacks` runs between loopbacks."""
        return self.between or ("loopbacks" if self.name == _PLACES[1] else "link")

    @property
    def is_word(self) -> bool:
        """Whether it is what the word for its kind stands for."""
        return self == word(self.kind)

    def chain_of(self, router: RouterName) -> str | None:
        """Return the chain that protects it on a router; None: the file's `keychain`."""
        return self.chain.get(router)

    def level_of(self, router: RouterName) -> AuthenticationLevel:
        """Return the level at which its authentication is configured on a router."""
        return self.authentication_at.get(router, AuthenticationLevel.NEIGHBOR)


def word(kind: SessionKind) -> SessionPlan:
    """Return the session that a word stands for."""
    return SessionPlan(bgp=kind.value) if kind is SessionKind.BGP else SessionPlan(ldp=kind.value)


_WORD: TypeAdapter[SessionKind] = TypeAdapter(SessionName)


def read_session(value: object) -> SessionPlan:
    """Read one session as it is written. Raises ValueError: pydantic's, with the place below `value`."""
    if isinstance(value, SessionPlan):
        return value
    if isinstance(value, dict):
        return SessionPlan.model_validate(value)
    return word(_WORD.validate_python(value))


class _WrittenSession:
    """Tells pydantic, and `keyroll.document`, which explains pydantic's errors, how a session is written."""

    def written_form(self) -> type[SessionPlan]:
        """Return the model that a mapping is read by (`keyroll.document` names its fields)."""
        return SessionPlan

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(read_session)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return handler(core_schema.union_schema([_WORD.core_schema, SessionPlan.__pydantic_core_schema__]))


AnySession = Annotated[SessionPlan, _WrittenSession()]
"""A session: a word, or a mapping."""


def problem_of(sessions: tuple[SessionPlan, ...], family: str) -> tuple[int, str] | None:
    """Return the index of the first session that conflicts with one before it, and why; None: there is no conflict."""
    names: dict[str, SessionPlan] = {}
    ends: dict[tuple[str, str, str, int | None], str] = {}
    for index, one in enumerate(sessions):
        if one.name in ROUTERS or one.name in names:
            return index, f"two sessions are named '{one.name}'"
        if one.kind is SessionKind.LDP and any(other.kind is SessionKind.LDP for other in names.values()):
            return index, "two routers can have only one LDP session"
        place = one.kind.value, one.family or family, one.place, one.vlan
        if place in ends:
            others = "another family, place or vlan"
            return index, f"'{one.name}' would have the addresses of '{ends[place]}': give it {others}"
        names[one.name] = one
        ends[place] = one.name
    return None
