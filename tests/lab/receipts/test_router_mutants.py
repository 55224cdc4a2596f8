"""Routers that are broken on purpose: a scenario must turn the named checks red.

Each mutant replaces a part of the emulated router (mutants/sitecustomize.py); the scenario and the judge are unchanged.
"""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from tests.command_line import KEYROLL

pytestmark = [pytest.mark.lab, pytest.mark.slow]

ROOT = Path(__file__).parents[3]
SCENARIOS = ROOT / "tests" / "scenarios"
MUTANTS = Path(__file__).parent / "mutants"
TWO_KEYS, FORGED = "rollover/two-keys.yaml", "rollover/forged-during.yaml"


TRIES = 3
"""A run that could not observe the routers, because the machine was busy, is repeated; a red or green one never is."""
RUN_SECONDS = 600
"""Longest time for a run: 20 s on an idle machine."""


def play(folder: Path, scenario: str, variant: str | None, mutant: str) -> dict[str, Any]:
    number, result = 1, played(folder / "1", scenario, variant, mutant)
    while number < TRIES and result["verdict"] == "unfit" and "machine" in result["reason"]:
        number += 1
        result = played(folder / str(number), scenario, variant, mutant)
    return result


def played(folder: Path, scenario: str, variant: str | None, mutant: str) -> dict[str, Any]:
    words = [
        "run",
        str(SCENARIOS / scenario),
        "--no-report",
        "--run-dir",
        str(folder),
        *(["--variant", variant] if variant else []),
    ]
    command = [*KEYROLL, *words]
    path = os.pathsep.join(filter(None, [str(MUTANTS), os.environ.get("PYTHONPATH")]))
    environment = {**os.environ, "PYTHONPATH": path, "KEYROLL_TEST_MUTANT": mutant}
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=RUN_SECONDS, check=False, cwd=ROOT
    )
    assert (folder / "result.json").exists(), done.stdout + done.stderr
    found: dict[str, Any] = json.loads((folder / "result.json").read_text())
    return found


@pytest.mark.parametrize(
    ("mutant", "scenario", "variant", "named"),
    [
        ("signs-with-the-old-key", TWO_KEYS, None, ["wire@4", "rollover-completes"]),
        ("accepts-unsigned", FORGED, "rst", ["drops@3"]),
        ("accepts-any-keyid", FORGED, "rst-unknown-keyid", ["drops@3"]),
        ("accepts-bad-mac", FORGED, "rst-bad-mac", ["drops@3"]),
        ("ignores-rnext", "rollover/policies.yaml", "rnext-any-rnext-tolerance", ["wire@4"]),
        ("stores-another-secret", TWO_KEYS, None, ["read-back@1"]),
        ("resets-bgp", TWO_KEYS, None, ["no-flap"]),
        ("resets-bgp-with-a-stuck-counter", TWO_KEYS, None, ["no-flap"]),
        ("wrong-sne", "faults/sequence-numbers-wrap.yaml", "at-the-syn-clock", ["every-segment-verified"]),
        ("resets-ldp-briefly", "rollover/bgp-and-ldp.yaml", "ldp", ["no-flap"]),
        ("loses-labels", "rollover/bgp-and-ldp.yaml", "both", ["no-route-loss"]),
        ("resets-ldp", "rollover/bgp-and-ldp.yaml", "both", ["no-flap"]),
    ],
)
def test_a_broken_router_turns_the_named_checks_red(
    tmp_path: Path, mutant: str, scenario: str, variant: str | None, named: list[str]
) -> None:
    result = play(tmp_path / "run", scenario, variant, mutant)
    assert result["verdict"] == "failed", result["reason"]
    red = {check["name"]: check["observed"] for check in result["checks"] if not check["passed"]}
    assert set(named) <= set(red), red


@pytest.mark.parametrize(("scenario", "variant"), [(TWO_KEYS, None), (FORGED, "rst")])
def test_the_same_scenarios_pass_on_a_router_that_is_not_broken(
    tmp_path: Path, scenario: str, variant: str | None
) -> None:
    assert play(tmp_path / "run", scenario, variant, "")["verdict"] == "passed"
