"""The job `night` of the nightly workflow: its steps, executed in order, with a `gh` whose artifacts are folders."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from tests.unit.report.test_night import run

from keyroll.report.night import add_to_night, finish_night

TREE = Path(__file__).parents[3]
# As GitHub's own `gh`: each artifact in its own folder, but with --name in --dir itself; an error if a run has no
# artifact, or none of that name, and for an unknown flag.
GH = f"""#!{sys.executable}
import argparse, json, os, pathlib, shutil, sys
words = argparse.ArgumentParser(allow_abbrev=False)
commands = words.add_subparsers(required=True).add_parser("run").add_subparsers(dest="command", required=True)
download = commands.add_parser("download", allow_abbrev=False)
download.add_argument("run")
for flags in (("--dir", "-D"), ("--name", "-n"), ("--pattern", "-p"), ("--repo", "-R")):
    download.add_argument(*flags)
listing = commands.add_parser("list", allow_abbrev=False)
for flags in (("--workflow", "-w"), ("--branch", "-b"), ("--status", "-s"), ("--json",), ("--jq", "-q")):
    listing.add_argument(*flags)
listing.add_argument("--limit", "-L", type=int, default=20)
asked = words.parse_args()
assert os.environ["GH_TOKEN"] and os.environ["GH_REPO"] == "someone/keyroll", "gh needs both outside of a clone"
runs = pathlib.Path(os.environ["ARTIFACTS"])
if asked.command == "list":
    assert (asked.workflow, asked.branch, asked.status) == ("nightly.yml", "main", "completed")
    assert (asked.json, asked.jq) == ("databaseId", ".[].databaseId")
    done = sorted((path.name for path in runs.iterdir() if path.name != "500"), reverse=True)
    print("\\n".join(done[: asked.limit]))
    sys.exit()
found = [path for path in sorted((runs / asked.run).glob("*")) if asked.name in (None, path.name)]
if not found:
    sys.exit("no valid artifacts found to download")
for path in found:
    shutil.copytree(path, pathlib.Path(asked.dir) / ("" if asked.name else path.name), dirs_exist_ok=True)
"""


class Runner:
    """A machine with a checkout, where the job's steps are executed as GitHub does: `bash -e`, one after the other."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.artifacts = place / "artifacts"
        (self.artifacts / "500").mkdir(parents=True)
        self.tree = place / "checkout"
        (self.tree / ".github").mkdir(parents=True)
        shutil.copy(TREE / ".github" / "night", self.tree / ".github")
        keyroll = f'#!/bin/sh\nexec "{sys.executable}" -c "from keyroll.cli.main import main; main()" "$@"\n'
        for name, text in (("keyroll", keyroll), ("gh", GH)):
            program = place / "bin" / name
            program.parent.mkdir(exist_ok=True)
            program.write_text(text)
            program.chmod(0o755)

    def artifact(self, number: str, name: str, **verdicts: str) -> None:
        """Make the artifact of a part of a run: a folder with its night, or (name `night`) the night of all parts."""
        night = self.artifacts / number / name / ("" if name == "night" else "night")
        for scenario, verdict in verdicts.items():
            add_to_night(night, run(self.place / f"{number}-{name}", scenario, verdict))
        finish_night(night)

    def play(self) -> str:
        """Execute the job's steps but for the installation; returns the summary."""
        job = yaml.safe_load((TREE / ".github" / "workflows" / "nightly.yml").read_text())["jobs"]["night"]
        assert job["permissions"] == {"actions": "read", "contents": "read"}, "artifacts are read with actions: read"
        steps = [step for step in job["steps"] if "run" in step and "pip install" not in step["run"]]
        summary = self.place / "summary.md"
        summary.touch()
        values = {"github.token": "token", "github.repository": "someone/keyroll", "github.run_id": "500"}
        for step in steps:
            own = {name: values[text.strip("${} ")] for name, text in step.get("env", {}).items()}
            environment = {
                **os.environ,
                **own,
                "PATH": f"{self.place / 'bin'}:{os.environ['PATH']}",
                "GITHUB_STEP_SUMMARY": str(summary),
                "GITHUB_REF_NAME": "main",
                "ARTIFACTS": str(self.artifacts),
            }
            subprocess.run(["bash", "-e", "-c", step["run"]], cwd=self.tree, env=environment, check=True)
        return summary.read_text()


@pytest.fixture
def runner(tmp_path: Path) -> Runner:
    return Runner(tmp_path)


def test_the_parts_of_a_night_become_one_page_compared_with_the_last_night_that_has_one(runner: Runner) -> None:
    runner.artifact("498", "night", a="passed", b="failed")
    (runner.artifacts / "499" / "suite-1").mkdir(parents=True)  # cancelled: it left no page
    runner.artifact("500", "suite-1", a="failed")
    runner.artifact("500", "suite-2", b="passed")
    (runner.artifacts / "500" / "bench").mkdir()
    told = runner.play()
    assert told.startswith("## RED  2 runs: 1 failed, 1 passed")
    assert "a on emulated: newly failed (was passed)" in told
    assert "b on emulated: newly passed (was failed)" in told
    assert {path.suffix for path in (runner.tree / "night").iterdir()} == {".html", ".json"}


def test_a_night_without_any_artifact_says_so_and_does_not_fail(runner: Runner) -> None:
    told = runner.play()
    assert told == "Not every part's artifact could be downloaded.\nNo part has a page of its runs.\n"
    assert not (runner.tree / "night").exists()
