"""Predicted rollovers: which key each router sends when, and which segments are dropped."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.accepted_keys import accepts
from tests.unit.known import known

from keyroll.emulator.contract.key_clock import to_ns
from keyroll.emulator.wire.bump.connection import SessionState
from keyroll.emulator.wire.bump.receiving import acceptable
from keyroll.emulator.wire.model import ProtectedSession
from keyroll.keychain.generate import generate
from keyroll.keychain.model import Keychain
from keyroll.keychain.prediction import Change, Clock, Prediction, Side, predict, predict_all
from keyroll.keychain.schedule import in_order, send_key
from keyroll.keychain.secret import Secret
from keyroll.keychain.simulation import Drop, Simulation, Timetable, from_us, to_us
from keyroll.names import Algorithm, Receiving, Sending

T0 = datetime(2030, 1, 1, tzinfo=UTC)
CHAIN = generate(1, name="c", count=2, first=T0, tolerance=60)
PEER = CHAIN.mirrored()
BEGIN, END = T0, T0 + timedelta(hours=1)


def at(minutes: int, seconds: int = 0) -> datetime:
    return T0 + timedelta(minutes=minutes, seconds=seconds)


def seconds(number: int) -> timedelta:
    return timedelta(seconds=number)


def sides(
    chain: Keychain = CHAIN,
    peer: Keychain = PEER,
    *,
    ahead: int = 0,
    policy: tuple[Sending, Receiving] = (Sending.CLOCK, Receiving.TOLERANCE),
    other: tuple[Sending, Receiving] | None = None,
) -> tuple[Side, Side]:
    one = Side("R1", chain, Clock(seconds(ahead)), *policy)
    return one, Side("R2", peer, Clock(), *(other or policy))


def gaps(found: Prediction) -> list[tuple[str, datetime, float, Drop | None]]:
    return [(gap.flow.sender, gap.begin, gap.duration.total_seconds(), gap.flow.drop) for gap in found.gaps]


def changed(chain: Keychain, key: int, **values: Any) -> Keychain:
    return replace(chain, keys=tuple(replace(k, **values) if k.id == key else k for k in chain.keys))


def test_with_equal_clocks_and_mirrored_chains_both_change_at_the_start_time_and_nothing_is_dropped() -> None:
    found = predict(*sides(), BEGIN, END)
    assert found.hitless
    assert found.gaps == ()
    assert found.downs == ()
    for router in ("R1", "R2"):
        assert found.sent(router) == ((T0, 0), (at(30), 1))
    first, second = found.at(at(30)).flows
    assert (first.key_id, first.rnext_key_id, second.key_id, second.rnext_key_id) == (3, 4, 4, 3)
    assert first.received_as == 1


def test_within_the_tolerance_the_router_whose_clock_is_ahead_changes_first() -> None:
    found = predict(*sides(ahead=59), BEGIN, END)
    assert found.hitless
    assert found.sent("R1")[1] == (at(30, -59), 1)
    assert found.sent("R2")[1] == (at(30), 1)


def test_beyond_the_tolerance_each_direction_is_dropped_for_as_long_as_the_clocks_differ_too_much() -> None:
    found = predict(*sides(ahead=100), BEGIN, END)
    assert gaps(found) == [
        ("R1", at(30, -100), 40, Drop.TOO_EARLY),
        ("R2", at(30, -40), 40, Drop.TOO_LATE),
    ]
    assert found.downs == ()


def test_a_gap_as_long_as_the_hold_time_ends_the_session() -> None:
    found = predict(*sides(ahead=100), BEGIN, END, hold=seconds(30))
    assert found.downs == (at(30, -70), at(30, -10))
    assert predict(*sides(ahead=100), BEGIN, END, hold=seconds(41)).downs == ()
    assert predict(*sides(ahead=100), BEGIN, END, hold=None).downs == ()


def test_where_any_key_is_accepted_no_difference_of_clocks_drops_a_segment() -> None:
    policy = (Sending.CLOCK, Receiving.ANY)
    found = predict(*sides(ahead=1000, policy=policy), BEGIN, END)
    assert found.hitless
    assert found.sent("R1")[1] == (at(30, -1000), 1)


def test_under_rnext_each_router_changes_when_its_peer_asks() -> None:
    found = predict(*sides(ahead=59, policy=(Sending.RNEXT, Receiving.TOLERANCE)), BEGIN, END)
    assert found.hitless
    assert found.sent("R1")[1] == (at(30), 1)  # R2 asks at R2's start-time
    assert found.sent("R2")[1] == (at(30, -59), 1)
    asking = found.at(at(30, -30)).flows[0]
    assert (asking.key, asking.rnext_key) == (0, 1)


def test_with_mixed_policies_one_router_follows_its_clock_and_the_other_its_peer() -> None:
    mixed = sides(ahead=30, policy=(Sending.CLOCK, Receiving.ANY), other=(Sending.RNEXT, Receiving.ANY))
    found = predict(*mixed, BEGIN, END)
    assert found.hitless
    assert found.sent("R1")[1] == found.sent("R2")[1] == (at(30, -30), 1)


def test_under_rnext_a_request_is_followed_only_inside_the_window_of_the_key() -> None:
    policy = (Sending.RNEXT, Receiving.TOLERANCE)
    found = predict(*sides(ahead=100, policy=policy), BEGIN, END, hold=None)
    # R1 asks for key 1 at 28:20, when R2 does not accept it yet. R2 follows at 29:00, its own start-time less the
    # tolerance; R1 accepts key 0 until 29:20.
    assert found.sent("R2")[1] == (at(29), 1)
    assert found.hitless


@pytest.mark.parametrize(
    ("peer", "drop"),
    [
        (replace(PEER, keys=PEER.keys[:1]), Drop.UNKNOWN_KEYID),
        (changed(PEER, 1, secret=Secret("other")), Drop.OTHER_SECRET),
        (changed(PEER, 1, algorithm=Algorithm.AES_128_CMAC_96), Drop.OTHER_ALGORITHM),
        (changed(PEER, 1, include_options=False), Drop.OTHER_OPTIONS),
        (changed(PEER, 1, tcp_ao_option=None), Drop.UNKNOWN_KEYID),
        (changed(PEER, 1, recv_id=99), Drop.UNKNOWN_KEYID),
        (changed(PEER, 1, start=at(45)), Drop.TOO_EARLY),
    ],
)
def test_a_mistake_in_the_second_key_drops_segments_from_its_start_time_with_its_reason(
    peer: Keychain, drop: Drop
) -> None:
    found = predict(*sides(peer=peer), BEGIN, END)
    assert gaps(found)[0][:2] == ("R1", at(30))
    assert found.gaps[0].flow.drop is drop
    assert found.downs[0] == at(30, 90)
    assert found.at(at(29)).through
    assert not found.hitless


def test_ids_that_are_not_reversed_never_let_a_segment_through() -> None:
    found = predict(*sides(peer=CHAIN), BEGIN, END)
    assert {gap.flow.drop for gap in found.gaps} == {Drop.UNKNOWN_KEYID}
    assert found.downs == ()  # a session that never came up does not go down


def test_before_the_first_start_nothing_is_sent() -> None:
    found = predict(*sides(), at(-10), END)
    assert gaps(found) == [
        ("R1", at(-10), 600, Drop.NOTHING_SENT),
        ("R2", at(-10), 600, Drop.NOTHING_SENT),
    ]


def test_under_rnext_a_missing_key_on_one_side_keeps_the_old_one_working_which_is_not_hitless() -> None:
    policy = (Sending.RNEXT, Receiving.ANY)
    found = predict(*sides(peer=replace(PEER, keys=PEER.keys[:1]), policy=policy), BEGIN, END)
    assert found.gaps == ()
    assert found.sent("R1") == found.sent("R2") == ((T0, 0),)
    assert found.changes == (Change("R1", 1, at(30), None),)
    assert not found.hitless


@pytest.mark.parametrize("lacking", ["R1", "R2"])
def test_where_one_router_lacks_the_next_key_no_mix_of_policies_is_hitless(lacking: str) -> None:
    short = replace(CHAIN, keys=CHAIN.keys[:1])
    chain, peer = (short, PEER) if lacking == "R1" else (CHAIN, short.mirrored())
    predictions = predict_all(*sides(chain, peer), BEGIN, END)
    assert not any(found.hitless for _, _, found in predictions)
    assert sum(not found.gaps for _, _, found in predictions) == 4  # the old key stays in use, and nothing is dropped


def test_a_change_gives_when_the_key_was_due_and_when_it_was_first_verified() -> None:
    late = changed(PEER, 1, start=at(35))
    found = predict(*sides(peer=late, policy=(Sending.RNEXT, Receiving.ANY)), BEGIN, END)
    assert found.changes == (Change("R1", 1, at(30), at(35)), Change("R2", 1, at(35), at(35)))
    assert found.sent("R2")[1] == (at(30), 1)  # R1 asked before R2's own start-time


def test_under_rnext_without_tolerance_the_old_key_ends_before_a_router_can_ask_for_the_new_one() -> None:
    strict = replace(CHAIN, tolerance=0)
    found = predict(*sides(strict, strict.mirrored(), policy=(Sending.RNEXT, Receiving.TOLERANCE)), BEGIN, END)
    assert gaps(found)[0] == ("R1", at(30), 90, Drop.TOO_LATE)
    assert found.downs == (at(30, 90),)
    assert found.sent("R1") == ((T0, 0), (at(30, 90), 1))


def test_segments_sent_before_a_request_arrives_are_dropped_if_the_old_key_ends_at_the_request() -> None:
    strict = replace(CHAIN, tolerance=0)
    one, other = sides(strict, strict.mirrored(), policy=(Sending.RNEXT, Receiving.ANY))
    found = predict(one, replace(other, receiving=Receiving.TOLERANCE), BEGIN, END)
    # R2 asks for key 1 at the instant at which it stops accepting key 0; R1 sends key 0 until the request arrives.
    assert gaps(found) == [("R1", at(30), 0, Drop.TOO_LATE)]
    assert found.sent("R1") == ((T0, 0), (at(30), 1))
    assert not found.hitless


def test_under_rnext_a_session_that_went_down_comes_back_with_the_latest_key() -> None:
    policy = (Sending.RNEXT, Receiving.ANY)
    peer = changed(PEER, 1, secret=Secret("other"))
    found = predict(*sides(peer=peer, policy=policy), BEGIN, END)
    assert found.downs == (at(30, 90),)
    assert found.at(at(40)).flows[0].key == 1


def test_a_clock_stepped_back_reactivates_the_older_key_under_clock_and_not_under_rnext() -> None:
    for sending, expected in ((Sending.CLOCK, [0, 1, 0, 1]), (Sending.RNEXT, [0, 1])):
        one, other = sides(policy=(sending, Receiving.ANY))
        stepped = replace(one, clock=Clock(steps=((at(40), seconds(-1200)),)))
        found = predict(stepped, other, BEGIN, at(60))
        assert [key for _, key in found.sent("R1")] == expected
        assert found.at(at(45)).flows[0].rnext_key == 0


def test_after_a_step_back_before_the_first_start_nothing_is_sent_until_that_start() -> None:
    for sending, after in ((Sending.CLOCK, 0), (Sending.RNEXT, 1)):
        one, other = sides(policy=(sending, Receiving.ANY))
        stepped = replace(one, clock=Clock(steps=((at(40), timedelta(minutes=-41)),)))
        found = predict(stepped, other, BEGIN, END)
        assert gaps(found) == [("R1", at(40), 60, Drop.NOTHING_SENT)]
        assert found.sent("R1")[-1] == (at(41), after)


def test_a_clock_gives_all_instants_at_which_it_shows_a_time() -> None:
    clock = Clock(seconds(10), ((at(20), seconds(-600)),)).parts()
    assert from_us(clock.read(to_us(at(5)))) == at(5, 10)
    assert from_us(clock.read(to_us(at(20)))) == at(10)
    assert [from_us(moment) for moment in clock.moments(to_us(at(15)))] == [at(15, -10), at(25)]


def test_invalid_arguments_of_a_prediction_are_refused() -> None:
    one, other = sides()
    with pytest.raises(ValueError, match="before it ends"):
        predict(one, other, END, BEGIN)
    with pytest.raises(ValueError, match="more than zero"):
        predict(one, other, BEGIN, END, hold=timedelta())
    with pytest.raises(ValueError, match="both routers"):
        predict(one, replace(other, name="R1"), BEGIN, END)
    with pytest.raises(ValueError, match="outside the prediction"):
        predict(one, other, BEGIN, END).at(END)


def test_a_robust_plan_is_hitless_under_every_mix_of_policies() -> None:
    predictions = predict_all(*sides(ahead=30), BEGIN, END)
    assert len({(a.sending, a.receiving, b.sending, b.receiving) for a, b, _ in predictions}) == 16
    assert all(found.hitless for _, _, found in predictions)


POLICIES = st.tuples(st.sampled_from(Sending), st.sampled_from(Receiving))


@given(
    st.integers(1, 6), st.integers(60, 7200), st.integers(0, 3600), st.integers(-3600, 3600), POLICIES, POLICIES
)  # fmt: skip
def test_mirrored_chains_are_hitless_while_clocks_differ_by_less_than_the_tolerance(
    count: int,
    interval: int,
    tolerance: int,
    ahead: int,
    mine: tuple[Sending, Receiving],
    theirs: tuple[Sending, Receiving],
) -> None:
    chain = generate(1, name="c", count=count, first=T0, interval=seconds(interval), tolerance=tolerance)
    begin = T0 + seconds(abs(ahead))
    found = predict(
        *sides(chain, chain.mirrored(), ahead=ahead, policy=mine, other=theirs),
        begin,
        begin + seconds((count + 1) * interval),
    )
    if abs(ahead) < tolerance:
        assert found.hitless
    spans = found.spans
    assert spans[0].begin == begin
    assert spans[-1].end == begin + seconds((count + 1) * interval)
    assert all(before.end == after.begin for before, after in pairwise(spans))
    assert all(span.begin < span.end for span in spans)


@given(st.integers(-4000, 4000), st.integers(0, 4000), POLICIES, POLICIES, st.integers(-4000, 4000))
def test_swapping_the_routers_changes_nothing_but_the_order(
    ahead: int, tolerance: int, mine: tuple[Sending, Receiving], theirs: tuple[Sending, Receiving], late: int
) -> None:
    chain = replace(CHAIN, tolerance=tolerance)
    peer = changed(chain.mirrored(), 1, start=at(30) + seconds(late))
    one, other = sides(chain, peer, ahead=ahead, policy=mine, other=theirs)
    found, swapped = predict(one, other, BEGIN, END), predict(other, one, BEGIN, END)
    assert found.downs == swapped.downs
    assert [tuple(reversed(span.flows)) for span in swapped.spans] == [span.flows for span in found.spans]


@pytest.mark.parametrize("receiving", list(Receiving))
@pytest.mark.parametrize("minute", [1, 28, 29, 30, 31])
def test_of_two_keys_with_the_same_key_id_the_emulator_accepts_the_one_that_is_predicted(
    receiving: Receiving, minute: int
) -> None:
    same = changed(CHAIN, 1, send_id=CHAIN.keys[0].send_id, recv_id=CHAIN.keys[0].recv_id)
    peer = same.mirrored()
    found = predict(*sides(same, peer, policy=(Sending.CLOCK, receiving)), BEGIN, END)
    flow = found.at(at(minute)).flows[0]
    spec = ProtectedSession(ip_address("10.0.12.1"), 179, peer, receiving=Receiving(receiving.value))
    session = SessionState(spec)
    assert flow.received_as == acceptable(session, session.numbers_received_as(known(flow.key_id)), to_ns(at(minute)))


def test_two_keys_with_the_same_key_id_break_the_session_once_the_later_one_is_accepted() -> None:
    same = changed(CHAIN, 1, send_id=CHAIN.keys[0].send_id, recv_id=CHAIN.keys[0].recv_id)
    found = predict(*sides(same, same.mirrored()), BEGIN, END)
    assert {(begin, drop) for _, begin, _, drop in gaps(found)} == {(at(29), Drop.OTHER_SECRET)}


PLANS = st.lists(
    st.tuples(st.integers(0, 40), st.integers(0, 3), st.integers(0, 3), st.integers(1, 2)), min_size=1, max_size=6
)  # fmt: skip
"""Chains whose keys often share ids and secrets; each key is (start in minutes, send-id, recv-id, secret)."""


def planned(plan: list[tuple[int, ...]], *, tolerance: int) -> Keychain:
    first = CHAIN.keys[0]
    keys = tuple(
        replace(first, id=number, start=at(minute), send_id=send, recv_id=recv, secret=Secret(f"s{secret}"))
        for number, (minute, send, recv, secret) in enumerate(plan)
    )
    return replace(CHAIN, keys=keys, tolerance=tolerance)


def test_a_prediction_ends_with_repeated_id_pairs_under_every_mix_of_policies() -> None:
    again = planned([(0, 1, 2, 1), (20, 3, 4, 1), (40, 1, 2, 2)], tolerance=3600)
    for _, _, found in predict_all(*sides(again, again.mirrored()), BEGIN, END):
        assert found.spans[-1].end == END


def test_a_session_that_fails_repeatedly_for_years_is_predicted_to_fail_at_most_twice() -> None:
    """A session that opens and fails with the same keys does so in every hold time, so the prediction stops."""
    again = planned([(0, 1, 2, 1), (0, 3, 4, 1), (0, 1, 2, 2)], tolerance=3600)
    peer = changed(again.mirrored(), 2, secret=Secret("other"))
    found = predict(*sides(again, peer), BEGIN, BEGIN + timedelta(days=4000))
    assert not found.hitless
    assert len(found.downs) <= 2


@given(
    PLANS, PLANS, st.integers(0, 1200), st.integers(-1800, 1800), POLICIES, POLICIES, st.sampled_from([1, 90, 3000])
)  # fmt: skip
def test_a_prediction_ends_on_every_pair_of_chains(
    plan: list[tuple[int, ...]],
    other: list[tuple[int, ...]],
    tolerance: int,
    ahead: int,
    mine: tuple[Sending, Receiving],
    theirs: tuple[Sending, Receiving],
    hold: int,
) -> None:
    pair = sides(
        planned(plan, tolerance=tolerance), planned(other, tolerance=0), ahead=ahead, policy=mine, other=theirs
    )
    found = predict(*pair, BEGIN, BEGIN + timedelta(days=400), hold=seconds(hold))
    assert found.spans[0].begin == BEGIN
    assert found.spans[-1].end == BEGIN + timedelta(days=400)
    assert all(before.end == after.begin and before.flows != after.flows for before, after in pairwise(found.spans))
    assert list(found.downs) == sorted(set(found.downs))


@given(PLANS, st.integers(0, 1200), st.integers(-30, 90), st.sampled_from(Receiving))
def test_the_simulation_reads_a_chain_as_the_schedule_does(
    plan: list[tuple[int, ...]], tolerance: int, minute: int, receiving: Receiving
) -> None:
    chain = planned(plan, tolerance=tolerance)
    table, keys, now = Timetable.of(chain, receiving), in_order(chain), at(minute)
    active = table.active(to_us(now))
    assert (keys[active] if active >= 0 else None) == send_key(chain, now)
    assert [table.accepts(place, to_us(now)) for place in range(len(keys))] == [
        accepts(chain, key, now, receiving) for key in keys
    ]


def test_the_cost_of_a_prediction_grows_linearly_with_the_number_of_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """Steps are counted and not seconds, so that the result does not depend on the load of the machine."""
    settled: list[int] = []
    settle = Simulation._settle

    def counted(simulation: Simulation, instant: int) -> Any:
        settled.append(instant)
        return settle(simulation, instant)

    monkeypatch.setattr(Simulation, "_settle", counted)
    steps = {}
    for count in (8, 16, 32, 64):
        settled.clear()
        chain = generate(1, name="c", count=count, first=T0, tolerance=60)
        predict(*sides(chain, chain.mirrored(), ahead=7), BEGIN, BEGIN + timedelta(days=4))
        steps[count] = len(settled)
    assert steps[64] - steps[32] == 2 * (steps[32] - steps[16]) == 4 * (steps[16] - steps[8])
