"""Properties of each router platform: its kind in containerlab, how it is reached, its capabilities and limits.

A platform is data. Sources: containerlab's pages of its kinds (`juniper_crpd`, `juniper_vjunosrouter`,
`juniper_vjunosevolved`), and vrnetlab's of its images. Assumptions are in docs/assumptions/containerlab.md.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from keyroll.names import Capability

_OUTSIDE = frozenset({Capability.CAPTURE, Capability.CUT_LINK, Capability.INJECT, Capability.REBOOT})
"""Capabilities that the lab provides from outside the router, in its container's namespace."""
_OWN_PORTS = _OUTSIDE | {Capability.VLAN}
"""Of routers whose ports are their own, not their container's."""
_ETH = re.compile(r"eth([1-9][0-9]{0,2})")
_ALIAS = r"(?:et|xe|ge)-0/0/(\d{1,3})"
"""The vendor's interface names that containerlab accepts instead of `eth<n>` for virtual machines (since 0.56)."""


@dataclass(frozen=True, slots=True)
class PortMap:
    """Mapping between containerlab's interface names (`eth<n>`) and the router's own names."""

    name: str
    """The router's own name, with `{}` for its number."""
    base: int = 0
    """The router's number of its first port."""
    first: int = 1
    """The `eth<n>` of its first port; lower numbers are reserved."""
    alias: str | None = None
    """Pattern of the names that a topology file may have instead of `eth<n>`; its group is the router's number."""

    def interface(self, wire: str) -> str:
        """Return the router's own name of `eth<n>`. Raises ValueError if the name is invalid or reserved."""
        return self.name.format(self._number(wire) - self.first + self.base)

    def wire(self, text: str) -> str:
        """Return the `eth<n>` for `eth<n>` itself or an alias. Raises ValueError if the name is invalid."""
        match = re.fullmatch(self.alias, text, re.ASCII) if self.alias is not None else None
        if match is not None:
            return f"eth{int(match[1]) - self.base + self.first}"
        return f"eth{self._number(text)}"

    def _number(self, wire: str) -> int:
        match = _ETH.fullmatch(wire)
        if match is None:
            ours = self.name.format(self.base) if self.alias is not None else ""
            raise ValueError(
                f"'{wire}' is not eth{self.first}, eth{self.first + 1}, …" + (f" or {ours}, …" if ours else "")
            )
        number = int(match[1])
        if number < self.first:
            raise ValueError(f"'{wire}' is reserved: the first port is eth{self.first} ({self.name.format(self.base)})")
        return number


@dataclass(frozen=True, slots=True)
class Platform:
    """One platform."""

    name: str
    kind: str
    user: str
    password: str = field(repr=False)
    ports: PortMap
    image_variable: str
    """Names the image in `topologies/`: `LAB=crpd CRPD_IMAGE=crpd:24.4R1.9`."""
    ready_seconds: float
    """From the end of `containerlab deploy` to a router that accepts a configuration."""
    in_protocols: str = "{}.0"
    """A port's name in `protocols ldp` and `protocols mpls`, with `{}` for the port; in Junos its logical interface."""
    shows_ports: str = "show interfaces terse"
    """The command that lists its interfaces, each as a separate word."""
    health: bool = False
    """Whether its image has a health check that reports the end of the boot; until then logins are pointless."""
    poll_seconds: float = 0.2
    """Interval between readiness checks: short for routers that boot in seconds, long for virtual machines, which boot
    for minutes and need processor time for each login."""
    needs_kvm: bool = False
    kernels_tcp_ao: bool = False
    """Whether it may use TCP-AO of the host's kernel; without that, no session with keys comes up."""
    capabilities: frozenset[Capability] = _OUTSIDE
    gaps: Mapping[Capability, str] = field(default_factory=dict)
    """Why it lacks the other capabilities."""
    settings: Mapping[str, str] = field(default_factory=dict)
    """Environment variables of the container with the emulated router's settings."""


