"""Who opens a BGP connection when both sides may.

When both open at the same instant, RFC 4271's collision rule (6.8) takes one connection away; a side that has already
reached Established on it counts a flap. Two routers that are configured together meet this often, and two whose
session was reset always do. So the side with the lower address lets the other open: it is passive until the peer has
had its chance, and opens itself when the peer sent its SYN before it was configured here, or sends none. After each
reset of a session it lets the other open again.

bgpd's start timers run in whole seconds at both ends, so that after a reset they fire together; and a passive bgpd
whose timer fires while the peer's connection is coming up closes that as soon as it is Established. So a side that is
passive, by its own choice or by configuration, has its timer restarted a while after the reset.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Iterable

from keyroll.emulator.contract.model import Address, BackendError, BgpNeighbor, Intent, Unit
from keyroll.emulator.frr.instances import instances
from keyroll.emulator.frr.queries import BgpReader
from keyroll.emulator.machine.syn_listener import SynListener

log = logging.getLogger(__name__)
SYN_RETRY_SECONDS = 1.5
"""So long after a SYN its sender is waiting to send the next one: Linux' first retransmission comes after a second."""
YIELD_SECONDS = 1.5
"""From a neighbour's activation to opening from this side as well."""
YIELD_AGAIN_SECONDS = 3.0
"""From a session's end, or the peer's last SYN after it, to opening from this side: bgpd starts a second after it."""
ASIDE_SECONDS = 0.4
"""From a session's end to restarting bgpd's start timer on a side that is passive from now on, or was already:
it fires between the whole seconds (one or two) after which the peer's does."""
SETTLE_SECONDS = 0.25
"""After the activation: a peer whose SYN came during it has by then been answered with a RST."""
_POLL_SECONDS = 0.02
"""Between two looks at a session that is awaited: each asks bgpd, which answers in a millisecond."""
_HANDSHAKE_POLL_SECONDS = 0.2
"""Between two looks while the OPEN messages are exchanged: nothing is to be done in that time."""
_HANDSHAKE = frozenset({"OpenSent", "OpenConfirm"})
_UP = "Established"


def local_address(neighbor: BgpNeighbor, units: Iterable[Unit]) -> Address | None:
    """Return the address that the session runs from; None when it is unknown."""
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
Yield = Callable[[Address], Awaitable[None]]
"""Leaves the opening to the neighbour from now on."""
Restart = Callable[[Address], Awaitable[None]]
"""Restarts bgpd's start timer for an idle neighbour."""


