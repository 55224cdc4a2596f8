"""What every lab gives: routers that answer on SSH, links, and declared capabilities."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from ipaddress import IPv4Interface, IPv6Interface
from pathlib import Path
from typing import Protocol

from harness.errors import RunError, UnfitError


class LabError(RunError):
    """A lab broke: a daemon died, a wait ended at its deadline, a container vanished. Names it, with its last words."""


class LabUnfitError(UnfitError):
    """This machine cannot carry the lab; the remedy says what would help."""


class Capability(enum.Enum):
    """What a lab can do beyond giving routers; a scenario may require any of them."""

    CAPTURE = "capture"
    SET_CLOCK = "set-clock"
    CUT_LINK = "cut-link"
    IMPAIR = "impair"
    INJECT = "inject"
    REBOOT = "reboot"


@dataclass(frozen=True, slots=True)
class Port:
    """A router's port on a link, as the topology file plans it."""

    interface: str
    """The router's own name of it: `ge-0/0/0`."""
    ipv4: IPv4Interface | None = None
    ipv6: IPv6Interface | None = None


@dataclass(frozen=True, slots=True)
class Router:
    """How a router is reached (by SSH, and by nothing else) and what the topology plans for it."""

    name: str
    host: str
    port: int
    user: str
    password: str = field(repr=False)
    platform: str
    """`emulated`, `crpd`, `vjunos-router`, `vjunos-evolved`: for reports and declared capabilities only."""
    asn: int
    loopback: IPv4Interface | None
    loopback6: IPv6Interface | None
    ports: tuple[Port, ...]


@dataclass(frozen=True, slots=True)
class Phase:
    """One part of bringing a lab up (or down), and how long it took."""

    name: str
    took: timedelta


class Lab(Protocol):
    """One lab. `deploy` and `destroy` may be called from any thread, one at a time."""

    @property
    def name(self) -> str:
        """The lab's own id, unique on this machine."""
        ...

    @property
    def routers(self) -> Mapping[str, Router]:
        """The routers by name, once deployed."""
        ...

    @property
    def capabilities(self) -> frozenset[Capability]:
        """What this lab can do."""
        ...

    @property
    def captures(self) -> Mapping[str, Path]:
        """For each router the capture file of its wire port (nanosecond pcap, Ethernet, growing while the lab is up).

        It holds sent frames before impairment and received frames after it, from before the first daemon started.
        """
        ...

    @property
    def phases(self) -> tuple[Phase, ...]:
        """Where the time of `deploy` (and `destroy`) went, in order."""
        ...

    @property
    def evidence(self) -> Path:
        """The folder with the daemons' logs of this lab."""
        ...

    def deploy(self) -> None:
        """Bring the lab up: after it the routers answer on SSH. Raises LabError, LabUnfitError."""
        ...

    def check(self) -> None:
        """Raise LabError if a part of the lab has died since `deploy`; names it, with its last log lines."""
        ...

    def capture_losses(self) -> Mapping[str, int]:
        """Return for each router how many frames the capture has lost (0 where it is complete)."""
        ...

    def destroy(self) -> None:
        """Take the lab down and leave nothing behind. Can be called twice, and after a failed `deploy`."""
        ...
