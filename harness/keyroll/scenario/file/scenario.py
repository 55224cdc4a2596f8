"""The scenario file: what a person may write in it (docs/scenario-file.md), checked strictly.

These models hold the file's own words; `chains.py` and `keyring.py` turn them, with a seed and a t0, into keychains.
Every time in a file is relative to t0 unless its description says otherwise.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from keyroll.names import Capability, InUse, Invariant, Receiving, Sending, SessionKind
from keyroll.scenario.file.durations import Duration, PositiveDuration
from keyroll.scenario.file.fields import (
    AsNumber,
    ByRouter,
    KeyNumber,
    Many,
    OneOf,
    OneOrMany,
    RouterName,
    Slug,
    StrictModel,
)
from keyroll.scenario.file.keys import ChainPlan
from keyroll.scenario.file.sessions import AnySession, SessionPlan, word
from keyroll.scenario.file.steps import AnyStep

CLOCK_YEARS = range(1990, 2900)
"""Years that t0 may be in. A duration is at most ten years, so every clock then stays after 1970, where clocks begin,
and in the four digits that `set date` takes for a year."""
InvariantName = Annotated[Invariant, OneOf()]
INVARIANTS = (
    Invariant.NO_FLAP,
    Invariant.NO_ROUTE_LOSS,
    Invariant.EVERY_SEGMENT_VERIFIED,
    Invariant.ROLLOVER_COMPLETES,
)
"""What must hold throughout if the file has no `throughout`. `no-key-taken-back` must be asked for: a scenario may set
a clock back on purpose."""
_InUse = Annotated[InUse, OneOf()]
_Required = Annotated[Capability, OneOf(but=frozenset({Capability.KEY_POLICY, Capability.VLAN}))]
"""What a file may name in `requires`. `policy` implies a key policy, and a session's `vlan` implies VLANs."""


def _instant(value: object) -> datetime:
    if isinstance(value, datetime):
        moment = value
    else:
        try:
            moment = datetime.fromisoformat(str(value))
        except ValueError:
            raise ValueError("should be an instant such as 2027-03-28T00:00:00Z") from None
    if moment.tzinfo is None or moment.microsecond:
        raise ValueError("should be an instant of whole seconds with its zone, such as 2027-03-28T00:00:00Z")
    if moment.year not in CLOCK_YEARS:
        raise ValueError(
            f"should be in the years {CLOCK_YEARS.start} to {CLOCK_YEARS.stop - 1}, as routers' clocks are"
        )
    return moment


StartOfClocks = Annotated[
    datetime,
    BeforeValidator(_instant),
    WithJsonSchema({"type": "string", "format": "date-time", "description": "an instant with its zone"}),
]


class Policy(StrictModel):
    """The emulated router's key policy (docs/assumptions/wire.md, W1), and when it applies changes of keys in use.

    `repoint`, `alteration` and `deletion` left out mean what the topology file says, else the router's own default.
    """

    sending: Annotated[Sending, OneOf()] = Sending.CLOCK
    receiving: Annotated[Receiving, OneOf()] = Receiving.TOLERANCE
    repoint: _InUse | None = None
    alteration: _InUse | None = None
    deletion: _InUse | None = None
    isn: Annotated[int, Field(ge=0, le=0xFFFFFFFF)] | None = None
    """The initial sequence number that this router's protected connections show on the wire (`steer-tcp`)."""
    port: Annotated[int, Field(ge=1024, le=65535)] | None = None
    """The one port that this router opens connections from; it keeps none in TIME-WAIT (`steer-tcp`)."""

    @property
    def settings(self) -> dict[str, str]:
        """The settings that the emulated router is started with, by name."""
        return {name: str(value) for name, value in self.model_dump(exclude_none=True).items()}


class KnownBug(StrictModel):
    """A defect of the routers that makes this scenario fail: there it must fail, and a pass is an error (strict)."""

    id: str
    platform: OneOrMany[str]
    releases: OneOrMany[str] = ()
    """Release texts such as `23.2R1`; none means every release of the platform."""


