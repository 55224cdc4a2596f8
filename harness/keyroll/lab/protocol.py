"""Interfaces of all labs: routers that are reached by SSH, links, and declared capabilities."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from ipaddress import IPv4Interface, IPv6Interface
from pathlib import Path
from typing import Protocol, runtime_checkable

from keyroll.errors import RunError, UnfitError
from keyroll.names import Capability

PING_SECONDS = 2.0
"""Longest time from a `ping` to its answer. A part answers between two batches of frames, within milliseconds. Even on
a loaded machine only a part that is stopped or stuck exceeds this time."""


class LabError(RunError):
    """A lab failed: a daemon died, a deadline passed, a container disappeared. Names it, with the end of its log."""


class LabUnfitError(UnfitError):
    """This machine cannot run the lab; the remedy says what helps."""


@dataclass(frozen=True, slots=True)
class Port:
    """A router's port on a link, from the topology file."""

    interface: str
    """Its name on the router: `ge-0/0/0`."""
    ipv4: IPv4Interface | None = None
    ipv6: IPv6Interface | None = None


@dataclass(frozen=True, slots=True)
class Router:
    """How a router is reached (only by SSH), and its data from the topology."""

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
    """One phase of deploying (or destroying) a lab, and its duration."""

    name: str
    took: timedelta


@dataclass(frozen=True, slots=True)
class Impairment:
    """Impairment of frames in one direction. Shares are from 0 to 1; times in seconds; randomness comes from `seed`.

    `reorder` is the share of frames delayed by `hold`, so that later frames overtake them: several are sent in 10 ms.
    `damage` is the share of frames in which one random bit after the Ethernet header is flipped.
    """

    loss: float = 0.0
    delay: float = 0.0
    jitter: float = 0.0
    reorder: float = 0.0
    hold: float = 0.01
    damage: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("loss", "reorder", "damage"):
            if not 0 <= getattr(self, name) <= 1:
                raise LabError(f"impair: invalid {name} {getattr(self, name)}: use a share from 0 to 1")
        for name in ("delay", "jitter", "hold"):
            if getattr(self, name) < 0:
                raise LabError(f"impair: invalid {name} {getattr(self, name)}: use a time in seconds")


@dataclass(frozen=True, slots=True)
class SpecialFrame:
    """A frame that a link injected, damaged or dropped. `ns` is the host's clock; `towards` the destination router."""

    ns: int
    what: str
    """`injected`, `damaged` (as the receiver sees it), `lost` (by impairment) or `cut`."""
    towards: str
    sha256: str
    length: int


class Links(Protocol):
    """The links of a lab that can cut or impair them, or inject frames. `link` None means the only link.

    All methods raise LabError for an unknown link or router, and if the lab has failed.
    """

    @property
    def names(self) -> tuple[str, ...]:
        """The links' names: `R1:eth1-R2:eth1`."""
        ...

    def cut(self, link: str | None = None) -> None:
        """Cut the link: frames are lost, and the ports at both ends lose carrier."""
        ...

    def restore(self, link: str | None = None) -> None:
        """Undo `cut` (and `SteeringLinks.cross_syns`, which holds frames)."""
        ...

    def impair(self, impairment: Impairment, *, towards: str, link: str | None = None) -> None:
        """Impair the direction towards a router; `Impairment()` removes every impairment."""
        ...

    def inject(self, frame: bytes, *, towards: str, link: str | None = None) -> str:
        """Send a frame (from the Ethernet header on) to a router as if the link had carried it; return its SHA-256."""
        ...

    def special_frames(self, link: str | None = None) -> tuple[SpecialFrame, ...]:
        """Return the frames that the link injected, damaged or dropped, in order."""
        ...


@runtime_checkable
class SteeringLinks(Links, Protocol):
    """Links that can also make two routers' SYNs cross (a part of the capability STEER_TCP)."""

    def cross_syns(self, port: int, link: str | None = None) -> None:
        """Hold SYNs to a TCP port until there is one in each direction, then send both; works once."""
        ...


@runtime_checkable
class LinkLab(Protocol):
    """A lab with the capabilities CUT_LINK, IMPAIR and INJECT."""

    @property
    def links(self) -> Links:
        """The links."""
        ...


@runtime_checkable
class ExplainsGaps(Protocol):
    """A lab that can say why it lacks a capability."""

    @property
    def gaps(self) -> Mapping[str, str]:
        """The reasons, by capability; also for capabilities that it has, in case a run disables them."""
        ...


@runtime_checkable
class RecordsIncidents(Protocol):
    """A lab that repairs some faults by itself."""

    @property
    def incidents(self) -> tuple[str, ...]:
        """The repaired faults since `deploy`, as seen by `check`: one sentence each."""
        ...


@runtime_checkable
class Pingable(Protocol):
    """A lab that can ping its parts."""

    def silent_parts(self, seconds: float = PING_SECONDS) -> tuple[str, ...]:
        """Ping every part of the lab; return the names of those that did not answer within `seconds`.

        Parts are: keeper or guard, links, captures, and in each emulated router its supervisor, its wire path and its
        daemons. A part that is stopped (SIGSTOP) or hangs does not answer; it does not count as dead.

        Raises:
            LabError: a part has died; it is named.
        """
        ...


@runtime_checkable
class CountsDrops(Protocol):
    """A lab that knows the reasons for which its routers dropped segments; their show output has only a total."""

    def received_drops(self, router: str) -> Mapping[str, int]:
        """Return how many frames a router has dropped on receipt since it started, by reason (docs/control.md).

        Raises:
            LabError: the router does not answer.
        """
        ...


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

        It holds sent frames before impairment and received frames after it, and starts before the first daemon.
        """
        ...

    @property
    def phases(self) -> tuple[Phase, ...]:
        """The phases of `deploy` (and `destroy`) with their durations, in order."""
        ...

    @property
    def evidence(self) -> Path:
        """The folder with the daemons' logs of this lab."""
        ...

    def deploy(self) -> None:
        """Deploy the lab; afterwards the routers answer on SSH. Raises LabError, LabUnfitError."""
        ...

    def check(self) -> None:
        """Raise LabError if a part of the lab has died since `deploy`; the error has its name and last log lines."""
        ...

    def capture_losses(self) -> Mapping[str, int]:
        """Return for each router how many frames the capture has lost (0: complete)."""
        ...

    def destroy(self) -> None:
        """Destroy the lab and leave nothing behind. Can be called twice, and after a failed `deploy`."""
        ...
