"""Which of bgpd's instances a neighbour belongs to: the router's own, or a view for the local AS of an internal peer.

bgpd does not support `local-as` for an internal peer: with the router's AS in `router bgp`, a peer in the local AS is
external, and bgpd's paths to it contain that AS, so that the peer drops them as a loop. In `router bgp AS view NAME`
the peer is internal: the OPEN has that AS, and paths do not (measured with FRR 8.4). A view needs no VRF in the kernel;
its routes stay in it (assumption M15).

If there is a `router bgp` without a view, bgpd looks there only for the peer of an incoming connection, and closes the
connection if it finds none. So this router always opens the connection to a neighbour in a view.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from keyroll.emulator.contract.errors import NotEmulatedError
from keyroll.emulator.contract.model import Address, BackendError, BgpNeighbor, Intent


@dataclass(frozen=True, slots=True)
class BgpInstance:
    """One `router bgp`; `autonomous_system` is the AS of its OPEN messages, unless a neighbour has `local-as`."""

    autonomous_system: int
    view: str | None = None
    """The view's name; None: the router's own instance, whose routes are the kernel's."""

    @property
    def scope(self) -> str:
        """The words after `show bgp` and `clear bgp` that select this instance, with a space at the end."""
        return "" if self.view is None else f"view {self.view} "

    @property
    def root(self) -> str:
        """The configuration line that leads into it."""
        return f"router bgp {self.autonomous_system} {self.scope}".rstrip()


def own_instance(intent: Intent) -> BgpInstance:
    """Return the router's own instance: in its AS, or else in the first neighbour's `local-as`.

    Raises:
        BackendError: there is neither.
    """
    found = intent.autonomous_system
    if found is None:
        found = next((neighbor.local_as for neighbor in intent.neighbors if neighbor.local_as), None)
    if found is None:
        raise BackendError("BGP needs an autonomous system: set routing-options autonomous-system")
    return BgpInstance(found)


def instance_of(neighbor: BgpNeighbor, own: BgpInstance) -> BgpInstance:
    """Return the instance that a neighbour is in."""
    shared = neighbor.local_as
    if neighbor.external or shared is None or shared == own.autonomous_system or neighbor.peer_as != shared:
        return own
    return BgpInstance(shared, f"as{shared}")


def instances(intent: Intent) -> Iterator[tuple[BgpInstance, Intent]]:
    """Yield (instance, intent with only its neighbours) of each instance that has neighbours, the own one first.

    Raises:
        NotEmulatedError: a neighbour in a view is `passive`, so that it would have to open the connection.
    """
    if not intent.neighbors:
        return
    own = own_instance(intent)
    places = {neighbor.address: instance_of(neighbor, own) for neighbor in intent.neighbors}
    found = dict.fromkeys(places.values())
    _all_are_reached(intent, places)
    for one in sorted(found, key=lambda instance: instance != own):
        yield one, replace(intent, neighbors=tuple(n for n in intent.neighbors if places[n.address] == one))


def _all_are_reached(intent: Intent, places: Mapping[Address, BgpInstance]) -> None:
    if all(place.view is not None for place in places.values()):
        return  # without an instance outside of views, bgpd looks for the peer in each view
    for neighbor in intent.neighbors:
        if neighbor.passive and places[neighbor.address].view is not None:
            raise NotEmulatedError(
                f"passive of the internal neighbor {neighbor.address} in a local-as, beside other neighbors: bgpd"
                " accepts no connection from it, so no session would come up"
            )
