"""The quick way gives the verdicts of the whole one, on whatever it is given."""

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from keyroll.capture import Packet, Referee, Verdict, read_packets
from keyroll.capture.keys.keys_file import read_keys
from keyroll.capture.referee.account import Account
from keyroll.capture.referee.fast_path import FastPath
from keyroll.capture.verify.report import direction_data
from keyroll.names import Algorithm
from keyroll.tcpao import Algorithm as MacAlgorithm
from keyroll.tcpao import Mkt, mac_input, with_checksum

DATA = Path(__file__).parents[2] / "data" / "kernel-captures"


def both(packets, book):
    """Judge by both ways; returns the whole way's judgements, the quick way's, and its account."""
    whole = Referee(book)
    account = Account()
    fast = FastPath(Referee(book), account)
    return [whole.judge(packet) for packet in packets], [fast.take(packet) for packet in packets], account


def rows(account):
    return [direction_data(direction) for direction in account.directions]


def check(packets, book):
    """Assert that both ways agree; returns how many segments took the quick way."""
    slow, quick, account = both(packets, book)
    taken = 0
    for one, other in zip(slow, quick, strict=True):
        if other is None and one is not None:
            assert one.verdict is Verdict.VERIFIED
            taken += 1
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
def test_on_kernel_captures(name):
    packets = list(read_packets(DATA / f"{name}.pcap"))
    assert check(packets, read_keys(DATA / f"{name}.keys.yaml")) > len(packets) / 2


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_on_any_conversation_tampered_with_anywhere(make, data):
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


def test_what_follows_a_reset_shows_the_connection_alive(make):
    talk = make.talk().open()
    talk.send(talk.far, make.RST | make.ACK)
    talk.send(talk.far)
    check(talk.packets, talk.book())


@pytest.mark.parametrize("link", [1, 113, 276, 101, 0, 189])
def test_on_every_link(make, link):
    talk = make.talk().open().exchange().exchange().exchange()
    head = {1: bytes(12) + b"\x08\x00", 113: bytes(14) + b"\x08\x00", 276: b"\x08\x00" + bytes(18), 0: b"\x02\0\0\0"}
    packets = [packet._replace(link=link, data=head.get(link, b"") + packet.data[14:]) for packet in talk.packets]
    taken = check(packets, talk.book())
    assert taken >= 5 if link in {1, 113, 276, 101} else taken == 0


@pytest.mark.parametrize("v6", [False, True])
@pytest.mark.parametrize("covered", [True, False])
@pytest.mark.parametrize("link", [1, 113, 276, 101])
def test_each_bit_of_a_usual_frame_flipped_in_turn(make, v6, covered, link):
    """Above all those that no MAC covers: only the mask over the headers stands between them and "verified"."""
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


def signed_by_hand(talk, end, *, reserved=0, behind=b"", data=b""):
    """Return the octets of a packet whose options follow TCP-AO, and whose bits beside the data offset are set."""
    octets = talk.octets(end, data=data)
    tcp, held = bytearray(octets[20:40]), end.chain.key(0)
    header = tcp + bytes((29, 16, held.send_id, held.recv_id)) + bytes(12) + behind
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
    mkt = Mkt("made", MacAlgorithm(held.effective_algorithm.value), held.secret.reveal(), held.send_id, 0)
    key = mkt.traffic_key(*ends, end.port, talk.other(end).port, *talk.isns(end, 0))
    header[24:36] = key.mac(covered)
    segment = with_checksum(bytes(header) + data, *ends)
    end.seq += len(data)
    return octets[:2] + (20 + len(segment)).to_bytes(2, "big") + octets[4:20] + segment


@pytest.mark.parametrize("reserved", [0x1, 0x2, 0x4, 0x8, 0xF])
@pytest.mark.parametrize("covered", [True, False])
def test_bits_beside_the_data_offset_are_none_of_it(make, reserved, covered):
    talk = make.talk(chain=make.chain(make.key(0, include_options=covered))).open()
    four = b"\x01\x01\x01\x01"
    for bits in (reserved, 0, reserved, reserved, 0):
        # The first one is of another kind than the handshake's ACK, and stands model for the others.
        talk.put(signed_by_hand(talk, talk.near, reserved=bits, behind=four, data=b"d"))
    assert check(talk.packets, talk.book()) == 4, "whatever these bits are, the frames are of one kind"


@pytest.mark.parametrize("first", [b"", b"\x01\x01\x01\x01"])
@pytest.mark.parametrize("covered", [True, False])
def test_options_that_follow_the_usual_ones_are_no_data(make, covered, first):
    talk = make.talk(chain=make.chain(make.key(0, include_options=covered))).open()
    for behind in (first, b"\x01\x01\x01\x01" * 2, first, b"\x01\x01\x01\x01" * 5):
        talk.put(signed_by_hand(talk, talk.near, behind=behind))
    assert check(talk.packets, talk.book()) < 4


def test_the_same_addresses_on_two_links_in_one_capture(make):
    talk = make.talk().open().exchange().exchange()
    raw = [packet._replace(link=101, data=packet.data[14:]) for packet in talk.packets]
    mixed = [packet for pair in zip(talk.packets, raw, strict=True) for packet in pair]
    check([packet._replace(number=number) for number, packet in enumerate(mixed, 1)], talk.book())


@pytest.mark.parametrize(
    "options",
    [b"", b"\x01\x01\x01\x01", b"\x05\x0a" + bytes(8) + b"\x01\x01", b"\x1e\x04\x00\x00", b"\x00\x1d\x10\x00"],
)
def test_options_that_come_and_go(make, options):
    talk = make.talk().open()
    for _ in range(3):
        talk.send(talk.near, make.ACK, b"data", options=make.TIMESTAMPS)
        talk.send(talk.near, make.ACK, b"data", options=options)
        talk.send(talk.near, make.ACK | make.PSH, options=options)
    check(talk.packets, talk.book())
