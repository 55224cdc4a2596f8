"""Drops by reason: right reasons are green, another reason is red though the total is the same."""

from collections.abc import Callable
from pathlib import Path

import pytest

from keyroll.scenario.record.result import Result, Verdict

pytestmark = pytest.mark.lab

FORGED = """\
keyroll: 1
id: drops
title: Forged segments are dropped for what is wrong with them
requires: [inject]
keychain: {name: chain, keys: [{id: 0, start: 0m}]}
steps:
  - apply:
  - expect: {bgp: Established, wire: 0}
  - inject: {kind: rst-bad-mac, towards: R2, count: 2}
  - expect: {drops: {R2: {REASON: 2, no-option: 0}}}
  - inject: {kind: rst, towards: R1}
  - expect: {drops: {R1: {no-option: 1, bad-mac: 0}, R2: {any: 0}}}
"""


@pytest.mark.parametrize(
    ("reason", "red"), [("bad-mac", []), pytest.param("unknown-keyid", ["drops@4"], marks=pytest.mark.slow)]
)
@pytest.mark.slow
def test_a_drop_for_another_reason_is_red_although_the_total_is_the_same(
    run_scenario: Callable[..., Result], tmp_path: Path, reason: str, red: list[str]
) -> None:
    path = tmp_path / "scenario.yaml"
    path.write_text(FORGED.replace("REASON", reason))
    result = run_scenario(path)
    assert [check.label for check in result.red] == red, result.reason
    assert result.verdict is (Verdict.FAILED if red else Verdict.PASSED)
    told = next(check.observed for check in result.checks if check.label == "drops@3")
    assert told == "dropped since, by reason: bad-mac 2"
