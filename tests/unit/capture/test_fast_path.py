"""The fast path gives the same verdicts as the referee, on any input."""

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import DataObject
from tests.unit.capture.conftest import End, Maker, Talk
from tests.unit.known import known

from keyroll.capture import Packet, Referee, Verdict, read_packets
from keyroll.capture.keys.book import SpeakerBook
from keyroll.capture.keys.keys_file import KeysBook, read_keys
from keyroll.capture.referee.account import Account
from keyroll.capture.referee.fast_path import FastPath
from keyroll.capture.referee.handshake_path import Followed
from keyroll.capture.referee.judgement import Judgement
from keyroll.capture.verify.files import files_in_order
from keyroll.capture.verify.report import TextReport, direction_data
from keyroll.names import Algorithm
from keyroll.tcpao import Algorithm as MacAlgorithm
from keyroll.tcpao import Mkt, mac_input, with_checksum

DATA = Path(__file__).parents[2] / "data" / "kernel-captures"


def both(
    packets: list[Packet], book: KeysBook | SpeakerBook
) -> tuple[list[Judgement | None], list[Judgement | None], Account, int]:
    """Judge packets with the referee and with the fast path.

    Returns:
        The referee's judgements, the fast path's, its account, and how many packets its templates judged.
    """
    whole = Referee(book)
    account = Account()
    fast = FastPath(Referee(book), account)
    by_template = 0
    handshakes = fast._handshakes.judge

    def counted(packet: Packet) -> Followed | Judgement | bool:
        nonlocal by_template
        by_template -= 1
        return handshakes(packet)

    fast._handshakes.judge = counted  # type: ignore[method-assign] # counts what no template takes
    quick = [fast.judge(packet) for packet in packets]
    return [whole.judge(packet) for packet in packets], quick, account, by_template + len(packets)


def rows(account: Account) -> list[dict[str, int | str | dict[str, int] | list[dict[str, int | str | None]] | None]]:
    return [direction_data(direction) for direction in account.directions]


def check(packets: list[Packet], book: KeysBook | SpeakerBook) -> int:
    """Assert that the referee and the fast path agree; return how many segments a template verified."""
    slow, quick, account, taken = both(packets, book)
    for one, other in zip(slow, quick, strict=True):
        if other is None and one is not None:
            assert one.verdict is Verdict.VERIFIED
        else:
            assert other == one
    counted = Account()
    for judgement in slow:
        if judgement is not None:
            counted.observe(judgement)
    assert rows(account) == rows(counted)
    assert account.standings() == counted.standings()
    verdicts = Counter(judgement.verdict for judgement in slow if judgement)
    assert sum((Counter(flow.verdicts()) for flow in account.directions), Counter()) == verdicts
    return taken


@pytest.mark.parametrize("name", ["v4-sha1", "v4-sha1-to-cmac", "v6-cmac", "sock-v4-sha1-noopts"])
def test_kernel_captures_give_the_same_judgements(name: str) -> None:
    packets = list(read_packets(DATA / f"{name}.pcap"))
    assert check(packets, read_keys(DATA / f"{name}.keys.yaml")) > len(packets) / 2


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_conversation_tampered_with_anywhere_gives_the_same_judgements(make: type[Maker], data: DataObject) -> None:
    algorithm = data.draw(st.sampled_from(list(Algorithm)))
    chain = make.chain(make.key(0), make.key(1, algorithm=algorithm, include_options=data.draw(st.booleans())))
    isns = data.draw(st.tuples(st.integers(0, 2**32 - 1), st.sampled_from([0, 0xFFFFFFFF, 0xFFFFFF00])))
    talk = make.talk(chain=chain, v6=data.draw(st.booleans()), isns=isns).open()
    for _ in range(data.draw(st.integers(1, 8))):
        end = data.draw(st.sampled_from([talk.near, talk.far]))
        flags = make.ACK | data.draw(st.sampled_from([0, 0, 0, make.PSH, make.FIN, make.RST, make.SYN]))
        options = data.draw(st.sampled_from([b"", make.TIMESTAMPS]))
        key = data.draw(st.sampled_from([0, 0, 0, 1, None]))
        packet = talk.send(end, flags, data.draw(st.binary(max_size=40)), key=key, options=options)
        end.seq += data.draw(st.sampled_from([0, 0, 0, 1 << 31, 1 << 30, 77]))
        harm = data.draw(st.sampled_from(["none"] * 4 + ["flip", "cut", "pad", "again", "no time"]))
        frame = bytearray(packet.data)
        if harm == "flip":
            place = data.draw(st.integers(12, len(frame) - 1))
            frame[place] ^= 1 << data.draw(st.integers(0, 7))
        elif harm == "cut":
            del frame[data.draw(st.integers(14, len(frame) - 1)) :]
        elif harm == "pad":
            frame += bytes(9)
        elif harm == "again":
            talk.packets.append(packet._replace(number=packet.number + 1))
        time_ns = None if harm == "no time" else packet.time_ns
        talk.packets[packet.number - 1] = Packet(packet.number, time_ns, 1, bytes(frame), packet.length)
    check(talk.packets, talk.book())


