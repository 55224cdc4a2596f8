"""The driver with a stand-in that fails, hangs and reports wrong results: nothing is left behind."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.lab.containerlab.conftest import StandIn
from tests.unit.known import known

from keyroll.lab.containerlab import command as program
from keyroll.lab.containerlab import docker, readiness, teardown
from keyroll.lab.containerlab.docker import Host
from keyroll.lab.containerlab.lab import ContainerLab
from keyroll.lab.local import find, folders
from keyroll.lab.protocol import Impairment, LabError, LabUnfitError
from keyroll.lab.topology import read_topology
from keyroll.names import Capability

pytestmark = pytest.mark.lab
TOPOLOGY = Path(__file__).parents[3] / "topologies" / "emulated.clab.yml"
WAIT_SECONDS = 120.0
"""Longest wait for a process, or for its end: some seconds on an idle machine."""


def make(tmp_path: Path, **options: Any) -> ContainerLab:
    return ContainerLab(read_topology(TOPOLOGY), evidence=tmp_path / "evidence", **options)


def wait_until(what: str, holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    pause = threading.Event()
    while not holds():
        assert time.monotonic() < deadline, f"not within {WAIT_SECONDS} s: {what}"
        pause.wait(0.05)


def nothing_left(standin: StandIn, lab: ContainerLab) -> bool:
    return not standin.containers and not standin.network and not (folders.base_directory() / lab.name).exists()


@pytest.mark.usefixtures("ssh_banner")
def test_a_lab_is_deployed_and_destroyed_without_leftovers(standin: StandIn, tmp_path: Path) -> None:
    lab = make(tmp_path)
    with lab:
        assert standin.containers == [f"clab-{lab.name}-R1", f"clab-{lab.name}-R2"]
        assert {name: router.host for name, router in lab.routers.items()} == {"R1": "127.0.0.1", "R2": "127.0.0.1"}
        assert lab.routers["R1"].ports[0].interface == "ge-0/0/0"
        assert "clab123" not in repr(lab.routers["R1"])
        lab.check()
        assert standin.network
        (made,) = docker.all_made()
        assert (made.folder, made.host) == (folders.base_directory() / lab.name, Host.present())
        assert made.host.boot, "labels of its containers name the machine and its boot"
        assert len(made.containers) == 2
    assert nothing_left(standin, lab)
    assert all(call["variables"] == ["CLAB_VERSION_CHECK"] for call in standin.calls)
    assert (tmp_path / "evidence" / "R1-router.log").read_text() == "the container's last output\n"


@pytest.mark.usefixtures("ssh_banner")
@pytest.mark.slow
def test_containerlab_variables_in_the_environment_are_not_passed_on(
    standin: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLAB_NAME", "another")
    monkeypatch.setenv("CLAB_TOPO", "/nowhere")
    with make(tmp_path):
        pass
    assert all(call["variables"] == ["CLAB_VERSION_CHECK"] for call in standin.calls)


@pytest.mark.usefixtures("ssh_banner")
@pytest.mark.slow
def test_each_lab_has_a_file_of_its_own_and_no_name_on_the_command_line(standin: StandIn, tmp_path: Path) -> None:
    first, second = make(tmp_path / "1"), make(tmp_path / "2")
    with first, second:
        assert first.name != second.name
        assert len(standin.containers) == 4
        first.destroy()
        assert standin.containers == [f"clab-{second.name}-R1", f"clab-{second.name}-R2"]
        assert standin.network, "the other lab is on it"
    assert nothing_left(standin, second)
    files = {call["arguments"][2] for call in standin.calls if call["arguments"][0] == "deploy"}
    assert len(files) == 2
    assert not any("--name" in call["arguments"] for call in standin.calls)


def test_a_failed_deploy_is_cleaned_up_and_says_why_with_a_remedy(standin: StandIn, tmp_path: Path) -> None:
    standin.behave(
        deploy="fail",
        words="image nope:1 not found locally, and image-pull-policy=Never prevents containerlab from pulling it",
    )
    lab = make(tmp_path)
    with pytest.raises(LabUnfitError, match=r"nope:1 not found locally.*make image"):
        lab.deploy()
    assert nothing_left(standin, lab)


@pytest.mark.slow
def test_an_unknown_failure_is_shown_with_its_own_message(standin: StandIn, tmp_path: Path) -> None:
    standin.behave(deploy="fail", words="an error that keyroll does not know")
    lab = make(tmp_path)
    with pytest.raises(LabError, match="an error that keyroll does not know"):
        lab.deploy()
    assert nothing_left(standin, lab)


@pytest.mark.slow
def test_a_deploy_that_exits_with_0_and_made_nothing_is_an_error(standin: StandIn, tmp_path: Path) -> None:
    standin.behave(deploy="false-success")
    lab = make(tmp_path)
    with pytest.raises(LabError, match=r"what runs|made no container"):
        lab.deploy()
    assert nothing_left(standin, lab)


@pytest.mark.parametrize("how", ["false-success", pytest.param("fail", marks=pytest.mark.slow)])
@pytest.mark.usefixtures("ssh_banner")
def test_containers_that_destroy_leaves_are_removed(standin: StandIn, tmp_path: Path, how: str) -> None:
    standin.behave(destroy=how)
    lab = make(tmp_path)
    with lab:
        assert len(standin.containers) == 2
    assert nothing_left(standin, lab)


@pytest.mark.usefixtures("ssh_banner")
@pytest.mark.slow
def test_containers_that_cannot_be_removed_are_an_error(standin: StandIn, tmp_path: Path) -> None:
    lab = make(tmp_path)
    lab.deploy()
    standin.behave(destroy="false-success", rm="false-success")
    with pytest.raises(LabError, match="2 containers cannot be removed"):
        lab.destroy()


@pytest.mark.parametrize("how", [pytest.param("hang", marks=pytest.mark.slow), "ignore-sigterm"])
def test_a_deploy_that_hangs_is_ended_and_cleaned_up(
    standin: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    monkeypatch.setattr(program, "DEPLOY_SECONDS", 2.0)
    monkeypatch.setattr(program, "GRACE_SECONDS", 0.5)
    standin.behave(deploy=how)
    lab = make(tmp_path)
    with pytest.raises(LabError, match="did not deploy the lab within 2 s"):
        lab.deploy()
    assert nothing_left(standin, lab)


@pytest.mark.parametrize("router", ["R1", pytest.param("R2", marks=pytest.mark.slow)])
def test_a_container_that_exits_during_startup_is_reported_with_its_last_log_lines(
    standin: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, router: str
) -> None:
    def probe(_router: str) -> None:
        with contextlib.suppress(ProcessLookupError):  # the probe may run again before the end is noticed
            os.kill(standin.pid_of(router), signal.SIGKILL)
        raise LabError("not yet")

    monkeypatch.setattr(readiness, "ssh_answers", lambda _router: None)
    lab = make(tmp_path, probe=probe)
    with pytest.raises(
        LabError, match=rf"{router}'s container ended while it booted; the end of its log:\nthe container's last output"
    ):
        lab.deploy()
    assert nothing_left(standin, lab)


@pytest.mark.usefixtures("ssh_banner")
@pytest.mark.slow
def test_a_router_that_never_gets_ready_ends_at_its_platforms_deadline(standin: StandIn, tmp_path: Path) -> None:
    def probe(_router: str) -> None:
        raise LabError("no interface yet")

    lab = make(tmp_path, probe=probe, wait_scale=0.03)
    with pytest.raises(LabError, match=r"R\d \(emulated\) was not ready 2 s after the deploy: no interface yet"):
        lab.deploy()
    assert nothing_left(standin, lab)


@pytest.mark.usefixtures("ssh_banner")
@pytest.mark.slow
def test_a_container_that_dies_later_is_noticed(standin: StandIn, tmp_path: Path) -> None:
    with make(tmp_path) as lab:
        os.kill(standin.pids[0], signal.SIGKILL)
        wait_until("check() notices", lambda: _broken(lab))


def _broken(lab: ContainerLab) -> bool:
    try:
        lab.check()
    except LabError as error:
        return "container has ended" in str(error)
    return False


OWNER = """
import signal, sys
from pathlib import Path
signal.signal(signal.SIGINT, signal.default_int_handler)  # background jobs of a shell inherit an ignored SIGINT
signal.signal(signal.SIGHUP, signal.SIG_DFL)
from keyroll.lab.containerlab import lab as driver, readiness
from keyroll.lab.topology import read_topology
readiness.ssh_answers = lambda router: None
lab = driver.ContainerLab(read_topology(Path(sys.argv[1])), evidence=Path(sys.argv[2]), name=sys.argv[3],
                          probe=lambda router: None)
