"""Steps that act on the link, on a fake clock: forged segments must be dropped within three seconds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from scapy.layers.inet import IP, TCP
from scapy.layers.l2 import Ether
from scapy.packet import Raw
from tests.unit.scenario.play.conftest import World

from keyroll.capture import SignedFrame
from keyroll.errors import RunError

SECOND = timedelta(seconds=1)
APPLY = "  - apply: {routers: [R1, R2]}\n  - expect: {bgp: Established}\n"
INJECT = APPLY + "  - inject: {kind: KIND, towards: R1, count: 3}\n"


def signed(connection_data: bytes = b"data") -> SignedFrame:
    """Return a frame as R2 sends it, with a TCP-AO option."""
    option = (29, bytes([4, 3]) + bytes(12))
    segment = TCP(sport=179, dport=40000, seq=1000, ack=2000, flags="PA", window=9000, options=[option])
    frame = Ether(src="02:00:00:00:00:02", dst="02:00:00:00:00:01") / IP(src="10.0.12.2", dst="10.0.12.1") / segment
    return SignedFrame(bytes(frame / Raw(connection_data)), 4, 3, 0)


def playing(world: Callable[..., World], steps: str, *, drops_after: timedelta | None = timedelta()) -> World:
    """Return a `World` whose routers have received a signed frame on each of two connections."""
    played = world(steps)
    played.wire.frames.add(1, signed(b"before"), data=True)
    played.wire.frames.add(2, signed(), data=True)
    played.drops_after = drops_after
    return played


@pytest.mark.parametrize("kind", ["rst", "syn"])
def test_forged_segments_that_are_dropped_at_once_are_green_at_once(world: Callable[..., World], kind: str) -> None:
    played = playing(world, INJECT.replace("KIND", kind))
    (check,) = played.play()["drops@3"]
    assert check.passed
    assert check.after < SECOND / 2
    assert check.observed == "dropped since, by reason: no-option 3"
    assert len(played.links.injected) == 3
    assert signed().frame not in played.links.injected


def test_forged_segments_may_be_counted_within_three_seconds(world: Callable[..., World]) -> None:
    played = playing(world, INJECT.replace("KIND", "rst"), drops_after=2 * SECOND)
    (check,) = played.play()["drops@3"]
    assert check.passed
    assert 2 * SECOND <= check.after < 2.5 * SECOND


@pytest.mark.parametrize("after", [None, timedelta(seconds=4)])
def test_forged_segments_that_are_not_dropped_are_red_after_three_seconds(
    world: Callable[..., World], after: timedelta | None
) -> None:
    played = playing(world, INJECT.replace("KIND", "rst"), drops_after=after)
    (check,) = played.play()["drops@3"]
    assert not check.passed
    assert 3 * SECOND <= check.after < 3.5 * SECOND


def test_replays_are_frames_that_were_sent_and_are_not_checked_as_drops(world: Callable[..., World]) -> None:
    played = playing(world, INJECT.replace("KIND", "replay"))
    checks = played.play()
    assert "drops@3" not in checks
    assert played.links.injected == [signed().frame]


def test_replays_of_an_earlier_connection_are_frames_of_that_connection(world: Callable[..., World]) -> None:
    played = playing(world, INJECT.replace("KIND", "replay-earlier"))
    played.play()
    assert played.links.injected == [signed(b"before").frame]


def test_without_a_signed_frame_nothing_can_be_forged(world: Callable[..., World]) -> None:
    with pytest.raises(RunError, match="cannot forge a frame: R2 has sent R1 no signed frame for bgp"):
        world(INJECT.replace("KIND", "rst")).play()


def test_a_lab_without_a_link_that_can_be_acted_on_breaks_the_run(world: Callable[..., World]) -> None:
    played = world(APPLY + "  - cut:\n")
    played.run.routers = replace(played.run.routers, links=None)
    with pytest.raises(RunError, match="`cut`: this lab cannot act on the link"):
        played.play()


def test_a_cut_brings_the_session_down_after_the_hold_time(world: Callable[..., World]) -> None:
    played = world(APPLY + "  - cut:\n  - expect: {bgp: down}\n")
    checks = played.play()
    assert [check.passed for check in checks["bgp@4"]] == [True, True]
    assert all(9 * SECOND <= check.after < 11 * SECOND for check in checks["bgp@4"])
    assert played.links.done == ["cut"]


def test_impairments_are_drawn_from_the_seed_and_differ(world: Callable[..., World]) -> None:
    steps = APPLY + "  - impair: {towards: [R1, R2], loss: 0.1}\n  - impair: {towards: R1, delay: 20ms}\n"
    first, second = world(steps), world(steps)
    for played in (first, second):
        played.play()
    assert first.links.impairments == second.links.impairments
    assert len({impairment.seed for impairment in first.links.impairments}) == 3
    assert first.links.impairments[2].delay == 0.02
