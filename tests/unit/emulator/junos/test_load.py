"""Loading configurations: merge, override and replace, pastes with mistakes, text kept as it was shown."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from keyroll.emulator.junos.configuration.statements import without_effect
from keyroll.emulator.junos.shell.cli import command_line

if TYPE_CHECKING:
    from tests.unit.emulator.junos.conftest import Console, FullBackend


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


def test_system_statements_of_a_lab_router_are_kept_as_loaded(console: Console) -> None:
    console.block = KEPT
    console.type("configure")
    _, warning, last = console.type("load override terminal").splitlines()
    assert warning.startswith("warning: kept without effect on this emulated router (")
    assert last == "load complete"
    assert console.type("show") == KEPT
    assert console.type("commit") == "commit complete"


def test_an_inactive_body_on_one_line_is_loaded_as_it_was_shown(console: Console) -> None:
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


def test_a_value_without_a_name_is_deactivated_with_its_parent_statement(console: Console) -> None:
    console.type("configure", "set policy-options as-path LONG 65000", "deactivate policy-options as-path LONG 65000")
    assert "inactive: as-path LONG 65000;" in console.type("show policy-options")
    assert "deactivate policy-options as-path LONG" in console.type("show | display set relative").splitlines()
    console.type("activate policy-options as-path LONG 65000")
    assert "inactive" not in console.type("show policy-options")


def test_load_merges_overrides_and_reports_what_it_cannot_read(console: Console) -> None:
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
        "terminal:8:(12) syntax error: nonsense",
        "  [edit system]",
        "    'nonsense'",
        "      syntax error",
        "terminal:8:(29) error recovery ignores input until this point: }",
        "terminal:14:(12) Value 100 is not within range (256..16000) at '100'",
        "warning: kept without effect on this emulated router (4): version, system services, system domain-name",
        "load complete (3 errors)",
    ]
    shown = console.type("show")
    for part in ("host-name R2;", "inactive: domain-name example.net;", "address 10.0.12.1/30;", "netconf {", "fxp0 {"):
        assert part in shown
    console.block = "system { host-name R3; }"
    assert console.type("load override terminal").splitlines()[-1] == "load complete"
    assert console.type("show | display set") == "set system host-name R3"
    console.block = "set system host-name R4\nset routing-options router-id 10.0.0.1\nset foo\ndelete routing-options"
    assert console.type("load set terminal").splitlines()[1:] == [
        "terminal:3:(4) syntax error: foo",
        "load complete",
    ]
    assert console.type("show | display set") == "set system host-name R4"


def test_an_override_that_cannot_be_read_changes_nothing(console: Console) -> None:
    console.type("configure", "set system host-name R2")
    console.block = "system { host-name R3; "
    assert "errors" in console.type("load override terminal")
    assert console.type("show | display set") == "set system host-name R2"


def test_statements_without_effect_are_listed() -> None:
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


def test_the_error_of_a_pasted_mistake_never_shows_what_may_be_part_of_a_secret(console: Console) -> None:
    console.block = "protocols { bgp { group g { authentication-key my hush-hush; passiv yes; } } }"
    answer = console.type("configure", "load merge terminal")
    assert "hush-hush" not in answer
    assert answer.splitlines()[-1] == "load complete (2 errors)"


def test_a_configuration_like_that_of_a_real_lab_is_accepted(console: Console, full: FullBackend) -> None:
    console.block = (Path(__file__).parent / "pasted" / "isp_lab.conf").read_text()
    answer = console.type("configure", "load override terminal").splitlines()
    assert answer[1].startswith("warning: kept without effect on this emulated router")
    assert answer[-1] == "load complete"
    assert console.type("commit") == "commit complete"
    (neighbor,) = full.intents[-1].neighbors
    assert neighbor.protection is not None
    assert neighbor.protection.chain == "isp-chain"
    assert neighbor.limits["inet-unicast"].maximum == 1000


def test_set_lines_apply_at_the_level_that_edit_top_up_and_exit_select(console: Console) -> None:
    console.block = """
