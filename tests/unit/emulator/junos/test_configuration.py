"""The candidate configuration: edits, levels, load, rollback, commit in its forms, groups, refusals."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from harness.emulator.junos.statements import without_effect
from harness.keychain.type9 import decode_type9

if TYPE_CHECKING:
    from conftest import Console, FullBackend

CHAIN = "set security authentication-key-chains key-chain c key 0"


def test_edit_moves_about_and_show_shows_from_there(console: Console) -> None:
    console.type("configure", "edit protocols bgp group e", "set peer-as 2")
    assert console.cli.banner == ["", "[edit protocols bgp group e]"]
    assert console.type("show") == "peer-as 2;"
    console.type("up")
    assert console.cli.banner[-1] == "[edit protocols bgp]"
    console.type("edit group f", "exit")
    assert console.cli.banner[-1] == "[edit protocols bgp]"
    console.type("top")
    assert console.cli.banner[-1] == "[edit]"
    assert console.type("show protocols bgp group e") == "peer-as 2;"
    assert console.type("show protocols bgp group e peer-as") == "peer-as 2;"
    assert console.type("edit protocols bgp group e peer-as 2").endswith("syntax error.")


def test_levels_with_families_go_up_in_one_step(console: Console) -> None:
    console.type("configure", "edit interfaces ge-0/0/0 unit 0 family inet", "set address 10.0.0.1/30")
    assert console.cli.banner[-1] == "[edit interfaces ge-0/0/0 unit 0 family inet]"
    assert console.type("show") == "address 10.0.0.1/30;"
    console.type("up")
    assert console.cli.banner[-1] == "[edit interfaces ge-0/0/0 unit 0]"
    assert console.type("show").splitlines() == ["family inet {", "    address 10.0.0.1/30;", "}"]
    console.type("top")
    assert console.type("show | display set") == "set interfaces ge-0/0/0 unit 0 family inet address 10.0.0.1/30"


def test_display_set_relative_leaves_out_where_one_stands(console: Console) -> None:
    console.type("configure", "edit protocols bgp group e", "set peer-as 2")
    assert console.type("show | display set") == "set protocols bgp group e peer-as 2"
    assert console.type("show | display set relative") == "set peer-as 2"


def test_several_attributes_may_stand_on_one_line(console: Console) -> None:
    console.type(
        "configure", f"{CHAIN} secret s start-time 2030-01-01.00:00 algorithm ao ao-attribute send-id 1 recv-id 2"
    )
    lines = console.type("show | display set").splitlines()
    assert len(lines) == 5
    assert lines[1].endswith('start-time "2030-1-1.00:00:00 +0000"')


def test_values_in_brackets_add_up_and_go_one_by_one(console: Console) -> None:
    console.type("configure", "set protocols bgp export [ a b ]", "set protocols bgp export c")
    assert console.type("show protocols bgp") == "export [ a b c ];"
    console.type("delete protocols bgp export b")
    assert console.type("show protocols bgp") == "export [ a c ];"
    console.type("delete protocols bgp export")
    assert console.type("show protocols bgp") == ""


def test_secrets_are_stored_as_type_9_and_typed_again_change_nothing(console: Console) -> None:
    console.type("configure", f"{CHAIN} secret geheim")
    first = console.type("show security authentication-key-chains key-chain c key 0 secret")
    assert first.endswith('"; ## SECRET-DATA')
    assert decode_type9(first.split('"')[1]).reveal() == b"geheim"
    console.type("commit", f"{CHAIN} secret geheim")
    assert console.type("show | compare") == ""
    console.type(f"{CHAIN} secret other")
    assert "-                secret" not in console.type("show | compare")
    assert "-    secret" in console.type("show | compare")
    assert "geheim" not in "\n".join(console.log)
    console.type(f'{CHAIN} secret "$9$kP5FCA0O1hqm6ApBSy"', "show | compare")
    assert '"$9$kP5FCA0O1hqm6ApBSy"' not in "\n".join(console.log)


@pytest.mark.parametrize(
    "line",
    [
        f"{CHAIN} secret hush-hush algorithm ao",
        "set sec auth key-c c k 0 se hush-hush",
        'set sec auth key-c c k 0 se "hush-hush and more" al ao',
        "set protocols bgp group g authentication-key hush-hush",
        "set protocols ldp session 10.0.0.1 authentication-key hush-hush",
        'set system login user u authentication encrypted-p "$6$hush-hush"',
        f"{CHAIN} secret $9$hush-hush",
        f"{CHAIN} secret hush-hush{'x' * 130} algorithm ao",
        f"{CHAIN} secret hush-hush nonsense",
    ],
)
def test_no_secret_is_kept_in_log_or_history(console: Console, line: str) -> None:
    console.type("configure", line)
    assert "hush-hush" not in console.cli.history_form(line)
    assert "more" not in console.cli.history_form(line)
    assert "hush-hush" not in "\n".join(console.log)


@pytest.mark.parametrize("text", ["$9$", "$9$kP5FCA0O1hqm6ApBS", "$9$~~~~", "x" * 127])
def test_a_secret_that_cannot_be_is_refused_without_being_shown(console: Console, text: str) -> None:
    answer = console.type("configure", f"{CHAIN} secret {text}")
    assert "^" in answer
    assert text not in answer


def test_start_times_are_normalised_in_the_routers_zone(console: Console, full: FullBackend) -> None:
    console.type("configure", "set system time-zone America/New_York", "commit")
    full.clock = datetime(2030, 7, 1, 12, 0, 30, tzinfo=UTC)
    for typed, stored in {
        "2022-08-26.08:38:16": "2022-8-26.08:38:16 -0400",
        "2022-01-02.03:04": "2022-1-2.03:04:00 -0500",
        "now": "2030-7-1.08:00:30 -0400",
        "2day": "2030-7-3.08:00:30 -0400",
        "5min": "2030-7-1.08:05:30 -0400",
    }.items():
        console.type(f"{CHAIN} start-time {typed}")
        shown = console.type("show security authentication-key-chains key-chain c key 0 start-time")
        assert shown == f'start-time "{stored}";'
    refused = console.type(f'{CHAIN} start-time "2026-25-2.14:25:00 -0300"')
    assert "invalid date and time" in refused


@pytest.mark.parametrize(
    ("line", "message", "word"),
    [
        (
            "set security authentication-key-chains key-chain c key 64",
            "Value 64 is not within range (0..63) at '64'",
            "64",
        ),
        (f"{CHAIN} ao-attribute send-id 256", "Value 256 is not within range (0..255) at '256'", "256"),
        (f"{CHAIN} ao-attribute send-id one", "invalid numeric value: 'one' at 'one'", "one"),
        ("set interfaces ge-0/0/0 mtu 9228", "Value 9228 is not within range (256..9192) at '9228'", "9228"),
        (
            "set security authentication-key-chains key-chain __a__",
            "Must be string of 32 characters or less with no spaces",
            "__a__",
        ),
        ("set interfaces xe-0/0/0 unit 0", "invalid interface type in 'xe-0/0/0'", "xe"),
        ("set routing-options router-id 10.0.0", "invalid value '10.0.0' in ip address: '10.0.0'", "10.0.0"),
        ("set protocols ospf area 0", "syntax error.", "ospf"),
        ("set protocols bgp group e type both", "syntax error.", "both"),
        ("set protocols bgp hold-time 2", "Value 2 is not within range (3..65535) at '2'", "2"),
    ],
)
def test_a_wrong_word_is_pointed_at(console: Console, line: str, message: str, word: str) -> None:
    caret, shown = console.type("configure", line).splitlines()
    assert shown == message
    assert caret.index("^") == len(console.cli.prompt) + line.rindex(f" {word}") + 1


def test_what_is_missing_or_ambiguous_is_said(console: Console) -> None:
    console.type("configure")
    assert console.type("set system host-name").splitlines()[1] == "missing argument."
    assert console.type("set protocols bgp group e a x").splitlines()[1:3] == [
        "'a' is ambiguous.",
        "Possible completions:",
    ]
    assert console.type("foo").splitlines()[1] == "unknown command."
    assert console.type("delete system host-name") == "warning: statement not found"
    assert console.type('set system host-name "R').splitlines()[1] == "unmatched quote."


def test_deactivated_statements_stay_and_have_no_effect(console: Console, full: FullBackend) -> None:
    console.type(
        "configure", "set routing-options autonomous-system 1", "set routing-options router-id 10.0.0.1", "commit"
    )
    console.type("deactivate routing-options router-id")
    assert console.type("show | compare").splitlines() == [
        "[edit routing-options]",
        "!  inactive: router-id 10.0.0.1;",
    ]
    console.type("commit")
    assert full.intents[-1].router_id is None
    assert "inactive: router-id 10.0.0.1;" in console.type("show routing-options")
    assert console.type("show | display set").splitlines()[-1] == "deactivate routing-options router-id"
    console.type("activate routing-options router-id", "commit")
    assert str(full.intents[-1].router_id) == "10.0.0.1"


def test_rollback_goes_back_fifty_commits_and_no_further(console: Console) -> None:
    console.type("configure")
    for number in range(60):
        console.type(f"set system host-name R{number}", "commit")
    assert console.type("rollback 49") == "load complete"
    assert "host-name R10;" in console.type("show")
    assert "not within range (0..49)" in console.type("rollback 50")
    assert console.type("rollback", "show | compare") == ""
    assert console.type("show | compare rollback 1").splitlines() == [
        "[edit system]",
        "-  host-name R58;",
        "+  host-name R59;",
    ]


def test_a_rollback_that_is_not_there_is_refused(console: Console) -> None:
    assert console.type("configure", "rollback 7") == "error: rollback configuration 7 not available"


def test_commit_forms(console: Console, full: FullBackend) -> None:
    console.type("configure", "set system host-name R2")
    assert console.type("commit check") == "configuration check succeeds"
    assert full.intents == []
    assert console.type('commit comment "a night change" and-quit').splitlines() == [
        "commit complete",
        "Exiting configuration mode",
    ]
    assert console.cli.prompt == "admin@R2> "
    assert console.type("show system commit").splitlines()[1] == "    a night change"
    assert any(
        "UI_COMMIT: User 'admin' requested 'commit' operation (comment: a night change)" in line for line in console.log
    )


def test_an_unconfirmed_commit_is_taken_back(console: Console, full: FullBackend) -> None:
    loop = console.runner.get_loop()
    console.type("configure", "set system host-name R2", "commit", "set system host-name R3")
    answer = console.type("commit confirmed 5").splitlines()
    assert answer == [
        "commit confirmed will be automatically rolled back in 5 minutes unless confirmed",
        "commit complete",
    ]
    assert "# commit confirmed will be rolled back in 5 minutes" in _banner(console)
    store = console.router._chassis.store
    deadline = store._deadline
    assert deadline is not None
    assert deadline.when() - loop.time() == pytest.approx(300, abs=5)
    full.clock += timedelta(days=1)  # the router's clock does not matter
    take_back = deadline._callback, *deadline._args
    deadline.cancel()
    loop.call_soon(*take_back)
    console.settle()
    console.settle()
    assert full.intents[-1].host_name == "R2"
    assert console.cli.prompt == "admin@R2# "


def test_a_confirmed_commit_stays(console: Console) -> None:
    console.type("configure", "set system host-name R2", "commit confirmed", "commit")
    assert console.router._chassis.store._deadline is None
    assert not any("confirmed" in line for line in _banner(console))


def _banner(console: Console) -> list[str]:
    async def read() -> list[str]:
        return console.cli.banner

    return console.runner.run(read())


def test_groups_are_inherited_and_the_configuration_wins(console: Console, full: FullBackend) -> None:
    console.type(
        "configure",
        "set groups common protocols bgp group <*> hold-time 30",
        "set groups common protocols bgp group <*> neighbor <10.*> passive",
        "set groups common routing-options autonomous-system 65001",
        "set apply-groups common",
        "set protocols bgp group e neighbor 10.0.0.2 peer-as 2",
        "set protocols bgp group f neighbor 192.0.2.1 peer-as 3",
        "set protocols bgp group f hold-time 60",
    )
    assert console.type("commit") == "commit complete"
    first, second = full.intents[-1].neighbors
    assert (first.hold_time, first.passive) == (30, True)
    assert (second.hold_time, second.passive) == (60, False)
    assert full.intents[-1].autonomous_system == 65001
    assert "hold-time 30" not in console.type("show protocols")
    answer = console.type("set protocols apply-groups missing", "commit")
    assert answer.splitlines()[:3] == [
        "[edit protocols]",
        "  'apply-groups missing'",
        "    group 'missing' is not defined",
    ]


def test_groups_are_shown_loaded_and_deleted_in_junos_own_form(console: Console) -> None:
    text = """\
