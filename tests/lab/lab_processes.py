"""The processes of a lab, found from outside: each has the lab's name in its environment."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.lab.control_socket import ask


@dataclass(frozen=True, slots=True)
class LabProcess:
    """A process of a lab, as it was found."""

    pid: int
    """As the host counts."""
    inside: int
    """As the innermost pid namespace counts, which is what the routers of the lab report."""
    command: str
    """The words of its command line, with a space between them."""
    environment: tuple[bytes, ...]


def processes(lab: str) -> list[LabProcess]:
    """Return the processes that a lab has at this moment."""
    tag = f"KEYROLL_LAB={lab}".encode()
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            with contextlib.suppress(OSError):  # the process ended meanwhile
                environment = tuple((entry / "environ").read_bytes().split(b"\0"))
                if tag in environment:
                    command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
                    counted = (entry / "status").read_text().partition("NSpid:")[2].splitlines()[0].split()
                    found.append(LabProcess(int(entry.name), int(counted[-1]), command, environment))
    return found


def pid_of(lab: str, holds: Callable[[LabProcess], bool]) -> int:
    """Return the host's id of the first process for which `holds`. Raises AssertionError: there is none."""
    found = processes(lab)
    for one in found:
        if holds(one):
            return one.pid
    raise AssertionError(f"lab {lab} has no such process: {found}")


def pid_of_part(lab: str, router: str, part: str) -> int:
    """Return the host's id of a router's `bgpd`, `wire` and so on: its control socket tells which process it is."""
    inside = ask(lab, router, op="status")["processes"][part]
    return pid_of(lab, lambda one: one.inside == inside)
