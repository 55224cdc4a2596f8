"""The steps that expect something. Their conditions are the checks that are registered: one field for each."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from pydantic import Field

from keyroll.scenario.file.durations import PositiveDuration
from keyroll.scenario.file.registry import CHECKS, step
from keyroll.scenario.file.step import Step


class Expectation(Step):
    """What must hold. Each condition holds for both routers, or is keyed by router; one left out is not checked."""

    def conditions(self) -> dict[str, Mapping[str, Any]]:
        """Return what is expected: by check, then by router (`R1`) or session and router (`v6.R1`)."""
        values = {name: getattr(self, name, None) for name in CHECKS.names()}
        return {name: value for name, value in values.items() if value}

    def checks(self) -> frozenset[str]:
        """Return the names of the checks that these conditions make."""
        return frozenset(self.conditions())

    def keys(self) -> frozenset[int]:
        """Return the key numbers that are expected anywhere."""
        values = [value for name, value in self.conditions().items() if CHECKS[name].names_keys]
        return frozenset(number for value in values for number in value.values() if number is not None)

    def sessions(self) -> frozenset[str]:
        """Return the sessions of which something is expected, by name or kind."""
        written = self.conditions()
        kinds = {CHECKS[name].session for name in written}
        names = {place.partition(".")[0] for values in written.values() for place in values if "." in place}
        return frozenset({kind for kind in kinds if kind is not None} | names)

    def problem(self) -> str | None:
        """Return what is wrong with an expectation that has no condition."""
        if self.conditions():
            return None
        return f"`{self.kind}` expects nothing; name at least one of: {', '.join(CHECKS.names())}"


@step
class Expect(Expectation):
    """Wait until every condition holds. Each has its own deadline, counted from the end of the last step that acted."""

    kind = "expect"

    def takes(self, expected: timedelta) -> timedelta:
        """Return the longest of the named deadlines."""
        return expected


@step
class ExpectWithin(Expectation):
    """Like `expect`, with one deadline, given in the file, for all conditions."""

    kind = "expect-within"
    within: PositiveDuration

    def takes(self, expected: timedelta) -> timedelta:
        """Return the file's own deadline."""
        return self.within


@step
class Stays(Expectation):
    """What must hold in every sample for a while."""

    kind = "stays"
    duration: PositiveDuration = Field(alias="for")

    def takes(self, expected: timedelta) -> timedelta:
        """Return how long it must hold."""
        return self.duration
