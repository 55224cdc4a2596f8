"""What every lab gives: routers that answer on SSH, links, and declared capabilities."""

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
"""From a `ping` to its answer. Every part answers between two batches of frames, so in milliseconds. On a loaded
machine a part that can run gets a processor well within this time; only one that is stopped or stuck does not."""


class LabError(RunError):
    """A lab broke: a daemon died, a deadline passed, a container vanished. Names it, with the end of its log."""


class LabUnfitError(UnfitError):
    """This machine cannot carry the lab; the remedy says what would help."""


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


@dataclass(frozen=True, slots=True)
class Impairment:
    """What happens to frames in one direction. Shares are of 1; times in seconds; all drawn from `seed`.

    `reorder` is the share of frames that are held back by `hold` so that later ones overtake them; `damage` is the
    share in which one bit, drawn from the frame's payload beyond the Ethernet header, is turned.
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
                raise LabError(f"impair: {name} is a share between 0 and 1, not {getattr(self, name)}")
        for name in ("delay", "jitter", "hold"):
            if getattr(self, name) < 0:
                raise LabError(f"impair: {name} is a time in seconds, not {getattr(self, name)}")


@dataclass(frozen=True, slots=True)
class SpecialFrame:
    """A frame that a link did not plainly carry. `ns` is the host's clock; `towards` the router it went to."""

    ns: int
    what: str
    """`injected`, `damaged` (as the receiver sees it), `lost` (by impairment) or `cut`."""
    towards: str
    sha256: str
    length: int


class Links(Protocol):
    """The links of a lab that can cut them, impair them, or inject frames. `link` None is the only link.

    All raise LabError when there is no such link or router, or the lab has broken.
    """

    @property
    def names(self) -> tuple[str, ...]:
        """The links' names: `R1:eth1-R2:eth1`."""
        ...

    def cut(self, link: str | None = None) -> None:
        """Cut the link: frames are lost, and the ports at both ends lose their carrier."""
        ...

    def restore(self, link: str | None = None) -> None:
        """Undo `cut` (and whatever else holds frames: `SteeringLinks`)."""
        ...

    def impair(self, impairment: Impairment, *, towards: str, link: str | None = None) -> None:
        """Impair the direction towards a router; `Impairment()` takes every impairment away."""
        ...

    def inject(self, frame: bytes, *, towards: str, link: str | None = None) -> str:
        """Send a frame (from the Ethernet header on) to a router as if the link had carried it; return its SHA-256."""
        ...

    def special_frames(self, link: str | None = None) -> tuple[SpecialFrame, ...]:
        """Return the frames that the link did not plainly carry, in their order."""
        ...


@runtime_checkable
class SteeringLinks(Links, Protocol):
    """Links that can also make two routers' SYNs cross (a part of the capability STEER_TCP)."""

    def cross_syns(self, port: int, link: str | None = None) -> None:
        """Hold SYNs to a TCP port until there is one in each direction, then let both go; once."""
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
    """A lab that knows why it lacks a capability."""

    @property
    def gaps(self) -> Mapping[str, str]:
        """The reasons, by capability; also of capabilities that it has, should they go."""
        ...


@runtime_checkable
class RecordsIncidents(Protocol):
    """A lab that mends some of what goes wrong in it by itself."""

    @property
    def incidents(self) -> tuple[str, ...]:
        """What went wrong and was mended since `deploy`, as `check` was told of it: one sentence each."""
        ...


@runtime_checkable
class Pingable(Protocol):
    """A lab whose parts can be asked whether they still work."""

    def silent_parts(self, seconds: float = PING_SECONDS) -> tuple[str, ...]:
        """Ask every part of the lab to answer; return those that did not within `seconds`, by their names.

        Parts are: what carries the lab (keeper or guard), links, captures, and in each emulated router its supervisor,
        its wire path and its daemons. A part that is stopped (SIGSTOP), or hangs, is silent and not dead.

        Raises:
            LabError: a part has died; it is named.
        """
        ...


@runtime_checkable
class CountsDrops(Protocol):
    """A lab that knows why its routers dropped what they received, where their show output has but a total."""

    def received_drops(self, router: str) -> Mapping[str, int]:
        """Return how many frames a router has dropped on receipt since it started, by reason (docs/control.md).

        Raises:
            LabError: it does not say.
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
