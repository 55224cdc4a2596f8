"""The referee's verdicts, one situation at a time."""

from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any

import pytest
from tests.unit.capture.conftest import Maker, judge, verdicts
from tests.unit.known import known

from keyroll.capture import Referee, Refusal, Speaker, SpeakerBook, Standing, Verdict
from keyroll.capture.keys.book import CaptureClock
from keyroll.capture.referee.account import Account
from keyroll.capture.referee.fast_path import FastPath
from keyroll.names import Algorithm, Receiving


@pytest.mark.parametrize("v6", [False, True])
@pytest.mark.parametrize("algorithm", list(Algorithm))
@pytest.mark.parametrize("include_options", [True, False])
def test_a_conversation_verifies(make: type[Maker], v6: bool, algorithm: Algorithm, include_options: bool) -> None:
    chain = make.chain(make.key(0, algorithm=algorithm, include_options=include_options))
    talk = make.talk(chain=chain, v6=v6).open().exchange()
    talk.send(talk.near, make.ACK, b"with options", options=make.TIMESTAMPS)
    judgements = judge(talk)
    assert {judgement.verdict for judgement in judgements} == {Verdict.VERIFIED}
    assert [judgement.sender for judgement in judgements] == ["R1", "R2", "R1", "R1", "R2", "R1", "R1"]
    assert judgements[3].payload_length == 60
    assert (judgements[0].key, judgements[0].receiver_key, judgements[0].key_id) == (0, 0, 1)
    assert judgements[1].key_id == 2


def test_a_segment_of_an_unprotected_session_gets_no_judgement(make: type[Maker]) -> None:
    talk = make.talk()
    talk.near.port, talk.far.port = 40000, 22
    packet = talk.send(talk.near, make.SYN, key=None)
    assert Referee(talk.book()).judge(packet) is None


def test_unsigned_segments_and_segments_with_md5_have_their_own_verdicts(make: type[Maker]) -> None:
    md5 = b"\x13\x12" + bytes(16) + b"\x01\x01"
    talk = make.talk().open()
    talk.send(talk.near, make.RST, key=None)
    talk.send(talk.near, make.ACK, key=None, options=md5)
    talk.send(talk.near, make.ACK, options=md5)
    assert verdicts(talk)[3:] == [Verdict.UNSIGNED, Verdict.MD5, Verdict.MD5_AND_AO]


def test_an_unknown_keyid_and_a_wrong_mac_have_their_own_verdicts(make: type[Maker]) -> None:
    talk = make.talk(chain=make.chain(make.key(0), make.key(5))).open().exchange(key=5)
    book = talk.book(near=make.chain(make.key(0)), far=make.chain(make.key(0), make.key(5, secret="other")).mirrored())
    judgements = judge(talk, book)
    assert judgements[3].verdict is Verdict.UNKNOWN_KEYID
    assert (judgements[3].key, judgements[3].key_id) == (None, 11)
    assert judgements[4].verdict is Verdict.BAD_MAC
    assert judgements[4].key == 5


@pytest.mark.parametrize(
    ("there", "refusal", "word"),
    [
        (None, Refusal.UNKNOWN, "no usable key with recv-id 3"),
        ({"secret": "other"}, Refusal.MISMATCH, "the secrets differ"),
        ({"algorithm": Algorithm.AES_128_CMAC_96}, Refusal.MISMATCH, "aes-128-cmac-96 there"),
        ({"include_options": False}, Refusal.MISMATCH, "options"),
    ],
)
def test_a_segment_that_is_valid_for_its_sender_may_be_refused_by_its_receiver(
    make: type[Maker], there: dict[str, Any] | None, refusal: Refusal, word: str
) -> None:
    talk = make.talk().open()
    talk.send(talk.near, make.ACK, b"data", key=1, options=make.TIMESTAMPS)
    far = make.chain(make.key(0), *([make.key(1, **there)] if there else [])).mirrored()
    last = judge(talk, talk.book(far=far))[-1]
    assert (last.verdict, last.refusal, last.standing) == (Verdict.REFUSED, refusal, Standing.BAD)
    assert word in last.reason
    assert "secret of" not in repr(last)


