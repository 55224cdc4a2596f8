"""What a run prints at its end."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from keyroll.scenario.record.report import spent_lines
from keyroll.scenario.record.result import Result, Spent, Verdict


def result(**facts: dict[str, float]) -> Result:
    spent = (Spent("commits", timedelta(seconds=0.2)), Spent("waiting", timedelta(seconds=3), waiting=True))
    t0, folder = datetime(2030, 1, 1, tzinfo=UTC), Path("runs/x")
    again, took = "keyroll run again", timedelta(seconds=4)
    return Result("x", "X", None, Path("x.yaml"), 1, t0, Verdict.PASSED, (), None, folder, again, spent, took, facts)


def test_own_time_and_waiting_time_are_printed_separately() -> None:
    first, parts = spent_lines(result())
    assert first == "time: 0.20 s keyroll's own, 3.00 s waiting for the wire"
    assert parts == "  commits 0.20 s, waiting 3.00 s"


def test_the_longest_gap_between_samples_is_printed() -> None:
    *_, last = spent_lines(result(**{"longest gap between samples": {"R1": 0.1064, "R2": 0.31}}))
    assert last == "longest gap between samples: R1 0.11 s, R2 0.31 s"
