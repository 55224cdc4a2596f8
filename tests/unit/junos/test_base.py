"""The base configuration, line by line."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Interface, IPv6Interface

import pytest

from keyroll.junos.base_configuration import Family, Plan, PlanError, base_configuration
from keyroll.names import SessionKind

R1 = Plan(
    "R1", 65001, IPv4Interface("192.0.2.1/32"), "ge-0/0/0", IPv4Interface("10.0.0.1/30"),
    IPv6Interface("2001:db8::1/64"), IPv6Interface("2001:db8:1::1/128"),
)  # fmt: skip
R2 = Plan(
    "R2",
    65002,
    IPv4Interface("192.0.2.2/32"),
    "ge-0/0/0",
    IPv4Interface("10.0.0.2/30"),
    IPv6Interface("2001:db8::2/64"),
)
BGP, LDP = SessionKind.BGP, SessionKind.LDP


def test_bgp_over_ipv4_is_configured() -> None:
    assert base_configuration(R1, R2, sessions={BGP}, chain="new_auth_key") == [
        "set system host-name R1",
        "set interfaces ge-0/0/0 unit 0 family inet address 10.0.0.1/30",
        "set interfaces ge-0/0/0 unit 0 family inet6 address 2001:db8::1/64",
        "set interfaces lo0 unit 0 family inet address 192.0.2.1/32",
        "set interfaces lo0 unit 0 family inet6 address 2001:db8:1::1/128",
        "set routing-options router-id 192.0.2.1",
        "set routing-options autonomous-system 65001",
        "set policy-options policy-statement announce-loopback term loopback from protocol direct",
        "set policy-options policy-statement announce-loopback term loopback from route-filter 192.0.2.1/32 exact",
        "set policy-options policy-statement announce-loopback term loopback then accept",
        "set protocols bgp group keyroll type external",
        "set protocols bgp group keyroll hold-time 9",
        "set protocols bgp group keyroll export announce-loopback",
        "set protocols bgp group keyroll neighbor 10.0.0.2 local-address 10.0.0.1",
        "set protocols bgp group keyroll neighbor 10.0.0.2 peer-as 65002",
        "set protocols bgp group keyroll neighbor 10.0.0.2 authentication-algorithm ao",
        "set protocols bgp group keyroll neighbor 10.0.0.2 authentication-key-chain new_auth_key",
    ]


def test_bgp_over_ipv6_announces_the_ipv6_loopback() -> None:
    lines = base_configuration(R1, R2, sessions={BGP}, chain=None, family=Family.INET6)
    assert "set protocols bgp group keyroll family inet6 unicast" in lines
    assert "set protocols bgp group keyroll neighbor 2001:db8::2 peer-as 65002" in lines
    assert any("route-filter 2001:db8:1::1/128 exact" in line for line in lines)
    assert not any("authentication" in line for line in lines)


def test_ldp_is_configured_without_bgp() -> None:
    lines = base_configuration(R1, R2, sessions={LDP}, chain="c")
    assert "set interfaces ge-0/0/0 unit 0 family mpls" in lines
    assert "set protocols ldp transport-address interface" in lines
    assert lines[-2:] == [
        "set protocols ldp session 10.0.0.2 authentication-algorithm ao",
        "set protocols ldp session 10.0.0.2 authentication-key-chain c",
    ]
    assert not any("protocols bgp" in line for line in lines)


def test_routers_in_the_same_as_get_an_internal_group() -> None:
    lines = base_configuration(R1, replace(R2, asn=65001), sessions=[BGP], chain=None)
    assert "set protocols bgp group keyroll type internal" in lines


def test_no_statement_that_hides_flaps_is_configured() -> None:
    assert "graceful" not in " ".join(base_configuration(R1, R2, sessions={BGP, LDP}, chain="c"))


@pytest.mark.parametrize(
    ("me", "peer", "family", "problem"),
    [
        (replace(R1, ipv4=None), R2, Family.INET, "R1: the plan gives ge-0/0/0 no inet address"),
        (R1, replace(R2, ipv6=None), Family.INET6, "R2: the plan gives ge-0/0/0 no inet6 address"),
        (R1, replace(R2, ipv4=IPv4Interface("10.0.1.2/30")), Family.INET, "not two ends of one link"),
        (R1, replace(R2, ipv4=R1.ipv4), Family.INET, "not two ends of one link"),
        (replace(R1, interface="ge-0/0/0.0"), R2, Family.INET, "use a physical interface"),
        (replace(R1, loopback6=None), R2, Family.INET6, "no inet6 loopback"),
    ],
)
def test_an_invalid_plan_is_refused_with_the_reason(me: Plan, peer: Plan, family: Family, problem: str) -> None:
    with pytest.raises(PlanError, match=problem):
        base_configuration(me, peer, sessions={BGP}, chain="c", family=family)


@pytest.mark.parametrize(("in_protocols", "named"), [(None, "eth1.0"), ("eth1", "eth1")])
def test_ldp_and_mpls_use_the_platforms_name_of_the_port(in_protocols: str | None, named: str) -> None:
    me = replace(R1, interface="eth1", in_protocols=in_protocols)
    lines = base_configuration(me, R2, sessions={LDP}, chain=None)
    assert [line for line in lines if line.startswith(("set protocols mpls", "set protocols ldp interface"))] == [
        f"set protocols mpls interface {named}",
        f"set protocols ldp interface {named}",
    ]
    assert "set interfaces eth1 unit 0 family mpls" in lines
