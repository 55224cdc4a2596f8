"""Decide which side opens a BGP connection if both may.

If both open at the same instant, the collision rule of RFC 4271 section 6.8 closes one connection, and a side that has
already reached Established on it counts a flap. This often happens to two routers that are configured at the same time,
and always to two whose session was reset. So the side with the lower address is passive at first. It opens the
connection itself if the peer sent its SYN before the session was configured here, or sends none in time. After each
reset of the session it is passive again.

bgpd's start timers run in whole seconds at both ends, so after a reset they fire at the same time; and a passive bgpd
whose timer fires while the peer's connection is being established closes that connection once it is Established. So the
timer of a side that is passive, by this rule or by configuration, is restarted a fraction of a second after the reset.

To open the connection from this side too, the session's configuration in bgpd must change, and bgpd then closes a
connection that the peer has opened. On a busy machine much can happen between the decision and the change. So the
change is not made if the session is up by then, or if the peer's SYN has been answered a moment ago.
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
"""For this long after a SYN its sender waits before the next one: Linux' first retransmission comes after a second."""
PEER_FIRST_SECONDS = 1.5
"""From a neighbour's activation to opening from this side too: a peer that is configured at the same time opens at
once, or after one retransmission of its SYN."""
PEER_FIRST_AGAIN_SECONDS = 3.0
"""From a session's end, or the peer's last SYN after it, to opening from this side: the peer's bgpd starts one or two
seconds after the end."""
TIMER_DELAY_SECONDS = 0.4
"""From a session's end to restarting bgpd's start timer on a passive side. The timer then fires between the whole
seconds (one or two) after which the peer's fires."""
SETTLE_SECONDS = 0.25
"""After the activation: by then a peer whose SYN came during it has been answered with a RST."""
_POLL_SECONDS = 0.02
"""Between two reads of a session's state while it is awaited: each asks bgpd, which answers in a millisecond."""
_HANDSHAKE_POLL_SECONDS = 0.2
"""Between two reads while OPEN messages are exchanged: longer, because nothing has to be done in that time."""
_HANDSHAKE = frozenset({"OpenSent", "OpenConfirm"})
_UP = "Established"


def local_address(neighbor: BgpNeighbor, units: Iterable[Unit]) -> Address | None:
    """Return this side's address of the session; None if it is unknown."""
    if neighbor.local_address is not None:
        return neighbor.local_address
    for unit in units:
        for address in unit.addresses:
            if neighbor.address in address.network:
                return address.ip
    return None


def has_lower_address(neighbor: BgpNeighbor, units: Iterable[Unit]) -> bool:
    """Whether this side has the lower address of the session, and is not configured to be passive."""
    mine = local_address(neighbor, units)
    return not neighbor.passive and mine is not None and int(mine) < int(neighbor.address)


OpenActively = Callable[[Address], Awaitable[bool]]
"""Makes this side open the connection to a neighbour too; returns False if the peer has opened it meanwhile."""
MakePassive = Callable[[Address], Awaitable[None]]
"""Makes this side passive towards a neighbour."""
RestartTimer = Callable[[Address], Awaitable[None]]
"""Restarts bgpd's start timer of an idle neighbour."""


