from __future__ import annotations

import pytest
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import ARP, Ether

from keyroll.lab.embedded.syn_crossing import FRESH_SECONDS, SynCrossing, opens


def syn(name: str, network: IPv6 | None = None, *, flags: str = "S", port: int = 179) -> bytes:
    ip = network or IP(src="10.0.12.1", dst="10.0.12.2", ttl=1)
    return bytes(Ether() / ip / TCP(sport=40000 + len(name), dport=port, flags=flags, seq=7) / name.encode())


def test_a_syn_is_held_until_the_other_direction_has_one_and_both_go_at_once() -> None:
    crossing = SynCrossing(179)
    one, other = syn("one"), syn("other")
    assert crossing.take(1, one, 10.0) == []
    early = crossing.done
    assert not early
    assert crossing.take(0, other, 10.0 + FRESH_SECONDS) == [(1, one), (0, other)]
    assert crossing.done
    assert crossing.take(0, other, 10.6) is None


def test_a_syn_that_was_held_too_long_is_replaced_by_its_retransmission() -> None:
    crossing = SynCrossing(179)
    assert crossing.take(1, syn("stale"), 10.0) == []
    assert crossing.take(0, syn("other"), 10.1 + FRESH_SECONDS) == []
    assert crossing.take(1, syn("again"), 10.7) == [(0, syn("other")), (1, syn("again"))]


@pytest.mark.parametrize(
    "frame",
    [
        syn("x", flags="SA"),
        syn("x", flags="A"),
        syn("x", flags="R"),
        syn("x", port=646),
        bytes(Ether() / ARP()),
        bytes(Ether() / IP() / UDP(dport=179)),
        syn("x")[:40],
        b"",
    ],
)
def test_all_other_frames_are_forwarded(frame: bytes) -> None:
    assert SynCrossing(179).take(0, frame, 1.0) is None


def test_simultaneous_opens_over_ipv6_are_held_too() -> None:
    assert opens(syn("x", IPv6(src="fd00::1", dst="fd00::2")), 179)
