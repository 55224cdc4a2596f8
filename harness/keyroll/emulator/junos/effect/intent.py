"""Converts a committed configuration into the `Intent` that the machine half carries out. Pure.

Reads the expanded tree (groups inherited, nothing inactive). Checks that involve several statements (a neighbor without
an AS number, a policy that is not defined) are made here; checks of one statement are constraints in `statements/`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, ip_address, ip_interface, ip_network

from keyroll.emulator.contract.errors import NOT_EMULATED
from keyroll.emulator.contract.model import (
    Address,
    AuthScheme,
    BgpNeighbor,
    DropAction,
    Intent,
    Interface,
    Ldp,
    LdpInterface,
    LdpPeer,
    Network,
    Protection,
    Unit,
)
from keyroll.emulator.contract.policy_expression import policy_names
from keyroll.emulator.contract.routing_policy import NextHop, OwnRoute, PolicyTerm, PrefixLimit
from keyroll.emulator.junos.configuration.faults import CommitFault, block
from keyroll.emulator.junos.configuration.statements.routing import TABLES
from keyroll.emulator.junos.configuration.tree import Node
from keyroll.emulator.junos.configuration.values import is_management, reveal
from keyroll.emulator.junos.effect.policy_terms import PolicyFault, Route, bgp_terms, own_routes
from keyroll.keychain.model import TOLERANCE_DEFAULT, Key, Keychain
from keyroll.keychain.starttime import parse_start
from keyroll.names import Algorithm

Reason = tuple[str, ...]
"""The lines of one reason to refuse a commit."""


def build(root: Node, *, host_name: str) -> Intent:
    """Return the intent of the expanded tree `root`; `host_name` is the router's name if none is configured.

    Raises CommitFault with all reasons, in Junos' layout.
    """
    units = tuple(_units(root))
    statics = list(_statics(root))
    options = root.find("routing-options")
    router_id = options.value_of("router-id") if options else None
    own_as = _as_number(options.child("autonomous-system")) if options else None
    reasons = list(_static_problems(statics))
    neighbors = tuple(_neighbors(root, own_as, reasons))
    listed = [text for neighbor in neighbors for text in (*neighbor.export, *neighbor.import_)]
    policies = dict.fromkeys(policy_names(listed))
    reasons += _missing_policies(root, policies)
    terms = _terms(root, policies, reasons)
    readvertised = (route for route in statics if route.child("no-readvertise") is None)
    routes = [*_direct(units), *(Route(ip_network(route.key or ""), "static") for route in readvertised)]
    announce = _announced(root, policies, routes, reasons)
    reasons += _next_hops_of_imports(neighbors, terms)
    if reasons:
        # A policy used by several neighbors gives one reason; lines that different reasons share are repeated.
        raise CommitFault(tuple(line for reason in dict.fromkeys(reasons) for line in reason))
    system = root.find("system")
    return Intent(
        host_name=(system.value_of("host-name") if system else None) or host_name,
        units=units,
        router_id=IPv4Address(router_id) if router_id else None,
        autonomous_system=own_as,
        static_routes=tuple(_static_route(route) for route in statics),
        neighbors=neighbors,
        announce=announce,
        policies=terms,
        chains=tuple(keychains(root)),
        ldp=_ldp(root),
    )


def _ldp(root: Node) -> Ldp | None:
    ldp = root.find("protocols", "ldp")
    if ldp is None:
        return None
    interfaces = tuple(
        LdpInterface(name, _number(node.value_of("hello-interval")), _number(node.value_of("hold-time")))
        for node in ldp.entries("interface")
        if not node.child("disable")
        for name in _expanded(root, ldp, node.key or "")
    )
    peers = []
    for name in ("session", "session-group"):
        for node in ldp.entries(name):
            levels = _Levels((node,))
            md5 = node.value_of("authentication-key")
            peers.append(LdpPeer(ip_network(node.key or ""), _protection(levels), reveal(md5) if md5 else None))
    return Ldp(
        interfaces,
        tuple(peers),
        keepalive_interval=_number(ldp.value_of("keepalive-interval")),
        keepalive_timeout=_number(ldp.value_of("keepalive-timeout")),
        transport_interface=ldp.value_of("transport-address") == "interface",
    )


def _expanded(root: Node, protocol: Node, name: str) -> list[str]:
    """Return the logical interfaces that `interface NAME` means; `all` means those not configured by name."""
    if name != "all":
        return [name]
    named = {node.key for node in protocol.entries("interface")}
    return [unit.name for unit in _units(root) if unit.name not in named]


def keychains(root: Node) -> Iterator[Keychain]:
    """Yield the chains under `security authentication-key-chains`."""
    chains = root.find("security", "authentication-key-chains")
    for chain in chains.entries("key-chain") if chains else []:
        yield Keychain(
            chain.key or "",
            tuple(_key(key) for key in chain.entries("key")),
            tolerance=int(chain.value_of("tolerance") or TOLERANCE_DEFAULT),
            description=chain.value_of("description"),
        )


def _key(node: Node) -> Key:
    secret, start = node.value_of("secret"), node.value_of("start-time")
    attributes = node.child("ao-attribute")
    ao = attributes if attributes is not None else Node(node.statement)
    option, algorithm = ao.value_of("tcp-ao-option"), ao.value_of("cryptographic-algorithm")
    return Key(
        int(node.key or 0),
        secret=reveal(secret) if secret else None,
        start=parse_start(start) if start else None,
        scheme=node.value_of("algorithm"),
        send_id=_number(ao.value_of("send-id")),
        recv_id=_number(ao.value_of("recv-id")),
        tcp_ao_option=option == "enabled" if option else None,
        algorithm=Algorithm(algorithm) if algorithm else None,
    )


def _number(text: str | None) -> int | None:
    return int(text) if text is not None else None


def _units(root: Node) -> Iterator[Unit]:
    interfaces = root.find("interfaces")
    for interface in interfaces.entries("") if interfaces else []:
        if is_management(interface.key or ""):
            continue
        for unit in interface.entries("unit"):
            family = unit.child("family")
            found: list[Interface] = []
            for name in ("inet", "inet6"):
                addresses = family.child(name) if family else None
                found += [ip_interface(entry.key or "") for entry in addresses.entries("address")] if addresses else []
            disabled = any(node.child("disable") is not None for node in (interface, unit))
            mpls = family is not None and family.child("mpls") is not None
            vlan = _number(unit.value_of("vlan-id"))
            yield Unit(f"{interface.key}.{unit.key}", tuple(found), disabled=disabled, mpls=mpls, vlan=vlan)


def _direct(units: tuple[Unit, ...]) -> Iterator[Route]:
    for unit in units:
        for address in unit.addresses:
            yield Route(address.network, "direct", unit.name)


def _statics(root: Node) -> Iterator[Node]:
    """Yield the static routes of inet.0 and inet6.0 that have a next hop, `discard` or `reject`."""
    options = root.find("routing-options")
    ribs = options.entries("rib") if options is not None else []
    tables = [options, *(rib for rib in ribs if rib.key in TABLES)] if options is not None else []
    for table in tables:
        static = table.child("static")
        for route in static.entries("route") if static is not None else ():
            if any(route.child(name) is not None for name in ("next-hop", "discard", "reject")):
                yield route


def _static_route(route: Node) -> tuple[Network, Address | DropAction]:
    next_hop = route.value_of("next-hop")
    drop = DropAction.DISCARD if route.child("discard") is not None else DropAction.REJECT
    return ip_network(route.key or ""), ip_address(next_hop) if next_hop is not None else drop


def _static_problems(statics: Iterable[Node]) -> Iterator[Reason]:
    for route in statics:
        next_hop = route.value_of("next-hop")
        if next_hop is not None and ip_address(next_hop).version != ip_network(route.key or "").version:
            message = f"next hop {next_hop} is not of the route's family"
            yield block("[edit routing-options static]", f"route {route.key}", message)


@dataclass(frozen=True, slots=True)
class _Levels:
    """The bodies in which a BGP statement may be configured (neighbor, group, bgp), the most specific first.

    Each method returns what the most specific body with the statement `name` has.
    """

    nodes: tuple[Node, ...]

    def value(self, name: str) -> str | None:
        return next((found for node in self.nodes if (found := node.value_of(name)) is not None), None)

    def values(self, name: str) -> tuple[str, ...]:
        return next((found for node in self.nodes if (found := node.values_of(name))), ())

    def has(self, name: str) -> bool:
        return any(node.child(name) is not None for node in self.nodes)

    def node(self, name: str) -> Node | None:
        return next((found for node in self.nodes if (found := node.child(name)) is not None), None)


DYNAMIC_REFUSED = f"{NOT_EMULATED}dynamic neighbors, so no session would come up: name each neighbor"


def _neighbors(root: Node, own_as: int | None, reasons: list[Reason]) -> Iterator[BgpNeighbor]:
    bgp = root.find("protocols", "bgp")
    for group in bgp.entries("group") if bgp and bgp.child("disable") is None else []:
        for name in ("dynamic-neighbor", "allow"):
            for dynamic in group.entries(name):
                where = f"[edit protocols bgp group {group.key}]"
                reasons.append(block(where, f"{name} {dynamic.key}", DYNAMIC_REFUSED))
        for node in group.entries("neighbor"):
            levels = _Levels((node, group, bgp) if bgp else (node, group))
            external = group.value_of("type") != "internal"
            peer_as = _number(levels.value("peer-as"))
            local_as = _as_number(levels.node("local-as"))
            if not external:
                peer_as = peer_as or local_as or own_as
            problem = _as_problem(own_as, peer_as, local_as=local_as, external=external)
            problem = problem or _unemulated(levels, peer_as, own_as, external=external)
            if problem or peer_as is None:
                where = f"[edit protocols bgp group {group.key}]"
                message = f"Error in neighbor {node.key} of group {group.key}:\n{problem}"
                reasons.append(block(where, f"neighbor {node.key}", message))
                continue
            yield _neighbor(node.key or "", group.key or "", levels, peer_as, external=external)


def _as_number(node: Node | None) -> int | None:
    return _number(node.value_of("")) if node is not None else None


def _as_problem(own_as: int | None, peer_as: int | None, *, local_as: int | None, external: bool) -> str | None:
    """Return Junos' message about missing or contradictory AS numbers of a neighbor; None when they are usable."""
    if own_as is None and local_as is None:
        return "local AS number must be configured"
    if peer_as is None:
        return f"peer AS number must be configured for an {'external' if external else 'internal'} peer"
    if external and peer_as == own_as and local_as is None:
        return "external peer has the local AS number; its group must be of type internal"
    return None


