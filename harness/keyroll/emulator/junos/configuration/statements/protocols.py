"""The `protocols` hierarchy: BGP, LDP, MPLS; authentication as in Juniper's model of Junos 24.4 (docs/junos.md 2.1)."""

from __future__ import annotations

from keyroll.emulator.junos.configuration.schema import (
    Configured,
    Constraint,
    Statement,
    container,
    entry,
    flag,
    kept,
    leaf,
    refused,
    values,
)
from keyroll.emulator.junos.configuration.statements.kept import hierarchies
from keyroll.emulator.junos.configuration.statements.kept import protocols as kept_tables
from keyroll.emulator.junos.configuration.values import (
    AsNumber,
    IdleTimeout,
    Integer,
    InterfaceName,
    IpAddress,
    PolicyName,
    Prefix,
    SecretText,
    Text,
    Word,
    one_of,
)


def _has_chain(_root: Configured, parent: Configured, _node: Configured) -> bool:
    return parent.child("authentication-key-chain") is not None


def _no_md5_key(_root: Configured, parent: Configured, _node: Configured) -> bool:
    return parent.child("authentication-key") is None


def _chain_is_defined(root: Configured, _parent: Configured, node: Configured) -> bool:
    chains = root.find("security", "authentication-key-chains")
    return chains is not None and chains.child("key-chain", node.key) is not None


def _group_lacks(name: str) -> Constraint:
    """Return the constraint that the group of a dynamic neighbor lacks a statement (docs/junos.md 2.1)."""

    def holds(root: Configured, parent: Configured, _node: Configured) -> bool:
        bgp = root.find("protocols", "bgp")
        groups = bgp.entries("group") if bgp is not None else []
        return not any(parent in group.entries("dynamic-neighbor") and group.child(name) for group in groups)

    return Constraint(f"Can't be configured along with {name}", holds)


_ALL_PEERS = frozenset({"all", "0.0.0.0/0", "::/0"})


def _not_for_all_peers(name: str) -> Constraint:
    """Return the constraint that a group does not allow all peers while a statement is in force (docs/junos.md 2.1)."""

    def holds(root: Configured, parent: Configured, node: Configured) -> bool:
        levels = (parent, root.find("protocols", "bgp"))
        return node.key not in _ALL_PEERS or not any(level and level.child(name) for level in levels)

    return Constraint(f"Can't be configured along with {name}", holds)


_NOT_WITH_MD5 = Constraint("May not be configured with authentication-key", _no_md5_key)

AUTHENTICATION: tuple[Statement, ...] = (
    leaf("authentication-key", "MD5 authentication key", SecretText(126), secret=True),
    leaf(
        "authentication-algorithm",
        "Authentication algorithm name",
        one_of(
            aes_128_cmac_96="Cipher-based Message Authentication Code (AES128) (96 bits)",
            ao="TCP Authentication Option",
            hmac_sha_1_96="Hash-based Message Authentication Code (SHA1) (96 bits)",
            md5="Message Digest 5",
        ),
        constraints=(
            Constraint("May not be configured without authentication-key-chain", _has_chain),
            _NOT_WITH_MD5,
        ),
    ),
    leaf(
        "authentication-key-chain",
        "Key chain name",
        Text(1, 126),
        constraints=(Constraint("Referenced key-chain must be defined", _chain_is_defined), _NOT_WITH_MD5),
    ),
    leaf(
        "tcpao-auth-mismatch",
        "Continue without TCP-AO if any one TCP endpoint does not have TCP-AO configured",
        one_of(allow_without_tcpao="Allow the connection establishment without TCP-AO"),
        constraints=(_NOT_WITH_MD5,),
    ),
)

_UNICAST = container(
    "unicast",
    "Include unicast NLRI",
    container(
        "prefix-limit",
        "Limit maximum number of prefixes from a peer",
        leaf("maximum", "Maximum number of prefixes accepted from a peer", Integer(1, 4294967295)),
        container(
            "teardown",
            "Clear peer connection on reaching limit",
            leaf("", "Percentage of prefix-limit to start warnings", Integer(1, 100)),
            leaf("idle-timeout", "Timeout before attempting to restart peer", IdleTimeout()),
            presence=True,
        ),
    ),
    *kept_tables.BGP_UNICAST,
    presence=True,
)
_FAMILY = container(
    "family",
    "Protocol family for NLRIs in updates",
    container("inet", "IPv4 NLRI parameters", _UNICAST, *kept_tables.BGP_SUBFAMILY),
    container("inet6", "IPv6 NLRI parameters", _UNICAST, *kept_tables.BGP_SUBFAMILY),
    *kept_tables.BGP_FAMILY,
    joined=True,
)

