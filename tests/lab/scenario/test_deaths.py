"""A part of the lab dies during a run: the run is broken and names it, or it is replaced and the result says so."""

import os
import re
import signal

import pytest
from tests.lab.lab_processes import pid_of_part
from tests.lab.scenario.playing import ENDS_SECONDS, Begin, Playing

from keyroll.report.run import load_run

pytestmark = pytest.mark.lab


def kill(playing: Playing, router: str, part: str) -> None:
    os.kill(pid_of_part(playing.lab(), router, part), signal.SIGKILL)


@pytest.mark.parametrize(
    "daemon",
    [pytest.param("bgpd", marks=pytest.mark.slow), pytest.param("ldpd", marks=pytest.mark.slow), "zebra"],
)
def test_a_daemon_that_dies_ends_the_run_at_once_with_its_name_and_last_log_lines(begin: Begin, daemon: str) -> None:
    playing = begin("wait: {for: 600s}", "step 3")
    assert_says_that_it_has_not_ended(playing)
    kill(playing, "R2", daemon)
    said = playing.run.communicate(timeout=ENDS_SECONDS)[
        0
    ]  # half of the step's time: the run does not wait for the step's end
    result = playing.result()
    assert playing.run.returncode == 2, said
    assert result["verdict"] == "broken"
    assert f"R2's {daemon} was killed by SIGKILL; the end of" in result["reason"]
    assert f"R2-{daemon}.log:" in result["reason"]
    assert f"R2's {daemon} was killed by SIGKILL" in said


@pytest.mark.slow
def test_a_wire_path_that_dies_is_replaced_and_the_run_says_so(begin: Begin) -> None:
    playing = begin("wait: {for: 30s}", "step 3")  # ten times what the kill and the replacement take on an idle machine
    kill(playing, "R2", "wire")
    said = playing.run.communicate(timeout=ENDS_SECONDS)[0]
    assert playing.run.returncode == 0, said
    result = playing.result()
    assert result["verdict"] == "passed"
    (incident,) = result["facts"]["incidents"]
    assert incident.startswith("R2's wire path was killed by SIGKILL and was replaced after")
    going_on = re.search(r"(\d+) of its connections going on$", incident)
    assert going_on is not None, incident
    assert int(going_on[1]) >= 2, "one of each session, and one that is closing if both routers connected at once"
    assert incident in [event["text"] for event in playing.timeline() if event["kind"] == "lab"]


@pytest.mark.slow
def test_a_run_whose_owner_is_killed_leaves_a_result_that_says_so(begin: Begin) -> None:
    playing = begin("wait: {for: 60s}", "step 3")
    playing.run.kill()
    playing.run.communicate(timeout=ENDS_SECONDS)
    assert_says_that_it_has_not_ended(playing)


def assert_says_that_it_has_not_ended(playing: Playing) -> None:
    """Assert that the result says so: it is written when the run begins, for the case that the run is killed."""
    result = playing.result()
    assert (result["verdict"], result["ended"]) == ("broken", False)
    assert result["reason"] == "the run has not ended: keyroll was killed, or is still running"
    assert load_run(playing.folder).verdict == "killed"
