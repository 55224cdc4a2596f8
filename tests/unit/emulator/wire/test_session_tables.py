"""The packet judge with changing tables: keys, sessions, prefixes, a successor process, peers without TCP-AO."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address, ip_network
from typing import Any

from tests.unit.emulator.wire.conftest import Bench, Router, TcpFlow
from tests.unit.known import known

from keyroll.emulator.wire.bump.connection import CLOSED_LIFETIME
from keyroll.emulator.wire.model import ProtectedSession, WireEventKind
from keyroll.keychain.secret import Secret
from keyroll.names import Sending
from keyroll.tcpao import ACK, FIN, RST, SYN

DATA = ACK | 0x08


class TestChangedTables:
    def test_a_key_can_be_added_while_a_connection_is_open(self, bench: Bench) -> None:
        flow = bench.flow(chain=bench.chain(bench.key(0))).open()
        for place, router in enumerate((flow.near, flow.far)):
            router.protect(bench.session(place))
            router.now = bench.T0 + bench.HALF_HOUR
        assert flow.send(0) is not None
        assert known(bench.ao(flow.wire[-1])).key_id == 3

    def test_the_secret_of_a_key_in_use_changes_only_for_new_connections(self, bench: Bench) -> None:
        flow = bench.flow(chain=bench.chain(bench.key(0))).open()
        flow.send(1)
        changed = bench.chain(bench.key(0, secret=Secret("another")))
        flow.near.protect(bench.session(0, changed))
        assert flow.send(0) is not None
        assert flow.send(1) is not None
        fresh = bench.Flow(flow.near, flow.far, sport=41000)
        assert fresh.carry(0, fresh.syn()) is None
        flow.far.protect(bench.session(1, changed))
        assert fresh.carry(0, fresh.syn()) is not None

    def test_the_secret_of_a_key_not_yet_in_use_changes_at_once(self, bench: Bench) -> None:
        flow = bench.flow().open()
        changed = bench.chain(bench.key(0), bench.key(1, 1800, secret=Secret("another")))
        for place, router in enumerate((flow.near, flow.far)):
            router.protect(bench.session(place, changed))
            router.now = bench.T0 + bench.HALF_HOUR
        assert flow.send(0) is not None
        for place, router in enumerate((flow.near, flow.far)):
            router.protect(bench.session(place, changed))
        assert flow.send(1) is not None

    def test_a_key_that_is_not_in_use_any_more_can_be_replaced_under_its_number(self, bench: Bench) -> None:
        flow = bench.flow().open()
        assert flow.send(1) is not None
        for router in (flow.near, flow.far):
            router.now = bench.T0 + bench.HALF_HOUR
        assert flow.send(0) is not None
        assert flow.send(1) is not None
        refilled = bench.chain(bench.key(0, 3600, secret=Secret("second life")), bench.key(1, 1800))
        for place, router in enumerate((flow.near, flow.far)):
            router.protect(bench.session(place, refilled))
        assert flow.send(0) is not None
        for router in (flow.near, flow.far):
            router.now = bench.T0 + 2 * bench.HALF_HOUR
        assert flow.send(0) is not None
        assert flow.send(1) is not None
        assert known(bench.ao(flow.wire[-1])).key_id == 2
        fresh = bench.Flow(flow.near, flow.far, sport=41000).open()
        assert fresh.send(1) is not None, "a new connection has the same secret as the open one"

    def test_a_key_that_only_the_peer_still_sends_with_is_in_use(self, bench: Bench) -> None:
        flow = bench.flow().open()
        flow.near.now = bench.T0 + bench.HALF_HOUR + bench.NS
        flow.far.now = bench.T0 + bench.HALF_HOUR - bench.NS
        assert flow.send(0) is not None
        assert flow.send(1) is not None
        assert [known(bench.ao(packet)).key_id for packet in flow.wire[-2:]] == [3, 2]
        changed = bench.chain(bench.key(0, secret=Secret("another")), bench.key(1, 1800))
        flow.near.protect(bench.session(0, changed))
        assert flow.send(1) is not None

    def test_a_removed_key_is_rejected_at_once(self, bench: Bench) -> None:
        flow = bench.flow().open()
        flow.far.protect(bench.session(1, bench.chain(bench.key(1, 1800))))
        assert flow.send(0) is None
        assert flow.far.dropped() == {("in", "unknown-keyid"): 1}

    def test_a_key_added_under_the_number_of_a_removed_key_is_a_new_key(self, bench: Bench) -> None:
        flow = bench.flow(chain=bench.chain(bench.key(0))).open()
        changed = bench.chain(bench.key(0, secret=Secret("another")))
        for chain in (bench.chain(bench.key(1)), changed):
            flow.near.protect(bench.session(0, chain))
        assert flow.send(0) is None
        assert flow.far.dropped() == {("in", "bad-mac"): 1}
        for chain in (bench.chain(bench.key(1)), changed):
            flow.far.protect(bench.session(1, chain))
        assert flow.send(0) is not None

    def test_new_connections_of_a_removed_session_are_not_protected(self, bench: Bench) -> None:
        flow = bench.flow()
        flow.near.protect()
        assert flow.near.out(flow.syn()) == flow.syn()
        assert flow.near.status().connections == ()

    def test_an_open_connection_of_a_removed_session_is_signed_until_it_ends(self, bench: Bench) -> None:
        flow = bench.flow().open()
        flow.near.protect()
        assert flow.send(0, flags=FIN | ACK, payload=b"") is not None
        assert flow.send(1, flags=FIN | ACK, payload=b"") is not None
        unsigned = flow.build(1, b"", RST | ACK)
        assert flow.near.into(unsigned) is None
        assert flow.near.dropped() == {("in", "no-option"): 1}

    def test_a_silent_connection_of_a_removed_session_expires(self, bench: Bench) -> None:
        flow = bench.flow().open()
        flow.near.protect()
        flow.near.mono += CLOSED_LIFETIME + 1
        flow.near.judge.tick(flow.near.now, flow.near.mono)
        assert flow.near.status().connections == ()
        packet = flow.build(0, b"", FIN | ACK)
        assert flow.near.out(packet) == packet

    def test_a_new_connection_on_the_ports_of_a_removed_session_is_not_protected(self, bench: Bench) -> None:
        flow = bench.flow().open()
        flow.near.protect()
        assert flow.near.out(flow.syn()) == flow.syn()

    def test_a_session_that_is_added_again_protects_its_open_connection(self, bench: Bench) -> None:
        flow = bench.flow().open()
        flow.near.protect()
        flow.near.protect(bench.session(0))
        assert flow.send(0) is not None
        assert flow.send(1) is not None

    def test_a_peer_protected_at_one_address_cannot_reach_another_unprotected(self, bench: Bench) -> None:
        flow = bench.flow()
        flow.far.protect(bench.session(1, local=ip_address("10.0.12.2")))
        elsewhere = bench.tcp_packet(flow.near.address, ip_address("10.255.0.2").packed, 40000, 179, 1, 0, SYN)
        assert flow.far.into(elsewhere) is None

    def test_counters_survive_a_new_table(self, bench: Bench) -> None:
        flow = bench.flow()
        flow.far.into(flow.syn())
        flow.far.protect(bench.session(1))
        (session,) = flow.far.status().sessions
        assert {(way.value, reason.value): count for (way, reason), count in session.drops.items()} == {
            ("in", "no-option"): 1
        }


class TestGroups:
    """Sessions with every peer of a prefix (LDP's session-group)."""

    def group(self, bench: Bench, router: int, prefix: str, *excepted: str, **options: Any) -> ProtectedSession:
        spec = bench.session(router, port=646, **options)
        networks = tuple(ip_network(text) for text in excepted)
        return replace(spec, peer=ip_network(prefix).network_address, prefix=ip_network(prefix), excepted=networks)

    def flow(self, bench: Bench, *specs: ProtectedSession) -> TcpFlow:
        near, far = bench.routers(port=646)
        far.protect(*specs)
        return bench.Flow(near, far, dport=646)

    def test_a_peer_of_the_prefix_is_protected_from_its_first_segment_on(self, bench: Bench) -> None:
        flow = self.flow(bench, self.group(bench, 1, "10.0.0.0/8")).open()
        assert flow.send(0) is not None
        assert flow.send(1) is not None
        assert bench.ao(flow.wire[-1]) is not None
        (session,) = flow.far.status().sessions
        assert str(session.peer) == "10.0.12.1"

    def test_an_unsigned_syn_of_a_peer_of_the_prefix_is_dropped(self, bench: Bench) -> None:
        flow = self.flow(bench, self.group(bench, 1, "10.0.0.0/8"))
        assert flow.far.into(flow.syn()) is None
        assert flow.far.dropped() == {("in", "no-option"): 1}

    def test_fragments_from_a_peer_of_the_prefix_are_dropped_and_others_pass(self, bench: Bench) -> None:
        flow = self.flow(bench, self.group(bench, 1, "10.0.0.0/8"))
        for source, passes in (("10.0.12.1", False), ("192.0.2.1", True)):
            piece = bytearray(bench.tcp_packet(ip_address(source).packed, flow.far.address, 1, 646, 1, 1, ACK))
            piece[6] |= 0x20
            assert (flow.far.into(bytes(piece)) is not None) is passes

    def test_another_port_and_another_prefix_are_not_protected(self, bench: Bench) -> None:
        flow = self.flow(bench, self.group(bench, 1, "10.0.0.0/8"))
        bgp = bench.tcp_packet(flow.near.address, flow.far.address, 40000, 179, 1, 0, SYN)
        other_peer = bench.tcp_packet(ip_address("192.0.2.1").packed, flow.far.address, 40000, 646, 1, 0, SYN)
        assert flow.far.into(bgp) == bgp
        assert flow.far.into(other_peer) == other_peer

    def test_an_excepted_prefix_is_not_protected(self, bench: Bench) -> None:
        flow = self.flow(bench, self.group(bench, 1, "10.0.0.0/8", "10.0.12.0/24"))
        assert flow.far.into(flow.syn()) == flow.syn()

    def test_the_longest_prefix_applies_and_a_session_with_one_peer_takes_precedence(self, bench: Bench) -> None:
        other = bench.chain(bench.key(0, secret=Secret("another secret")))
        wide, long = self.group(bench, 1, "10.0.0.0/8", chain=other), self.group(bench, 1, "10.0.12.0/24")
        assert self.flow(bench, wide, long).open().send(0) is not None
        host = bench.session(1, port=646)
        narrow = self.group(bench, 1, "10.0.12.0/24", chain=other)
        assert self.flow(bench, narrow, host).open().send(0) is not None
        assert self.flow(bench, wide).carry(0, self.flow(bench, wide).syn()) is None

    def test_a_connection_and_its_counters_survive_a_new_table(self, bench: Bench) -> None:
        spec = self.group(bench, 1, "10.0.0.0/8")
        flow = self.flow(bench, spec).open()
        flow.far.into(flow.build(0))
        for table in (spec, self.group(bench, 1, "10.0.12.0/24"), bench.session(1, port=646)):
            flow.far.protect(table)
            assert flow.send(0) is not None
            (session,) = flow.far.status().sessions
            assert sum(session.drops.values()) == 1


class TestRestart:
    def test_records_carry_a_connection_over_to_a_new_process(self, bench: Bench) -> None:
        flow = bench.flow(sending=Sending.RNEXT)
        flow.isns = (0xFFFFFFF0, 0xFFFFFF00)
        flow.next = [0xFFFFFFF1, 0xFFFFFF01]
        flow.open()
        for sender in (0, 1, 0, 1):
            flow.send(sender, bytes(500))
        records = flow.near.judge.records()
        flow.near = bench.Router(flow.near.address, flow.near.peer)
        flow.near.protect(bench.session(0, sending=Sending.RNEXT))
        assert flow.near.judge.restore(records, flow.near.now, flow.near.mono) == 1
        for sender in (1, 0, 1, 0):
            assert flow.send(sender, bytes(500)) is not None

    def test_the_events_contain_all_records_that_a_successor_needs(self, bench: Bench) -> None:
        flow = bench.flow().open()
        records = [event.record for event in flow.near.events if event.record is not None][-1:]
        for sender in (0, 1, 0, 1):
            flow.send(sender, bytes(500))
        flow.near = bench.Router(flow.near.address, flow.near.peer)
        flow.near.protect(bench.session(0))
        flow.near.judge.restore(records, flow.near.now, flow.near.mono)
        assert flow.send(1) is not None
        assert flow.send(0) is not None

    def test_a_record_is_reported_again_before_its_sequence_numbers_are_too_old(self, bench: Bench) -> None:
        flow = bench.flow().open()
        before = len(flow.near.events)
        for _ in range(5):
            flow.next[0] = (flow.next[0] + (1 << 29)) & 0xFFFFFFFF
            flow.send(0, b"x")
        again = [event.record for event in flow.near.events[before:] if event.kind is WireEventKind.CONNECTION]
        assert [record.out_anchor >> 29 for record in again] == [2, 4]

    def test_segments_of_a_restored_connection_without_a_session_are_not_sent_unsigned(self, bench: Bench) -> None:
        flow = bench.flow().open()
        records = flow.near.judge.records()
        flow.near = bench.Router(flow.near.address, flow.near.peer)
        assert flow.near.judge.restore(records, flow.near.now, flow.near.mono) == 0
        assert flow.send(0) is None
        assert flow.near.dropped() == {("out", "no-usable-key"): 1}

    def test_a_restored_plain_connection_without_a_session_passes(self, bench: Bench) -> None:
        near, far = bench.routers()
        near.protect(bench.session(0, allow=True))
        far.protect()
        flow = bench.Flow(far, near, isns=(5, 6)).open()
        records = near.judge.records()
        assert [record.plain for record in records] == [True]
        flow.far = bench.Router(near.address, near.peer)
        assert flow.far.judge.restore(records, near.now, near.mono) == 0
        assert flow.send(0) is not None

    def test_a_record_contains_the_key_in_use_even_if_it_was_changed_since(self, bench: Bench) -> None:
        flow = bench.flow().open()
        other = bench.chain(bench.key(0, secret=Secret("another secret")))
        flow.near.protect(bench.session(0, other))
        record = [event.record for event in flow.near.events if event.record is not None][-1]
        assert record == flow.near.judge.records()[0]
        assert [(number, mkt.master_key) for number, mkt in record.pinned] != [(0, b"another secret")]
        flow.near = bench.Router(flow.near.address, flow.near.peer)
        flow.near.protect(bench.session(0, other))
        assert flow.near.judge.restore([record], flow.near.now, flow.near.mono) == 1
        assert flow.send(0) is not None
        assert flow.send(1) is not None

    def test_a_closing_connection_is_reported_so_that_it_expires_in_a_successor(self, bench: Bench) -> None:
        flow = bench.flow().open()
        flow.send(0, flags=0x11)
        record = [event.record for event in flow.near.events if event.record is not None][-1]
        assert record.closing


class TestAllowWithoutTcpao:
    def plain(self, bench: Bench, *, allowed: bool = True) -> tuple[Router, Router]:
        """Return R1, which protects the session and may allow peers without TCP-AO, and R2, which has no TCP-AO."""
        near, far = bench.routers()
        near.protect(bench.session(0, allow=allowed))
        far.protect()
        return near, far

    def test_a_peer_without_tcpao_is_admitted_and_reported(self, bench: Bench) -> None:
        near, far = self.plain(bench)
        flow = bench.Flow(far, near, isns=(5, 6))
        flow.open()
        assert flow.send(1) is not None
        assert all(bench.ao(packet) is None for packet in flow.wire)
        assert [event.kind for event in near.events].count(WireEventKind.ADMITTED) == 1
        assert [one.phase for one in near.status().connections] == ["plain"]

    def test_our_own_syn_is_signed_and_a_plain_answer_admitted(self, bench: Bench) -> None:
        near, far = self.plain(bench)
        flow = bench.Flow(near, far)
        assert flow.near.out(flow.syn()) is not None
        assert near.into(flow.syn_ack()) is not None
        packet = flow.build(0, b"hello", DATA)
        assert near.out(packet) == packet

    def test_a_plain_refusal_is_admitted(self, bench: Bench) -> None:
        near, far = self.plain(bench)
        flow = bench.Flow(near, far)
        near.out(flow.syn())
        assert near.into(bench.refusal(flow)) == bench.refusal(flow)

    def test_without_the_allow_statement_no_unsigned_segment_passes(self, bench: Bench) -> None:
        near, far = self.plain(bench, allowed=False)
        flow = bench.Flow(far, near)
        assert flow.carry(0, flow.syn()) is None
        assert near.out(flow.syn_ack()) is None

    def test_unsigned_segments_on_a_connection_with_tcpao_are_dropped(self, bench: Bench) -> None:
        flow = bench.flow(allow=True).open()
        for flags in (SYN, SYN | ACK, ACK, DATA, RST, RST | ACK):
            assert flow.far.into(flow.build(0, b"", flags)) is None
        assert bench.ao(flow.far.out(flow.build(1, b"x", DATA))) is not None

    def test_a_wrong_key_is_not_admitted(self, bench: Bench) -> None:
        flow = bench.flow(allow=True)
        flow.far.protect(bench.session(1, bench.chain(bench.key(0, secret=Secret("another"))), allow=True))
        assert flow.carry(0, flow.syn()) is None
        assert flow.far.dropped() == {("in", "bad-mac"): 1}

    def test_plain_connections_end_when_the_allow_statement_is_removed(self, bench: Bench) -> None:
        near, far = self.plain(bench)
        flow = bench.Flow(far, near).open()
        near.protect(bench.session(0))
        assert flow.send(0) is None
        assert flow.send(1) is None