_SESSION: tuple[Statement, ...] = (
    leaf("description", "Text description", Text(1, 255)),
    container(
        "multihop",
        "Configure an EBGP multihop session",
        leaf("ttl", "TTL value for the session", Integer(1, 255)),
        *kept_tables.MULTIHOP,
        presence=True,
    ),
    leaf("preference", "Preference value", Integer(0, 4294967295)),
    leaf("ttl", "TTL value for the session", one_of(_1="TTL of 1", _255="TTL of 255")),
    leaf("tcp-mss", "Maximum TCP segment size", Integer(1, 4096)),
    leaf("local-address", "Address of local end of BGP session", IpAddress()),
    leaf("hold-time", "Hold time used when negotiating with a peer", Integer(3, 65535, also=(0,))),
    flag("passive", "Do not send open messages to a peer"),
    values("import", "Import policy", PolicyName()),
    _FAMILY,
    *AUTHENTICATION,
    values("export", "Export policy", PolicyName()),
    leaf("peer-as", "Autonomous system number", AsNumber()),
    container(
        "local-as",
        "Local autonomous system number",
        leaf("", "Local autonomous system number", AsNumber()),
        kept(leaf("loops", "Maximum number of times this AS can be in an AS path", Integer(1, 10))),
        flag("private", "Hide this local AS in paths learned from this peering"),
        flag("no-prepend-global-as", "Do not prepend global autonomous-system number in advertised paths"),
        refused(
            "alias",
            "Treat this AS as an alias to the system AS",
            "two AS numbers for one session: bgpd sends only one, so a peer that expects the other has no session",
        ),
        one_line=True,
    ),
    leaf("local-preference", "Value of LOCAL_PREF path attribute", Integer(0, 4294967295)),
    container(
        "multipath",
        "Allow load sharing among multiple BGP paths",
        flag("multiple-as", "Use paths received from different ASs"),
        *kept_tables.MULTIPATH,
        presence=True,
    ),
    container(
        "remove-private",
        "Remove well-known private AS numbers",
        flag("all", "Remove all private AS numbers and do not stop at the first public AS number"),
        flag("replace", "Replace private AS numbers with the local AS number"),
        presence=True,
    ),
    flag("as-override", "Replace neighbor AS number with our AS number"),
    leaf("cluster", "Cluster identifier", IpAddress(4)),
    kept(flag("log-updown", "Log a message for peer state transitions")),
    *kept_tables.BGP,
    *kept_tables.BGP_REFUSED,
)

_ALLOW = values(
    "allow",
    "Configure peer connections for specific networks",
    Prefix(also_all=True),
    constraints=(_not_for_all_peers("authentication-key-chain"), _not_for_all_peers("authentication-key")),
)
_DYNAMIC = entry(
    "dynamic-neighbor",
    "Configure dynamic neighbors",
    Word(),
    container(
        "peer-auto-discovery",
        "Auto-discovery of peers",
        container("family", "Protocol family", container("inet6", "IPv6", flag("ipv6-nd", "Neighbor discovery"))),
        entry("interface", "Interface to discover peers on", InterfaceName(logical=True)),
        presence=True,
        constraints=(_group_lacks("authentication-algorithm"), _group_lacks("authentication-key")),
    ),
)
"""`allow` and this one are parsed for their constraints; `effect.intent` refuses to commit any dynamic neighbor."""

_BGP = container(
    "bgp",
    "BGP options",
    flag("disable", "Disable BGP"),
    *(child for child in _SESSION if child.name != "peer-as"),
    entry(
        "group",
        "Define a peer group",
        Text(1, 255),
        leaf("type", "Type of peer group", one_of(external="External group", internal="Internal group")),
        *_SESSION,
        entry("neighbor", "Configure a neighbor", IpAddress(), *_SESSION),
        _ALLOW,
        _DYNAMIC,
    ),
)

_KEEPALIVES: tuple[Statement, ...] = (
    leaf("keepalive-interval", "Keepalive interval", Integer(1, 65535)),
    leaf("keepalive-timeout", "Keepalive timeout", Integer(1, 65535)),
)
_LDP = container(
    "ldp",
    "LDP options",
    *_KEEPALIVES,
    leaf(
        "transport-address",
        "Address used for TCP sessions",
        one_of(interface="Use interface address for TCP connections", router_id="Use router ID for TCP connections"),
    ),
    entry(
        "interface",
        "Enable LDP on this interface",
        InterfaceName(logical=True, also_all=True),
        flag("disable", "Disable LDP on this interface"),
        leaf("hello-interval", "Hello interval", Integer(1, 65535)),
        leaf("hold-time", "Hello hold time", Integer(1, 65535)),
        *kept_tables.LDP_INTERFACE,
    ),
    entry("session", "Configure session parameters", IpAddress(4), *AUTHENTICATION, *kept_tables.LDP_SESSION),
    entry("session-group", "Configure session group parameters", Prefix(4), *AUTHENTICATION, *kept_tables.LDP_SESSION),
    *kept_tables.LDP,
    *kept_tables.LDP_REFUSED,
)
_MPLS = container(
    "mpls",
    "Multiprotocol Label Switching options",
    entry(
        "interface",
        "MPLS interface options",
        InterfaceName(logical=True, also_all=True),
        flag("disable", "Disable MPLS on this interface"),
        *kept_tables.MPLS,
    ),
    *kept_tables.MPLS,
)

PROTOCOLS = container("protocols", "Routing protocol configuration", _BGP, _LDP, _MPLS, *hierarchies.PROTOCOLS)
