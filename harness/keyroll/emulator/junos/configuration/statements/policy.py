"""The `policy-options` hierarchy: policies that announce and filter routes of BGP."""

from __future__ import annotations

from keyroll.emulator.junos.configuration.schema import Statement, container, entry, flag, leaf, opaque, values
from keyroll.emulator.junos.configuration.statements.kept import policy as kept_tables
from keyroll.emulator.junos.configuration.values import (
    AsNumbers,
    Integer,
    InterfaceName,
    IpAddress,
    NextHopValue,
    OneOf,
    Prefix,
    Text,
    Word,
    one_of,
)

_PROTOCOLS = one_of(
    bgp="BGP",
    direct="Directly connected routes",
    ldp="LDP",
    local="Local system addresses",
    static="Statically defined addresses",
    # Protocols that this router does not run: it has no routes of theirs, so a term that names one matches none.
    access="Access server routes",
    access_internal="Access server internal routes",
    aggregate="Locally generated aggregate",
    esis="End-to-intermediate system routing protocol",
    evpn="EVPN",
    isis="Intermediate-to-intermediate system routing protocol",
    l2vpn="Layer 2 VPN",
    mpls="Multiprotocol Label Switching",
    msdp="Multicast Source Discovery Protocol",
    ospf="Open Shortest Path First",
    ospf2="Open Shortest Path First Version 2",
    ospf3="Open Shortest Path First Version 3",
    pim="Protocol Independent Multicast",
    rip="Routing Information Protocol",
    ripng="Routing Information Protocol next-generation",
    rsvp="Resource Reservation Protocol",
    spring_te="Segment routing traffic engineering",
    vpls="Virtual private LAN service",
    vrrp="Virtual Router Redundancy Protocol",
)
_ROUTE_FAMILIES = one_of(
    inet="IPv4 family",
    inet6="IPv6 family",
    # Families of which this router has no routes: a term that names one matches none.
    bridge_vpls="VPLS family",
    evpn="EVPN family",
    evpn_srv6="EVPN over SRv6 family",
    inet_mdt="IPv4 multicast distribution tree",
    inet_mvpn="IPv4 MVPN family",
    inet_vpn="IPv4 VPN family",
    inet6_mvpn="IPv6 MVPN family",
    inet6_vpn="IPv6 VPN family",
    iso="ISO family",
    l2vpn="Layer 2 VPN family",
    route_target="Route target family",
    traffic_engineering="Traffic engineering family",
)
_MATCHES: OneOf = one_of(
    exact="Exactly match the prefix length",
    longer="Mask is greater than the prefix length",
    orlonger="Mask is greater than or equal to the prefix length",
)
_MATCH_FLAGS = tuple(flag(choice.name, choice.help, exclusive="match") for choice in _MATCHES.choices)
_NEXT = one_of(policy="Next policy", term="Next term")
_FROM = container(
    "from",
    "Conditions to match the source of a route",
    values("protocol", "Protocol from which route was learned", _PROTOCOLS),
    values("interface", "Interface name or address", InterfaceName(logical=True)),
    values("neighbor", "Neighboring router", IpAddress()),
    leaf("family", "Family of the route", _ROUTE_FAMILIES),
    values("community", "BGP community", Word()),
    values("as-path", "Name of AS path regular expression (BGP only)", Word()),
    values("prefix-list", "List of prefix-lists of routes to match", Word()),
    entry(
        "prefix-list-filter",
        "List of prefix-list-filters to match",
        Word(),
        *_MATCH_FLAGS,
        one_line=True,
    ),
    entry(
        "route-filter",
        "List of routes to match",
        Prefix(),
        *_MATCH_FLAGS,
        leaf("upto", "Mask falls between two values", Word(4, r"/\d{1,3}"), exclusive="match"),
        *kept_tables.ROUTE_FILTER,
        flag("accept", "Accept a route", exclusive="flow"),
        flag("reject", "Reject a route", exclusive="flow"),
        leaf("next", "Skip to next policy or term", _NEXT, exclusive="flow"),
        one_line=True,
    ),
    *kept_tables.FROM,
    one_line=True,
)


def _amount(name: str, text: str, *other: Statement) -> Statement:
    """Build a statement that sets a number of a route; `other` change it relative to its own value (`add`)."""
    return container(name, text, leaf("", text, Integer(0, 4294967295)), *other, one_line=True)


_THEN = container(
    "then",
    "Actions to take if 'from' and 'to' conditions match",
    _amount("metric", "Metric value", *kept_tables.METRIC),
    _amount("local-preference", "Local preference associated with a route", *kept_tables.AMOUNT),
    container(
        "community",
        "BGP community properties associated with a route",
        entry("set", "Set BGP communities in this route", Word()),
        entry("add", "Add BGP communities to this route", Word()),
        entry("delete", "Remove BGP communities from this route", Word()),
        joined=True,
    ),
    leaf("as-path-prepend", "Prepend AS numbers to an AS path", AsNumbers()),
    leaf("next-hop", "Set the address of the next-hop router", NextHopValue()),
    flag("accept", "Accept a route", exclusive="flow"),
    flag("reject", "Reject a route", exclusive="flow"),
    leaf("next", "Skip to next policy or term", _NEXT, exclusive="flow"),
    *kept_tables.THEN,
    one_line=True,
)


def _term(*statements: Statement) -> Statement:
    return entry("term", "Policy term", Word(64), *statements, ordered=True)


POLICY_OPTIONS = container(
    "policy-options",
    "Policy option configuration",
    entry(
        "prefix-list",
        "Define a named set of address prefixes",
        Word(),
        opaque("apply-path", "Apply IP prefixes from a configuration statement", "the prefixes of this path"),
        entry("", "Prefix", Prefix()),
    ),
    entry(
        "policy-statement",
        "Routing policy",
        Text(1, 255, r".*\s.*", "Must be a string of 255 characters or less with no spaces"),
        _term(_FROM, *kept_tables.TERM, _THEN),
        _FROM,
        *kept_tables.TERM,
        _THEN,
    ),
    entry(
        "community",
        "BGP community information",
        Word(),
        opaque(
            "invert-match",
            "Invert the result of the community expression matching",
            "the inversion: a commit is refused if a BGP neighbor's policy uses this community",
        ),
        values("members", "Community members", Word()),
        one_line=True,
    ),
    entry(
        "as-path",
        "BGP autonomous system path regular expression",
        Word(),
        leaf("", "Path", Text(1, 255)),
        one_line=True,
    ),
    *kept_tables.POLICY_OPTIONS,
)
