"""The `interfaces` hierarchy: interfaces, units, VLANs and addresses."""

from __future__ import annotations

import re
from typing import Literal

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
from keyroll.emulator.junos.configuration.statements.kept import interfaces as kept_tables
from keyroll.emulator.junos.configuration.values import Integer, InterfaceName, Prefix, Text

_DESCRIPTION = kept(leaf("description", "Text description of interface", Text(1, 900)))
_FAMILY_MTU = kept(leaf("mtu", "Protocol family maximum transmission unit", Integer(256, 16000)))
_MTU = kept(leaf("mtu", "Maximum transmit packet size", Integer(256, 16000)))

_TAGGING = ("flexible-vlan-tagging", "stacked-vlan-tagging", "vlan-tagging")
_ETHERNET = re.compile(r"(?:ae|et|fe|ge|mge|xe)-?\d.*|irb")
"""Interfaces on which a unit's `vlan-id` needs a tagging statement; others (tunnels) tag by their encapsulation."""


def _is_tagged(root: Configured, interface: Configured, unit: Configured) -> bool:
    if unit.value_of("vlan-id") is None or not _ETHERNET.fullmatch(interface.key or ""):
        return True
    interfaces = root.child("interfaces")
    if interfaces is not None and interfaces.entries("interface-range"):
        return True  # ranges are kept as text: one may set tagging for this interface
    return any(interface.child(name) is not None for name in _TAGGING)


def _is_alone_in_vlan(root: Configured, interface: Configured, unit: Configured) -> bool:
    del root
    vlan = unit.value_of("vlan-id")
    before = next(one for one in interface.entries("unit") if one.value_of("vlan-id") == vlan)
    return vlan is None or before.key == unit.key


def _family(name: str, text: str, *children: Statement) -> Statement:
    return container(name, text, _FAMILY_MTU, *kept_tables.UNIT_INET, *children, presence=True)


def _address(version: Literal[4, 6]) -> Statement:
    return entry(
        "address",
        "Interface address/destination prefix",
        Prefix(version, host=True),
        kept(flag("primary", "Candidate for primary address in system")),
        kept(flag("preferred", "Preferred address on interface")),
        *kept_tables.UNIT_ADDRESS,
    )


INTERFACES = container(
    "interfaces",
    "Interface configuration",
    *kept_tables.INTERFACE_RANGE,
    entry(
        "",
        "Interface name",
        InterfaceName(),
        _DESCRIPTION,
        flag("disable", "Disable this interface"),
        flag("flexible-vlan-tagging", "Support for no tagging, or single and double 802.1q VLAN tagging"),
        flag("stacked-vlan-tagging", "Stacked 802.1q VLAN tagging support"),
        flag("vlan-tagging", "802.1q VLAN tagging support"),
        _MTU,
        *kept_tables.INTERFACE,
        entry(
            "unit",
            "Logical interface",
            Integer(0, 16385),
            _DESCRIPTION,
            flag("disable", "Disable this logical interface"),
            leaf("vlan-id", "Virtual LAN identifier value for 802.1q VLAN tags", Integer(0, 4094)),
            *kept_tables.UNIT,
            container(
                "family",
                "Protocol family",
                _family("inet", "IPv4 parameters", _address(4)),
                _family("inet6", "IPv6 protocol parameters", _address(6)),
                _family("mpls", "MPLS protocol parameters"),
                *kept_tables.UNIT_FAMILY,
                joined=True,
            ),
            constraints=(
                Constraint("VLAN-ID can only be specified on tagged ethernet interfaces", _is_tagged),
                Constraint("duplicate VLAN-ID on interface", _is_alone_in_vlan),
            ),
        ),
    ),
)
