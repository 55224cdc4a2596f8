"""Parts of real configurations that are kept and shown, and have no effect here."""

from __future__ import annotations

from keyroll.emulator.junos.configuration.schema import container, entry, flag, kept, leaf
from keyroll.emulator.junos.configuration.values import Integer, IpAddress, Prefix, Text, Word, one_of

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
        entry(
            "fpc",
            "FPC parameters",
            Integer(0, 63),
            entry(
                "pic",
                "PIC parameters",
                Integer(0, 15),
                entry(
                    "port",
                    "Port parameters",
                    Integer(0, 63),
                    leaf("speed", "Port speed", Word(8)),
                ),
                leaf("pic-mode", "PIC mode of operation", Word(8)),
                container(
                    "tunnel-services",
                    "Tunnel services configuration",
                    leaf("bandwidth", "Bandwidth reserved for tunnel service", Word(16)),
                    presence=True,
                ),
            ),
            flag("lite-mode", "Use the forwarding plane of small machines"),
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
        leaf("name", "System name override", Text(1, 255)),
        leaf("location", "Physical location of system", Text(1, 255)),
        leaf("contact", "Contact information for administrator", Text(1, 255)),
        leaf("description", "System description", Text(1, 255)),
        entry(
            "community",
            "Configure a community string",
            Word(),
            leaf("authorization", "Authorization type", one_of(read_only="Read only", read_write="Read and write")),
            container(
                "clients",
                "List of source address prefix ranges to accept",
                entry("", "Address", Prefix(), flag("restrict", "Deny access"), one_line=True),
            ),
        ),
        entry(
            "trap-group",
            "Configure traps and notifications",
            Word(),
            leaf("version", "SNMP version", one_of(all="All versions", v1="SNMPv1", v2="SNMPv2")),
            container(
                "categories",
                "Trap categories",
                *(
                    flag(name, f"{name.capitalize()} notifications")
                    for name in ("authentication", "chassis", "configuration", "link", "routing", "services", "startup")
                ),
            ),
            container("targets", "Targets for trap messages", entry("", "IP address", IpAddress())),
        ),
        container("trap-options", "SNMP trap options", leaf("source-address", "IPv4 source address", IpAddress())),
        flag("interface-index-persistence", "Keep interface indexes"),
    )
)
