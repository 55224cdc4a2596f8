"""Configurations in XML and JSON, and texts that are not Junos configurations.

The samples have the structure of published ones; words and addresses are our own:

- `XML_REPLY`: github.com/btodorovic/j2set, README (`show interfaces | display xml` of 18.4R2, with the CLI's banner).
- `XML_YANG`: github.com/kashif-nawaz/Configuring-Junos-Devices-using-Netconf-and-YANG-Model, README (a NETCONF reply of
  22.4 with `yang-compliant`: a namespace a level, prefix `nc:`).
- `JSON_SHOWN`: the same README of j2set (`| display json`, numbers without quotes, `@` at the top).
- `JSON_MAPPED`: Juniper, "Map Junos OS Configuration Statements to JSON" (`@leaf`, `[null]`, leaf-lists, `inactive`).
"""

import pytest

from keyroll.configuration import ConfigurationError, Kind, read

XML_REPLY = """\
ops@edge> show configuration | display xml
<rpc-reply xmlns:junos="http://xml.juniper.net/junos/18.4R2/junos">
    <configuration junos:changed-seconds="1588149577" junos:changed-localtime="2020-04-29 10:39:37 CEST">
            <interfaces>
                <interface>
                    <name>xe-0/0/3</name>
                    <unit>
                        <name>0</name>
                        <family>
                            <inet6>
                                <address>
                                    <name>2001:db8:77::1/64</name>
                                </address>
                            </inet6>
                        </family>
                    </unit>
                </interface>
            </interfaces>
            <protocols>
                <bgp>
                    <group>
                        <name>upstream</name>
                        <multihop/>
                        <authentication-algorithm>ao</authentication-algorithm>
                        <authentication-key-chain>UP</authentication-key-chain>
                        <neighbor>
                            <name>2001:db8:77::2</name>
                            <peer-as>64511</peer-as>
                        </neighbor>
                        <neighbor inactive="inactive">
                            <name>2001:db8:77::3</name>
                        </neighbor>
                    </group>
                </bgp>
            </protocols>
    </configuration>
    <cli>
        <banner>{master}</banner>
    </cli>
</rpc-reply>

ops@edge>
"""
XML_YANG = """\
<?xml version='1.0' encoding='UTF-8'?>
<nc:rpc-reply xmlns:junos="http://xml.juniper.net/junos/22.4R0/junos"
              xmlns:nc="urn:ietf:params:xml:ns:netconf:base:1.0" message-id="urn:uuid:1">
<configuration xmlns="http://yang.juniper.net/junos/conf/root" junos:changed-seconds="1">
    <security xmlns="http://yang.juniper.net/junos/conf/security">
        <authentication-key-chains>
            <key-chain>
                <name>UP</name>
                <key>
                    <name>9</name>
                    <secret>$9$.PT3REyv87CtMX-waJz36</secret>
                    <start-time>2025-1-1.00:00:00 +0000</start-time>
                    <algorithm>ao</algorithm>
                    <ao-attribute>
                        <send-id>9</send-id>
                        <recv-id>9</recv-id>
                        <tcp-ao-option>enabled</tcp-ao-option>
                    </ao-attribute>
                </key>
            </key-chain>
        </authentication-key-chains>
    </security>
    <routing-options xmlns="http://yang.juniper.net/junos/conf/routing-options">
        <autonomous-system><as-number>64510</as-number></autonomous-system>
    </routing-options>
    <routing-instances xmlns="http://yang.juniper.net/junos/conf/routing-instances">
        <instance>
            <name>blue</name>
            <protocols><bgp><group><name>ce</name><neighbor><name>192.0.2.9</name></neighbor></group></bgp></protocols>
        </instance>
    </routing-instances>
</configuration>
</nc:rpc-reply>
"""
JSON_SHOWN = """\
ops@edge> show configuration | display json
{
    "configuration" : {
        "@" : {
            "junos:changed-seconds" : "1588149577",
            "junos:changed-localtime" : "2020-04-29 10:39:37 CEST"
        },
        "interfaces" : {
            "interface" : [
            {
                "name" : "xe-0/0/3",
                "unit" : [
                {
                    "name" : 0,
                    "family" : { "inet6" : { "address" : [ { "name" : "2001:db8:77::1/64" } ] } }
                }
                ]
            }
            ]
        },
        "protocols" : { "bgp" : { "group" : [
            {
                "name" : "upstream",
                "multihop" : [null],
                "authentication-algorithm" : "ao",
                "authentication-key-chain" : "UP",
                "neighbor" : [
                    { "name" : "2001:db8:77::2", "peer-as" : "64511" },
                    { "name" : "2001:db8:77::3", "@" : { "inactive" : true } }
                ]
            }
        ] } }
    }
}
"""
JSON_MAPPED = """\
{
    "configuration" : {
        "security" : { "authentication-key-chains" : { "key-chain" : [ { "name" : "UP", "key" : [
            {
                "name" : 9,
                "secret" : "$9$.PT3REyv87CtMX-waJz36",
                "start-time" : "2025-1-1.00:00:00 +0000",
                "algorithm" : "ao",
                "ao-attribute" : { "send-id" : 9, "recv-id" : 9, "tcp-ao-option" : "enabled" }
            }
        ] } ] } },
        "routing-options" : { "autonomous-system" : { "as-number" : "64510" } },
        "routing-instances" : { "instance" : [
            { "name" : "blue", "protocols" : { "bgp" : { "group" : [
                { "name" : "ce", "export" : ["A", "B"], "hold-time" : 30, "@hold-time" : { "inactive" : true },
                  "neighbor" : [ { "name" : "192.0.2.9" } ] } ] } } }
        ] }
    }
}
"""
VERBOSE = """\
{ "configuration" : [ { "attributes" : { "xmlns" : "http://xml.juniper.net/xnm/1.1/xnm" },
    "system" : [ { "host-name" : [ { "data" : "old" } ] } ],
    "protocols" : [ { "bgp" : [ { "group" : [ {
        "name" : { "data" : "upstream" },
        "multihop" : [ { "data" : [null] } ],
        "authentication-algorithm" : [ { "data" : "ao" } ],
        "authentication-key-chain" : [ { "data" : "UP" } ],
        "neighbor" : [ { "name" : [ { "data" : "192.0.2.2" } ] },
                       { "name" : [ { "data" : "192.0.2.3" } ], "attributes" : { "inactive" : "inactive" } } ]
    } ] } ] } ] } ] }
"""