# a comment
edit protocols bgp group g
set type internal
edit neighbor 10.0.0.2
set passive
exit
set neighbor 10.0.0.3
up
set group h neighbor 10.0.0.4
top
set system host-name R9
edit interfaces ge-0/0/0 unit 0 family inet
set address 10.0.0.1/30
up 2
set disable
"""
    assert console.type("configure", "load set terminal").splitlines()[-1] == "load complete"
    assert console.type("show | display set").splitlines() == [
        "set system host-name R9",
        "set interfaces ge-0/0/0 disable",
        "set interfaces ge-0/0/0 unit 0 family inet address 10.0.0.1/30",
        "set protocols bgp group g type internal",
        "set protocols bgp group g neighbor 10.0.0.2 passive",
        "set protocols bgp group g neighbor 10.0.0.3",
        "set protocols bgp group h neighbor 10.0.0.4",
    ]


def test_edits_of_other_sessions_wait_until_a_load_has_finished(console: Console) -> None:
    lines = [f"set policy-options prefix-list p 10.0.{one}.{two}/32" for one in range(20) for two in range(100)]
    other = command_line(console.router._state, "second", console)
    turns: list[int] = []

    async def play() -> None:
        console.block = "\n".join(lines)
        await console.cli.execute("configure")
        await other.execute("configure")
        loading = asyncio.ensure_future(console.cli.execute("load set terminal"))
        while not loading.done():
            await asyncio.sleep(0)
            turns.append(len(turns))
            if len(turns) == 2:
                answer = await other.execute("show policy-options | count")
                assert answer.lines == [f"Count: {len(lines) + 2} lines"]
        assert list((await loading).lines) == ["load complete"]

    console.written = []
    console.runner.run(play())
    assert len(turns) >= 2


def test_a_set_line_with_a_mistake_is_loaded_up_to_the_mistake(console: Console) -> None:
    console.block = "set routing-options autonomous-system 65000 metric 65450\nset system host-name R2 secret abc"
    assert console.type("configure", "load set terminal").splitlines()[1:] == [
        "terminal:1:(44) syntax error: metric",
        "terminal:2:(24) syntax error",
        "load complete",
    ]
    assert console.type("show | display set").splitlines() == [
        "set system host-name R2",
        "set routing-options autonomous-system 65000",
    ]


def test_a_body_without_a_valid_statement_is_reported(console: Console) -> None:
    console.block = "protocols {\n    ldp {\n        metric 5;\n    }\n}\n"
    assert console.type("configure", "load merge terminal").splitlines()[1:] == [
        "terminal:3:(14) syntax error: metric",
        "  [edit protocols ldp]",
        "    'metric 5;'",
        "      syntax error",
        "[edit protocols]",
        "  'ldp'",
        "    warning: statement has no contents; ignored",
        "[edit]",
        "  'protocols'",
        "    warning: statement has no contents; ignored",
        "load complete (1 errors)",
    ]


def test_load_replace_replaces_only_the_tagged_statements(console: Console) -> None:
    console.type(
        "configure",
        "set protocols bgp group a neighbor 10.0.0.1 peer-as 1",
        "set protocols bgp group b neighbor 10.0.0.2 peer-as 2",
        "set routing-options router-id 10.0.0.9",
        "set routing-options autonomous-system 65000",
    )
    console.block = """
protocols { bgp { replace: group a { neighbor 10.0.0.3 { peer-as 3; } }
group b { neighbor 10.0.0.4 { peer-as 4; } } } }
replace: routing-options { router-id 10.0.0.8; }
"""
    assert console.type("load replace terminal").splitlines()[1:] == ["load complete"]
    assert console.type("show | display set").splitlines() == [
        "set routing-options router-id 10.0.0.8",
        "set protocols bgp group a neighbor 10.0.0.3 peer-as 3",
        "set protocols bgp group b neighbor 10.0.0.2 peer-as 2",
        "set protocols bgp group b neighbor 10.0.0.4 peer-as 4",
    ]
