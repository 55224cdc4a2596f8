"""The script that writes a workflow run's summary, executed as the workflows execute it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.unit.report.test_night import run

from keyroll.report.night import add_to_night, finish_night

SCRIPT = Path(__file__).parents[3] / ".github" / "summary"
JUNIT = """<testsuites><testsuite>
<testcase name="test_good" time="1.5"/>
<testcase name="test_bad" time="2"><failure message="expected key 1&#10;more"/></testcase>
<testcase name="test_left" time="0"><skipped message="cRPD shares its host's clock"/></testcase>
</testsuite></testsuites>"""


Play = Callable[[], subprocess.CompletedProcess[str]]


@pytest.fixture
def summary(tmp_path: Path) -> tuple[Path, Play]:
    """Run the script in a tree whose environment has `keyroll`; returns what it prints."""
    program = tmp_path / ".venv" / "bin" / "keyroll"
    program.parent.mkdir(parents=True)
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -c "from keyroll.cli.main import main; main()" "$@"\n')
    program.chmod(0o755)
    folder = tmp_path / "nightly"
    folder.mkdir()

    def play() -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bash", str(SCRIPT), "suite-1", "nightly"], cwd=tmp_path, capture_output=True, text=True, check=True
        )

    return folder, play


def test_a_report_and_a_night_become_tables_with_what_is_not_green(summary: tuple[Path, Play], tmp_path: Path) -> None:
    folder, play = summary
    (folder / "junit.xml").write_text(JUNIT)
    (folder / "output.txt").write_text("1 failed\n")
    add_to_night(folder / "night", run(tmp_path / "runs", "a|b", "failed"))
    finish_night(folder / "night")
    said = play().stdout
    assert said.startswith("### suite-1\n")
    assert "| 1 | 1 | 1 | 4 |" in said
    assert "- **test_bad** expected key 1" in said
    assert "- skipped 1: cRPD shares its host's clock" in said
    assert "## RED  1 run: 1 failed" in said
    assert r"a\|b" in said


def test_a_missing_and_a_cut_off_test_report_are_mentioned(summary: tuple[Path, Play]) -> None:
    folder, play = summary
    (folder / "output.txt").write_text("make: *** [test] Error 2\n")
    assert "No test report" in play().stdout
    (folder / "junit.xml").write_text("<testsuites><testcase")
    said = play().stdout
    assert "The test report cannot be read" in said
    assert "Error 2" in said


def test_a_part_that_tested_nothing_causes_a_warning(summary: tuple[Path, Play]) -> None:
    folder, play = summary
    (folder / "junit.xml").write_text('<t><testcase name="x"><skipped message="no kernel"/></testcase></t>')
    assert "::warning::suite-1: nothing was tested; 1 skipped" in play().stderr


def test_the_nights_of_all_parts_become_one_page_compared_with_an_earlier_night(
    summary: tuple[Path, Play], tmp_path: Path
) -> None:
    summary[0].rmdir()
    for part, verdict in (("suite-1", "passed"), ("suite-2", "failed")):
        night = tmp_path / "parts" / part / "night"
        add_to_night(night, run(tmp_path / part, f"of-{part}", verdict))
        finish_night(night)
    add_to_night(tmp_path / "earlier", run(tmp_path / "last", "of-suite-2", "passed"))
    finish_night(tmp_path / "earlier")
    environment = os.environ | {"PATH": f"{tmp_path / '.venv' / 'bin'}:{os.environ['PATH']}"}
    words = ["bash", str(SCRIPT.with_name("night")), "parts", "earlier", "night"]
    done = subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("## RED  2 runs: 1 failed, 1 passed")
    assert "newly failed (was passed)" in done.stdout
    assert (tmp_path / "night" / "index.html").is_file()
    assert len(list((tmp_path / "night").glob("*.html"))) == 3
    nothing = subprocess.run(
        [*words[:2], str(tmp_path / ".venv"), "earlier", "other"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert nothing.stdout == "No part has a page of its runs.\n"
