"""The keychains of both routers as a scenario file describes them, with and without a mutation."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.unit.known import known

from keyroll.keychain.model import Key, Keychain
from keyroll.scenario.file.read import read_cases
from keyroll.scenario.file.scenario import Mutation, Scenario
from keyroll.scenario.plan.chains import build_chains

T0 = datetime(2030, 1, 1, tzinfo=UTC)


@pytest.fixture
def scenario(write: Callable[..., Path], two_keys: str) -> Scenario:
    return read_cases(write(two_keys))[0].scenario


def broken(**fields: str | int) -> Mutation:
    return Mutation.model_validate({"turns-red": ["wire"], **fields})


def key(chain: Keychain, number: int) -> Key:
    return known(chain.key(number))


def test_r2_holds_r1s_chain_with_the_ids_reversed(scenario: Scenario) -> None:
    chains = build_chains(scenario, seed=7, t0=T0)
    assert chains["R2"] == chains["R1"].mirrored()
    assert key(chains["R1"], 1).start == T0 + timedelta(minutes=30)
    assert all(key.usable for chain in chains.values() for key in chain.keys)


def test_the_same_seed_gives_the_same_chains_and_another_seed_other_secrets(scenario: Scenario) -> None:
    one, same, other = (build_chains(scenario, seed=seed, t0=T0) for seed in (7, 7, 8))
    assert one == same
    assert key(one["R1"], 0).secret != key(other["R1"], 0).secret
    assert key(one["R1"], 0).secret != key(one["R1"], 1).secret


def test_the_mutation_other_secret_changes_only_that_secret(scenario: Scenario) -> None:
    good = build_chains(scenario, seed=7, t0=T0)
    bad = build_chains(scenario, seed=7, t0=T0, mutation=broken(kind="other-secret", key=1))
    assert bad["R1"] == good["R1"]
    assert bad["R2"].key(0) == good["R2"].key(0)
    assert key(bad["R2"], 1).secret != key(good["R2"], 1).secret
    assert (key(bad["R2"], 1).send_id, key(bad["R2"], 1).recv_id) == (4, 3)


def test_the_mutation_ids_not_reversed_gives_r2_the_ids_of_r1(scenario: Scenario) -> None:
    bad = build_chains(scenario, seed=7, t0=T0, mutation=broken(kind="ids-not-reversed"))
    assert bad["R2"] == bad["R1"]


def test_the_mutation_key_missing_leaves_the_other_keys(scenario: Scenario) -> None:
    bad = build_chains(scenario, seed=7, t0=T0, mutation=broken(kind="key-missing", key=1, router="R1"))
    assert [key.id for key in bad["R1"].keys] == [0]
    assert [key.id for key in bad["R2"].keys] == [0, 1]


def test_the_mutations_late_key_and_no_rollover_delay_the_start_time(scenario: Scenario) -> None:
    late = build_chains(scenario, seed=7, t0=T0, mutation=broken(kind="late-key", key=1, by="2h"))
    assert key(late["R2"], 1).start == T0 + timedelta(minutes=150)
    never = build_chains(scenario, seed=7, t0=T0, mutation=broken(kind="no-rollover"))
    assert key(never["R2"], 0).start == T0
    assert known(key(never["R2"], 1).start) > T0 + timedelta(days=50)


def test_values_under_a_router_apply_to_that_router_only(write: Callable[..., Path], two_keys: str) -> None:
    text = (
        two_keys.replace("{id: 0, start: 0m}", "{id: 0, start: 0m, R2: {secret: other, send: 9, start: 1m}}")
        .replace("algorithm: aes-128-cmac-96}", "held-by: R1}")
        .replace("active: 0, next: 1", "active: 0")
    )
    chains = build_chains(read_cases(write(text))[0].scenario, seed=7, t0=T0)
    ours, theirs = key(chains["R1"], 0), key(chains["R2"], 0)
    assert ours.secret != theirs.secret
    assert (theirs.send_id, theirs.recv_id) == (9, 1)
    assert theirs.start == T0 + timedelta(minutes=1)
    assert chains["R2"].key(1) is None