def test_secrets_that_give_the_same_traffic_key_are_equal(make: type[Maker]) -> None:
    """HMAC pads a short key with zeros, so zeros at the end of a secret change nothing."""
    talk = make.talk(chain=make.chain(make.key(0, secret="k"))).open()
    book = talk.book(far=make.chain(make.key(0, secret=b"k\0\0")).mirrored())
    assert set(verdicts(talk, book)) == {Verdict.VERIFIED}


@pytest.mark.parametrize("quick", [False, True])
def test_windows_are_judged_on_the_receivers_clock(make: type[Maker], quick: bool) -> None:
    second = make.START + timedelta(minutes=30)
    chain = make.chain(make.key(0), make.key(1, start=second), tolerance=60)
    talk = make.talk(chain=chain).open()
    begin = talk.time_ns
    for _ in range(5):
        talk.send(talk.near, make.ACK, b"data", key=1)

    def clock_at(moment: datetime) -> CaptureClock:
        zero = datetime(1970, 1, 1, tzinfo=UTC)
        offset = (moment - zero) // timedelta(microseconds=1) * 1000 - begin
        return CaptureClock(offset)

    # The third data segment is the first inside the window of key 1, which opens at 30 min less the tolerance.
    early = clock_at(second - timedelta(seconds=60, milliseconds=3))
    book = talk.book(clock=early, receiving=Receiving.TOLERANCE)
    if quick:
        fast = FastPath(Referee(book), Account())
        found = [(judgement.verdict if (judgement := fast.judge(p)) else Verdict.VERIFIED) for p in talk.packets]
    else:
        found = verdicts(talk, book)
    assert found[3:] == [Verdict.REFUSED] * 2 + [Verdict.VERIFIED] * 3
    assert known(judge(talk, book)[3]).refusal is Refusal.WINDOW
    assert set(verdicts(talk, talk.book(clock=early, receiving=Receiving.ANY))) == {Verdict.VERIFIED}
    # Key 0 is refused after its successor's start plus the tolerance.
    late = talk.book(clock=clock_at(second + timedelta(seconds=60)))
    assert verdicts(talk, late)[:3] == [Verdict.VERIFIED] * 2 + [Verdict.REFUSED]
    later = talk.book(clock=clock_at(second + timedelta(seconds=61)))
    assert verdicts(talk, later)[:3] == [Verdict.REFUSED] * 3


def test_segments_of_a_capture_that_began_late_are_unjudged_and_not_bad(make: type[Maker]) -> None:
    talk = make.talk().open().exchange()
    del talk.packets[:3]
    judgements = judge(talk)
    assert {judgement.verdict for judgement in judgements} == {Verdict.ISN_UNSEEN}
    assert {judgement.standing for judgement in judgements} == {Standing.UNJUDGED}


@pytest.mark.parametrize("lost", [0, 1])
def test_a_handshake_with_a_missing_segment_is_still_judged(make: type[Maker], lost: int) -> None:
    talk = make.talk().open().exchange()
    del talk.packets[lost]
    assert set(verdicts(talk)) == {Verdict.VERIFIED}


def test_unanswered_and_repeated_syns_verify(make: type[Maker]) -> None:
    """A repeated SYN belongs to the same connection; a SYN with another ISN begins another connection."""
    talk = make.talk()
    for isn in (5, 5, 6, 7):
        talk.near.isn = talk.near.seq = isn
        talk.send(talk.near, make.SYN)
    talk.near.isn = 1000
    talk.open().exchange()
    judgements = judge(talk)
    assert {judgement.verdict for judgement in judgements} == {Verdict.VERIFIED}
    assert len({judgement.connection for judgement in judgements}) == 4


def test_a_refused_syn_and_its_rst_are_judged(make: type[Maker]) -> None:
    """RFC 5925 has no traffic key for such a RST: its sender has no ISN. With a source ISN of 0 it is good."""
    talk = make.talk()
    talk.send(talk.near, make.SYN)
    talk.put(talk.octets(talk.far, make.RST | make.ACK, seq=0, ack=1001, isns=(0, 1000)))
    talk.put(talk.octets(talk.far, make.RST | make.ACK, seq=0, ack=1001, isns=(9, 9)))
    talk.put(talk.octets(talk.far, make.RST | make.ACK, seq=0, ack=1001, key=None))
    _, convention, unknown, unsigned = judge(talk)
    assert (known(convention).verdict, known(convention).standing, known(convention).key) == (
        Verdict.RST_NO_ISN,
        Standing.GOOD,
        0,
    )
    assert (known(unknown).verdict, known(unknown).standing, known(unknown).key) == (
        Verdict.RST_NO_ISN,
        Standing.UNJUDGED,
        None,
    )
    assert known(unsigned).verdict is Verdict.UNSIGNED


