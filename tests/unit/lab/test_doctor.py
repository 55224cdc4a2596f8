from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from tests.command_line import KEYROLL

from keyroll.lab import doctor
from keyroll.lab.doctor import State


def test_every_finding_that_is_not_good_has_a_remedy() -> None:
    for finding in doctor.examine():
        assert finding.found
        assert finding.needed_for
        assert finding.state is State.GOOD or finding.remedy, finding


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        ('{"version": "0.79.0"}', State.GOOD),
        ('{"version": "0.56.0"}', State.OPTIONAL),
        ("oops", State.OPTIONAL),
        ("{}", State.OPTIONAL),
    ],
)
def test_the_version_of_containerlab_is_checked(monkeypatch: pytest.MonkeyPatch, answer: str, state: State) -> None:
    monkeypatch.setattr(doctor, "_run", lambda command: subprocess.CompletedProcess(command, 0, answer, ""))
    assert doctor._containerlab().state is state


@pytest.mark.parametrize(
    ("answer", "state"),
    [("zebra version 8.4.4\n", State.GOOD), ("zebra version 7.5.1\n", State.MISSING), ("", State.MISSING)],
)
def test_the_version_of_frr_is_checked(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, answer: str, state: State
) -> None:
    for name in ("zebra", "bgpd", "ldpd", "staticd"):
        (tmp_path / name).touch()
    monkeypatch.setattr(doctor, "frr_directory", lambda: tmp_path)
    monkeypatch.setattr(doctor, "_run", lambda command: subprocess.CompletedProcess(command, 0, answer, ""))
    assert doctor._frr().state is state
    (tmp_path / "ldpd").unlink()
    assert "lacks ldpd" in doctor._frr().found


def test_the_remedy_for_a_silent_docker_is_to_start_it_and_for_a_missing_one_to_install_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    message = "Cannot connect to the Docker daemon at unix:///var/run/docker.sock."
    monkeypatch.setattr(doctor, "_run", lambda command: subprocess.CompletedProcess(command, 1, "", message))
    assert doctor._docker().found == message
    assert "systemctl start docker" in (doctor._docker().remedy or "")
    monkeypatch.setattr(doctor, "_run", lambda _command: None)
    assert "apt-get install" in (doctor._docker().remedy or "")


@pytest.mark.parametrize(
    ("flags", "found", "state"),
    [
        ("flags\t\t: fpu vmx sse", "usable", State.GOOD),
        ("flags\t\t: fpu svm sse", "usable", State.GOOD),
        ("flags\t\t: fpu sse", "neither vmx nor svm", State.OPTIONAL),
    ],
)
def test_kvm_is_usable_only_with_the_processor_flags_that_containerlab_requires(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, flags: str, found: str, state: State
) -> None:
    monkeypatch.setattr(doctor, "_KVM", tmp_path / "kvm")
    assert "no " in doctor._kvm().found
    (tmp_path / "kvm").touch()
    (tmp_path / "cpuinfo").write_text(f"processor\t: 0\n{flags}\n")
    monkeypatch.setattr(doctor, "_PROCESSORS", tmp_path / "cpuinfo")
    assert found in doctor._kvm().found
    assert doctor._kvm().state is state


def test_images_of_juniper_are_found_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = "debian:12\nvrnetlab/juniper_vjunos-router:23.2R1\ncrpd:24.4\n"
    monkeypatch.setattr(doctor, "_run", lambda command: subprocess.CompletedProcess(command, 0, answer, ""))
    assert doctor._images().found == "vrnetlab/juniper_vjunos-router:23.2R1, crpd:24.4"


def test_a_missing_program_is_reported_without_a_traceback() -> None:
    assert doctor._run(["/nonexistent/program"]) is None


def test_doctor_prints_json_and_exits_by_its_verdict() -> None:
    command = [*KEYROLL, "doctor", "--json"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    shown = json.loads(result.stdout)
    assert result.returncode == (0 if shown["fit"] else 2)
    assert {"FRR", "namespaces", "kernel TCP-AO"} <= {one["name"] for one in shown["findings"]}
