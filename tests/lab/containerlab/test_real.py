"""The driver with the real containerlab, Docker and the emulated router's image, if this machine has all three."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, cast

import pytest
from netmiko import ConnectHandler
from netmiko.juniper.juniper import JuniperBase

from keyroll.lab.containerlab import docker
from keyroll.lab.containerlab.lab import ContainerLab
from keyroll.lab.local import folders
from keyroll.lab.protocol import LabUnfitError
from keyroll.lab.topology import read_topology
from keyroll.scenario.labs.readiness import readiness

pytestmark = pytest.mark.lab
TOPOLOGY = Path(__file__).parents[3] / "topologies" / "emulated.clab.yml"
IMAGE = os.environ.get("KEYROLL_IMAGE") or "keyroll-router:latest"
WAIT_SECONDS = 120.0
"""Longest wait for a container, or for the end of a lab: some seconds on an idle machine."""


@pytest.fixture(autouse=True)
def _everything_is_there() -> None:
    if os.geteuid() != 0:
        pytest.skip("labs of containers need root")
    for command in ("containerlab", "docker"):
        if shutil.which(command) is None:
            pytest.skip(f"no {command} on this machine")
    try:
        docker.require()
    except LabUnfitError as error:
        pytest.skip(str(error))
    if subprocess.run(["docker", "image", "inspect", IMAGE], capture_output=True, check=False).returncode:
        pytest.skip(f"no image {IMAGE}: `make image` builds it")


def make(folder: Path, **options: Any) -> ContainerLab:
    return ContainerLab(read_topology(TOPOLOGY), evidence=folder, probe=readiness(), **options)


def nothing_left(name: str) -> bool:
    hosts = Path("/etc/hosts").read_text()
    ssh = Path(f"/etc/ssh/ssh_config.d/clab-{name}.conf")
    folder = folders.base_directory() / name
    links = [path for path in Path("/run/netns").glob("clab-*") if name in path.name]
    copies = list(Path(tempfile.gettempdir()).glob(f".clab/bak/*{name}*"))
    return not (
        docker.containers_of("containerlab", name)
        or f"CLAB-{name}-" in hosts
        or ssh.exists()
        or folder.exists()
        or links
        or copies
    )


def test_two_labs_at_the_same_time_leave_nothing_behind(tmp_path: Path) -> None:
    labs = [make(tmp_path / str(number)) for number in range(2)]
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda lab: lab.deploy(), labs))
        try:
            hosts = {router.host for lab in labs for router in lab.routers.values()}
            assert len(hosts) == 4
            for lab in labs:
                lab.check()
        finally:
            list(pool.map(lambda lab: lab.destroy(), labs))
    assert all(nothing_left(lab.name) for lab in labs)


def test_containerlab_adds_no_rule_to_the_hosts_firewall(tmp_path: Path) -> None:
    before = _rules()
    with make(tmp_path):
        assert _rules() == before
    assert _rules() == before


def _rules() -> list[str]:
    if shutil.which("iptables-save") is None:
        pytest.skip("no iptables-save on this machine")
    saved = subprocess.run(["iptables-save"], capture_output=True, text=True, check=True).stdout
    return [line for line in saved.splitlines() if "set by containerlab" in line]


def test_the_image_has_cli_health_and_start_up_configuration(tmp_path: Path) -> None:
    with make(tmp_path) as lab:
        container = f"clab-{lab.name}-R1"
        text = _in(container, "cli", "show", "configuration")
        assert "root-login allow;" in text, "containerlab's own start-up configuration was loaded"
        assert "Family: junos" in _in(container, "cli", "show version")
        _in(container, "/usr/local/sbin/keyroll-health")
        disabled = _in(container, "cat", "/proc/sys/net/ipv6/conf/eth1/disable_ipv6")
        assert disabled == "1\n", "the container's own kernel sends no IPv6 packets on the wire"
        assert (tmp_path / "R1.pcap").exists()


def test_a_start_up_configuration_of_the_user_is_loaded_unchanged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Containerlab would replace variables in it: `$9$…`, `$6$…` and `$CLAB_…` must stay as they are."""
    monkeypatch.setenv("CLAB_SECRET", "filled in")
    hashed = "$6$lB5c6$Zeud8c6IhCTE6hnZxXBl3ZMZTC2hOx9pxxYUWTHKW1oC32SATWLMH2EXarxWS5k685qMggUfFur1lq.o4p4cg1"
    secret = "$9$FXXB3tOhSlMLNvMZDikf50O1RyKMWxVw2GD5F/tB1-Vws4ZQz6CpBX7b2oJHk"
    lines = [
        f'set system root-authentication encrypted-password "{hashed}"',
        f'set security authentication-key-chains key-chain mine key 0 secret "{secret}"',
        'set security authentication-key-chains key-chain mine key 0 start-time "2030-1-1.00:00:00 +0000"',
        'set interfaces ge-0/0/0 description "$CLAB_SECRET"',
    ]
    (tmp_path / "mine.conf").write_text("\n".join(lines) + "\n")
    topology = tmp_path / "mine.clab.yml"
    topology.write_text(TOPOLOGY.read_text().replace("    R1:\n", "    R1:\n      startup-config: mine.conf\n", 1))
    lab = ContainerLab(read_topology(topology), evidence=tmp_path / "evidence", probe=readiness())
    with lab:
        shown = _in(f"clab-{lab.name}-R1", "cli", "show configuration | display set").splitlines()
    assert set(lines) <= set(shown)


