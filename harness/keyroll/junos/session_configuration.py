"""The configuration of one router of a pair with several sessions: on the link or between loopbacks, each with a chain.

Every BGP session announces its own prefix, so that its routes are active independently of other sessions. Static routes
lead to the peer's loopback, so that sessions between loopbacks need no other protocol.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Interface, IPv4Network, IPv6Interface, IPv6Network

from keyroll.junos.base_configuration import GROUP, LDP_KEEPALIVE, Family, Plan, PlanError, check_plans, interface_lines
from keyroll.names import AuthenticationLevel, SessionKind

_PREFIX, _PREFIX6 = IPv4Network("198.51.100.0/24"), IPv6Network("2001:db8:c633::/48")
"""The prefixes that sessions announce from: TEST-NET-2 (RFC 5737), and a part of RFC 3849's, which no network uses."""
_EACH = 128
"""The most prefixes of a router: half of TEST-NET-2; a pair has only a few sessions."""
_MULTIHOP_TTL = 2
"""The TTL between the loopbacks of two neighboring routers: one more than for the addresses of their link."""


@dataclass(frozen=True, slots=True)
class SessionLines:
    """One session, as one router configures it."""

    name: str
    kind: SessionKind
    family: Family = Family.INET
    internal: bool = False
    loopbacks: bool = False
    chain: str | None = None
    """The key-chain that protects it here; None: no authentication."""
    passive: bool = False
    hold_time: int = 90
    """In seconds; 90 is Junos' default (docs/junos.md 3.3)."""
    vlan: int | None = None
    """The VLAN of the link that it runs on; None: unit 0."""
    as_numbers: tuple[int, int] | None = None
    """The ASes that this router and its peer open it with; None: those of the plans."""
    authentication_at: AuthenticationLevel = AuthenticationLevel.NEIGHBOR
    """The level at which its authentication is configured here, if it is BGP."""

    @property
    def group(self) -> str:
        """Its BGP group: a session that is written as a word is in the default group."""
        return GROUP if self.name == SessionKind.BGP else self.name


def pair_configuration(me: Plan, peer: Plan, sessions: Sequence[SessionLines]) -> list[str]:
    """Return the set lines of one router, one statement a line; keychains are not part of it.

    Raises:
        PlanError: the plans lack an address, or do not fit each other.
    """
    for family in {one.family for one in sessions}:
        check_plans(me, peer, family)
    kinds = {one.kind for one in sessions}
    own_as, _ = local_as(me, peer, sessions)
    lines = [f"set system host-name {me.name}", *interface_lines(me, mpls=SessionKind.LDP in kinds)]
    lines += _vlans(me, sessions)
    lines += [f"set routing-options router-id {me.loopback.ip}", f"set routing-options autonomous-system {own_as}"]
    for family in dict.fromkeys(one.family for one in sessions if one.loopbacks):
        lines.append(_static(family, f"{loopback(peer, family).network} next-hop {peer.address(family).ip}"))
    for number, one in enumerate(sessions):
        lines += _bgp(me, peer, sessions, number) if one.kind is SessionKind.BGP else _ldp(me, peer, one)
    # Sessions with authentication at the protocol level have the same lines, so duplicates are removed.
    return list(dict.fromkeys(lines))


def _vlans(me: Plan, sessions: Sequence[SessionLines]) -> Iterator[str]:
    """Yield the lines of units with a VLAN, and those that the port needs for them."""
    vlans = dict.fromkeys(one.vlan for one in sessions if one.vlan is not None)
    if not vlans:
        return
    port = f"set interfaces {me.interface}"
    # On a port with VLAN tagging every unit needs a VLAN, so unit 0 gets one that no session uses.
    free = next(number for number in range(1, 4095) if number not in vlans)
    yield f"{port} vlan-tagging"
    yield f"{port} unit 0 vlan-id {free}"
    for vlan in vlans:
        yield f"{port} unit {vlan} vlan-id {vlan}"
        for family in dict.fromkeys(one.family for one in sessions if one.vlan == vlan):
            yield f"{port} unit {vlan} family {family.value} address {me.address(family, vlan)}"
        if any(one.vlan == vlan and one.kind is SessionKind.LDP for one in sessions):
            yield f"{port} unit {vlan} family mpls"


def local_as(me: Plan, peer: Plan, sessions: Sequence[SessionLines]) -> tuple[int, int]:
    """Return this router's AS and the common AS for internal sessions: that of the router whose name sorts first.

    If every BGP session is internal, both routers have the common AS, unless the sessions give ASes.
    """
    shared = min(me, peer, key=lambda plan: plan.name).asn
    bgp = [one for one in sessions if one.kind is SessionKind.BGP]
    all_internal = bool(bgp) and all(one.internal and one.as_numbers is None for one in bgp)
    return (shared if all_internal else me.asn), shared