class BgpOpener:
    """Keeps account of the neighbours that are left to open, and ends that when the peer does not."""

    def __init__(self, bgp: BgpReader, insist: Insist, give_way: Yield, start_anew: Restart) -> None:
        self._bgp = bgp
        self._insist = insist
        self._give_way = give_way
        self._start_anew = start_anew
        self._syns: SynListener | None = None
        self._yielding: set[Address] = set()
        self._lower: set[Address] = set()
        """The neighbours that this side may leave to open."""
        self._passive: set[Address] = set()
        """The neighbours that the configuration leaves to open (`passive`)."""
        self._tasks: dict[Address, asyncio.Task[None]] = {}

    def listen(self, namespace: int) -> None:
        """Listen for SYNs to BGP's port in the router's network namespace."""
        self._syns = SynListener(namespace)
        self._syns.start()

    def choose(self, former: Intent, wanted: Intent) -> frozenset[Address]:
        """Return the neighbours of `wanted` that are to be passive for now."""
        known = {neighbor.address for neighbor in former.neighbors}
        chosen = set()
        for address in _lower(wanted):
            if address in known:
                if address in self._yielding:
                    chosen.add(address)
            elif not self._sent_syn(address, before=time.monotonic()):
                chosen.add(address)
        return frozenset(chosen)

    def applied(self, intent: Intent, yielding: frozenset[Address]) -> None:
        """Take note that of the neighbours these are passive now; wait for the peers of those that were not before."""
        self._took(intent)
        for address in yielding - self._yielding:
            self._wait_for(address, YIELD_SECONDS)
        self._yielding = set(yielding)

    def restarted(self, intent: Intent) -> frozenset[Address]:
        """Every session restarts: return the neighbours that are to be passive, and wait for them."""
        self._took(intent)
        self._yielding = set(self._lower)
        for address in self._yielding:
            self._wait_for(address, YIELD_AGAIN_SECONDS)
        return frozenset(self._yielding)

    def went_down(self, address: Address) -> None:
        """A session ended: its peer has its chance again."""
        if address in self._lower | self._passive:
            self._wait_for(address, YIELD_AGAIN_SECONDS, again=True)

    def insisting(self, address: Address) -> None:
        """Take note that this neighbour is not passive any more."""
        self._yielding.discard(address)

    def giving_way(self, address: Address) -> bool:
        """Take note that this neighbour is passive from now on; false when it may not, or already is."""
        if address not in self._lower or address in self._yielding:
            return False
        self._yielding.add(address)
        return True

    async def close(self) -> None:
        """End all waiting."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._syns is not None:
            self._syns.close()

    def _took(self, intent: Intent) -> None:
        self._lower = _lower(intent)
        self._passive = {neighbor.address for neighbor in intent.neighbors if neighbor.passive}

    def _wait_for(self, address: Address, seconds: float, *, again: bool = False) -> None:
        before = self._tasks.get(address)
        if before is not None:
            before.cancel()
        self._tasks[address] = asyncio.create_task(self._wait(address, time.monotonic(), seconds, again=again))

    def _sent_syn(self, address: Address, *, before: float) -> bool:
        """Whether the peer's last SYN came shortly before a moment: one that came later is being served."""
        last = self._last_syn(address)
        return last is not None and before - SYN_RETRY_SECONDS <= last <= before

    def _last_syn(self, address: Address) -> float | None:
        return self._syns.last(address) if self._syns is not None else None

    async def _wait(self, address: Address, begun: float, seconds: float, *, again: bool) -> None:
        """Poll until the session is up; open from this side when the peer was turned away, or when its time is over.

        `again` says that the session has been up: a peer that was never heard to open then does not get a chance first.
        """
        with contextlib.suppress(asyncio.CancelledError):
            try:
                if again and not await self._step_aside(address, begun):
                    return
                came = begun
                while address in self._yielding:
                    state = await self._bgp.state_of(address)
                    if state is None or state == _UP:
                        return
                    if state in _HANDSHAKE:
                        # It came; should the handshake fail, it has as long again for the next.
                        came = time.monotonic()
                        await asyncio.sleep(_HANDSHAKE_POLL_SECONDS)
                        continue
                    if again:
                        came = max(came, self._last_syn(address) or came)
                    passed = time.monotonic() - came
                    turned_away = not again and passed > SETTLE_SECONDS and self._sent_syn(address, before=begun)
                    if turned_away or passed > seconds:
                        await asyncio.shield(self._insist(address))
                        return
                    await asyncio.sleep(_POLL_SECONDS)
            except BackendError as error:
                log.warning("the wait for %s to open ended: %s", address, error)

    async def _step_aside(self, address: Address, begun: float) -> bool:
        """Leave the opening to a neighbour whose session went down at `begun`; return whether it is waited for."""
        leaving = address in self._yielding
        if not leaving and address not in self._passive and self._last_syn(address) is None:
            return False
        await asyncio.sleep(ASIDE_SECONDS)
        if not leaving and address not in self._passive:
            await asyncio.shield(self._give_way(address))
        elif (self._last_syn(address) or begun) <= begun:  # a peer that has come by now is not to be turned away
            await asyncio.shield(self._start_anew(address))
        return True


def _lower(intent: Intent) -> set[Address]:
    """Return the neighbours that this side may leave to open: of those in a view bgpd takes no connection."""
    return {
        neighbor.address
        for instance, part in instances(intent)
        for neighbor in part.neighbors
        if instance.view is None and has_lower_address(neighbor, intent.units)
    }
