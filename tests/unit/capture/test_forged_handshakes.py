"""Forged handshakes: a segment that does not verify neither opens a connection nor hides one."""

from collections.abc import Callable
from typing import Any

import pytest
from tests.unit.capture.conftest import Maker, Talk, judge, verdicts

from keyroll.capture import Verdict


def test_a_forged_handshake_does_not_make_an_unseen_connection_bad(make: type[Maker]) -> None:
    talk = make.talk().open().exchange()
    del talk.packets[:3]
    forged = talk.octets(talk.near, make.SYN, seq=77, isns=(1, 0))
    talk.put(forged)
    talk.put(talk.octets(talk.far, make.SYN | make.ACK, seq=88, ack=78, isns=(1, 1)))
    talk.exchange()
    found = verdicts(talk)
    assert found[3:5] == [Verdict.BAD_MAC] * 2
    assert set(found[:3] + found[5:]) == {Verdict.ISN_UNSEEN}


def test_a_flood_of_forged_handshakes_hides_no_connection(make: type[Maker]) -> None:
    talk = make.talk().open().exchange()
    for number in range(50):
        talk.put(talk.octets(talk.near, make.SYN, seq=number * 7919, isns=(1, 0)))
        talk.put(talk.octets(talk.far, make.SYN | make.ACK, seq=number * 104_729, ack=number, isns=(1, 1)))
    talk.exchange()
    found = verdicts(talk)
    assert set(found[6:-3]) == {Verdict.BAD_MAC}
    assert set(found[-3:]) == {Verdict.VERIFIED}


FORGED: dict[str, Any] = {"isns": (7, 7)}
"""Signs with ISNs that are not those of the connection, so the MAC is wrong."""


def forged_syn_ack(make: type[Maker], talk: Talk, **more: Any) -> None:
    talk.put(talk.octets(talk.far, make.SYN | make.ACK, **{"seq": 31_337, "ack": talk.near.isn + 1, **more}, **FORGED))


def handshake_with(make: type[Maker], hostile: Callable[[Talk], None], *, answered: bool = False) -> tuple[Talk, int]:
    """Make a handshake in which `hostile` adds forged segments after the SYN, and 45 segments of data and ACKs.

    Args:
        hostile: Adds the forged segments.
        answered: Whether the genuine SYN-ACK is in the capture.

    Returns:
        The conversation, and the number of packets before the third segment of the handshake.
    """
    talk = make.talk()
    talk.near.seq, talk.far.seq = talk.near.isn, talk.far.isn
    talk.send(talk.near, make.SYN)
    hostile(talk)
    talk.send(talk.far, make.SYN | make.ACK)
    if not answered:
        talk.packets.pop()
    forged = len(talk.packets)
    talk.send(talk.near, make.ACK)
    for _ in range(15):
        talk.exchange()
    return talk, forged


def forged_syn_acks(make: type[Maker], talk: Talk) -> None:
    for number in range(30):
        forged_syn_ack(make, talk, seq=number * 7919)


def forged_crossing_syn(make: type[Maker], talk: Talk) -> None:
    talk.put(talk.octets(talk.far, make.SYN, seq=31_337, **FORGED))


def forged_syn(make: type[Maker], talk: Talk) -> None:
    talk.put(talk.octets(talk.near, make.SYN, seq=31_337, **FORGED))


def forged_syn_ack_between_two_syns(make: type[Maker], talk: Talk) -> None:
    forged_syn_ack(make, talk)
    talk.send(talk.near, make.SYN, seq=talk.near.isn)


HOSTILE = [forged_syn_ack, forged_syn_acks, forged_crossing_syn, forged_syn, forged_syn_ack_between_two_syns]


@pytest.mark.parametrize("hostile", HOSTILE)
@pytest.mark.parametrize("answered", [False, True])
def test_an_opening_segment_that_does_not_verify_hides_no_connection(
    make: type[Maker], hostile: Callable[[type[Maker], Talk], None], answered: bool
) -> None:
    talk, opening = handshake_with(make, lambda talk: hostile(make, talk), answered=answered)
    found = verdicts(talk)
    assert found[0] is Verdict.VERIFIED
    assert Verdict.BAD_MAC in found[1:opening]
    assert set(found[opening:]) == {Verdict.VERIFIED}


def test_a_forged_syn_ack_is_not_part_of_the_connection(make: type[Maker]) -> None:
    talk, _ = handshake_with(make, lambda talk: forged_syn_ack(make, talk))
    judgements = judge(talk)
    assert judgements[1].connection not in {judgement.connection for judgement in judgements[2:]}
    assert {judgement.connection for judgement in judgements[2:]} == {judgements[0].connection}


def test_without_the_syn_segments_after_a_forged_syn_ack_are_not_bad(make: type[Maker]) -> None:
    talk, opening = handshake_with(make, lambda talk: forged_syn_ack(make, talk, ack=4711))
    del talk.packets[0]
    assert verdicts(talk) == [Verdict.BAD_MAC] + [Verdict.ISN_UNSEEN] * (len(talk.packets) - opening + 1)


def test_a_forged_syn_ack_may_supply_the_missing_isn(make: type[Maker]) -> None:
    """It acknowledges the SYN that was not captured, and the segments verify with the ISN derived from that."""
    talk, _ = handshake_with(make, lambda talk: forged_syn_ack(make, talk))
    del talk.packets[0]
    assert verdicts(talk) == [Verdict.BAD_MAC] + [Verdict.VERIFIED] * (len(talk.packets) - 1)


def test_data_is_judged_when_the_syn_ack_and_the_third_segment_are_missing(make: type[Maker]) -> None:
    """The far end has sent no data yet, so the acknowledgement number is the far end's ISN plus one."""
    talk, opening = handshake_with(make, lambda talk: forged_syn_ack(make, talk))
    del talk.packets[opening]
    assert set(verdicts(talk)[opening:]) == {Verdict.VERIFIED}
