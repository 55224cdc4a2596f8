"""A run whose output or evidence has nowhere to go, and one whose file comes through a pipe."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from keyroll.scenario.file.read import read_cases

pytestmark = pytest.mark.lab
ROOT = Path(__file__).parents[3]
TWO_KEYS = ROOT / "tests" / "scenarios" / "rollover" / "two-keys.yaml"
RUN = [sys.executable, "-c", "from keyroll.cli.main import main; main()", "run", "--seed", "7"]


def modes_of(folder: Path) -> set[int]:
    return {path.stat().st_mode & 0o777 for path in (folder, *folder.rglob("*"))}


def test_a_file_from_a_pipe_is_played_though_nobody_reads_the_output(tmp_path: Path) -> None:
    """`cat FILE | keyroll run /dev/stdin | head -1`: the run goes on, and its folder holds what was played."""
    folder = tmp_path / "run"
    script = 'cat "$1" | { "$@"; echo "$?" >&2; } | head -1'
    words = ["sh", "-c", script.replace('"$@"', 'shift; "$@"'), "sh", str(TWO_KEYS), *RUN]
    done = subprocess.run(
        [*words, "--run-dir", str(folder), "/dev/stdin"], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.stderr.splitlines()[-1] == "0", done.stderr
    assert len(done.stdout.splitlines()) == 1
    result = json.loads((folder / "result.json").read_text())
    assert result["verdict"] == "passed"
    (played,), (meant,) = read_cases(folder / "scenario.yaml"), read_cases(TWO_KEYS)
    assert played.scenario == meant.scenario
    assert result["again"] == f"keyroll run {folder}/scenario.yaml --seed 7 --t0 2030-01-01T00:00:00Z"
    assert modes_of(folder) == {0o700, 0o600}


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGTERM])
def test_a_closed_terminal_takes_the_lab_down_and_the_result_says_so(tmp_path: Path, number: signal.Signals) -> None:
    folder = tmp_path / "run"
    with subprocess.Popen([*RUN, "--run-dir", str(folder), str(TWO_KEYS)], stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None
        for line in run.stdout:
            if "step 2" in line:
                break
        run.stdout.close()
        run.send_signal(number)
        assert run.wait(60) == 130
    assert json.loads((folder / "result.json").read_text())["verdict"] == "interrupted"


@pytest.mark.slow
@pytest.mark.parametrize("size", ["16k", "64k", "128k"])
def test_a_full_disk_is_never_a_verdict(tmp_path: Path, size: str) -> None:
    script = (
        'mount -t tmpfs -o "size=$1" none "$2" || exit 77; shift 2; "$@"; code=$?; '
        'cat "$RESULT" 2>/dev/null; exit $code'
    )
    folder = tmp_path / "run"
    words = ["unshare", "--mount", "sh", "-c", script, "sh", size, str(tmp_path), *RUN, "--run-dir", str(folder)]
    done = subprocess.run(
        [*words, str(TWO_KEYS)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, "RESULT": str(folder / "result.json")},
    )
    if done.returncode == 77 or "unshare failed" in done.stderr:
        pytest.skip("this machine lets nobody mount")
    assert done.returncode == 2, done.stdout + done.stderr
    assert "RED" not in done.stdout
    assert "Traceback" not in done.stderr
    if '"verdict": "broken"' not in done.stdout:
        assert f"cannot write {folder}/" in done.stderr
