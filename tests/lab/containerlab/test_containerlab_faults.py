"""Known failure modes of containerlab and Docker, each reproduced with the stand-in."""

from __future__ import annotations

import json
import logging
import os
import signal
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.lab.containerlab.conftest import StandIn

from keyroll.lab.containerlab import command, link_ends, readiness, teardown
from keyroll.lab.containerlab import lab as driver
from keyroll.lab.containerlab.command import Program
from keyroll.lab.containerlab.lab import ContainerLab
from keyroll.lab.containerlab.link_ends import ContainerLink, LinkEnd
from keyroll.lab.local import folders
from keyroll.lab.protocol import LabError, LabUnfitError
from keyroll.lab.topology import read_topology

from .test_driver import TOPOLOGY, WAIT_SECONDS, nothing_left, owner, wait_until
from .test_driver import make as make_lab

pytestmark = pytest.mark.lab


@pytest.fixture
def ready_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readiness, "ssh_answers", lambda _router: None)


def make(folder: Path) -> ContainerLab:
    return make_lab(folder, probe=lambda _router: None)


@pytest.mark.slow
def test_a_deploy_that_exits_with_0_and_made_one_of_two_routers_is_an_error(standin: StandIn, tmp_path: Path) -> None:
    standin.behave(deploy="half")
    lab = make(tmp_path)
    with pytest.raises(LabError, match=r"reported success but made no container clab-\S+-R2"):
        lab.deploy()
    assert nothing_left(standin, lab)


@pytest.mark.usefixtures("ready_at_once")
@pytest.mark.slow
def test_a_router_without_an_ipv4_address_is_reached_by_ipv6(standin: StandIn, tmp_path: Path) -> None:
    standin.behave(addresses={"ipv4_address": "N/A", "ipv6_address": "3fff:172:20:20::2/64"})
    with make(tmp_path) as lab:
        assert lab.routers["R1"].host == "3fff:172:20:20::2"


@pytest.mark.parametrize(
    "addresses",
    [
        pytest.param({"ipv4_address": "N/A", "ipv6_address": "N/A"}, id="not there", marks=pytest.mark.slow),
        pytest.param({}, id="no keys", marks=pytest.mark.slow),
    ],
)
def test_a_router_without_an_address_is_an_error(standin: StandIn, tmp_path: Path, addresses: dict[str, str]) -> None:
    standin.behave(addresses=addresses)
    lab = make(tmp_path)
    with pytest.raises(LabError, match=r"containerlab reports no address of clab-\S+-R1"):
        lab.deploy()
    assert nothing_left(standin, lab)


@pytest.mark.usefixtures("ready_at_once")
@pytest.mark.slow
def test_a_destroy_that_hangs_is_ended_and_the_containers_are_removed_by_their_label(
    standin: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "DESTROY_SECONDS", 5.0)  # on a busy machine too, the stand-in has started by then
    monkeypatch.setattr(command, "GRACE_SECONDS", 0.5)
    with make(tmp_path) as lab:
        standin.behave(destroy="hang")
    assert (standin.home / "hangs").exists()
    assert nothing_left(standin, lab)


@pytest.mark.usefixtures("ready_at_once")
@pytest.mark.slow
def test_labs_that_start_at_once_deploy_one_after_the_other_on_one_network(standin: StandIn, tmp_path: Path) -> None:
    labs = [make(tmp_path / str(number)) for number in range(3)]
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda lab: lab.deploy(), labs))
        assert len(standin.containers) == 6
        assert (standin.home / "network").read_text().splitlines() == ["keyroll-mgmt"]
        list(pool.map(lambda lab: lab.destroy(), labs))
    assert not (standin.home / "overlaps").exists()
    assert all(nothing_left(standin, lab) for lab in labs)


@pytest.mark.usefixtures("ready_at_once")
@pytest.mark.slow
def test_each_lab_has_a_folder_of_its_own_so_that_cleanup_touches_no_other_lab(
    standin: StandIn, tmp_path: Path
) -> None:
    with make(tmp_path / "1"), make(tmp_path / "2"):
        pass
    verbs = [call["arguments"][0] for call in standin.calls]
    assert set(verbs) == {"version", "deploy", "inspect", "destroy"}, "`exec` and `save` exit with 0 whatever happens"
    asked: dict[str, list[Any]] = {verb: [] for verb in verbs}
    for call in standin.calls:
        if "-t" in call["arguments"]:
            asked[call["arguments"][0]].append(Path(call["arguments"][2]).parent)
    assert len(set(asked["deploy"])) == len(asked["deploy"]) == 2
    assert set(asked["destroy"]) == set(asked["deploy"])
    assert all(
        "--cleanup" in call["arguments"] and "--keep-mgmt-net" in call["arguments"]
        for call in standin.calls
        if call["arguments"][0] == "destroy"
    )


