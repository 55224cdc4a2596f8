"""Whole hierarchies that cannot affect a session's authentication: kept as text, unparsed."""

from __future__ import annotations

from keyroll.emulator.junos.configuration.schema import hierarchy, kept, leaf, opaques
from keyroll.emulator.junos.configuration.values import Text

VERSION = kept(leaf("version", "Software version information", Text(1, 64)))

_HARDWARE = "the hardware: ports, cards, fabric, alarms"
_FORWARDING = "packet forwarding other than by destination: queues, filters, sampling"
_IGP = "routes of these protocols, and sessions that need them to reach their peer"
_VPN = "VPNs and layer-2 services: their routes, instances and interfaces; sessions in instances do not exist"
_MANAGEMENT = "management traffic: polls, traps, scripts, logs to servers"
_SERVICES = "services for forwarded traffic"

BEFORE_SECURITY = (
    hierarchy("logical-systems", "Logical systems", "logical systems and all their sessions"),
    hierarchy("chassis", "Chassis configuration", _HARDWARE),
    hierarchy("services", "System services", _SERVICES),
    hierarchy("access", "Network access configuration", _MANAGEMENT),
    hierarchy("access-profile", "Access profile for this instance", _MANAGEMENT),
    hierarchy("accounting-options", "Accounting data configuration", _MANAGEMENT),
    hierarchy("applications", "Define applications by protocol characteristics", _SERVICES),
    hierarchy("diameter", "Diameter protocol layer", _MANAGEMENT),
    hierarchy("dynamic-profiles", "Dynamic profiles configuration", _SERVICES),
)
"""The hierarchies that Junos shows before `security`, in its order."""
AFTER_INTERFACES = (
    hierarchy("snmp", "Simple Network Management Protocol configuration", _MANAGEMENT),
    hierarchy("forwarding-options", "Configure options to control packet forwarding", _FORWARDING),
    hierarchy("event-options", "Event processing configuration", _MANAGEMENT),
    hierarchy("poe", "Power-over-Ethernet options", _HARDWARE),
)
AFTER_POLICY = (
    hierarchy("class-of-service", "Class-of-service configuration", _FORWARDING),
    hierarchy("firewall", "Define a firewall configuration", _FORWARDING),
    hierarchy("routing-instances", "Routing instance configuration", _VPN),
)
AFTER_PROTOCOLS = (
    hierarchy("bridge-domains", "Bridge domain configuration", _VPN),
    hierarchy("switch-options", "Options for default routing-instance of type virtual-switch", _VPN),
    hierarchy("vlans", "VLAN configuration", _VPN),
    hierarchy("l2-learning", "Layer 2 forwarding configuration", _VPN),
    hierarchy("virtual-chassis", "Virtual chassis configuration", _HARDWARE),
    hierarchy("multi-chassis", "Multi-chassis configuration", _HARDWARE),
    hierarchy("jsrc-partition", "Partition of the JSRC client", _MANAGEMENT),
)
SECURITY = tuple(
    hierarchy(name, text, "IPsec, MACsec, firewall zones, certificates: BGP and LDP do not use them here")
    for name, text in (
        ("certificates", "X.509 certificate configuration"),
        ("address-book", "Security address book"),
        ("distribution-profile", "Security distribution profile"),
        ("forwarding-options", "Security-forwarding-options configuration"),
        ("flow", "FLOW configuration"),
        ("ike", "IKE configuration"),
        ("ipsec", "IPSec configuration"),
        ("keychain", "Keychain configuration"),
        ("log", "Configure auditable security logs"),
        ("macsec", "MAC Security configuration"),
        ("nat", "Configure Network Address Translation"),
        ("pki", "PKI service configuration"),
        ("policies", "Configure Network Security Policies"),
        ("screen", "Configure screen feature"),
        ("ssh-known-hosts", "SSH known host list"),
        ("tls", "Transport Layer Security"),
        ("zones", "Zone configuration"),
    )
)
PROTOCOLS = tuple(
    hierarchy(name, text, _IGP if name in {"isis", "ospf", "ospf3", "rip", "ripng"} else lost)
    for lost, rows in (
        (
            "this protocol: the router neither sends nor answers it",
            (
                ("bfd", "BFD options"),
                ("connections", "Circuit cross-connect configuration"),
                ("dcbx", "Data Center Bridging Capability Exchange"),
                ("dot1x", "802.1X options"),
                ("igmp", "IGMP options"),
                ("igmp-snooping", "IGMP snooping configuration"),
                ("iccp", "ICCP options"),
                ("isis", "IS-IS options"),
                ("isis-instance", "IS-IS instances"),
                ("lacp", "Link Aggregation Control Protocol configuration"),
                ("layer2-control", "Layer 2 control protocols"),
                ("link-management", "LMP options"),
                ("lldp", "LLDP options"),
                ("lldp-med", "LLDP Media Endpoint Discovery options"),
                ("mld", "MLD options"),
                ("mld-snooping", "MLD snooping configuration"),
                ("msdp", "MSDP options"),
                ("mstp", "Multiple Spanning Tree Protocol options"),
                ("neighbor-discovery", "IPv6 neighbor discovery"),
                ("oam", "Operation, Administration, and Management configuration"),
                ("ospf", "OSPF options"),
                ("ospf3", "OSPFv3 options"),
                ("pcep", "Path computation client configuration"),
                ("pim", "PIM options"),
                ("rip", "RIP options"),
                ("ripng", "RIPng options"),
                ("router-advertisement", "IPv6 router advertisement options"),
                ("rstp", "Rapid Spanning Tree Protocol options"),
                ("rsvp", "RSVP options"),
                ("sflow", "sFlow protocol"),
                ("source-packet-routing", "Source packet routing (SPRING)"),
                ("stp", "Spanning Tree Protocol options"),
                ("vrrp", "VRRP options"),
                ("vstp", "VLAN Spanning Tree Protocol options"),
            ),
        ),
        (
            _VPN,
            (
                ("evpn", "EVPN options"),
                ("l2-learning", "Layer 2 learning configuration"),
                ("l2circuit", "Configuration for Layer 2 circuits over MPLS"),
                ("l2vpn", "Layer 2 VPN options"),
                ("mvpn", "BGP-MVPN configuration"),
                ("vpls", "VPLS options"),
            ),
        ),
    )
    for name, text in rows
)

EVERYWHERE = opaques(
    "notes for scripts", (("apply-flags", "Flags of inheritance"), ("apply-macro", "Data for commit scripts"))
)
"""Statements that every body accepts in which `apply-groups` may stand."""
