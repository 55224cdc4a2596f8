"""What each kind of router is: how containerlab names it, how it is reached, what it can do and what it cannot.

A platform is data. Sources: containerlab's documents of its kinds (`juniper_crpd`, `juniper_vjunosrouter`,
`juniper_vjunosevolved`), vrnetlab's of its images; what is not known is in docs/assumptions/containerlab.md.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from keyroll.names import Capability

_OUTSIDE = frozenset({Capability.CAPTURE, Capability.CUT_LINK, Capability.INJECT, Capability.REBOOT})
"""What a lab does from outside a router, in the namespace of its container."""
_ETH = re.compile(r"eth([1-9][0-9]{0,2})")


@dataclass(frozen=True, slots=True)
class Platform:
    """One platform. `port` is the router's own name of containerlab's `eth<n>`, with `{n}` or `{m}` (n - 1) in it."""

    name: str
    kind: str
    user: str
    password: str = field(repr=False)
    port: str
    image_variable: str
    """Names the image in `topologies/`: `LAB=crpd CRPD_IMAGE=crpd:24.4R1.9`."""
    ready_seconds: float
    """From the end of `containerlab deploy` to a router that takes a configuration."""
    shows_ports: str = "show interfaces terse"
    """The command that names its interfaces, each as a word of its own."""
    health: bool = False
    """Whether its image says by a health check that it has booted; until then asking it is pointless."""
    needs_kvm: bool = False
    kernels_tcp_ao: bool = False
    """Whether its TCP-AO may be its host's kernel's, so that without it no session with keys comes up."""
    capabilities: frozenset[Capability] = _OUTSIDE
    gaps: Mapping[Capability, str] = field(default_factory=dict)
    """Why it has not the other capabilities."""
    settings: Mapping[str, str] = field(default_factory=dict)
    """Environment variables of the container that carry the emulated router's own settings."""

    def interface(self, wire: str) -> str:
        """Return the router's own name of the container's interface `wire` (`eth1`). Raises ValueError."""
        match = _ETH.fullmatch(wire)
        if match is None:
            raise ValueError(f"'{wire}' is not eth1, eth2, …")
        number = int(match[1])
        return self.port.format(n=number, m=number - 1)


EMULATED = Platform(
    name="emulated",
    kind="juniper_crpd",
    user="root",
    password="clab123",  # noqa: S106 - containerlab's own default for the kind, public in its documents
    port="ge-0/0/{m}",
    image_variable="KEYROLL_IMAGE",
    ready_seconds=60,
    health=False,
    capabilities=_OUTSIDE | {Capability.SET_CLOCK, Capability.KEY_POLICY},
    settings={
        name: f"KEYROLL_{name.upper()}" for name in ("sending", "receiving", "repoint", "alteration", "deletion")
    },
)
CRPD = Platform(
    name="crpd",
    kind="juniper_crpd",
    user="root",
    password="clab123",  # noqa: S106 - as above
    port="eth{n}",
    image_variable="CRPD_IMAGE",
    ready_seconds=180,
    # `terse` is a syntax error on some cRPDs; containerlab's page of the kind shows this one.
    shows_ports="show interfaces routing",
    # Its TCP connections are the host kernel's. Nobody has said yet whether its TCP-AO is, too.
    kernels_tcp_ao=True,
    capabilities=_OUTSIDE - {Capability.REBOOT},
    gaps={
        Capability.SET_CLOCK: "cRPD has its host's clock, which no test may move",
        Capability.REBOOT: "a cRPD container that restarts loses the links that containerlab made",
    },
)
VJUNOS_ROUTER = Platform(
    name="vjunos-router",
    kind="juniper_vjunosrouter",
    user="admin",
    password="admin@123",  # noqa: S106 - as above
    port="ge-0/0/{m}",
    image_variable="VJUNOS_IMAGE",
    ready_seconds=1500,
    health=True,
    needs_kvm=True,
    capabilities=_OUTSIDE | {Capability.SET_CLOCK},
)
VJUNOS_EVOLVED = Platform(
    name="vjunos-evolved",
    kind="juniper_vjunosevolved",
    user="admin",
    password="admin@123",  # noqa: S106 - as above
    port="et-0/0/{m}",
    image_variable="VJUNOS_EVOLVED_IMAGE",
    ready_seconds=1800,
    health=True,
    needs_kvm=True,
    capabilities=_OUTSIDE | {Capability.SET_CLOCK},
)
PLATFORMS: Mapping[str, Platform] = {one.name: one for one in (EMULATED, CRPD, VJUNOS_ROUTER, VJUNOS_EVOLVED)}
_BY_KIND = {"crpd": CRPD, **{one.kind: one for one in (CRPD, VJUNOS_ROUTER, VJUNOS_EVOLVED)}}


def platform_of(kind: str, label: str | None) -> Platform | None:
    """Return the platform of a node: by its label `keyroll.platform` where it has one, else by its kind."""
    return PLATFORMS.get(label) if label is not None else _BY_KIND.get(kind)
