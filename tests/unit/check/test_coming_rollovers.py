from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from keyroll.check.coming_rollovers import DEFAULT_MIXES, Fall, Hold, predict_rollovers
from keyroll.keychain.generate import generate
from keyroll.keychain.model import Keychain
from keyroll.keychain.secret import Secret
from keyroll.keychain.simulation import Drop

T0 = datetime(2030, 1, 1, tzinfo=UTC)
CHAIN = generate(1, name="c", count=2, first=T0, tolerance=600)
PEER = CHAIN.mirrored()
SECOND = timedelta(seconds=1)


def at(minutes: int, seconds: int = 0) -> datetime:
    return T0 + timedelta(minutes=minutes, seconds=seconds)


def changed(chain: Keychain, number: int, **values: Any) -> Keychain:
    return replace(chain, keys=tuple(replace(key, **values) if key.id == number else key for key in chain.keys))


def test_a_rollover_hitless_under_every_mix_depends_on_no_assumption() -> None:
    found = predict_rollovers(CHAIN, PEER, at=at(5))
    (predicted,) = found.rollovers
    assert found.faults == {}
    assert (predicted.failing, predicted.deciding) == ((), ())
    assert predicted.hitless(600 * SECOND)
    assert not predicted.hitless(601 * SECOND)


def test_the_mixes_that_limit_the_skew_are_returned() -> None:
    (predicted,) = predict_rollovers(CHAIN, changed(PEER, 1, start=at(45)), at=at(5)).rollovers
    assert len(predicted.limiting(low=True)) == len(predicted.limiting(low=False)) == 7
    (predicted,) = predict_rollovers(CHAIN, PEER, at=at(5), mixes=DEFAULT_MIXES).rollovers
    assert predicted.limiting(low=True) == DEFAULT_MIXES


def test_a_key_that_the_peer_lacks_ends_the_session_or_never_takes_over() -> None:
    (predicted,) = predict_rollovers(CHAIN, replace(PEER, keys=PEER.keys[:1]), at=at(5)).rollovers
    assert len(predicted.failing) == 16
    fallen = [outcome for outcome in predicted.outcomes.values() if outcome.fall]
    # The last message before the gap came up to 30 s before it, and the hold time is 90 s.
    assert fallen[0].fall == Fall(at(31), at(31, 30), certain=True)
    still = [outcome for outcome in predicted.outcomes.values() if not outcome.gaps]
    assert len(still) == 4
    assert all([change.key for change in outcome.unmoved] == [1] for outcome in still)


def test_the_hold_time_decides_when_the_session_goes_down() -> None:
    peer = changed(PEER, 1, secret=Secret("mistyped"))
    hold = Hold(timedelta(seconds=9), timedelta(seconds=3))
    (predicted,) = predict_rollovers(CHAIN, peer, at=at(5), hold=hold).rollovers
    outcome = predicted.outcomes[predicted.failing[0]]
    assert outcome.fall == Fall(at(30, 6), at(30, 9), certain=True)
    assert outcome.gaps[0].flow.drop is Drop.OTHER_SECRET


def test_a_gap_shorter_than_the_hold_time_may_end_a_session_that_was_quiet_before() -> None:
    late = changed(replace(PEER, tolerance=0), 1, start=at(31, 20))
    chain = replace(CHAIN, tolerance=3600)
    (predicted,) = predict_rollovers(chain, late, at=at(5), mixes=DEFAULT_MIXES).rollovers
    (outcome,) = predicted.outcomes.values()
    assert [(gap.begin, gap.end, gap.flow.drop) for gap in outcome.gaps] == [(at(30), at(31, 20), Drop.TOO_EARLY)]
    assert outcome.fall == Fall(at(31), at(31, 30), certain=False)


def test_a_rollover_without_tolerance_depends_on_every_policy() -> None:
    strict = replace(CHAIN, tolerance=0)
    (predicted,) = predict_rollovers(strict, strict.mirrored(), at=at(5)).rollovers
    assert len(predicted.failing) == 7
    assert predicted.deciding == ((0, "sending"), (0, "receiving"), (1, "sending"), (1, "receiving"))


def test_a_session_that_is_already_down_is_a_present_fault_and_not_one_of_a_rollover() -> None:
    found = predict_rollovers(CHAIN, CHAIN, at=at(5))
    assert len(found.faults) == 16
    assert all(gap.flow.drop is Drop.UNKNOWN_KEYID for gaps in found.faults.values() for gap in gaps)
    assert all(outcome.down_before for predicted in found.rollovers for outcome in predicted.outcomes.values())


def test_a_fault_is_reported_at_the_rollover_that_causes_it() -> None:
    chain = generate(1, name="c", count=5, first=T0, tolerance=600)
    peer = changed(chain.mirrored(), 2, secret=Secret("mistyped"))
    found = predict_rollovers(chain, peer, at=at(5))
    assert [len(predicted.failing) for predicted in found.rollovers] == [0, 16, 16, 0]
    third = found.rollovers[2].outcomes.values()
    assert all(outcome.down_before and not outcome.gaps for outcome in third)


def test_only_rollovers_between_the_two_instants_are_returned() -> None:
    chain = generate(1, name="c", count=6, first=T0, tolerance=600)
    found = predict_rollovers(chain, chain.mirrored(), at=at(60), until=at(120))
    assert [predicted.rollover.first for predicted in found.rollovers] == [at(90), at(120)]
    late = changed(chain.mirrored(), 2, start=at(65))
    # At this instant one router has changed and the other has not: the rollover has begun and is not over.
    assert predict_rollovers(chain, late, at=at(61)).rollovers[0].rollover.last == at(65)


def test_without_a_coming_rollover_only_the_present_state_is_reported() -> None:
    found = predict_rollovers(CHAIN, PEER, at=at(100))
    assert (found.rollovers, found.faults) == ((), {})


def test_before_both_routers_have_a_key_nothing_is_sent() -> None:
    found = predict_rollovers(CHAIN, PEER, at=at(-5))
    assert {gap.flow.drop for gaps in found.faults.values() for gap in gaps} == {Drop.NOTHING_SENT}
    assert all(predicted.failing == () for predicted in found.rollovers)
