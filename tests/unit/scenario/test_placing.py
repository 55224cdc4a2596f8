"""ASes and levels of authentication in a file: how routers are configured with them, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.unit.library_routers import PLANS

from keyroll.errors import InputError
from keyroll.junos.base_configuration import Family
from keyroll.junos.session_configuration import pair_configuration
from keyroll.names import SessionKind
from keyroll.scenario.file.fields import ROUTERS, RouterName
from keyroll.scenario.file.read import read_cases
from keyroll.scenario.file.scenario import Scenario
from keyroll.scenario.labs.addressing import Addressing
from keyroll.scenario.plan.keyring import Keyring
from keyroll.scenario.play.commits import session_lines

T0 = datetime(2030, 1, 1, tzinfo=UTC)
BOTH = "as: {R1: 64500, R2: 64501}\n"


@pytest.fixture
def scenario(write: Callable[..., Path], two_keys: str) -> Callable[..., Scenario]:
    def read(sessions: str, more: str = "", steps: str = "") -> Scenario:
        text = two_keys.replace("sessions: [bgp]\n", f"sessions: {sessions}\n{more}")
        return read_cases(write(text.replace("mutations:", f"{steps}mutations:")))[0].scenario

    return read


def configured(scenario: Scenario, router: RouterName) -> set[str]:
    """Return the statements about ASes and authentication that are committed on a router."""
    plans = Addressing(PLANS, Family.INET).within(scenario.sessions, scenario.as_numbers).plans
    me, peer = (plans[one] for one in (ROUTERS if router == "R1" else ROUTERS[::-1]))
    held = Keyring(scenario, seed=7, t0=T0).intended(router)
    lines = pair_configuration(me, peer, session_lines(scenario, router, held))
    words = ("autonomous-system", "local-as", "peer-as", "authentication-key-chain")
    return {line.removeprefix("set ") for line in lines if any(word in line.split() for word in words)}


def test_a_router_opens_a_session_with_its_local_as_and_keeps_its_own_as(
    scenario: Callable[..., Scenario],
) -> None:
    found = scenario("[{bgp: v4, local-as: {R2: 65550}}]", BOTH)
    assert "protocols bgp group v4 neighbor 10.0.12.2 peer-as 65550" in configured(found, "R1")
    assert {
        "routing-options autonomous-system 64501",
        "protocols bgp group v4 local-as 65550",
        "protocols bgp group v4 neighbor 10.0.12.1 peer-as 64500",
    } < configured(found, "R2")


def test_sessions_without_names_also_use_the_ases_of_the_file(scenario: Callable[..., Scenario]) -> None:
    found = scenario("[bgp, ldp]", BOTH)
    plans = Addressing(PLANS, Family.INET).within(found.sessions, found.as_numbers).plans
    assert [plans[router].asn for router in ROUTERS] == [64500, 64501]
    assert plans["R1"] == replace(PLANS["R1"], asn=64500)


@pytest.mark.parametrize(
    ("level", "place"),
    [
        ("protocol", "protocols bgp"),
        ("group", "protocols bgp group v4"),
        ("neighbor", "protocols bgp group v4 neighbor 10.0.12.1"),
    ],
)
def test_authentication_is_configured_at_the_level_that_the_file_gives_for_a_router(
    scenario: Callable[..., Scenario], level: str, place: str
) -> None:
    found = scenario(f"[{{bgp: v4, authentication-at: {{R2: {level}}}}}]")
    assert f"{place} authentication-key-chain chain" in configured(found, "R2")
    usual = "protocols bgp group v4 neighbor 10.0.12.2 authentication-key-chain chain"
    assert usual in configured(found, "R1")


def test_a_chain_of_the_protocol_that_sessions_share_is_configured_once(scenario: Callable[..., Scenario]) -> None:
    found = scenario("[{bgp: v4, authentication-at: protocol}, {bgp: v6, family: inet6, authentication-at: protocol}]")
    plans = PLANS["R1"], PLANS["R2"]
    held = Keyring(found, seed=7, t0=T0).intended("R1")
    lines = pair_configuration(*plans, session_lines(found, "R1", held))
    assert [line for line in lines if "authentication-key-chain" in line] == [
        "set protocols bgp authentication-key-chain chain"
    ]


OTHER = "other-chains: [{name: old, secrets-of: chain, keys: [{id: 0, start: 0m}]}]\n"
AT = "authentication-at: protocol"
FAR = "type: internal, between: loopbacks"


@pytest.mark.parametrize(
    ("sessions", "more", "words"),
    [
        ("[bgp]", "as: {R1: 64500}\n", "R2 has no AS"),
        ("[bgp]", "as: 64500\n", "'bgp' is external, but is opened with 64500 from both"),
        ("[bgp]", "as: 0\n", "greater than or equal to 1"),
        (f"[{{bgp: v4, {FAR}}}]", BOTH, "'v4' is internal, but is opened with 64500 from R1 and 64501 from R2"),
        ("[{bgp: v4, local-as: {R1: 64501}}]", BOTH, "'v4' is external, but is opened with 64501 from both"),
        ("[{bgp: v4, local-as: {R1: 64501}}]", "", "has a local-as, but the file no `as`"),
        ("[{ldp: labels, local-as: 64501}]", BOTH, "an LDP session has no local-as"),
        ("[{bgp: v4, authentication-at: peer}]", "", "'protocol', 'group' or 'neighbor'"),
        (
            f"[{{bgp: v4, {AT}}}, {{bgp: v6, family: inet6, chain: old, {AT}}}]",
            OTHER,
            "R1 has one keychain at the protocol, not chain and old",
        ),
    ],
)
def test_ases_and_levels_that_routers_cannot_have_are_refused(
    scenario: Callable[..., Scenario], sessions: str, more: str, words: str
) -> None:
    with pytest.raises(InputError, match=words):
        scenario(sessions, more)


def test_a_session_may_be_internal_by_its_local_as(scenario: Callable[..., Scenario]) -> None:
    found = scenario(f"[bgp, {{bgp: core, {FAR}, local-as: {{R2: 64500}}}}]", BOTH)
    assert "protocols bgp group core local-as 64500" in configured(found, "R2")
    assert {one.kind for one in found.sessions} == {SessionKind.BGP}


def test_a_chain_at_the_protocol_is_re_pointed_for_all_its_sessions_or_for_none(
    scenario: Callable[..., Scenario],
) -> None:
    sessions = (
        "[{bgp: v4, authentication-at: {R2: protocol}}, {bgp: v6, family: inet6, authentication-at: {R2: protocol}}]"
    )
    step = "  - re-point: {{chain: old, sessions: [{0}]}}\n"
    assert len(scenario(sessions, OTHER, step.format("v4, v6")).sessions) == 2
    with pytest.raises(InputError, match="moves 'v6' too, which has its chain at the protocol of R2"):
        scenario(sessions, OTHER, step.format("v4"))
