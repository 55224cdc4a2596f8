"""Measure the harness's own time in a thirty-minute rollover on a running lab: everything except waiting for the wire.

Prints how that time is divided (commits, show, verdict, reset). Exit code 1 beyond the limit.
"""

# ruff: noqa: INP001 - a script, not a package
from __future__ import annotations

import statistics
import sys
import tempfile
from pathlib import Path

from keyroll.scenario.engine import Options, run
from keyroll.scenario.file.read import read_cases
from keyroll.scenario.labs.make import lab_maker
from keyroll.scenario.labs.pool import LabPool
from keyroll.scenario.record.result import Result, Verdict

SCENARIO = Path(__file__).parent.parent / "tests" / "scenarios" / "rollover" / "two-keys.yaml"
RUNS = 5
"""Runs, of which the median counts; one more is played first, which brings the lab up."""
LIMIT = 1.0
"""Most seconds of the harness's own time in a run (median): a person at the terminal then hardly waits."""


def main() -> int:
    """Play the rollover once to bring the lab up, then RUNS times; print; return 1 beyond the limit, else 0."""
    (case,) = read_cases(SCENARIO)
    with tempfile.TemporaryDirectory(prefix="keyroll-bench-") as folder:
        root = Path(folder)
        pool = LabPool(lab_maker(), root / "labs")
        try:
            results = [run(case, Options(labs=pool, seed=number, runs=root)) for number in range(RUNS + 1)][1:]
        finally:
            pool.close()
    broken = [result for result in results if result.verdict is not Verdict.PASSED]
    if broken:
        print(f"not passed: {broken[0].verdict.value}, {broken[0].reason}")  # noqa: T201 - a bench prints
        return 1
    own = statistics.median(_own(result) for result in results)
    waited = statistics.median(sum(_seconds(result, waiting=True).values()) for result in results)
    print(f"harness's own {own:.3f} s for a rollover (at most {LIMIT} s), waiting for the wire {waited:.3f} s")  # noqa: T201 - as above
    for part in _seconds(results[0], waiting=False):
        median = statistics.median(_seconds(result, waiting=False).get(part, 0.0) for result in results)
        print(f"  {part:<14} {median:.3f} s")  # noqa: T201 - as above
    return 0 if own <= LIMIT else 1


def _own(result: Result) -> float:
    return sum(_seconds(result, waiting=False).values())


def _seconds(result: Result, *, waiting: bool) -> dict[str, float]:
    return {part.part: part.took.total_seconds() for part in result.spent if part.waiting is waiting}


if __name__ == "__main__":
    sys.exit(main())
