"""`keyroll lab …` as a user types it, in a separate process where that makes a difference."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner
from tests.command_line import KEYROLL
from tests.lab.lab_processes import pid_of, processes

from keyroll.cli.main import keyroll as command
from keyroll.errors import KeyrollError

pytestmark = pytest.mark.lab
WAIT_SECONDS = 60.0
"""Longest wait for a state: a second on an idle machine."""
COMMAND_SECONDS = 300
"""Longest time for a command: 2 s on an idle machine."""


def keyroll(*words: str, code: int = 0, **more: Any) -> str:
    result = subprocess.run(
        [*KEYROLL, "lab", *words], capture_output=True, text=True, check=False, timeout=COMMAND_SECONDS, **more
    )
    assert result.returncode == code, result.stderr
    found: str = result.stdout + result.stderr
    return found


def answer(*words: str) -> str:
    """Return the output of `keyroll lab …`, run in this process, which is quicker."""
    done = CliRunner().invoke(command, ["lab", *words])
    assert done.exit_code == 0, done.output
    return str(done.output)


@contextlib.contextmanager
def brought_up(evidence: Path) -> Iterator[str]:
    name = f"cmd-{os.getpid()}-{evidence.parent.name[-8:]}".replace("_", "-")
    keyroll("up", "--name", name, "--evidence", str(evidence))
    yield name
    subprocess.run([*KEYROLL, "lab", "down", name], capture_output=True, check=False)


@pytest.fixture
def name(tmp_path: Path) -> Iterator[str]:
    with brought_up(tmp_path / "evidence") as name:
        yield name


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A lab that the tests of this module share; they undo their changes."""
    with brought_up(tmp_path_factory.mktemp("shared") / "evidence") as name:
        yield name


def await_gone(name: str) -> None:
    """Wait until the lab's last process has ended; the lab's lock is free a moment before."""
    deadline = time.monotonic() + WAIT_SECONDS
    while left := [one.command for one in processes(name)]:
        assert time.monotonic() < deadline, left
        threading.Event().wait(0.05)  # reading all of /proc takes processor time from the lab


def test_a_lab_outlives_lab_up_and_lab_down_removes_all_of_it(name: str) -> None:
    listed = {one["name"]: one for one in json.loads(answer("list", "--json"))["labs"]}
    assert listed[name]["alive"]
    assert listed[name]["kept"]
    status = json.loads(answer("status", "--name", name, "--json"))
    assert sorted(status["routers"]) == ["R1", "R2"]
    assert processes(name)
    keyroll("down", "--name", name)
    await_gone(name)
    assert not (Path("/run/keyroll") / name).exists()


def test_exec_runs_in_the_routers_own_namespace(shared: str) -> None:
    shown = json.loads(keyroll("exec", "--name", shared, "R1", "--", "ip", "-j", "link"))
    assert sorted(link["ifname"] for link in shown) == ["ge-0-0-0", "lo"]


def test_a_cut_link_has_no_carrier_until_it_is_restored(shared: str) -> None:
    def up() -> bool:
        (port,) = json.loads(keyroll("exec", "--name", shared, "R1", "--", "ip", "-j", "link", "show", "ge-0-0-0"))
        return "LOWER_UP" in port["flags"]

    def await_carrier(*, state: bool) -> None:  # the router's kernel changes the carrier a moment later
        deadline = time.monotonic() + WAIT_SECONDS
        while up() is not state:
            assert time.monotonic() < deadline, f"the carrier is not {state}"

    answer("link", "cut", "--name", shared)
    await_carrier(state=False)
    answer("link", "restore", "--name", shared)
    await_carrier(state=True)