def _opened_with(me: Plan, peer: Plan, sessions: Sequence[SessionLines], one: SessionLines) -> tuple[int, int]:
    """Return the ASes that both routers open a session with, this router's first."""
    if one.as_numbers is not None:
        return one.as_numbers
    own_as, shared = local_as(me, peer, sessions)
    return (shared, shared) if one.internal else (own_as, local_as(peer, me, sessions)[0])


def authentication_place(one: SessionLines, peer: str) -> str:
    """Return the path, after `set`, of a session's authentication; `peer` is the peer's address."""
    if one.kind is SessionKind.LDP:
        return f"protocols ldp session {peer}"
    group = f"protocols bgp group {one.group}"
    return {
        AuthenticationLevel.PROTOCOL: "protocols bgp",
        AuthenticationLevel.GROUP: group,
        AuthenticationLevel.NEIGHBOR: f"{group} neighbor {peer}",
    }[one.authentication_at]


def loopback(plan: Plan, family: Family) -> IPv4Interface | IPv6Interface:
    """Return the loopback of a family. Raises PlanError when the plan has none."""
    found = plan.loopback if family is Family.INET else plan.loopback6
    if found is None:
        raise PlanError(f"router {plan.name}: the plan gives it no {family.value} loopback")
    return found


def announced(name: str, family: Family, number: int) -> IPv4Network | IPv6Network:
    """Return the prefix that router `name` announces on the session with index `number` in the file."""
    offset = _EACH * (name != "R1") + number
    if family is Family.INET:
        return IPv4Network(_PREFIX.network_address + offset)
    return IPv6Network(_PREFIX6.network_address + offset)


def _static(family: Family, words: str) -> str:
    table = "static" if family is Family.INET else "rib inet6.0 static"
    return f"set routing-options {table} route {words}"


def _bgp(me: Plan, peer: Plan, sessions: Sequence[SessionLines], number: int) -> Iterator[str]:
    one = sessions[number]
    own_as, _ = local_as(me, peer, sessions)
    opens_with, peer_as = _opened_with(me, peer, sessions, one)
    prefix = announced(me.name, one.family, number)
    policy = f"announce-{one.name}"
    term = f"set policy-options policy-statement {policy} term own"
    group = f"set protocols bgp group {one.group}"
    mine, theirs = ends(me, one), ends(peer, one)
    yield _static(one.family, f"{prefix} discard")
    yield f"{term} from protocol static"
    yield f"{term} from route-filter {prefix} exact"
    yield f"{term} then accept"
    yield f"set policy-options policy-statement {policy} term others then reject"
    yield f"{group} type {'internal' if one.internal else 'external'}"
    yield f"{group} hold-time {one.hold_time}"
    yield f"{group} export {policy}"
    if one.passive:
        yield f"{group} passive"
    if one.loopbacks and not one.internal:
        yield f"{group} multihop ttl {_MULTIHOP_TTL}"
    if one.family is Family.INET6:
        yield f"{group} family inet6 unicast"
    if opens_with != own_as:
        yield f"{group} local-as {opens_with}"
    neighbor = f"{group} neighbor {theirs}"
    yield f"{neighbor} local-address {mine}"
    yield f"{neighbor} peer-as {peer_as}"
    yield from _authentication(one, theirs)


def _authentication(one: SessionLines, peer: str) -> Iterator[str]:
    if one.chain is not None:
        place = f"set {authentication_place(one, peer)}"
        # Both at the same level, because Junos checks their dependency only within one level (docs/junos.md 2.1).
        yield f"{place} authentication-algorithm ao"
        yield f"{place} authentication-key-chain {one.chain}"


def ends(plan: Plan, one: SessionLines) -> str:
    """Return a router's own address of a session."""
    return str((loopback(plan, one.family) if one.loopbacks else plan.address(one.family, one.vlan)).ip)


def _ldp(me: Plan, peer: Plan, one: SessionLines) -> Iterator[str]:
    interface = me.protocol_interface if one.vlan is None else f"{me.interface}.{one.vlan}"
    yield f"set protocols mpls interface {interface}"
    if not one.loopbacks:
        yield "set protocols ldp transport-address interface"
    yield f"set protocols ldp keepalive-interval {LDP_KEEPALIVE}"
    yield f"set protocols ldp keepalive-timeout {LDP_KEEPALIVE * 3}"
    yield f"set protocols ldp interface {interface}"
    yield from _authentication(one, ends(peer, one))
