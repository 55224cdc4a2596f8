"""A run with each verdict, on a lab: the HTML page has the verdict of `result.json`, and no secret."""

from __future__ import annotations

import html
import re
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest
from tests.lab.scenario.test_runs import ROOT, TWO_KEYS, keyroll
from tests.unit.report.test_fifty_runs import RECORDED, forms_of, said_by

from keyroll.report.page import write_run_page
from keyroll.report.run import load_run

pytestmark = [pytest.mark.lab, pytest.mark.slow]

PLAYED_SECONDS = 300
"""Longest time (s) for a run: thirty times what it takes on an idle machine."""


def page_of(folder: Path) -> str:
    """Return the page of a run; of a killed run, which has written none, the page that is made from its folder."""
    return ((folder / "report.html") if (folder / "report.html").is_file() else write_run_page(folder)).read_text()


def shown_and_said(folder: Path) -> tuple[str, str]:
    page = page_of(folder)
    assert not forms_of(folder).search(page)
    (headline,) = re.findall(r"<h1>(.*?)</h1>", page)
    assert html.unescape(headline) == load_run(folder).headline
    return html.unescape(headline).split("  ")[0], said_by(folder).upper()


@pytest.mark.parametrize(
    ("meant", "words"),
    [
        ("PASSED", ()),
        ("FAILED", ("--mutate", "other-secret")),
        ("FAILED", ("--mutate", "ids-not-reversed")),
        ("UNFIT", ("--lab", "containerlab")),
        ("KNOWN-BUG", ()),
    ],
    ids=["green", "red", "red-at-once", "unfit", "known-bug"],
)
def test_the_report_of_a_run_shows_its_verdict(meant: str, words: Sequence[str], tmp_path: Path) -> None:
    scenario, environment = TWO_KEYS, None
    if meant == "KNOWN-BUG":
        scenario = tmp_path / "known-bug.yaml"
        scenario.write_text((RECORDED / "known-bug" / "scenario.recorded").read_text())
    if meant == "UNFIT":
        environment = {"PATH": str(tmp_path)}  # a folder without containerlab
    done = subprocess.run(
        keyroll("run", scenario, "--run-dir", tmp_path / "run", *words),
        cwd=ROOT, env=environment, capture_output=True, text=True, timeout=PLAYED_SECONDS, check=False,
    )  # fmt: skip
    shown, said = shown_and_said(tmp_path / "run")
    assert shown == said
    assert shown in (meant, "UNFIT"), done.stdout + done.stderr  # on a busy machine a run may be unfit
    assert load_run(tmp_path / "run").headline in done.stdout, "the terminal says the same sentence"


@pytest.mark.parametrize(
    ("how", "meant"), [(signal.SIGKILL, "KILLED"), (signal.SIGINT, "INTERRUPTED")], ids=["killed", "interrupted"]
)
def test_the_report_of_an_interrupted_run_says_that_it_was_interrupted(
    how: signal.Signals, meant: str, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    command = keyroll("run", TWO_KEYS, "--run-dir", folder)
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as played:
        assert played.stdout is not None
        seen = []
        for line in played.stdout:
            seen.append(line)
            if "step 2" in line:
                played.send_signal(how)
                break
        seen += played.stdout.readlines()
    shown, said = shown_and_said(folder)
    assert shown == said
    assert shown in (meant, "UNFIT"), "".join(seen)
