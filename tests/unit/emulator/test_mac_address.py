"""The MAC address of a router's port is derived from that of the wire interface and differs from it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyroll.emulator.contract.errors import ProcessError
from keyroll.emulator.contract.mac_address import derived, port_address


@given(st.binary(min_size=6, max_size=6))
def test_a_ports_address_is_locally_administered_and_differs_from_the_wires(wire: bytes) -> None:
    port = derived(wire)
    assert port != wire
    assert port[0] & 0x02, "locally administered, not a vendor's"
    assert (port[0] ^ wire[0]) & 0x01 == 0, "unicast if the wire's address is"
    assert port[1:] == wire[1:]


@pytest.mark.parametrize(
    ("wire", "port"),
    [("0242ac110002", "0642ac110002"), ("aac1ab000001", "aec1ab000001"), ("005056000001", "065056000001")],
)
def test_addresses_are_derived_for_docker_containerlab_and_vendor_interfaces(wire: str, port: str) -> None:
    assert derived(bytes.fromhex(wire)) == bytes.fromhex(port)


def test_a_missing_interface_is_named() -> None:
    with pytest.raises(ProcessError, match="the MAC address of nowhere0 cannot be read"):
        port_address("nowhere0")
