from __future__ import annotations

from ipaddress import ip_address

import pytest

from keyroll.emulator.contract.errors import FrrError
from keyroll.emulator.machine import kernel
from keyroll.emulator.wire.model import Direction, WireStatus
from keyroll.names import DropReason

TAIL = "00:00000000 00000000     0        0 1680 1 0000000000000000 100 0 0 10 0"


def test_sockets_are_read_from_the_kernels_table() -> None:
    line = f"   1: 010C000A:00B3 020C000A:8249 01 00000010:00000020 {TAIL}"
    found = kernel.parse_socket(line, 4)
    assert found.local == (ip_address("10.0.12.1"), 179)
    assert found.remote == (ip_address("10.0.12.2"), 33353)
    assert (found.state, found.send_queue, found.receive_queue) == ("ESTABLISHED", 16, 32)


def test_a_listening_socket_has_no_remote_end_and_no_address() -> None:
    line = f"   0: 00000000000000000000000000000000:00B3 {'0' * 32}:0000 0A 00000000:00000000 {TAIL}"
    found = kernel.parse_socket(line, 6)
    assert (found.local, found.remote, found.state, found.version) == ((None, 179), None, "LISTEN", 6)


def test_an_ipv6_socket_is_read() -> None:
    line = f"   0: B80D0120000000000000000001000000:00B3 B80D0120000000000000000002000000:8249 01 0:0 {TAIL}"
    assert kernel.parse_socket(line, 6).local[0] == ip_address("2001:db8::1")


def test_only_drops_by_authentication_are_counted_as_such() -> None:
    drops = {
        (Direction.IN, DropReason.BAD_MAC): 3,
        (Direction.IN, DropReason.CONGESTION): 5,
        (Direction.IN, DropReason.ICMP_ERROR): 7,
        (Direction.OUT, DropReason.NO_USABLE_KEY): 2,
    }
    found = kernel.auth_drops(WireStatus((), (), drops, {}, 0))
    assert (found.received, found.sent, found.icmp_ignored) == (3, 2, 7)


def test_ports_are_shown_by_junos_names() -> None:
    entry = {"administrativeStatus": "up", "operationalStatus": "down"}
    (found,) = kernel.interfaces({"ge-0-0-0": entry, "lo": entry})
    assert (found.name, found.admin_up, found.link_up) == ("ge-0/0/0", True, False)
    with pytest.raises(FrrError):
        kernel.interfaces({"ge-0-0-0": {}})