@pytest.mark.parametrize(("text", "line"), [(XML_REPLY, 26), (JSON_SHOWN, 28)])
def test_a_reply_with_its_prompt_and_banner_is_read_with_line_numbers(text: str, line: int) -> None:
    configuration = read(text, "edge")
    (session,) = configuration.main.sessions
    assert configuration.findings == ()
    assert (str(session.peer), session.peer_as, session.multihop) == ("2001:db8:77::2", 64511, True)
    assert session.authentication.ao
    assert [str(one) for one in configuration.main.all_addresses()] == ["2001:db8:77::1"]
    assert session.where.line == line


@pytest.mark.parametrize("text", [XML_YANG, JSON_MAPPED])
def test_chains_and_instances_are_read(text: str) -> None:
    configuration = read(text, "edge")
    (chain,) = configuration.main.chains
    (key,) = chain.keychain.keys
    (session,) = configuration.main.sessions
    assert configuration.findings == ()
    assert (chain.name, key.id, key.send_id, key.usable) == ("UP", 9, 9, True)
    assert (session.instance, session.local_as, session.hold_time) == ("blue", 64510, None)


def test_the_verbose_form_of_older_releases_is_read() -> None:
    router = read(VERBOSE, "old").main
    (session,) = router.sessions
    assert (router.name, str(session.peer), session.authentication.ao, session.multihop) == (
        "old",
        "192.0.2.2",
        True,
        True,
    )


def test_a_repeated_name_in_json_gives_a_finding() -> None:
    text = '{"configuration": {"protocols": {"bgp": {"group": [{"name": "g", "neighbor": [{"name": "192.0.2.2"}],'
    text += '"authentication-key-chain": "A", "authentication-key-chain": "B"}]}}}}'
    (session,) = read(text, "x").main.sessions
    assert [doubt.kind for doubt in session.doubts] == [Kind.CONFLICT]


