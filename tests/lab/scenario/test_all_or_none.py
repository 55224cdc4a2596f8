"""A change that one router refuses is made on neither router; the result says which router refused what."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from keyroll.junos.errors import CommitError
from keyroll.junos.session import RouterSession
from keyroll.scenario.record.result import Result, Verdict

pytestmark = pytest.mark.lab

ONE_REFUSES = """\
keyroll: 1
id: one-refuses
title: R1 refuses to delete a chain that it uses; so R2, which does not use it any more, keeps it too
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


def test_a_change_that_one_router_refuses_is_rolled_back_on_the_other(
    run_scenario: Callable[..., Result], tmp_path: Path
) -> None:
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


FIRST_APPLY = """\
keyroll: 1
id: first-apply
title: R2 refuses the first configuration; R1 is not changed
keychain: {name: chain, keys: [{id: 0, start: 0m}]}
steps:
  - apply: {routers: [R1, R2]}
throughout: []
"""


def test_a_first_configuration_that_one_router_refuses_is_red_and_does_not_break_the_run(
    run_scenario: Callable[..., Result], tmp_path: Path
) -> None:
    path = tmp_path / "scenario.yaml"
    path.write_text(FIRST_APPLY)
    commit = RouterSession.commit

    def refusing(session: RouterSession, comment: str | None = None, **options: Any) -> None:
        if session.name == "R2":
            session.show("show bgp summary")  # R1 has committed before this is answered
            raise CommitError("R2 refused 'commit': no", router="R2", line="commit", words="no")
        commit(session, comment, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(RouterSession, "commit", refusing)
        result = run_scenario(path)
    assert result.verdict is Verdict.FAILED, result.reason
    red = {(check.label, check.router): check.observed for check in result.red}
    assert ("commit@1", "R2") in red
    back = next(check for check in result.checks if (check.label, check.router) == ("read-back@1", "R1"))
    assert (back.passed, back.observed) == (True, "0 keys as they were sent")
