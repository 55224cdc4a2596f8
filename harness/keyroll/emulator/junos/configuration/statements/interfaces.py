"""`interfaces`."""

from __future__ import annotations

from keyroll.emulator.junos.configuration.schema import container, entry, flag, kept, leaf
from keyroll.emulator.junos.configuration.statements.kept import interfaces as kept_tables
from keyroll.emulator.junos.configuration.values import Integer, InterfaceName, Prefix, Text

_DESCRIPTION = kept(leaf("description", "Text description of interface", Text(1, 900)))
_FAMILY_MTU = kept(leaf("mtu", "Protocol family maximum transmission unit", Integer(256, 16000)))
_MTU = kept(leaf("mtu", "Maximum transmit packet size", Integer(256, 16000)))

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
                container(
                    "inet",
                    "IPv4 parameters",
                    _FAMILY_MTU,
                    *kept_tables.UNIT_INET,
                    entry(
                        "address",
                        "Interface address/destination prefix",
                        Prefix(4, host=True),
                        kept(flag("primary", "Candidate for primary address in system")),
                        kept(flag("preferred", "Preferred address on interface")),
                        *kept_tables.UNIT_ADDRESS,
                    ),
                    presence=True,
                ),
                container(
                    "inet6",
                    "IPv6 protocol parameters",
                    _FAMILY_MTU,
                    *kept_tables.UNIT_INET,
                    entry(
                        "address",
                        "Interface address/destination prefix",
                        Prefix(6, host=True),
                        kept(flag("primary", "Candidate for primary address in system")),
                        kept(flag("preferred", "Preferred address on interface")),
                        *kept_tables.UNIT_ADDRESS,
                    ),
                    presence=True,
                ),
                container("mpls", "MPLS protocol parameters", _FAMILY_MTU, *kept_tables.UNIT_INET, presence=True),
                *kept_tables.UNIT_FAMILY,
                joined=True,
            ),
        ),
    ),
)
