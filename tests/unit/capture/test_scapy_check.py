"""The scapy check agrees with the referee on correct connections and on a router that counts wraps wrongly."""

from __future__ import annotations

from tests.unit.capture.conftest import Maker, Talk
from tests.unit.known import known

from keyroll.capture import Referee, ScapyCheck, Verdict
from keyroll.capture.referee.scapy_check import ScapyFindings

ALL = 1000
"""A sample that holds every segment of these conversations."""


def checked(talk: Talk) -> tuple[list[Verdict], ScapyFindings]:
    referee, check = Referee(talk.book()), ScapyCheck(seed=1, sample=ALL)
    judged = []
    for packet in talk.packets:
        judgement = known(referee.judge(packet))
        judged.append(judgement.verdict)
        check.observe(packet, judgement, referee.book)
    return judged, check.finish()


def test_scapy_agrees_on_a_connection_whose_sequence_numbers_wrap(make: type[Maker]) -> None:
    talk = make.talk(isns=(0xFFFFFFF0, 0xFFFFFFFF)).open()
    for _ in range(10):
        before = talk.near.seq
        talk.exchange()
        talk.send(talk.near, seq=before, data=b"x" * 60)  # a retransmission, sometimes of data from before the wrap
        talk.near.seq += 1 << 30
        talk.far.seq += 1 << 30
    judged, findings = checked(talk)
    assert set(judged) == {Verdict.VERIFIED}
    assert (findings.judged, findings.disagreements) == (len(talk.packets), ())


def test_the_referee_and_scapy_both_reject_segments_signed_with_the_sne_from_before_the_wrap(make: type[Maker]) -> None:
    talk = make.talk(isns=(0xFFFFFFF0, 5)).open()
    talk.near.seq += 60
    for _ in range(3):
        talk.send(talk.near, make.ACK, b"x" * 60, seq=talk.near.seq & 0xFFFFFFFF)
    judged, findings = checked(talk)
    assert judged[3:] == [Verdict.BAD_MAC] * 3
    assert findings.disagreements == ()


def test_scapy_agrees_on_a_second_connection_with_the_same_ports(make: type[Maker]) -> None:
    talk = make.talk(isns=(0xFFFFFFF0, 5)).open().exchange()
    talk.near.isn, talk.far.isn = 1000, 2000
    talk.open().exchange()
    judged, findings = checked(talk)
    assert set(judged) == {Verdict.VERIFIED}
    assert findings.disagreements == ()
