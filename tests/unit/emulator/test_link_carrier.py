from __future__ import annotations

import struct

from hypothesis import given
from hypothesis import strategies as st

from keyroll.emulator.machine.link_carrier import carriers


def attribute(kind: int, value: bytes) -> bytes:
    data = struct.pack("=HH", 4 + len(value), kind) + value
    return data + b"\0" * (-len(data) % 4)


def message(kind: int, *attributes: bytes) -> bytes:
    body = struct.pack("=BxHiII", 0, 1, 3, 0, 0) + b"".join(attributes)
    return struct.pack("=IHHII", 16 + len(body), kind, 0, 0, 0) + body


UP = message(16, attribute(3, b"eth1\0"), attribute(16, b"\x06"))
DOWN = message(16, attribute(16, b"\x02"), attribute(3, b"eth2\0"))


def test_links_and_their_carriers_are_read_from_several_messages() -> None:
    assert carriers(UP + DOWN) == [("eth1", True), ("eth2", False)]


def test_other_netlink_messages_are_ignored() -> None:
    assert carriers(message(20, attribute(3, b"eth1\0"), attribute(16, b"\x06"))) == []
    assert carriers(message(16, attribute(3, b"eth1\0"))) == []


@given(st.binary(max_size=200))
def test_any_octets_are_parsed_without_a_traceback(data: bytes) -> None:
    assert carriers(UP + data)[0] == ("eth1", True)
