"""Each unit with a VLAN is a logical interface: its frames carry the VLAN tag, and sessions run on it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.lab.conftest import Pair

from keyroll.capture import read_packets
from keyroll.errors import KeyrollError

pytestmark = pytest.mark.lab
PORT = "set interfaces ge-0/0/0"


def unit(number: int, vlan: int, router: str) -> list[str]:
    """Return the lines of a unit with its own networks, and of an eBGP session over IPv4 and one over IPv6 on it."""
    me, peer = int(router[1]), 3 - int(router[1])
    group = f"set protocols bgp group vlan{vlan}"
    return [
        f"{PORT} unit {number} vlan-id {vlan}",
        f"{PORT} unit {number} family inet address 10.9.{vlan}.{me}/30",
        f"{PORT} unit {number} family inet6 address 2001:db8:{vlan}::{me}/64",
        f"{group} neighbor 10.9.{vlan}.{peer} peer-as 6500{peer}",
        f"{group} neighbor 2001:db8:{vlan}::{peer} peer-as 6500{peer}",
        f"{group} neighbor 2001:db8:{vlan}::{peer} family inet6 unicast",
    ]


def base(router: str) -> list[str]:
    number = router[1]
    return [
        f"{PORT} vlan-tagging",
        f"set interfaces lo0 unit 0 family inet address 10.255.0.{number}/32",
        f"set routing-options router-id 10.255.0.{number}",
        f"set routing-options autonomous-system 6500{number}",
    ]


def established(pair: Pair, number: int) -> Callable[[], bool]:
    return lambda: all(
        session.show("show bgp summary").raw.count("Establ") == number for session in pair.sessions.values()
    )


def tags(pair: Pair) -> set[int | None]:
    """Return the VLAN identifiers of the IP packets captured so far; None for packets without a tag."""
    found = set()
    for packet in read_packets(pair.lab.captures["R1"]):
        tagged = packet.data[12:14] == b"\x81\x00"
        if packet.data[16 if tagged else 12 :][:2] in (b"\x08\x00", b"\x86\xdd"):
            found.add(int.from_bytes(packet.data[14:16], "big") & 0xFFF if tagged else None)
    return found


def test_sessions_run_on_vlan_units_and_end_when_the_units_are_deleted(own_pair: Pair) -> None:
    pair = own_pair
    for router in pair.sessions:
        pair.commit(router, [*base(router), *unit(0, 5, router), *unit(100, 100, router)])
    pair.until("a session of each family on both units", established(pair, 4))
    assert {5, 100} <= tags(pair) <= {5, 100, None}, "the routers' kernels may send packets before the first commit"
    assert "ge-0/0/0.100" in pair.sessions["R1"].show("show route").raw
    before = pair.flaps()
    assert len(before) == 8

    pair.commit("R1", [*unit(200, 200, "R1"), f"{PORT} unit 100 description kept"])
    pair.commit("R2", unit(201, 200, "R2"))
    pair.until("two sessions on a third VLAN, under another unit's number", established(pair, 6))
    assert pair.flapped_since(before) == [], "the new units do not affect the sessions of the others"

    for router in pair.sessions:
        pair.commit(router, ["delete interfaces ge-0/0/0 unit 100", "delete protocols bgp group vlan100"])
    pair.until("only the sessions of the other units", established(pair, 4))
    assert "ge-0/0/0.100" not in pair.sessions["R1"].show("show interfaces terse").raw


@pytest.mark.slow
def test_a_unit_of_another_vlan_receives_no_frames(own_pair: Pair) -> None:
    pair = own_pair
    other = [line.replace("vlan-id 100", "vlan-id 101") for line in unit(100, 100, "R2")]
    pair.commit("R1", [*base("R1"), *unit(100, 100, "R1")])
    pair.commit("R2", [*base("R2"), *other, *unit(0, 5, "R2")])
    pair.commit("R1", unit(0, 5, "R1"))
    pair.until("sessions on the VLAN that both routers have", established(pair, 2))
    assert "0 packets received" in pair.sessions["R1"].show("ping 10.9.100.2 count 1").raw
    pair.commit("R2", [f"{PORT} unit 100 vlan-id 100"])
    pair.until("sessions on the other VLAN, once both routers have it", established(pair, 4))


def test_the_configuration_of_a_tagged_port_is_validated(pair: Pair) -> None:
    session = pair.sessions["R1"]

    def refusal(*lines: str) -> str:
        session.configure(lines)
        with pytest.raises(KeyrollError) as refused:
            session.commit_check()
        session.discard()
        return str(refused.value)

    assert "VLAN-ID can only be specified on tagged ethernet interfaces" in refusal(f"{PORT} unit 100 vlan-id 100")
    twice = [f"{PORT} vlan-tagging", f"{PORT} unit 100 vlan-id 100", f"{PORT} unit 200 vlan-id 100"]
    assert "duplicate VLAN-ID on interface" in refusal(*twice)
    assert "unit 100 of ge-0/0/0 without a vlan-id" in refusal(f"{PORT} unit 100 family inet address 10.9.9.1/24")
