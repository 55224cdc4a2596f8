"""Positions of lanes, bars and marks in the picture of a run."""

from __future__ import annotations

from datetime import timedelta

import pytest
from tests.unit.report.conftest import Folder

from keyroll.report.chart import Lane, Timeline, short
from keyroll.report.run import load_run
from keyroll.report.timeline import timeline


def lane(picture: Timeline, label: str) -> Lane:
    return next(lane for lane in picture.lanes if lane.label == label)


def test_the_picture_begins_where_the_first_clock_is_set(folder: Folder) -> None:
    folder.usual()
    picture = timeline(load_run(folder.write()))
    assert (picture.begin, picture.end) == (1, 6)


def test_setting_the_clocks_forward_by_half_an_hour_is_a_jump(folder: Folder) -> None:
    folder.usual()
    picture = timeline(load_run(folder.write()))
    jump = [jump for jump in picture.jumps if jump.at == 3]
    assert [(jump.router, jump.words) for jump in jump] == [("R1", "+30m"), ("R2", "+30m")]


def test_a_key_that_a_router_sent_is_a_bar_from_its_first_segment_to_the_next_key(folder: Folder) -> None:
    folder.usual()
    bars = lane(timeline(load_run(folder.write())), "R1 bgp sends").bars
    assert [(bar.begin, bar.end, bar.label, bar.tone) for bar in bars] == [
        (1.5, 3.2, "key 0", "k0"),
        (3.2, 6, "key 1", "k1"),
    ]


def test_a_planned_window_begins_where_the_routers_own_clock_reads_the_start_time(folder: Folder) -> None:
    folder.usual()
    bars = lane(timeline(load_run(folder.write())), "R1 kc planned").bars
    assert [(bar.begin, bar.end, bar.outline) for bar in bars] == [(1, 3, True), (3, 6, True)]


def test_a_start_time_that_the_run_never_reached_is_not_drawn(folder: Folder) -> None:
    folder.usual()
    path = folder.write()
    text = (path / "chains.json").read_text().replace("2030-01-01T00:30", "2030-01-01T09:30")
    (path / "chains.json").write_text(text)
    assert [bar.label for bar in lane(timeline(load_run(path)), "R1 kc planned").bars] == ["key 0"]


def test_a_gap_between_samples_is_a_gap_in_the_bar(folder: Folder) -> None:
    folder.usual()
    folder.outputs([folder.answer(after, "R1", "show bgp summary", "") for after in (1.5, 1.75, 2.0, 5.0, 5.25)])
    bars = lane(timeline(load_run(folder.write())), "R1 samples").bars
    assert [(bar.begin, bar.end) for bar in bars] == [(1.5, 2.0), (5.0, 5.25)]


def test_red_checks_that_would_hide_each_other_are_one_mark_that_links_to_the_first(folder: Folder) -> None:
    folder.usual()
    folder.check(4.5, "wire@2", "R1", passed=True)
    folder.check(4.6, "no-flap", "R1", passed=False)
    folder.check(4.6, "no-flap", "R2", passed=False)
    folder.check(2.5, "bgp@1", "R2", passed=False)
    marks = lane(timeline(load_run(folder.write("failed"))), "red checks").marks
    assert [(mark.at, mark.check, mark.count) for mark in marks] == [(2.5, 4, 1), (4.6, 2, 2)]


def test_a_run_without_events_has_an_empty_picture(folder: Folder) -> None:
    picture = timeline(load_run(folder.write()))
    assert picture.lanes == ()


@pytest.mark.parametrize(
    ("seconds", "words"), [(2.5, "2.5s"), (60, "1m"), (1800, "30m"), (3660, "1h1m"), (90061, "1d1h1m1s")]
)
def test_durations_are_written_in_short_form(seconds: float, words: str) -> None:
    assert short(timedelta(seconds=seconds)) == words
