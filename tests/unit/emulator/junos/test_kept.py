"""Real configurations: statements kept without effect, statements a commit refuses, options that bgpd has."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from keyroll.emulator.contract.errors import NOT_EMULATED
from keyroll.emulator.junos.configuration import emulated
from keyroll.emulator.junos.configuration.schema import Effect, Kind, Statement
from keyroll.emulator.junos.configuration.statements import ROOT
from keyroll.junos.errors import CommitError

if TYPE_CHECKING:
    from tests.unit.emulator.junos.conftest import Console, FullBackend

ROUTER = [
    "set routing-options autonomous-system 65001",
    "set interfaces ge-0/0/0 unit 0 family inet address 10.0.0.1/30",
    "set protocols bgp group e neighbor 10.0.0.2 peer-as 65002",
]
PASTED = """\
class-of-service {
    interfaces {
        ge-0/0/0 {
            scheduler-map "the map";
            inactive: unit 0 {
                classifiers {
                    dscp [ a b ];
                }
            }
        }
    }
}
firewall {
    family inet {
        filter f {
            term t {
                then accept;
            }
        }
    }
}"""


def loaded(console: Console, text: str, how: str = "merge") -> list[str]:
    console.block = text
    return console.type(f"load {how} terminal").splitlines()[1:]


def test_whole_hierarchies_are_kept_as_pasted(console: Console) -> None:
    console.type("configure")
    assert loaded(console, PASTED)[-1] == "load complete"
    assert console.type("show") == PASTED
    assert console.type("show | display set").splitlines() == [
        'set class-of-service interfaces ge-0/0/0 scheduler-map "the map"',
        "set class-of-service interfaces ge-0/0/0 unit 0 classifiers dscp [ a b ]",
        "set firewall family inet filter f term t then accept",
        "deactivate class-of-service interfaces ge-0/0/0 unit 0",
    ]
    assert console.type("commit") == "commit complete"


def test_a_load_names_all_statements_without_effect_in_one_warning(console: Console) -> None:
    console.type("configure")
    assert loaded(console, PASTED)[:-1] == [
        "warning: kept without effect on this emulated router (3): class-of-service, firewall"
    ]
    lines = "\n".join(f"set snmp community c{number} authorization read-only" for number in range(40))
    assert loaded(console, lines, "set") == [
        "warning: kept without effect on this emulated router (40): snmp",
        "load complete",
    ]
    assert console.type("set chassis fpc 0 pic 0") == ""


def test_a_warning_counts_what_it_does_not_name(console: Console) -> None:
    console.type("configure")
    names = [child.name for child in ROOT.children if child.kind is Kind.OPAQUE][:15]
    warning, _ = loaded(console, "\n".join(f"set {name} x" for name in names), "set")
    assert warning.endswith(", and 3 more")


def test_typed_text_is_added_below_the_kept_lines_with_its_first_words(console: Console) -> None:
    console.type("configure")
    loaded(console, PASTED)
    console.type("set class-of-service interfaces ge-0/0/0 unit 0 forwarding-class best")
    console.type("set class-of-service interfaces ge-0/0/1 unit 0 forwarding-class best")
    console.type("set firewall family inet filter f term t then accept")
    assert console.type("show class-of-service").splitlines() == [
        "interfaces {",
        "    ge-0/0/0 {",
        '        scheduler-map "the map";',
        "        inactive: unit 0 {",
        "            classifiers {",
        "                dscp [ a b ];",
        "            }",
        "            forwarding-class best;",
        "        }",
        "    }",
        "    ge-0/0/1 unit 0 forwarding-class best;",
        "}",
    ]
    assert console.type("show firewall | display set") == "set firewall family inet filter f term t then accept"


def test_kept_text_is_deleted_by_its_first_words_across_lines(console: Console) -> None:
    console.type("configure")
    loaded(console, PASTED)
    console.type("set firewall family inet6 filter g term t then reject")
    console.type("set firewall family inet6 filter h term t then reject")
    assert console.type("delete firewall family inet6 filter g") == ""
    assert console.type("delete firewall family inet filter f term t") == ""
    assert console.type("show firewall | display set") == "set firewall family inet6 filter h term t then reject"
    assert console.type("delete firewall family inet6 filter g") == "warning: statement not found"
    assert console.type("delete firewall") == ""
    assert console.type("show firewall") == ""


def test_kept_text_can_be_deactivated_extended_and_compared(console: Console) -> None:
    console.type("configure")
    loaded(console, PASTED)
    console.type("commit", "edit class-of-service interfaces", "set ge-0/0/9 unit 3 x", "deactivate ge-0/0/0", "top")
    assert console.type("show | compare").splitlines() == [
        "[edit class-of-service interfaces]",
        "!    inactive: ge-0/0/0 { ... }",
        "+    ge-0/0/9 unit 3 x;",
    ]


def test_text_that_could_not_be_loaded_again_is_refused(console: Console) -> None:
    console.type("configure")
    assert "syntax error." in console.type("set firewall filter x } then")
    assert console.type('set firewall filter "x } then"') == ""
    text = console.type("show")
    console.type("delete firewall")
    assert loaded(console, text)[-1] == "load complete"
    assert console.type("show") == text


def test_a_secret_in_kept_text_is_not_logged(console: Console) -> None:
    console.type(
        "configure", "set access profile p client c chap-secret x", "set security ike policy p secret hushhush"
    )
    assert "hushhush" not in "\n".join(console.log) + console.type("run show log interactive-commands")
    assert "hushhush" in console.type("show security ike")


def kept_as_text(statement: Statement, words: tuple[str, ...] = ()) -> list[tuple[str, Statement]]:
    """Return (path in words, statement) of each statement kept as text; entries on the path have a valid key."""
    keys = {
        "IpAddress": "10.0.0.2",
        "Prefix": "10.0.0.0/30",
        "Integer": "1",
        "InterfaceName": "ge-0/0/0",
        "OneOf": None,
    }
    found = []
    for child in statement.children:
        if child.name == "groups":
            continue
        place = (*words, *([child.name] if child.name else []))
        if child.kind is Kind.OPAQUE:
            found.append((" ".join(place), child))
        elif child.children:
            if child.kind is Kind.ENTRY and child.value is not None:
                value = child.value
                key = keys.get(type(value).__name__, "name") or value.choices[0].name
                if type(value).__name__ == "Prefix" and getattr(value, "version", None) == 6:
                    key = "2001:db8::1/128"
                if type(value).__name__ == "IpAddress" and getattr(value, "version", None) == 6:
                    key = "2001:db8::1"
                if type(value).__name__ == "InterfaceName" and getattr(value, "logical", False):
                    key = "ge-0/0/0.0"
                place = (*place, key)
            found += kept_as_text(child, place)
    return found


def test_each_statement_kept_as_text_is_accepted_and_shown_again(console: Console) -> None:
    rows = kept_as_text(ROOT)
    assert len(rows) > 500
    lines = [f"set {words} some words" for words, _ in rows]
    console.type("configure")
    assert loaded(console, "\n".join(lines), "set")[-1] == "load complete"
    assert set(lines) == set(console.type("show | display set | no-more").splitlines())
    text = console.type("show")
    console.block = text
    assert console.type("load override terminal").splitlines()[-1] == "load complete"
    assert console.type("show") == text


@pytest.mark.parametrize(
    ("line", "where", "subject"),
    [
        (
            "set protocols bgp group e bfd-liveness-detection minimum-interval 300",
            "[edit protocols bgp group e]",
            "'bfd-liveness-detection minimum-interval 300'",
        ),
        ("set routing-options graceful-restart", "[edit routing-options]", "'graceful-restart'"),
        ("set protocols ldp graceful-restart disable", "[edit protocols ldp]", "'graceful-restart disable'"),
    ],
)
def test_a_statement_that_would_change_the_session_is_refused_by_name(
    console: Console, line: str, where: str, subject: str
) -> None:
    console.type("configure", *ROUTER)
    assert console.type(line) == ""
    for command in ("commit check", "commit"):
        answer = console.type(command).splitlines()
        assert answer[:2] == [where, f"  {subject}"]
        assert answer[2].startswith(f"    {NOT_EMULATED}")
        assert answer[-1].startswith("error: ")
    console.type(line.replace("set", "deactivate"))
    assert console.type("commit") == "commit complete"


def test_load_warns_of_statements_that_a_commit_will_refuse(console: Console) -> None:
    console.type("configure")
    assert loaded(console, "set routing-options graceful-restart", "set")[0] == (
        "warning: a commit will be refused, not emulated: routing-options graceful-restart"
    )


def test_the_client_distinguishes_a_limit_of_the_emulator_from_a_refusal(console: Console) -> None:
    console.type("configure", *ROUTER, "set routing-options graceful-restart")
    words = console.type("commit")
    assert CommitError("refused", router="R1", line="commit", words=words).not_emulated
    console.type("delete routing-options graceful-restart", "set protocols bgp group e export nobody")
    words = console.type("commit")
    assert "error:" in words
    assert not CommitError("refused", router="R1", line="commit", words=words).not_emulated


@pytest.mark.parametrize(
    ("lines", "limit"),
    [
        (
            [f"set protocols bgp group i {words}" for words in ("type internal", "local-as 65009", "peer-as 65003")],
            "local-as of an internal peer in another AS",
        ),
        (
            ["set protocols bgp group i local-as 65009", "set protocols bgp group i peer-as 65001"],
            "local-as towards a peer in the router's own AS",
        ),
        (["set protocols bgp group i type internal", "set protocols bgp group i ttl 1"], "ttl 1 of an internal peer"),
        (["set protocols bgp group i peer-as 65003", "set protocols bgp group i preference 4000"], "preference 4000"),
    ],
)
def test_values_that_bgpd_would_refuse_are_refused_by_commit_check_too(
    console: Console, lines: list[str], limit: str
) -> None:
    console.type("configure", *ROUTER, *lines, "set protocols bgp group i neighbor 10.0.0.3")
    for command in ("commit check", "commit"):
        assert f"{NOT_EMULATED}{limit}" in console.type(command)


def test_an_internal_peer_in_a_local_as_is_in_that_as(console: Console, full: FullBackend) -> None:
    group = "set protocols bgp group i"
    console.type(
        "configure", *ROUTER, f"{group} type internal", f"{group} local-as 65009", f"{group} neighbor 10.0.0.3"
    )
    for command in ("commit check", "commit"):
        assert "error" not in console.type(command)
    peer = full.intents[-1].neighbors[-1]
    assert (peer.peer_as, peer.local_as, peer.external) == (65009, 65009, False)


def test_options_that_bgpd_has_are_passed_to_the_machine_half(console: Console, full: FullBackend) -> None:
    group = "set protocols bgp group e"
    answer = console.type(
        "configure",
        *ROUTER,
        f"{group} multipath multiple-as",
        f"{group} remove-private all replace",
        f"{group} as-override",
        f"{group} preference 150",
        f"{group} ttl 255",
        f"{group} tcp-mss 1400",
        "set protocols bgp group i type internal",
        "set protocols bgp group i cluster 192.0.2.1",
        "set protocols bgp group i neighbor 10.0.0.3",
        "commit",
    )
    assert answer == "commit complete"
    external, internal = full.intents[-1].neighbors
    assert (external.multipath, external.multiple_as, external.as_override) == (True, True, True)
    assert (external.remove_private, external.preference) == ("all replace", 150)
    assert (external.ttl, external.tcp_mss) == (255, 1400)
    assert str(internal.cluster) == "192.0.2.1"


def test_families_without_effect_do_not_change_the_families_of_a_session(console: Console, full: FullBackend) -> None:
    console.type("configure", *ROUTER, "set protocols bgp group e family inet-vpn unicast", "commit")
    assert full.intents[-1].neighbors[0].families == ("inet-unicast",)


@pytest.mark.parametrize(
    "condition",
    ["tag 7", "rib inet.3", "route-filter 10.0.0.0/8 prefix-length-range /24-/28", "metric 5"],
)
def test_a_policy_with_a_condition_that_is_not_emulated_is_refused_once_it_is_used(
    console: Console, condition: str
) -> None:
    policy = "set policy-options policy-statement p term t"
    console.type("configure", *ROUTER, f"{policy} from {condition}", f"{policy} then accept")
    assert console.type("commit") == "commit complete"
    console.type("set protocols bgp group e export p")
    assert f"{NOT_EMULATED}policy p, term t: 'from {condition.split(maxsplit=1)[0]}'" in console.type("commit").replace(
        "from prefix-length-range", "from route-filter"
    )


def test_a_term_for_a_protocol_that_is_not_emulated_matches_no_route(console: Console, full: FullBackend) -> None:
    policy = "set policy-options policy-statement p term t"
    console.type("configure", *ROUTER, f"{policy} from protocol isis", f"{policy} then accept")
    assert console.type("set protocols bgp group e export p", "commit") == "commit complete"
    assert [own for own in full.intents[-1].announce["p"] if own.action.value == "accept"] == []


@pytest.mark.parametrize(
    "name", ["et-0/0/6", "xe-0/1/2:3", "ae12", "irb", "st0", "lo0", "fxp0", "re0:mgmt-0", "gr-0/0/10", "lt-1/0/0"]
)
def test_interfaces_of_every_kind_are_accepted(console: Console, name: str) -> None:
    console.type("configure", *ROUTER, f"set interfaces {name} unit 7 family inet address 10.9.9.9/24")
    assert console.type("commit") == "commit complete"
    assert f"set interfaces {name} unit 7 family inet address 10.9.9.9/24" in console.type("show | display set")


GROUPED = """\
groups {
    global {
        system {
            host-name BR1;
        }
    }
    GR-BGP {
        protocols {
            bgp {
                group <GR-*> {
                    type internal;
                    multipath;
                }
            }
        }
    }
}
apply-groups global;
routing-options {
    autonomous-system 65001;
}
protocols {
    bgp {
        apply-groups GR-BGP;
        group GR-IBGP {
            neighbor 10.0.0.2;
        }
        group GR-PLAIN {
            apply-groups-except GR-BGP;
            neighbor 10.0.0.3 {
                peer-as 65003;
            }
        }
    }
}"""


def test_display_inheritance_shows_inherited_statements_and_their_groups(console: Console) -> None:
    console.type("configure")
    loaded(console, GROUPED)
    assert console.type("commit") == "commit complete"
    assert console.type("show protocols bgp group GR-IBGP | display inheritance").splitlines() == [
        "##",
        "## 'internal' was inherited from group 'GR-BGP'",
        "##",
        "type internal;",
        "##",
        "## 'multipath' was inherited from group 'GR-BGP'",
        "##",
        "multipath;",
        "neighbor 10.0.0.2;",
    ]
    assert console.type("show system | display inheritance no-comments") == "host-name BR1;"
    shown = console.type("run show configuration | display inheritance no-comments")
    assert "groups" not in [line.split(" ")[0] for line in shown.splitlines()]


def test_nothing_is_inherited_from_a_group_in_apply_groups_except(console: Console, full: FullBackend) -> None:
    console.type("configure")
    loaded(console, GROUPED)
    console.type("commit")
    assert [neighbor.external for neighbor in full.intents[-1].neighbors] == [False, True]


def test_the_page_of_emulated_statements_is_up_to_date() -> None:
    page = Path(__file__).parents[4] / "docs" / "emulated.md"
    assert page.read_text(encoding="utf-8") == emulated.page()


def test_each_statement_without_effect_names_what_is_lost_and_each_refused_one_the_reason() -> None:
    def visit(statement: Statement) -> None:
        for child in statement.children:
            if child.kind is Kind.OPAQUE or child.effect is Effect.REFUSED:
                assert child.note, child.name
            visit(child)

    visit(ROOT)


def test_kept_text_has_the_same_lines_after_a_reboot(
    tmp_path: Path, full: FullBackend, open_console: Callable[..., Console]
) -> None:
    saved = tmp_path / "configuration"
    first = open_console(full, saved=saved)
    first.type("configure")
    loaded(first, PASTED)
    first.type("commit")
    again = open_console(full, saved=saved)
    assert again.type("configure", "show") == PASTED
