"""Reading key chains from configurations: values, levels, set commands, and which statements are in force."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from tests.unit.curly_text import curly
from tests.unit.sample_chain import CHAIN, REAL, T0

from keyroll.configuration import Kind, read
from keyroll.keychain.junostext import Encoding, set_lines
from keyroll.keychain.model import Key, Keychain
from keyroll.keychain.secret import Secret
from keyroll.names import Algorithm

WHOLE = """\
version "21.2R3";
system {{ host-name R1; login {{ message "a {{ b; }} # c"; }} }}
/* security {{ */
security {{ authentication-key-chains {{ {} }} ike {{ proposal x {{ dh-group group14; }} }} }}
protocols {{ bgp {{ group g {{ export [ a b ]; neighbor 10.0.0.2 {{ authentication-key-chain c; }} }} }} }}
"""


def parse(text: str, **options: Any) -> list[Keychain]:
    return [chain.keychain for chain in read(text, "R1.conf", **options).main.chains]


def one(text: str, **options: ZoneInfo) -> Keychain:
    (chain,) = parse(text, **options)
    return chain


def test_a_published_configuration_is_read() -> None:
    chain = one(REAL)
    assert chain == Keychain(
        "ao_aes_chain",
        (
            Key(
                0,
                Secret("interoptest"),
                datetime(2020, 6, 16, 1, tzinfo=timezone(timedelta(hours=5, minutes=30))),
                "ao",
                9,
                2,
                tcp_ao_option=True,
                algorithm=Algorithm.AES_128_CMAC_96,
            ),
        ),
    )


def test_one_set_line_may_have_several_attributes() -> None:
    assert one(
        "set security authentication-key-chains key-chain c key 0 secret s start-time 2030-01-01.00:00 algorithm ao"
        " ao-attribute send-id 1 recv-id 2 tcp-ao-option enabled cryptographic-algorithm aes-128-cmac-96"
    ) == Keychain(
        "c",
        (Key(0, Secret("s"), T0, "ao", 1, 2, tcp_ao_option=True, algorithm=Algorithm.AES_128_CMAC_96),),
    )


@pytest.mark.parametrize(
    "around",
    [
        "security {{ authentication-key-chains {{ {} }} }}",
        "authentication-key-chains {{ {} }}",
        "{}",
        WHOLE,
        "root@R1> show configuration security authentication-key-chains | no-more\n{}\n\nroot@R1> ",
        "{{master:0}}[edit]\nroot@R1# show security authentication-key-chains\n{}\n\n[edit]\nroot@R1# ",
    ],
)
def test_any_level_and_whole_configurations_are_read(around: str) -> None:
    assert one(around.format(REAL)) == one(REAL)


def test_a_terminal_session_with_set_commands_is_read() -> None:
    text = "\n".join(
        ["root@R1> configure", "", "[edit]", *(f"root@R1# {line}" for line in set_lines(CHAIN)), "[edit]", "commit"]
    )
    assert one(text) == CHAIN


def test_a_display_set_of_a_whole_router_is_read() -> None:
    text = "\n".join(
        [
            "set version 21.2R3",
            'set system login message "set security authentication-key-chains key-chain fake"',
            *set_lines(CHAIN, Encoding.TYPE9),
            "set protocols bgp group g neighbor 10.0.0.2 authentication-key-chain new_auth_key",
        ]
    )
    assert one(text) == CHAIN


def test_set_lines_are_relative_to_the_edit_level() -> None:
    text = """\