def test_a_segment_after_a_reset_gives_the_same_judgements(make: type[Maker]) -> None:
    """A verified segment after the reset shows that the connection still exists."""
    talk = make.talk().open()
    talk.send(talk.far, make.RST | make.ACK)
    talk.send(talk.far)
    check(talk.packets, talk.book())


@pytest.mark.parametrize("link", [1, 113, 276, 101, 0, 189])
def test_every_link_type_gives_the_same_judgements(make: type[Maker], link: int) -> None:
    talk = make.talk().open().exchange().exchange().exchange()
    head = {1: bytes(12) + b"\x08\x00", 113: bytes(14) + b"\x08\x00", 276: b"\x08\x00" + bytes(18), 0: b"\x02\0\0\0"}
    packets = [packet._replace(link=link, data=head.get(link, b"") + packet.data[14:]) for packet in talk.packets]
    taken = check(packets, talk.book())
    assert taken >= 5 if link in {1, 113, 276, 101} else taken == 0


@pytest.mark.parametrize("v6", [False, True])
@pytest.mark.parametrize("covered", [True, False])
@pytest.mark.parametrize("link", [1, 113, 276, 101])
def test_each_flipped_bit_of_a_usual_frame_gives_the_same_judgements(
    make: type[Maker], v6: bool, covered: bool, link: int
) -> None:
    """Bits that no MAC covers matter most: only the mask over the headers detects that they have changed."""
    chain = make.chain(make.key(0, include_options=covered))
    talk = make.talk(chain=chain, v6=v6).open()
    for _ in range(2):
        talk.send(talk.near, make.ACK, b"data", options=make.TIMESTAMPS + b"\x05\x0a" + bytes(8) + b"\x01\x01")
    protocol = b"\x86\xdd" if v6 else b"\x08\x00"
    head = {1: bytes(12) + protocol, 113: bytes(14) + protocol, 276: protocol + bytes(18), 101: b""}[link]
    *before, last = (packet._replace(link=link, data=head + packet.data[14:]) for packet in talk.packets)
    flipped = []
    for bit in range(len(last.data) * 8):
        data = bytearray(last.data)
        data[bit >> 3] ^= 1 << (bit & 7)
        flipped.append(last._replace(number=last.number + bit, data=bytes(data)))
    taken = check([*before, last, *flipped], talk.book())
    assert 50 < taken < len(flipped) / 2