_DISTANCE_MAX = 254
"""The largest administrative distance of a usable route in bgpd; 255 means unusable."""


def _unemulated(levels: _Levels, peer_as: int | None, own_as: int | None, *, external: bool) -> str | None:
    """Return the message about a setting of a neighbor that bgpd would refuse or interpret differently, or None."""
    preference = _number(levels.value("preference"))
    local_as = _as_number(levels.node("local-as"))
    found = None
    if not external and levels.value("local-preference") is not None:
        found = "local-preference of an internal group, so other paths would win: set it by an export policy"
    elif local_as is not None and own_as not in (None, local_as) and peer_as != local_as and not external:
        found = "local-as of an internal peer in another AS: bgpd would name another AS, so no session would come up"
    elif local_as is not None and own_as not in (None, local_as) and peer_as == own_as:
        found = "local-as towards a peer in the router's own AS: bgpd would name that AS, so no session would come up"
    elif not external and levels.value("ttl") == "1":
        found = "ttl 1 of an internal peer: bgpd sends with a greater one, so what a TTL limit drops is not seen"
    elif preference is not None and not 1 <= preference <= _DISTANCE_MAX:
        found = f"preference {preference}, which bgpd takes for unusable or none: use 1 to {_DISTANCE_MAX}"
    return None if found is None else f"{NOT_EMULATED}{found}"


