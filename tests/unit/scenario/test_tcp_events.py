"""TCP events in a capture: collisions, wraps of the sequence number, retransmissions after them, reused ports."""

from __future__ import annotations

import struct

import pytest

from keyroll.capture import Flow, Judgement, Verdict
from keyroll.scenario.observe.tcp_events import TcpEvents

ADDRESSES = {"R1": "10.0.12.1", "R2": "10.0.12.2"}
SYN, SYN_ACK, DATA, FIN, RST, ACK = 0x02, 0x12, 0x18, 0x11, 0x04, 0x10
OPEN = b"\xff" * 16 + struct.pack("!HB", 29, 1) + bytes(10)
KEEPALIVE = b"\xff" * 16 + struct.pack("!HB", 19, 4)


def notification(code: int, subcode: int) -> bytes:
    return b"\xff" * 16 + struct.pack("!HBBB", 21, 3, code, subcode)


class Capture:
    """Feeds judgements to `TcpEvents`; connection n is from its opener's port `ports[n]` to port 179."""

    def __init__(self, ports: dict[int, int], openers: dict[int, str]) -> None:
        self.ports, self.openers = ports, openers
        self.tcp_events = TcpEvents()
        self.now = 0

    def send(
        self, number: int, sender: str, flags: int, seq: int, payload: bytes = b"", verdict: Verdict = Verdict.VERIFIED
    ) -> None:
        self.now += 1
        receiver = "R2" if sender == "R1" else "R1"
        opens = self.openers[number] == sender
        judgement = Judgement(
            number=self.now,
            time_ns=self.now,
            flow=Flow(
                ADDRESSES[sender],
                self.ports[number] if opens else 179,
                ADDRESSES[receiver],
                179 if opens else self.ports[number],
                sender,
                receiver,
            ),
            verdict=verdict,
            reason="",
            flags=flags,
            seq=seq,
            payload_length=len(payload),
            connection=number,
        )
        self.tcp_events.observe(judgement, lambda: payload)

    def open(self, number: int, isns: tuple[int, int] = (100, 200)) -> None:
        first = self.openers[number]
        second = "R2" if first == "R1" else "R1"
        self.send(number, first, SYN, isns[0])
        self.send(number, second, SYN_ACK, isns[1])


def collided(closing: bytes, *, openers: dict[int, str], overlap: bool = True) -> bool:
    """Return whether a collision is seen of two connections, the first of which ends with `closing`."""
    capture = Capture({1: 40000, 2: 50000}, openers)
    capture.open(1)
    if not overlap:
        capture.send(1, "R1", DATA, 101, closing)
        capture.send(1, "R1", FIN, 122)
    capture.open(2)
    if overlap:
        capture.send(1, "R1", DATA, 101, closing)
        capture.send(1, "R1", FIN, 122)
    return capture.tcp_events.seen("collision", "R1", since=0)[0]


def test_two_connections_of_different_openers_of_which_one_is_closed_are_a_collision() -> None:
    assert collided(OPEN + notification(6, 7), openers={1: "R1", 2: "R2"})


@pytest.mark.parametrize(
    ("closing", "openers", "overlap"),
    [
        (notification(6, 7), {1: "R1", 2: "R1"}, True),
        (notification(6, 7), {1: "R1", 2: "R2"}, False),
        (notification(6, 4), {1: "R1", 2: "R2"}, True),
        (notification(4, 7), {1: "R1", 2: "R2"}, True),
        (KEEPALIVE, {1: "R1", 2: "R2"}, True),
        (b"\xff" * 15, {1: "R1", 2: "R2"}, True),
        (bytes(40), {1: "R1", 2: "R2"}, True),
    ],
)
def test_an_incomplete_collision_is_not_reported(closing: bytes, openers: dict[int, str], overlap: bool) -> None:
    assert not collided(closing, openers=openers, overlap=overlap)


def test_a_wrap_is_seen_once_verified_data_of_that_router_is_beyond_it() -> None:
    capture = Capture({1: 40000}, {1: "R1"})
    capture.open(1, ((1 << 32) - 10, 200))
    capture.send(1, "R1", DATA, (1 << 32) - 9, KEEPALIVE)
    capture.send(1, "R2", DATA, 201, KEEPALIVE)
    assert not capture.tcp_events.seen("sequence-wrap", "R1", since=0)[0]
    capture.send(1, "R1", DATA, 10, KEEPALIVE, Verdict.BAD_MAC)
    assert not capture.tcp_events.seen("sequence-wrap", "R1", since=0)[0]
    capture.send(1, "R1", DATA, 10, KEEPALIVE)
    assert capture.tcp_events.seen("sequence-wrap", "R1", since=0)[0]
    assert not capture.tcp_events.seen("sequence-wrap", "R1", since=capture.now + 1)[0]
    assert not capture.tcp_events.seen("sequence-wrap", "R2", since=0)[0]


@pytest.mark.parametrize("beyond", [KEEPALIVE, b""], ids=["data", "an acknowledgement"])
def test_a_retransmission_of_data_before_the_wrap_is_seen_after_a_segment_beyond_it(beyond: bytes) -> None:
    capture = Capture({1: 40000}, {1: "R1"})
    capture.open(1, isns=(2**32 - 30, 200))
    capture.send(1, "R1", DATA, 2**32 - 29, KEEPALIVE)
    capture.send(1, "R1", DATA, 2**32 - 29, KEEPALIVE)
    assert not capture.tcp_events.seen("wrap-resent", "R1", since=0)[0]
    capture.send(1, "R1", DATA, 9, beyond)
    assert not capture.tcp_events.seen("wrap-resent", "R1", since=0)[0]
    capture.send(1, "R1", DATA, 2**32 - 10, KEEPALIVE, verdict=Verdict.BAD_MAC)
    capture.send(1, "R1", RST, 2**32 - 10)
    capture.send(1, "R1", ACK, 2**32 - 10)
    assert not capture.tcp_events.seen("wrap-resent", "R1", since=0)[0]
    capture.send(1, "R1", DATA, 2**32 - 10, KEEPALIVE)
    assert capture.tcp_events.seen("wrap-resent", "R1", since=0)[0]
    assert not capture.tcp_events.seen("wrap-resent", "R1", since=capture.now + 1)[0]
    assert not capture.tcp_events.seen("wrap-resent", "R2", since=0)[0]


def test_a_port_is_reused_once_data_passes_on_the_later_connection() -> None:
    capture = Capture({1: 40000, 2: 40001, 3: 40000}, dict.fromkeys((1, 2, 3), "R2"))
    for number in (1, 2):
        capture.open(number)
        capture.send(number, "R1", DATA, 201, KEEPALIVE)
        assert not capture.tcp_events.seen("port-reuse", "R1", since=0)[0]
    since = capture.now
    capture.open(3)
    assert not capture.tcp_events.seen("port-reuse", "R1", since=since)[0]
    capture.send(3, "R1", DATA, 201, KEEPALIVE)
    assert capture.tcp_events.seen("port-reuse", "R1", since=since)[0]
    assert not capture.tcp_events.seen("port-reuse", "R2", since=since)[0]
