"""The link between two routers that a session runs on, and the VLAN of the lab's one link that represents it.

A lab has one link. A unit with a VLAN is played on that VLAN; of the links without one, the first is the lab's link
itself, and each further one gets a VLAN: its sessions have their own addresses and are judged separately, as on a
separate link (docs/decisions/0026).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

from keyroll.configuration import Configuration, Session, addresses_of

VLANS = range(1, 4095)
"""The VLANs that a scenario file takes."""


@dataclass(frozen=True, slots=True)
class LinkEnd:
    """A logical interface that a session runs on: `ge-0/0/1.100`, and the VLAN of its frames where it has one."""

    interface: str
    vlan: int | None


def link_of(ends: tuple[Session, Session], configurations: Sequence[Configuration]) -> LinkEnd | None:
    """Return the interface that has an address of the session, R1's if it is known; None: no configuration has one.

    Each end's address is what the other one calls its peer.
    """
    found = [
        _interface(configuration, end.router, other.peer)
        for configuration, end, other in zip(configurations, ends, reversed(ends), strict=True)
        if isinstance(other.peer, IPv4Address | IPv6Address)
    ]
    known = [one for one in found if one is not None]
    # One end may be an access port, without a tag: the other end's VLAN is then the session's.
    return next((one for one in known if one.vlan is not None), known[0] if known else None)


def _interface(configuration: Configuration, router: str, address: IPv4Address | IPv6Address) -> LinkEnd | None:
    system = next((one.system for one in configuration.routers if one.name == router), None)
    view = configuration.view() if system is None else configuration.view("logical-systems", system)
    for name, unit, interface in addresses_of(view):
        if interface.ip == address:
            value = view.below("interfaces", name, "unit", unit).leaf("vlan-id").value
            vlan = int(value.text) if value is not None and value.text.isdecimal() else 0
            return LinkEnd(f"{name}.{unit}", vlan if vlan in VLANS else None)
    return None


def vlans_of(links: Iterable[LinkEnd | None]) -> dict[LinkEnd | None, int | None]:
    """Return the VLAN that each link is played on; None: the lab's link itself."""
    distinct = list(dict.fromkeys(links))
    played: dict[LinkEnd | None, int | None] = {}
    for link in distinct:
        if link is not None and link.vlan is not None and link.vlan not in played.values():
            played[link] = link.vlan
    free = (vlan for vlan in VLANS if vlan not in played.values())
    for link in distinct:
        if link not in played:
            played[link] = next(free) if None in played.values() else None
    return played
