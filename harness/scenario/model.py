"""The scenario file: what a person may write in it (DESIGN.md, "The scenario file"), checked strictly.

These models hold the file's own words; `plan.py` turns one scenario of it, with a seed and a t0, into keychains and
instants. Every time in a file is relative to t0, but for those that say otherwise.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from harness.keychain.model import SECRET_MAX, TOLERANCE_DEFAULT, TOLERANCE_MAX
from harness.scenario.durations import Duration, PositiveDuration
from harness.scenario.fields import (
    AlgorithmName,
    ByRouter,
    KeyId,
    KeyNumber,
    Many,
    OneOrMany,
    RouterName,
    SessionName,
    Slug,
    StrictModel,
)
from harness.scenario.steps import Step

FORMAT = 1
SECRET_LENGTH = 20
Invariant = Literal["no-flap", "no-route-loss", "every-segment-verified", "rollover-completes"]
INVARIANTS: tuple[Invariant, ...] = ("no-flap", "no-route-loss", "every-segment-verified", "rollover-completes")


class KeyOverride(StrictModel):
    """What one router holds otherwise than the key says. send and recv are that router's own, not mirrored again."""

    start: Duration | None = None
    send: KeyId | None = None
    recv: KeyId | None = None
    algorithm: AlgorithmName | None = None
    secret: Slug | None = None
    option: Literal["enabled", "disabled"] | None = None
    absent: bool = False


class KeyPlan(StrictModel):
    """One key: R1's numbers, mirrored on R2. The secret is drawn from the seed and a label, and is never written."""

    id: KeyNumber
    start: Duration
    send: KeyId | None = None
    recv: KeyId | None = None
    algorithm: AlgorithmName | None = None
    secret: Slug | None = Field(default=None, description="label that the secret is drawn by; same label, same secret")
    secret_length: int = Field(default=SECRET_LENGTH, ge=1, le=SECRET_MAX, alias="secret-length")
    held_by: OneOrMany[RouterName] = Field(default=("R1", "R2"), alias="held-by")
    r1: KeyOverride | None = Field(default=None, alias="R1")
    r2: KeyOverride | None = Field(default=None, alias="R2")

    @property
    def send_id(self) -> int:
        """R1's send-id: as written, else 2n+1."""
        return self.send if self.send is not None else 2 * self.id + 1

    @property
    def recv_id(self) -> int:
        """R1's recv-id: as written, else 2n+2."""
        return self.recv if self.recv is not None else 2 * self.id + 2

    def override(self, router: RouterName) -> KeyOverride | None:
        """Return what `router` holds otherwise, or None."""
        return self.r1 if router == "R1" else self.r2


def _usual_tolerance() -> dict[RouterName, int]:
    return {"R1": TOLERANCE_DEFAULT, "R2": TOLERANCE_DEFAULT}


class ChainPlan(StrictModel):
    """The keychain of the scenario, as R1 holds it."""

    name: str = "new_auth_key"
    tolerance: ByRouter[Annotated[int, Field(ge=0, le=TOLERANCE_MAX)]] = Field(default_factory=_usual_tolerance)
    """Seconds, by router."""
    keys: Many[KeyPlan] = Field(min_length=1)

    @field_validator("keys")
    @classmethod
    def _numbers_are_unique(cls, keys: tuple[KeyPlan, ...]) -> tuple[KeyPlan, ...]:
        numbers = [key.id for key in keys]
        twice = sorted({number for number in numbers if numbers.count(number) > 1})
        if twice:
            raise ValueError(f"key {twice[0]} stands twice")
        return keys


class Policy(StrictModel):
    """The emulated router's key policy (DESIGN.md, "A key policy")."""

    sending: Literal["clock", "rnext"] = "clock"
    receiving: Literal["tolerance", "any"] = "tolerance"


class KnownBug(StrictModel):
    """A defect of the routers that makes this scenario fail: there it must fail, and a pass is an error (strict)."""

    id: str
    platform: OneOrMany[str]
    releases: OneOrMany[str] = ()
    """Release texts such as `23.2R1`; none means every release of the platform."""


class Mutation(StrictModel):
    """A way to break the scenario on purpose, and the checks that must then turn red.

    `turns-red` holds check names (`no-flap`, `wire`) or, for one step, `wire@4` (steps count from 1).
    """

    kind: Literal["other-secret", "ids-not-reversed", "key-missing", "no-rollover", "late-key"]
    router: RouterName = "R2"
    key: KeyNumber | None = None
    by: PositiveDuration | None = Field(default=None, description="late-key: how much later the key starts there")
    turns_red: OneOrMany[Annotated[str, Field(pattern=r"^[a-z-]+(@\d+)?$")]] = Field(alias="turns-red", min_length=1)

    @model_validator(mode="after")
    def _needs_what_its_kind_needs(self) -> Self:
        if self.kind in ("other-secret", "key-missing", "late-key") and self.key is None:
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
    sessions: Many[SessionName] = Field(default=("bgp",), min_length=1)
    keychain: ChainPlan
    hold_time: int = Field(default=9, ge=3, le=600, alias="hold-time", description="BGP hold time in seconds")
    skew: ByRouter[Duration] = Field(default_factory=dict)
    """How far a router's clock is ahead of the scenario's time, by router."""
    policy: ByRouter[Policy] = Field(default_factory=dict)
    steps: Many[Step] = Field(min_length=1)
    throughout: Many[Invariant] = INVARIANTS
    parametrize: dict[str, object] = Field(default_factory=dict)
    marks: Many[str] = ()
    requires: Many[str] = ()
    known_bug: KnownBug | None = Field(default=None, alias="known-bug")
    mutations: dict[Slug, Mutation] = Field(default_factory=dict)