def signed_by_hand(talk: Talk, end: End, *, reserved: int = 0, behind: bytes = b"", data: bytes = b"") -> bytes:
    """Return a signed packet with the options `behind` after TCP-AO and `reserved` bits beside the data offset."""
    octets = talk.octets(end, data=data)
    tcp, held = bytearray(octets[20:40]), known(end.chain.key(0))
    send_id, recv_id = known(held.send_id), known(held.recv_id)
    header = tcp + bytes((29, 16, send_id, recv_id)) + bytes(12) + behind
    header[12] = len(header) // 4 << 4 | reserved
    header[16:18] = b"\0\0"
    ends = end.packed, talk.other(end).packed
    covered = mac_input(
        sne=0,
        src=ends[0],
        dst=ends[1],
        header=bytes(header),
        payload=data,
        ao_offset=0,
        include_options=held.include_options,
    )
    mkt = Mkt(
        "made",
        MacAlgorithm(held.effective_algorithm.value),
        known(held.secret).reveal(),
        send_id,
        0,
    )
    key = mkt.traffic_key(*ends, end.port, talk.other(end).port, *talk.isns(end, 0))
    header[24:36] = key.mac(covered)
    segment = with_checksum(bytes(header) + data, *ends)
    end.seq += len(data)
    return octets[:2] + (20 + len(segment)).to_bytes(2, "big") + octets[4:20] + segment


@pytest.mark.parametrize("reserved", [0x1, 0x2, 0x4, 0x8, 0xF])
@pytest.mark.parametrize("covered", [True, False])
def test_reserved_bits_beside_the_data_offset_do_not_prevent_the_fast_path(
    make: type[Maker], reserved: int, covered: bool
) -> None:
    talk = make.talk(chain=make.chain(make.key(0, include_options=covered))).open()
    four = b"\x01\x01\x01\x01"
    for bits in (reserved, 0, reserved, reserved, 0):
        # The first one differs from the handshake's ACK, so it becomes the template of the others.
        talk.put(signed_by_hand(talk, talk.near, reserved=bits, behind=four, data=b"d"))
    assert check(talk.packets, talk.book()) == 4, "one template serves frames with any values of these bits"


@pytest.mark.parametrize("first", [b"", b"\x01\x01\x01\x01"])
@pytest.mark.parametrize("covered", [True, False])
def test_options_after_the_usual_ones_are_not_taken_as_data(make: type[Maker], covered: bool, first: bytes) -> None:
    talk = make.talk(chain=make.chain(make.key(0, include_options=covered))).open()
    for behind in (first, b"\x01\x01\x01\x01" * 2, first, b"\x01\x01\x01\x01" * 5):
        talk.put(signed_by_hand(talk, talk.near, behind=behind))
    assert check(talk.packets, talk.book()) < 4


def test_the_same_addresses_on_two_links_give_the_same_judgements(make: type[Maker]) -> None:
    talk = make.talk().open().exchange().exchange()
    raw = [packet._replace(link=101, data=packet.data[14:]) for packet in talk.packets]
    mixed = [packet for pair in zip(talk.packets, raw, strict=True) for packet in pair]
    check([packet._replace(number=number) for number, packet in enumerate(mixed, 1)], talk.book())


@pytest.mark.parametrize(
    "options",
    [b"", b"\x01\x01\x01\x01", b"\x05\x0a" + bytes(8) + b"\x01\x01", b"\x1e\x04\x00\x00", b"\x00\x1d\x10\x00"],
)
def test_options_that_change_between_segments_give_the_same_judgements(make: type[Maker], options: bytes) -> None:
    talk = make.talk().open()
    for _ in range(3):
        talk.send(talk.near, make.ACK, b"data", options=make.TIMESTAMPS)
        talk.send(talk.near, make.ACK, b"data", options=options)
        talk.send(talk.near, make.ACK | make.PSH, options=options)
    check(talk.packets, talk.book())


