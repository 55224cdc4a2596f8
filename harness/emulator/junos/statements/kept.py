"""Parts of real configurations that are kept and shown, and have no effect here."""

from __future__ import annotations

from harness.emulator.junos.schema import container, entry, flag, kept, leaf
from harness.emulator.junos.values import Address, Integer, Prefix, Text, Word, one_of

VERSION = kept(leaf("version", "Software version information", Text(1, 64)))

CHASSIS = kept(
    container(
        "chassis",
        "Chassis configuration",
        container(
            "aggregated-devices",
            "Aggregated devices configuration",
            container(
                "ethernet",
                "Aggregated device options for Ethernet",
                leaf("device-count", "Number of aggregated Ethernet devices", Integer(1, 1000)),
            ),
        ),
        leaf("network-services", "Chassis network services mode", one_of(enhanced_ip="Enhanced IP", ip="IP")),
        container(
            "alarm",
            "Global alarm settings",
            container(
                "management-ethernet",
                "Management Ethernet alarms",
                leaf("link-down", "Link has gone down", one_of(ignore="Do not assert", red="Red", yellow="Yellow")),
            ),
        ),
    )
)

SNMP = kept(
    container(
        "snmp",
        "Simple Network Management Protocol configuration",
        leaf("location", "Physical location of system", Text(1, 255)),
        leaf("contact", "Contact information for administrator", Text(1, 255)),
        leaf("description", "System description", Text(1, 255)),
        entry(
            "community",
            "Configure a community string",
            Word(),
            leaf("authorization", "Authorization type", one_of(read_only="Read only", read_write="Read and write")),
            entry("clients", "List of source address prefix ranges to accept", Prefix()),
        ),
        entry(
            "trap-group",
            "Configure traps and notifications",
            Word(),
            entry("targets", "Targets for trap messages", Address()),
        ),
        flag("interface-index-persistence", "Keep interface indexes"),
    )
)