class BgpOpener:
    """Tracks the neighbours towards which this side is passive for now, and opens if the peer does not."""

    def __init__(
        self, bgp: BgpReader, open_actively: OpenActively, make_passive: MakePassive, restart_timer: RestartTimer
    ) -> None:
        self._bgp = bgp
        self._open_actively = open_actively
        self._make_passive = make_passive
        self._restart_timer = restart_timer
        self._syns: SynListener | None = None
        self._passive_for_now: set[Address] = set()
        self._lower: set[Address] = set()
        """The neighbours with the higher address: this side may be passive towards them."""
        self._passive: set[Address] = set()
        """The neighbours that are configured with `passive`."""
        self._waiting_since: dict[Address, float] = {}
        """When (monotonic seconds) the last wait for a neighbour began: SYNs that came later were answered by bgpd."""
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
                if address in self._passive_for_now:
                    chosen.add(address)
            elif not self._sent_syn(address, before=time.monotonic()):
                chosen.add(address)
        return frozenset(chosen)

    def applied(self, intent: Intent, passive_for_now: frozenset[Address]) -> None:
        """Record the intent in force and its neighbours that are passive for now.

        Wait for those that were not before.
        """
        self._took(intent)
        for address in passive_for_now - self._passive_for_now:
            self._wait_for(address, PEER_FIRST_SECONDS)
        self._passive_for_now = set(passive_for_now)

    def restarted(self, intent: Intent) -> frozenset[Address]:
        """Record that every session restarts; return the neighbours that are to be passive, and wait for them."""
        self._took(intent)
        self._passive_for_now = set(self._lower)
        for address in self._passive_for_now:
            self._wait_for(address, PEER_FIRST_AGAIN_SECONDS)
        return frozenset(self._passive_for_now)

    def went_down(self, address: Address) -> None:
        """Record that a session ended; its peer may open first again."""
        if address in self._lower | self._passive:
            self._wait_for(address, PEER_FIRST_AGAIN_SECONDS, again=True)

    def mark_active(self, address: Address) -> None:
        """Record that this side is not passive towards a neighbour any more."""
        self._passive_for_now.discard(address)

    def peer_is_opening(self, address: Address) -> bool:
        """Whether bgpd has answered a SYN of the peer so recently that the session may be about to come up.

        bgpd itself shows such a neighbour as Active until the session is Established.
        """
        last = self._last_syn(address)
        since = self._waiting_since.get(address)
        return last is not None and since is not None and since < last and time.monotonic() - last <= SYN_RETRY_SECONDS

    def mark_passive(self, address: Address) -> bool:
        """Record that this side is passive towards a neighbour from now on.

        Return False if it must not be, or already is.
        """
        if address not in self._lower or address in self._passive_for_now:
            return False
        self._passive_for_now.add(address)
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
        begun = self._waiting_since[address] = time.monotonic()
        self._tasks[address] = asyncio.create_task(self._wait(address, begun, seconds, again=again))

    def _sent_syn(self, address: Address, *, before: float) -> bool:
        """Whether the peer's last SYN came shortly before `before`: a later one is being answered by bgpd."""
        last = self._last_syn(address)
        return last is not None and before - SYN_RETRY_SECONDS <= last <= before

    def _last_syn(self, address: Address) -> float | None:
        return self._syns.last(address) if self._syns is not None else None

    async def _wait(self, address: Address, begun: float, seconds: float, *, again: bool) -> None:
        """Poll until the session is up; open from this side if the peer was refused, or if its time is over.

        `again`: the session has been up before. Then there is no waiting for a peer that never sent a SYN.
        """
        with contextlib.suppress(asyncio.CancelledError):
            try:
                if again and not await self._let_peer_open(address, begun):
                    return
                came = begun
                while address in self._passive_for_now:
                    state = await self._bgp.state_of(address)
                    if state is None or state == _UP:
                        return
                    if state in _HANDSHAKE:
                        # The peer opened. If the handshake fails, it has the same time for the next attempt.
                        came = time.monotonic()
                        await asyncio.sleep(_HANDSHAKE_POLL_SECONDS)
                        continue
                    if again:
                        came = max(came, self._last_syn(address) or came)
                    passed = time.monotonic() - came
                    was_refused = not again and passed > SETTLE_SECONDS and self._sent_syn(address, before=begun)
                    if was_refused or passed > seconds:
                        if await asyncio.shield(self._open_actively(address)):
                            return
                        came = time.monotonic()
                    await asyncio.sleep(_POLL_SECONDS)
            except BackendError as error:
                log.warning("the wait for %s to open ended: %s", address, error)

    async def _let_peer_open(self, address: Address, begun: float) -> bool:
        """Let a neighbour open first whose session went down at `begun`; return whether to wait for it."""
        leaving = address in self._passive_for_now
        if not leaving and address not in self._passive and self._last_syn(address) is None:
            return False
        await asyncio.sleep(TIMER_DELAY_SECONDS)
        if not leaving and address not in self._passive:
            await asyncio.shield(self._make_passive(address))
        elif (self._last_syn(address) or begun) <= begun:  # a peer that has opened by now must not be refused
            await asyncio.shield(self._restart_timer(address))
        return True


def _lower(intent: Intent) -> set[Address]:
    """Return the neighbours that may open first: not those in a view, from which bgpd accepts no connection."""
    return {
        neighbor.address
        for instance, part in instances(intent)
        for neighbor in part.neighbors
        if instance.view is None and has_lower_address(neighbor, intent.units)
    }
