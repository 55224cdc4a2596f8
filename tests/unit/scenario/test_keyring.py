"""The keyring: which keys each router has, before and after each commit of a scenario."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest
from tests.unit.scenario.steps import commit_of

from keyroll.errors import InputError
from keyroll.scenario.errors import ScenarioError
from keyroll.scenario.file.commit_steps import AddKey, ChangeChains, Commit
from keyroll.scenario.file.read import read_cases
from keyroll.scenario.file.scenario import Scenario
from keyroll.scenario.plan.keyring import Keyring, Span

T0 = datetime(2030, 1, 1, tzinfo=UTC)
SPAN = Span(1, 2)
FILE = """\
keyroll: 1
id: there-and-back
title: A key is added, rolled back by the router itself, and added again with another secret
keychain:
  keys:
    - {id: 0, start: 0m}
steps:
  - apply:
  - add-key: {id: 1, start: 30m, secret: first, routers: R2, confirmed: 1}
  - await-rollback: {routers: R2}
  - add-key: {id: 1, start: 30m, secret: second, routers: R2}
  - rollback: {routers: R2}
  - add-key: {id: 1, start: 30m, secret: third, routers: R2}
  - expect: {bgp: Established}
"""


@pytest.fixture
def scenario(tmp_path: Path) -> Scenario:
    path = tmp_path / "there-and-back.yaml"
    path.write_text(FILE, encoding="utf-8")
    return read_cases(path)[0].scenario


def test_every_secret_is_known_in_advance_even_of_keys_that_are_added_again(scenario: Scenario) -> None:
    """Secrets have to be known before they are used, so that they can be redacted."""
    ring = Keyring(scenario, seed=7, t0=T0)
    known = set(ring.secrets())
    used = {key.secret for key in ring.intended("R2").chain.keys}
    for step in scenario.steps:
        if not isinstance(step, AddKey):
            continue
        held = ring.after("R2", step)
        used |= {key.secret for key in held.chain.keys}
    assert len(used) == 4
    assert used <= known


def test_the_keys_before_a_commit_are_kept_for_its_rollback(scenario: Scenario) -> None:
    ring = Keyring(scenario, seed=7, t0=T0)
    before = ring.intended("R2")
    ring.commit("R2", before)
    ring.commit("R2", ring.after("R2", cast("Commit", scenario.steps[1])))
    assert ring.intended("R2").chain.key(1) is not None
    assert ring.before("R2", 1) == before
    with pytest.raises(ScenarioError, match="only 2 times"):
        ring.before("R2", 2)


def test_a_commit_that_the_other_router_refused_is_undone_by_another_commit(scenario: Scenario) -> None:
    ring = Keyring(scenario, seed=7, t0=T0)
    before = ring.intended("R2")
    ring.commit("R2", before)
    ring.commit("R2", ring.after("R2", cast("Commit", scenario.steps[1])))
    ring.take_back("R2")
    assert ring.intended("R2") == before
    assert ring.before("R2", 1).chain.key(1) is not None, "the commit that is undone had the key"
    assert ring.before("R2", 2) == before


def test_undoing_the_first_commit_leaves_no_keys_and_the_same_intended_keys(scenario: Scenario) -> None:
    ring = Keyring(scenario, seed=7, t0=T0)
    coming = ring.intended("R1")
    received: list[Any] = []
    ring.subscribe(received.append)
    ring.commit("R1", coming, SPAN)
    ring.take_back("R1", SPAN)
    assert [changed.held for changed in received] == [coming, None]
    assert ring.intended("R1") == coming
    with pytest.raises(ScenarioError, match="only 0 times"):
        ring.before("R1", 1)


def test_a_subscriber_gets_what_was_committed_including_the_mutation(tmp_path: Path) -> None:
    path = tmp_path / "there-and-back.yaml"
    path.write_text(FILE + "mutations:\n  gone: {kind: key-missing, key: 1, turns-red: bgp@7}\n", encoding="utf-8")
    (case,) = read_cases(path)
    ring = Keyring(case.scenario, seed=7, t0=T0, mutation=case.mutation("gone"))
    received: list[Any] = []
    ring.subscribe(received.append)
    held = ring.after("R2", commit_of(case.scenario.steps[1]))
    ring.commit("R2", held, SPAN)
    ring.commit("R2", held)
    (changed,) = received
    assert (changed.router, changed.span) == ("R2", SPAN)
    assert held.chain.key(1) is not None
    assert changed.held.chain.key(1) is None


TWO_CHAINS = """\
keyroll: 1
id: two-chains-in-one-commit
title: A commit changes a key and the tolerance of one chain, and deletes a key of the other
keychain:
  keys:
    - {id: 0, start: 0m, algorithm: aes-128-cmac-96}
    - {id: 1, start: 30m}
  tolerance: 60
