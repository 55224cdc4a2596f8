"""Runs on a terminal that is closed, or on a full disk."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.command_line import KEYROLL

pytestmark = pytest.mark.lab
ROOT = Path(__file__).parents[3]
TWO_KEYS = ROOT / "tests" / "scenarios" / "rollover" / "two-keys.yaml"
ENDS_SECONDS = 300
"""Longest time until a run ends: 20 s on an idle machine."""
RUN = ["run", "--seed", "7", str(TWO_KEYS)]
WITH_SIGHUP = "import signal; signal.signal(signal.SIGHUP, signal.SIG_DFL); from keyroll.cli.main import main; main()"
"""`keyroll`, with SIGHUP not ignored: under nohup it is ignored, and child processes inherit that."""


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGTERM])
def test_a_signal_of_a_closed_terminal_destroys_the_lab_and_the_result_says_interrupted(
    tmp_path: Path, number: signal.Signals
) -> None:
    folder = tmp_path / "run"
    command = [sys.executable, "-c", WITH_SIGHUP, *RUN, "--run-dir", str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None
        for line in run.stdout:
            if "step 2" in line:
                break
        run.stdout.close()
        run.send_signal(number)
        assert run.wait(ENDS_SECONDS) == 130
    assert json.loads((folder / "result.json").read_text())["verdict"] == "interrupted"


@pytest.mark.slow
@pytest.mark.parametrize("size", ["16k", "64k", "128k"])
def test_a_full_disk_gives_no_verdict(tmp_path: Path, size: str) -> None:
    script = (
        'mount -t tmpfs -o "size=$1" none "$2" || exit 77; shift 2; "$@"; code=$?; '
        'cat "$RESULT" 2>/dev/null; exit $code'
    )
    folder = tmp_path / "run"
    words = ["unshare", "--mount", "sh", "-c", script, "sh", size, str(tmp_path), *KEYROLL, *RUN]
    done = subprocess.run(
        [*words, "--run-dir", str(folder)],
        capture_output=True,
        text=True,
        timeout=ENDS_SECONDS,
        check=False,
        env={**os.environ, "RESULT": str(folder / "result.json")},
    )
    if done.returncode == 77 or "unshare failed" in done.stderr:
        pytest.skip("this user may not mount file systems")
    assert done.returncode == 2, done.stdout + done.stderr
    assert "RED" not in done.stdout
    assert "Traceback" not in done.stderr
    if '"verdict": "broken"' not in done.stdout:
        assert f"cannot write {folder}/" in done.stderr
