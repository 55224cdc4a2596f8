"""What was expected and what was found: the one place where both become a `Check` of a result."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from keyroll.scenario.record.result import Check


@dataclass(frozen=True, slots=True)
class Finding:
    """Whether something holds, and what was observed, in words."""

    holds: bool
    observed: str
    captured: int | None = None
    """If it does not hold: when (ns since 1970) the first frame that proves this was captured; None: no frame does."""


class Assertion(Protocol):
    """Something that must hold of one router."""

    @property
    def name(self) -> str:
        """The check's name, as a mutation names it: `wire`."""
        ...

    @property
    def router(self) -> str:
        """The router that it is about."""
        ...

    def expected(self) -> str:
        """Return what is expected, in words."""
        ...


def checked(
    assertion: Assertion,
    finding: Finding,
    *,
    step: int | None = None,
    event: str = "",
    after: timedelta = timedelta(),
    keys: Mapping[str, str] | None = None,
) -> Check:
    """Return the check of an assertion and its finding; the other arguments are those of `Check`."""
    return Check(
        assertion.name,
        session=getattr(assertion, "of_session", None),
        passed=finding.holds,
        expected=assertion.expected(),
        observed=finding.observed,
        step=step,
        router=assertion.router,
        event=event,
        after=after,
        keys=keys or {},
        captured=finding.captured,
    )
