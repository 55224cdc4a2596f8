"""Recent frames: kept by connection, of the current connection and of a few earlier ones."""

from __future__ import annotations

from keyroll.capture import RecentFrames, SignedFrame


def frame(name: str) -> SignedFrame:
    return SignedFrame(name.encode(), 1, 2)


def kept(*entries: tuple[int, str, bool]) -> RecentFrames:
    frames = RecentFrames()
    for connection, name, data in entries:
        frames.add(connection, frame(name), data=data)
    return frames


def names(frames: tuple[SignedFrame, ...]) -> list[str]:
    return [one.frame.decode() for one in frames]


def test_the_connection_with_the_newest_data_is_the_current_one() -> None:
    frames = kept((1, "syn", False), (1, "open", True), (2, "syn2", False), (2, "open2", True))
    assert names(frames.current) == ["syn2", "open2"]
    assert names(frames.earlier) == ["syn", "open"]


def test_a_connection_that_lost_a_collision_does_not_become_the_current_one() -> None:
    frames = kept((1, "open", True), (2, "syn2", False), (1, "keepalive", True), (2, "fin2", False))
    assert names(frames.current) == ["open", "keepalive"]
    assert frames.earlier == ()


def test_nothing_is_kept_before_the_first_frame() -> None:
    assert kept().current == kept().earlier == ()


def test_the_oldest_of_many_connections_are_dropped_but_never_the_current_one() -> None:
    frames = kept((1, "data", True), *((number, "syn", False) for number in range(2, 30)))
    assert names(frames.current) == ["data"]
    frames = kept(*((number, f"data{number}", True) for number in range(1, 30)))
    assert names(frames.current) == ["data29"]
    assert names(frames.earlier) == ["data26", "data27", "data28"]