_VM_POLL_SECONDS = 5.0
"""A virtual machine boots for 5 to 30 minutes, and each login costs it some tenths of a second."""
EMULATED = Platform(
    name="emulated",
    kind="juniper_crpd",
    user="root",
    password="clab123",  # noqa: S106 - containerlab's own default for the kind, public in its documents
    ports=PortMap("ge-0/0/{}"),
    image_variable="KEYROLL_IMAGE",
    ready_seconds=60,
    health=False,
    capabilities=_OWN_PORTS | {Capability.SET_CLOCK, Capability.KEY_POLICY},
    settings={
        name: f"KEYROLL_{name.upper()}" for name in ("sending", "receiving", "repoint", "alteration", "deletion")
    },
)
CRPD = Platform(
    name="crpd",
    kind="juniper_crpd",
    user="root",
    password="clab123",  # noqa: S106 - as above
    ports=PortMap("eth{}", base=1),
    # netlab's configuration of cRPD (24.4R1.9) and rpd itself name the interfaces of LDP and MPLS without a unit.
    in_protocols="{}",
    image_variable="CRPD_IMAGE",
    ready_seconds=180,
    # `terse` is a syntax error on some cRPDs; containerlab's page of the kind shows this one.
    shows_ports="show interfaces routing",
    # The host's kernel handles its TCP connections. It is not documented whether this includes TCP-AO.
    kernels_tcp_ao=True,
    capabilities=_OUTSIDE - {Capability.REBOOT},
    gaps={
        Capability.SET_CLOCK: "cRPD uses its host's clock, which a test must not change",
        Capability.REBOOT: "a cRPD container that restarts loses the links that containerlab made",
        Capability.VLAN: "cRPD has its container's interfaces and no VLANs on them: take `vlan` out of the file",
    },
)
VJUNOS_ROUTER = Platform(
    name="vjunos-router",
    kind="juniper_vjunosrouter",
    user="admin",
    password="admin@123",  # noqa: S106 - as above
    ports=PortMap("ge-0/0/{}", alias=_ALIAS),
    image_variable="VJUNOS_IMAGE",
    # "5 to 10 minutes" (containerlab), 15 reported; the port appears only when the virtual FPC is online.
    ready_seconds=1500,
    health=True,
    poll_seconds=_VM_POLL_SECONDS,
    needs_kvm=True,
    capabilities=_OWN_PORTS | {Capability.SET_CLOCK},
)
VJUNOS_EVOLVED = Platform(
    name="vjunos-evolved",
    kind="juniper_vjunosevolved",
    user="admin",
    password="admin@123",  # noqa: S106 - as above
    ports=PortMap("et-0/0/{}", alias=_ALIAS),
    image_variable="VJUNOS_EVOLVED_IMAGE",
    # One user reports 26 minutes on a slow machine.
    ready_seconds=1800,
    health=True,
    poll_seconds=_VM_POLL_SECONDS,
    needs_kvm=True,
    capabilities=_OWN_PORTS | {Capability.SET_CLOCK},
)
CJUNOS_EVOLVED = Platform(
    name="cjunos-evolved",
    kind="juniper_cjunosevolved",
    user="admin",
    password="admin@123",  # noqa: S106 - as above
    # containerlab's page of the kind: eth1 to eth3 belong to the image itself.
    ports=PortMap("et-0/0/{}", first=4, alias=_ALIAS),
    image_variable="CJUNOS_EVOLVED_IMAGE",
    ready_seconds=900,
    poll_seconds=_VM_POLL_SECONDS,
    needs_kvm=True,
    capabilities=_OWN_PORTS | {Capability.SET_CLOCK},
)
VJUNOS_SWITCH = replace(
    VJUNOS_ROUTER, name="vjunos-switch", kind="juniper_vjunosswitch", image_variable="VJUNOS_SWITCH_IMAGE"
)
VMX = replace(VJUNOS_ROUTER, name="vmx", kind="juniper_vmx", image_variable="VMX_IMAGE")
_ALL = (
    EMULATED,
    CRPD,
    VJUNOS_ROUTER,
    VJUNOS_EVOLVED,
    CJUNOS_EVOLVED,
    VJUNOS_SWITCH,
    VMX,
)
PLATFORMS: Mapping[str, Platform] = {one.name: one for one in _ALL}
_BY_KIND = {"crpd": CRPD, **{one.kind: one for one in _ALL if one is not EMULATED}}


def platform_of(kind: str, label: str | None) -> Platform | None:
    """Return the platform of a node: by its label `keyroll.platform` if it has one, else by its kind."""
    return PLATFORMS.get(label) if label is not None else _BY_KIND.get(kind)
