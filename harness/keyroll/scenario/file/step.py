"""The base class of the steps of a scenario file: a frozen model of what a person writes, and questions about it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import ClassVar, Self

from keyroll.names import Capability
from keyroll.scenario.file.fields import ROUTERS, StrictModel


class Step(StrictModel):
    """One step. Its fields are those of the mapping below its kind: `- add-key: {id: 2, start: 1h}`.

    A kind of step is one subclass with `kind`, registered with `@step` (`keyroll.scenario.file.registry`), and one
    function in `keyroll.scenario.play` that does it. The methods here are right for a step that names nothing and makes
    no check; a subclass overrides those that are not.
    """

    kind: ClassVar[str]
    """Its name in the file: `add-key`."""
    needs: ClassVar[Capability | None] = None
    """What a lab must be able to do for it, beyond answering on SSH."""
    bare: ClassVar[bool] = False
    """Whether the kind alone is enough: `- apply:`."""

    def checks(self) -> frozenset[str]:
        """Return the names of the checks that the step makes."""
        return frozenset()

    def keys(self) -> frozenset[int]:
        """Return the key numbers that the step names, which a chain of the file must have."""
        return frozenset()

    def adds(self) -> frozenset[int]:
        """Return the key numbers that the step brings into a chain."""
        return frozenset()

    def chains(self) -> frozenset[str]:
        """Return the names of the keychains that the step names, which the file must have."""
        return frozenset()

    def sessions(self) -> frozenset[str]:
        """Return the sessions that the step names, by name or kind, which the file must have."""
        return frozenset()

    def problem(self) -> str | None:
        """Return what is wrong with the step as a whole, or None."""
        return None

    # How long a step takes where clocks cannot be set and time has to pass (`keyroll.scenario.plan.real_time`).

    def starts(self) -> tuple[timedelta, ...]:
        """Return the start-times, after t0, that the step gives keys."""
        return ()

    def reached(self, before: timedelta) -> timedelta:
        """Return how long after t0 the scenario's time is after the step, `before` being where it was."""
        return before

    def takes(self, expected: timedelta) -> timedelta:
        """Return how much real time the step may take at most.

        `expected` is how long an expectation without a deadline of its own may take.
        """
        return timedelta()

    def faster(self, factor: float) -> Self:
        """Return the step with its lengths of scenario time divided by a factor; lengths of real time stay."""
        return self

    def needs_set_clock(self) -> str | None:
        """Return why the step cannot be played where clocks cannot be set, or None where it can."""
        return None

    def words(self) -> str:
        """Return the step in one line, as a file would have it."""
        fields = self.model_dump(by_alias=True, exclude_unset=True, mode="json")
        return f"{self.kind} {', '.join(f'{name}: {_value(value)}' for name, value in fields.items())}".strip()


def _by_session(value: Mapping[object, object]) -> Mapping[object, object]:
    """Return values by session and router (`v6.R1`) as a file writes them: by session, then by router."""
    found: dict[object, object] = {}
    for name, item in value.items():
        session, dot, router = str(name).rpartition(".")
        if dot and router in ROUTERS:
            inner = found.setdefault(session, {})
            assert isinstance(inner, dict)  # noqa: S101 - made here
            inner[router] = item
        else:
            found[name] = item
    return found


def _value(value: object) -> str:
    if isinstance(value, Mapping):
        value = _by_session(value)
        values = {str(item) for item in value.values()}
        if len(value) == len(ROUTERS) and len(values) == 1:
            return _value(next(iter(value.values())))
        return "{" + ", ".join(f"{name}: {_value(item)}" for name, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_value(item) for item in value) + "]"
    return "null" if value is None else str(value)
