"""The two routers of a lab as peers: their plans, and their addresses in captures and in show output."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

from keyroll.capture import BGP_PORT
from keyroll.junos.base_configuration import Family, Plan, PlanError
from keyroll.lab.platforms import PLATFORMS
from keyroll.lab.protocol import Router
from keyroll.names import SessionKind
from keyroll.scenario.file.fields import ROUTERS, RouterName, SessionName

Address = IPv4Address | IPv6Address


@dataclass(frozen=True, slots=True)
class Addressing:
    """The two routers of a run, by name."""

    plans: Mapping[RouterName, Plan]
    family: Family
    """What BGP runs over."""

    @classmethod
    def of(cls, routers: Mapping[str, Router], family: str) -> Addressing:
        """Read them from a deployed lab. Raises PlanError when a router has no loopback or port in the topology."""
        return cls({name: _plan(routers[name]) for name in ROUTERS}, Family(family))

    @property
    def peers(self) -> dict[RouterName, Address]:
        """By router, the address of its BGP peer. Raises PlanError when the topology has no address of the family."""
        return {"R1": self._address("R2", self.family), "R2": self._address("R1", self.family)}

    def addresses(self, router: RouterName) -> frozenset[Address]:
        """Return every address that a router may use as source of its segments."""
        plan = self.plans[router]
        known = (plan.ipv4, plan.ipv6, plan.loopback, plan.loopback6)
        return frozenset(interface.ip for interface in known if interface is not None)

    def session_peers(self, sessions: Sequence[SessionName]) -> dict[str, dict[SessionName, Address]]:
        """Return by router and session the peer's address in show output: LDP runs over IPv4 only."""
        bgp = self.peers
        ldp = {"R1": self._address("R2", Family.INET), "R2": self._address("R1", Family.INET)}
        return {
            router: {session: bgp[router] if session == SessionKind.BGP else ldp[router] for session in sessions}
            for router in ROUTERS
        }

    def session_ends(self, sessions: Sequence[SessionName]) -> dict[tuple[frozenset[Address], int], SessionName]:
        """Return the BGP sessions by both addresses and the well-known port.

        LDP sessions are identified by their port alone, because the routers choose the transport addresses.
        """
        if SessionKind.BGP not in sessions:
            return {}
        return {(frozenset(self.peers.values()), BGP_PORT): SessionKind.BGP}

    def _address(self, router: RouterName, family: Family) -> Address:
        return self.plans[router].address(family).ip


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
