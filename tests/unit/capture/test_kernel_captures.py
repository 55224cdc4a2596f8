"""Segments of the Linux kernel's TCP-AO verify; with a changed secret only the segments of that key do not."""

from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path

import pytest
import yaml
from tests.unit.known import known

from keyroll.capture import Account, KeyChanges, Referee, ScapyCheck, Speaker, SpeakerBook, Verdict, read_packets
from keyroll.capture.formats.packet import Packet
from keyroll.capture.referee.judgement import Judgement
from keyroll.keychain.model import Key, Keychain
from keyroll.keychain.secret import Secret
from keyroll.names import Algorithm

DATA = Path(__file__).parents[2] / "data" / "kernel-captures"
PORTS = {179: "bgp", 1791: "sockets"}
NAMES = ["v4-sha1", "v4-sha1-to-cmac", "v6-cmac", "sock-v4-sha1-noopts"]


def speakers(name: str, *, wrong: int | None = None, wrong_there: int | None = None) -> list[Speaker]:
    """Return both speakers of a keys file; key `wrong` has another secret on both, `wrong_there` on the second."""
    entries = yaml.safe_load((DATA / f"{name}.keys.yaml").read_text())["keys"]
    ends = list(entries[0]["send_id"])
    made = []
    for index, (near, far) in enumerate([ends, ends[::-1]]):
        keys = []
        for number, entry in enumerate(entries, 1):
            secret = bytes.fromhex(entry["secret_hex"])
            if number == wrong or (index == 1 and number == wrong_there):
                secret = b"other " + secret
            keys.append(
                Key(
                    id=number,
                    secret=Secret(secret),
                    start=datetime(2020, 1, number, tzinfo=UTC),
                    scheme="ao",
                    send_id=entry["send_id"][near],
                    recv_id=entry["send_id"][far],
                    tcp_ao_option=True,
                    algorithm=Algorithm(entry["algorithm"]),
                    include_options=entry.get("include_options", True),
                )
            )
        made.append(Speaker(f"R{index + 1}", frozenset({ip_address(near)}), Keychain("chain", tuple(keys))))
    return made


def judged(name: str, **changes: int | None) -> list[tuple[Packet, Judgement]]:
    referee = Referee(SpeakerBook(speakers(name, **changes), ports=PORTS))
    return [(packet, known(referee.judge(packet))) for packet in read_packets(DATA / f"{name}.pcap")]


@pytest.mark.parametrize("name", NAMES)
def test_every_segment_verifies(name: str) -> None:
    judgements = [judgement for _, judgement in judged(name)]
    assert judgements
    assert {judgement.verdict for judgement in judgements} == {Verdict.VERIFIED}
    assert {judgement.connection for judgement in judgements} == {1}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("wrong", [1, 2])
def test_a_wrong_secret_makes_only_the_segments_of_that_key_bad(name: str, wrong: int) -> None:
    right = {judgement.number: judgement.key for _, judgement in judged(name)}
    assert wrong in right.values()
    for _, judgement in judged(name, wrong=wrong):
        assert judgement.key == right[judgement.number]
        expected = Verdict.BAD_MAC if judgement.key == wrong else Verdict.VERIFIED
        assert judgement.verdict is expected


@pytest.mark.parametrize("name", NAMES)
def test_a_wrong_secret_at_one_end_gives_another_verdict_in_each_direction(name: str) -> None:
    """R2 refuses what R1 signs with key 2; what R2 sends with key 2 does not match R2's own chain."""
    for _, judgement in judged(name, wrong_there=2):
        expected: dict[tuple[str, int | None], Verdict] = {("R1", 1): Verdict.VERIFIED, ("R2", 1): Verdict.VERIFIED}
        expected |= {("R1", 2): Verdict.REFUSED, ("R2", 2): Verdict.BAD_MAC}
        assert judgement.verdict is expected[judgement.sender, judgement.key]


@pytest.mark.parametrize("name", NAMES)
def test_the_second_key_is_acknowledged_in_each_direction_that_sends_data_with_it(name: str) -> None:
    account, key_changes = Account(), KeyChanges()
    proofs = [
        proof for _, judgement in judged(name) if (proof := key_changes.observe(judgement, account.observe(judgement)))
    ]
    senders = {
        direction.flow.sender
        for direction in account.directions
        for use in direction.uses.values()
        if use.key == 2 and use.data_segments
    }
    assert senders
    assert {proof.flow.sender for proof in proofs if proof.key == 2} == senders
    assert all(proof.use.first_packet < proof.ack_packet for proof in proofs)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("wrong", [None, 2])
def test_scapy_agrees_with_the_referee(name: str, wrong: int | None) -> None:
    second = ScapyCheck(seed=1, sample=30)
    book = SpeakerBook(speakers(name, wrong=wrong), ports=PORTS)
    for packet, judgement in judged(name, wrong=wrong):
        second.observe(packet, judgement, book)
    opinion = second.finish()
    assert opinion.judged > 20
    assert opinion.disagreements == ()


def test_scapy_disagrees_with_a_referee_that_is_wrong() -> None:
    second = ScapyCheck(seed=1, sample=30)
    book = SpeakerBook(speakers("v4-sha1", wrong=2), ports=PORTS)
    for packet, judgement in judged("v4-sha1"):
        second.observe(packet, judgement, book)
    assert second.finish().disagreements


@pytest.mark.parametrize("name", NAMES)
def test_scapy_judges_a_syn_ack_by_the_keys_from_before_a_commit(name: str) -> None:
    """A commit may end while a connection opens; the referee still judges the SYN-ACK with the old keys."""
    second = ScapyCheck(seed=1, sample=30)
    book = SpeakerBook(speakers(name), ports=PORTS)
    for packet, judgement in judged(name):
        if judgement.flags & 0x12 == 0x12:
            judgement = judgement._replace(verdict=Verdict.UNKNOWN_KEYID)  # noqa: PLW2901 - judged before the commit
        second.observe(packet, judgement, book)
    assert second.finish().disagreements == ()
