"""Requests to parts of a lab, and answers that come too late."""

from __future__ import annotations

import time

import pytest

from keyroll.lab.local import channel
from keyroll.lab.protocol import LabError


def test_an_answer_that_comes_too_late_is_not_taken_for_that_to_the_next_request() -> None:
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


def test_a_ping_tells_parts_that_are_silent_from_those_that_have_ended() -> None:
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


def test_a_part_that_ends_while_it_is_asked_has_ended() -> None:
    ours, theirs = channel.pair()
    requests = channel.RequestChannel(ours)
    number = requests.begin({"op": "x"})
    theirs.close()
    with ours, pytest.raises((LabError, OSError)):
        requests.finish(number, time.monotonic() + 1)
