from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address, ip_address, ip_interface, ip_network
from typing import Any

import pytest

from keyroll.emulator.contract.errors import NotEmulatedError
from keyroll.emulator.contract.model import BackendError, BgpNeighbor, DropAction, Intent, Ldp, LdpInterface, Unit
from keyroll.emulator.contract.routing_policy import OwnRoute
from keyroll.emulator.frr.config import Daemon, steps
from keyroll.emulator.frr.render import kernel_name, render
from keyroll.emulator.frr.state import junos_name
from keyroll.keychain.secret import Secret

PORTS = ["ge-0-0-0"]
PEER = BgpNeighbor(ip_address("10.0.12.2"), 65002, "g", external=True, hold_time=9, export=("lo",))
INTENT = Intent(
    "R1",
    units=(
        Unit("ge-0/0/0.0", (ip_interface("10.0.12.1/30"), ip_interface("2001:db8:12::1/64"))),
        Unit("lo0.0", (ip_interface("10.255.0.1/32"),)),
    ),
    router_id=IPv4Address("10.255.0.1"),
    autonomous_system=65001,
    neighbors=(PEER,),
    announce={"lo": (OwnRoute(ip_network("10.255.0.1/32")),)},
)


def texts(intent: Intent) -> list[str]:
    return [line.text for line in render(intent, PORTS)]


def test_addresses_go_to_zebra_under_the_kernels_names() -> None:
    found = [(line.node, line.text) for line in render(INTENT, PORTS) if line.daemon is Daemon.ZEBRA]
    assert found == [
        (("interface ge-0-0-0",), "ip address 10.0.12.1/30"),
        (("interface ge-0-0-0",), "ipv6 address 2001:db8:12::1/64"),
        (("interface lo",), "ip address 10.255.0.1/32"),
    ]


def test_the_line_that_opens_the_session_comes_last_so_that_it_never_starts_partly_configured() -> None:
    mine = [text for text in texts(INTENT) if text.startswith("neighbor 10.0.12.2")]
    assert mine[0] == "neighbor 10.0.12.2 remote-as 65002"
    assert mine[-2:] == ["neighbor 10.0.12.2 timers connect 1", "neighbor 10.0.12.2 activate"]
    assert "neighbor 10.0.12.2 timers 3 9" in mine


def test_junos_default_hold_time_is_ninety_seconds() -> None:
    assert "neighbor 10.0.12.2 timers 30 90" in texts(replace(INTENT, neighbors=(replace(PEER, hold_time=None),)))


def test_no_neighbour_means_no_bgp() -> None:
    assert not [line for line in render(replace(INTENT, neighbors=()), PORTS) if line.daemon is Daemon.BGPD]


def test_exported_prefixes_are_announced_only_to_neighbours_whose_policy_has_them() -> None:
    other = replace(PEER, address=ip_address("10.0.13.2"), export=())
    found = texts(replace(INTENT, neighbors=(PEER, other)))
    assert "network 10.255.0.1/32" in found
    assert "neighbor 10.0.13.2 route-map KEYROLL-OUT-10.0.13.2 out" in found
    assert "neighbor 10.0.12.2 route-map KEYROLL-OUT-10.0.12.2 out" not in found
    assert "ip prefix-list KEYROLL-OUT-10.0.13.2 seq 1 permit 10.255.0.1/32" in found


def test_adding_a_second_neighbour_does_not_change_the_first() -> None:
    other = replace(PEER, address=ip_address("10.0.13.2"))
    commands = steps(render(INTENT, PORTS), render(replace(INTENT, neighbors=(PEER, other)), PORTS))
    assert commands
    assert all("10.0.12.2" not in step.text for step in commands)


def test_a_password_is_never_shown() -> None:
    found = steps((), render(replace(INTENT, neighbors=(replace(PEER, md5=Secret("hush-hush")),)), PORTS))
    assert any("hush-hush" in step.text for step in found)
    assert not any("hush-hush" in step.shown for step in found)


@pytest.mark.parametrize(
    ("intent", "sentence"),
    [
        (
            replace(INTENT, units=(Unit("ge-0/0/0.5", (ip_interface("10.9.9.1/30"),)),)),
            "unit 5 of ge-0/0/0 without a vlan-id",
        ),
        (replace(INTENT, autonomous_system=None), "autonomous-system"),
        (replace(INTENT, neighbors=(replace(PEER, address=ip_address("10.255.0.1")),)), "an address of this router"),
        (replace(INTENT, neighbors=(replace(PEER, families=("evpn",)),)), "family evpn"),
    ],
)
def test_unsupported_statements_are_reported(intent: Intent, sentence: str) -> None:
    with pytest.raises(BackendError, match=sentence):
        render(intent, PORTS)


def test_interface_names_are_converted_to_the_kernels_and_back() -> None:
    assert kernel_name("lo0.0") == "lo"
    assert kernel_name("ge-0/0/3.0") == "ge-0-0-3"
    assert kernel_name("ge-0/0/3.100") == "ge-0-0-3.100"
    assert [junos_name(name) for name in ("lo", "ge-0-0-3", "ge-0-0-3.100")] == ["lo0.0", "ge-0/0/3.0", "ge-0/0/3.100"]


