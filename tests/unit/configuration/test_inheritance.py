"""Groups are expanded as Juniper documents it; where no document decides, the session has a finding."""

import pytest

from keyroll.configuration import Kind, read
from keyroll.configuration.sessions import Session

SESSION = "set protocols bgp group CORE-1 neighbor 192.0.2.2\n"


def session(text: str) -> Session:
    (found,) = read(SESSION + text, "r").main.sessions
    return found


def chain_of(text: str) -> str | None:
    found = session(text)
    chain = found.authentication.chain
    return None if chain is None else chain.value


def kinds(text: str) -> set[Kind]:
    return {doubt.kind for doubt in session(text).doubts}


def adds_chain(group: str, chain: str, at: str = "group CORE-1") -> str:
    return f"set groups {group} protocols bgp {at} authentication-key-chain {chain}\n"


@pytest.mark.parametrize("pattern", ["<*>", "<CORE-*>", "<[BC]ORE-?>", '"<[A-C]*>"'])
def test_a_wildcard_applies_to_names_that_match(pattern: str) -> None:
    text = adds_chain("G", "K", f"group {pattern}") + "set protocols bgp apply-groups G\n"
    assert chain_of(text) == "K"
    assert kinds(text) == set()


@pytest.mark.parametrize("pattern", ["<EDGE-*>", "<core-*>", "<CORE>", "CORE-*"])
def test_a_wildcard_that_does_not_match_adds_nothing(pattern: str) -> None:
    assert chain_of(adds_chain("G", "K", f"group {pattern}") + "set protocols bgp apply-groups G\n") is None


@pytest.mark.parametrize("level", ["", "protocols ", "protocols bgp ", "protocols bgp group CORE-1 "])
def test_a_group_may_be_applied_at_any_level(level: str) -> None:
    assert chain_of(adds_chain("G", "K") + f"set {level}apply-groups G\n") == "K"


def test_the_configuration_beats_a_group_an_inner_group_an_outer_one_and_the_first_the_second() -> None:
    both = adds_chain("G", "K") + adds_chain("H", "L")
    assert chain_of(both + "set apply-groups [ G H ]\n") == "K"
    assert chain_of(both + "set apply-groups [ H G ]\n") == "L"
    assert chain_of(both + "set apply-groups G\nset protocols bgp apply-groups H\n") == "L"
    own = "set protocols bgp group CORE-1 authentication-key-chain M\n"
    assert chain_of(both + own + "set apply-groups [ G H ]\n") == "M"


def test_a_group_adds_nothing_if_it_is_excepted_below_or_deactivated() -> None:
    text = adds_chain("G", "K") + "set apply-groups G\n"
    assert chain_of(text + "set protocols apply-groups-except G\n") is None
    assert chain_of(text + "deactivate apply-groups G\n") is None
    assert chain_of(text + "deactivate groups G\n") is None


def test_groups_applied_in_groups_are_expanded_also_in_circles() -> None:
    nested = adds_chain("G", "K") + "set groups OUTER apply-groups G\nset groups G apply-groups OUTER\n"
    assert chain_of(nested + "set apply-groups OUTER\n") == "K"


@pytest.mark.parametrize("group", ["re0", "re1", "node0", '"${node}"'])
def test_a_group_of_one_routing_engine_may_be_in_force(group: str) -> None:
    text = adds_chain(group, "K") + f"set apply-groups [ {group} ]\n"
    assert chain_of(text) is None
    assert kinds(text) == {Kind.MAYBE}
    harmless = f"set groups {group} system host-name a\nset apply-groups [ {group} junos-defaults ]\n"
    assert kinds(harmless) == set()


def test_a_group_with_a_condition_may_be_in_force() -> None:
    text = adds_chain("G", "K") + "set groups G when time 02:00 to 04:00\nset apply-groups G\n"
    assert kinds(text) == {Kind.MAYBE}


def test_a_group_that_is_not_in_the_text_gives_a_finding_where_it_matters() -> None:
    assert kinds("set protocols bgp apply-groups GONE\n") == {Kind.MAYBE}
    assert kinds("set interfaces apply-groups GONE\n") == set()


def test_a_session_has_a_finding_if_no_document_decides_and_the_possible_results_differ() -> None:
    exact_and_wild = adds_chain("G", "K") + adds_chain("G", "L", "group <*>") + "set apply-groups G\n"
    assert kinds(exact_and_wild) == {Kind.MAYBE}
    same = adds_chain("G", "K") + adds_chain("G", "K", "group <*>") + "set apply-groups G\n"
    assert kinds(same) == set()
    own = "set protocols bgp group CORE-1 authentication-key-chain M\n"
    inactive = own + "deactivate protocols bgp group CORE-1 authentication-key-chain\n"
    assert kinds(adds_chain("G", "K") + inactive + "set apply-groups G\n") == {Kind.MAYBE}


def test_a_wildcard_that_matches_a_name_from_another_group_gives_a_finding() -> None:
    text = "set groups A protocols bgp group NEW neighbor 192.0.2.9\n" + adds_chain("B", "K", "group <*>")
    (found,) = read(text + "set apply-groups [ A B ]\n", "r").main.sessions
    assert found.authentication.chain is None
    assert {doubt.kind for doubt in found.doubts} == {Kind.MAYBE}


def test_an_inherited_display_is_not_expanded_again() -> None:
    text = """
    groups { G { protocols { bgp { group <*> { authentication-key-chain K; } } } } }
    apply-groups G;
    protocols { bgp { group CORE-1 {
        ## 'authentication-key-chain' was inherited from group 'H'
        authentication-key-chain L;
        neighbor 192.0.2.2; } group CORE-2 { neighbor 192.0.2.6; } } }
    """
    one, other = read(text, "r").main.sessions
    assert one.authentication.chain is not None
    assert one.authentication.chain.value == "L"
    assert other.authentication.chain is None
