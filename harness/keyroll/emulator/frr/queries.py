"""Ask bgpd and zebra for states, and keep the time since which each neighbour has been configured."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from keyroll.emulator.contract.model import Address, BackendError, BgpState, Intent, Interface, RouteState
from keyroll.emulator.frr import state
from keyroll.emulator.frr.config import Daemon
from keyroll.emulator.frr.instances import instances
from keyroll.emulator.frr.suite import FrrSuite

_FAMILIES = (("ipv4", "ip", "ipv4Unicast", "inet.0"), ("ipv6", "ipv6", "ipv6Unicast", "inet6.0"))


class BgpReader:
    """Reads the states of BGP neighbours."""

    def __init__(self, frr: FrrSuite) -> None:
        self._frr = frr
        self._since: dict[Address, float] = {}
        self._scopes: dict[Address, str] = {}
        """By neighbour, the words that select its instance of bgpd in a command (`BgpInstance.scope`)."""

    def configured(self, intent: Intent) -> None:
        """Set the neighbours that are configured from now on."""
        moment = time.monotonic()
        self._since = {one.address: self._since.get(one.address, moment) for one in intent.neighbors}
        self._scopes = {one.address: place.scope for place, part in instances(intent) for one in part.neighbors}

    def restarted(self) -> None:
        """Record that bgpd restarted: the time of every neighbour starts again."""
        moment = time.monotonic()
        self._since = dict.fromkeys(self._since, moment)

    async def states(self) -> list[BgpState]:
        """Return the state of every configured neighbour. Raises BackendError."""
        return [one for scope in dict.fromkeys(self._scopes.values()) for one in await self._states_in(scope)]

    async def _states_in(self, scope: str) -> list[BgpState]:
        neighbors = await self._frr.json(Daemon.BGPD, f"show bgp {scope}neighbors json")
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
            if len(neighbors) == 1 and not scope:
                # All of BGP's routes in use are this neighbour's, so zebra's count is enough and the whole table need
                # not be read. With several neighbours it is not enough: zebra keeps the routes of a session that went
                # down a moment longer. Routes of a view are not in zebra.
                summary = await self._frr.json(Daemon.ZEBRA, f"show {zebra_word} route summary json")
                active[giving[0], table] = min(state.bgp_total(summary), accepted[giving[0]])
            else:
                rib = await self._frr.json(Daemon.BGPD, f"show bgp {scope}{family} unicast json")
                active |= state.active_counts(table, rib)
        moment = time.monotonic()
        return state.bgp_states(neighbors, active, {one: int(moment - since) for one, since in self._since.items()})

    async def state_of(self, address: Address) -> str | None:
        """Return bgpd's word for a neighbour's state; None if there is no such neighbour. Raises BackendError."""
        if address not in self._since:
            return None
        state = (await self._neighbor(address)).get("bgpState")
        return None if state is None else str(state)

    async def was_up(self, address: Address) -> bool:
        """Whether a neighbour's session has ever been up. Raises BackendError."""
        return bool((await self._neighbor(address)).get("connectionsEstablished"))

    async def _neighbor(self, address: Address) -> dict[str, Any]:
        scope = self._scopes.get(address, "")
        found = (await self._frr.json(Daemon.BGPD, f"show bgp {scope}neighbors {address} json")).get(str(address), {})
        return found if isinstance(found, dict) else {}

    async def clear(self, address: Address | None, *, soft: bool) -> None:
        """Reset sessions, or with `soft` only exchange routes again. Raises BackendError."""
        if address is not None and address not in self._since:
            raise BackendError(f"there is no BGP neighbor {address}")
        scopes = dict.fromkeys(self._scopes.values()) if address is None else [self._scopes[address]]
        for scope in scopes:
            target = "*" if address is None else str(address)
            await self._frr.command(Daemon.BGPD, f"clear bgp {scope}{target}{' soft' if soft else ''}")


async def read_routes(frr: FrrSuite, addresses: Sequence[tuple[str, Interface]]) -> list[RouteState]:
    """Return the active routes; `addresses` are the router's own (Junos' interface name, address)."""
    tables = [
        await frr.json(Daemon.ZEBRA, "show ip route json"),
        await frr.json(Daemon.ZEBRA, "show ipv6 route json"),
    ]
    return state.routes(tables, addresses)
