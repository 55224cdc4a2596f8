"""Keys and chains as a scenario file plans them: R1's numbers, mirrored on R2, secrets drawn by a label."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from keyroll.keychain.model import SECRET_MAX, TOLERANCE_DEFAULT, TOLERANCE_MAX, Keychain, KeychainError
from keyroll.scenario.file.durations import Duration, shortened
from keyroll.scenario.file.fields import (
    AlgorithmName,
    ByRouter,
    KeyId,
    KeyNumber,
    Many,
    OneOrMany,
    RouterName,
    Slug,
    StrictModel,
)

SECRET_LENGTH = 20
"""Characters of a drawn secret: as many as HMAC-SHA-1's output has octets. `secret-length` asks for another length."""


class KeyOverride(StrictModel):
    """What differs from the key on one router. send and recv are that router's own, not mirrored again."""

    start: Duration | None = None
    send: KeyId | None = None
    recv: KeyId | None = None
    algorithm: AlgorithmName | None = None
    secret: Slug | None = None
    option: Literal["enabled", "disabled"] | None = None
    absent: bool = False

    def faster(self, factor: float) -> Self:
        """Return the same with its start divided by a factor."""
        return self if self.start is None else self.model_copy(update={"start": shortened(self.start, factor)})


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
        """Return what differs on `router`, or None."""
        return self.r1 if router == "R1" else self.r2

    def starts(self) -> tuple[timedelta, ...]:
        """Return the start-times of the key at either router, after t0."""
        own = (one.start for one in (self.r1, self.r2) if one is not None and one.start is not None)
        return (self.start, *own)

    def faster(self, factor: float) -> Self:
        """Return the same key with its starts divided by a factor."""
        own = {name: one.faster(factor) for name, one in (("r1", self.r1), ("r2", self.r2)) if one is not None}
        return self.model_copy(update={"start": shortened(self.start, factor), **own})


def _usual_tolerance() -> dict[RouterName, int]:
    return {"R1": TOLERANCE_DEFAULT, "R2": TOLERANCE_DEFAULT}


class ChainPlan(StrictModel):
    """The keychain of the scenario, as R1 holds it."""

    name: str = "new_auth_key"
    tolerance: ByRouter[Annotated[int, Field(ge=0, le=TOLERANCE_MAX)]] = Field(default_factory=_usual_tolerance)
    """Seconds, by router."""
    secrets_of: str | None = Field(
        default=None,
        alias="secrets-of",
        description="draw the same secrets as for this chain; left out: for its own name",
    )
    keys: Many[KeyPlan] = Field(min_length=1)

    @field_validator("name")
    @classmethod
    def _is_a_name_that_junos_takes(cls, name: str) -> str:
        try:
            return Keychain(name).name
        except KeychainError as error:
            raise ValueError(error.message) from None

    @field_validator("keys")
    @classmethod
    def _numbers_are_unique(cls, keys: tuple[KeyPlan, ...]) -> tuple[KeyPlan, ...]:
        numbers = [key.id for key in keys]
        twice = sorted({number for number in numbers if numbers.count(number) > 1})
        if twice:
            raise ValueError(f"key {twice[0]} occurs twice")
        return keys

    def faster(self, factor: float) -> Self:
        """Return the same chain with starts and tolerances divided by a factor; tolerances are rounded up, not to 0."""
        tolerance = _sooner(self.tolerance, factor)
        return self.model_copy(update={"keys": tuple(key.faster(factor) for key in self.keys), "tolerance": tolerance})


def _sooner(tolerance: Mapping[RouterName, int], factor: float) -> dict[RouterName, int]:
    return {router: math.ceil(seconds / factor) for router, seconds in tolerance.items()}


class ChainChange(StrictModel):
    """What a commit does to one chain: delete, then add. Numbers may come back.

    A key is added with R1's numbers, mirrored on R2, as a key of the chain; its start is relative to t0.
    """

    chain: str | None = Field(default=None, description="the chain that is changed; left out: the one in use")
    tolerance: ByRouter[Annotated[int, Field(ge=0, le=TOLERANCE_MAX)]] | None = None
    """Seconds, by router; left out, it stays."""
    delete: OneOrMany[KeyNumber] = ()
    add: Many[KeyPlan] = ()

    @model_validator(mode="after")
    def _something(self) -> Self:
        numbers = [key.id for key in self.add]
        if not self.delete and not self.add and self.tolerance is None:
            raise ValueError("must name something to change: delete, add, tolerance")
        if len(set(numbers)) < len(numbers) or len(set(self.delete)) < len(self.delete):
            raise ValueError("must name each key only once")
        return self

    def keys(self) -> frozenset[int]:
        """Return the keys that are deleted."""
        return frozenset(self.delete)

    def adds(self) -> frozenset[int]:
        """Return the numbers of the keys that are added."""
        return frozenset(key.id for key in self.add)

    def starts(self) -> tuple[timedelta, ...]:
        """Return the starts of the keys that are added, at either router."""
        return tuple(start for key in self.add for start in key.starts())

    def faster(self, factor: float) -> Self:
        """Return the same with the keys' starts, and the tolerance, divided."""
        tolerance = None if self.tolerance is None else _sooner(self.tolerance, factor)
        return self.model_copy(update={"add": tuple(key.faster(factor) for key in self.add), "tolerance": tolerance})
