"""Failures of Docker and of the host under a lab of containers: what may be left is reported, and removed later."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.command_line import KEYROLL
from tests.lab.containerlab.conftest import StandIn

from keyroll.errors import InputError
from keyroll.lab.containerlab import teardown
from keyroll.lab.containerlab.command import Program
from keyroll.lab.containerlab.docker import FOLDER_LABEL, HOST_LABEL, Host
from keyroll.lab.containerlab.lab import ContainerLab
from keyroll.lab.local import folders
from keyroll.lab.protocol import LabError, LabUnfitError
from keyroll.lab.topology import read_topology

from .test_driver import make as make_lab
from .test_driver import nothing_left

pytestmark = pytest.mark.lab


@pytest.fixture(autouse=True)
def ready_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("keyroll.lab.containerlab.readiness.ssh_answers", lambda _router: None)


def make(folder: Path) -> ContainerLab:
    return make_lab(folder, probe=lambda _router: None)


def keyroll(*words: str) -> str:
    command = [*KEYROLL, "lab", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("moment", [pytest.param("dockerd dies first", marks=pytest.mark.slow), "dockerd dies"])
def test_a_dockerd_that_dies_during_deploy_breaks_the_lab_and_leftovers_are_removed_later(
    standin: StandIn, tmp_path: Path, moment: str
) -> None:
    standin.behave(deploy=moment)
    lab = make(tmp_path)
    said = r"containerlab cannot deploy the lab: .* may be left: Docker no longer answers.*`keyroll lab clean`"
    with pytest.raises(LabError, match=said):
        lab.deploy()
    folder = folders.base_directory() / lab.name
    assert folders.topology_of(folder).exists()
    assert not folders.is_alive(folder)
    standin.behave()
    assert f"removed {lab.name}" in keyroll("clean")
    assert nothing_left(standin, lab)


@pytest.mark.slow
def test_a_dockerd_that_dies_in_a_run_leaves_a_lab_that_can_be_taken_down_by_its_name(
    standin: StandIn, tmp_path: Path
) -> None:
    lab = make(tmp_path)
    lab.deploy()
    standin.behave(docker="down")
    with pytest.raises(LabError, match="may be left"):
        lab.destroy()
    assert len(standin.containers) == 2
    standin.behave()
    assert keyroll("down", lab.name) == f"lab {lab.name} is down\n"
    assert nothing_left(standin, lab)


@pytest.mark.slow
def test_a_lab_with_a_temporary_evidence_folder_keeps_it_until_the_containers_are_removed(standin: StandIn) -> None:
    lab = ContainerLab(
        read_topology(Path(__file__).parents[3] / "topologies" / "emulated.clab.yml"),
        evidence=None,
        probe=lambda _router: None,
    )
    lab.deploy()
    standin.behave(docker="down")
    with pytest.raises(LabError):
        lab.destroy()
    assert lab.evidence.exists()
    standin.behave()
    keyroll("clean")
    assert not lab.evidence.exists()
    assert nothing_left(standin, lab)


@pytest.mark.slow
def test_a_containerlab_killed_by_a_signal_is_reported_with_its_last_output(standin: StandIn, tmp_path: Path) -> None:
    standin.behave(deploy="killed")
    lab = make(tmp_path)
    with pytest.raises(LabError, match=r"it was killed by SIGKILL; its last output: INFO Creating container name=R1"):
        lab.deploy()
    assert nothing_left(standin, lab)


@pytest.mark.slow
def test_a_full_management_network_is_reported_with_a_remedy(standin: StandIn, tmp_path: Path) -> None:
    standin.behave(
        deploy="fail", words="Error response from daemon: no available IPv4 addresses on this network's pools"
    )
    with pytest.raises(LabUnfitError, match="set KEYROLL_MGMT_SUBNET wider"):
        make(tmp_path).deploy()


def test_an_unsupported_kind_is_an_error_of_the_file_before_anything_is_made(tmp_path: Path) -> None:
    path = tmp_path / "other.clab.yml"
    path.write_text("name: x\ntopology: {nodes: {R1: {kind: nokia_srlinux, labels: {keyroll.asn: 1}}}}\n")
    with pytest.raises(InputError, match="node R1 has an unknown platform"):
        ContainerLab(read_topology(path), evidence=tmp_path)


def test_a_full_disk_names_the_file(standin: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "write_text", no_room)
    lab = make(tmp_path)
    with pytest.raises(LabUnfitError, match=r"\.clab\.yml cannot be written: No space left on device .make room"):
        lab.deploy()
    assert not standin.containers


def no_room(*_: object, **__: object) -> None:
    raise OSError(28, "No space left on device")


PRESENT = Host("this-machine", "this-boot")


@pytest.mark.parametrize(
    ("place", "host", "removed"),
    [
        ("", Host("this-machine", "former-boot"), True),
        ("", PRESENT, False),  # its folder may be in another mount namespace
        ("", Host("another-machine", "another-boot"), False),
        ("", Host("", "former-boot"), False),
        ("", Host("", ""), False),
        ("elsewhere", Host("this-machine", "former-boot"), False),  # another KEYROLL_RUNTIME_DIR
    ],
)
def test_containers_without_a_run_folder_are_removed_only_if_their_machine_has_rebooted(
    standin: StandIn, monkeypatch: pytest.MonkeyPatch, place: str, host: Host, removed: bool
) -> None:
    monkeypatch.setattr(Host, "present", classmethod(lambda _cls: PRESENT))
    folder = folders.base_directory().parent / place / "labs" / "lab-1"
    labels = {"containerlab": "lab-1", FOLDER_LABEL: str(folder), HOST_LABEL: str(host)}
    process = subprocess.Popen(["sleep", "infinity"])
    entry = {"name": "clab-lab-1-R1", "pid": process.pid, "labels": labels}
    (standin.home / "containers" / "clab-lab-1-R1.json").write_text(json.dumps(entry))
    environment = {**os.environ, "KEYROLL_STANDIN": str(standin.home)}
    assert teardown.reap(Program(environment=environment)) == (["lab-1"] if removed else [])
    assert standin.containers == ([] if removed else ["clab-lab-1-R1"])
    process.kill()
    process.wait()


def test_podman_in_place_of_docker_is_refused_by_name(standin: StandIn, tmp_path: Path) -> None:
    standin.behave(server="5.4.2 Podman Engine Conmon OCI Runtime (crun)")
    with pytest.raises(LabUnfitError, match="the Docker socket belongs to Podman"):
        make(tmp_path).deploy()


@pytest.mark.slow
def test_a_lab_that_cannot_be_deployed_ends_the_pytest_session_with_the_reason(standin: StandIn) -> None:
    standin.behave(docker="down")
    library = Path(__file__).parents[2] / "scenarios" / "rollover"
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "-n",
        "1",
        "--keyroll-lab",
        "containerlab",
    ]
    done = subprocess.run([*command, library], capture_output=True, text=True, check=False)
    assert done.returncode not in (0, 5)
    assert "no scenario can be played here: Docker does not answer" in done.stdout
    assert done.stdout.count("UNFIT") <= 3, "the first runs are enough to report the reason"
