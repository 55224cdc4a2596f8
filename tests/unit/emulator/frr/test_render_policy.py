from __future__ import annotations

from ipaddress import ip_address, ip_network

from harness.emulator.frr.render import render
from harness.emulator.frr.render_policy import chain_lines
from harness.emulator.model import BgpNeighbor, Intent, PolicyAction, PolicyTerm, PrefixRange

V4 = PrefixRange(ip_network("10.0.0.0/8"), 8, 32)
V6 = PrefixRange(ip_network("2001:db8::/32"), 40, 48)


def test_a_chain_becomes_one_route_map_that_accepts_what_nothing_decides():
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


def test_own_prefixes_pass_before_a_term_rejects_the_rest():
    own = ip_network("10.255.0.1/32")
    peer = BgpNeighbor(ip_address("10.0.0.2"), 2, "g", external=True, export=("p",), import_=("p",))
    intent = Intent(
        "R1",
        autonomous_system=1,
        neighbors=(peer,),
        announce={"p": (own,)},
        policies={"p": (PolicyTerm(PolicyAction.REJECT),)},
    )
    found = [line.text for line in render(intent, [])]
    out, own_entry = found.index("route-map KEYROLL-OUT-10.0.0.2 deny 10"), "route-map KEYROLL-OUT-10.0.0.2 permit 7"
    assert found.index(own_entry) < out
    assert "ip prefix-list KEYROLL-OUT-10.0.0.2-7 seq 1 permit 10.255.0.1/32" in found
    assert "neighbor 10.0.0.2 route-map KEYROLL-OUT-10.0.0.2 out" in found
    assert "neighbor 10.0.0.2 route-map KEYROLL-IN-10.0.0.2 in" in found
    assert found.index("route-map KEYROLL-IN-10.0.0.2 deny 10") < found.index("neighbor 10.0.0.2 remote-as 2")