def test_a_forged_rst_on_an_open_connection_is_bad(make: type[Maker]) -> None:
    talk = make.talk().open().exchange()
    talk.put(talk.octets(talk.far, make.RST, isns=(9, 9)))
    talk.put(talk.octets(talk.far, make.RST))
    talk.exchange()
    found = verdicts(talk)
    assert found[6:8] == [Verdict.BAD_MAC, Verdict.VERIFIED]
    assert set(found[8:]) == {Verdict.VERIFIED}


def test_a_late_segment_of_an_earlier_connection_on_reused_ports_is_refused(make: type[Maker]) -> None:
    talk = make.talk().open().exchange()
    old = (talk.near.isn, talk.near.seq, talk.far.isn, talk.far.seq)
    talk.near.isn, talk.far.isn = 500_000, 900_000
    talk.open().exchange()
    new = (talk.near.isn, talk.near.seq, talk.far.isn, talk.far.seq)
    talk.near.isn, talk.near.seq, talk.far.isn, talk.far.seq = old
    talk.send(talk.far, make.ACK, b"late")
    talk.near.isn, talk.near.seq, talk.far.isn, talk.far.seq = new
    talk.exchange()
    judgements = judge(talk)
    late_segment = known(judgements.pop(12))
    assert (late_segment.verdict, late_segment.refusal) == (Verdict.REFUSED, Refusal.OLD_CONNECTION)
    assert late_segment.connection == 1
    assert {judgement.verdict for judgement in judgements} == {Verdict.VERIFIED}
    assert [judgement.connection for judgement in judgements] == [1] * 6 + [2] * 6 + [2] * 3


def test_the_earlier_connection_verifies_until_its_receiver_is_in_the_new_one(make: type[Maker]) -> None:
    """A SYN and its answer end no connection (RFC 5961 section 4): the SYN may be a replayed one."""
    talk = make.talk().open().exchange()
    old = (talk.near.isn, talk.near.seq, talk.far.isn, talk.far.seq)
    new = (500_000, 500_000, 900_000, 900_000)

    def switch(to: tuple[int, ...]) -> None:
        talk.near.isn, talk.near.seq, talk.far.isn, talk.far.seq = to

    switch(new)
    talk.send(talk.near, make.SYN)
    switch(old)
    talk.send(talk.far, make.ACK)  # the challenge ACK
    switch(new)
    talk.send(talk.far, make.SYN | make.ACK, ack=500_001)
    switch(old)
    talk.send(talk.near, make.RST)
    switch((500_000, 500_001, 900_000, 900_001))
    talk.send(talk.near, make.ACK)
    switch(old)
    talk.send(talk.near, make.ACK)
    talk.send(talk.far, make.ACK)  # the near end is in the new connection and takes no segments of the old one
    found = judge(talk)
    assert [judgement.verdict for judgement in found[6:-1]] == [Verdict.VERIFIED] * 6
    assert known(found[-1]).refusal is Refusal.OLD_CONNECTION


def test_a_simultaneous_open_verifies(make: type[Maker]) -> None:
    talk = make.talk()
    talk.send(talk.near, make.SYN)
    talk.send(talk.far, make.SYN)
    talk.send(talk.near, make.SYN | make.ACK, seq=talk.near.isn)
    talk.send(talk.far, make.SYN | make.ACK, seq=talk.far.isn)
    talk.exchange()
    judgements = judge(talk)
    assert {judgement.verdict for judgement in judgements} == {Verdict.VERIFIED}
    assert {judgement.connection for judgement in judgements} == {1}


