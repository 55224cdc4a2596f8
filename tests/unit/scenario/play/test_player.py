"""The player on a fake clock: what it waits for, for how long, and what follows if that does not happen."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from tests.unit.known import known
from tests.unit.scenario.play.conftest import World

from keyroll.errors import RunError
from keyroll.junos.errors import CommandError
from keyroll.scenario.errors import MachineBusyError, ScenarioError
from keyroll.scenario.file.fields import ROUTERS
from keyroll.scenario.record.result import Check

SECOND = timedelta(seconds=1)
T0 = datetime(2030, 1, 1, tzinfo=UTC)
HEAD = """\
keyroll: 1
id: two-keys
title: Two keys
keychain: {name: chain, keys: [{id: 0, start: 0m}, {id: 1, start: 30m}]}
steps:
"""
APPLY = "  - apply: {routers: [R1, R2]}\n  - expect: {bgp: Established}\n"


def red(checks: dict[str, list[Check]]) -> list[str]:
    """Return the labels of the checks that failed."""
    return sorted({label for label, some in checks.items() if not all(check.passed for check in some)})


def test_a_rollover_is_green_as_soon_as_it_is_complete(world: Callable[..., World]) -> None:
    played = world()
    begun = played.clock.now()
    checks = played.play()
    assert red(checks) == []
    assert {"bgp@2", "wire@4", "no-flap", "rollover-completes", "every-segment-verified"} <= checks.keys()
    assert played.clock.now() - begun < 10 * SECOND
    assert [known(router.sends()).id for router in played.routers.values()] == [1, 1]


@pytest.mark.parametrize(("after", "green"), [(14, True), (16, False)])
def test_a_session_may_take_fifteen_seconds_to_come_up(world: Callable[..., World], after: int, green: bool) -> None:
    played = world(APPLY)
    played.comes_up_after = after * SECOND
    checks = played.play()
    assert all(check.passed for check in checks["bgp@2"]) is green
    if not green:
        for check in checks["bgp@2"]:
            assert timedelta(seconds=15) <= check.after < timedelta(seconds=15.5)
            assert check.observed == "bgp Idle, 0 flaps"


def test_a_rollover_without_acknowledgement_is_red_after_the_hold_time_and_two_seconds(
    world: Callable[..., World],
) -> None:
    played = world()
    played.acknowledges = False
    checks = played.play()
    assert red(checks) == ["rollover-completes", "wire@4"]
    for check in checks["wire@4"]:
        assert timedelta(seconds=11) <= check.after < timedelta(seconds=11.5)
        assert check.event == "step 3 (advance to: 30m)"
        assert "pending: not acknowledged since" in check.observed


def test_the_check_wire_waits_for_a_session_that_is_down_to_come_up(world: Callable[..., World]) -> None:
    played = world("  - apply: {routers: [R1, R2]}\n  - expect: {wire: 0}\n")
    played.comes_up_after = 13 * SECOND
    assert all(check.passed for check in played.play()["wire@2"])


@pytest.mark.parametrize(("back", "green"), [(13, True), (17, False)])
def test_the_check_wire_waits_for_a_session_that_was_reset_even_if_the_last_sample_shows_it_up(
    world: Callable[..., World], back: int, green: bool
) -> None:
    played = world(APPLY + "  - clear: {session: bgp, routers: R1}\n  - expect: {wire: 0}\n")
    played.back_after = back * SECOND
    checks = played.play()["wire@4"]
    assert [check.passed for check in checks] == [green, green]


def test_a_red_check_ends_the_run_unless_a_mutation_names_a_later_one(world: Callable[..., World]) -> None:
    steps = APPLY + "  - expect-within: {within: 2s, active: 1}\n  - expect: {active: 0}\n"
    assert "active@4" not in world(steps).play()
    assert "active@4" in world(steps).play(until=["active@4"])


def test_a_condition_may_take_as_long_as_the_file_says(world: Callable[..., World]) -> None:
    played = world(APPLY + "  - expect-within: {within: 2s, active: 1}\n")
    (first, second) = played.play()["active@3"]
    assert not first.passed
    assert timedelta(seconds=2) <= first.after < timedelta(seconds=2.5)
    assert second.after == first.after


def test_stays_is_checked_until_its_time_is_over(world: Callable[..., World]) -> None:
    checks = world(APPLY + "  - stays: {for: 20s, bgp: Established}\n").play()
    assert [check.observed for check in checks["bgp@3"]] == ["held for 20s"] * 2


def test_a_violated_stays_ends_the_step_at_once(world: Callable[..., World]) -> None:
    played = world(APPLY + "  - stays: {for: 20s, bgp: Established}\n")
    played.clock.at(6 * SECOND, lambda: played.bring_down(after=timedelta()))
    checks = played.play()
    assert [check.observed for check in checks["bgp@3"]] == ["bgp Idle, 1 flaps"] * 2
    assert played.clock.now().moment - played.run.t0 < 10 * SECOND
    assert "no-flap" in red(checks)


def test_a_flap_while_nothing_is_expected_turns_the_invariant_red(world: Callable[..., World]) -> None:
    played = world(APPLY + "  - wait: {for: 5s}\n")
    played.clock.at(3 * SECOND, lambda: played.bring_down(after=timedelta()))
    played.clock.at(4 * SECOND, played.bring_up)
    assert red(played.play()) == ["no-flap"]


def test_a_rollover_without_an_expectation_is_awaited_at_the_end(world: Callable[..., World]) -> None:
    played = world(APPLY + "  - advance: {to: 30m}\n")
    played.acknowledges = False
    played.clock.at(8 * SECOND, lambda: setattr(played, "acknowledges", True))
    checks = played.play()
    assert red(checks) == []
    assert len(checks["rollover-completes"]) == 2


def test_routes_are_sent_again_once_a_second_while_the_check_wire_waits(world: Callable[..., World]) -> None:
    """A rollover is complete once data with the new key is acknowledged; a soft clear makes routers send data."""
    played = world()
    played.acknowledges = False
    played.play()
    instants = [at for at, router, soft in played.cleared if router == "R1" and soft]
    assert 8 <= len(instants) <= 12
    assert all(later - earlier >= SECOND for earlier, later in itertools.pairwise(instants))


@pytest.mark.parametrize(
    "steps",
    [APPLY + "  - wait: {for: 60s}\n", APPLY + "  - stays: {for: 60s, bgp: Established}\n", APPLY],
)
def test_a_process_of_the_lab_that_has_died_ends_every_wait(world: Callable[..., World], steps: str) -> None:
    played = world(steps)
    played.comes_up_after = 3 * SECOND if "60s" in steps else 60 * SECOND
    played.clock.at(5 * SECOND, lambda: setattr(played, "dead", RunError("R2's bgpd has died")))
    with pytest.raises(RunError, match="bgpd"):
        played.play()
    assert played.clock.now().moment - played.run.t0 < 6 * SECOND


def test_a_router_that_restarts_is_not_sampled_until_it_shows_its_sessions(world: Callable[..., World]) -> None:
    played = world(APPLY + "  - restart: {router: R1}\n  - expect: {bgp: Established}\n")
    played.restart = 5 * SECOND
    played.play()
    taken = [sample.at for sample in played.samples.taken if sample.router == "R1"]
    gaps = [(later - earlier) / 1e9 for earlier, later in itertools.pairwise(taken)]
    assert 5 <= max(gaps) < 6


def test_a_router_that_does_not_show_its_sessions_in_time_breaks_the_run(world: Callable[..., World]) -> None:
    played = world(APPLY + "  - restart: {router: R1}\n")
    played.restart = 3600 * SECOND
    with pytest.raises(CommandError):
        played.play()
    assert 15 < (played.clock.now().moment - played.run.t0).total_seconds() < 20


# ---------------------------------------------------------------- commits

CHANGE = "  - add-key: {id: 2, start: 60m, routers: [R1, R2]}\n"


def test_commits_are_read_back(world: Callable[..., World]) -> None:
    checks = world(APPLY + CHANGE).play()
    assert [check.passed for check in checks["read-back@3"]] == [True, True]


def test_a_pause_is_kept_between_two_commits(world: Callable[..., World]) -> None:
    played = world(APPLY + CHANGE.replace("}", ", pause: 4s}", 1))
    begun = played.clock.now()
    played.play()
    assert 4 * SECOND in played.clock.pauses
    assert played.clock.now() - begun > 4 * SECOND


@pytest.mark.parametrize(("refuses", "green"), [("too many keys", True), ("syntax error", False), (None, False)])
def test_an_expected_refusal_must_contain_the_words_of_the_file(
    world: Callable[..., World], refuses: str | None, green: bool
) -> None:
    played = world(APPLY + CHANGE.replace("}", ", refused: too many}", 1))
    for router in played.routers.values():
        router.refuses = refuses
    checks = played.play()
    assert [check.passed for check in checks.get("commit@3", [])] == [green] * 2


def test_an_unexpected_refusal_is_red_and_changes_no_router(world: Callable[..., World]) -> None:
    played = world(APPLY + CHANGE)
    played.routers["R2"].refuses = "no"
    checks = played.play()
    assert [(check.router, check.passed) for check in checks["commit@3"]] == [("R2", False)]
    assert all(len(router.chains()[0].keys) == 2 for router in played.routers.values())
    assert [len(played.run.keyring.deployed(router).chain.keys) for router in played.routers] == [2, 2]


# ---------------------------------------------------------------- confirmations

CONFIRMED = CHANGE.replace("}", ", confirmed: 1}", 1) + "  - await-rollback: {routers: [R1, R2]}\n"


def test_a_commit_that_is_not_confirmed_is_rolled_back_after_its_minutes(world: Callable[..., World]) -> None:
    played = world(APPLY + CONFIRMED)
    checks = played.play()
    assert red(checks) == []
    assert all(check.observed.startswith("it did, 0.") for check in checks["commit@4"])
    assert [len(played.run.keyring.deployed(router).chain.keys) for router in played.routers] == [2, 2]
    assert [check.passed for check in checks["read-back@4"]] == [True, True]


def test_a_rollback_is_seen_on_a_router_that_lists_no_more_commits_than_it_did(world: Callable[..., World]) -> None:
    played = world(APPLY + CONFIRMED)
    for router in played.routers.values():
        router.committed[:0] = [T0 - number * SECOND for number in range(100, 1, -1)]
    assert red(played.play()) == []


def test_a_commit_that_is_not_rolled_back_is_red_three_seconds_after_its_minutes(world: Callable[..., World]) -> None:
    played = world(APPLY + CONFIRMED)
    for router in played.routers.values():
        router.rolls_back = False
    begun = played.clock.now()
    checks = played.play()
    assert [(check.passed, check.observed) for check in checks["commit@4"]] == [(False, "it did not")] * 2
    assert 63 < (played.clock.now() - begun).total_seconds() < 70
    assert [len(played.run.keyring.deployed(router).chain.keys) for router in played.routers] == [3, 3]


def test_a_rollback_cannot_be_awaited_without_an_unconfirmed_commit(world: Callable[..., World]) -> None:
    with pytest.raises(ScenarioError, match="R1 has no unconfirmed commit"):
        world(APPLY + "  - await-rollback: {routers: [R1]}\n").play()


# ---------------------------------------------------------------- commits that a mutation makes empty

MISSING = "mutations: {missing: {kind: key-missing, key: 2, router: R2, turns-red: no-flap}}\n"


def keys_intended_and_held(played: World) -> dict[str, tuple[int, int]]:
    """Return {router: (number of keys by the scenario file, number of keys that the router holds)}."""
    ring = played.run.keyring
    return {
        router: (len(ring.intended(router).chain.keys), len(played.routers[router].chains()[0].keys))
        for router in ROUTERS
    }


def test_a_refused_commit_that_a_mutation_makes_empty_changes_nothing_and_the_key_can_be_added_later(
    world: Callable[..., World],
) -> None:
    refused = CHANGE.replace("[R1, R2]}", "R2, refused: locked}")
    played = world(APPLY + refused + CHANGE, tail=MISSING, mutate="missing")
    checks = played.play()
    assert "commit@3" not in checks
    assert keys_intended_and_held(played) == {"R1": (3, 3), "R2": (3, 2)}


def test_a_router_whose_commit_a_mutation_makes_empty_is_not_awaited(world: Callable[..., World]) -> None:
    played = world(APPLY + CONFIRMED, tail=MISSING, mutate="missing")
    checks = played.play()
    assert [(check.router, check.passed) for check in checks["commit@4"]] == [("R1", True)]
    assert keys_intended_and_held(played) == {"R1": (2, 2), "R2": (2, 2)}


@pytest.mark.parametrize(("number", "keys"), [(1, 3), (2, 2)])
def test_a_rollback_does_not_count_commits_that_a_mutation_makes_empty(
    world: Callable[..., World], number: int, keys: int
) -> None:
    later = CHANGE.replace("id: 2, start: 60m", "id: 3, start: 90m")
    played = world(APPLY + CHANGE + later + f"  - rollback: {{number: {number}}}\n", tail=MISSING, mutate="missing")
    assert red(played.play()) == []
    assert keys_intended_and_held(played) == {"R1": (keys, keys), "R2": (keys, 2)}


def test_a_rollback_over_only_empty_commits_leaves_the_router_unchanged(world: Callable[..., World]) -> None:
    played = world(APPLY + CHANGE + "  - rollback: {number: 1}\n", tail=MISSING, mutate="missing")
    assert red(played.play()) == []
    assert keys_intended_and_held(played) == {"R1": (2, 2), "R2": (2, 2)}
    assert len(played.routers["R2"].history) == 2, "no commit but the first"


def test_a_configuration_that_is_not_locked_cannot_be_unlocked(world: Callable[..., World]) -> None:
    with pytest.raises(ScenarioError, match="the configuration of R1 is not locked"):
        world(APPLY + "  - unlock: {routers: [R1]}\n").play()


# ---------------------------------------------------------------- real time


def with_start(seconds: int) -> str:
    """Return the head of a scenario whose second key starts so many seconds after t0."""
    return HEAD.replace("start: 30m", f"start: {seconds}s")


def test_in_real_time_a_rollover_takes_the_time_between_its_starts(world: Callable[..., World]) -> None:
    steps = APPLY + "  - advance: {to: 20s}\n  - expect: {active: 1, wire: 1}\n"
    played = world(steps, head=with_start(20), real_time=True, t0=T0 + 2 * SECOND)
    begun = played.clock.now()
    assert red(played.play()) == []
    assert 22 < (played.clock.now() - begun).total_seconds() < 30
    assert not any("set date" in event.text for event in played.timeline.events)


def test_in_real_time_a_step_that_comes_too_late_makes_the_run_unfit(world: Callable[..., World]) -> None:
    played = world(APPLY + "  - advance: {to: 6s}\n", head=with_start(5), real_time=True, t0=T0 + 2 * SECOND)
    played.comes_up_after = 8 * SECOND
    with pytest.raises(MachineBusyError, match=r"after a key's start at t0\+5s"):
        played.play()