groups {
    global {
        system {
            host-name R7;
        }
    }
    timers {
        protocols {
            bgp {
                group <*> {
                    hold-time 30;
                }
            }
        }
    }
}
apply-groups [ global timers ];"""
    console.block = text
    console.type("configure")
    assert console.type("load override terminal").splitlines()[-1] == "load complete"
    assert console.type("show") == text
    assert console.type("show groups").splitlines()[0] == "global {"
    assert "set groups timers protocols bgp group <*> hold-time 30" in console.type("show | display set")
    assert console.type("commit") == "commit complete"
    assert console.cli.prompt == "admin@R7# "
    assert console.type("edit groups global system", "show") == "host-name R7;"
    assert console.type("top", "delete apply-groups", "delete groups", "show") == ""


KEPT = """\
system {
    root-authentication {
        encrypted-password "$6$made$up"; ## SECRET-DATA
    }
    login {
        message "Authorized use only";
        class ops {
            idle-timeout 30;
            permissions [ view view-configuration network trace ];
            allow-commands "(show .*)|(ping .*)";
        }
        user lab {
            full-name "Lab user";
            uid 2000;
            class ops;
        }
    }
    services {
        ssh {
            root-login allow;
            connection-limit 10;
            rate-limit 5;
            max-sessions-per-connection 32;
            protocol-version v2;
        }
    }
    domain-search [ lab.example.net example.net ];
    authentication-order [ radius password ];
    name-server {
        192.0.2.53;
        198.51.100.53;
    }
    syslog {
        user * {
            any emergency;
        }
        host 192.0.2.99 {
            any notice;
            facility-override local3;
            source-address 192.0.2.1;
        }
        file bgp.log {
            daemon any;
            match RPD_BGP;
            archive {
                size 1m;
                files 5;
                world-readable;
            }
        }
    }
    ntp {
        server 192.0.2.123 prefer;
        server 192.0.2.124 version 4;
    }
}
chassis {
    fpc 0 {
        pic 0 {
            port 0 {
                speed 10g;
            }
        }
    }
}
snmp {
    community public {
        authorization read-only;
        clients {
            192.0.2.0/24;
            0.0.0.0/0 restrict;
        }
    }
    trap-group managers {
        version v2;
        categories {
            link;
            routing;
        }
        targets {
            192.0.2.88;
        }
    }
}"""


def test_what_labs_configure_around_routing_is_kept_as_it_was(console: Console) -> None:
    console.block = KEPT
    console.type("configure")
    assert console.type("load override terminal").splitlines() == [
        "[Type ^D at a new line to end input]",
        "load complete",
    ]
    assert console.type("show") == KEPT
    assert console.type("commit") == "commit complete"


def test_short_forms_of_interfaces_and_prefixes_are_taken(console: Console) -> None:
    console.type("configure", "set interfaces ge-0/0/0.0 family inet address 10.0.12.1/30")
    assert console.type("show interfaces | display set") == (
        "set interfaces ge-0/0/0 unit 0 family inet address 10.0.12.1/30"
    )
    assert console.type("edit interfaces ge-0/0/0.0", "show").splitlines()[0] == "family inet {"
    assert console.cli.banner[-1] == "[edit interfaces ge-0/0/0 unit 0]"
    assert console.type("top", "delete interfaces ge-0/0/0.0", "show interfaces") == "ge-0/0/0;"
    assert "ge-0/0/0.0.0" not in console.type("set interfaces ge-0/0/0.0.0 family inet", "show")
    assert console.type("set interfaces ge-0/0/0. family inet").splitlines()[0].strip() == "^"
    console.type("set routing-options static route 0/0 next-hop 10.0.12.2")
    console.type("set routing-options static route 10.1/16 next-hop 10.0.12.2")
    shown = console.type("show routing-options")
    assert "route 0.0.0.0/0 next-hop 10.0.12.2;" in shown
    assert "route 10.1.0.0/16 next-hop 10.0.12.2;" in shown
    assert "invalid prefix '999/8'" in console.type("set routing-options static route 999/8 discard")


def test_all_values_of_a_statement_are_shown_by_its_name(console: Console) -> None:
    group = "protocols bgp group g"
    console.type("configure", f"set {group} export [ A B ]", f"set {group} type internal", f"set {group} import C")
    assert console.type(f"show {group} export") == "export [ A B ];"
    assert console.type(f"show {group} export | display set").splitlines() == [
        f"set {group} export A",
        f"set {group} export B",
    ]
    assert "import" not in console.type(f"show {group} export | compare")
    console.type(f"delete {group} export A")
    assert console.type(f"edit {group}", "show export") == "export B;"
    assert console.type("top", "set apply-groups [ x y ]", "show apply-groups") == "apply-groups [ x y ];"
    assert console.type("show routing-options", f"show {group} neighbor 10.0.0.1 export") == ""


def test_a_value_that_reads_like_a_tag_is_quoted(console: Console) -> None:
    console.type("configure", "set snmp location inactive:", "set version protect:")
    console.block = console.type("show")
    assert 'location "inactive:";' in console.block
    assert console.type("load override terminal").splitlines()[-1] == "load complete"
    assert console.type("show") == console.block


def test_a_command_behind_top_is_done_as_from_the_top_and_one_stays(console: Console) -> None:
    console.type("configure", "edit protocols bgp group g")
    console.type("set type internal", "top set system host-name R2")
    assert console.cli.banner[-1] == "[edit protocols bgp group g]"
    assert console.type("top show system") == "host-name R2;"
    assert console.type("top show | compare").splitlines()[0] == "[edit]"
    assert "protocols bgp group g" in console.type("top show | display set")
    assert console.type("show") == "type internal;"
    assert console.type("top set nonsense").splitlines()[-1] == "syntax error."
    assert console.cli.banner[-1] == "[edit protocols bgp group g]"
    console.type("top edit system")
    assert console.cli.banner[-1] == "[edit system]"
    assert "> system " in "\n".join(console.cli.help_text("top show s"))
    assert "geheim" not in console.cli.redacted(
        "top set security authentication-key-chains key-chain c key 0 sec geheim"
    )


def test_a_body_in_one_line_that_is_inactive_is_loaded_as_it_was_shown(console: Console) -> None:
    console.type("configure", "set policy-options community PEERS members 65000:1")
    console.type("deactivate policy-options community PEERS")
    shown = console.type("show policy-options")
    assert "inactive: community PEERS members 65000:1;" in shown
    lines = console.type("show | display set relative").splitlines()
    console.block = console.type("show | no-more")
    assert "load complete" in console.type("load override terminal")
    assert console.type("show policy-options") == shown
    assert console.type("show | display set relative").splitlines() == lines
    assert "deactivate policy-options community PEERS" in lines


def test_a_value_without_a_name_is_deactivated_with_what_it_is_the_body_of(console: Console) -> None:
    console.type("configure", "set policy-options as-path LONG 65000", "deactivate policy-options as-path LONG 65000")
    assert "inactive: as-path LONG 65000;" in console.type("show policy-options")
    assert "deactivate policy-options as-path LONG" in console.type("show | display set relative").splitlines()
    console.type("activate policy-options as-path LONG 65000")
    assert "inactive" not in console.type("show policy-options")


def test_load_merges_overrides_and_says_what_it_cannot_read(console: Console) -> None:
    console.type("configure", "set system host-name R2")
    console.block = """\
