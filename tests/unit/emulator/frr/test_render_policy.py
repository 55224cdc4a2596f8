from __future__ import annotations

from ipaddress import ip_address, ip_network

from keyroll.emulator.contract.model import BgpNeighbor, Intent
from keyroll.emulator.contract.routing_policy import (
    CommunityWay,
    NextHop,
    OwnRoute,
    PolicyAction,
    PolicyTerm,
    PrefixRange,
    RouteChanges,
)
from keyroll.emulator.frr.render import render
from keyroll.emulator.frr.render_policy import chain_lines

V4 = PrefixRange(ip_network("10.0.0.0/8"), 8, 32)
V6 = PrefixRange(ip_network("2001:db8::/32"), 40, 48)


def test_a_policy_chain_becomes_one_route_map_that_accepts_all_other_routes() -> None:
    policies = {
        "first": (PolicyTerm(PolicyAction.NEXT_POLICY, (V4,)), PolicyTerm(PolicyAction.REJECT, (V4, V6))),
        "second": (PolicyTerm(PolicyAction.ACCEPT),),
    }
    assert [(line.node, line.text) for line in chain_lines("M", ["first", "second"], policies)] == [
        ((), "ip prefix-list M-10 seq 1 permit 10.0.0.0/8 le 32"),
        ((), "route-map M permit 10"),
        (("route-map M permit 10",), "match ip address prefix-list M-10"),
        (("route-map M permit 10",), "on-match goto 40"),
        ((), "ip prefix-list M-20 seq 1 permit 10.0.0.0/8 le 32"),
        ((), "route-map M deny 20"),
        (("route-map M deny 20",), "match ip address prefix-list M-20"),
        ((), "ipv6 prefix-list M-30 seq 1 permit 2001:db8::/32 ge 40 le 48"),
        ((), "route-map M deny 30"),
        (("route-map M deny 30",), "match ipv6 address prefix-list M-30"),
        ((), "route-map M permit 40"),
        ((), "route-map M permit 50"),
    ]


def test_own_prefixes_are_accepted_before_a_term_rejects_the_rest() -> None:
    own = ip_network("10.255.0.1/32")
    peer = BgpNeighbor(ip_address("10.0.0.2"), 2, "g", external=True, export=("p",), import_=("p",))
    intent = Intent(
        "R1",
        autonomous_system=1,
        neighbors=(peer,),
        announce={"p": (OwnRoute(own),)},
        policies={"p": (PolicyTerm(PolicyAction.REJECT),)},
    )
    found = [line.text for line in render(intent, [])]
    out, own_entry = found.index("route-map KEYROLL-OUT-10.0.0.2 deny 10"), "route-map KEYROLL-OUT-10.0.0.2 permit 7"
    assert found.index(own_entry) < out
    assert "ip prefix-list KEYROLL-OUT-10.0.0.2-7 seq 1 permit 10.255.0.1/32" in found
    assert "neighbor 10.0.0.2 route-map KEYROLL-OUT-10.0.0.2 out" in found
    assert "neighbor 10.0.0.2 route-map KEYROLL-IN-10.0.0.2 in" in found
    assert found.index("route-map KEYROLL-IN-10.0.0.2 deny 10") < found.index("neighbor 10.0.0.2 remote-as 2")


def test_the_conditions_and_changes_of_a_term_become_one_route_map_entry() -> None:
    peer = ip_address("10.0.0.2")
    changes = RouteChanges(
        local_preference=200,
        metric=5,
        next_hop=NextHop.SELF,
        communities=((CommunityWay.DELETE, ("65001:1",)), (CommunityWay.ADD, ("65001:2", "no-export"))),
        prepend=(65001, 65001),
    )
    term = PolicyTerm(
        PolicyAction.NEXT_TERM, communities=(("65001:9",),), as_paths=("^$",), neighbors=(peer,), changes=changes
    )
    entry = ("route-map M permit 10",)
    assert [(line.node, line.text) for line in chain_lines("M", ["p"], {"p": (term,)})] == [
        ((), "bgp community-list standard M-10 permit 65001:9"),
        ((), "bgp community-list standard M-10-0 permit 65001:1"),
        ((), "bgp as-path access-list M-10 permit ^$"),
        ((), "route-map M permit 10"),
        (entry, "match peer 10.0.0.2"),
        (entry, "match community M-10"),
        (entry, "match as-path M-10"),
        (entry, "set local-preference 200"),
        (entry, "set metric 5"),
        (entry, "set as-path prepend 65001 65001"),
        (entry, "set ip next-hop peer-address"),
        (entry, "set ipv6 next-hop peer-address"),
        (entry, "set comm-list M-10-0 delete"),
        (entry, "set community 65001:2 no-export additive"),
        (entry, "on-match next"),
        ((), "route-map M permit 20"),
    ]


def test_the_first_policy_that_accepts_or_rejects_an_own_route_wins() -> None:
    one, two = ip_network("10.255.0.1/32"), ip_network("10.255.0.2/32")
    peer = BgpNeighbor(ip_address("10.0.0.2"), 2, "g", external=True, export=("first", "second"))
    changes = RouteChanges(metric=7)
    announce = {
        "first": (OwnRoute(one, PolicyAction.REJECT), OwnRoute(two, PolicyAction.NEXT_POLICY, changes)),
        "second": (OwnRoute(one), OwnRoute(two)),
    }
    found = [line.text for line in render(Intent("R1", autonomous_system=1, neighbors=(peer,), announce=announce), [])]
    assert "network 10.255.0.2/32" in found
    assert "network 10.255.0.1/32" not in found
    assert found[found.index("route-map KEYROLL-OUT-10.0.0.2 permit 10") + 2] == "set metric 7"
    assert found.index("route-map KEYROLL-OUT-10.0.0.2 permit 20") > 0
