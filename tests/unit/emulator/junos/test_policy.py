"""Routing policies: which own routes they accept, and what they do with routes received over BGP."""

from __future__ import annotations

import re
from dataclasses import replace
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING

import pytest

from keyroll.emulator.contract.routing_policy import (
    CommunityWay,
    OwnRoute,
    PolicyAction,
    PolicyTerm,
    PrefixLimit,
    PrefixRange,
    RouteChanges,
)

if TYPE_CHECKING:
    from tests.unit.emulator.junos.conftest import Console, FullBackend

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
    return {own.prefix for own in full.intents[-1].announce["p"] if own.action is PolicyAction.ACCEPT}


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
        ([f"{P} from route-filter 10.0.0.0/8 orlonger accept"], {LOOPBACK, LINK}),
        (
            [
                f"{P} term t from route-filter 10.0.0.0/8 orlonger accept",
                f"{P} term t from route-filter 10.255.0.0/16 orlonger reject",
                f"{P} term t then reject",
            ],
            {LINK},
        ),
        (
            [
                f"{P} term t from route-filter 10.255.0.0/16 orlonger next policy",
                f"{P} term t from route-filter 10.0.0.0/8 orlonger",
                f"{P} term t then accept",
            ],
            {LINK},
        ),
        (
            [
                f"{P} term t from route-filter 10.0.0.0/30 exact next term",
                f"{P} term t then reject",
                f"{P} then accept",
            ],
            {LOOPBACK, LINK, STATIC, LOOPBACK6},
        ),
    ],
)
def test_a_policy_announces_the_routes_that_it_accepts(
    console: Console, full: FullBackend, lines: list[str], expected: set[object]
) -> None:
    assert announced(console, full, *lines) == expected


def test_policy_terms_become_entries_for_bgp_routes(console: Console, full: FullBackend) -> None:
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


def test_a_condition_that_is_not_emulated_is_refused_with_the_reason(console: Console, full: FullBackend) -> None:
    answer = console.type(
        "configure", *BASE, f"{P} term t from interface ge-0/0/0.0", f"{P} term t then reject", "commit"
    )
    assert "error: not emulated: policy p, term t: 'from interface' for routes of BGP" in answer
    assert full.intents == []


COMMUNITY = "set policy-options community red members 65001:100"


def test_changes_of_a_term_apply_whichever_term_accepts_the_route(console: Console, full: FullBackend) -> None:
    announced(
        console,
        full,
        COMMUNITY,
        f"{P} term mark then local-preference 200",
        f"{P} term mark then community add red",
        f"{P} term more from protocol direct",
        f"{P} term more then metric 5",
        f"{P} term more then accept",
    )
    intent = full.intents[-1]
    mark = RouteChanges(local_preference=200, communities=((CommunityWay.ADD, ("65001:100",)),))
    own = {route.prefix: route for route in intent.announce["p"]}
    assert own[LOOPBACK] == OwnRoute(LOOPBACK, PolicyAction.ACCEPT, replace(mark, metric=5))
    assert own[STATIC] == OwnRoute(STATIC, PolicyAction.NEXT_POLICY, mark)
    assert intent.policies["p"] == (PolicyTerm(PolicyAction.NEXT_TERM, changes=mark),)


def test_conditions_on_communities_paths_and_neighbors_match_only_bgp_routes(
    console: Console, full: FullBackend
) -> None:
    lines = [COMMUNITY, 'set policy-options as-path own "^65002 .* (65010|65011)$"', f"{P} from community red"]
    lines += [f"{P} from as-path own", f"{P} from neighbor 10.0.0.2", f"{P} from family inet", f"{P} then accept"]
    assert announced(console, full, *lines) == set()
    (term,) = full.intents[-1].policies["p"]
    assert term.communities == (("65001:100",),)
    assert term.neighbors == (ip_address("10.0.0.2"),)
    assert term.prefixes == (PrefixRange(ip_network("0.0.0.0/0"), 0, 32),)
    (path,) = term.as_paths
    for text, fits in (("65002 65010", True), ("65002 1 2 65011", True), ("65002", False), ("1 65002 65010", False)):
        assert (re.search(path, text) is not None) is fits, text


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([f"{P} then community add blue"], "policy p, the last term: community blue is not defined"),
        (
            [
                'set policy-options community c members "65001:*"',
                f"{P} term t from community c",
                f"{P} term t then reject",
            ],
            "not emulated: policy p, term t: member 65001:* of community c: use AS:NUMBER or no-export",
        ),
        (
            ['set policy-options as-path a "65001{2,}"', f"{P} term t from as-path a", f"{P} term t then reject"],
            "'65001{2,}' in as-path a",
        ),
        (
            [f"{P} term t then next-hop self", "set protocols bgp group e import p"],
            "not emulated: policy p: 'next-hop self' in an import policy",
        ),
        (
            [
                "set protocols bgp group i type internal",
                "set protocols bgp group i local-preference 5",
                "set protocols bgp group i neighbor 10.0.0.3",
                f"{P} then accept",
            ],
            "not emulated: local-preference of an internal group, so other paths would win: set it by an export policy",
        ),
    ],
)
def test_policy_statements_that_are_not_emulated_are_refused(
    console: Console, full: FullBackend, lines: list[str], message: str
) -> None:
    answer = console.type("configure", *BASE, *lines, "commit")
    assert message in answer
    assert full.intents == []


