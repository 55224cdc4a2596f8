"""Parts of a lab that hang or die are named in the error."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest
from tests.command_line import KEYROLL
from tests.lab.conftest import Pair
from tests.lab.lab_processes import pid_of, processes

from keyroll.junos.errors import SessionError
from keyroll.lab.embedded.lab import EmbeddedLab
from keyroll.lab.local import find
from keyroll.lab.protocol import LabError

pytestmark = pytest.mark.lab
PARTS = {
    "keyroll.lab.embedded.keeper": "the keeper",
    "keyroll.lab.embedded.link": "link R1:eth1-R2:eth1",
    "keyroll.lab.local.recorder R2:eth1": "R2's capture at eth1",
    "keyroll.emulator R1": "router R1",
}


def process(lab: str, title: str) -> int:
    """Return the id of the lab's process whose command line begins with `title`."""
    return pid_of(lab, lambda one: one.command.startswith(title))


@contextmanager
def stopped(pid: int) -> Iterator[None]:
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def is_silent(lab: EmbeddedLab, name: str) -> bool:
    """Whether only this part does not answer; short, because a stopped part never answers."""
    return lab.silent_parts(seconds=0.2) == (name,)


def test_a_stopped_lab_process_is_reported_as_not_answering_and_answers_after_it_continues(own_pair: Pair) -> None:
    lab = own_pair.lab
    for title, name in PARTS.items():
        with stopped(process(lab.name, title)):
            # On a busy machine other parts may not answer in that time either: then they are asked again.
            own_pair.until(f"only {name} is silent", partial(is_silent, lab, name))
            lab.check()
        # Late answers must not be taken for answers to later requests.
        own_pair.until("all parts answer", lambda: lab.silent_parts() == ())
    assert lab.links.inject(bytes(60), towards="R1")


def test_a_request_to_a_stopped_link_process_does_not_shift_later_answers(own_pair: Pair) -> None:
    lab = own_pair.lab
    with stopped(process(lab.name, "keyroll.lab.embedded.link")), pytest.raises(LabError, match="does not answer"):
        lab.links.cross_syns(179)
    assert len(lab.links.inject(bytes(60), towards="R1")) == 64


@pytest.mark.parametrize(
    ("title", "said"),
    [
        ("keyroll.lab.embedded.monitor", "the monitor has died, and with it the keeper and the whole lab"),
        pytest.param(
            "keyroll.lab.embedded.keeper", "the keeper was killed by SIGKILL and the whole lab", marks=pytest.mark.slow
        ),
        pytest.param("keyroll.lab.embedded.link", "link R1:eth1-R2:eth1 was killed by SIGKILL", marks=pytest.mark.slow),
        pytest.param(
            "keyroll.lab.local.recorder R1:eth1", "R1's capture at eth1 was killed by SIGKILL", marks=pytest.mark.slow
        ),
        pytest.param("keyroll.emulator R2", "router R2 was killed by SIGKILL", marks=pytest.mark.slow),
    ],
)
def test_a_lab_process_that_is_killed_is_named(own_pair: Pair, title: str, said: str) -> None:
    os.kill(process(own_pair.lab.name, title), signal.SIGKILL)
    with pytest.raises(LabError) as error:
        own_pair.until("the error", lambda: False)
    assert said in str(error.value)


def test_a_lost_ssh_session_is_reported_as_the_death_of_its_router(own_pair: Pair) -> None:
    os.kill(process(own_pair.lab.name, "keyroll.emulator R1"), signal.SIGKILL)
    with pytest.raises(SessionError):
        own_pair.sessions["R1"].show("show version")
    with pytest.raises(LabError, match="router R1 was killed by SIGKILL"):
        own_pair.lab.silent_parts()


@pytest.mark.parametrize(
    ("title", "said"),
    [
        pytest.param(title, name, marks=() if "link" in title else pytest.mark.slow)
        for title, name in PARTS.items()
        if "link" in title or "recorder" in title
    ],
)
def test_lab_status_names_the_process_that_died(own_pair: Pair, title: str, said: str) -> None:
    lab = own_pair.lab
    lab.keep()
    os.kill(process(lab.name, title), signal.SIGKILL)
    command = [*KEYROLL, "lab", "status", lab.name, "--json"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 2
    assert f"{said} was killed by SIGKILL" in result.stderr
    assert [death["what"] for death in json.loads(result.stdout)["deaths"]] == [said]
    lab.destroy()


def test_no_process_of_a_lab_writes_core_files_or_inherits_the_secrets_of_the_caller(own_pair: Pair) -> None:
    found = processes(own_pair.lab.name)
    for each in found:
        assert "Max core file size        0                    0" in Path(f"/proc/{each.pid}/limits").read_text()
        assert not [one for one in each.environment if one.startswith(b"PYTEST_")]
    assert len(found) >= 10


def test_two_concurrent_lab_down_commands_both_succeed(own_pair: Pair) -> None:
    own_pair.lab.keep()
    found = [find.find(own_pair.lab.name) for _ in range(2)]
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda one: one.stop(), found))
    assert not found[0].path.exists()
    own_pair.lab.destroy()  # closes the descriptors of the kept lab in this process
