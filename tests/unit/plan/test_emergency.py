"""Plans that replace a key whose secret has leaked."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from keyroll.plan.emergency import emergency
from keyroll.plan.model import PlanRefusedError, Router
from keyroll.plan.notes import Accepted

from .chains import AT, DAY, chain, key, pair, request_of

ACTIVE = key(0, AT - DAY, 1, 2)
LATER = key(1, AT + DAY, 3, 4)


def test_a_new_key_takes_over_as_soon_as_two_commits_allow_and_the_leaked_one_is_deleted() -> None:
    first, second = emergency(request_of(pair(chain(ACTIVE))), 0).changes
    assert first.takeovers == (AT + timedelta(minutes=16),), "two commits of five minutes, a pause, the skew"
    assert [key.id for key in second.routers[0].deleted] == [0]
    assert second.planned == AT + timedelta(minutes=17), "once each router may be seen to send the new key"


@pytest.mark.parametrize("second", [1, 30, 59])
def test_both_commits_fit_before_the_new_key_takes_over_from_any_second(second: int) -> None:
    first, _ = emergency(request_of(pair(chain(ACTIVE)), at=AT + timedelta(seconds=second)), 0).changes
    assert first.latest is not None
    assert first.planned + timedelta(minutes=15) <= first.latest


def test_no_key_is_added_if_the_chains_next_key_takes_over_sooner() -> None:
    soon = key(1, AT + timedelta(minutes=5), 3, 4)
    (only,) = emergency(request_of(pair(chain(ACTIVE, soon))), 0).changes
    assert only.planned > AT + timedelta(minutes=5)
    assert [key.id for key in only.routers[1].deleted] == [0]


def test_a_leaked_key_that_has_not_started_is_replaced_at_its_own_start_time() -> None:
    (only,) = emergency(request_of(pair(chain(ACTIVE, LATER))), 1).changes
    assert only.takeovers == (AT + DAY,)
    assert [key.id for key in only.routers[0].deleted] == [1]
    assert only.routers[0].added[0].send_id == 5, "with ids of its own"


@pytest.mark.parametrize(("minutes", "fits"), [(16, True), (15, False), (1, False)])
def test_a_leaked_key_that_takes_over_before_all_routers_can_be_changed_is_not_replaced(
    minutes: int, fits: bool
) -> None:
    soon = key(1, AT + timedelta(minutes=minutes), 3, 4)  # two commits and a pause take 15 min, and the skew is 1 s
    request = request_of(pair(chain(ACTIVE, soon)))
    if fits:
        assert len(emergency(request, 1).changes) == 1
        return
    with pytest.raises(PlanRefusedError, match="before all routers can be changed"):
        emergency(request, 1)


def test_a_retired_key_is_deleted_at_once() -> None:
    retired = key(0, AT - 3 * DAY, 1, 2)
    (only,) = emergency(request_of(pair(chain(retired, key(1, AT - DAY, 3, 4)))), 0).changes
    assert (only.planned, only.takeovers) == (AT, ())


def test_a_retired_key_is_not_deleted_while_a_router_with_a_slower_clock_may_still_send_with_it() -> None:
    taking_over = key(1, AT - timedelta(seconds=10), 3, 4)
    request = request_of(pair(chain(ACTIVE, taking_over)), skew=timedelta(minutes=2))
    (only,) = emergency(request, 0).changes
    assert only.planned == AT + timedelta(minutes=4)


def test_no_plan_is_hitless_if_a_router_cannot_be_reached_and_has_no_later_key() -> None:
    one, other = pair(chain(ACTIVE))
    with pytest.raises(PlanRefusedError, match="no plan is hitless: R2 cannot be reached, and has no later key"):
        emergency(request_of([one, replace(other, reachable=False)]), 0)


def test_the_end_of_the_leaked_keys_acceptance_is_noted_for_each_router_and_policy() -> None:
    notes = emergency(request_of(pair(chain(ACTIVE))), 0).notes
    assert len(notes) == 4
    deleted = "its deletion is committed, by 2027-03-01 10:02:00 UTC"
    assert str(notes[0]) == f"R1, tolerance: the leaked key 0 is accepted until {deleted}"
    assert str(notes[1]).startswith(f"R1, any: the leaked key 0 is accepted until {deleted}")
    assert "assumption K15" in str(notes[1])


def test_a_short_tolerance_ends_the_leaked_key_before_its_deletion_does() -> None:
    notes = emergency(request_of(pair(chain(ACTIVE, tolerance=60))), 0).notes
    gated = [note.until for note in notes if isinstance(note, Accepted) and not note.deletion]
    assert gated == [AT + timedelta(minutes=17)] * 2, "the successor's start, and a minute of tolerance"


def test_in_a_full_chain_each_router_reuses_the_number_that_it_frees() -> None:
    mine = [key(number, AT - (62 - number) * DAY, 2 * number, 2 * number + 1) for number in range(64)]
    held = chain(*mine)
    theirs = chain(*(replace(one.mirrored(), id=(one.id + 7) % 64) for one in mine))
    (only,) = emergency(request_of([Router("R1", held), Router("R2", theirs)]), 63).changes
    assert [(part.deleted[0].id, part.added[0].id) for part in only.routers] == [(63, 63), (6, 6)]


def test_a_key_number_that_does_not_exist_is_refused_with_those_that_do() -> None:
    with pytest.raises(PlanRefusedError, match=r"R1 has no key 7 \(it has: 0\)"):
        emergency(request_of(pair(chain(ACTIVE))), 7)
