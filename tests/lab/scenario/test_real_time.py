"""A scenario in real time, on routers whose clocks cannot be set."""

from pathlib import Path
from typing import Any

import pytest
from tests.unit.known import known

from keyroll.names import Capability
from keyroll.scenario.engine import Options, run
from keyroll.scenario.file.read import read_cases
from keyroll.scenario.labs.make import lab_maker
from keyroll.scenario.labs.pool import FreshLabs
from keyroll.scenario.record.result import Result, Verdict

pytestmark = pytest.mark.lab


def play(pytestconfig: pytest.Config, folder: Path, name: str, *, mutate: str | None = None) -> Result:
    path = pytestconfig.rootpath / "tests" / "scenarios" / "rollover" / name
    labs = FreshLabs(lab_maker(), without=frozenset({Capability.SET_CLOCK}))
    return run(read_cases(path)[0], Options(labs=labs, seed=4711, runs=folder, mutate=mutate))


@pytest.mark.real_time
def test_a_two_key_rollover_is_hitless_in_real_time_without_setting_a_clock(
    pytestconfig: pytest.Config, tmp_path: Path
) -> None:
    result = play(pytestconfig, tmp_path, "two-keys.yaml")
    assert result.verdict is Verdict.PASSED, (result.reason, result.red)
    facts: Any = result.facts["real time"]
    assert (result.t0.second, facts["t0"]) == (0, result.t0.isoformat())
    assert "set date" not in (result.folder / "exchanges.jsonl").read_text()


@pytest.mark.real_time
@pytest.mark.slow
def test_a_broken_key_is_red_in_real_time_as_well(pytestconfig: pytest.Config, tmp_path: Path) -> None:
    result = play(pytestconfig, tmp_path, "two-keys.yaml", mutate="other-secret")
    assert known(result.receipt).killed, (result.reason, result.red)


def test_a_scenario_that_needs_settable_clocks_is_skipped_with_a_reason(
    pytestconfig: pytest.Config, tmp_path: Path
) -> None:
    result = play(pytestconfig, tmp_path, "skew-within-tolerance.yaml")
    assert result.verdict is Verdict.SKIPPED
    assert "set-clock (withheld); it cannot be played in real time: its routers' clocks differ" in known(result.reason)
