"""A fixture for tests that disturb a run."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.command_line import KEYROLL
from tests.lab.scenario.playing import ENDS_SECONDS, SCENARIO, Begin, Playing


@pytest.fixture
def begin(tmp_path: Path) -> Iterator[Begin]:
    """Return a function that starts a run with a third step, and returns it when its timeline contains a text."""
    started: list[subprocess.Popen[str]] = []

    def start(step: str, event: str) -> Playing:
        path, folder = tmp_path / "scenario.yaml", tmp_path / "run"
        path.write_text(SCENARIO.replace("STEP", step))
        words = ("run", str(path), "--run-dir", str(folder), "--seed", "7", "--no-report")
        run = subprocess.Popen([*KEYROLL, *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        started.append(run)
        playing = Playing(run, folder)
        playing.await_event(event)
        return playing

    yield start
    for run in started:
        if run.poll() is None:
            run.send_signal(signal.SIGINT)
        run.communicate(timeout=ENDS_SECONDS)
