"""The mutation `left-to-chance`: it removes what forces an event, and changes nothing else."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from keyroll.document import DocumentError
from keyroll.keychain.model import Keychain
from keyroll.scenario.file.fields import ROUTERS, RouterName
from keyroll.scenario.file.read import Case, read_cases
from keyroll.scenario.plan.chains import mutated, plan_chain
from keyroll.scenario.plan.unsteered import as_mutated, steers

FILE = """\
keyroll: 1
id: forced
title: Something is forced
policy:
  R1: {isn: 4294967295, port: 40000}
keychain:
  keys:
    - {id: 0, start: 0m}
steps:
  - apply:
  - cross-syns:
  - expect: {bgp: Established, seen: collision}
mutations:
  chance: {kind: left-to-chance, turns-red: seen@3}
"""


def cases(tmp_path: Path, text: str = FILE) -> tuple[Case, ...]:
    path = tmp_path / "forced.yaml"
    path.write_text(text)
    return read_cases(path)


def test_a_run_that_is_left_to_chance_keeps_the_numbers_of_its_steps(tmp_path: Path) -> None:
    (case,) = cases(tmp_path)
    scenario = case.scenario
    assert steers(scenario)
    assert as_mutated(scenario, None) is scenario
    left = as_mutated(scenario, case.mutation("chance"))
    assert not steers(left)
    assert [step.kind for step in left.steps] == ["apply", "wait", "expect"]
    assert {name: policy.settings for name, policy in left.policy.items()} == {
        "R1": {"sending": "clock", "receiving": "tolerance"}
    }


def test_a_run_that_is_left_to_chance_keeps_its_keychains(tmp_path: Path) -> None:
    (case,) = cases(tmp_path)
    now = datetime(2030, 1, 1, tzinfo=UTC)
    chains: dict[RouterName, Keychain] = {
        router: plan_chain(case.scenario.keychain, router, seed=1, t0=now) for router in ROUTERS
    }
    for router, chain in chains.items():
        assert mutated(chains, router, case.mutation("chance"), seed=1) == chain


@pytest.mark.parametrize("value", ["4294967296", "-1", "high"])
def test_an_isn_that_is_not_a_number_of_32_bits_is_refused(tmp_path: Path, value: str) -> None:
    with pytest.raises(DocumentError):
        cases(tmp_path, FILE.replace("isn: 4294967295", f"isn: {value}"))
