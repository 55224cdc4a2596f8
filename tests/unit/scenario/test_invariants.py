"""Invariants: what samples and captures must show throughout a run."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest
from tests.unit.scenario.conftest import NS

from keyroll.capture import Flow, Judgement, Refusal, Verdict
from keyroll.scenario.file.fields import ROUTERS, RouterName
from keyroll.scenario.judge.invariants import (
    Rollover,
    Watched,
    every_segment_verified,
    first_up,
    no_flap,
    no_key_taken_back,
    no_route_loss,
    rollover_completes,
)
from keyroll.scenario.observe.sampler import Sample, longest_gap
from keyroll.scenario.observe.wire import Wire
from keyroll.scenario.record.result import Check

UP = 1_000 * NS
END = UP + 10 * NS


@dataclass
class FakeWire:
    sent: dict[Any, Any] = field(default_factory=dict)
    syns_and_rsts: dict[Any, Any] = field(default_factory=dict)
    proofs: set[Any] = field(default_factory=set)
    sides: dict[Any, Any] = field(default_factory=dict)

    def sent_by(self, router: str, **_: int) -> list[Judgement]:
        found: list[Judgement] = self.sent.get(router, [])
        return found

    def signed_in_order(self, router: str) -> list[Judgement]:
        found: list[Judgement] = self.sent.get(router, [])
        return found

    def opened_or_reset(self, router: str, *_: int) -> list[Judgement]:
        found: list[Judgement] = self.syns_and_rsts.get(router, [])
        return found

    def acknowledged_with_any(self, router: str, session: str, keys: Collection[int], **_: int) -> bool:
        return any((router, session, key) in self.proofs for key in keys)

    def side(self, router: str, *_: str) -> SimpleNamespace | None:
        return self.sides.get(router)


def sample(
    router: str,
    second: int,
    *,
    state: str = "Established",
    flaps: int | None = 0,
    since: int | None = None,
    routes: int | None = 1,
    session: str = "bgp",
) -> Sample:
    at = UP + int(second * NS)
    uptime = timedelta(seconds=int(second) if since is None else since)
    return Sample(router, session, at, at, state in ("Established", "Operational"), state, flaps, uptime, routes)


def steady(router: str, **changes: Any) -> list[Sample]:
    """Return a sample each second of a session that stays up; `at5={…}` changes the one after 5 seconds."""
    return [sample(router, second, **changes.get(f"at{second}", {})) for second in range(11)]


def segment(verdict: Verdict = Verdict.VERIFIED, sender: str = "R1", **fields: int | Refusal) -> Judgement:
    values: dict[str, Any] = {
        "number": 7,
        "time_ns": UP + NS,
        "flow": Flow("a", 179, "b", 40000, sender, "R2", "bgp"),
        "verdict": verdict,
        "reason": "Because.",
        "capture": "R1.pcap",
        **fields,
    }
    return Judgement(**values)


def watched(
    *,
    up: int | None = UP,
    wire: FakeWire | None = None,
    rollovers: tuple[()] | list[Rollover] = (),
    **samples: list[Sample],
) -> Watched:
    """Return what the invariants judge of a BGP session: steady samples, except for the given routers."""
    both: dict[tuple[RouterName, str], Any] = {
        (router, "bgp"): samples.get(router, steady(router)) for router in ROUTERS
    }
    return seen(both, wire, up=up, rollovers=rollovers)


def seen(
    samples: Mapping[tuple[RouterName, str], Sequence[Sample]],
    wire: FakeWire | None = None,
    session: str = "bgp",
    *,
    up: int | None = UP,
    rollovers: Sequence[Rollover] = (),
) -> Watched:
    return Watched(up, END, samples, cast("Wire", wire or FakeWire()), [session], rollovers)


def red(checks: list[Check]) -> list[str | None]:
    """Return the routers whose check failed."""
    return [check.router for check in checks if not check.passed]


def test_a_steady_session_has_no_flap_and_loses_no_route() -> None:
    assert red(no_flap(watched())) == []
    assert red(no_route_loss(watched())) == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"state": "Active"}, "Active"),
        ({"flaps": 1}, "flap counter went from 0 to 1"),
        ({"since": 0}, "uptime went back"),
    ],
)
def test_every_sign_of_a_flap_in_a_sample_turns_that_router_red(change: dict[str, str | int], words: str) -> None:
    checks = no_flap(watched(R2=steady("R2", at5=change)))
    assert red(checks) == ["R2"]
    assert words in checks[1].observed


def test_an_uptime_that_does_not_grow_turns_that_router_red() -> None:
    stuck = [sample("R1", second, since=3) for second in range(11)]
    assert red(no_flap(watched(R1=stuck))) == ["R1"]


@pytest.mark.parametrize("flags", [0x02, 0x12, 0x04, 0x14])
def test_a_syn_or_rst_after_the_session_was_up_is_a_flap_even_if_no_sample_shows_it(flags: int) -> None:
    wire = FakeWire(syns_and_rsts={"R1": [segment(flags=flags)]})
    assert red(no_flap(watched(wire=wire))) == ["R1"]


def test_a_session_that_was_never_up_violates_no_flap_and_no_route_loss() -> None:
    nothing = watched(up=None)
    assert red(no_flap(nothing)) == ["R1", "R2"]
    assert red(no_route_loss(nothing)) == ["R1", "R2"]


GIVEN = frozenset({("10.255.0.2/32", 3), ("192.0.2.0/24", 17)})


def labelled(*labels: list[tuple[str, int]] | frozenset[tuple[str, int]] | tuple[()]) -> Watched:
    """Return what the invariants judge of an LDP session that has these labels, one set each second."""
    samples = [
        replace(sample("R1", second, state="Operational", session="ldp", routes=None), labels=frozenset(some))
        for second, some in enumerate(labels)
    ]
    return seen({("R1", "ldp"): samples, ("R2", "ldp"): samples}, session="ldp")


def test_labels_that_stay_or_are_added_are_not_a_loss() -> None:
    assert red(no_route_loss(labelled(list(GIVEN)[:1], GIVEN, GIVEN))) == []


@pytest.mark.parametrize(
    "later", [(), [("10.255.0.2/32", 3)], [("10.255.0.2/32", 3), ("192.0.2.0/24", 18)]], ids=["all", "one", "another"]
)
def test_a_label_that_is_missing_in_one_later_sample_is_a_loss(
    later: tuple[()] | list[tuple[str, int]],
) -> None:
    checks = no_route_loss(labelled(GIVEN, later, GIVEN))
    assert red(checks) == ["R1", "R2"]
    assert "of 10.255.0.2/32, 1.00 s" in checks[0].observed or "label 17 of 192.0.2.0/24, 1.00 s" in checks[0].observed


def test_a_session_without_any_label_does_not_prove_that_none_was_lost() -> None:
    assert red(no_route_loss(labelled((), ()))) == ["R1", "R2"]


def test_ldp_is_up_once_it_has_received_labels() -> None:
    samples = labelled((), GIVEN, GIVEN).samples
    assert first_up(samples) == UP + NS


def test_one_sample_without_the_route_is_a_loss() -> None:
    assert red(no_route_loss(watched(R1=steady("R1", at4={"routes": 0})))) == ["R1"]


@pytest.mark.parametrize("verdict", [one for one in Verdict if one is not Verdict.VERIFIED])
def test_every_verdict_but_verified_turns_the_sender_red(verdict: Verdict) -> None:
    wire = FakeWire(sent={"R1": [segment(), segment(verdict, refusal=Refusal.MISMATCH)], "R2": [segment()]})
    checks = every_segment_verified(watched(wire=wire))
    assert red(checks) == ["R1"]
    assert "packet 7 of R1.pcap" in checks[0].observed


def test_no_segment_at_all_is_not_every_segment_verified() -> None:
    assert red(every_segment_verified(watched())) == ["R1", "R2"]


def test_a_rollover_is_pending_until_its_data_is_acknowledged() -> None:
    rollovers = [Rollover("R1", 1, UP + NS, "step 3"), Rollover("R2", 1, UP + NS, "step 3")]
    half = FakeWire(proofs={("R1", "bgp", 1)})
    assert red(rollover_completes(watched(wire=half, rollovers=rollovers))) == ["R2"]
    half.sides["R2"] = SimpleNamespace(words=lambda: "key 1 (KeyID 3, RNextKeyID 3)")
    (_, pending) = rollover_completes(watched(wire=half, rollovers=rollovers))
    assert pending.observed == "key 1 (KeyID 3, RNextKeyID 3); not acknowledged since"


def test_a_later_key_of_the_same_router_completes_an_earlier_rollover() -> None:
    rollovers = [Rollover("R1", 1, UP + NS, "step 3"), Rollover("R1", 2, UP + 2 * NS, "step 4")]
    wire = FakeWire(proofs={("R1", "bgp", 2)})
    assert red(rollover_completes(watched(wire=wire, rollovers=rollovers))) == []


def test_a_session_is_up_once_both_routers_show_it_up_with_routes() -> None:
    early = [sample("R1", 0, routes=0), sample("R1", 1), sample("R1", 2)]
    late = [sample("R2", 0, state="Connect"), sample("R2", 3)]
    assert first_up({("R1", "bgp"): early, ("R2", "bgp"): late}) == UP + 3 * NS
    assert first_up({("R1", "bgp"): early, ("R2", "bgp"): late[:1]}) is None


def test_a_session_that_went_down_while_coming_up_is_up_from_its_return() -> None:
    returned = [
        sample("R1", 0),
        sample("R1", 1, state="Idle", flaps=1),
        sample("R1", 3, flaps=1),
        sample("R1", 4, flaps=1),
    ]
    missed = [sample("R2", 0), sample("R2", 2, flaps=1), sample("R2", 4, flaps=1)]
    assert first_up({("R1", "bgp"): returned, ("R2", "bgp"): missed}) == UP + 3 * NS
    assert first_up({("R1", "bgp"): returned[:2], ("R2", "bgp"): missed}) is None
    assert first_up({("R2", "bgp"): missed}) == UP + 2 * NS


def test_ldp_counts_as_up_without_routes_and_is_judged_by_uptime_where_no_counter_is_shown() -> None:
    ldp = [sample("R1", second, session="ldp", state="Operational", flaps=None, routes=None) for second in range(11)]
    assert first_up({("R1", "ldp"): ldp}) == UP
    back = [*ldp[:5], sample("R1", 5, session="ldp", state="Operational", flaps=None, routes=None, since=0), *ldp[6:]]
    for samples, expected in ((ldp, []), (back, ["R1"])):
        assert red(no_flap(seen({("R1", "ldp"): samples, ("R2", "ldp"): ldp}, session="ldp"))) == expected


def test_the_longest_gap_is_measured_from_up_to_the_end() -> None:
    samples = (sample("R1", -5), sample("R1", 1), sample("R1", 4))
    assert longest_gap(samples, UP, END) == timedelta(seconds=6)
    assert longest_gap(samples, UP, UP + 4 * NS) == timedelta(seconds=3)


def keys_sent(*keys_by_connection: list[int]) -> Watched:
    """Return a `Watched` in which R1 signs with these keys, one list for each connection, and R2 with one key."""
    sent = [
        segment(key=key, connection=number)
        for number, signed_with in enumerate(keys_by_connection)
        for key in signed_with
    ]
    wire = FakeWire(sent={"R1": sent, "R2": [segment(key=0, connection=0, sender="R2")]})
    return seen({}, wire)


@pytest.mark.parametrize(
    ("keys_by_connection", "observed_keys"),
    [
        ([[0, 0, 1, 1, 2]], "key 0 then key 1 then key 2"),
        ([[0, 0, 1], [0, 1]], "key 0 then key 1; key 0 then key 1"),
        ([[3, 1, 2]], "key 3 then key 1 then key 2"),
    ],
)
def test_keys_that_follow_each_other_on_a_connection_are_not_taken_back(
    keys_by_connection: list[list[int]], observed_keys: str
) -> None:
    first, second = no_key_taken_back(keys_sent(*keys_by_connection))
    assert first.passed
    assert first.observed == observed_keys
    assert second.passed


def test_a_key_that_signs_again_after_its_successor_is_taken_back() -> None:
    first, _ = no_key_taken_back(keys_sent([0, 1, 0, 1]))
    assert not first.passed
    assert first.observed == "key 0 again after key 1: packet 7 of R1.pcap"


def test_a_router_that_sent_nothing_does_not_prove_that_no_key_was_taken_back() -> None:
    assert not no_key_taken_back(seen({}))[0].passed
