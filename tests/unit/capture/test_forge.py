"""Forged RSTs, SYNs and ICMP errors, built from a genuine frame and compared with what scapy builds."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet import ICMP, IP, TCP, TCPerror
from scapy.layers.inet6 import ICMPv6DestUnreach, ICMPv6PacketTooBig, IPv6
from scapy.layers.l2 import Dot1Q, Ether

from keyroll.capture import ForgeError, SignedFrame, forge_icmp, forge_rst, forge_syn, unknown_key_id


def genuine(
    network: IP | IPv6 | None = None, *, seq: int = 1000, payload: bytes = b"x" * 19, flags: str = "PA"
) -> SignedFrame:
    network = network or IP(src="10.0.12.1", dst="10.0.12.2", ttl=1)
    segment = TCP(sport=40000, dport=179, seq=seq, ack=77, flags=flags)
    frame = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02") / network / segment / payload
    return SignedFrame(bytes(frame), 3, 4)


def dissected(frame: bytes) -> Ether:
    """Dissect a frame, and assert that scapy calculates the same checksums."""
    seen = Ether(frame)
    again = Ether(frame)
    del again[TCP].chksum
    if IP in again:
        del again[IP].chksum
    assert bytes(again) == frame
    return seen


@pytest.mark.parametrize("network", [IP(src="10.0.12.1", dst="10.0.12.2"), IPv6(src="fd00::1", dst="fd00::2")])
def test_a_forged_rst_follows_the_genuine_segment_without_an_option(network: IP | IPv6) -> None:
    seen = dissected(forge_rst(genuine(network), key_id=None, rng=random.Random(1)))
    assert (seen[TCP].flags, seen[TCP].seq, seen[TCP].ack) == ("RA", 1019, 77)
    assert seen[TCP].options == []
    assert len(seen[TCP].payload) == 0


def test_a_forged_rst_with_a_key_id_carries_tcp_ao() -> None:
    seen = dissected(forge_rst(genuine(), key_id=9, rng=random.Random(1)))
    ((kind, option),) = seen[TCP].options
    assert kind == "AO"
    assert (option.keyid, option.rnextkeyid, len(option.mac)) == (9, 4, 12)


def test_a_forged_syn_comes_from_another_port_to_the_well_known_one() -> None:
    seen = dissected(forge_syn(genuine(), rng=random.Random(1)))
    assert (seen[TCP].flags, seen[TCP].dport) == ("S", 179)
    assert seen[TCP].sport != 40000


@pytest.mark.parametrize("network", [IP(src="10.0.12.1", dst="10.0.12.2"), IPv6(src="fd00::1", dst="fd00::2")])
def test_a_forged_syn_may_carry_a_mac_that_no_key_gives(network: IP | IPv6) -> None:
    seen = dissected(forge_syn(genuine(network), key_id=3, rng=random.Random(1)))
    assert (seen[TCP].flags, seen[TCP].dport) == ("S", 179)
    kinds = dict(seen[TCP].options)
    assert kinds["MSS"] == 1460
    assert (kinds["AO"].keyid, kinds["AO"].rnextkeyid, len(kinds["AO"].mac)) == (3, 4, 12)


@given(seq=st.integers(0, 2**32 - 1), payload=st.binary(max_size=64), flags=st.sampled_from(["A", "PA", "S", "FA"]))
def test_the_sequence_number_is_the_next_one_modulo_2_to_the_32(seq: int, payload: bytes, flags: str) -> None:
    taken = len(payload) + (flags in ("S", "FA"))
    seen = dissected(forge_rst(genuine(seq=seq, payload=payload, flags=flags), key_id=None, rng=random.Random(1)))
    assert seen[TCP].seq == (seq + taken) % 2**32


@given(st.sets(st.integers(0, 255), max_size=255))
def test_an_unknown_key_id_is_not_one_of_the_known_ones(known: set[int]) -> None:
    assert unknown_key_id(known) not in known


def test_a_frame_that_is_not_tcp_cannot_be_a_template() -> None:
    with pytest.raises(ForgeError):
        forge_rst(SignedFrame(bytes(60), 1, 2), key_id=None, rng=random.Random(1))


@pytest.mark.parametrize("network", [IP(src="10.0.12.1", dst="10.0.12.2"), IPv6(src="fd00::1", dst="fd00::2")])
def test_a_segment_forged_from_a_tagged_frame_has_its_vlan_tag(network: IP | IPv6) -> None:
    plain = genuine(network).frame
    tagged = SignedFrame(bytes(Ether(plain[:12] + b"\x81\x00\x00\x64" + plain[12:])), 3, 4)
    rng = random.Random(1)
    for forged in (forge_rst(tagged, key_id=3, rng=rng), forge_syn(tagged, rng=rng)):
        assert dissected(forged)[Dot1Q].vlan == 100
    error = Ether(forge_icmp(tagged, tagged, too_big=False))
    assert error[Dot1Q].vlan == 100
    assert bytes(error[Dot1Q].payload) == bytes(
        Ether(forge_icmp(genuine(network), genuine(network), too_big=False)).payload
    )


class TestIcmpErrors:
    """A forged ICMP error has the same octets, checksums included, when scapy builds it again."""

    @pytest.mark.parametrize(("too_big", "code", "mtu"), [(False, 2, 0), (True, 4, 552)])
    def test_over_ipv4_come_from_the_peer_and_quote_what_the_router_sent(
        self, too_big: bool, code: int, mtu: int
    ) -> None:
        sent = genuine(IP(src="10.0.12.2", dst="10.0.12.1", ttl=1), seq=4711)
        seen = Ether(frame := forge_icmp(genuine(), sent, too_big=too_big))
        assert (seen[IP].src, seen[IP].dst, seen[ICMP].type, seen[ICMP].code) == ("10.0.12.1", "10.0.12.2", 3, code)
        assert seen[ICMP].nexthopmtu == mtu
        assert seen[TCPerror].seq == 4711
        again = Ether(frame)
        del again[IP].chksum, again[ICMP].chksum
        assert bytes(again) == frame

    @pytest.mark.parametrize(("too_big", "layer"), [(False, ICMPv6DestUnreach), (True, ICMPv6PacketTooBig)])
    def test_over_ipv6_have_the_code_and_checksum_of_their_kind(
        self, too_big: bool, layer: type[ICMPv6DestUnreach] | type[ICMPv6PacketTooBig]
    ) -> None:
        sent = genuine(IPv6(src="fd00::2", dst="fd00::1"))
        frame = forge_icmp(genuine(IPv6(src="fd00::1", dst="fd00::2")), sent, too_big=too_big)
        again = Ether(frame)
        assert again[layer].code == (0 if too_big else 4)
        del again[layer].cksum
        assert bytes(again) == frame