def _neighbor(address: str, group: str, levels: _Levels, peer_as: int, *, external: bool) -> BgpNeighbor:
    local = levels.value("local-address")
    multihop = levels.node("multihop")
    ttl = _number(multihop.value_of("ttl")) if multihop else None
    md5 = levels.value("authentication-key")
    return BgpNeighbor(
        address=ip_address(address),
        peer_as=peer_as,
        group=group,
        external=external,
        local_address=ip_address(local) if local else None,
        local_as=_as_number(local_as := levels.node("local-as")),
        local_as_private=local_as is not None and local_as.child("private") is not None,
        local_as_alone=local_as is not None and local_as.child("no-prepend-global-as") is not None,
        hold_time=_number(levels.value("hold-time")),
        multihop_ttl=(ttl or MULTIHOP_TTL) if multihop else None,
        passive=levels.has("passive"),
        families=_families(levels.node("family"), address),
        protection=_protection(levels),
        md5=reveal(md5) if md5 else None,
        export=levels.values("export"),
        import_=levels.values("import"),
        description=levels.value("description"),
        local_preference=_number(levels.value("local-preference")),
        limits=dict(_limits(levels.node("family"))),
        ttl=_number(levels.value("ttl")),
        tcp_mss=_number(levels.value("tcp-mss")),
        preference=_number(levels.value("preference")),
        multipath=levels.has("multipath"),
        multiple_as=(multipath := levels.node("multipath")) is not None and multipath.child("multiple-as") is not None,
        remove_private=_remove_private(levels.node("remove-private")),
        as_override=levels.has("as-override"),
        cluster=IPv4Address(cluster) if (cluster := levels.value("cluster")) and not external else None,
    )