## Last commit: 2030-01-01 00:00:00 UTC by admin
version 23.2R1.14;
system {
    root-authentication {
        encrypted-password "$6$salt$hash"; ## SECRET-DATA
    }
    services { ssh; netconf { ssh; } }
    nonsense { deep { er; } }
    inactive: domain-name example.net;
}
interfaces {
    fxp0 { unit 0 { family inet { address 10.0.0.15/24; } } }
    ge-0/0/0 {
        mtu 100;
        unit 0 { family inet { address 10.0.12.1/30; } }
    }
}
"""
    answer = console.type("load merge terminal").splitlines()
    assert answer[1:] == [
        "terminal:8:(4) syntax error: nonsense",
        "terminal:14:(12) Value 100 is not within range (256..9192) at '100'",
        "load complete (2 errors)",
    ]
    shown = console.type("show")
    for part in ("host-name R2;", "inactive: domain-name example.net;", "address 10.0.12.1/30;", "netconf {", "fxp0 {"):
        assert part in shown
    console.block = "system { host-name R3; }"
    assert console.type("load override terminal").splitlines()[-1] == "load complete"
    assert console.type("show | display set") == "set system host-name R3"
    console.block = "set system host-name R4\nset routing-options router-id 10.0.0.1\nset foo\ndelete routing-options"
    assert console.type("load set terminal").splitlines()[1:] == [
        "terminal:3:(4) syntax error",
        "load complete (1 errors)",
    ]
    assert console.type("show | display set") == "set system host-name R4"


def test_an_override_that_cannot_be_read_changes_nothing(console: Console) -> None:
    console.type("configure", "set system host-name R2")
    console.block = "system { host-name R3; "
    assert "errors" in console.type("load override terminal")
    assert console.type("show | display set") == "set system host-name R2"


def test_insert_changes_the_order_of_terms(console: Console) -> None:
    policy = "policy-options policy-statement p term"
    console.type("configure", *(f"set {policy} {name} then accept" for name in "abc"), "commit")
    console.type(f"insert {policy} c before term a")
    assert [
        line.split()[1] for line in console.type("show policy-options policy-statement p").splitlines()[::3]
    ] == list("cab")
    assert console.type("show | compare").splitlines() == [
        "[edit policy-options policy-statement p]",
        "!    term c { ... }",
        "     term a { ... }",
    ]
    console.type("edit policy-options policy-statement p", "insert term c after term b")
    assert console.type("show | compare") == ""
    assert console.type("insert term z before term a") == "warning: statement not found"
    for wrong in ("insert term a", "insert term a before", "insert term a before from", "insert term a before term a"):
        assert "^" in console.type(wrong)


def test_delete_of_everything_is_asked_for(console: Console) -> None:
    console.type("configure", "set system host-name R2")
    console.answers = ["no", "yes"]
    console.type("delete")
    assert console.type("show | display set") == "set system host-name R2"
    console.type("delete")
    assert console.type("show") == ""


@pytest.mark.parametrize("mode", ["exclusive", "private"])
def test_configure_exclusive_and_private_are_refused_plainly(console: Console, mode: str) -> None:
    assert console.type(f"configure {mode}").startswith(f"error: configure {mode} is not supported")
    assert not console.cli.configuring


@pytest.mark.parametrize(
    ("lines", "refused"),
    [
        (
            ["set protocols bgp group e authentication-algorithm ao"],
            "May not be configured without authentication-key-chain",
        ),
        (
            [
                f"{CHAIN} secret s",
                "set protocols bgp authentication-key-chain c",
                "set protocols bgp authentication-key k",
            ],
            "May not be configured with authentication-key",
        ),
        (["set protocols ldp session 10.0.0.1 authentication-key-chain c"], "Referenced key-chain must be defined"),
        ([f"{CHAIN} ao-attribute send-id 1"], "Can only be configured with authentication-algorithm ao"),
        ([f"{CHAIN} algorithm md5 ao-attribute send-id 1"], "Can only be configured with authentication-algorithm ao"),
        (["set protocols bgp group e neighbor 10.0.0.2 peer-as 2"], "local AS number must be configured"),
        (
            ["set routing-options autonomous-system 1", "set protocols bgp group e neighbor 10.0.0.2"],
            "peer AS number must be configured for an external peer",
        ),
        (
            [
                "set routing-options autonomous-system 1",
                "set protocols bgp group e neighbor 10.0.0.2 peer-as 2",
                "set protocols bgp group e export gone",
            ],
            "Policy gone referenced but not defined",
        ),
    ],
)
def test_what_cannot_be_committed_is_refused_with_the_reason(
    console: Console, full: FullBackend, lines: list[str], refused: str
) -> None:
    answer = console.type("configure", *lines, "commit")
    assert refused in answer
    assert answer.splitlines()[-1].startswith("error: ")
    assert full.intents == []


def test_configurations_survive_a_reboot(
    open_console: Callable[..., Console], full: FullBackend, tmp_path: Path
) -> None:
    file = tmp_path / "saved.json"
    first = open_console(full, saved=file)
    first.type("configure", f"{CHAIN} secret s", "set system host-name R2", "commit", "set snmp location x")
    first.type("deactivate snmp", "commit comment later", "exit")
    assert file.stat().st_mode & 0o777 == 0o600
    again = open_console(full, saved=file)
    assert again.cli.prompt == "admin@R2> "
    assert full.intents[-1].chains[0].keys[0].secret is not None
    assert again.type("show configuration | display set") == first.type("show configuration | display set")
    assert again.type("show system commit") == first.type("show system commit")


def test_a_saved_configuration_that_cannot_be_read_is_said_and_the_router_comes_up(
    open_console: Callable[..., Console], full: FullBackend, tmp_path: Path
) -> None:
    file = tmp_path / "saved.json"
    file.write_text("{")
    console = open_console(full, saved=file)
    assert any("saved configuration cannot be read" in line for line in console.log)
    assert "Hostname" in console.type("show version")


def test_a_commit_that_cannot_be_saved_is_in_force_and_says_so(
    open_console: Callable[..., Console], full: FullBackend, tmp_path: Path
) -> None:
    console = open_console(full, saved=tmp_path / "gone" / "saved.json")
    assert console.type("configure", "set system host-name R2", "commit") == "commit complete"
    assert any("UI_SAVE_FAILED" in line for line in console.log)


def test_a_disabled_interface_reaches_the_machine_half(console: Console, full: FullBackend) -> None:
    console.type("configure", "set interfaces ge-0/0/0 unit 0 family inet address 10.0.0.1/30", "commit")
    assert not full.intents[-1].units[0].disabled
    console.type("set interfaces ge-0/0/0 disable", "commit")
    assert full.intents[-1].units[0].disabled


def test_a_check_asks_the_machine_half_what_it_could_not_do(console: Console, full: FullBackend) -> None:
    full.cannot = "there is no ge-0/0/7"
    answer = console.type("configure", "set system host-name R2", "commit check").splitlines()
    assert answer == [
        "error: there is no ge-0/0/7 of R2",
        "error: configuration check-out failed: (configuration could not be applied)",
    ]
    assert console.type("commit").splitlines()[-1] == "error: commit failed: (configuration could not be applied)"
    assert full.intents == []


def test_what_has_no_effect_is_listed() -> None:
    assert {
        "system login message",
        "system login user class",
        "system services",
        "system syslog",
        "system ntp",
        "chassis",
        "snmp",
    } <= set(without_effect())


def test_a_mistake_in_a_pasted_body_leaves_no_empty_entry(console: Console) -> None:
    console.block = """
    protocols {
        bgp {
            group e {
                neighbor 10.0.0.2 {
                    peer-az 65002;
                }
                inactive: neighbor 10.0.0.3 {
                    peer-as 65002;
                    nonsense;
                }
                neighbor 10.0.0.4 {
                }
            }
        }
    }
    """
    answer = console.type("configure", "load merge terminal")
    assert answer.splitlines()[-1] == "load complete (2 errors)"
    assert console.type("show protocols bgp | display set").splitlines() == [
        "set protocols bgp group e neighbor 10.0.0.3 peer-as 65002",
        "set protocols bgp group e neighbor 10.0.0.4",
        "deactivate protocols bgp group e neighbor 10.0.0.3",
    ]


def test_static_routes_stand_in_the_table_of_their_family(console: Console, full: FullBackend) -> None:
    console.type(
        "configure",
        "set routing-options static route 192.0.2.0/24 discard",
        "set routing-options static route 198.51.100.0/24 next-hop 10.0.0.2",
        "set routing-options rib inet6.0 static route 2001:db8:1::/48 next-hop 2001:db8::2",
        "set routing-options rib inet6.0 static route 2001:db8:2::/48 reject",
    )
    assert console.type("commit") == "commit complete"
    assert [(str(prefix), str(getattr(to, "value", to))) for prefix, to in full.intents[-1].static_routes] == [
        ("192.0.2.0/24", "discard"),
        ("198.51.100.0/24", "10.0.0.2"),
        ("2001:db8:1::/48", "2001:db8::2"),
        ("2001:db8:2::/48", "reject"),
    ]
    console.type("set routing-options static route 2001:db8:3::/48 next-hop 2001:db8::2")
    refused = console.type("commit")
    assert "[edit routing-options static]" in refused
    assert "'route 2001:db8:3::/48'\n    Route of IPv6: configure it under 'rib inet6.0'" in refused
    console.type("rollback", "set routing-options rib inet6.0 static route 10.1.0.0/16 discard")
    assert "Route is not of this table's family" in console.type("commit")
    console.type("rollback", "set routing-options static route 10.2.0.0/16 next-hop 2001:db8::2")
    assert "next hop 2001:db8::2 is not of the route's family" in console.type("commit")


def test_a_pasted_mistake_never_names_what_may_be_a_part_of_a_secret(console: Console) -> None:
    console.block = "protocols { bgp { group g { authentication-key my hush-hush; passiv yes; } } }"
    answer = console.type("configure", "load merge terminal")
    assert "hush-hush" not in answer
    assert answer.splitlines()[-1] == "load complete (2 errors)"


def test_a_configuration_like_a_real_labs_is_taken_but_for_what_is_named(console: Console, full: FullBackend) -> None:
    console.block = (Path(__file__).parent / "pasted" / "isp_lab.conf").read_text()
    answer = console.type("configure", "load override terminal").splitlines()
    refused = [mistake.partition(") ")[2] for mistake in answer[1:-1]]
    assert refused == [
        "syntax error: iso",
        "syntax error: flexible-vlan-tagging",
        "syntax error: encapsulation",
        "syntax error: vlan-id",
        "invalid interface type in 'xe-0/1/0'",
        "invalid interface type in 'ae0'",
        "syntax error: iso",
        "syntax error: reject",
        "syntax error: load-balance",
        "syntax error: forwarding-table",
        "syntax error: rsvp",
        "syntax error: multipath",
        "syntax error: ospf",
        "syntax error: lldp",
    ]
    assert answer[-1] == "load complete (14 errors)"
    console.type("load merge terminal")  # with mistakes an override changes nothing
    assert console.type("commit") == "commit complete"
    (neighbor,) = full.intents[-1].neighbors
    assert neighbor.protection is not None
    assert neighbor.protection.chain == "isp-chain"
    assert neighbor.limits["inet-unicast"].maximum == 1000
