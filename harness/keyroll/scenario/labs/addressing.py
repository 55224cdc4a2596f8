"""The two routers of a lab as peers: their plans, and their addresses in captures and in show output."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv6Address

from keyroll.capture import BGP_PORT
from keyroll.junos.base_configuration import Family, Plan, PlanError
from keyroll.junos.session_configuration import loopback
from keyroll.lab.platforms import PLATFORMS
from keyroll.lab.protocol import Router
from keyroll.names import SessionKind
from keyroll.scenario.file.fields import ROUTERS, RouterName
from keyroll.scenario.file.sessions import SessionPlan

Address = IPv4Address | IPv6Address
OTHER: Mapping[RouterName, RouterName] = {"R1": "R2", "R2": "R1"}


@dataclass(frozen=True, slots=True)
class Addressing:
    """The two routers of a run, by name."""

    plans: Mapping[RouterName, Plan]
    family: Family
    """The address family of the BGP sessions that have none of their own."""

    @classmethod
    def of(cls, routers: Mapping[str, Router], family: str) -> Addressing:
        """Read them from a deployed lab. Raises PlanError when a router has no loopback or port in the topology."""
        return cls({name: _plan(routers[name]) for name in ROUTERS}, Family(family))

    def within(self, sessions: Sequence[SessionPlan], as_numbers: Mapping[RouterName, int] | None = None) -> Addressing:
        """Return the same with what the sessions need: VLANs, and one AS for both if all BGP sessions are internal.

        `as_numbers` are the file's ASes of both routers; None, or empty: the topology's.
        """
        written = as_numbers or {}
        bgp = [one for one in sessions if one.kind is SessionKind.BGP]
        internal = bool(bgp) and all(one.type == "internal" for one in bgp)
        shared = self.plans["R1"].asn
        vlans = tuple(dict.fromkeys(one.vlan for one in sessions if one.vlan is not None))
        plans = {
            name: replace(plan, asn=written.get(name, shared if internal else plan.asn), vlans=vlans)
            for name, plan in self.plans.items()
        }
        return replace(self, plans=plans)

    def bgp_peers(self, sessions: Sequence[SessionPlan]) -> dict[RouterName, Address]:
        """Return by router the peer's address of the first BGP session; without one, its address on the link."""
        first = next((one for one in sessions if one.kind is SessionKind.BGP), None)
        if first is None:
            return self.peers
        return {router: self._end(OTHER[router], first) for router in ROUTERS}

    @property
    def peers(self) -> dict[RouterName, Address]:
        """By router, the address of its BGP peer. Raises PlanError when the topology has no address of the family."""
        return {"R1": self._address("R2", self.family), "R2": self._address("R1", self.family)}

    def addresses(self, router: RouterName) -> frozenset[Address]:
        """Return every address that a router may use as source of its segments."""
        plan = self.plans[router]
        tagged = (plan.address(family, vlan) for vlan in plan.vlans for family in Family)
        known = (plan.ipv4, plan.ipv6, plan.loopback, plan.loopback6, *tagged)
        return frozenset(interface.ip for interface in known if interface is not None)

    def session_peers(self, sessions: Sequence[SessionPlan]) -> dict[str, dict[str, Address]]:
        """Return by router and session the peer's address in show output: LDP runs over IPv4 only."""
        return {router: {one.name: self._end(OTHER[router], one) for one in sessions} for router in ROUTERS}

    def session_ends(self, sessions: Sequence[SessionPlan]) -> dict[tuple[frozenset[Address], int], str]:
        """Return the BGP sessions by both addresses and the well-known port.

        An LDP session is identified by its port alone, because the routers choose the transport addresses.
        """
        return {
            (frozenset(self._end(router, one) for router in ROUTERS), BGP_PORT): one.name
            for one in sessions
            if one.kind is SessionKind.BGP
        }

    def _end(self, router: RouterName, session: SessionPlan) -> Address:
        """Return a router's own address of a session."""
        family = Family.INET if session.kind is SessionKind.LDP else Family(session.family or self.family.value)
        if session.place == "loopbacks":
            return loopback(self.plans[router], family).ip
        return self._address(router, family, session.vlan)

    def _address(self, router: RouterName, family: Family, vlan: int | None = None) -> Address:
        return self.plans[router].address(family, vlan).ip


def _plan(router: Router) -> Plan:
    if router.loopback is None or not router.ports:
        raise PlanError(f"router {router.name}: no loopback, or no port, in the topology")
    port = router.ports[0]
    return Plan(
        router.name,
        router.asn,
        router.loopback,
        port.interface,
        port.ipv4,
        port.ipv6,
        loopback6=router.loopback6,
        in_protocols=PLATFORMS[router.platform].in_protocols.format(port.interface),
    )
