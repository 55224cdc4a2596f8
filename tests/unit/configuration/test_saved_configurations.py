"""Configurations as people save them: from a logical system, in a reply, of another vendor, redacted, truncated."""

from __future__ import annotations

import pytest

from keyroll.configuration import Configuration, ConfigurationError, Kind, match, read
from keyroll.configuration.routers import Router

CHAIN = """security { authentication-key-chains { key-chain K { key 1 {
    secret aSecret; start-time "2025-3-1.06:00:00 +0000"; algorithm ao;
    ao-attribute { send-id 7; recv-id 8; tcp-ao-option enabled; } } } } }
"""
BGP = """protocols { bgp { group g { authentication-algorithm ao; authentication-key-chain K; neighbor 192.0.2.2; } } }
"""


def names(configuration: Configuration) -> list[tuple[str, str]]:
    return [(router.name, str(one.peer)) for router in configuration.routers for one in router.sessions]


def doubts(configuration: Configuration) -> set[Kind]:
    return {one.kind for one in configuration.findings}


# A login inside a logical system


def test_a_configuration_shown_inside_a_logical_system_belongs_to_that_system() -> None:
    log = f"""ops@edge> set cli logical-system X
Logical system: X

ops@edge:X> show configuration
{BGP}
ops@edge:X> clear cli logical-system
Cleared default logical system

ops@edge> show configuration protocols
bgp {{ group main {{ neighbor 192.0.2.9; }} }}
"""
    assert names(read(log, "edge")) == [("edge", "192.0.2.9"), ("edge:X", "192.0.2.2")]


def test_set_lines_and_levels_are_relative_to_the_logical_system() -> None:
    log = """ops@edge:X> show configuration | display set
set protocols bgp group g neighbor 192.0.2.2
ops@edge:X> configure
[edit]
ops@edge:X# edit protocols bgp group g
[edit protocols bgp group g]
ops@edge:X# set neighbor 192.0.2.6
[edit protocols bgp group g]
ops@edge:X# top set protocols bgp group h neighbor 192.0.2.10
"""
    assert names(read(log, "edge")) == [("edge:X", f"192.0.2.{last}") for last in (2, 6, 10)]


def test_a_tenant_is_recognised_by_the_command_that_enters_it() -> None:
    log = "ops@edge> set cli tenant T\nTenant: T\n\nops@edge:T> show configuration\n" + BGP
    assert read(log, "edge").tree.at(("tenants", "T", "protocols")) is not None


def test_a_prompt_without_the_logical_system_that_was_entered_gives_a_finding() -> None:
    log = "ops@edge> set cli logical-system X\nops@edge> show configuration\n" + BGP
    assert doubts(read(log, "edge")) == {Kind.UNKNOWN_EFFECT}


# Text around the configuration


@pytest.mark.parametrize(
    "around",
    [
        '<?xml version="1.0"?><rpc-reply message-id="1">\n%s\n</rpc-reply>\n]]>]]>\n',
        "<nc:rpc-reply><json-output>%s</json-output></nc:rpc-reply>\n",
        "ops@edge> show configuration | display json\n%s\n\nops@edge> ",
    ],
)
def test_json_is_read_inside_a_reply(around: str) -> None:
    text = '{"configuration": {"protocols": {"bgp": {"group": [{"name": "g", "neighbor": [{"name": "192.0.2.2"}]}]}}}}'
    configuration = read(around % text, "r")
    assert names(configuration) == [("r", "192.0.2.2")]
    assert configuration.findings == ()


@pytest.mark.parametrize(
    "first",
    [
        "$ ssh r1 show configuration",
        "ops@r1's password:",
        "root@host:~# docker exec r1 cli",
        "!RANCID-CONTENT-TYPE: juniper",
    ],
)
def test_shell_and_collector_headers_are_ignored(first: str) -> None:
    assert read(f"{first}\n{CHAIN}{BGP}", "r").findings == ()


@pytest.mark.parametrize("prefix", ["12: ", "+ ", "> ", "Nov 30 12:00:00 ", "| "])
def test_a_text_without_any_line_that_is_understood_is_refused(prefix: str) -> None:
    lines = ["set protocols bgp group g neighbor 192.0.2.2", "set system host-name r"]
    with pytest.raises(ConfigurationError, match="no statement"):
        read("\n".join(prefix + line for line in lines), "r")


def test_an_xml_difference_gives_a_finding() -> None:
    group = '<group operation="create"><name>g</name></group>'
    text = f"<configuration><protocols><bgp>{group}</bgp></protocols></configuration>"
    assert doubts(read(text, "r")) == {Kind.UNKNOWN_EFFECT}