@pytest.mark.slow
def test_several_networks_of_one_name_are_reported_with_a_remedy(standin: StandIn, tmp_path: Path) -> None:
    standin.behave(network="twice")
    lab = make(tmp_path)
    with pytest.raises(LabUnfitError, match=r"several Docker networks called keyroll-mgmt.*by their ids"):
        lab.deploy()
    assert not standin.containers


@pytest.mark.slow
def test_a_subnet_in_use_is_reported_with_the_variable_that_sets_another(
    standin: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KEYROLL_MGMT_SUBNET", "172.31.77.0/24")
    standin.behave(network="busy")
    lab = make(tmp_path)
    with pytest.raises(LabUnfitError, match=r"Pool overlaps.*KEYROLL_MGMT_SUBNET"):
        lab.deploy()
    assert nothing_left(standin, lab)


@pytest.mark.parametrize(
    "number",
    [signal.SIGINT, *(pytest.param(one, marks=pytest.mark.slow) for one in (signal.SIGTERM, signal.SIGHUP))],
    ids=lambda number: number.name,
)
def test_an_owner_that_gets_a_signal_during_deploy_leaves_nothing(
    standin: StandIn, tmp_path: Path, number: signal.Signals
) -> None:
    name = f"signal-{os.getpid()}"
    standin.behave(deploy="hang")
    with owner(tmp_path, name) as process:
        wait_until("the deploy hangs", (standin.home / "hangs").exists)
        process.send_signal(number)
        process.wait(WAIT_SECONDS)
        wait_until("all is cleaned up", lambda: not (folders.base_directory() / name).exists())
    assert not standin.containers
    assert not standin.network


@pytest.mark.parametrize(("scale", "expected"), [(1.0, None), (2.5, "2.5")])
@pytest.mark.usefixtures("standin", "ready_at_once")
@pytest.mark.slow
def test_the_wait_scale_is_passed_to_the_containers(tmp_path: Path, scale: float, expected: str | None) -> None:
    with make_lab(tmp_path, probe=lambda _router: None, wait_scale=scale) as lab:
        rendered = yaml.safe_load((folders.base_directory() / lab.name / f"{lab.name}.clab.yml").read_text())
    for node in rendered["topology"]["nodes"].values():
        assert node.get("env", {}).get("KEYROLL_WAIT_SCALE") == expected


@pytest.mark.parametrize("file", ["vjunos.clab.yml", "vjunos-evolved.clab.yml"])
@pytest.mark.usefixtures("standin")
def test_vjunos_without_kvm_is_refused_before_anything_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str
) -> None:
    real = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: path != "/dev/kvm" and real(path, mode))
    lab = ContainerLab(read_topology(TOPOLOGY.with_name(file)), evidence=tmp_path / "evidence")
    with pytest.raises(LabUnfitError, match=r"/dev/kvm is missing or not accessible.*nested virtualisation"):
        lab.deploy()
    assert lab.name == ""


@pytest.mark.usefixtures("ready_at_once")
@pytest.mark.slow
def test_a_console_log_that_is_not_text_does_not_prevent_destroy(standin: StandIn, tmp_path: Path) -> None:
    standin.behave(console="\xff\xfe login:")
    lab = make(tmp_path)
    with lab:
        pass
    assert nothing_left(standin, lab)
    assert (tmp_path / "evidence" / "R1-router.log").read_text() == "\ufffd\ufffd login:\n"


@pytest.mark.usefixtures("ready_at_once")
@pytest.mark.slow
def test_logs_with_the_same_name_are_kept_for_each_router(standin: StandIn, tmp_path: Path) -> None:
    with make(tmp_path) as lab:
        for router in lab.routers:
            log = folders.base_directory() / lab.name / f"clab-{lab.name}" / router / "log"
            log.mkdir(parents=True)
            (log / "cscript.log").write_text(f"of {router}")
            (log / f"{router}-bgpd.log").write_text(f"bgpd of {router}")
    assert not standin.containers
    for router in ("R1", "R2"):
        assert (tmp_path / "evidence" / f"{router}-cscript.log").read_text() == f"of {router}"
        assert (tmp_path / "evidence" / f"{router}-bgpd.log").read_text() == f"bgpd of {router}"


