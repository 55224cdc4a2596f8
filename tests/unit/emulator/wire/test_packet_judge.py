"""What the packet judge does with each kind of packet: sign, verify and strip, pass, or drop with a reason."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address

import pytest
from tests.unit.emulator.wire.conftest import Bench
from tests.unit.known import known
from tests.unit.segments import segment_of

from keyroll.emulator.wire.model import WireEventKind
from keyroll.keychain.model import Keychain
from keyroll.keychain.secret import Secret
from keyroll.names import Algorithm, Receiving, Sending
from keyroll.tcpao import ACK, FIN, RST, SYN

DATA = ACK | 0x08


@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize("algorithm", list(Algorithm))
@pytest.mark.parametrize("include_options", [True, False])
def test_a_segment_is_signed_on_the_wire_and_arrives_as_it_was_sent(
    bench: Bench, family: int, algorithm: Algorithm, include_options: bool
) -> None:
    chain = bench.chain(bench.key(0, algorithm=algorithm, include_options=include_options))
    flow = bench.flow(family=family, chain=chain).open()
    for sender in (0, 1, 1, 0):
        before = flow.build(sender, b"some data", DATA)
        assert flow.carry(sender, before) == before
        assert known(bench.ao(flow.wire[-1])).key_id == (1, 2)[sender]
        assert len(flow.wire[-1]) == len(before) + 16


def test_a_syns_mss_is_lowered_by_16_for_its_receivers_kernel_and_not_on_the_wire(bench: Bench) -> None:
    flow = bench.flow()
    for sender, packet in ((0, flow.syn()), (1, flow.syn_ack())):
        arrived = segment_of(flow.carry(sender, packet))
        assert arrived.options[:4] == b"\x02\x04" + (1460 - 16).to_bytes(2, "big")
        assert segment_of(flow.wire[-1]).options[:4] == b"\x02\x04" + (1460).to_bytes(2, "big")


def test_other_traffic_passes_untouched(bench: Bench) -> None:
    flow = bench.flow()
    near = flow.near
    udp = bench.ip_packet(near.address, near.peer, 17, b"\x02\x86\x02\x86\x00\x08\x00\x00")
    echo_request = bench.ip_packet(near.address, near.peer, 1, b"\x08\x00" + bytes(6))
    other_port = near.segment(40000, 22, 1, 0, SYN)
    another = ip_address("10.0.12.3").packed
    for packet in (udp, echo_request, other_port):
        assert near.out(packet) == packet
        assert flow.far.into(packet) == packet
    to_another = bench.tcp_packet(near.address, another, 40000, 179, 1, 0, SYN)
    assert near.out(to_another) == to_another
    from_another = bench.tcp_packet(another, flow.far.address, 40000, 179, 1, 0, SYN)
    assert flow.far.into(from_another) == from_another
    assert near.dropped() == flow.far.dropped() == {}


class TestDrops:
    def test_a_segment_received_without_the_option_is_dropped(self, bench: Bench) -> None:
        flow = bench.flow().open()
        for flags in (SYN, SYN | ACK, ACK, DATA, RST, RST | ACK, FIN | ACK):
            assert flow.far.into(flow.build(0, b"", flags)) is None
        assert flow.far.dropped() == {("in", "no-option"): 7}

    def test_a_segment_received_with_md5_is_dropped_with_or_without_the_option(self, bench: Bench) -> None:
        flow = bench.flow().open()
        md5 = b"\x13\x12" + bytes(16) + b"\x01\x01"
        assert flow.far.into(flow.build(0, b"x", DATA, options=md5)) is None
        assert flow.far.into(flow.build(0, b"x", DATA, options=md5 + b"\x1d\x10\x01\x02" + bytes(12))) is None
        assert flow.far.dropped() == {("in", "md5-present"): 2}

    def test_a_segment_sent_with_md5_is_dropped(self, bench: Bench) -> None:
        flow = bench.flow().open()
        assert flow.near.out(flow.build(0, b"x", DATA, options=b"\x13\x12" + bytes(16) + b"\x01\x01")) is None
        assert flow.near.dropped() == {("out", "md5-present"): 1}

    def test_a_segment_received_with_an_unknown_key_id_is_dropped(self, bench: Bench) -> None:
        flow = bench.flow().open()
        assert flow.far.into(flow.build(0, b"x", DATA, options=b"\x1d\x10\x63\x02" + bytes(12))) is None
        assert flow.far.dropped() == {("in", "unknown-keyid"): 1}

    def test_a_segment_received_outside_its_keys_window_is_dropped(self, bench: Bench) -> None:
        flow = bench.flow().open()
        flow.far.now = bench.T0 + bench.HALF_HOUR + 301 * bench.NS
        assert flow.send(0) is None
        assert flow.far.dropped() == {("in", "not-acceptable-now"): 1}

    def test_receiving_any_ignores_key_windows(self, bench: Bench) -> None:
        flow = bench.flow(receiving=Receiving.ANY).open()
        flow.far.now = bench.T0 + 100 * bench.HALF_HOUR
        assert flow.send(0) is not None

    @pytest.mark.parametrize("octet", range(62))
    def test_a_segment_received_with_any_covered_octet_damaged_is_dropped(self, bench: Bench, octet: int) -> None:
        flow = bench.flow().open()
        sent = bytearray(flow.near.out(flow.build(0, b"data", DATA)))
        tcp = bytes(sent[20:])
        assert len(tcp) == 20 + 12 + 16 + 4 == 52
        if octet >= len(tcp) + 8:
            sent[octet - 60 + 14] ^= 1  # the last octets of source and destination address
            octets = bytes(sent)
        elif octet >= len(tcp):
            sent[12 + octet - 52] ^= 1  # the rest of the addresses
            octets = bytes(sent)
        else:
            sent[20 + octet] ^= 1
            octets = bytes(sent)
        arrived = flow.far.into(octets)
        if octet in (16, 17):
            assert arrived is not None, "the checksum is not covered"
        else:
            assert arrived is None or arrived == octets, "dropped, or no longer a segment of the session"

    def test_a_wrong_secret_is_a_bad_mac(self, bench: Bench) -> None:
        flow = bench.flow()
        other = bench.chain(bench.key(0, secret=Secret("another")))
        flow.far.protect(bench.session(1, other))
        assert flow.carry(0, flow.syn()) is None
        assert flow.far.dropped() == {("in", "bad-mac"): 1}

    def test_damaged_options_that_no_mac_covers_fail_the_checksum(self, bench: Bench) -> None:
        flow = bench.flow(chain=bench.chain(bench.key(0, include_options=False))).open()
        sent = bytearray(flow.near.out(flow.build(0, b"data", DATA)))
        sent[20 + 20 + 5] ^= 1
        assert flow.far.into(bytes(sent)) is None
        assert flow.far.dropped() == {("in", "bad-checksum"): 1}

    @pytest.mark.parametrize("keys", [(), "future", "disabled"])
    def test_without_a_usable_key_nothing_passes(self, bench: Bench, keys: tuple[()] | str) -> None:
        chain = {
            (): Keychain("chain"),
            "future": bench.chain(bench.key(0, 9999)),
            "disabled": bench.chain(bench.key(0, tcp_ao_option=False)),
        }[keys]
        flow = bench.flow(chain=chain)
        assert flow.near.out(flow.syn()) is None
        assert flow.near.dropped() == {("out", "no-usable-key"): 1}
        assert flow.far.into(flow.syn()) is None

    def test_segments_of_a_connection_whose_syn_was_not_seen_are_dropped(self, bench: Bench) -> None:
        flow = bench.flow()
        assert flow.near.out(flow.build(0, b"x", DATA)) is None
        assert flow.near.out(flow.build(0, b"", RST | ACK)) is None
        assert flow.far.out(flow.syn_ack()) is None, "no SYN came in before it"
        assert flow.near.dropped() == {("out", "no-connection-state"): 2}
        another = bench.flow().open()
        another.send(0)
        assert flow.far.into(another.wire[-1]) is None
        assert flow.far.dropped()["in", "no-connection-state"] == 1

    def test_a_segment_whose_options_leave_no_room_is_dropped(self, bench: Bench) -> None:
        flow = bench.flow().open()
        crowded = bench.TIMESTAMPS + b"\x63\x1c" + bytes(26)
        assert flow.near.out(flow.build(0, b"x", DATA, options=crowded)) is None
        assert flow.near.dropped() == {("out", "no-room"): 1}

    @pytest.mark.parametrize("options", [b"\x08\x01\x00\x00", b"\x08\x63\x00\x00", b"\x1d\x10\x01\x02" + bytes(12)])
    def test_a_segment_sent_with_malformed_options_or_a_kernels_own_option_is_dropped(
        self, bench: Bench, options: bytes
    ) -> None:
        flow = bench.flow().open()
        assert flow.near.out(flow.build(0, b"x", DATA, options=options)) is None
        assert flow.near.dropped() == {("out", "malformed"): 1}

    def test_segments_that_cannot_be_parsed_are_dropped(self, bench: Bench) -> None:
        flow = bench.flow().open()
        packet = bytearray(flow.build(0, b"x", DATA))
        packet[20 + 12] = 0xF0
        for judge in (flow.near.out, flow.far.into):
            assert judge(bytes(packet)) is None
        assert flow.far.dropped() == {("in", "malformed"): 1}


class TestFragments:
    def test_fragments_of_tcp_with_a_protected_peer_are_dropped_both_ways(self, bench: Bench) -> None:
        flow = bench.flow().open()
        first = bytearray(flow.build(0, b"x", DATA))
        first[6] = 0x20
        later = bytearray(first)
        later[6:8] = b"\x00\x03"
        for packet in (bytes(first), bytes(later)):
            assert flow.near.out(packet) is None
            assert flow.far.into(packet) is None
        assert flow.far.dropped() == {("in", "fragment"): 2}

    def test_fragments_of_other_peers_and_of_udp_pass(self, bench: Bench) -> None:
        flow = bench.flow().open()
        other = bytearray(bench.tcp_packet(ip_address("10.9.9.9").packed, flow.far.address, 1, 179, 1, 1, ACK))
        other[6] = 0x20
        udp = bytearray(bench.ip_packet(flow.near.address, flow.far.address, 17, bytes(16)))
        udp[6] = 0x20
        for packet in (bytes(other), bytes(udp)):
            assert flow.far.into(packet) == packet

    @pytest.mark.parametrize(("following", "verdict"), [(6, "fragment"), (60, "fragment"), (17, None), (58, None)])
    def test_ipv6_fragments_are_dropped_where_tcp_may_follow_extension_headers(
        self, bench: Bench, following: int, verdict: str | None
    ) -> None:
        flow = bench.flow(family=6)
        packet = bench.ip_packet(flow.near.address, flow.far.address, 44, bytes((following, 0, 0, 1)) + bytes(40))
        assert flow.far.into(packet) == (packet if verdict is None else None)
        assert flow.far.dropped() == ({} if verdict is None else {("in", "fragment"): 1})


class TestIcmp:
    @pytest.mark.parametrize(
        ("family", "kind", "code", "passes"),
        [
            (4, 3, 2, False),
            (4, 3, 3, False),
            (4, 3, 4, False),
            (4, 3, 1, True),
            (4, 11, 0, True),
            (6, 1, 1, False),
            (6, 1, 4, False),
            (6, 2, 0, False),
            (6, 1, 3, True),
            (6, 135, 0, True),
        ],
    )
    def test_hard_errors_about_a_protected_connection_are_dropped(
        self, bench: Bench, family: int, kind: int, code: int, passes: bool
    ) -> None:
        flow = bench.flow(family=family).open()
        router = ip_address("10.0.12.9" if family == 4 else "2001:db8::9").packed
        body = bytes((kind, code)) + bytes(6) + flow.build(1, b"x", DATA)[: 28 if family == 4 else 48]
        packet = bench.ip_packet(router, flow.far.address, 1 if family == 4 else 58, body)
        assert flow.far.into(packet) == (packet if passes else None)
        assert flow.far.dropped() == ({} if passes else {("in", "icmp-error"): 1})

    def test_errors_about_other_connections_pass(self, bench: Bench) -> None:
        flow = bench.flow().open()
        quoted = bench.tcp_packet(flow.far.address, ip_address("10.8.8.8").packed, 179, 5, 1, 1, ACK)
        packet = bench.ip_packet(ip_address("10.8.8.8").packed, flow.far.address, 1, b"\x03\x03" + bytes(6) + quoted)
        assert flow.far.into(packet) == packet


class TestConnections:
    def test_a_replayed_syn_does_not_affect_an_open_connection(self, bench: Bench) -> None:
        flow = bench.flow().open()
        flow.send(0)
        replays = list(flow.wire)
        later = bench.Flow(flow.near, flow.far, isns=(77_000, 88_000)).open()
        for replay in replays:
            flow.far.into(replay)
        assert later.send(0) is not None
        assert later.send(1) is not None
        assert flow.far.dropped().get(("in", "bad-mac"), 0) > 0

    def test_a_replayed_segment_does_not_move_the_sending_key_back(self, bench: Bench) -> None:
        flow = bench.flow(sending=Sending.RNEXT, receiving=Receiving.ANY).open()
        flow.send(1)
        flow.send(0)
        requests_key_0 = flow.wire[-1]
        for router in (flow.near, flow.far):
            router.now = bench.T0 + bench.HALF_HOUR
        for sender in (0, 1, 0, 1):
            flow.send(sender)
        assert known(bench.ao(flow.wire[-1])).key_id == 4
        flow.far.into(requests_key_0)
        flow.send(1)
        assert known(bench.ao(flow.wire[-1])).key_id == 4

    def test_a_simultaneous_open_verifies(self, bench: Bench) -> None:
        near, far = bench.routers()
        a = near.segment(179, 179, 1000, 0, SYN, bench.SYN_OPTIONS)
        b = far.segment(179, 179, 9000, 0, SYN, bench.SYN_OPTIONS)
        a_wire, b_wire = near.out(a), far.out(b)
        assert far.into(a_wire) is not None
        assert near.into(b_wire) is not None
        a_ack = near.out(near.segment(179, 179, 1000, 9001, SYN | ACK, bench.SYN_OPTIONS))
        b_ack = far.out(far.segment(179, 179, 9000, 1001, SYN | ACK, bench.SYN_OPTIONS))
        assert far.into(a_ack) is not None
        assert near.into(b_ack) is not None
        data = near.segment(179, 179, 1001, 9001, DATA, b"", b"hello")
        assert far.into(near.out(data)) == data
        assert near.dropped() == far.dropped() == {}

    def test_a_refused_syn_is_answered_by_a_signed_rst(self, bench: Bench) -> None:
        flow = bench.flow()
        flow.carry(0, flow.syn())
        reset = bench.refusal(flow)
        assert flow.carry(1, reset) == reset
        assert bench.ao(flow.wire[-1]) is not None

    def test_a_forged_refusal_is_dropped(self, bench: Bench) -> None:
        flow = bench.flow()
        flow.carry(0, flow.syn())
        assert flow.near.into(bench.refusal(flow)) is None
        signed = bytearray(flow.far.out(bench.refusal(flow)))
        signed[-1] ^= 1
        assert flow.near.into(bytes(signed)) is None
        assert flow.near.dropped() == {("in", "no-option"): 1, ("in", "bad-mac"): 1}

    def test_a_refusal_without_a_syn_before_it_is_not_sent(self, bench: Bench) -> None:
        flow = bench.flow()
        assert flow.far.out(bench.refusal(flow)) is None

    def test_an_rst_of_a_known_connection_is_signed_and_the_connection_expires(self, bench: Bench) -> None:
        flow = bench.flow().open()
        reset = flow.build(1, b"", RST | ACK)
        assert flow.carry(1, reset) == reset
        assert [one.phase for one in flow.near.status().connections] == ["closing"]
        assert flow.send(0) is not None, "TIME-WAIT's segments are signed as well"
        flow.near.mono += 121 * bench.NS
        flow.near.judge.tick(flow.near.now, flow.near.mono)
        assert flow.near.status().connections == ()
        assert flow.near.events[-1].kind is WireEventKind.FORGOTTEN

    def test_an_unanswered_syn_is_forgotten_and_an_open_connection_is_not(self, bench: Bench) -> None:
        flow = bench.flow().open()
        flow.near.out(bench.Flow(flow.near, flow.far, sport=41000).syn())
        flow.near.mono += 241 * bench.NS
        flow.near.judge.tick(flow.near.now, flow.near.mono)
        assert [one.local[1] for one in flow.near.status().connections] == [40000]
        flow.near.mono += 10**6 * bench.NS
        flow.near.judge.tick(flow.near.now, flow.near.mono)
        assert flow.send(0) is not None

    def test_the_table_keeps_its_limit_and_its_open_connections(
        self, bench: Bench, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("keyroll.emulator.wire.bump.connection.TABLE_MAX", 3)
        flow = bench.flow().open()
        for port in range(50000, 50010):
            flow.near.mono += bench.NS
            flow.near.out(bench.Flow(flow.near, flow.far, sport=port).syn())
        flow.near.judge.tick(flow.near.now, flow.near.mono)
        assert sorted(one.local[1] for one in flow.near.status().connections) == [40000, 50008, 50009]

    def test_sequence_numbers_wrap_in_both_directions(self, bench: Bench) -> None:
        flow = bench.flow()
        flow.isns = (0xFFFFFFFE, 0xFFFFF000)
        flow.next = [0xFFFFFFFF, 0xFFFFF001]
        flow.open()
        for sender in (0, 1) * 8:
            assert flow.send(sender, bytes(1400)) is not None
        old = flow.build(1, bytes(1400), DATA, seq=0xFFFFF001)
        assert flow.carry(1, old) == old, "a retransmission from before the wrap"
        assert {record.out_anchor >> 32 for record in flow.far.judge.records()} == {1}


class TestRollover:
    def test_under_clock_the_key_sent_and_the_key_asked_for_change_at_the_start(self, bench: Bench) -> None:
        flow = bench.flow().open()
        flow.near.now = bench.T0 + bench.HALF_HOUR
        flow.send(0)
        assert known(bench.ao(flow.wire[-1]))[2:4] == (3, 4)
        flow.send(1)
        assert known(bench.ao(flow.wire[-1]))[2:4] == (2, 1), "R2's clock is before the start"
        flow.near.now = bench.T0 + 60 * bench.NS
        flow.send(0)
        assert known(bench.ao(flow.wire[-1]))[2:4] == (1, 2), "a clock stepped back re-activates the older key"

    def test_under_rnext_a_router_asks_first_and_changes_its_key_when_asked(self, bench: Bench) -> None:
        flow = bench.flow(sending=Sending.RNEXT).open()
        for router in (flow.near, flow.far):
            router.now = bench.T0 + bench.HALF_HOUR
        seen = []
        for sender in (0, 1, 0, 1):
            flow.send(sender)
            seen.append(known(bench.ao(flow.wire[-1]))[2:4])
        assert seen == [(1, 4), (4, 3), (3, 4), (4, 3)]

    def test_rnext_at_one_end_and_clock_at_the_other_is_hitless(self, bench: Bench) -> None:
        flow = bench.flow()
        flow.near.protect(bench.session(0, sending=Sending.RNEXT))
        flow.open()
        for second in range(0, 3600, 60):
            for router in (flow.near, flow.far):
                router.now = bench.T0 + second * bench.NS
            assert flow.send(0) is not None
            assert flow.send(1) is not None
        assert known(bench.ao(flow.wire[-2]))[2] == 3
        assert known(bench.ao(flow.wire[-1]))[2] == 4

    def test_a_key_change_on_the_wire_is_reported_once_for_each_direction(self, bench: Bench) -> None:
        flow = bench.flow().open()
        flow.send(1)
        for router in (flow.near, flow.far):
            router.now = bench.T0 + bench.HALF_HOUR
        for sender in (0, 1, 0, 1):
            flow.send(sender)
        changes = [event for event in flow.near.events if event.kind is WireEventKind.KEY_CHANGE]
        assert [(one.direction.value, one.old_key, one.key, one.key_id) for one in changes] == [
            ("out", 0, 1, 3),
            ("in", 0, 1, 4),
        ]

    def test_rolled_is_true_only_after_the_new_key_was_seen_on_the_wire(self, bench: Bench) -> None:
        flow = bench.flow().open()
        flow.near.now = bench.T0 + bench.HALF_HOUR
        (idle,) = flow.near.status().connections
        assert (idle.sending_key, idle.out.key, idle.out.rolled) == (1, 0, False)
        flow.send(0)
        (moved,) = flow.near.status().connections
        assert (moved.out.key, moved.out.rolled, moved.in_.rolled) == (1, True, False)

    def test_a_new_connection_after_the_rollover_starts_with_the_new_key(self, bench: Bench) -> None:
        flow = bench.flow(sending=Sending.RNEXT)
        for router in (flow.near, flow.far):
            router.now = bench.T0 + bench.HALF_HOUR
        flow.open()
        assert [known(bench.ao(packet)).key_id for packet in flow.wire] == [3, 4, 3]


def test_drops_are_reported_at_once_and_then_once_a_second_with_their_count(bench: Bench) -> None:
    flow = bench.flow()
    for _ in range(10):
        flow.far.into(flow.syn())
    flow.far.mono += bench.NS
    flow.far.judge.tick(flow.far.now, flow.far.mono)
    reported = [event for event in flow.far.events if event.kind is WireEventKind.DROP]
    assert [(event.reason.value, event.count) for event in reported] == [("no-option", 1), ("no-option", 9)]
    assert reported[0].peer == ip_address("10.0.12.1")


def test_duplicate_recv_ids_pick_the_key_that_may_be_received_now(bench: Bench) -> None:
    twin = bench.key(1, 1800)
    chain = bench.chain(bench.key(0), replace(twin, recv_id=2, send_id=1))
    flow = bench.flow(chain=chain).open()
    for router in (flow.near, flow.far):
        router.now = bench.T0 + 3 * bench.HALF_HOUR
    assert flow.send(0) is not None
