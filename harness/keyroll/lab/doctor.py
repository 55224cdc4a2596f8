"""Check what this machine supports, by tests in a child process or by reading its state. Changes nothing."""

from __future__ import annotations

import enum
import json
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from keyroll.lab.containerlab.command import OLDEST
from keyroll.lab.local.folders import base_directory
from keyroll.lab.local.machine_probe import (
    TRY_SECONDS,
    USER_NAMESPACES,
    frr_directory,
    kernel_has_netem,
    kernel_has_tcp_ao,
)
from keyroll.lab.protocol import LabUnfitError

_UNSHARE = {"user": "--user", "net": "--net", "mnt": "--mount", "pid": "--pid"}
_FRR_OLDEST = (8, 4)
"""The oldest FRR release that the emulated router was tested with (Debian 12)."""
_IMAGES = re.compile(r"crpd|vjunos", re.IGNORECASE)
_MPLS = {
    "mpls_router": Path("/proc/sys/net/mpls/platform_labels"),
    "mpls_iptunnel": Path("/sys/module/mpls_iptunnel"),
}
"""Kernel modules, each with a path that exists if the module is built in."""
_KVM = Path("/dev/kvm")
_PROCESSORS = Path("/proc/cpuinfo")


class State(enum.Enum):
    """What a finding means for embedded labs."""

    GOOD = "good"
    MISSING = "missing"
    """Embedded labs need it."""
    OPTIONAL = "absent"
    """Only other features need it."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One check: what was found, what needs it, and the remedy."""

    name: str
    state: State
    found: str
    needed_for: str
    remedy: str | None = None


def examine() -> list[Finding]:
    """Run all checks, in the order in which a person would fix them."""
    return list(_findings())


def _findings() -> Iterator[Finding]:
    root = os.geteuid() == 0
    users = _try("user", "net", "mnt", "pid")
    yield _verdict(
        "Python", sys.version_info >= (3, 11), platform.python_version(), "everything", "use Python 3.11 or newer"
    )
    spaces = _try("net", "mnt", "pid") if root else users
    remedy = (
        "give the container CAP_SYS_ADMIN and CAP_NET_ADMIN, and a seccomp profile that lets unshare(2) through"
        if root
        else USER_NAMESPACES
    )
    yield _verdict("namespaces", spaces is None, spaces or "can be made", "embedded labs", remedy)
    yield _either("user namespaces", users is None, users or "can be made", "embedded labs without root", remedy)
    yield _frr()
    yield _program("ip", "ip", "embedded labs", "apt-get install iproute2", needed=True)
    yield _runtime_folder()
    yield _kernel_ao()
    yield _docker()
    yield _containerlab()
    yield _modules()
    yield _netem()
    yield _mpls()
    yield _images()
    yield _kvm()


def _verdict(name: str, good: bool, found: str, needed_for: str, remedy: str) -> Finding:  # noqa: FBT001 - the verdict
    return Finding(name, State.GOOD if good else State.MISSING, found, needed_for, remedy)


def _either(name: str, good: bool, found: str, needed_for: str, remedy: str) -> Finding:  # noqa: FBT001 - the verdict
    return Finding(name, State.GOOD if good else State.OPTIONAL, found, needed_for, remedy)


def _try(*spaces: str) -> str | None:
    """Try to create namespaces in a child process; return None on success, else the reason."""
    result = _run(["unshare", *(_UNSHARE[space] for space in spaces), "true"])
    if result is None:
        return "`unshare` (util-linux) cannot be run"
    return None if result.returncode == 0 else result.stderr.strip().splitlines()[0]


def _run(command: list[str]) -> subprocess.CompletedProcess[str] | None:
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=TRY_SECONDS)
    except (OSError, subprocess.TimeoutExpired):
        return None


def _frr() -> Finding:
    folder = frr_directory()
    remedy = "apt-get install frr (8.4 or newer)"
    if folder is None:
        return Finding("FRR", State.MISSING, "not installed", "embedded labs", remedy)
    daemons = {name: (folder / name).exists() for name in ("zebra", "bgpd", "ldpd", "staticd")}
    lacking = [name for name, there in daemons.items() if not there]
    if lacking:
        return Finding("FRR", State.MISSING, f"{folder} lacks {', '.join(lacking)}", "embedded labs", remedy)
    result = _run([str(folder / "zebra"), "--version"])
    match = re.search(r"version (\d+)\.(\d+)(\S*)", result.stdout) if result is not None else None
    if match is None:
        return Finding("FRR", State.MISSING, "zebra does not print its version", "embedded labs", remedy)
    new_enough = (int(match[1]), int(match[2])) >= _FRR_OLDEST
    return _verdict("FRR", new_enough, f"{match[1]}.{match[2]}{match[3]} in {folder}", "embedded labs", remedy)


