"""Routing policies: which own routes they accept, and what they do with routes that BGP brought."""

from __future__ import annotations

from ipaddress import ip_network
from typing import TYPE_CHECKING

import pytest

from harness.emulator.model import PolicyAction, PolicyTerm, PrefixRange

if TYPE_CHECKING:
    from conftest import Console, FullBackend

P = "set policy-options policy-statement p"
BASE = [
    "set routing-options autonomous-system 1",
    "set routing-options static route 192.0.2.0/24 next-hop 10.0.0.2",
    "set interfaces lo0 unit 0 family inet address 10.255.0.1/32",
    "set interfaces lo0 unit 0 family inet6 address 2001:db8::1/128",
    "set interfaces ge-0/0/0 unit 0 family inet address 10.0.0.1/30",
    "set protocols bgp group e neighbor 10.0.0.2 peer-as 2",
    "set protocols bgp group e export p",
]
LOOPBACK, LINK, STATIC, LOOPBACK6 = (
    ip_network(text) for text in ("10.255.0.1/32", "10.0.0.0/30", "192.0.2.0/24", "2001:db8::1/128")
)


def announced(console: Console, full: FullBackend, *lines: str) -> set[object]:
    answer = console.type("configure", *BASE, *lines, "commit")
    assert answer.splitlines()[-1] == "commit complete", answer
    return set(full.intents[-1].announce["p"])


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([f"{P} then accept"], {LOOPBACK, LINK, STATIC, LOOPBACK6}),
        ([f"{P} from protocol direct", f"{P} then accept"], {LOOPBACK, LINK, LOOPBACK6}),
        ([f"{P} from protocol [ direct static ]", f"{P} then accept"], {LOOPBACK, LINK, STATIC, LOOPBACK6}),
        ([f"{P} from interface lo0.0", f"{P} then accept"], {LOOPBACK, LOOPBACK6}),
        ([f"{P} from route-filter 10.0.0.0/8 orlonger", f"{P} then accept"], {LOOPBACK, LINK}),
        ([f"{P} from route-filter 10.0.0.0/8 upto /30", f"{P} then accept"], {LINK}),
        ([f"{P} from route-filter 10.0.0.0/30 longer", f"{P} then accept"], set()),
        ([f"{P} from route-filter 10.0.0.0/30 exact", f"{P} then accept"], {LINK}),
        (
            ["set policy-options prefix-list l 10.255.0.1", f"{P} from prefix-list l", f"{P} then accept"],
            {LOOPBACK},
        ),
        (
            [
                f"{P} term no from route-filter 10.0.0.0/16 orlonger",
                f"{P} term no then reject",
                f"{P} term yes from protocol direct",
                f"{P} term yes then accept",
            ],
            {LOOPBACK, LOOPBACK6},
        ),
        (
            [f"{P} term skip from protocol static", f"{P} term skip then next policy", f"{P} term all then accept"],
            {LOOPBACK, LINK, LOOPBACK6},
        ),
        ([f"{P} term on then next term", f"{P} from protocol static", f"{P} then accept"], {STATIC}),
        ([f"{P} from protocol bgp", f"{P} then accept"], set()),
    ],
)
def test_what_is_announced(console: Console, full: FullBackend, lines: list[str], expected: set[object]) -> None:
    assert announced(console, full, *lines) == expected


def test_what_routes_of_bgp_meet(console: Console, full: FullBackend) -> None:
    announced(
        console,
        full,
        f"{P} term own from protocol direct",
        f"{P} term own then accept",
        f"{P} term lo from interface lo0.0",
        f"{P} term lo then accept",
        f"{P} term some from route-filter 10.0.0.0/8 orlonger",
        f"{P} term some from route-filter 2001:db8::/32 upto /48",
        f"{P} term some then reject",
        f"{P} term none from route-filter 10.1.1.1/32 longer",
        f"{P} term none then reject",
        f"{P} term bgp from protocol bgp",
        f"{P} term bgp then next policy",
        f"{P} then reject",
    )
    assert full.intents[-1].policies["p"] == (
        PolicyTerm(
            PolicyAction.REJECT,
            (PrefixRange(ip_network("10.0.0.0/8"), 8, 32), PrefixRange(ip_network("2001:db8::/32"), 32, 48)),
        ),
        PolicyTerm(PolicyAction.NEXT_POLICY),
        PolicyTerm(PolicyAction.REJECT),
    )


def test_a_condition_that_is_not_carried_out_is_refused_with_the_reason(console: Console, full: FullBackend) -> None:
    answer = console.type(
        "configure", *BASE, f"{P} term t from interface ge-0/0/0.0", f"{P} term t then reject", "commit"
    )
    assert "error: policy p, term t: 'from interface' is not carried out for routes of BGP" in answer
    assert full.intents == []