@pytest.mark.parametrize(
    ("kernel", "said"),
    [(False, 1), pytest.param(True, 0, marks=pytest.mark.slow)],
    ids=["without TCP-AO", "with TCP-AO"],
)
@pytest.mark.usefixtures("ready_at_once")
def test_crpd_on_a_kernel_without_tcp_ao_causes_a_warning(
    standin: StandIn,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    kernel: bool,
    said: int,
) -> None:
    monkeypatch.setattr(driver, "kernel_has_tcp_ao", lambda: kernel)
    plan = read_topology(TOPOLOGY.with_name("crpd.clab.yml"))
    with ContainerLab(plan, evidence=tmp_path / "evidence", probe=lambda _router: None):
        assert len(standin.containers) == 2
    words = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert len(words) == said
    assert all("R1, R2: kernel" in text and "no session with keys comes up" in text for text in words)


@pytest.fixture
def link(standin: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ContainerLink]:
    monkeypatch.setattr(link_ends, "kernel_has_netem", lambda: True)
    frame_log = os.open(tmp_path / "frame_log", os.O_WRONLY | os.O_CREAT)
    pair = (LinkEnd("R1", "clab-x-R1", -1, "eth1"), LinkEnd("R2", "clab-x-R2", -1, "eth2"))
    command = Program(environment={**os.environ, "KEYROLL_STANDIN": str(standin.home)})
    yield ContainerLink(pair, Path("/run/x/x.clab.yml"), frame_log, command)
    os.close(frame_log)


@pytest.mark.parametrize(
    ("version", "first", "second"),
    [
        pytest.param("0.79.0", ["-n", "clab-x-R1"], ["-n", "clab-x-R2"], id="by container"),
        pytest.param(
            "0.80.0",
            ["-t", "/run/x/x.clab.yml", "-n", "R1"],
            ["-t", "/run/x/x.clab.yml", "-n", "R2"],
            id="by node of a topology",
        ),
    ],
)
def test_an_impairment_is_at_the_sending_routers_end(
    standin: StandIn, link: ContainerLink, version: str, first: list[str], second: list[str]
) -> None:
    standin.behave(version=json.dumps({"version": version}))
    impairment = {"delay": 0.02, "jitter": 0.005, "loss": 0.01}
    assert link.obey({"op": "impair", "towards": 1, "impairment": impairment}) == {"ok": True}
    assert link.obey({"op": "impair", "towards": 0, "impairment": {}}) == {"ok": True}
    options = ["--delay", "20ms", "--jitter", "5ms", "--loss", "1"]
    assert [call["arguments"] for call in standin.calls] == [
        ["version", "--json"],
        ["tools", "netem", "set", *first, "-i", "eth1", *options],
        ["tools", "netem", "reset", *second, "-i", "eth2"],
    ]


def test_a_failed_impairment_is_reported_with_the_message_of_containerlab(
    standin: StandIn, link: ContainerLink
) -> None:
    standin.behave(netem="fail", words="jitter cannot be set without setting delay")
    answer = link.obey({"op": "impair", "towards": 1, "impairment": {"jitter": 0.005}})
    assert not answer["ok"]
    assert "cannot impair clab-x-R1:eth1: jitter cannot be set without setting delay" in answer["error"]


def test_an_unreadable_version_of_containerlab_is_an_error_that_does_not_end_the_guard(
    standin: StandIn, link: ContainerLink
) -> None:
    standin.behave(version="what?")
    answer = link.obey({"op": "impair", "towards": 1, "impairment": {"delay": 0.02}})
    assert not answer["ok"]
    assert "does not say its version" in answer["error"]


@pytest.fixture
def own_base(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A runtime folder for this test only: else the start of another test's lab would remove this test's leftovers."""
    with tempfile.TemporaryDirectory(prefix="kr") as folder:  # pytest's own is longer than a socket's path may be
        monkeypatch.setenv("KEYROLL_RUNTIME_DIR", folder)
        yield


@pytest.mark.usefixtures("own_base")
@pytest.mark.slow
def test_leftovers_of_a_lab_killed_before_it_had_containers_are_removed_by_the_next_start(
    standin: StandIn, tmp_path: Path
) -> None:
    name = f"early-{os.getpid()}"
    standin.behave(deploy="hang")
    with owner(tmp_path, name) as process:
        wait_until("the deploy hangs", (standin.home / "hangs").exists)
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        for pid in [*map(int, children), process.pid]:
            os.kill(pid, signal.SIGKILL)
        process.wait()
    for pid in standin.pids:
        os.kill(pid, signal.SIGKILL)
    for entry in (standin.home / "containers").iterdir():
        entry.unlink()
    standin.behave()
    program = Program(environment={**os.environ, "KEYROLL_STANDIN": str(standin.home)})

    def nothing_is_left() -> bool:
        teardown.reap(program)  # the guard may still be removing it, or have removed it already
        return not standin.network and not (folders.base_directory() / name).exists()

    wait_until("the next start has removed what was left", nothing_is_left)
