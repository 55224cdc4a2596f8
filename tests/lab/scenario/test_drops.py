"""Drops by reason: a check of another reason is red, even if the total number is right."""

from collections.abc import Callable
from pathlib import Path

import pytest

from keyroll.scenario.record.result import Result, Verdict

pytestmark = pytest.mark.lab

FORGED = """\
keyroll: 1
id: drops
title: Forged segments are dropped, each for its own reason
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
    observed = next(check.observed for check in result.checks if check.label == "drops@3")
    assert observed == "dropped since, by reason: bad-mac 2"
