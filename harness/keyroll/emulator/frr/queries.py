"""What the router asks bgpd and zebra for, and since when it has waited for its neighbours."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence

from keyroll.emulator.contract.model import Address, BackendError, BgpNeighbor, BgpState, Interface, RouteState
from keyroll.emulator.frr import state
from keyroll.emulator.frr.config import Daemon
from keyroll.emulator.frr.suite import FrrSuite

_FAMILIES = (("ipv4", "ip", "ipv4Unicast", "inet.0"), ("ipv6", "ipv6", "ipv6Unicast", "inet6.0"))


class BgpReader:
    """Reads BGP's states."""

    def __init__(self, frr: FrrSuite) -> None:
        self._frr = frr
        self._since: dict[Address, float] = {}

    def configured(self, neighbors: Iterable[BgpNeighbor]) -> None:
        """Take note of the neighbours that there are from now on."""
        moment = time.monotonic()
        self._since = {neighbor.address: self._since.get(neighbor.address, moment) for neighbor in neighbors}

    def restarted(self) -> None:
        """Take note that bgpd restarted: every neighbour waits from now on."""
        moment = time.monotonic()
        self._since = dict.fromkeys(self._since, moment)

    async def states(self) -> list[BgpState]:
        """Return the state of every configured neighbour. Raises BackendError."""
        if not self._since:
            return []
        neighbors = await self._frr.json(Daemon.BGPD, "show bgp neighbors json")
        active: dict[tuple[str, str], int] = {}
        for family, zebra_word, counter, table in _FAMILIES:
            accepted = {
                address: int(entry.get("addressFamilyInfo", {}).get(counter, {}).get("acceptedPrefixCounter", 0))
                for address, entry in neighbors.items()
                if isinstance(entry, dict)
            }
            giving = [address for address, count in accepted.items() if count]
            if not giving:
                continue
            if len(neighbors) == 1:
                # All of BGP's routes in use are this neighbour's: zebra's count says it without the whole table. With
                # another one configured it would not: zebra holds routes of a session that is down a moment longer.
                summary = await self._frr.json(Daemon.ZEBRA, f"show {zebra_word} route summary json")
                active[giving[0], table] = min(state.bgp_total(summary), accepted[giving[0]])
            else:
                rib = await self._frr.json(Daemon.BGPD, f"show bgp {family} unicast json")
                active |= state.active_counts(table, rib)
        moment = time.monotonic()
        return state.bgp_states(neighbors, active, {one: int(moment - since) for one, since in self._since.items()})

    async def state_of(self, address: Address) -> str | None:
        """Return one neighbour's state in bgpd's word; None when there is no such neighbour. Raises BackendError."""
        if address not in self._since:
            return None
        found = (await self._frr.json(Daemon.BGPD, f"show bgp neighbors {address} json")).get(str(address), {})
        state = found.get("bgpState")
        return None if state is None else str(state)

    async def was_up(self, address: Address) -> bool:
        """Whether a neighbour's session has ever been up. Raises BackendError."""
        found = (await self._frr.json(Daemon.BGPD, f"show bgp neighbors {address} json")).get(str(address), {})
        return bool(found.get("connectionsEstablished"))

    async def clear(self, address: Address | None, *, soft: bool) -> None:
        """Reset sessions, or with `soft` only exchange routes again. Raises BackendError."""
        if address is not None and address not in self._since:
            raise BackendError(f"there is no BGP neighbor {address}")
        if not self._since:
            return
        target = "*" if address is None else str(address)
        await self._frr.command(Daemon.BGPD, f"clear bgp {target}{' soft' if soft else ''}")


async def read_routes(frr: FrrSuite, addresses: Sequence[tuple[str, Interface]]) -> list[RouteState]:
    """Return the active routes; `addresses` are the router's own (Junos' interface name, address)."""
    tables = [
        await frr.json(Daemon.ZEBRA, "show ip route json"),
        await frr.json(Daemon.ZEBRA, "show ipv6 route json"),
    ]
    return state.routes(tables, addresses)
