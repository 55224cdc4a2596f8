"""Find the processes of a lab: each has the lab's name in its environment."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.lab.control_socket import ask


@dataclass(frozen=True, slots=True)
class LabProcess:
    """A process of a lab."""

    pid: int
    """Its id in the host's pid namespace."""
    inside: int
    """Its id in its own pid namespace, which is the one that the lab's routers report."""
    command: str
    """Its command line, with spaces between the arguments."""
    environment: tuple[bytes, ...]


def processes(lab: str) -> list[LabProcess]:
    """Return the current processes of a lab."""
    tag = f"KEYROLL_LAB={lab}".encode()
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            with contextlib.suppress(OSError):  # the process has ended meanwhile
                environment = tuple((entry / "environ").read_bytes().split(b"\0"))
                if tag in environment:
                    command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
                    counted = (entry / "status").read_text().partition("NSpid:")[2].splitlines()[0].split()
                    found.append(LabProcess(int(entry.name), int(counted[-1]), command, environment))
    return found


def pid_of(lab: str, holds: Callable[[LabProcess], bool]) -> int:
    """Return the host's id of the first process for which `holds` is true. Raises AssertionError if there is none."""
    found = processes(lab)
    for one in found:
        if holds(one):
            return one.pid
    raise AssertionError(f"lab {lab} has no such process: {found}")


def pid_of_part(lab: str, router: str, part: str) -> int:
    """Return the host's id of a part of a router (`bgpd`, `wire`, …); its control socket reports the inner id."""
    inside = ask(lab, router, op="status")["processes"][part]
    return pid_of(lab, lambda one: one.inside == inside)