def test_a_unit_with_a_vlan_is_rendered_and_a_unit_that_only_bridges_is_not() -> None:
    units = (Unit("ge-0/0/0.5", (ip_interface("10.9.9.1/30"),), vlan=5), Unit("ge-0/0/0.6", vlan=None))
    lines = [line for line in render(replace(INTENT, units=units), PORTS) if line.daemon is Daemon.ZEBRA]
    assert [(line.node, line.text) for line in lines] == [(("interface ge-0-0-0.5",), "ip address 10.9.9.1/30")]


def test_the_configuration_of_an_absent_port_is_not_rendered() -> None:
    absent = Unit("ge-0/0/7.0", (ip_interface("10.9.9.1/30"),))
    ldp = Ldp((LdpInterface("ge-0/0/7.0"), LdpInterface("lo0.0")))
    found = render(replace(INTENT, units=(*INTENT.units, absent), ldp=ldp), PORTS)
    assert [line.text for line in found] == [line.text for line in render(INTENT, PORTS)]


def test_static_routes_may_discard_or_reject_packets() -> None:
    routes = ((ip_network("192.0.2.0/24"), DropAction.DISCARD), (ip_network("2001:db8::/32"), DropAction.REJECT))
    found = [line.text for line in render(Intent("R1", static_routes=routes), PORTS)]
    assert found == ["ip route 192.0.2.0/24 blackhole", "ipv6 route 2001:db8::/32 reject"]


@pytest.mark.parametrize(
    ("changes", "lines"),
    [
        ({"ttl": 255}, ["neighbor 10.0.12.2 ebgp-multihop 255"]),
        ({"ttl": 1}, []),
        ({"tcp_mss": 1400}, ["neighbor 10.0.12.2 tcp-mss 1400"]),
        ({"remove_private": "all replace"}, ["neighbor 10.0.12.2 remove-private-AS all replace-AS"]),
        ({"remove_private": ""}, ["neighbor 10.0.12.2 remove-private-AS"]),
        ({"as_override": True}, ["neighbor 10.0.12.2 as-override"]),
        ({"preference": 150}, ["distance 150 10.0.12.2/32"]),
        ({"multipath": True}, ["maximum-paths 16", "maximum-paths ibgp 16"]),
        ({"multipath": True, "multiple_as": True}, ["bgp bestpath as-path multipath-relax"]),
        (
            {"external": False, "peer_as": 65001, "cluster": ip_address("192.0.2.1")},
            ["bgp cluster-id 192.0.2.1", "neighbor 10.0.12.2 route-reflector-client"],
        ),
    ],
)
def test_bgp_options_become_lines_of_bgpd(changes: dict[str, Any], lines: list[str]) -> None:
    plain, found = texts(INTENT), texts(replace(INTENT, neighbors=(replace(PEER, **changes),)))
    assert [line for line in lines if line not in found] == []
    if set(changes) <= {"ttl", "tcp_mss", "remove_private", "as_override", "preference"}:
        assert [line for line in found if line not in plain] == lines


def test_a_second_cluster_id_is_refused() -> None:
    peers = [
        replace(
            PEER, external=False, peer_as=65001, address=ip_address(f"10.0.12.{last}"), cluster=IPv4Address(cluster)
        )
        for last, cluster in ((2, "192.0.2.1"), (3, "192.0.2.2"))
    ]
    with pytest.raises(NotEmulatedError, match=r"not emulated: several cluster ids"):
        render(replace(INTENT, neighbors=tuple(peers)), PORTS)


@pytest.mark.parametrize("name", ["et-0/0/6.0", "ae1.7", "lo0.5", "ge-0/0/9.0"])
def test_interfaces_that_the_router_does_not_have_change_nothing(name: str) -> None:
    unit = Unit(name, (ip_interface("192.0.2.1/24"),))
    assert texts(replace(INTENT, units=(*INTENT.units, unit))) == texts(INTENT)


@pytest.mark.parametrize("text", ["to the core | in doubt", "über alles", "! no"])
def test_a_description_is_not_sent_to_bgpd(text: str) -> None:
    """bgpd reads what follows `|` as an output filter, and refuses the line."""
    assert texts(replace(INTENT, neighbors=(replace(PEER, description=text),))) == texts(INTENT)


@pytest.mark.parametrize(
    ("neighbor", "words"),
    [
        (replace(PEER, local_as=65010), ""),
        (replace(PEER, local_as=65010, local_as_private=True), " no-prepend"),
        (replace(PEER, local_as=65010, local_as_alone=True), " no-prepend replace-as"),
    ],
    ids=["no options", "private", "alone"],
)
def test_the_options_of_a_local_as_decide_in_which_paths_it_appears(neighbor: BgpNeighbor, words: str) -> None:
    assert f"neighbor {PEER.address} local-as 65010{words}" in texts(replace(INTENT, neighbors=(neighbor,)))
