"""The progress of a command, printed on a terminal once it takes more than two seconds."""

from __future__ import annotations

import io
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from keyroll.cli import progress
from keyroll.cli.progress import AFTER, Progress

DATA = Path(__file__).parents[2] / "data" / "kernel-captures"
SECOND = 1_000_000_000


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> tuple[list[int], Terminal, Progress, Path]:
    """The time (a list, to set it), a terminal, the progress printed on it, and a file of a hundred octets."""
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    now = [0]
    stream = Terminal()
    path = tmp_path / "R1.pcap"
    path.write_bytes(bytes(100))
    return now, stream, Progress(now=lambda: now[0], stream=stream), path


def test_a_command_shorter_than_two_seconds_prints_no_progress(
    told: tuple[list[int], Terminal, Progress, Path],
) -> None:
    now, stream, say, path = told
    now[0] = AFTER - 1
    say(path, 50)
    say.clear()
    assert stream.getvalue() == ""


def test_progress_is_printed_twice_a_second_and_erased_at_the_end(
    told: tuple[list[int], Terminal, Progress, Path],
) -> None:
    now, stream, say, path = told
    for now[0] in range(AFTER, AFTER + SECOND, SECOND // 10):
        say(path, 40)
    assert stream.getvalue().count("R1.pcap: 40 % read, 2 s") == 2
    say.clear()
    assert stream.getvalue().endswith("\r\x1b[K")


def test_progress_of_a_pipe_shows_only_the_elapsed_time(told: tuple[list[int], Terminal, Progress, Path]) -> None:
    now, stream, say, _ = told
    now[0] = 3 * SECOND
    say(Path("/dev/stdin"), 0)
    assert "stdin: 3 s" in stream.getvalue()


@pytest.mark.parametrize("environment", [{"CI": "true", "TERM": "xterm"}, {"TERM": "dumb"}, {}])
def test_no_progress_is_printed_in_ci_on_a_dumb_terminal_or_to_a_file(environment: dict[str, str]) -> None:
    assert not progress.wanted(Terminal(), environment)
    assert not progress.wanted(io.StringIO(), {"TERM": "xterm"})
    assert progress.wanted(Terminal(), {"TERM": "xterm"})


def test_verify_prints_progress_on_stderr_and_its_output_is_unchanged() -> None:
    capture, keys = DATA / "v4-sha1.pcap", DATA / "v4-sha1.keys.yaml"
    words = [sys.executable, "-c"]
    code = "import keyroll.cli.progress as p; p.AFTER = {}; from keyroll.cli.main import main; main()"
    arguments = ["verify", str(capture), "--keys", str(keys)]
    near, far = pty.openpty()
    environment = {name: value for name, value in os.environ.items() if name != "CI"} | {"TERM": "xterm"}
    outputs = []
    for after in (0, 10**15):
        done = subprocess.run(
            [*words, code.format(after), *arguments], stdout=subprocess.PIPE, stderr=far, env=environment, check=False
        )
        outputs.append(done.stdout)
    os.close(far)
    said = os.read(near, 65536).decode()
    os.close(near)
    assert outputs[0] == outputs[1]
    assert b"good" in outputs[0]
    assert f"{capture.name}: 100 % read" in said
    assert said.endswith("\r\x1b[K")
