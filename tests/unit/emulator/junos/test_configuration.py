"""The candidate configuration: edits, levels, groups, secrets and error messages."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from keyroll.keychain.type9 import decode_type9

if TYPE_CHECKING:
    from tests.unit.emulator.junos.conftest import Console, FullBackend

CHAIN = "set security authentication-key-chains key-chain c key 0"


def test_edit_changes_the_level_and_show_is_relative_to_it(console: Console) -> None:
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


def test_up_leaves_the_level_of_a_family_in_one_step(console: Console) -> None:
    console.type("configure", "edit interfaces ge-0/0/0 unit 0 family inet", "set address 10.0.0.1/30")
    assert console.cli.banner[-1] == "[edit interfaces ge-0/0/0 unit 0 family inet]"
    assert console.type("show") == "address 10.0.0.1/30;"
    console.type("up")
    assert console.cli.banner[-1] == "[edit interfaces ge-0/0/0 unit 0]"
    assert console.type("show").splitlines() == ["family inet {", "    address 10.0.0.1/30;", "}"]
    console.type("top")
    assert console.type("show | display set") == "set interfaces ge-0/0/0 unit 0 family inet address 10.0.0.1/30"


def test_display_set_relative_omits_the_current_level(console: Console) -> None:
    console.type("configure", "edit protocols bgp group e", "set peer-as 2")
    assert console.type("show | display set") == "set protocols bgp group e peer-as 2"
    assert console.type("show | display set relative") == "set peer-as 2"


def test_several_attributes_may_be_set_on_one_line(console: Console) -> None:
    console.type(
        "configure", f"{CHAIN} secret s start-time 2030-01-01.00:00 algorithm ao ao-attribute send-id 1 recv-id 2"
    )
    lines = console.type("show | display set").splitlines()
    assert len(lines) == 5
    assert lines[1].endswith('start-time "2030-1-1.00:00:00 +0000"')


def test_values_in_brackets_are_added_together_and_deleted_one_by_one(console: Console) -> None:
    console.type("configure", "set protocols bgp export [ a b ]", "set protocols bgp export c")
    assert console.type("show protocols bgp") == "export [ a b c ];"
    console.type("delete protocols bgp export b")
    assert console.type("show protocols bgp") == "export [ a c ];"
    console.type("delete protocols bgp export")
    assert console.type("show protocols bgp") == ""


def test_secrets_are_stored_as_type_9_and_setting_one_again_changes_nothing(console: Console) -> None:
    console.type("configure", f"{CHAIN} secret geheim")
    first = console.type("show security authentication-key-chains key-chain c key 0 secret")
    assert first.endswith('"; ## SECRET-DATA')
    assert decode_type9(first.split('"')[1]).reveal() == b"geheim"
    console.type("commit", f"{CHAIN} secret geheim")
    assert console.type("show | compare") == ""
    console.type(f"{CHAIN} secret other")
    assert "-                secret" not in console.type("show | compare")
    assert "-     secret" in console.type("show | compare")
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
def test_an_invalid_secret_is_refused_without_being_shown(console: Console, text: str) -> None:
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
        ("set interfaces ge-0/0/0 mtu 16228", "Value 16228 is not within range (256..16000) at '16228'", "16228"),
        (
            "set security authentication-key-chains key-chain __a__",
            "Must be string of 32 characters or less with no spaces",
            "__a__",
        ),
        ("set interfaces xe-0/0 unit 0", "invalid interface type in 'xe-0/0'", "xe"),
        ("set routing-options router-id 10.0.0", "invalid value '10.0.0' in ip address: '10.0.0'", "10.0.0"),
        ("set protocols eigrp area 0", "syntax error.", "eigrp"),
        ("set protocols bgp group e type both", "syntax error.", "both"),
        ("set protocols bgp hold-time 2", "Value 2 is not within range (3..65535) at '2'", "2"),
    ],
)
def test_an_invalid_word_is_marked_with_a_caret(console: Console, line: str, message: str, word: str) -> None:
    caret, shown = console.type("configure", line).splitlines()
    assert shown == message
    assert caret.index("^") == len(console.cli.prompt) + line.rindex(f" {word}") + 1


def test_missing_and_ambiguous_words_are_reported(console: Console) -> None:
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


def test_groups_are_inherited_and_explicit_statements_take_precedence(console: Console, full: FullBackend) -> None:
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


def test_short_forms_of_interfaces_and_prefixes_are_accepted(console: Console) -> None:
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


def test_a_command_after_top_works_at_the_top_and_keeps_the_current_level(console: Console) -> None:
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
    assert "geheim" not in console.cli.history_form(
        "top set security authentication-key-chains key-chain c key 0 sec geheim"
    )


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


def test_entries_are_renamed_and_copied(console: Console) -> None:
    policy = "policy-options policy-statement p term"
    console.type("configure", *(f"set {policy} {name} then accept" for name in "abc"))
    console.type(f"rename {policy} b to term x", f"copy {policy} a to term z")
    shown = console.type("show policy-options policy-statement p | display set").splitlines()
    assert [line.split()[5] for line in shown] == ["a", "x", "c", "z"]
    console.type("set interfaces ge-0/0/0 unit 0 family inet address 10.0.0.1/24")
    assert console.type("rename interfaces ge-0/0/0 to ge-0/0/1") == ""
    assert "set interfaces ge-0/0/1 unit 0 family inet address 10.0.0.1/24" in console.type("show | display set")
    console.type("edit interfaces", "copy ge-0/0/1 to ge-0/0/2", "top rename interfaces ge-0/0/1 to ge-0/0/3")
    assert [line.split()[0] for line in console.type("show").splitlines() if line.startswith("ge")] == [
        "ge-0/0/3",
        "ge-0/0/2",
    ]
    assert console.type("rename ge-0/0/9 to ge-0/0/8") == "warning: statement not found"
    assert console.type("rename ge-0/0/3 to ge-0/0/2").startswith("error: 'ge-0/0/2' already exists")
    for wrong in ("rename ge-0/0/3", "rename ge-0/0/3 to", "copy ge-0/0/3 to ge-0/0/3", "copy ge-0/0/3 to x y"):
        assert "^" in console.type(wrong)


def test_a_comment_line_does_nothing(console: Console) -> None:
    assert console.type("# show version") == ""
    assert console.type("configure", "  # set system host-name R2", "show") == ""


def test_deleting_everything_asks_for_confirmation(console: Console) -> None:
    console.type("configure", "set system host-name R2")
    console.answers = ["no", "yes"]
    console.type("delete")
    assert console.type("show | display set") == "set system host-name R2"
    console.type("delete")
    assert console.type("show") == ""


def test_a_disabled_interface_is_passed_to_the_machine_half(console: Console, full: FullBackend) -> None:
    console.type("configure", "set interfaces ge-0/0/0 unit 0 family inet address 10.0.0.1/30", "commit")
    assert not full.intents[-1].units[0].disabled
    console.type("set interfaces ge-0/0/0 disable", "commit")
    assert full.intents[-1].units[0].disabled


def test_static_routes_belong_in_the_table_of_their_family(console: Console, full: FullBackend) -> None:
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


def test_an_autonomous_system_takes_options_after_its_number(console: Console) -> None:
    console.type("configure", "set routing-options autonomous-system 65001 loops 2")
    console.type("set protocols bgp group g local-as 65010 private no-prepend-global-as")
    assert console.type("show routing-options") == "autonomous-system 65001 loops 2;"
    assert console.type("show protocols bgp group g") == "local-as 65010 private no-prepend-global-as;"
    assert console.type("show routing-options | display set").splitlines() == [
        "set routing-options autonomous-system 65001",
        "set routing-options autonomous-system loops 2",
    ]
    console.type("set routing-options autonomous-system 65002", "delete routing-options autonomous-system loops")
    assert console.type("show routing-options") == "autonomous-system 65002;"
    console.block = "routing-options { autonomous-system { 65003; loops 3; } }"
    assert console.type("load merge terminal").endswith("load complete")
    assert console.type("show routing-options") == "autonomous-system 65003 loops 3;"
    assert console.type("delete routing-options autonomous-system") == ""
    assert console.type("show routing-options") == ""
