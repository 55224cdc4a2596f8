"""AS numbers, and levels of the authentication statements, that a scenario file sets."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from keyroll.scenario.record.result import Result, Verdict

pytestmark = pytest.mark.lab

MOVED = """\
keyroll: 1
id: local-as-and-levels
title: A session with local-as rolls over; its key-chain is configured at R1's neighbor and at R2's protocol
as: {R1: 64500, R2: 4200000001}
sessions: [{bgp: v4, local-as: {R1: 64510}, authentication-at: {R2: protocol}}]
keychain:
  name: chain
  keys:
    - {id: 0, start: 0m}
    - {id: 1, start: 30m}
steps:
  - apply: {routers: [R1, R2]}
  - expect: {bgp: Established, active: 0, wire: 0}
  - cli: {routers: R2, commands: ["show bgp summary"], shows: '64510'}
  - advance: {to: 30m}
  - expect: {bgp: Established, active: 1, wire: 1}
"""


def test_a_session_with_local_as_rolls_over_with_its_key_chain_at_different_levels(
    run_scenario: Callable[..., Result], tmp_path: Path
) -> None:
    path = tmp_path / "moved.yaml"
    path.write_text(MOVED)
    result = run_scenario(path)
    assert result.verdict is Verdict.PASSED, result.reason