@pytest.mark.parametrize(
    ("make", "text"),
    [
        ("IOS XR", "hostname r\nrouter bgp 64500\n neighbor 192.0.2.2\n  remote-as 64501\n"),
        ("EOS", "hostname r\nrouter bgp 64500\n   neighbor 192.0.2.2 remote-as 64501\n"),
        ("IOS XE", "hostname r\nrouter bgp 64500\n neighbor 192.0.2.2 remote-as 64501\n!\n"),
        ("FRR", "hostname r\nrouter bgp 64500\n neighbor 192.0.2.2 remote-as 64501\nexit\n"),
        ("SR Linux", "network-instance default {\n    protocols {\n        bgp {\n        }\n    }\n}\n"),
        ("OpenBGPD", "AS 64500\nneighbor 192.0.2.2 {\n  remote-as 64501\n}\n"),
        (
            "VyOS",
            "set interfaces ethernet eth1 address '192.0.2.1/30'\nset protocols bgp neighbor 192.0.2.2 password x\n",
        ),
        ("PAN-OS", "deviceconfig {\n  system {\n    hostname fw;\n  }\n}\nnetwork {\n}\n"),
        ("FortiOS", "config system global\n    set hostname fw\nend\n"),
        ("SR OS", "configure {\n    card 1 {\n        card-type iom\n    }\n}\n"),
        ("IOS XE", "!\nhostname r\n!\ninterface Loopback0\n ip address 192.0.2.1 255.255.255.255\n"),
        ("VyOS", "set protocols bgp system-as '64500'\nset protocols bgp neighbor 192.0.2.2 remote-as '64501'\n"),
    ],
)
def test_a_configuration_of_another_vendor_is_refused_with_its_system(make: str, text: str) -> None:
    with pytest.raises(ConfigurationError, match=make):
        read(text, "r")


@pytest.mark.parametrize(
    "secret",
    [
        *(
            '"redacted-by-ops"',
            '"${BGP_KEY}"',
            '"ENC[AES256,x]"',
            "REMOVED_BY_US",
            '"n/a"',
            '"#removed 3#"',
            "anonymised",
        ),
        *("CHANGE_ME", "SECRET", "xx", '"not shown"', '"vault:net/bgp#ao"', '"sha256:0af1"', "DUMMY-KEY", "snip"),
        *("VALUE_SPECIFIED_IN_NO_LOG_PARAMETER", "'***'", "'removed'"),
    ],
)
def test_placeholders_of_a_removed_secret_are_recognised(secret: str) -> None:
    chain = read(CHAIN.replace("aSecret", secret), "r").main.chain("K")
    assert chain is not None
    assert chain.secrets_unknown == (1,)


# Headings, comments of collectors, templates


@pytest.mark.parametrize("heading", ["PE-EAST:", "=== r7 ===", "```junos"])
@pytest.mark.parametrize(
    "text", [CHAIN + BGP, "set protocols bgp group g neighbor 192.0.2.2 authentication-key-chain K\n"]
)
def test_a_heading_above_a_text_is_reported_and_hides_nothing(heading: str, text: str) -> None:
    configuration = read(f"{heading}\n\n{text}", "r")
    assert [(one.kind, one.where.line) for one in configuration.findings if one.path == ()] == [
        (Kind.NOT_UNDERSTOOD, 1)
    ]
    assert len(configuration.main.sessions) == len(read(text, "r").main.sessions) == 1


def test_comments_of_a_collector_are_ignored() -> None:
    text = f"!RANCID-CONTENT-TYPE: juniper\n!\n! Chassis: mx\n#\n{CHAIN}{BGP}"
    configuration = read(text, "r")
    assert configuration.findings == ()
    assert len(configuration.main.sessions) == 1


def test_a_template_variable_is_one_word() -> None:
    text = "protocols { bgp { group g { export PS-${SITE}-OUT; neighbor ${PEER_A} { description to-${PEER}-a; } } } }"
    (finding,) = read(text, "r").findings
    assert (finding.kind, finding.message) == (Kind.INVALID_VALUE, "invalid neighbor: use its address")


def test_a_statement_below_a_missing_level_is_reported_with_the_reason() -> None:
    (finding,) = read("set protocols bgp neighbor 192.0.2.2 peer-as 64501\n", "r").findings
    assert finding.message == "'neighbor' does not belong in bgp itself: a level between them is missing"


def test_a_level_copied_without_its_edit_banner_is_refused_with_that_banner() -> None:
    level = "PEERS { protocols { bgp { group <*> { authentication-key-chain K; } } } }\n"
    with pytest.raises(ConfigurationError, match=r"\[edit groups\]"):
        read(level, "r")
    assert read(f"[edit groups]\n{level}", "r").findings == ()


# A missing word or character


@pytest.mark.parametrize(
    ("whole", "cut"),
    [
        ("algorithm ao;\n", "algorithm ao\n"),
        ("send-id 7;", "send-id 7"),
        ("authentication-algorithm ao;", "authentication-algorithm ao"),
        ("bgp {", "bgp { apply-groups;"),
    ],
)
def test_a_truncated_statement_gives_a_finding(whole: str, cut: str) -> None:
    text = CHAIN + BGP
    assert whole in text
    assert read(text.replace(whole, cut, 1), "r").doubts != ()


def test_a_set_line_without_its_first_word_gives_a_finding() -> None:
    lines = (
        "set security authentication-key-chains key-chain K key 1 algorithm ao\nset %sbgp group g neighbor 192.0.2.2\n"
    )
    assert read(lines % "protocols ", "r").findings == ()
    assert read(lines % "", "r").doubts != ()


