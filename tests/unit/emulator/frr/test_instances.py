"""An internal peer in a local AS is in a view of that AS; every other neighbour is in the router's own instance."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from ipaddress import IPv4Address, ip_address, ip_network
from typing import Any, cast

import pytest

from keyroll.emulator.contract.errors import NotEmulatedError
from keyroll.emulator.contract.model import BgpNeighbor, Intent
from keyroll.emulator.contract.routing_policy import OwnRoute
from keyroll.emulator.frr import queries
from keyroll.emulator.frr.config import VtyCommand, steps
from keyroll.emulator.frr.render import render
from keyroll.emulator.frr.suite import FrrSuite

LINK = BgpNeighbor(ip_address("10.0.12.1"), 65001, "link", external=True, export=("link",))
CORE = BgpNeighbor(ip_address("10.255.0.1"), 65001, "core", external=False, local_as=65001, export=("core",))
ROUTES = {name: (OwnRoute(ip_network(f"192.0.2.{number}/32")),) for name, number in (("link", 1), ("core", 2))}
OWN, VIEW = "router bgp 65002", "router bgp 65001 view as65001"


def router(*neighbors: BgpNeighbor, autonomous_system: int | None = 65002) -> Intent:
    return Intent("R2", autonomous_system=autonomous_system, neighbors=neighbors, announce=ROUTES)


def changes(old: Intent | None, new: Intent) -> Sequence[VtyCommand]:
    return steps(() if old is None else render(old, []), render(new, []))


def inside(root: str, commands: Sequence[VtyCommand]) -> list[str]:
    return [step.text for step in commands if step.node[:1] == (root,)]


def test_an_internal_peer_in_a_local_as_is_in_a_view_without_a_local_as() -> None:
    commands = changes(None, router(LINK, CORE))
    assert inside(VIEW, commands).count("neighbor 10.255.0.1 remote-as 65001") == 1
    assert not [step.text for step in commands if "local-as" in step.text]
    assert not [text for text in inside(OWN, commands) if "10.255.0.1" in text]
    assert not [text for text in inside(VIEW, commands) if "10.0.12.1" in text]


def test_each_instance_announces_what_its_own_neighbours_export() -> None:
    commands = changes(None, router(LINK, CORE))
    assert [text for text in inside(OWN, commands) if text.startswith("network")] == ["network 192.0.2.1/32"]
    assert [text for text in inside(VIEW, commands) if text.startswith("network")] == ["network 192.0.2.2/32"]


def test_the_view_is_added_and_removed_with_its_neighbours_and_no_other_session_changes() -> None:
    added, removed = changes(router(LINK), router(LINK, CORE)), changes(router(LINK, CORE), router(LINK))
    assert added[0].text == VIEW
    assert f"no {VIEW}" in [step.text for step in removed]
    assert not inside(OWN, [*added, *removed])


@pytest.mark.parametrize(("before", "after"), [(None, 65001), (65001, None)])
def test_a_neighbour_that_moves_is_removed_from_one_instance_before_it_is_added_to_the_other(
    before: int | None, after: int | None
) -> None:
    """If two instances had the same neighbour address, bgpd would give each connection to the first of them."""
    one, other = (replace(CORE, local_as=asn, peer_as=asn or 65002) for asn in (before, after))
    texts = [step.text for step in changes(router(LINK, one), router(LINK, other))]
    removal = f"no {VIEW}" if after is None else "no neighbor 10.255.0.1"
    addition = f"neighbor 10.255.0.1 remote-as {after or 65002}"
    assert texts.index(removal) < texts.index(addition)


@pytest.mark.parametrize(
    ("neighbor", "own_as"),
    [
        (replace(CORE, local_as=None), 65001),
        (CORE, 65001),
        (CORE, None),
        (replace(LINK, local_as=65010), 65002),
    ],
    ids=["no local AS", "the router's own AS", "no other AS", "an external peer"],
)
def test_every_other_neighbour_is_in_the_routers_own_instance(neighbor: BgpNeighbor, own_as: int | None) -> None:
    commands = changes(None, router(neighbor, autonomous_system=own_as))
    assert not [step for step in commands if "view" in step.text]


def test_a_passive_neighbour_in_a_view_is_refused_if_another_is_in_the_routers_own_instance() -> None:
    """bgpd then accepts no connection for a neighbour in a view; with views only, it looks for the peer in each."""
    passive = replace(CORE, passive=True)
    with pytest.raises(NotEmulatedError, match=r"passive of the internal neighbor 10\.255\.0\.1 in a local-as"):
        render(router(LINK, passive), [])
    assert "neighbor 10.255.0.1 passive" in inside(VIEW, changes(None, router(passive)))
    assert "neighbor 10.0.12.1 passive" in inside(OWN, changes(None, router(replace(LINK, passive=True), CORE)))


class Daemons:
    """bgpd with a session in each instance, and zebra with one route of the router's own instance."""

    def __init__(self) -> None:
        self.received: list[str] = []

    async def json(self, _daemon: object, command: str) -> dict[str, Any]:
        self.received.append(command)
        peer = "10.255.0.1" if "view as65001 " in command else "10.0.12.1"
        if "neighbors" in command:
            return {peer: _neighbor()}
        if command.endswith("route summary json"):
            return {"routes": [{"type": "ebgp", "fib": 1}]}
        return {"routes": {"192.0.2.2/32": [{"bestpath": True, "peerId": peer}]}}

    async def command(self, _daemon: object, command: str) -> str:
        self.received.append(command)
        return ""


def _neighbor() -> dict[str, Any]:
    return {
        "remoteAs": 65001,
        "bgpState": "Established",
        "bgpTimerUpMsec": 1000,
        "connectionsEstablished": 1,
        "connectionsDropped": 0,
        "messageStats": {"totalRecv": 1, "totalSent": 1, "depthOutq": 0},
        "addressFamilyInfo": {"ipv4Unicast": {"acceptedPrefixCounter": 1, "sentPrefixCounter": 1}},
    }


@pytest.fixture
def reader_and_daemons() -> tuple[queries.BgpReader, Daemons]:
    daemons = Daemons()
    reader = queries.BgpReader(cast("FrrSuite", daemons))
    reader.configured(router(LINK, CORE))
    return reader, daemons


def test_the_sessions_of_every_instance_are_shown_with_their_routes_in_use(
    reader_and_daemons: tuple[queries.BgpReader, Daemons],
) -> None:
    reader, _ = reader_and_daemons
    shown = asyncio.run(reader.states())
    assert [(str(one.address), one.prefixes["inet.0"]) for one in shown] == [
        ("10.0.12.1", (1, 1, 1)),
        ("10.255.0.1", (1, 1, 1)),
    ]


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        (CORE.address, ["clear bgp view as65001 10.255.0.1"]),
        (LINK.address, ["clear bgp 10.0.12.1"]),
        (None, ["clear bgp *", "clear bgp view as65001 *"]),
    ],
)
def test_a_reset_names_the_instance_and_a_reset_of_all_sessions_is_sent_to_each(
    reader_and_daemons: tuple[queries.BgpReader, Daemons], address: IPv4Address | None, expected: list[str]
) -> None:
    reader, daemons = reader_and_daemons
    asyncio.run(reader.clear(address, soft=False))
    assert daemons.received == expected


def test_the_state_of_a_neighbour_is_read_from_its_instance(
    reader_and_daemons: tuple[queries.BgpReader, Daemons],
) -> None:
    reader, daemons = reader_and_daemons
    assert asyncio.run(reader.state_of(CORE.address)) == "Established"
    assert daemons.received == ["show bgp view as65001 neighbors 10.255.0.1 json"]