@pytest.mark.parametrize("quick", [False, True])
def test_replayed_segments_of_an_old_connection_are_refused_and_change_nothing(make: type[Maker], quick: bool) -> None:
    talk = make.talk().open().exchange()
    old = [packet.data[14:] for packet in talk.packets]
    talk.near.isn, talk.far.isn = 500_000, 900_000
    talk.open().exchange()
    for octets in old:
        talk.put(octets)
    talk.exchange()
    if quick:
        fast = FastPath(Referee(talk.book()), Account())
        found = [judgement for packet in talk.packets if (judgement := fast.judge(packet))]
        found = [judgement for judgement in found if judgement.standing is not Standing.GOOD]
    else:
        found = judge(talk)
        assert {judgement.verdict for judgement in [*found[:13], *found[18:]]} == {Verdict.VERIFIED}
        found = found[13:18]
    # All but the SYN are refused: a SYN may open a connection at any time, and a replayed one looks like a new one.
    assert [judgement.number for judgement in found] == [14, 15, 16, 17, 18]
    assert {judgement.refusal for judgement in found} == {Refusal.OLD_CONNECTION}


@pytest.mark.parametrize("v6", [False, True])
@pytest.mark.parametrize("quick", [False, True])
def test_sequence_numbers_wrap_in_both_directions(make: type[Maker], v6: bool, quick: bool) -> None:
    step = 1 << 29
    talk = make.talk(v6=v6, isns=(0xFFFFFFF0, 0xFFFFFFFF)).open()
    for _ in range(40):  # five wraps in each direction, with several segments before and after each wrap
        before = talk.near.seq
        talk.exchange()
        talk.send(talk.near, seq=before, data=b"x" * 60)  # a retransmission, sometimes of data from before the wrap
        talk.near.seq += step
        talk.far.seq += step
    assert talk.near.seq >> 32 >= 5
    if quick:
        account = Account()
        fast = FastPath(Referee(talk.book()), account)
        assert {judgement.verdict for p in talk.packets if (judgement := fast.judge(p))} <= {Verdict.VERIFIED}
        assert account.standings()[Standing.GOOD] == len(talk.packets)
    else:
        assert set(verdicts(talk)) == {Verdict.VERIFIED}


def test_only_verified_segments_change_the_sne(make: type[Maker]) -> None:
    talk = make.talk(isns=(0x7FFFFFFF, 0)).open().exchange()
    # A forged segment half the sequence space ahead: if it changed the SNE, genuine segments would not verify.
    talk.put(talk.octets(talk.near, make.ACK, seq=talk.near.seq + 0x7FFFFFF0, isns=(3, 3)))
    talk.put(talk.octets(talk.near, make.ACK, seq=talk.near.seq + 0xEFFFFFF0, isns=(3, 3)))
    talk.exchange()
    found = verdicts(talk)
    assert found[6:8] == [Verdict.BAD_MAC] * 2
    assert set(found[8:]) == {Verdict.VERIFIED}


def test_malformed_truncated_and_fragmented_segments_have_their_own_verdicts(make: type[Maker]) -> None:
    talk = make.talk().open()
    good = talk.octets(talk.near, make.ACK, b"data", options=make.TIMESTAMPS)
    malformed = bytearray(good)
    malformed[43] = 200  # the length of the time stamp option
    beyond = bytearray(good)
    beyond[32] = 0xF0  # a data offset past the segment
    fragment = bytearray(good)
    fragment[6] = 0x20
    later = bytearray(good)
    later[7] = 9
    talk.put(bytes(malformed))
    talk.put(bytes(beyond[:2]) + (44).to_bytes(2, "big") + bytes(beyond[4:44]))
    talk.put(bytes(fragment))
    talk.put(bytes(later))
    cut = talk.put(good)
    talk.packets[-1] = cut._replace(data=cut.data[:-3])
    short = talk.put(good[:-3])
    talk.packets[-1] = short
    assert verdicts(talk)[3:] == [
        Verdict.MALFORMED,
        Verdict.MALFORMED,
        Verdict.INCOMPLETE,
        Verdict.INCOMPLETE,
        Verdict.INCOMPLETE,
        Verdict.MALFORMED,
    ]


def test_a_mac_of_a_wrong_length_is_bad(make: type[Maker]) -> None:
    talk = make.talk().open()
    talk.send(talk.near, make.ACK, key=None, options=bytes([29, 8, 1, 2]) + bytes(4))
    last = known(judge(talk)[-1])
    assert last.verdict is Verdict.BAD_MAC
    assert "4 octets" in last.reason