def forged_syn(make: type[Maker], talk: Talk, *, port: int, isn: int, key: int = 0, options: bytes = b"") -> Packet:
    near = talk.near
    own, near.port = near.port, port
    octets = talk.octets(near, make.SYN, seq=isn, isns=(isn ^ 1, 0), key=key, options=options)
    near.port = own
    return talk.put(octets)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_scan_of_forged_syns_among_connections_gives_the_same_judgements(make: type[Maker], data: DataObject) -> None:
    """Steps: f, k forged SYN of key 0, 1; r forged SYN of the far end; o connection; s SYN; t reset; x wrong ISNs."""
    talk = make.talk(v6=data.draw(st.booleans()))
    for step in data.draw(st.lists(st.sampled_from("ffffffrotxsk"), min_size=5, max_size=60)):
        talk.near.port = data.draw(st.sampled_from([40000, 40001, 40002]))
        isn = data.draw(st.integers(0, 2)) * 1000
        if step == "f":
            options = data.draw(st.sampled_from([b"", make.TIMESTAMPS]))
            forged_syn(make, talk, port=talk.near.port, isn=isn, options=options)
        elif step == "k":
            forged_syn(make, talk, port=talk.near.port, isn=isn, key=1)
        elif step == "r":
            talk.put(talk.octets(talk.far, make.SYN, seq=isn, isns=(7, 0)))
        elif step == "o":
            talk.near.isn, talk.far.isn = isn + 1, isn + 2
            talk.open().exchange()
        elif step == "s":
            talk.near.isn = talk.near.seq = isn
            talk.send(talk.near, make.SYN)
        elif step == "t":
            talk.send(talk.far, make.RST | make.ACK)
        else:
            talk.send(talk.near, data=b"x", isns=(isn, isn))
    check(talk.packets, talk.book())


def test_forged_syns_are_counted_when_their_judgements_are_not_wanted(make: type[Maker]) -> None:
    """The report prints only the first of them, and counts the others."""
    talk = make.talk()
    for number in range(40):
        forged_syn(make, talk, port=2000 + number % 30, isn=number, key=number % 2, options=make.TIMESTAMPS)
    with_judgements, counted_only = Account(), Account()
    fast = FastPath(Referee(talk.book()), with_judgements)
    for packet in talk.packets:
        fast.judge(packet)
    fast = FastPath(Referee(talk.book()), counted_only)
    first = fast.judge(talk.packets[0])
    assert first is not None
    assert first.verdict is Verdict.BAD_MAC
    fast.forged.wanted = False
    assert [fast.judge(packet) for packet in talk.packets[1:]] == [None] * 39
    assert fast.forged.counted == 39
    assert rows(counted_only) == rows(with_judgements)
    assert counted_only.standings() == with_judgements.standings()


def test_the_table_shows_three_forged_syns_and_counts_the_rest(make: type[Maker], tmp_path: Path) -> None:
    talk = make.talk()
    for number in range(60):
        forged_syn(make, talk, port=2000 + number, isn=number)
    talk.open().exchange()
    capture = tmp_path / "scan.pcap"
    capture.write_bytes(make.pcap(talk.packets))
    lines: list[str] = []
    report = TextReport(lambda message, **_: lines.extend(message.splitlines()), show=5)
    for file in files_in_order([capture], talk.book()):
        report.begin(file)
        for judged in file.offending():
            report.offender(judged)
        report.end(file)
    assert sum("1 bad-mac; 1 SYN" in line for line in lines) == 3
    assert "  and 57 more directions of which nothing but SYNs with a wrong MAC or KeyID was seen" in lines
    assert "    and 55 more (--show 0 shows all)" in lines
    assert lines[-1].endswith(f"{len(talk.packets) - 60} good, 60 bad, 0 could not be judged.")


def test_a_long_scan_stores_no_socket_pairs_and_hides_no_connection(
    make: type[Maker], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Memory must not grow with the number of ports that a scan uses."""
    monkeypatch.setattr("keyroll.capture.referee.connection.SOCKET_PAIRS_MAX", 100)
    talk = make.talk()
    for number in range(1500):
        forged_syn(make, talk, port=2000 + number % 300, isn=number, options=make.TIMESTAMPS)
    forged_syn(make, talk, port=40000, isn=5)
    talk.open().exchange()
    _, quick, account, _ = both(talk.packets, talk.book())
    assert {known(judgement).verdict for judgement in quick[:1501]} == {Verdict.BAD_MAC}
    found = {judgement.verdict if judgement else Verdict.VERIFIED for judgement in quick[1501:]}
    assert found == {Verdict.VERIFIED}, "the connection on the port of a forged SYN is verified"
    fast = FastPath(Referee(talk.book()), account)
    fast.referee._coverage_misses = 1000
    for packet in talk.packets[:1500]:
        fast.judge(packet)
    assert not fast.referee.connections._socket_pairs
    assert len(fast.referee.connections._claims) <= 100
