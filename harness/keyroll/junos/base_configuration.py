"""The base configuration of a router in a two-router lab: interfaces, BGP, LDP, and which chain protects them.

Graceful restart and non-stop routing are left off: they hide flaps. The keychain itself is not part of it
(`keyroll.keychain` writes those lines): both must be in the candidate when it is committed, since Junos refuses a
reference to a chain that does not exist.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Collection
from dataclasses import dataclass
from ipaddress import IPv4Interface, IPv4Network, IPv6Interface, IPv6Network

from keyroll.errors import InputError
from keyroll.names import SessionKind

GROUP = "keyroll"
POLICY = "announce-loopback"
HOLD_TIME = 9
"""Seconds; short, so that a session without valid keys goes down quickly (Junos' default is 90)."""
LDP_KEEPALIVE = 3
"""Seconds; the LDP session times out after three times this value, as in Junos' default (30 for 10)."""
_INTERFACE = re.compile(r"[a-z]{2,}-?\d+(?:/\d+){0,2}")


class PlanError(InputError):
    """The plan of a router lacks what the sessions need; names the router and what is missing."""


class Family(enum.Enum):
    """The address family that BGP runs over, as `family` names it. LDP runs over IPv4 only."""

    INET = "inet"
    INET6 = "inet6"


@dataclass(frozen=True, slots=True)
class Plan:
    """The plan of one router in a topology: its name and AS, its loopback, its port towards the other router."""

    name: str
    asn: int
    loopback: IPv4Interface
    interface: str
    """Physical interface, by its name on the router: `ge-0/0/0`. Unit 0 is used."""
    ipv4: IPv4Interface | None = None
    ipv6: IPv6Interface | None = None
    loopback6: IPv6Interface | None = None
    in_protocols: str | None = None
    """The port's name in LDP and MPLS, if it is not the logical interface `ge-0/0/0.0` (cRPD)."""
    vlans: tuple[int, ...] = ()
    """VLANs of the port that sessions run on: each has a unit of its number, with its own addresses."""

    @property
    def protocol_interface(self) -> str:
        """The interface as `protocols ldp` and `protocols mpls` name it."""
        return self.in_protocols or f"{self.interface}.0"

    def address(self, family: Family, vlan: int | None = None) -> IPv4Interface | IPv6Interface:
        """Return the address of a family on unit 0, or on a VLAN's unit. Raises PlanError when the plan has none."""
        if vlan is not None:
            return vlan_address(family, vlan, first=self.name == FIRST)
        found = self.ipv4 if family is Family.INET else self.ipv6
        if found is None:
            raise PlanError(f"router {self.name}: the plan gives {self.interface} no {family.value} address")
        return found


FIRST = "R1"
"""The router that has the lower address on a VLAN."""
VLANS, VLANS6 = IPv4Network("198.18.0.0/18"), IPv6Network("2001:db8:c612::/48")
"""The prefixes for addresses of VLANs, a /30 and a /64 for each; reserved for benchmarks (RFC 2544) and documentation
(RFC 3849), so that no topology uses them."""


def vlan_address(family: Family, vlan: int, *, first: bool) -> IPv4Interface | IPv6Interface:
    """Return a router's address on a VLAN, of its IPv4 /30 or its IPv6 /64."""
    end = 1 if first else 2
    if family is Family.INET:
        return IPv4Interface((VLANS.network_address + 4 * vlan + end, 30))
    return IPv6Interface((VLANS6.network_address + (vlan << 64) + end, 64))


def base_configuration(
    me: Plan,
    peer: Plan,
    *,
    sessions: Collection[SessionKind],
    chain: str | None,
    hold_time: int = HOLD_TIME,
    family: Family = Family.INET,
) -> list[str]:
    """Return the set lines of one router, one statement a line.

    Args:
        me: this router.
        peer: the router at the other end of the link.
        sessions: which protocols to run.
        chain: the key-chain that protects every session, or None for sessions without authentication.
        hold_time: BGP's, in seconds (3 to 65535).
        family: what BGP runs over. The loopback of that family is announced.

    Raises:
        PlanError: the plans lack an address, or do not fit each other.
    """
    check_plans(me, peer, family if SessionKind.BGP in sessions else Family.INET)
    lines = [f"set system host-name {me.name}", *interface_lines(me, mpls=SessionKind.LDP in sessions)]
    lines += [f"set routing-options router-id {me.loopback.ip}", f"set routing-options autonomous-system {me.asn}"]
    if SessionKind.BGP in sessions:
        lines += _bgp(me, peer, chain, hold_time, family)
    if SessionKind.LDP in sessions:
        lines += _ldp(me, peer, chain)
    return lines


def check_plans(me: Plan, peer: Plan, family: Family) -> None:
    """Raise PlanError if two plans are not the two ends of one link."""
    for plan in (me, peer):
        if not _INTERFACE.fullmatch(plan.interface):
            raise PlanError(
                f"router {plan.name}: invalid interface '{plan.interface}': use a physical interface such as ge-0/0/0"
            )
    mine, theirs = me.address(family), peer.address(family)
    if mine.network != theirs.network or mine.ip == theirs.ip:
        raise PlanError(f"routers {me.name} and {peer.name}: {mine} and {theirs} are not two ends of one link")


def interface_lines(me: Plan, *, mpls: bool) -> list[str]:
    """Return the set lines of a router's port and loopback."""
    port, loopback = f"set interfaces {me.interface} unit 0 family", "set interfaces lo0 unit 0 family"
    lines = []
    if me.ipv4:
        lines.append(f"{port} inet address {me.ipv4}")
    if me.ipv6:
        lines.append(f"{port} inet6 address {me.ipv6}")
    if mpls:
        lines.append(f"{port} mpls")
    lines.append(f"{loopback} inet address {me.loopback}")
    if me.loopback6:
        lines.append(f"{loopback} inet6 address {me.loopback6}")
    return lines


def _bgp(me: Plan, peer: Plan, chain: str | None, hold_time: int, family: Family) -> list[str]:
    announced = me.loopback if family is Family.INET else me.loopback6
    if announced is None:
        raise PlanError(f"router {me.name}: the plan gives it no {family.value} loopback to announce")
    term = f"set policy-options policy-statement {POLICY} term loopback"
    group = f"set protocols bgp group {GROUP}"
    neighbor = f"{group} neighbor {peer.address(family).ip}"
    lines = [
        f"{term} from protocol direct",
        f"{term} from route-filter {announced.network} exact",
        f"{term} then accept",
        f"{group} type {'internal' if me.asn == peer.asn else 'external'}",
        f"{group} hold-time {hold_time}",
        f"{group} export {POLICY}",
    ]
    if family is Family.INET6:
        lines.append(f"{group} family inet6 unicast")
    lines.append(f"{neighbor} local-address {me.address(family).ip}")
    lines.append(f"{neighbor} peer-as {peer.asn}")
    if chain is not None:
        # Both at the same level, because Junos checks their dependency only within one level (docs/junos.md 2.1).
        lines.append(f"{neighbor} authentication-algorithm ao")
        lines.append(f"{neighbor} authentication-key-chain {chain}")
    return lines


def _ldp(me: Plan, peer: Plan, chain: str | None) -> list[str]:
    # Transport over the link's addresses, so that LDP does not depend on BGP routes to the loopbacks.
    lines = [
        f"set protocols mpls interface {me.protocol_interface}",
        "set protocols ldp transport-address interface",
        f"set protocols ldp keepalive-interval {LDP_KEEPALIVE}",
        f"set protocols ldp keepalive-timeout {LDP_KEEPALIVE * 3}",
        f"set protocols ldp interface {me.protocol_interface}",
    ]
    if chain is not None:
        session = f"set protocols ldp session {peer.address(Family.INET).ip}"
        lines += [f"{session} authentication-algorithm ao", f"{session} authentication-key-chain {chain}"]
    return lines
