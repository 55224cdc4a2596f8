"""Who opens a BGP connection when both sides may.

When both open at the same instant, RFC 4271's collision rule (6.8) takes one connection away; a side that has already
reached Established on it counts a flap. Two routers that are configured together meet this often. So the side with
the lower address lets the other open: it is passive until the peer has had its chance, and opens itself when the peer
knocked before it was known here, or does not come.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Iterable

from harness.emulator.frr.readings import BgpReader
from harness.emulator.knocks import Knocks
from harness.emulator.model import Address, BackendError, BgpNeighbor, Intent, Unit

log = logging.getLogger(__name__)
KNOCK_SECONDS = 1.5
"""So long after a SYN its sender is waiting to send the next one: Linux' first retransmission comes after a second."""
YIELD_SECONDS = 1.5
"""From a neighbour's activation (or its session's end) to opening from this side as well."""
SETTLE_SECONDS = 0.25
"""From the activation to trusting that a peer which knocked while it was going on was turned away."""
_POLL_SECONDS = 0.02
_WAITING = frozenset({"Idle", "Connect", "Active"})


def local_address(neighbor: BgpNeighbor, units: Iterable[Unit]) -> Address | None:
    """Return the address that the session runs from; None when it cannot be told."""
    if neighbor.local_address is not None:
        return neighbor.local_address
    for unit in units:
        for address in unit.addresses:
            if neighbor.address in address.network:
                return address.ip
    return None


def has_lower_address(neighbor: BgpNeighbor, units: Iterable[Unit]) -> bool:
    """Whether this side has the lower address of the session, and nothing is said about who opens."""
    mine = local_address(neighbor, units)
    return not neighbor.passive and mine is not None and int(mine) < int(neighbor.address)


Insist = Callable[[Address], Awaitable[None]]
"""Opens from this side as well from now on."""


class Opener:
    """Keeps account of the neighbours that are left to open, and ends that when the peer does not."""

    def __init__(self, bgp: BgpReader, insist: Insist) -> None:
        self._bgp = bgp
        self._insist = insist
        self._knocks: Knocks | None = None
        self._yielding: set[Address] = set()
        self._tasks: dict[Address, asyncio.Task[None]] = {}

    def listen(self, namespace: int) -> None:
        """Hear who knocks in the router's network namespace."""
        self._knocks = Knocks(namespace)
        self._knocks.start()

    def choose(self, former: Intent, wanted: Intent) -> frozenset[Address]:
        """Return the neighbours of `wanted` that are to be passive for now."""
        known = {neighbor.address for neighbor in former.neighbors}
        chosen = set()
        for neighbor in wanted.neighbors:
            if not has_lower_address(neighbor, wanted.units):
                continue
            if neighbor.address in known:
                if neighbor.address in self._yielding:
                    chosen.add(neighbor.address)
            elif not self._knocked(neighbor.address, before=time.monotonic()):
                chosen.add(neighbor.address)
        return frozenset(chosen)

    def applied(self, yielding: frozenset[Address]) -> None:
        """Take note that these are passive now; wait for the peers of those that were not before."""
        for address in yielding - self._yielding:
            self._wait_for(address)
        self._yielding = set(yielding)

    def went_down(self, address: Address) -> None:
        """A session ended: its peer has its chance again."""
        if address in self._yielding:
            self._wait_for(address)

    def insisting(self, address: Address) -> None:
        """Take note that this neighbour is not passive any more."""
        self._yielding.discard(address)

    async def close(self) -> None:
        """End all waiting."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._knocks is not None:
            self._knocks.close()

    def _wait_for(self, address: Address) -> None:
        before = self._tasks.get(address)
        if before is not None:
            before.cancel()
        self._tasks[address] = asyncio.create_task(self._wait(address, time.monotonic()))

    def _knocked(self, address: Address, *, before: float) -> bool:
        """Whether the peer's last SYN came shortly before a moment: one that came later is being served."""
        last = self._knocks.last(address) if self._knocks is not None else None
        return last is not None and before - KNOCK_SECONDS <= last <= before

    async def _wait(self, address: Address, begun: float) -> None:
        """Poll until the peer opens; open from this side when it was turned away, or when its time is over."""
        with contextlib.suppress(asyncio.CancelledError):
            try:
                while address in self._yielding and await self._bgp.state_of(address) in _WAITING:
                    passed = time.monotonic() - begun
                    turned_away = passed > SETTLE_SECONDS and self._knocked(address, before=begun)
                    if turned_away or passed > YIELD_SECONDS:
                        await self._insist(address)
                        return
                    await asyncio.sleep(_POLL_SECONDS)
            except BackendError as error:
                log.warning("the wait for %s to open ended: %s", address, error)
