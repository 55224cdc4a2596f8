"""States read from bgpd and zebra: how many routes of each neighbour are in use."""

from __future__ import annotations

import asyncio
from ipaddress import ip_address
from typing import Any, cast

from keyroll.emulator.contract.model import BgpNeighbor, Intent
from keyroll.emulator.frr import queries
from keyroll.emulator.frr.suite import FrrSuite

UP, DOWN = "10.0.12.2", "10.255.0.2"


def neighbor(accepted: int) -> dict[str, Any]:
    return {
        "remoteAs": 65002,
        "bgpState": "Established",
        "bgpTimerUpMsec": 1000,
        "connectionsEstablished": 1,
        "connectionsDropped": 0,
        "messageStats": {"totalRecv": 1, "totalSent": 1, "depthOutq": 0},
        "addressFamilyInfo": {"ipv4Unicast": {"acceptedPrefixCounter": accepted, "sentPrefixCounter": 0}},
    }


class Daemons:
    """zebra still has two routes; bgpd has already removed the route of the session that is down."""

    def __init__(self, neighbors: dict[str, Any]) -> None:
        self.neighbors = neighbors

    async def json(self, _daemon: object, command: str) -> dict[str, Any]:
        if command == "show bgp neighbors json":
            return self.neighbors
        if command.endswith("route summary json"):
            return {"routes": [{"type": "ebgp", "fib": 2}]}
        return {"routes": {"198.51.100.0/25": [{"bestpath": True, "peerId": UP}]}}


def counts(neighbors: dict[str, Any]) -> dict[str, tuple[int, int, int]]:
    reader = queries.BgpReader(cast("FrrSuite", Daemons(neighbors)))
    peers = tuple(BgpNeighbor(ip_address(one), 65002, "g", external=True) for one in neighbors)
    reader.configured(Intent("R1", autonomous_system=65001, neighbors=peers))
    return {str(one.address): one.prefixes["inet.0"] for one in asyncio.run(reader.states())}


def test_a_stale_zebra_route_is_not_counted_for_another_neighbour() -> None:
    assert counts({UP: neighbor(1), DOWN: neighbor(0)}) == {UP: (1, 1, 1), DOWN: (0, 0, 0)}


def test_a_neighbour_has_no_more_routes_in_use_than_it_advertises() -> None:
    assert counts({UP: neighbor(1)}) == {UP: (1, 1, 1)}
