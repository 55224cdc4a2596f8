"""The steps of a scenario file that move time: the routers' clocks, and real time."""

from __future__ import annotations

from datetime import timedelta
from typing import Self

from pydantic import Field, model_validator

from keyroll.names import Capability
from keyroll.scenario.file.durations import Duration, PositiveDuration, shortened
from keyroll.scenario.file.fields import ROUTERS, OneOrMany, RouterName
from keyroll.scenario.file.registry import step
from keyroll.scenario.file.step import Step


@step
class Skew(Step):
    """Set routers' clocks ahead of (or behind) the scenario's time: `{R2: 61m}`. A clock may go back."""

    kind = "skew"
    needs = Capability.SET_CLOCK
    r1: Duration | None = Field(default=None, alias="R1")
    r2: Duration | None = Field(default=None, alias="R2")

    @model_validator(mode="after")
    def _at_least_one(self) -> Self:
        if self.r1 is None and self.r2 is None:
            raise ValueError("must name a router and how far its clock is ahead: {R2: 61m}")
        return self

    def by_router(self) -> dict[RouterName, timedelta]:
        """Return how far ahead each named router's clock is set."""
        named: tuple[tuple[RouterName, timedelta | None], ...] = (("R1", self.r1), ("R2", self.r2))
        return {router: length for router, length in named if length is not None}

    def needs_set_clock(self) -> str | None:
        """Return the reason: clocks that cannot be set are always equal."""
        return "its routers' clocks differ"


@step
class Advance(Step):
    """Move the routers' clocks forward: `to` an instant after t0, or `by` a length."""

    kind = "advance"
    to: Duration | None = None
    by: PositiveDuration | None = None
    routers: OneOrMany[RouterName] = ROUTERS

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.to is None) == (self.by is None):
            raise ValueError("needs exactly one of `to` and `by`")
        return self

    def reached(self, before: timedelta) -> timedelta:
        """Return where the clocks are moved to."""
        return self.to if self.to is not None else before + (self.by or timedelta())

    def faster(self, factor: float) -> Self:
        """Return the same with `to` or `by` divided."""
        lengths = {"to": self.to, "by": self.by}
        return self.model_copy(
            update={name: shortened(length, factor) for name, length in lengths.items() if length is not None}
        )

    def needs_set_clock(self) -> str | None:
        """Return the reason if one router alone advances: real time passes for both."""
        return "it advances one router's clock alone" if len(self.routers) < len(ROUTERS) else None


@step
class Wait(Step):
    """Let real time pass."""

    kind = "wait"
    duration: PositiveDuration = Field(alias="for")

    def takes(self, expected: timedelta) -> timedelta:
        """Return the time that passes."""
        return self.duration
