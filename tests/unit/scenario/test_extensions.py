"""Steps and checks that another package adds: they are read, are in the JSON schema, and are played."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from tests.unit.known import known

from keyroll.document import DocumentError
from keyroll.instants import FakeClock
from keyroll.scenario.errors import ExtensionError, RunBrokenError
from keyroll.scenario.file import registry
from keyroll.scenario.file.expectations import Expectation
from keyroll.scenario.file.fields import ByRouter
from keyroll.scenario.file.read import read_cases
from keyroll.scenario.file.registry import CHECKS, STEPS
from keyroll.scenario.file.scenario import Scenario
from keyroll.scenario.file.step import Step
from keyroll.scenario.judge.conditions import Condition, Source, View, conditions_of
from keyroll.scenario.judge.findings import Finding
from keyroll.scenario.plan.deadlines import Waits
from keyroll.scenario.plan.keyring import Span
from keyroll.scenario.play.context import Run, play


class Nothing(Step):
    """Do nothing, as often as `times` says."""

    kind = "nothing"
    bare = True
    times: int = 1


@dataclass(frozen=True)
class Lucky(Condition):
    """A number that holds when it is 7."""

    name = "lucky"
    written = ByRouter[int]
    source = Source.SAMPLES

    def deadline(self, waits: Waits) -> timedelta:
        return waits.shown

    def expected(self) -> str:
        return f"lucky {self.value}"

    def judge(self, view: View) -> Finding:  # noqa: ARG002 - the finding does not depend on it
        return Finding(self.value == 7, "7")


@pytest.fixture(autouse=True)
def added() -> Iterator[None]:
    registry.step(Nothing)
    registry.check(Lucky)
    yield
    STEPS.remove("nothing")
    CHECKS.remove("lucky")


NOTHING_SEEN = cast("View", None)
"""A view that is not used: the check above does not depend on it."""
STEPS_OF_OTHERS = "  - advance: {to: 30m}\n  - nothing: {times: 3}\n  - nothing:\n  - expect: {lucky: {R2: 8}}\n"


def read(write: Callable[..., Path], two_keys: str, steps: str = STEPS_OF_OTHERS) -> Scenario:
    text = two_keys[: two_keys.index("mutations:")].replace("  - advance: {to: 30m}\n", steps)
    return read_cases(write(text))[0].scenario


def test_added_steps_and_checks_are_read_like_built_in_ones(write: Callable[..., Path], two_keys: str) -> None:
    _, _, _, nothing, bare, expect, _ = read(write, two_keys).steps
    assert isinstance(nothing, Nothing)
    assert isinstance(expect, Expectation)
    assert (nothing.words(), nothing.times, bare.words()) == ("nothing times: 3", 3, "nothing")
    (condition,) = conditions_of(expect)
    assert (condition.router, condition.expected(), condition.judge(NOTHING_SEEN).holds) == ("R2", "lucky 8", False)
    assert expect.checks() == {"lucky"}


@pytest.mark.parametrize(
    ("step", "words"),
    [
        ("nothing: {time: 3}", "unknown field 'time'; allowed here: times"),
        ("nothing: {times: x}", "'steps.3.nothing.times': input should be a valid integer"),
        ("nothin:", "unknown field 'nothin'; allowed here: .*inject, .*nothing, .*re-point"),
        ("expect: {lucky: x}", r"'steps.3.expect.lucky.R1': input should be a valid integer"),
        ("expect: {luck: 7}", "unknown field 'luck'; allowed here: .*ldp, lucky, next"),
        ("expect: {}", "expects nothing; name at least one of: bgp, .*, drops, .*lucky"),
    ],
)
def test_errors_in_added_steps_are_named_with_their_place(
    write: Callable[..., Path], two_keys: str, step: str, words: str
) -> None:
    with pytest.raises(DocumentError, match=words) as caught:
        read(write, two_keys, f"  - advance: {{to: 30m}}\n  - {step}\n")
    assert known(caught.value.where).line == 14


def test_added_steps_are_in_the_json_schema_while_they_are_registered() -> None:
    steps = Scenario.model_json_schema(by_alias=True)["$defs"]
    assert "nothing" in steps["Step"]["properties"]
    assert "lucky" in steps["Expect"]["properties"]
    STEPS.remove("nothing")
    assert "nothing" not in Scenario.model_json_schema(by_alias=True)["$defs"]["Step"]["properties"]
    registry.step(Nothing)


def test_a_step_is_played_by_the_function_that_was_registered_for_it() -> None:
    fake = SimpleNamespace(clock=FakeClock(), number=3, played=[])
    run = cast("Run", fake)
    with pytest.raises(RunBrokenError, match="no function plays `nothing`"):
        play(Nothing(), run)

    @play.register
    def _(step: Nothing, run: SimpleNamespace) -> Span:
        begun = run.clock.now().ns
        run.clock.pause(step.times * timedelta(seconds=1))
        fake.played.append(step)
        return Span(begun, run.clock.now().ns)

    span = known(play(Nothing(times=2), run))
    assert (fake.played, span.done - span.begun) == ([Nothing(times=2)], 2_000_000_000)


def test_a_name_that_is_already_registered_is_refused() -> None:
    with pytest.raises(ExtensionError, match="two steps are named 'nothing'"):
        registry.step(Nothing)


def entry(name: str, load: Callable[[], object]) -> SimpleNamespace:
    return SimpleNamespace(name=name, value=f"{name}.steps", load=load)


def test_other_packages_name_their_modules_as_entry_points(monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = []
    monkeypatch.setattr(registry, "_loaded", set())
    monkeypatch.setattr(registry, "entry_points", lambda group: [entry(group, lambda: loaded.append(group))])
    registry.load()
    registry.load()
    assert loaded == ["keyroll.scenario"]


def test_a_package_that_cannot_be_imported_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> None:
        raise ModuleNotFoundError("No module named 'scapy'")

    monkeypatch.setattr(registry, "_loaded", set())
    monkeypatch.setattr(registry, "entry_points", lambda **_: [entry("frames", broken)])
    with pytest.raises(ExtensionError, match=r"extension 'frames' \(frames.steps\) cannot be imported: No module"):
        registry.load()
