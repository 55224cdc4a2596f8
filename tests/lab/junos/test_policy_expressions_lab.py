"""Policy expressions on bgpd: which routes are announced, and which routes of a peer are accepted."""

from __future__ import annotations

from functools import partial

import pytest
from tests.lab.conftest import Pair

pytestmark = [pytest.mark.lab, pytest.mark.slow]
LOW, HIGH, OTHER = ROUTES = ("192.0.2.0/25", "192.0.2.128/25", "198.51.100.0/24")
POLICY = "set policy-options policy-statement"
POLICIES = [
    *(f"{POLICY} net term t from route-filter 192.0.2.0/24 orlonger", f"{POLICY} net term t then accept"),
    *(f"{POLICY} high term t from route-filter {HIGH} exact", f"{POLICY} high term t then accept"),
    *(f"{POLICY} {name} then reject" for name in ("net", "high")),
    f"{POLICY} all then accept",
    # This policy makes no decision: its value is TRUE, and the next policy of the list is evaluated.
    f"{POLICY} leaves term t from route-filter {LOW} exact",
    f"{POLICY} leaves term t then next policy",
]
EXPRESSIONS = [
    ("( net && !high )", {LOW}),
    ("( high || net )", {LOW, HIGH}),
    ("( !net )", {OTHER}),
    ("( !net || high )", {OTHER, HIGH}),
    ("[ ( leaves && leaves ) high ]", {HIGH}),
    ("( !leaves || all )", {LOW, HIGH, OTHER}),
    ("( all && ( high || !net ) )", {HIGH, OTHER}),
]


def received(pair: Pair) -> set[str]:
    shown = pair.sessions["R2"].show("show route protocol bgp").raw
    return {route for route in ROUTES if f"{route} " in shown}


def receives(pair: Pair, expected: set[str]) -> bool:
    return received(pair) == expected


def group_of(pair: Pair, router: str) -> str:
    command = "show configuration protocols bgp | display set | match peer-as"
    return str(pair.sessions[router].show(command).raw).split()[4]


def test_policy_expressions_accept_the_routes_that_their_logic_accepts(pair: Pair) -> None:
    statics = [f"set routing-options static route {route} discard" for route in ROUTES]
    pair.configure(extra=POLICIES)
    pair.commit("R1", statics)
    for router, way in (("R1", "export"), ("R2", "import")):
        group = f"protocols bgp group {group_of(pair, router)}"
        for expression, expected in EXPRESSIONS:
            there = [f"delete {group} {way}"] if way == "export" or expression is not EXPRESSIONS[0][0] else []
            pair.commit(router, [*there, f"set {group} {way} {expression}"])
            pair.until(f"{way} {expression}", partial(receives, pair, expected))
        if way == "export":
            pair.commit(router, [f"delete {group} export", f"set {group} export all"])
            pair.until("all routes", lambda: received(pair) == set(ROUTES))