class Mutation(StrictModel):
    """A way to break the scenario on purpose, and the checks that must then turn red.

    On `router`: `other-secret` of `key`; `same-secret` gives it the peer's secret (for files whose secrets differ);
    `ids-not-reversed` gives it the peer's send-id and recv-id (of `key`, or of all); `key-missing`; `no-rollover` lets
    every key but the first never start; `late-key` starts `key` later by `by`; `gap` so late that the peer no longer
    accepts the key before it. `left-to-chance` is for both routers: what the file steers of their connections (`isn`,
    `port`, `cross-syns`) is left to the routers.
    `turns-red` names checks (`no-flap`, `wire`) or, for one step, `wire@4` (steps count from 1); `wire@4[v6]` is
    the check of one session that the file names.
    """

    kind: Literal[
        "other-secret",
        "same-secret",
        "ids-not-reversed",
        "key-missing",
        "no-rollover",
        "late-key",
        "gap",
        "left-to-chance",
    ]
    router: RouterName = "R2"
    key: KeyNumber | None = None
    chain: str | None = Field(default=None, description="the chain that is broken; left out: `keychain`")
    by: PositiveDuration | None = Field(default=None, description="late-key: how much later the key starts there")
    turns_red: OneOrMany[Annotated[str, Field(pattern=r"^[a-z-]+(@\d+)?(\[[a-z0-9-]+\])?$")]] = Field(
        alias="turns-red", min_length=1
    )

    @model_validator(mode="after")
    def _needs_what_its_kind_needs(self) -> Self:
        if self.kind in ("other-secret", "same-secret", "key-missing", "late-key", "gap") and self.key is None:
            raise ValueError(f"{self.kind} needs `key`, the number of the key that it changes")
        if (self.kind == "late-key") != (self.by is not None):
            raise ValueError("`by` belongs to late-key, and late-key needs it")
        return self


class Scenario(StrictModel):
    """One scenario. `keyroll` is the format's version and how the file is recognised."""

    keyroll: Literal[1]
    id: Slug
    title: str
    source: str | None = None
    """Where it comes from: a document, a bug's number."""
    sessions: Many[AnySession] = Field(default=(word(SessionKind.BGP),), min_length=1)
    """Words (`[bgp, ldp]`: one of each on the link), or mappings (`{bgp: v6, family: inet6}`), which have names."""
    keychain: ChainPlan
    other_chains: Many[ChainPlan] = Field(default=(), alias="other-chains")
    """Further chains on both routers, for `re-point`."""
    t0: StartOfClocks | None = None
    """The instant at which the routers' clocks begin, with its zone; left out, 2030-01-01 00:00:00 UTC."""
    family: Literal["inet", "inet6"] = "inet"
    """The address family that BGP sessions run over."""
    as_numbers: ByRouter[AsNumber] = Field(default_factory=dict, alias="as")
    """Each router's `routing-options autonomous-system`; left out, the lab's own ASes."""
    # Short, so that a session that no longer verifies goes down soon; a keepalive each 3 s survives on a busy machine.
    hold_time: int = Field(default=9, ge=3, le=600, alias="hold-time", description="BGP hold time in seconds")
    skew: ByRouter[Duration] = Field(default_factory=dict)
    """How far a router's clock is ahead of the scenario's time, by router."""
    policy: ByRouter[Policy] = Field(default_factory=dict)
    steps: Many[AnyStep] = Field(min_length=1)
    throughout: Many[InvariantName] = INVARIANTS
    throughout_of: dict[Slug, Many[InvariantName]] = Field(default_factory=dict, alias="throughout-of")
    """Invariants of single sessions, by name, in place of those of `throughout`."""
    parametrize: dict[str, object] = Field(default_factory=dict)
    marks: Many[str] = ()
    slow_cases: Many[str] = Field(default=(), alias="slow-cases")
    """The cases of `parametrize` that carry the mark `slow` as well, by name (`cmac-ipv6`)."""
    requires: Many[_Required] = ()
    known_bug: KnownBug | None = Field(default=None, alias="known-bug")
    mutations: dict[Slug, Mutation] = Field(default_factory=dict)

    @property
    def session_names(self) -> tuple[str, ...]:
        """The names of the sessions, in the order of the file."""
        return tuple(one.name for one in self.sessions)

    @property
    def kinds(self) -> dict[str, SessionKind]:
        """The kind of each session, by its name."""
        return {one.name: one.kind for one in self.sessions}

    @property
    def has_named_sessions(self) -> bool:
        """Whether any session is more than the word for its kind: each session then has its own checks."""
        return not all(one.is_word for one in self.sessions)

    @property
    def invariants(self) -> tuple[Invariant, ...]:
        """The invariants of all sessions together, each once."""
        return tuple(dict.fromkeys(one for name in self.kinds for one in self.holds_of(name)))

    def holds_of(self, session: str) -> tuple[Invariant, ...]:
        """Return the invariants of a session."""
        return self.throughout_of.get(session, self.throughout)

    def opened_with(self, session: SessionPlan, router: RouterName) -> int | None:
        """Return the AS that a router opens a session with: its `local-as`, else its `as`; None: the lab's."""
        return session.local_as.get(router, self.as_numbers.get(router))

    def chain_of(self, session: SessionPlan, router: RouterName) -> str:
        """Return the chain that protects a session on a router when it is applied."""
        return session.chain_of(router) or self.keychain.name

    def sessions_of(self, reference: str) -> tuple[str, ...]:
        """Return the names of the sessions that a name or a kind means."""
        kinds = self.kinds
        return (reference,) if reference in kinds else tuple(name for name in kinds if kinds[name] == reference)

    def family_of(self, session: SessionPlan) -> Literal["inet", "inet6"]:
        """Return the address family that a session runs over; LDP has IPv4 only."""
        return "inet" if session.kind is SessionKind.LDP else session.family or self.family
