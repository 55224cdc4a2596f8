"""Steps and checks of another package on a lab: those of docs/extend.md, and ones that do nothing."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from keyroll.scenario.file import registry
from keyroll.scenario.file.fields import ByRouter
from keyroll.scenario.file.registry import CHECKS, STEPS
from keyroll.scenario.file.step import Step
from keyroll.scenario.judge.conditions import Condition, Source, View
from keyroll.scenario.judge.findings import Finding
from keyroll.scenario.plan.deadlines import Waits
from keyroll.scenario.play.context import play
from keyroll.scenario.record.result import Result, Verdict

pytestmark = pytest.mark.lab

PAGE = Path(__file__).parents[3] / "docs" / "extend.md"
FILE = """\
keyroll: 1
id: extended
title: Steps and checks that keyroll does not have
keychain:
  keys:
    - {id: 0, start: 0m}
steps:
  - apply:
  - expect: {bgp: Established}
  - nothing:
  - ping: {router: R1, count: 2}
  - expect: {up-for: {R2: 1s}, holds: true}
  - ping: {router: R2}
throughout: [no-flap]
mutations:
  none: {kind: no-rollover, turns-red: [answered@4, up-for@5, holds@5]}
"""


class Nothing(Step):
    """Do nothing."""

    kind = "nothing"
    bare = True


@dataclass(frozen=True)
class Holds(Condition):
    """Has the result that the file says."""

    name = "holds"
    written = ByRouter[bool]
    source = Source.SAMPLES

    def deadline(self, waits: Waits) -> timedelta:
        return waits.shown

    def expected(self) -> str:
        return f"holds {self.value}"

    def judge(self, view: View) -> Finding:
        return Finding(self.value, f"looked since {view.since}")


@pytest.fixture
def extended() -> Iterator[None]:
    before = {*STEPS.names()}, {*CHECKS.names()}
    registry.load()
    blocks = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    assert len(blocks) == 2
    exec(compile("\n".join(blocks), PAGE.name, "exec", dont_inherit=True), {"__name__": "extend"})  # noqa: S102 - our page
    registry.step(Nothing)
    registry.check(Holds)
    play.register(Nothing, lambda *_: None)
    yield
    for name in {*STEPS.names()} - before[0]:
        STEPS.remove(name)
    for name in {*CHECKS.names()} - before[1]:
        CHECKS.remove(name)


@pytest.mark.usefixtures("extended")
def test_an_added_step_and_an_added_check_are_played_and_judged(
    run_scenario: Callable[..., Result], tmp_path: Path
) -> None:
    path = tmp_path / "extended.yaml"
    path.write_text(FILE)
    result = run_scenario(path)
    assert result.verdict is Verdict.PASSED, result.reason or result.red
    observed = {(check.label, check.router): check.observed for check in result.checks}
    assert "2 packets received, 0% packet loss" in observed["answered@4", "R1"]
    assert re.fullmatch(r"up for \d+s", observed["up-for@5", "R2"])
    assert {label for label, _ in observed} >= {"holds@5", "answered@6"}


@pytest.mark.slow
@pytest.mark.usefixtures("extended")
def test_an_added_check_turns_red(run_scenario: Callable[..., Result], tmp_path: Path) -> None:
    path = tmp_path / "extended.yaml"
    path.write_text(FILE.replace("holds: true", "holds: {R1: false}").replace("up-for: {R2: 1s}", "up-for: {R2: 0s}"))
    result = run_scenario(path)
    assert [check.label for check in result.red] == ["holds@5"]
    assert "step 4 (ping router: R1, count: 2)" in result.red[0].sentence()
