"""A machine that stalls, or a part of the harness that hangs, makes a run unfit, never red."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.lab.scenario.playing import ENDS_SECONDS, SCENARIO, Begin, Playing, pause

pytestmark = pytest.mark.lab
WAIT = "wait: {for: 20s}"
STAYS = "stays: {for: 14s, bgp: Established}"
"""A little longer than the stalls in it, which are longer than the hold time, so that the sessions go down."""
SLOW = pytest.mark.slow


@pytest.mark.parametrize(
    ("step", "event", "seconds"),
    [
        pytest.param(WAIT, "step 3", 2, marks=SLOW),
        pytest.param(WAIT, "step 2", 10, marks=SLOW),
        (STAYS, "step 3", 12),
        pytest.param("wait: {for: 1s}", "step 5", 10, marks=SLOW),
        pytest.param(STAYS, "step 3", 20, marks=SLOW),
        pytest.param(WAIT, "step 1", 5, marks=SLOW),
    ],
)
def test_a_machine_that_stalls_makes_the_run_unfit(begin: Begin, step: str, event: str, seconds: int) -> None:
    playing = begin(step, event)
    playing.freeze([playing.run.pid, *playing.processes()], seconds)
    code, result = playing.end()
    if result["verdict"] == "passed":
        assert event in ("step 1", "step 2"), "nothing can go unobserved before the sessions are up"
        return
    assert (code, result["verdict"]) == (2, "unfit"), result
    assert "this machine stood still for" in result["reason"], result


@pytest.mark.parametrize(
    ("part", "seconds"),
    [
        ("link", 12),
        pytest.param("recorder R1", 12, marks=SLOW),
        pytest.param("wire", 12, marks=SLOW),
        pytest.param("keeper", 12, marks=SLOW),
    ],
)
def test_a_part_of_the_lab_that_hangs_is_named_and_no_check_is_red(begin: Begin, part: str, seconds: int) -> None:
    playing = begin(STAYS, "step 3")
    pids = [pid for pid, command in playing.processes().items() if part in command]
    assert pids, playing.processes()
    playing.freeze(pids[:1], seconds)
    code, result = playing.end()
    assert (code, result["verdict"]) == (2, "unfit"), result
    assert "did not answer within" in result["reason"], result


@pytest.mark.slow
def test_pytest_repeats_a_run_that_stalled_and_reports_it(tmp_path: Path) -> None:
    (tmp_path / "scenario.yaml").write_text(SCENARIO.replace("STEP", STAYS))
    runs = tmp_path / "runs"
    words = [
        "-q",
        "-p",
        "no:cacheprovider",
        "-c",
        "/dev/null",
        "--rootdir",
        str(tmp_path),
        "--keyroll-run-dir",
        str(runs),
    ]
    command = [sys.executable, "-m", "pytest", *words, str(tmp_path)]
    run = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=tmp_path)
    deadline = time.monotonic() + ENDS_SECONDS
    while not (begun := sorted(runs.glob("*/timeline.jsonl"))):
        assert time.monotonic() < deadline, "no run began"
        pause(0.05)
    playing = Playing(run, begun[0].parent)
    playing.await_event("step 3")
    playing.freeze([run.pid, *playing.processes()], 12)
    said = run.communicate(timeout=2 * ENDS_SECONDS)[0]
    assert run.returncode == 0, said
    assert "was played again: this machine stood still for" in said
    verdicts = [json.loads(path.read_text())["verdict"] for path in sorted(runs.glob("*/result.json"))]
    assert sorted(verdicts) == ["passed", "unfit"]


STEPPED = """\
import sys, threading, time
from pathlib import Path
real, ahead = time.time_ns, [0]
time.time_ns = lambda: real() + ahead[0]
timeline, by = Path(sys.argv.pop(1)), int(sys.argv.pop(1))
def step():
    while not (timeline.exists() and "step 3" in timeline.read_text()):
        time.sleep(0.1)
    ahead[0] = by * 10**9
threading.Thread(target=step, daemon=True).start()
from keyroll.cli.main import main
main()
"""
"""`keyroll` on a machine whose wall clock is changed by a number of seconds when step 3 begins."""


@pytest.mark.slow
@pytest.mark.parametrize(("by", "words"), [(20, "set forward by"), (-20, "set back by")])
def test_a_clock_that_is_set_makes_the_run_unfit(tmp_path: Path, by: int, words: str) -> None:
    path, folder = tmp_path / "scenario.yaml", tmp_path / "run"
    path.write_text(SCENARIO.replace("STEP", "wait: {for: 3s}"))
    shim = [sys.executable, "-c", STEPPED, str(folder / "timeline.jsonl"), str(by)]
    command = [*shim, "run", str(path), "--run-dir", str(folder), "--seed", "7"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=ENDS_SECONDS, check=False)
    result = json.loads((folder / "result.json").read_text())
    assert (done.returncode, result["verdict"]) == (2, "unfit"), done.stdout
    assert f"this machine's clock was {words}" in result["reason"]
