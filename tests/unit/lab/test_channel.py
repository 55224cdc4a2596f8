"""Requests to the parts of a lab, and answers that arrive too late."""

from __future__ import annotations

import time

import pytest

from keyroll.lab.local import channel
from keyroll.lab.protocol import LabError


def test_a_late_answer_is_not_taken_for_the_answer_to_the_next_request() -> None:
    ours, theirs = channel.pair()
    requests = channel.RequestChannel(ours)
    with ours, theirs:
        first = requests.begin({"op": "first"})
        with pytest.raises(TimeoutError):
            requests.finish(first, time.monotonic())
        second = requests.begin({"op": "second"})
        for _ in range(2):
            received = channel.receive(theirs)
            assert received is not None
            request = received[0]
            channel.send(theirs, channel.answered(request, {"to": request["op"]}))
        assert requests.finish(second, time.monotonic() + 1)["to"] == "second"


def test_a_ping_distinguishes_silent_parts_from_ended_ones() -> None:
    pairs = {name: channel.pair() for name in ("silent", "ended", "full")}
    parts = {name: channel.RequestChannel(ours) for name, (ours, _) in pairs.items()}
    pairs["ended"][1].close()
    while True:
        try:
            parts["full"].begin({"op": "ping"})
        except BlockingIOError:
            break
    found = channel.ping(parts, 0.01)
    assert (found.silent, found.ended) == (("silent", "full"), ("ended",))
    for ours, theirs in pairs.values():
        ours.close()
        theirs.close()


def test_a_part_that_ends_before_it_answers_is_an_error() -> None:
    ours, theirs = channel.pair()
    requests = channel.RequestChannel(ours)
    number = requests.begin({"op": "x"})
    theirs.close()
    with ours, pytest.raises((LabError, OSError)):
        requests.finish(number, time.monotonic() + 1)
