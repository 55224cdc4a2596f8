"""Several sessions of one pair: how they are written, which conditions each has, and how they are configured."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path

import pytest
from tests.unit.known import known
from tests.unit.library_routers import PLANS
from tests.unit.scenario.steps import expectation

from keyroll.capture import Speaker, SpeakerBook
from keyroll.errors import InputError
from keyroll.junos.base_configuration import Family, Plan
from keyroll.junos.session_configuration import SessionLines, pair_configuration
from keyroll.names import SessionKind
from keyroll.scenario.file.fields import RouterName
from keyroll.scenario.file.read import read_cases
from keyroll.scenario.file.scenario import Scenario
from keyroll.scenario.file.steps import read_step
from keyroll.scenario.judge.conditions import conditions_of
from keyroll.scenario.plan.keyring import Keyring

T0 = datetime(2030, 1, 1, tzinfo=UTC)
BGP, LDP = SessionKind.BGP, SessionKind.LDP
SESSIONS = {"v4": BGP, "v6": BGP, "labels": LDP}
R1, R2 = PLANS["R1"], PLANS["R2"]


@pytest.fixture
def scenario(write: Callable[..., Path], two_keys: str) -> Scenario:
    text = two_keys.replace(
        "sessions: [bgp]",
        "sessions: [bgp, {bgp: v6, family: inet6, chain: {R2: old}}, {ldp: loopbacks}]\n"
        "other-chains: [{name: old, secrets-of: chain, keys: [{id: 0, start: 0m}]}]",
    )
    return read_cases(write(text))[0].scenario


def expected(
    written: dict[str, str | int | dict[str, int | dict[str, None] | str]],
    sessions: dict[str, SessionKind] | None = None,
) -> list[tuple[str | int | None, ...]]:
    conditions = conditions_of(expectation(written), sessions)
    return [(one.name, one.router, one.of_session, one.value) for one in conditions]


def test_a_session_written_as_a_word_has_the_name_of_its_kind(scenario: Scenario) -> None:
    assert scenario.kinds == {"bgp": BGP, "v6": BGP, "loopbacks": LDP}
    assert [one.place for one in scenario.sessions] == ["link", "link", "loopbacks"]
    assert scenario.has_named_sessions
    assert scenario.sessions_of("bgp") == ("bgp",)
    assert scenario.sessions_of("ldp") == ("loopbacks",)


def test_a_condition_without_a_session_is_for_each_session_of_its_kind() -> None:
    assert expected({"bgp": "Established"}) == [("bgp", "R1", None, "Established"), ("bgp", "R2", None, "Established")]
    assert {(one, router) for _, router, one, _ in expected({"bgp": "Established"}, SESSIONS)} == {
        (session, router) for session in ("v4", "v6") for router in ("R1", "R2")
    }
    assert len(expected({"wire": 0}, SESSIONS)) == 6


def test_a_value_may_be_keyed_by_session_and_by_session_and_router() -> None:
    found = expected({"wire": {"v4": 1, "v6": {"R2": None}}}, SESSIONS)
    assert found == [("wire", "R1", "v4", 1), ("wire", "R2", "v4", 1), ("wire", "R2", "v6", None)]
    assert expected({"bgp": {"v6": "down"}}, SESSIONS) == [("bgp", "R1", "v6", "down"), ("bgp", "R2", "v6", "down")]


def test_a_step_is_described_as_the_file_writes_it() -> None:
    step = read_step({"expect": {"bgp": {"v6": "down", "v4": {"R1": "Established"}}}})
    assert step.words() == "expect bgp: {v6: down, v4: {R1: Established}}"


def test_a_session_may_have_another_chain_on_one_router_with_the_same_secrets(scenario: Scenario) -> None:
    ring = Keyring(scenario, seed=7, t0=T0)
    one, other = ring.intended("R1"), ring.intended("R2")
    assert (one.used_by("v6"), other.used_by("v6"), other.used_by("bgp")) == ("chain", "old", "chain")
    assert known(other.chain_of("v6").key(0)).secret == known(one.chain_of("v6").key(0)).secret
    assert other.chain_of("v6").key(1) is None


def test_the_referee_judges_each_session_by_its_own_chains(scenario: Scenario) -> None:
    ring = Keyring(scenario, seed=7, t0=T0)
    addresses: dict[RouterName, tuple[str, str]] = {
        "R1": ("10.0.0.1", "2001:db8::1"),
        "R2": ("10.0.0.2", "2001:db8::2"),
    }
    speakers = [
        Speaker(
            router,
            frozenset(map(ip_address, own)),
            ring.deployed(router).chain,
            chains=ring.deployed(router).own_chains(),
        )
        for router, own in addresses.items()
    ]
    pairs = {
        (frozenset(map(ip_address, ends)), 179): name
        for name, ends in zip(("bgp", "v6"), zip(*addresses.values(), strict=True), strict=True)
    }
    book = SpeakerBook(speakers, {179: "bgp"}, pairs)
    found = {}
    for src, dst in zip(*addresses.values(), strict=True):
        keys = book.keys_for(ip_address(src).packed, ip_address(dst).packed, 179, 50000)
        assert keys is not None
        found[keys.session] = (sorted(keys.sent), sorted(keys.received))
    assert found == {"bgp": ([1, 3], [1, 3]), "v6": ([1, 3], [1])}


def lines(me: Plan, peer: Plan, *sessions: SessionLines) -> list[str]:
    return pair_configuration(me, peer, sessions)


def test_both_routers_are_in_one_as_if_all_sessions_are_internal() -> None:
    core = SessionLines("core", BGP, internal=True, loopbacks=True, chain="KC")
    found = lines(R2, R1, core)
    assert "set routing-options autonomous-system 65001" in found
    assert "set protocols bgp group core neighbor 10.255.0.1 peer-as 65001" in found
    assert "set routing-options static route 10.255.0.1/32 next-hop 10.0.12.1" in found
    assert not [line for line in found if "multihop" in line or "local-as" in line]


def test_an_internal_session_beside_an_external_one_has_a_local_as() -> None:
    core = SessionLines("core", BGP, internal=True, loopbacks=True)
    found = lines(R2, R1, SessionLines("link", BGP), core)
    assert "set routing-options autonomous-system 65002" in found
    assert "set protocols bgp group core local-as 65001" in found
    assert not [line for line in lines(R1, R2, SessionLines("link", BGP), core) if "local-as" in line]


def test_each_session_announces_a_prefix_of_its_own() -> None:
    sessions = (SessionLines("a", BGP), SessionLines("b", BGP, Family.INET6), SessionLines("c", BGP, loopbacks=True))
    filters = [
        line.split()[-2] for me, peer in ((R1, R2), (R2, R1)) for line in lines(me, peer, *sessions) if " exact" in line
    ]
    assert len(filters) == len(set(filters)) == 6


def test_sessions_with_a_vlan_have_units_with_addresses_of_their_own() -> None:
    found = lines(R1, R2, SessionLines("a", BGP, vlan=100), SessionLines("b", LDP, vlan=1))
    port = "set interfaces ge-0/0/0"
    assert {f"{port} vlan-tagging", f"{port} unit 100 vlan-id 100", f"{port} unit 1 family mpls"} <= set(found)
    assert f"{port} unit 0 vlan-id 2" in found, "a port that tags has no unit without a VLAN"
    assert f"{port} unit 100 family inet address 198.18.1.145/30" in found
    assert "set protocols bgp group a neighbor 198.18.1.146 local-address 198.18.1.145" in found
    assert "set protocols ldp interface ge-0/0/0.1" in found


def test_two_sessions_that_would_have_the_same_addresses_are_refused(write: Callable[..., Path], two_keys: str) -> None:
    taken = "sessions: [{bgp: a, vlan: 7}, {bgp: b, vlan: 8}]"
    assert read_cases(write(two_keys.replace("sessions: [bgp]", taken)))
    with pytest.raises(InputError, match="'b' would have the addresses of 'a'"):
        read_cases(write(two_keys.replace("sessions: [bgp]", taken.replace("8", "7"))))
    with pytest.raises(InputError, match="between loopbacks has no vlan"):
        read_cases(write(two_keys.replace("sessions: [bgp]", "sessions: [{bgp: loopbacks, vlan: 7}]")))