def test_a_group_that_the_router_has_expanded_already_is_not_expanded_again() -> None:
    text = XML_REPLY.replace("<multihop/>", '<multihop junos:group="G"/>').replace(
        "<interfaces>", "<apply-groups>G</apply-groups><interfaces>", 1
    )
    assert read(text, "edge").findings == ()
    assert read(XML_REPLY.replace("<interfaces>", "<apply-groups>G</apply-groups><interfaces>", 1), "edge").findings


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('<!DOCTYPE a [<!ENTITY x "y">]><configuration/>', "document type or entity is refused"),
        ("<configuration><system></configuration>", "not well-formed XML: mismatched tag"),
        ("<configuration><system>", "not well-formed XML"),
        ("<a>" * 200, "more than 100 elements"),
        ("<rpc-reply><bgp-information/></rpc-reply>", "not a Junos configuration: it contains rpc-reply"),
        ('{"bgp-information": []}', "not a Junos configuration: it contains bgp-information"),
        ('{"configuration": {', "not well-formed JSON"),
        ('{"a": ' * 100000, "nests too deep"),
        ("!! IOS XR Configuration 7.5.2\nrouter bgp 64500\n", "Cisco IOS XR"),
        ("Building configuration...\n\nCurrent configuration : 99 bytes\n!\nrouter bgp 64500\n", "Cisco IOS or IOS XE"),
        ("! Command: show running-config\n! device: leaf1 (DCS-7050, EOS-4.30.1F)\n!\n", "Arista EOS"),
        ("# TiMOS-C-22.10.R1 cpm/hops64 Nokia 7750 SR\nexit all\nconfigure\n", "Nokia SR OS"),
        ("router id 192.0.2.1;\nprotocol bgp up { local as 64500; }\n", "BIRD"),
        ("frr version 8.4\nfrr defaults traditional\nrouter bgp 64500\n", "FRR"),
        (
            "[edit protocols bgp group up]\n-    authentication-key-chain A;\n+    authentication-key-chain B;\n",
            "compare",
        ),
        (
            "option domain-name x;\nsubnet 192.0.2.0 netmask 255.255.255.0 { range 192.0.2.3; }\n",
            "no statement of a Junos",
        ),
        ("set\0", "NUL"),
        ("a {" * 101, "more than 100 braces"),
    ],
)
def test_a_text_that_is_not_a_junos_configuration_is_refused_with_the_reason(text: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message) as caught:
        read(text, "x")
    assert caught.value.where is not None
    assert caught.value.where.line is not None


@pytest.mark.parametrize(
    "marks", ['"@" : {"comment" : "%s"}', '"@type" : {"comment" : "%s"}', '"@" : {"junos:comment" : "%s"}']
)
def test_a_routers_warning_in_a_json_comment_gives_a_finding(marks: str) -> None:
    comment = marks % "/* ## Warning: configuration block ignored: unsupported platform */"
    group = f'{{"name" : "ix", "type" : "external", {comment}, "neighbor" : [{{"name" : "203.0.113.7"}}]}}'
    text = f'{{"configuration" : {{"protocols" : {{"bgp" : {{"group" : [{group}]}}}}}}}}'
    configuration = read(text, "reply")
    assert [one.kind for one in configuration.findings] == [Kind.ROUTER_WARNING]
    assert all(session.doubts for session in configuration.main.sessions)


def test_statements_in_an_undocumented_element_of_xml_belong_to_its_level() -> None:
    neighbor = "<neighbor><name>203.0.113.7</name></neighbor>"
    group = f"<group><name>ix</name>{neighbor}<undocumented><authentication-key-chain>K</authentication-key-chain>"
    text = f"<configuration><protocols><bgp>{group}<odd/></undocumented></group></bgp></protocols></configuration>"
    configuration = read(text, "reply")
    (session,) = configuration.main.sessions
    assert session.authentication.chain is not None
    assert [one.kind for one in configuration.findings] == [Kind.NOT_UNDERSTOOD]
