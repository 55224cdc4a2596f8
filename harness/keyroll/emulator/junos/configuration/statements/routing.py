"""The `routing-options` hierarchy: static routes, router ID, autonomous system number."""

from __future__ import annotations

from ipaddress import ip_network

from keyroll.emulator.junos.configuration.schema import (
    Configured,
    Constraint,
    Statement,
    container,
    entry,
    flag,
    kept,
    leaf,
)
from keyroll.emulator.junos.configuration.statements.kept import routing as kept_tables
from keyroll.emulator.junos.configuration.values import AsNumber, Integer, IpAddress, Prefix, Word

TABLES = {"inet.0": 4, "inet6.0": 6}
"""Routing tables, with the IP version of their routes."""


def _is_ipv4(_root: Configured, _parent: Configured, node: Configured) -> bool:
    return ip_network(node.key or "").version == 4  # noqa: PLR2004 - IP's own number


def _is_of_its_table(root: Configured, _parent: Configured, node: Configured) -> bool:
    options = root.find("routing-options")
    for rib in options.entries("rib") if options is not None else ():
        static = rib.child("static")
        if static is not None and node in static.entries("route"):
            return TABLES.get(rib.key or "") in (None, ip_network(node.key or "").version)
    return True


def _static(constraint: Constraint) -> Statement:
    return container(
        "static",
        "Static routes",
        entry(
            "route",
            "Static route",
            Prefix(),
            leaf("next-hop", "Next hop to destination", IpAddress(), exclusive="target"),
            flag("discard", "Drop packets to destination; send no ICMP unreachables", exclusive="target"),
            flag("reject", "Drop packets to destination; send ICMP unreachables", exclusive="target"),
            flag("no-readvertise", "Don't mark route as eligible to be readvertised", exclusive="readvertise"),
            flag("readvertise", "Mark route as eligible to be readvertised", exclusive="readvertise"),
            kept(flag("retain", "Always keep route in forwarding table", exclusive="retain")),
            kept(flag("no-retain", "Don't always keep route in forwarding table", exclusive="retain")),
            *kept_tables.STATIC_ROUTE,
            one_line=True,
            constraints=(constraint,),
        ),
        *kept_tables.STATIC,
    )


ROUTING_OPTIONS = container(
    "routing-options",
    "Protocol-independent routing option configuration",
    entry(
        "rib",
        "Routing table options",
        Word(128),
        _static(Constraint("Route is not of this table's family", _is_of_its_table)),
        *kept_tables.RIB,
    ),
    _static(Constraint("Route of IPv6: configure it under 'rib inet6.0'", _is_ipv4)),
    leaf("router-id", "Router identifier", IpAddress(4)),
    container(
        "autonomous-system",
        "Autonomous system number",
        leaf("", "Autonomous system number", AsNumber()),
        kept(leaf("loops", "Maximum number of times this AS can be in an AS path", Integer(1, 10))),
        kept(flag("asdot-notation", "Display AS number in dotted notation")),
        kept(flag("independent-domain", "Independent autonomous-system domain")),
        one_line=True,
    ),
    *kept_tables.ROUTING_OPTIONS,
    *kept_tables.ROUTING_REFUSED,
)