def test_without_privileges_the_router_has_frrs_fixed_folders_to_itself(tmp_path: Path) -> None:
    with make(tmp_path) as lab:
        container = f"clab-{lab.name}-R1"
        form = "{{.HostConfig.Privileged}} {{.HostConfig.CapAdd}}"
        shown = subprocess.run(
            ["docker", "inspect", "--format", form, container], capture_output=True, text=True, check=True
        )
        assert shown.stdout == "false [CAP_NET_ADMIN CAP_NET_RAW CAP_SYS_ADMIN]\n"
        for daemon in ("zebra", "bgpd"):
            mounts = _in(container, "sh", "-c", f"cat /proc/$(pidof {daemon})/mountinfo")
            places = {line.split()[4] for line in mounts.splitlines()}
            assert {"/etc/frr", "/run/frr"} <= places, daemon
        assert "/etc/frr" not in _in(container, "cat", "/proc/1/mountinfo"), (
            "only the router's process has mounts over them"
        )


def _in(container: str, *command: str) -> str:
    result = subprocess.run(["docker", "exec", container, *command], capture_output=True, text=True, check=True)
    assert result.stderr == ""
    return result.stdout


def test_a_missing_image_is_reported_with_a_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEYROLL_IMAGE", "keyroll-no-such-image:1")
    lab = make(tmp_path)
    with pytest.raises(LabUnfitError, match=r"keyroll-no-such-image:1 not found locally.*make image"):
        lab.deploy()
    assert nothing_left(lab.name)


def test_a_subnet_in_use_is_reported_with_a_remedy(tmp_path: Path) -> None:
    network = f"keyroll-busy-{os.getpid()}"
    made = subprocess.run(["docker", "network", "create", network], capture_output=True, text=True, check=True)
    assert made.stdout
    try:
        shown = subprocess.run(["docker", "network", "inspect", network], capture_output=True, text=True, check=True)
        subnet = json.loads(shown.stdout)[0]["IPAM"]["Config"][0]["Subnet"]
        topology = tmp_path / "busy.clab.yml"
        mgmt = f"mgmt:\n  network: {network}-2\n  ipv4-subnet: {subnet}\ntopology:\n"
        topology.write_text(TOPOLOGY.read_text().replace("topology:\n", mgmt, 1))
        lab = ContainerLab(read_topology(topology), evidence=tmp_path / "evidence")
        with pytest.raises(LabUnfitError, match=r"already in use by Docker network.*docker network prune"):
            lab.deploy()
        assert nothing_left(lab.name)
    finally:
        subprocess.run(["docker", "network", "rm", network], capture_output=True, check=True)


def test_a_docker_daemon_that_is_down_is_reported_with_a_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    lab = make(tmp_path / "evidence")
    with pytest.raises(LabUnfitError, match=r"Docker does not answer: Cannot connect.*start Docker"):
        lab.deploy()
    assert lab.name == "", "nothing was made"


def test_the_topology_file_works_with_plain_containerlab_and_netmiko(tmp_path: Path) -> None:
    name = f"plain-{os.getpid()}"
    topology = tmp_path / "plain.clab.yml"
    topology.write_text(TOPOLOGY.read_text().replace("name: emulated", f"name: {name}\nmgmt: {{network: {name}}}", 1))
    try:
        _clab("deploy", "-t", str(topology))
        nodes = json.loads(_clab("inspect", "-t", str(topology), "-f", "json"))[name]
        assert [node["name"] for node in nodes] == [f"clab-{name}-R1", f"clab-{name}-R2"]
        host = nodes[0]["ipv4_address"].partition("/")[0]
        with ConnectHandler(device_type="juniper_junos", host=host, username="root", password="clab123") as router:
            assert "Family: junos" in router.send_command("show version")
            router.send_config_set(["set system host-name saved"], exit_config_mode=False)
            assert "commit complete" in cast("JuniperBase", router).commit(and_quit=True)
        _clab("save", "-t", str(topology))
        assert "host-name saved;" in (tmp_path / f"clab-{name}" / "R1" / "config" / "juniper.conf").read_text()
    finally:
        _clab("destroy", "-t", str(topology), "--cleanup")
    listed = ["docker", "network", "ls", "--format", "{{.Name}}"]
    networks = subprocess.run(listed, capture_output=True, text=True, check=True)
    assert name not in networks.stdout.split()
    assert not docker.containers_of("containerlab", name)


def _clab(*arguments: str) -> str:
    environment = {**os.environ, "CLAB_VERSION_CHECK": "disable"}
    result = subprocess.run(["containerlab", *arguments], capture_output=True, text=True, env=environment, check=False)
    assert result.returncode == 0, result.stderr
    assert "ERRO" not in result.stderr, "containerlab exits with 0 in that case too"
    return result.stdout


OWNER = """
import sys
from pathlib import Path
from keyroll.lab.containerlab.lab import ContainerLab
from keyroll.lab.topology import read_topology
ContainerLab(read_topology(Path(sys.argv[1])), evidence=Path(sys.argv[2]), name=sys.argv[3]).deploy()
"""


def test_kill_9_in_deploy_leaves_nothing(tmp_path: Path) -> None:
    name = f"real-kill-{os.getpid()}"
    command = [sys.executable, "-c", OWNER, str(TOPOLOGY), str(tmp_path), name]
    pause = threading.Event()
    deadline = time.monotonic() + WAIT_SECONDS
    with subprocess.Popen(command) as owner:
        while not docker.containers_of("containerlab", name):
            assert owner.poll() is None, "it ended before it had made a container"
            assert time.monotonic() < deadline, "no container came up"
            pause.wait(0.02)
        owner.send_signal(signal.SIGKILL)
        owner.wait()
    while not nothing_left(name):
        assert time.monotonic() < deadline, "the guard has not cleaned up"
        pause.wait(0.05)