@pytest.mark.parametrize("v6", [False, True])
@pytest.mark.parametrize("tags", [b"", b"\x81\x00\x00\x07", b"\x88\xa8\x00\x07\x81\x00\x00\x08"])
def test_a_frame_truncated_to_any_length_is_incomplete(make: type[Maker], v6: bool, tags: bytes) -> None:
    talk = make.talk(v6=v6).open().exchange()
    whole = talk.packets[-1]
    data = whole.data[:12] + tags + whole.data[12:]
    for length in range(len(data)):
        referee = Referee(talk.book())
        found = referee.judge(whole._replace(data=data[:length], length=len(data)))
        assert found is not None, length
        assert found.verdict is Verdict.INCOMPLETE, length


def test_a_truncated_frame_that_is_not_tcp_is_skipped(make: type[Maker]) -> None:
    talk = make.talk().open()
    whole = talk.packets[-1]
    book = talk.book()
    arp = whole._replace(data=bytes(12) + b"\x08\x06" + bytes(9))
    udp = bytearray(whole.data[:30])
    udp[14 + 9] = 17
    assert Referee(book).judge(arp) is None
    assert Referee(book).judge(whole._replace(data=bytes(udp))) is None
    assert Referee(book).judge(whole._replace(data=bytes(udp[:23]))) is not None
    assert Referee(book).judge(whole._replace(data=b"", length=0)) is None


def test_every_segment_of_a_connection_signed_with_another_secret_is_bad(make: type[Maker]) -> None:
    talk = make.talk().open().exchange()
    book = talk.book(
        near=make.chain(make.key(0, secret="other")), far=make.chain(make.key(0, secret="other")).mirrored()
    )
    assert set(verdicts(talk, book)) == {Verdict.BAD_MAC}


def test_a_missing_isn_before_the_wrap_is_derived_from_the_sequence_numbers(make: type[Maker]) -> None:
    talk = make.talk(isns=(0xFFFFFFFF, 0xFFFFFFFF)).open().exchange()
    del talk.packets[1]
    assert set(verdicts(talk)) == {Verdict.VERIFIED}


@pytest.mark.parametrize("covered", [True, False])
@pytest.mark.parametrize("v6", [True, False])
def test_the_reason_names_a_mac_that_covers_the_wrong_options(make: type[Maker], covered: bool, v6: bool) -> None:
    talk = make.talk(chain=make.chain(make.key(0, include_options=covered)), v6=v6)
    for end, flags in ((talk.near, make.SYN), (talk.far, make.SYN | make.ACK), (talk.near, make.ACK)):
        talk.send(end, flags, options=make.TIMESTAMPS)
    talk.send(talk.far, make.ACK, b"data", options=make.TIMESTAMPS)
    talk.send(talk.near, make.ACK)
    chain = make.chain(make.key(0, include_options=not covered))
    *found, last = judge(talk, talk.book(near=chain, far=chain.mirrored()))
    how = "with" if covered else "without"
    assert {judgement.verdict for judgement in found} == {Verdict.BAD_MAC}
    assert all(f"the MAC is right {how} the other TCP options" in judgement.reason for judgement in found)
    assert known(last).verdict is Verdict.VERIFIED  # it carries no other options


def test_a_session_is_identified_by_its_two_addresses_and_its_port(make: type[Maker]) -> None:
    first, second = (ip_address(f"10.0.0.{n}") for n in (1, 2))
    far = ip_address("2001:db8::2"), ip_address("2001:db8::1")
    chain = make.talk().near.chain
    speakers = [Speaker("R1", frozenset({first, far[1]}), chain), Speaker("R2", frozenset({second, far[0]}), chain)]
    book = SpeakerBook(speakers, {179: "bgp", 646: "ldp"}, {(frozenset({first, second}), 179): "core"})

    def named(src: IPv4Address | IPv6Address, dst: IPv4Address | IPv6Address, *ports: int) -> str | None:
        return known(book.keys_for(src.packed, dst.packed, *ports)).session

    assert (named(first, second, 40000, 179), named(second, first, 179, 40000)) == ("core", "core")
    assert named(far[1], far[0], 40000, 179) is None, "protected, but not the named session"
    assert named(far[1], far[0], 40000, 646) == "ldp", "a port without a pair names its session"