def _program(name: str, command: str, needed_for: str, remedy: str, *, needed: bool = False) -> Finding:
    path = shutil.which(command)
    absent = State.MISSING if needed else State.OPTIONAL
    return Finding(name, State.GOOD if path else absent, path or "not installed", needed_for, remedy)


def _runtime_folder() -> Finding:
    try:
        return Finding("run-time folder", State.GOOD, str(base_directory()), "embedded labs")
    except LabUnfitError as error:
        return Finding("run-time folder", State.MISSING, error.message, "embedded labs", error.remedy)


def _kernel_ao() -> Finding:
    there = kernel_has_tcp_ao()
    found = f"{'in' if there else 'not in'} kernel {platform.release()}"
    remedy = "a kernel of 6.7 or newer with CONFIG_TCP_AO (GitHub's ubuntu-24.04 runners have one)"
    return _either("kernel TCP-AO", there, found, "tests against the kernel's own TCP-AO; cRPD may need it", remedy)


def _docker() -> Finding:
    remedy = "apt-get install docker.io, and the right to use /var/run/docker.sock"
    result = _run(["docker", "version", "--format", "{{.Server.Version}}"])
    if result is None:
        return Finding("Docker", State.OPTIONAL, "not installed", "containerlab labs", remedy)
    if result.returncode:
        words = (result.stderr.strip().splitlines() or ["does not answer"])[-1]
        starts = "start it: systemctl start docker; and use sudo, or join the group docker"
        return Finding("Docker", State.OPTIONAL, words, "containerlab labs", starts)
    return Finding("Docker", State.GOOD, result.stdout.strip(), "containerlab labs")


def _containerlab() -> Finding:
    remedy = "containerlab 0.78 or newer: https://containerlab.dev/install/"
    result = _run(["containerlab", "version", "--json"])
    if result is None:
        return Finding("containerlab", State.OPTIONAL, "not installed", "containerlab labs", remedy)
    try:
        version = str(json.loads(result.stdout)["version"])
        parts = tuple(int(part) for part in version.split(".")[:2])
    except (ValueError, KeyError, TypeError):
        return Finding("containerlab", State.OPTIONAL, "does not print its version", "containerlab labs", remedy)
    return _either("containerlab", parts >= OLDEST, version, "containerlab labs", remedy)


def _modules() -> Finding:
    there = Path("/proc/modules").exists()
    remedy = "a kernel with module support: containerlab requires that file (docs/containerlab.md)"
    return _either("/proc/modules", there, "there" if there else "not there", "containerlab labs", remedy)


def _netem() -> Finding:
    there = kernel_has_netem()
    remedy = "modprobe sch_netem, if the kernel has it"
    return _either("netem", there, "usable" if there else "not usable", "impairments in containerlab labs", remedy)


def _mpls() -> Finding:
    """Check what cRPD's LDP needs: it forwards with the host's kernel."""
    lacking = [name for name, place in _MPLS.items() if not place.exists() and not _module(name)]
    remedy = f"modprobe {' '.join(lacking)}, if the kernel has them"
    found = f"{', '.join(lacking)} not loaded" if lacking else "loaded"
    return _either("MPLS in the kernel", not lacking, found, "LDP between cRPDs", remedy)


def _module(name: str) -> bool:
    return Path("/sys/module", name).exists()


def _kvm() -> Finding:
    """Check the same as containerlab, which refuses vJunos if no processor has the flag `vmx` or `svm`."""
    needed_for = "vJunos-router and vJunosEvolved"
    remedy = "a machine (or nested virtualisation) with KVM, and the right to use /dev/kvm"
    if not _KVM.exists():
        return Finding("KVM", State.OPTIONAL, f"no {_KVM}", needed_for, remedy)
    if not os.access(_KVM, os.R_OK | os.W_OK):
        return Finding("KVM", State.OPTIONAL, f"no permission to use {_KVM}", needed_for, remedy)
    flags = set(_PROCESSORS.read_text(encoding="ascii", errors="replace").split())
    there = not flags.isdisjoint({"vmx", "svm"})
    return _either("KVM", there, "usable" if there else f"neither vmx nor svm in {_PROCESSORS}", needed_for, remedy)


def _images() -> Finding:
    remedy = "load Juniper's image: docker load -i junos-routing-crpd-docker-…tgz"
    result = _run(["docker", "images", "--format", "{{.Repository}}:{{.Tag}}"])
    lines = result.stdout.splitlines() if result is not None and result.returncode == 0 else []
    found = [line for line in lines if _IMAGES.search(line)]
    return _either("Junos images", bool(found), ", ".join(found) or "none", "real cRPD and vJunos labs", remedy)
