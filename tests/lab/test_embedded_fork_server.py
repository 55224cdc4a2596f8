"""The program that the labs of a process are forked from: it is loaded once, and a lab that is up does not need it."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from tests.lab.conftest import Pair
from tests.lab.lab_processes import pid_of
from tests.unit.known import known

from keyroll.lab.embedded import owner
from keyroll.lab.embedded.lab import EmbeddedLab
from keyroll.lab.protocol import LabError

pytestmark = pytest.mark.lab
TOPOLOGY = Path(__file__).parents[2] / "topologies" / "two-router.clab.yml"
ENDS_SECONDS = 60
"""Longest time until a process ends, or a lab's folder is removed: milliseconds on an idle machine."""


def monitor_of(lab: EmbeddedLab) -> int:
    """Return the process id of the lab's monitor: the lab's name is in its command line and environment."""
    return pid_of(lab.name, lambda one: one.command == f"keyroll.lab.embedded.monitor {lab.name}")


def parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def kill(pid: int) -> None:
    """Kill a process and wait for its end: before it, it may still accept an order, which is then lost."""
    pidfd = os.pidfd_open(pid)
    try:
        signal.pidfd_send_signal(pidfd, signal.SIGKILL)
        assert select.select([pidfd], [], [], ENDS_SECONDS)[0], f"{pid} does not end"
    finally:
        os.close(pidfd)


@pytest.fixture
def lab(deploy: Callable[..., AbstractContextManager[Pair]], tmp_path: Path) -> Iterator[EmbeddedLab]:
    with deploy(tmp_path / "first") as pair:
        yield pair.lab


@pytest.mark.slow
def test_labs_of_one_process_have_one_fork_server_and_separate_sessions(
    lab: EmbeddedLab, deploy: Callable[..., AbstractContextManager[Pair]], tmp_path: Path
) -> None:
    with deploy(tmp_path / "second") as other:
        one, two = monitor_of(lab), monitor_of(other.lab)
        assert parent(one) == parent(two)
        assert parent(parent(one)) == os.getpid()
        assert os.getsid(one) == one
        assert os.getsid(two) == two


def test_a_lab_survives_the_death_of_the_fork_server_and_the_next_lab_starts_another(
    lab: EmbeddedLab, deploy: Callable[..., AbstractContextManager[Pair]], tmp_path: Path
) -> None:
    former = parent(monitor_of(lab))
    assert parent(former) == os.getpid()
    kill(former)
    with deploy(tmp_path / "next") as other:
        lab.check()
        assert parent(monitor_of(other.lab)) != former
    lab.destroy()
    assert not (Path("/run/keyroll") / lab.name).exists()


def test_a_fork_server_that_cannot_be_started_reports_why(
    monkeypatch: pytest.MonkeyPatch, deploy: Callable[..., AbstractContextManager[Pair]], tmp_path: Path
) -> None:
    broken = tmp_path / "python"
    broken.write_text("#!/bin/sh\necho 'no such module' >&2; exit 1\n")
    broken.chmod(0o755)
    monkeypatch.setattr(owner, "_FORK_SERVERS", owner._ForkServers())
    monkeypatch.setattr(sys, "executable", str(broken))
    with pytest.raises(LabError, match="the fork server has ended: no such module"):  # noqa: SIM117
        with deploy(tmp_path / "none"):
            pytest.fail("there is a lab")


def test_a_fork_server_that_does_not_answer_is_an_error_after_a_deadline(
    monkeypatch: pytest.MonkeyPatch, deploy: Callable[..., AbstractContextManager[Pair]], tmp_path: Path
) -> None:
    mute = tmp_path / "python"
    mute.write_text(f"#!/bin/sh\nexec {sys.executable} -c 'import signal; signal.pause()'\n")
    mute.chmod(0o755)
    monkeypatch.setattr(owner, "_FORK_SERVERS", owner._ForkServers())
    monkeypatch.setattr(owner, "_END_SECONDS", 0.1)
    monkeypatch.setattr(sys, "executable", str(mute))
    with pytest.raises(LabError, match="did not answer within 1 s"):  # noqa: SIM117
        with deploy(tmp_path / "none", wait_scale=0.05):
            pytest.fail("there is a lab")


OWNER = """
import contextlib, os, signal, sys
from pathlib import Path
from keyroll.lab.local import channel
from keyroll.lab.embedded.lab import EmbeddedLab
from keyroll.lab.topology import read_topology


def die(_channel):
    (fork_server,) = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    watching = "anon_inode:[pidfd]"  # of this process: the fork server opens it before it loads the program
    while True:
        for descriptor in Path(f"/proc/{fork_server}/fd").iterdir():
            with contextlib.suppress(FileNotFoundError):
                if os.readlink(descriptor) == watching:
                    os.kill(os.getpid(), signal.SIGKILL)


channel.receive = die
EmbeddedLab(read_topology(Path(sys.argv[1])), evidence=Path(sys.argv[2]), name=sys.argv[3]).deploy()
"""


def test_an_owner_that_is_killed_while_the_program_is_loaded_leaves_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with tempfile.TemporaryDirectory(prefix="kr") as apart:  # no other start removes orphans there
        monkeypatch.setenv("KEYROLL_RUNTIME_DIR", apart)
        folder = Path(apart) / "early"
        command = [sys.executable, "-c", OWNER, str(TOPOLOGY), str(tmp_path / "evidence"), folder.name]
        assert subprocess.run(command, check=False, timeout=ENDS_SECONDS).returncode == -signal.SIGKILL
        deadline, pause = time.monotonic() + ENDS_SECONDS, threading.Event()
        while folder.exists():
            assert time.monotonic() < deadline, "the lab's folder is not removed"
            pause.wait(0.01)


@pytest.mark.slow
def test_a_second_interrupt_during_shutdown_closes_no_descriptor_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    servers = owner._ForkServers()
    servers.begin()
    process = known(servers._present)._process
    with monkeypatch.context() as patch:
        patch.setattr(process, "wait", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            servers.close()
    servers.close()
    process.wait(ENDS_SECONDS)  # the end of its channel ends it