def test_a_capture_of_a_port_is_whole_after_ctrl_c(shared: str, tmp_path: Path) -> None:
    out = tmp_path / "port.pcap"
    words = [*KEYROLL, "lab", "capture", "--name", shared, "R1:eth1", "-w", str(out)]
    capture = subprocess.Popen(words, stderr=subprocess.PIPE, text=True)
    assert capture.stderr is not None
    assert "capturing" in capture.stderr.readline()
    answer("link", "cut", "--name", shared)
    capture.send_signal(signal.SIGINT)
    assert capture.wait(COMMAND_SECONDS) == 0
    assert "0 lost" in capture.stderr.read()
    capture.stderr.close()
    answer("link", "restore", "--name", shared)
    assert out.read_bytes()[:4] == b"\x4d\x3c\xb2\xa1"


@pytest.mark.slow
def test_status_names_a_daemon_that_died_with_its_last_log_lines(name: str, tmp_path: Path) -> None:
    status = json.loads(answer("status", "--name", name, "--json"))["routers"]["R2"]
    assert status["deaths"] == []
    os.kill(pid_of(name, lambda one: one.inside == status["processes"]["bgpd"]), signal.SIGKILL)
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        result = subprocess.run(
            [*KEYROLL, "lab", "status", "--name", name], capture_output=True, text=True, check=False
        )
        if result.returncode:
            break
        assert time.monotonic() < deadline, result.stdout
    assert result.returncode == 2, result.stderr
    assert f"lab {name} is broken: R2's bgpd was killed by SIGKILL" in result.stderr
    log = (tmp_path / "evidence" / "R2-bgpd.log").read_text().splitlines()
    shown = result.stdout.splitlines()
    at = shown.index("  DEAD: bgpd was killed by SIGKILL; the end of R2-bgpd.log:")
    assert shown[at + 1].strip() == f"| {log[-12:][0]}".strip()
    again = subprocess.run([*KEYROLL, "lab", "status", "--name", name, "--json"], capture_output=True, check=False)
    assert again.returncode == 2
    (death,) = json.loads(again.stdout)["routers"]["R2"]["deaths"]
    assert death["last_lines"] == log[-12:]


def mistaken(*words: str) -> str:
    """Return the message of an input error; the command runs in this process, because it does not reach a lab."""
    with pytest.raises((KeyrollError, click.UsageError)) as refused:
        command.main(["lab", *words], standalone_mode=False)
    error = refused.value
    assert getattr(error, "exit_code", None) == 2
    return error.format_message() if isinstance(error, click.UsageError) else str(error)


def test_an_input_error_is_a_single_sentence(shared: str) -> None:
    assert "has no router 'R9'" in keyroll("exec", "--name", shared, "R9", "--", "true", code=2)
    assert "no link 'x'" in mistaken("link", "cut", "--name", shared, "--link", "x")
    assert "use a share from 0 to 1" in mistaken("link", "impair", "--name", shared, "--loss", "7")
    assert "exists already" in mistaken("up", "--name", shared)
    down = answer("down", f"{shared}x")
    assert f"lab {shared}x is down: no lab has that name" in down
    assert shared in down.partition("; existing labs: ")[2], "in case the name was mistyped"
    assert "two labs are named" in mistaken("down", shared, "--name", "nobody")
    assert f"use --name {shared}" in mistaken("exec", "--lab", shared, "R1", "--", "true")
    assert "invalid --policy 'R1:x': use ROUTER:SENDING:RECEIVING" in mistaken("up", "--policy", "R1:x")


def test_a_labs_name_is_an_argument_or_an_option(shared: str) -> None:
    asked = [("status", shared), ("status", "--name", shared)]
    assert {answer(*words).splitlines()[0] for words in asked} == {f"lab {shared}"}


def test_clean_does_not_remove_a_kept_lab_and_names_it(shared: str) -> None:
    said = answer("clean")
    assert f"removed {shared}" not in said
    assert shared in said.partition("kept: ")[2]


def test_a_kept_lab_that_was_killed_leaves_nothing(name: str) -> None:
    os.kill(pid_of(name, lambda one: "embedded.monitor" in one.command), signal.SIGKILL)
    await_gone(name)
    answer("clean")
    assert not (Path("/run/keyroll") / name).exists()