@pytest.mark.parametrize("word", ["group", "key-chain"])
def test_an_empty_name_gives_a_finding(word: str) -> None:
    group = "<protocols><bgp><group><name>g</name></group></bgp></protocols>"
    chain = "<authentication-key-chains><key-chain><name>g</name></key-chain></authentication-key-chains>"
    text = f"<configuration>{group}<security>{chain}</security></configuration>"
    assert read(text.replace(f"<{word}><name>g", f"<{word}><name>"), "r").doubts != ()


def test_options_after_an_as_number_in_xml_are_read() -> None:
    text = """<configuration><protocols><bgp><group><name>g</name>
      <local-as><as-number>64501</as-number><loops>2</loops><private/></local-as>
      <neighbor><name>192.0.2.2</name></neighbor></group></bgp></protocols></configuration>"""
    configuration = read(text, "r")
    assert configuration.findings == ()
    assert configuration.main.sessions[0].local_as == 64501


def test_a_key_in_both_text_and_group_is_merged_statement_by_statement() -> None:
    text = """
    groups { S { security { authentication-key-chains { key-chain <*> { key 1 {
        algorithm ao; ao-attribute { send-id 9; tcp-ao-option enabled; } } } } } } }
    apply-groups S;
    security { authentication-key-chains { key-chain K { key 1 {
        secret aSecret; ao-attribute { send-id 7; recv-id 8; } } } } }
    """
    chain = read(text, "r").main.chain("K")
    assert chain is not None
    (key,) = chain.keychain.keys
    assert (key.send_id, key.recv_id, key.scheme, key.tcp_ao_option) == (7, 8, "ao", True)


def test_a_deactivated_key_that_a_group_also_has_gives_a_finding() -> None:
    group = "groups { S { security { authentication-key-chains { key-chain K { key 1 { secret x; } } } } } }"
    chain = read(group + " apply-groups S;\n" + CHAIN.replace("key 1", "inactive: key 1"), "r").main.chain("K")
    assert chain is not None
    assert {doubt.kind for doubt in chain.doubts} == {Kind.MAYBE}


def test_statements_of_other_releases_and_platforms_are_known() -> None:
    text = BGP.replace("bgp {", "bgp { drop-path-attributes [ 20 30-35 ];") + "protocols { stp { interface all; } }"
    assert read(text, "r").findings == ()


def test_options_after_an_as_number_in_braces_are_read() -> None:
    text = """routing-options { autonomous-system { 64500; loops 2; } }
    protocols { bgp { group g { local-as { 64501; private; loops 2; } neighbor 192.0.2.2; } } }"""
    configuration = read(text, "r")
    assert configuration.findings == ()
    assert configuration.main.sessions[0].local_as == 64501


# Large configurations


def test_a_provider_edge_with_many_kinds_of_neighbors_has_the_sessions_counted_by_hand() -> None:
    ce = "".join(
        f"vrf-{n} {{ protocols {{ bgp {{ group ce {{ neighbor 198.51.100.{n}; neighbor 2001:db8::{n}; }} }} }} }}\n"
        for n in range(1, 6)
    )
    text = f"""
    groups {{ G {{ protocols {{
        bgp {{ group <R*> {{ neighbor <*> {{ passive; }} }} }}
        ldp {{ session <*> {{ mtu-discovery; }} }} }} }} }}
    policy-options {{ policy-statement p {{ from {{ neighbor 192.0.2.77; }} }} }}
    protocols {{
        apply-groups G;
        bgp {{ group RR {{ neighbor 192.0.2.1; neighbor 192.0.2.2 {{ peer-as 1; }} inactive: neighbor 192.0.2.3; }}
               inactive: group OLD {{ neighbor 192.0.2.4; }} }}
        ldp {{ session 192.0.2.1 {{ authentication-algorithm ao; }} session 192.0.2.2; neighbor 192.0.2.9; }}
    }}
    routing-instances {{ {ce} inactive: gone {{ protocols {{ bgp {{ group ce {{ neighbor 198.51.100.9; }} }} }} }} }}
    """
    # By hand: two BGP sessions and two LDP sessions in the main instance, two BGP sessions in each of five instances.
    found = read(text, "pe").main.sessions
    assert (len([one for one in found if one.kind.value == "bgp"]), len(found)) == (2 + 5 * 2, 2 + 5 * 2 + 2)
    assert {str(one.peer) for one in found if one.passive} == {"192.0.2.1", "192.0.2.2"}


def test_ends_without_local_address_are_matched_among_six_hundred() -> None:
    clients = [f"198.51.{n // 250}.{n % 250 + 1}" for n in range(600)]

    def router(name: str, own: str, peers: list[str]) -> Router:
        lines = [f"set system host-name {name}", f"set interfaces lo0 unit 0 family inet address {own}/32"]
        return read("\n".join([*lines, *(f"set protocols bgp group g neighbor {peer}" for peer in peers)]), name).main

    reflector = router("rr", "192.0.2.1", clients)
    ends = match([reflector, *(router(f"c{n}", own, ["192.0.2.1"]) for n, own in enumerate(clients))])
    assert (len(ends.links), ends.singles) == (600, ())
