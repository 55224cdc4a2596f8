"""A part of the lab dies during a run: the run is broken and names it, or it is replaced and the result says so."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.unit.known import known

from keyroll.report.run import load_run

pytestmark = pytest.mark.lab
SCENARIO = """\
keyroll: 1
id: a-while
title: Two sessions for a while, and a rollover
sessions: [bgp, ldp]
keychain: {name: chain, keys: [{id: 0, start: 0m}, {id: 1, start: 30m}]}
steps:
  - apply: {routers: [R1, R2]}
  - expect: {bgp: Established, ldp: Operational}
  - wait: {for: SECONDSs}
  - advance: {to: 30m}
  - expect: {active: 1, wire: {R1: 1, R2: 1}}
"""


Begin = Callable[[int], tuple[subprocess.Popen[str], Path]]
ENDS_SECONDS = 300
"""Longest time until a run begins its third step, or ends: ten seconds on an idle machine."""


@pytest.fixture
def begun(tmp_path: Path) -> Iterator[Begin]:
    """Return a function that starts a run with a wait of some seconds, and returns it and its folder in that step."""
    started = []

    def begin(seconds: int) -> tuple[subprocess.Popen[str], Path]:
        path, folder = tmp_path / "scenario.yaml", tmp_path / "run"
        path.write_text(SCENARIO.replace("SECONDS", str(seconds)))
        words = ("run", path, "--run-dir", folder, "--seed", "7")
        command = [sys.executable, "-c", "from keyroll.cli.main import main; main()", *map(str, words)]
        run = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        started.append(run)
        deadline = time.monotonic() + ENDS_SECONDS
        while not any(event["kind"] == "step" and "wait" in event["text"] for event in timeline(folder)):
            assert run.poll() is None, known(run.stdout).read()
            assert time.monotonic() < deadline, timeline(folder)
            threading.Event().wait(0.05)
        return run, folder

    yield begin
    for run in started:
        if run.poll() is None:
            run.send_signal(signal.SIGINT)
        run.communicate(timeout=ENDS_SECONDS)


def timeline(folder: Path) -> list[dict[str, Any]]:
    path = folder / "timeline.jsonl"
    lines = path.read_text().splitlines() if path.exists() else []
    return [json.loads(line) for line in lines if line.endswith("}")]


def kill(folder: Path, router: str, part: str) -> None:
    """Kill a part of one router; its process id comes from `keyroll lab status`."""
    evidence = str(folder / "lab")
    (state,) = [path for path in Path("/run/keyroll").glob("*/state.json") if evidence in path.read_text()]
    name = state.parent.name
    shown = subprocess.run(
        [sys.executable, "-c", "from keyroll.cli.main import main; main()", "lab", "status", "--name", name, "--json"],
        capture_output=True,
        text=True,
        check=True,
    )
    inside = str(json.loads(shown.stdout)["routers"][router]["processes"][part])
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                tagged = f"KEYROLL_LAB={name}".encode() in (entry / "environ").read_bytes().split(b"\0")
                counted = (entry / "status").read_text().partition("NSpid:")[2].splitlines()[0].split()
            except OSError:
                continue
            if tagged and counted[-1] == inside:
                os.kill(int(entry.name), signal.SIGKILL)
                return
    raise AssertionError(f"no process {inside} in lab {name}")


@pytest.mark.parametrize(
    "daemon",
    [pytest.param("bgpd", marks=pytest.mark.slow), pytest.param("ldpd", marks=pytest.mark.slow), "zebra"],
)
def test_a_daemon_that_dies_ends_the_run_at_once_with_its_name_and_last_log_lines(begun: Begin, daemon: str) -> None:
    run, folder = begun(600)
    assert_says_that_it_has_not_ended(folder)
    kill(folder, "R2", daemon)
    said = run.communicate(timeout=ENDS_SECONDS)[0]  # half of the step's time: the run does not wait for the step's end
    result = json.loads((folder / "result.json").read_text())
    assert run.returncode == 2, said
    assert result["verdict"] == "broken"
    assert f"R2's {daemon} was killed by SIGKILL; the end of" in result["reason"]
    assert f"R2-{daemon}.log:" in result["reason"]
    assert f"R2's {daemon} was killed by SIGKILL" in said


@pytest.mark.slow
def test_a_wire_path_that_dies_is_replaced_and_the_run_says_so(begun: Begin) -> None:
    run, folder = begun(30)  # ten times what the kill and the replacement take on an idle machine
    kill(folder, "R2", "wire")
    said = run.communicate(timeout=ENDS_SECONDS)[0]
    assert run.returncode == 0, said
    result = json.loads((folder / "result.json").read_text())
    assert result["verdict"] == "passed"
    (incident,) = result["facts"]["incidents"]
    assert incident.startswith("R2's wire path was killed by SIGKILL and was replaced after")
    going_on = re.search(r"(\d+) of its connections going on$", incident)
    assert going_on is not None, incident
    assert int(going_on[1]) >= 2, "one of each session, and one that is closing if both routers connected at once"
    assert incident in [event["text"] for event in timeline(folder) if event["kind"] == "lab"]


@pytest.mark.slow
def test_a_run_whose_owner_is_killed_leaves_a_result_that_says_so(begun: Begin) -> None:
    run, folder = begun(60)
    run.kill()
    run.communicate(timeout=ENDS_SECONDS)
    assert_says_that_it_has_not_ended(folder)


def assert_says_that_it_has_not_ended(folder: Path) -> None:
    """Assert that the result says so: it is written when the run begins, for the case that the run is killed."""
    result = json.loads((folder / "result.json").read_text())
    assert (result["verdict"], result["ended"]) == ("broken", False)
    assert result["reason"] == "the run has not ended: keyroll was killed, or is still running"
    assert load_run(folder).verdict == "killed"