other-chains:
  - name: kc-2
    keys:
      - {id: 0, start: 0m}
      - {id: 3, start: 0m, held-by: R1}
steps:
  - apply:
  - change-chains:
      of:
        - {delete: 0, tolerance: {R1: 3600, R2: 60}, add: [{id: 0, start: 1h}, {id: 2, start: 2h, held-by: R2}]}
        - {chain: kc-2, delete: 3}
  - expect: {bgp: Established}
"""


def test_one_commit_changes_a_chain_and_points_a_session_to_another(tmp_path: Path) -> None:
    path = tmp_path / "pointed.yaml"
    text = TWO_CHAINS.replace("keychain:", "sessions: [{bgp: v4}, {bgp: v6, family: inet6}]\nkeychain:", 1)
    of = "    of: [{chain: new_auth_key, delete: 1}]\n      re-point: [{chain: kc-2, sessions: [v6]}]\n"
    path.write_text(f"{text.partition('  - change-chains:')[0]}  - change-chains:\n  {of}", encoding="utf-8")
    scenario = read_cases(path)[0].scenario
    step = scenario.steps[1]
    assert isinstance(step, ChangeChains)
    held = Keyring(scenario, seed=7, t0=T0).after("R1", step)
    assert (held.used_by("v4"), held.used_by("v6")) == ("new_auth_key", "kc-2")
    assert [key.id for key in held.named("new_auth_key").keys] == [0]


def test_one_commit_changes_several_chains_and_deletes_values_that_return_to_their_default(tmp_path: Path) -> None:
    path = tmp_path / "two-chains.yaml"
    path.write_text(TWO_CHAINS, encoding="utf-8")
    ring = Keyring(read_cases(path)[0].scenario, seed=7, t0=T0)
    step = commit_of(read_cases(path)[0].scenario.steps[1])
    received = {}
    for router in ("R1", "R2"):
        held = ring.after(router, step)
        received[router] = [
            line.split(" key-chain ")[1] for line in ring.lines(router, held) if line.startswith("delete")
        ]
        assert "cryptographic-algorithm" not in "".join(ring.lines(router, held)), (
            "the key that is added again has none"
        )
    assert received["R1"] == ["new_auth_key tolerance", "new_auth_key key 0", "kc-2 key 3"]
    assert received["R2"] == ["new_auth_key key 0"], "R2 has no key 3 of the other chain, and keeps its tolerance"
    assert [key.id for key in ring.after("R2", step).chain.keys] == [0, 1, 2]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("chain: kc-2, ", "", "must name each chain only once"),
        ("chain: kc-2", "chain: kc-3", "no keychain is named 'kc-3'"),
        ("{chain: kc-2, delete: 3}", "{chain: kc-2}", "must name something to change"),
    ],
)
def test_an_invalid_commit_of_several_chains_is_refused(tmp_path: Path, old: str, new: str, message: str) -> None:
    path = tmp_path / "two-chains.yaml"
    path.write_text(TWO_CHAINS.replace(old, new), encoding="utf-8")
    with pytest.raises(InputError, match=message):
        read_cases(path)