edit security authentication-key-chains key-chain c
set key 0 secret s
edit key 1
set secret t
up
set key 2 secret u
exit
set algorithm ao
top set security authentication-key-chains key-chain d
set security authentication-key-chains key-chain c tolerance 5
"""
    c, d = parse(text)
    assert [key.id for key in c.keys] == [0, 1, 2]
    assert c.keys[1].scheme == "ao"
    assert c.tolerance == 5
    assert d.name == "d"


def test_deleted_and_deactivated_parts_are_not_in_force() -> None:
    lines = set_lines(CHAIN)
    head = "security authentication-key-chains key-chain new_auth_key"
    for verb in ("delete", "deactivate"):
        assert one("\n".join([*lines, f"{verb} {head} key 1"])) == replace(CHAIN, keys=CHAIN.keys[:1])
        assert one("\n".join([*lines, f"{verb} {head} key 1 secret"])).keys[1].secret is None
        assert one("\n".join([*lines, f"{verb} {head} key 1 ao-attribute"])).keys[1].send_id is None
        assert parse("\n".join([*lines, f"{verb} {head}"])) == []
        assert parse("\n".join([*lines, f"{verb} security"])) == []
    assert one("\n".join([*lines, f"deactivate {head}", f"activate {head}"])) == CHAIN


def test_inactive_parts_of_the_curly_form_are_not_in_force() -> None:
    assert parse(REAL.replace("key-chain ao", "inactive: key-chain ao")) == []
    assert one(REAL.replace("key 0", "inactive: key 0")).keys == ()
    assert one(REAL.replace("algorithm ao;", "inactive: algorithm ao;")).keys[0].scheme is None
    assert one(REAL.replace("key 0", "protect: key 0")) == one(REAL)
    assert parse("inactive: security { authentication-key-chains { " + REAL + " } }") == []


def test_a_later_set_line_replaces_an_earlier_value() -> None:
    assert one("\n".join([*set_lines(CHAIN), set_lines(CHAIN)[0].replace("firstsecret", "other")])).keys[
        0
    ].secret == Secret("other")


def test_start_times_without_zone_are_in_the_routers_zone() -> None:
    line = "set security authentication-key-chains key-chain c key 0 start-time 2030-07-01.00:00"
    assert one(line).keys[0].start == datetime(2030, 7, 1, tzinfo=UTC)
    assert one(line, zone=ZoneInfo("Europe/Berlin")).keys[0].start == datetime(2030, 6, 30, 22, tzinfo=UTC)


def test_statements_of_other_protocols_and_meta_statements_are_ignored() -> None:
    assert one(
        "key-chain c { apply-macro m { x y; } key 0 { secret s; options basic; fallback sha-1; apply-flags omit; } }"
    ) == Keychain("c", (Key(0, Secret("s")),))


def test_line_ends_of_other_systems_are_read() -> None:
    assert one("\r\n".join(set_lines(CHAIN))) == CHAIN
    assert one(curly([CHAIN]).replace("\n", "\r\n")) == CHAIN
    assert one("\ufeff" + curly([CHAIN])) == CHAIN


def test_leading_zeros_of_a_key_number_are_ignored() -> None:
    text = "\n".join([HEAD + "key 1 secret a", HEAD + "key 01 algorithm ao", HEAD + "key 00 secret b"])
    assert one(text) == Keychain("c", (Key(0, Secret("b")), Key(1, Secret("a"), scheme="ao")))


def test_comments_between_set_commands_are_ignored() -> None:
    text = "# a plan\n/* of\ntwo lines */\n" + "\n".join(
        f"{line} ## SECRET-DATA" if " secret " in line else line for line in set_lines(CHAIN, Encoding.TYPE9)
    )
    assert one(text) == CHAIN


def test_a_text_without_chains_gives_none() -> None:
    assert parse("") == []
    assert parse("# nothing\n") == []
    assert parse("system { host-name R1; }") == []


def test_a_chain_has_the_places_of_its_parts() -> None:
    (chain,) = read(REAL, "R1.conf").main.chains
    assert str(chain.where) == "R1.conf:1"
    assert str(chain.place(0)) == "R1.conf:2"
    assert str(chain.place(0, "recv-id")) == "R1.conf:8"
    assert str(chain.place(7, "x")) == "R1.conf:1"


HEAD = "set security authentication-key-chains key-chain c "


@pytest.mark.parametrize(
    ("text", "line", "kind"),
    [
        ("set version 1\nnonsense y", 2, Kind.NOT_UNDERSTOOD),
        (HEAD + "colour red", 1, Kind.NOT_UNDERSTOOD),
        (HEAD + "key", 1, Kind.NOT_UNDERSTOOD),
        (HEAD + "key x secret s", 1, Kind.INVALID_VALUE),
        (HEAD + "key 64 secret s", 1, Kind.INVALID_VALUE),
        (HEAD + "key " + "9" * 5000, 1, Kind.INVALID_VALUE),
        (HEAD + "key 0 secret", 1, Kind.NOT_UNDERSTOOD),
        (HEAD + "key 0 secret " + "ab" * 64, 1, Kind.SECRET_UNKNOWN),
        (HEAD + 'key 0 secret "$9$kP5FCA0O1hqm6ApBS"', 1, Kind.SECRET_UNKNOWN),
        (HEAD + 'key 0 secret "open', 1, Kind.NOT_UNDERSTOOD),
        (HEAD + "key 0 start-time 2026-25-2.14:25", 1, Kind.INVALID_VALUE),
        (HEAD + "key 0 start-time 2026-2-25.14:25:00 -0300", 1, Kind.NOT_UNDERSTOOD),
        (HEAD + "key 0 start-time now", 1, Kind.INVALID_VALUE),
        (HEAD + "key 0 algorithm rot13", 1, Kind.INVALID_VALUE),
        (HEAD + "key 0 ao-attribute send-id 256", 1, Kind.INVALID_VALUE),
        (HEAD + "key 0 ao-attribute tcp-ao-option enable", 1, Kind.INVALID_VALUE),
        (HEAD + "key 0 ao-attribute send-id 1 secret x", 1, Kind.NOT_UNDERSTOOD),
        (HEAD + "tolerance 4294967296", 1, Kind.INVALID_VALUE),
        (HEAD.replace(" c ", " " + "n" * 33), 1, Kind.INVALID_VALUE),
        (HEAD + "\nload override x.conf", 2, Kind.UNKNOWN_EFFECT),
        ("key-chain c {\n key 0 {\n", 1, Kind.NOT_UNDERSTOOD),
        ("key-chain c { } }", 1, Kind.NOT_UNDERSTOOD),
        ("key-chain c { tolerance 5 }", 1, Kind.NOT_UNDERSTOOD),
        ("key-chain c { /* x }", 1, Kind.NOT_UNDERSTOOD),
        (HEAD + "key 0\u00a0secret s", 1, Kind.INVALID_VALUE),
        ("key 0 { secret s; }", 1, Kind.NOT_UNDERSTOOD),
        ("set apply-groups g\n" + HEAD + "tolerance 5", 1, Kind.MAYBE),
    ],
)
def test_a_line_that_is_not_understood_or_invalid_gives_a_finding_with_its_place(
    text: str, line: int, kind: Kind
) -> None:
    findings = read(text, "R1.conf").findings
    assert (kind, line) in [(finding.kind, finding.where.line) for finding in findings]


def test_a_rename_is_followed() -> None:
    lines = set_lines(CHAIN)
    head = "security authentication-key-chains key-chain new_auth_key"
    assert one("\n".join([*lines, f"rename {head} to key-chain other"])) == replace(CHAIN, name="other")