def _remove_private(node: Node | None) -> str | None:
    if node is None:
        return None
    return " ".join(name for name in ("all", "replace") if node.child(name) is not None)


def _limits(family: Node | None) -> Iterator[tuple[str, PrefixLimit]]:
    for child in family.shown() if family is not None else ():
        limit = child.find("unicast", "prefix-limit")
        maximum = limit.value_of("maximum") if limit is not None else None
        if limit is None or maximum is None:
            continue
        teardown = limit.child("teardown")
        percent = teardown.value_of("") if teardown is not None else None
        idle = teardown.value_of("idle-timeout") if teardown is not None else None
        yield (
            f"{child.statement.name}-unicast",
            PrefixLimit(
                int(maximum),
                teardown is not None,
                _number(percent),
                FOREVER if idle == "forever" else _number(idle),
            ),
        )


FOREVER = 0
"""Stands for `idle-timeout forever` in a number of minutes: the session stays down until it is cleared."""


MULTIHOP_TTL = 64
"""Junos' TTL of a multihop session when none is configured (`ttl`, default 64)."""


def _families(family: Node | None, address: str) -> tuple[str, ...]:
    named = tuple(
        f"{name}-unicast" for name in ("inet", "inet6") if family is not None and family.find(name, "unicast")
    )
    if not named:  # families without effect exchange no routes here: the session uses the family of its address
        return ("inet6-unicast",) if ip_address(address).version == 6 else ("inet-unicast",)  # noqa: PLR2004 - IP's own number
    return named


def _protection(levels: _Levels) -> Protection | None:
    """Return the keychain and scheme of a session; without `authentication-algorithm`, Junos' default scheme."""
    chain = levels.value("authentication-key-chain")
    if chain is None:
        return None
    scheme = AuthScheme(levels.value("authentication-algorithm") or AuthScheme.HMAC_SHA_1_96.value)
    return Protection(scheme, chain, levels.has("tcpao-auth-mismatch"))


def _terms(root: Node, names: dict[str, None], reasons: list[Reason]) -> dict[str, tuple[PolicyTerm, ...]]:
    found: dict[str, tuple[PolicyTerm, ...]] = {}
    for name in names:
        try:
            found[name] = bgp_terms(root, name)
        except PolicyFault as fault:
            reasons.append((f"error: {fault}",))
    return found


def _announced(
    root: Node, names: Iterable[str], routes: list[Route], reasons: list[Reason]
) -> dict[str, tuple[OwnRoute, ...]]:
    found: dict[str, tuple[OwnRoute, ...]] = {}
    for name in names:
        try:
            found[name] = own_routes(root, name, routes)
        except PolicyFault as fault:
            reasons.append((f"error: {fault}",))
    return found


def _next_hops_of_imports(
    neighbors: Iterable[BgpNeighbor], terms: Mapping[str, tuple[PolicyTerm, ...]]
) -> Iterator[Reason]:
    for name in policy_names(text for neighbor in neighbors for text in neighbor.import_):
        if any(term.changes.next_hop is NextHop.SELF for term in terms.get(name, ())):
            yield (f"error: {NOT_EMULATED}policy {name}: 'next-hop self' in an import policy",)


def _missing_policies(root: Node, names: dict[str, None]) -> list[Reason]:
    options = root.find("policy-options")
    missing = [name for name in names if options is None or options.child("policy-statement", name) is None]
    return [(f"error: Policy error: Policy {name} referenced but not defined",) for name in missing]
