"""A run of `keyroll run` that a test disturbs while it is played."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.lab.lab_processes import processes

SCENARIO = """\
keyroll: 1
id: a-while
title: Two sessions for a while, and a rollover
sessions: [bgp, ldp]
keychain: {name: chain, keys: [{id: 0, start: 0m}, {id: 1, start: 30m}]}
steps:
  - apply: {routers: [R1, R2]}
  - expect: {bgp: Established, ldp: Operational}
  - STEP
  - advance: {to: 30m}
  - expect: {active: 1, wire: {R1: 1, R2: 1}}
"""
"""A test replaces STEP with the step in which it disturbs the run."""
pause = threading.Event().wait
ENDS_SECONDS = 300.0
"""Longest time until a run begins a step, or ends: ten seconds on an idle machine."""


class Playing:
    """A run that is being played, with its own process and those of its lab."""

    def __init__(self, run: subprocess.Popen[str], folder: Path) -> None:
        self.run, self.folder = run, folder

    def timeline(self) -> list[dict[str, Any]]:
        path = self.folder / "timeline.jsonl"
        lines = path.read_text().splitlines() if path.exists() else []
        return [json.loads(line) for line in lines if line.endswith("}")]

    def await_event(self, words: str) -> None:
        deadline = time.monotonic() + ENDS_SECONDS
        while not any(words in event["text"] for event in self.timeline()):
            assert self.run.poll() is None, self.run.communicate()[0]
            assert time.monotonic() < deadline, self.timeline()
            pause(0.02)

    def lab(self) -> str:
        states = {path: json.loads(path.read_text()) for path in Path("/run/keyroll").glob("*/state.json")}
        (state,) = [path for path, state in states.items() if state["owner"] == self.run.pid]
        return state.parent.name

    def processes(self) -> dict[int, str]:
        """Return the command lines of the lab's processes, by process id."""
        return {one.pid: one.command for one in processes(self.lab())}

    def freeze(self, pids: list[int], seconds: float) -> None:
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        pause(seconds)
        for pid in reversed(pids):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)

    def result(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.folder / "result.json").read_text())
        return found

    def end(self) -> tuple[int, dict[str, Any]]:
        said = self.run.communicate(timeout=ENDS_SECONDS)[0]
        assert "Traceback" not in said
        return self.run.returncode, self.result()


Begin = Callable[[str, str], Playing]
"""(third step, text of an event) -> a run whose timeline contains the text."""