def test_route_filters_with_an_action_become_separate_terms(console: Console, full: FullBackend) -> None:
    term = f"{P} term t"
    announced(
        console,
        full,
        f"{term} from route-filter 10.0.0.0/8 orlonger reject",
        f"{term} from route-filter 10.9.0.0/16 orlonger",
        f"{term} from neighbor 10.0.0.2",
        f"{term} then accept",
    )
    found = [(one.action, one.prefixes, len(one.neighbors)) for one in full.intents[-1].policies["p"]]
    wide, narrow = ip_network("10.0.0.0/8"), ip_network("10.9.0.0/16")
    assert found == [
        (PolicyAction.ACCEPT, (PrefixRange(narrow, 16, 32),), 1),
        (PolicyAction.REJECT, (PrefixRange(wide, 8, 32),), 1),
    ]
    shown = console.type("show policy-options")
    assert "            route-filter 10.0.0.0/8 orlonger reject;" in shown.splitlines()
    console.type("delete policy-options")
    console.block = f"policy-options {{\n{shown}\n}}"
    assert console.type("load merge terminal").endswith("load complete")
    assert console.type("show policy-options") == shown


def test_statements_of_policies_are_shown_as_they_were_typed(console: Console) -> None:
    console.type("configure", COMMUNITY, 'set policy-options as-path short "65002 .*"')
    console.type(f"{P} term t from prefix-list-filter l orlonger", f"{P} term t then community add red")
    console.type(f"{P} term t then next-hop self", f"{P} term t then accept")
    assert console.type("show policy-options").splitlines() == [
        "policy-statement p {",
        "    term t {",
        "        from {",
        "            prefix-list-filter l orlonger;",
        "        }",
        "        then {",
        "            community add red;",
        "            next-hop self;",
        "            accept;",
        "        }",
        "    }",
        "}",
        "community red members 65001:100;",
        'as-path short "65002 .*";',
    ]


def test_prefix_limits_are_passed_to_the_machine_half(console: Console, full: FullBackend) -> None:
    family = "set protocols bgp group e family"
    announced(
        console,
        full,
        f"{P} then accept",
        f"{family} inet unicast prefix-limit maximum 10",
        f"{family} inet6 unicast prefix-limit maximum 20 teardown 80 idle-timeout forever",
    )
    (neighbor,) = full.intents[-1].neighbors
    assert neighbor.limits == {
        "inet-unicast": PrefixLimit(10),
        "inet6-unicast": PrefixLimit(20, teardown=True, percent=80, idle_minutes=0),
    }


def test_a_comparison_shows_the_terms_next_to_a_change(console: Console) -> None:
    terms = [f"{P} term {name} then reject" for name in ("a", "b", "c", "d")]
    console.type("configure", *terms, "set routing-options autonomous-system 1", "commit")
    console.type("edit policy-options policy-statement p", "set term new then accept", "insert term new after term a")
    console.type("delete term d", "top")
    assert console.type("show | compare").splitlines() == [
        "[edit policy-options policy-statement p]",
        "     term a { ... }",
        "+    term new {",
        "+        then accept;",
        "+    }",
        "     term b { ... }",
        "     term c { ... }",
        "-    term d {",
        "-        then reject;",
        "-    }",
    ]
    console.type("rollback", "delete policy-options policy-statement p term a")
    assert console.type("show | compare").splitlines() == [
        "[edit policy-options policy-statement p]",
        "-    term a {",
        "-        then reject;",
        "-    }",
        "     term b { ... }",
    ]


def test_policy_expressions_are_accepted_shown_and_deleted(console: Console) -> None:
    console.type("configure")
    console.type("set protocols bgp group g export (a&&!b)")
    console.type("set protocols bgp group g export c")
    console.type("set protocols bgp group g import ( a || b )")
    console.block = "protocols { bgp { group h { export [ (a || b) c ]; } } }"
    assert console.type("load merge terminal").splitlines()[-1] == "load complete"
    assert console.type("show protocols bgp group g").splitlines() == [
        "import ( a || b );",
        "export [ ( a && !b ) c ];",
    ]
    assert console.type("show protocols bgp | display set").splitlines() == [
        "set protocols bgp group g import ( a || b )",
        "set protocols bgp group g export ( a && !b )",
        "set protocols bgp group g export c",
        "set protocols bgp group h export ( a || b )",
        "set protocols bgp group h export c",
    ]
    assert console.type("delete protocols bgp group g export ( a && !b )") == ""
    assert "syntax error" in console.type("set protocols bgp group g export ( a && )")
    assert "missing argument" in console.type("set protocols bgp group g export ( a &&")
    assert console.type("show protocols bgp group g export") == "export c;"


def test_every_policy_of_an_expression_has_to_be_defined(console: Console) -> None:
    console.type("configure")
    for line in [*BASE[:-1], "set policy-options policy-statement a then accept"]:
        console.type(line)
    console.type("set protocols bgp group e export ( a && b )")
    assert "Policy b referenced but not defined" in console.type("commit")


@pytest.mark.parametrize(
    "action",
    ["metric add 5", "metric igp", "local-preference subtract 10", "next-hop peer-address", "next-hop discard"],
)
def test_an_action_that_is_not_emulated_is_accepted_and_refused_once_it_is_used(
    console: Console, full: FullBackend, action: str
) -> None:
    del full
    console.type("configure", *BASE, f"{P} term t then {action}", "delete protocols bgp group e export")
    assert "commit complete" in console.type("commit")
    console.type("set protocols bgp group e import p")
    answer = console.type("commit check")
    assert "not emulated" in answer
    assert " ".join(action.split()[:2]) in answer


def test_a_term_for_another_family_matches_no_route(console: Console, full: FullBackend) -> None:
    assert announced(console, full, f"{P} term t from family evpn", f"{P} term t then accept") == set()
