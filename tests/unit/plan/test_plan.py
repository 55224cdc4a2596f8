"""When a plan adds and deletes keys, and what it refuses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from keyroll.durations import parse_duration
from keyroll.keychain.generate import Ids
from keyroll.keychain.model import Keychain
from keyroll.keychain.secret import Secret
from keyroll.names import Algorithm
from keyroll.plan.build import hours_that_occur_twice, plan
from keyroll.plan.markdown import length
from keyroll.plan.model import Change, PlanRefusedError, Request, Router, RouterChange
from keyroll.plan.notes import About, Remark

from .chains import AT, DAY, chain, draw, key, pair, request_of

FOLLOW: dict[str, Callable[[Request, str], Request]] = {
    "ahead": lambda request, value: replace(request, ahead=int(value)),
    "every": lambda request, value: replace(request, every=parse_duration(value)),
    "quarantine": lambda request, value: replace(request, quarantine=parse_duration(value)),
    "ids": lambda request, value: replace(request, ids=Ids(value)),
}
"""By the name of an option in a remedy, the function that applies it to a request."""


@pytest.fixture
def one_key() -> Keychain:
    """One key that has been active for a month."""
    return chain(key(0, AT - 30 * DAY, 1, 2))


def test_a_key_takes_over_every_quarter_and_its_change_is_a_week_before(one_key: Keychain) -> None:
    found = plan(request_of(pair(one_key)))
    assert [change.takeovers for change in found.changes] == [((AT + (60 + 90 * n) * DAY),) for n in range(4)]
    assert [change.planned for change in found.changes] == [AT + (53 + 90 * n) * DAY for n in range(4)]


def test_the_second_change_deletes_the_key_that_the_first_one_retired(one_key: Keychain) -> None:
    found = plan(request_of(pair(one_key)))
    assert [part.deleted for part in found.changes[0].routers] == [(), ()]
    (mine, theirs) = found.changes[1].routers
    assert (mine.deleted, theirs.deleted) == (one_key.keys, one_key.mirrored().keys)


def test_ids_are_reversed_on_the_peer_and_secrets_are_the_same(one_key: Keychain) -> None:
    (mine, theirs) = plan(request_of(pair(one_key))).changes[0].routers
    assert [(key.id, key.send_id, key.recv_id) for key in (*mine.added, *theirs.added)] == [(1, 3, 4), (1, 4, 3)]
    assert mine.added[0].secret == theirs.added[0].secret


def test_planning_again_after_all_is_applied_gives_nothing_to_do(one_key: Keychain) -> None:
    found = plan(request_of(pair(one_key)))
    held = [Router(name, chain) for name, chain in found.chains.items()]
    assert plan(request_of(held, at=found.changes[-1].planned)).changes == ()


def test_a_chain_in_which_no_key_has_started_is_refused(one_key: Keychain) -> None:
    request = request_of(pair(one_key), at=AT - 31 * DAY)
    with pytest.raises(PlanRefusedError, match=r"no key has started .* \(use --at 2027-01-30T09:30:01"):
        plan(request)
    with pytest.raises(PlanRefusedError, match=r"clocks may be 1 s behind"):
        plan(replace(request, at=AT - 30 * DAY))
    assert plan(replace(request, at=AT - 30 * DAY + request.skew)).changes


def test_a_chain_that_ran_out_years_ago_gets_a_key_as_soon_as_the_commits_allow() -> None:
    found = plan(request_of(pair(chain(key(0, AT - 2000 * DAY, 1, 1)))))
    first = found.changes[0]
    assert first.planned == AT
    assert first.takeovers[0] == AT + timedelta(minutes=16), "two commits and a pause, the skew, a whole minute"
    assert [key.send_id for key in first.routers[0].added] == [2], "equal ids stay equal"


@pytest.mark.parametrize("second", [0, 1, 17, 58, 59])
def test_both_commits_fit_before_the_next_key_of_a_chain_that_ran_out_from_any_second(second: int) -> None:
    at = AT + timedelta(seconds=second)
    (first, *_) = plan(request_of(pair(chain(key(0, AT - 2000 * DAY, 1, 1))), at=at)).changes
    assert first.latest is not None
    assert first.planned + timedelta(minutes=15) <= first.latest, "both commits and the pause fit"


def test_a_new_chain_begins_with_a_key_that_has_started() -> None:
    found = plan(request_of(pair(chain())))
    assert found.changes[0].takeovers[0] <= AT < found.changes[0].takeovers[1]
    assert [note.about for note in found.notes if isinstance(note, Remark)] == [About.IDS, About.CHAIN_IS_NEW]
    assert not any("show security keychain" in look for look in found.changes[0].looks), "there is no key to show yet"


def test_the_first_key_of_a_new_chain_has_started_on_a_clock_that_is_behind_too() -> None:
    skew = timedelta(minutes=10)
    first = plan(request_of(pair(chain()), skew=skew)).changes[0]
    assert first.takeovers[0] + skew <= first.earliest


def test_with_more_keys_ahead_a_change_may_be_later(one_key: Keychain) -> None:
    found = plan(request_of(pair(one_key), ahead=3))
    assert len(found.changes[0].takeovers) == 3
    late = found.changes[1].late
    assert late is not None
    assert late > 200 * DAY


def test_an_algorithm_changes_in_the_middle_of_a_chain(one_key: Keychain) -> None:
    since = AT + 200 * DAY
    found = plan(request_of(pair(one_key), algorithms=((since, Algorithm.AES_128_CMAC_96),)))
    algorithms = [change.routers[0].added[0].algorithm for change in found.changes]
    assert algorithms == [Algorithm.HMAC_SHA_1_96] * 2 + [Algorithm.AES_128_CMAC_96] * 2


def test_three_routers_with_equal_ids_hold_one_chain() -> None:
    held = chain(key(7, AT - DAY, 1, 1))
    found = plan(request_of([Router(name, held) for name in ("RR", "PE1", "PE2")]))
    assert len({part.added for part in found.changes[0].routers}) == 1


def test_each_router_continues_its_own_key_numbers() -> None:
    mine = chain(key(7, AT - DAY, 1, 2))
    theirs = chain(key(63, AT - DAY, 2, 1))
    (one, other) = plan(request_of([Router("R1", mine), Router("R2", theirs)])).changes[0].routers
    assert (one.added[0].id, other.added[0].id) == (8, 0)


@pytest.mark.parametrize(
    ("theirs", "words"),
    [
        (chain(), "R2 lacks key 0 of R1"),
        (chain(key(0, AT - 31 * DAY, 2, 1)), "starts at another instant"),
        (chain(key(0, AT - 30 * DAY, 2, 1, "other")), "another secret"),
        (chain(key(0, AT - 30 * DAY, 2, 1), key(1, AT + DAY, 4, 3)), "R1 lacks key 1 of R2"),
        (chain(key(0, AT - 30 * DAY, 2, 1), tolerance=600), "tolerance is 3600 s on R1 and 600 s on R2"),
    ],
)
def test_routers_whose_chains_differ_are_refused_with_the_difference(
    one_key: Keychain, theirs: Keychain, words: str
) -> None:
    with pytest.raises(PlanRefusedError, match=words):
        plan(request_of([Router("R1", one_key), Router("R2", theirs)]))


def test_a_tolerance_that_is_too_small_for_the_skew_is_refused_with_one_that_is_not() -> None:
    with pytest.raises(PlanRefusedError, match="set the chain's tolerance to 2 or more"):
        plan(request_of(pair(chain(key(0, AT - DAY, 1, 2), tolerance=0))))


def test_keys_that_would_become_too_old_are_refused(one_key: Keychain) -> None:
    with pytest.raises(PlanRefusedError, match="--every 180d or less"):
        plan(request_of(pair(one_key), every=200 * DAY, max_age=180 * DAY))


def test_keys_that_wait_longer_than_the_maximum_age_are_refused(one_key: Keychain) -> None:
    held = chain(*one_key.keys, key(1, AT + 200 * DAY, 3, 4))
    with pytest.raises(PlanRefusedError, match=r"key 0 of R1 is active for 230d.*--max-age 230d"):
        plan(request_of(pair(held), max_age=180 * DAY))
    assert plan(request_of(pair(held), max_age=230 * DAY)).changes


def test_an_end_before_the_key_that_is_due_can_start_is_refused_with_an_end_that_works() -> None:
    held = chain(key(0, AT - 2000 * DAY, 1, 1))
    with pytest.raises(PlanRefusedError, match=r"--until 2027-03-01T09:46:00\+00:00 or later"):
        plan(request_of(pair(held), until=AT + timedelta(minutes=15)))
    assert len(plan(request_of(pair(held), until=AT + timedelta(minutes=16))).changes) == 1


def test_a_secret_that_a_key_already_has_is_refused(one_key: Keychain) -> None:
    with pytest.raises(PlanRefusedError, match="is the same as that of key 0 of R1") as caught:
        plan(request_of(pair(one_key), draw=lambda _label: Secret("sesame")))
    assert "sesame" not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "reason", "remedy"),
    [
        ({"every": timedelta(minutes=50), "until": AT + DAY / 2}, "has no window", "--ahead 2 or --every 1h17m"),
        (
            {"every": timedelta(minutes=20), "spacing": timedelta(minutes=15), "until": AT + DAY / 4},
            "has no window",
            "--ahead 4 or --every 1h17m",
        ),
        (
            {"every": DAY, "quarantine": 400 * DAY, "until": AT + 90 * DAY},
            "no id is free|in quarantine",
            "--quarantine 62d",
        ),
    ],
)
def test_a_refusal_names_the_nearest_options_that_work(
    one_key: Keychain, options: dict[str, timedelta | datetime], reason: str, remedy: str
) -> None:
    request = request_of(pair(one_key), **options)
    with pytest.raises(PlanRefusedError, match=reason) as caught:
        plan(request)
    assert f"(use {remedy})" in str(caught.value)
    for option in remedy.split(" or "):
        name, _, value = option.removeprefix("--").partition(" ")
        assert plan(FOLLOW[name](request, value)).changes


def test_an_age_that_is_shorter_than_the_spacing_is_refused_with_two_remedies(one_key: Keychain) -> None:
    with pytest.raises(PlanRefusedError, match="--max-age 30m or more, or --spacing 20m or less"):
        plan(request_of(pair(one_key), every=DAY, max_age=timedelta(minutes=20)))


@pytest.mark.parametrize(
    ("span", "words"),
    [
        (timedelta(days=6, hours=23, minutes=59, seconds=59), "6 days 23 hours"),
        (timedelta(days=2), "2 days"),
        (timedelta(hours=1, minutes=1), "1 hour 1 minute"),
        (timedelta(days=1, minutes=5), "1 day"),
        (timedelta(seconds=90), "1 minute 30 seconds"),
        (timedelta(milliseconds=999), "0 seconds"),
    ],
)
def test_a_length_is_rounded_down_to_two_units(span: timedelta, words: str) -> None:
    assert length(span) == words


@pytest.mark.parametrize("zone", ["Europe/Berlin", "Australia/Lord_Howe"])
def test_start_times_are_remarked_on_in_every_hour_that_occurs_twice_and_in_no_other(zone: str) -> None:
    """Try a key every half an hour on the weekends of a year: summer time ends on one of them."""
    local = ZoneInfo(zone)
    twice = []
    for start in (AT + half * timedelta(minutes=30) for half in range(366 * 48)):
        if start.weekday() not in (5, 6):
            continue
        part = RouterChange(Router("R1", chain(), local), chain(), chain(), (), (key(0, start, 1, 2),))
        twice += [start for _ in hours_that_occur_twice([Change(AT, AT, None, (start,), (part,))])]
    walls = [start.astimezone(local).replace(tzinfo=None, fold=0) for start in twice]
    assert sorted(walls) == sorted(2 * sorted(set(walls)))
    assert len(twice) == (2 if zone == "Australia/Lord_Howe" else 4), "half an hour there, an hour elsewhere"


def test_the_commit_that_adds_a_key_to_a_full_chain_deletes_the_retired_keys() -> None:
    held = chain(*(key(n, AT - (64 - n) * DAY, 2 * n, 2 * n + 1) for n in range(64)))
    first = plan(request_of(pair(held), every=30 * DAY, until=AT + 90 * DAY, quarantine=timedelta())).changes[0]
    assert len(first.routers[0].deleted) == 63
    assert len(first.routers[0].after.keys) == 2


def test_one_secret_is_drawn_for_each_key(one_key: Keychain) -> None:
    labels = []

    def counting(label: str) -> Secret:
        labels.append(label)
        return draw(label)

    found = plan(replace(request_of(pair(one_key)), draw=counting))
    assert len(labels) == len(found.changes)


def test_new_ids_are_equal_if_the_request_says_so(one_key: Keychain) -> None:
    added = plan(request_of(pair(one_key), ids=Ids.EQUAL)).changes[0].routers[0].added[0]
    assert added.send_id == added.recv_id == 3
