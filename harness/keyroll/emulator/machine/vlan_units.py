"""The router's logical interfaces with a VLAN: each has its own veth, whose frames the wire path tags.

VLAN devices of the kernel are not used: not every kernel has them (`8021q` is a module), and on the router's side of
the wire path there is no interface for them. A unit 0 with a `vlan-id` is the port's own veth, with tagged frames.
"""

from __future__ import annotations

from collections.abc import Sequence

from keyroll.emulator.contract.model import Intent
from keyroll.emulator.contract.namespace import PortPair, make_units, remove_ports, unit_pair
from keyroll.emulator.frr.render import port_units
from keyroll.emulator.frr.suite import FrrSuite
from keyroll.emulator.machine.link_carrier import CarrierWatch
from keyroll.emulator.machine.wire_process import WirePath
from keyroll.emulator.wire.model import VlanUnit


def vlan_units(intent: Intent, ports: Sequence[PortPair]) -> dict[PortPair, VlanUnit]:
    """Return the interfaces of the units that have a VLAN on one of the ports, with their tags.

    Raises:
        BackendError: two units cannot be distinguished.
    """
    by_name = {port.router: port for port in ports}
    found: dict[PortPair, VlanUnit] = {}
    for name, unit in port_units(intent, list(by_name)):
        port, number = by_name[name], unit.name.partition(".")[2]
        pair = port if number == "0" else unit_pair(port, number)
        assert unit.vlan is not None  # noqa: S101 - `port_units` yields only units with a VLAN
        found[pair] = VlanUnit(pair.host, pair.wire, unit.vlan)
    return found


class VlanUnits:
    """Makes and removes the interfaces. All methods raise BackendError."""

    def __init__(self, ports: Sequence[PortPair], wire: WirePath, frr: FrrSuite) -> None:
        self._ports = frozenset(ports)
        self._wire = wire
        self._frr = frr
        self._carrier: CarrierWatch | None = None
        self._inner = -1
        self._there: tuple[PortPair, ...] = ()
        self._tags: dict[PortPair, VlanUnit] = {}

    def start(self, inner: int, carrier: CarrierWatch) -> None:
        """Set the router's namespace and the watch that copies the carrier state. Call it first."""
        self._inner, self._carrier = inner, carrier

    async def make(self, wanted: dict[PortPair, VlanUnit]) -> None:
        """Make missing interfaces and set all tags; interfaces that are not wanted any more stay until `keep`.

        So a new interface exists before FRR is configured for it, and an old one until FRR does not use it any more.
        """
        new = [pair for pair in wanted if pair not in self._ports and pair not in self._there]
        if new:
            make_units(new, self._inner)
            self._set((*self._there, *new))
        taken = {(unit.wire, unit.vlan) for unit in wanted.values()}
        leaving = {
            pair: unit
            for pair, unit in self._tags.items()
            if pair not in wanted and (unit.wire, unit.vlan) not in taken
        }
        await self._tag({**wanted, **leaving})

    async def keep(self, wanted: dict[PortPair, VlanUnit]) -> None:
        """Remove the interfaces that are not wanted."""
        await self._tag(wanted)  # first: a wire process ends if an interface is removed whose frames it carries
        gone = [pair for pair in self._there if pair not in wanted]
        if gone:
            self._set(tuple(pair for pair in self._there if pair in wanted))
            remove_ports(gone)

    def close(self) -> None:
        """Remove all interfaces. Call it when the wire path has ended."""
        remove_ports(self._there)
        self._there, self._tags = (), {}

    async def _tag(self, tags: dict[PortPair, VlanUnit]) -> None:
        if tags != self._tags:
            await self._wire.set_units([*tags.values()])
            self._tags = tags

    def _set(self, there: tuple[PortPair, ...]) -> None:
        self._there = there
        self._frr.units([pair.router for pair in there])
        if self._carrier is not None:
            self._carrier.units(there)