lab.deploy()
if sys.argv[4] == "keep":
    lab.keep()
print("up", flush=True)
if sys.stdin.readline() == "destroy\\n":
    lab.destroy()
"""


def owner(tmp_path: Path, name: str, how: str = "own") -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", OWNER, str(TOPOLOGY), str(tmp_path / "evidence"), name, how],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


@pytest.mark.slow
def test_an_owner_that_is_killed_while_it_destroys_leaves_the_rest_to_the_guard(
    standin: StandIn, tmp_path: Path
) -> None:
    name = f"half-{os.getpid()}"
    with owner(tmp_path, name) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        assert process.stdout.readline() == "up\n"
        standin.behave(destroy="hang")
        process.stdin.write("destroy\n")
        process.stdin.flush()
        wait_until("the destroy hangs", (standin.home / "hangs").exists)
        standin.behave()
        process.kill()
        process.wait()
        wait_until("the guard has cleaned up", lambda: not (folders.base_directory() / name).exists())
    assert not standin.containers


@pytest.mark.parametrize("when", ["in deploy", pytest.param("while up", marks=pytest.mark.slow)])
def test_kill_9_of_the_owner_leaves_nothing(standin: StandIn, tmp_path: Path, when: str) -> None:
    name = f"kill-{os.getpid()}-{when.split(maxsplit=1)[0]}"
    if when == "in deploy":
        standin.behave(deploy="hang")
    with owner(tmp_path, name) as process:
        if when == "in deploy":
            wait_until("the deploy hangs", (standin.home / "hangs").exists)
        else:
            assert process.stdout is not None
            assert process.stdout.readline() == "up\n"
        assert standin.containers
        process.kill()
        process.wait()
        wait_until("the guard has cleaned up", lambda: not (folders.base_directory() / name).exists())
    assert not standin.containers
    assert not standin.network


def test_a_kept_lab_outlives_its_owner_and_is_taken_down_by_name(standin: StandIn, tmp_path: Path) -> None:
    name = f"kept-{os.getpid()}"
    with owner(tmp_path, name, "keep") as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        process.kill()
        process.wait()
    found = find.find(name)
    assert found.alive
    assert [entry.name for entry in known(found.state).routers] == ["R1", "R2"]
    assert found.ask_keeper("ping")[0]["links"] == ["R1:eth1-R2:eth1"]
    with pytest.raises(LabError, match=r"router R1 of lab .* has no control socket .*log in by SSH"):
        found.ask_router("R1", "status")
    found.stop()
    assert not standin.containers
    assert not (folders.base_directory() / name).exists()


@pytest.mark.usefixtures("ssh_banner")
@pytest.mark.slow
def test_orphans_of_a_guard_that_was_killed_too_are_reaped_by_the_next_start(standin: StandIn, tmp_path: Path) -> None:
    name = f"orphan-{os.getpid()}"
    with owner(tmp_path, name) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        for pid in [int(child) for child in children] + [process.pid]:
            os.kill(pid, signal.SIGKILL)
        process.wait()
    wait_until("the lab's lock is free", lambda: not folders.is_alive(folders.base_directory() / name))
    assert standin.containers == [f"clab-{name}-R1", f"clab-{name}-R2"]
    with make(tmp_path) as lab:
        assert standin.containers == [f"clab-{lab.name}-R1", f"clab-{lab.name}-R2"]
    assert not (folders.base_directory() / name).exists()


@pytest.mark.usefixtures("ssh_banner")
def test_links_are_cut_and_frames_injected_at_the_containers_ends(standin: StandIn, tmp_path: Path) -> None:
    with make(tmp_path) as lab:
        lab.links.cut()
        assert [_up(pid) for pid in standin.pids] == [False, False]
        lab.links.restore()
        assert [_up(pid) for pid in standin.pids] == [True, True]
        frame = bytes.fromhex("ffffffffffff02000000000108 00".replace(" ", "")) + b"injected" * 8
        digest = lab.links.inject(frame, towards="R2")
        assert [(one.sha256, one.towards, one.what) for one in lab.links.special_frames()] == [
            (digest, "R2", "injected")
        ]
        with pytest.raises(LabError, match="neither reorder nor damage"):
            lab.links.impair(Impairment(damage=0.1), towards="R2")
    assert frame not in lab.captures["R1"].read_bytes(), "R1 never sent it"
    assert lab.capture_losses() == {"R1": 0, "R2": 0}


def _up(pid: int) -> bool:
    command = ["nsenter", "-t", str(pid), "-n", "ip", "-json", "link", "show", "eth1"]
    shown = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    return "UP" in shown[0]["flags"]


def test_missing_prerequisites_are_reported_with_a_remedy(
    standin: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    standin.behave(version='{"version": "0.77.0"}')
    with pytest.raises(LabUnfitError, match=r"0\.77\.0 is older than 0\.78.*install"):
        make(tmp_path).deploy()
    standin.behave(version='{"version": "0.0.0"}')
    with pytest.raises(LabUnfitError, match=r"reports version 0\.0\.0: built without a version"):
        make(tmp_path).deploy()
    standin.behave(version="what?")
    with pytest.raises(LabUnfitError, match="does not say its version"):
        make(tmp_path).deploy()
    standin.behave(docker="down")
    with pytest.raises(LabUnfitError, match=r"Docker does not answer.*start Docker"):
        make(tmp_path).deploy()
    monkeypatch.setenv("PATH", "/usr/bin")
    with pytest.raises(LabUnfitError, match="`containerlab` is not on this machine"):
        make(tmp_path).deploy()
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(LabUnfitError, match=r"need root.*sudo"):
        make(tmp_path).deploy()
    assert not standin.containers


def test_each_missing_capability_of_a_platform_has_a_reason() -> None:
    lab = ContainerLab(read_topology(TOPOLOGY.with_name("crpd.clab.yml")), evidence=Path("unused"))
    assert Capability.SET_CLOCK not in lab.capabilities
    assert "host's clock" in lab.gaps["set-clock"]
    unable = {capability.value for capability in set(Capability) - lab.capabilities}
    assert unable <= set(lab.gaps), "a skip is reported with its reason"


def test_the_block_that_containerlab_writes_into_etc_hosts_is_removed() -> None:
    text = (
        "127.0.0.1\tlocalhost\n###### CLAB-x-START ######\n172.20.20.2\tclab-x-R1\n###### CLAB-x-END ######\n::1\tip6\n"
    )
    begin, end = "###### CLAB-x-START ######", "###### CLAB-x-END ######"
    assert teardown.without_block(text, begin, end) == "127.0.0.1\tlocalhost\n::1\tip6\n"
    torn = text.replace(end + "\n", "")
    assert teardown.without_block(torn, begin, end) == "127.0.0.1\tlocalhost\n::1\tip6\n"


def test_links_and_copies_that_containerlab_leaves_on_the_host_are_removed_for_this_lab_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(teardown, "_NAMESPACES", tmp_path)
    monkeypatch.setattr(teardown, "_BACKUPS", tmp_path)
    (tmp_path / "clab-x-R1").symlink_to("/proc/0/ns/net")
    (tmp_path / "clab-x-y-R1").symlink_to(f"/proc/{os.getpid()}/ns/net")
    for copy in ("261127_102308_x.clab.yml", "261127_102308_x-y.clab.yml"):
        (tmp_path / copy).touch()
    teardown.forget("x")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["261127_102308_x-y.clab.yml", "clab-x-y-R1"]
