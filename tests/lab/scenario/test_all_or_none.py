"""A change that one router refuses is made on neither, and the result says who refused what."""

import pytest

from harness.scenario.result import Verdict

pytestmark = pytest.mark.lab

ONE_REFUSES = """\
keyroll: 1
id: one-refuses
title: R1 refuses to lose a chain that it uses; R2, which uses it no more, keeps it too
keychain: {name: chain, keys: [{id: 0, start: 0m}]}
steps:
  - apply: {routers: [R1, R2]}
  - cli:
      routers: R2
      configure:
        - delete protocols bgp group keyroll neighbor <peer> authentication-key-chain
        - delete protocols bgp group keyroll neighbor <peer> authentication-algorithm
  - delete-chain: {routers: [R2, R1]}
throughout: []
"""


def test_what_one_router_refuses_the_other_does_not_keep(run_scenario, tmp_path):
    path = tmp_path / "scenario.yaml"
    path.write_text(ONE_REFUSES)
    result = run_scenario(path)
    assert result.verdict is Verdict.FAILED, result.reason
    (red,) = result.red
    assert (red.label, red.router) == ("commit@3", "R1")
    assert "Referenced key-chain must be defined" in red.observed
    held = {check.router: check for check in result.checks if check.label == "read-back@3"}
    assert {router: check.observed for router, check in held.items()} == dict.fromkeys(
        ("R1", "R2"), "1 keys as they were sent"
    )
