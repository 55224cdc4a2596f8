"""Compares the routers' chains: a plan continues from the keys that exist, so all routers must hold the same ones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC

from keyroll.keychain.model import Key, Keychain
from keyroll.keychain.schedule import in_order
from keyroll.keychain.secret import Likeness, Secret
from keyroll.plan.model import PlanRefusedError, Router


@dataclass(frozen=True, slots=True)
class Agreed:
    """The keys that all routers hold, as the first router has them, in order of start-time."""

    keys: tuple[Key, ...]
    mirrored: tuple[bool, ...]
    """For each router, whether its ids are those of the first router, reversed."""


def agreed(routers: Sequence[Router]) -> Agreed:
    """Compare the chains.

    Raises:
        PlanRefusedError: they differ: which router lacks which key, or has a different one.
    """
    first = routers[0]
    keys = in_order(first.chain)
    unusable = [key.id for key in first.chain.keys if not key.usable]
    if unusable:
        raise PlanRefusedError(
            f"{first.name}: TCP-AO cannot use key {unusable[0]}: it lacks a statement",
            remedy="complete it or delete it; `keyroll keychain lint` lists what is missing",
        )
    sides = tuple(_is_mirrored(first, router) for router in routers)
    for router, mirrored in zip(routers[1:], sides[1:], strict=True):
        fault = next(_faults(first, router, mirrored=mirrored), None)
        if fault is not None:
            raise PlanRefusedError(
                f"the chains of {first.name} and {router.name} differ: {fault}",
                remedy="make them equal first: a difference would drop segments at a rollover",
            )
    return Agreed(keys, sides)


def _is_mirrored(first: Router, router: Router) -> bool:
    """Say whether a router's ids are those of the first, reversed; of equal ids either holds."""
    if router is first:
        return False
    pairs = {(key.send_id, key.recv_id) for key in router.chain.keys}
    same = sum((key.send_id, key.recv_id) in pairs for key in first.chain.keys)
    reverse = sum((key.recv_id, key.send_id) in pairs for key in first.chain.keys)
    return reverse >= same


def _faults(first: Router, router: Router, *, mirrored: bool) -> Iterator[str]:
    wanted = first.chain.mirrored() if mirrored else first.chain
    theirs = {(key.send_id, key.recv_id): key for key in router.chain.keys}
    for key in wanted.keys:
        peer = theirs.pop((key.send_id, key.recv_id), None)
        name = f"key {key.id} of {first.name} (send-id {key.send_id} and recv-id {key.recv_id} on {router.name})"
        if peer is None:
            yield f"{router.name} lacks {name}"
        elif not peer.usable:
            yield f"TCP-AO cannot use key {peer.id} of {router.name}"
        elif _start(peer) != _start(key):
            yield f"{name} starts at another instant there"
        elif peer.effective_algorithm != key.effective_algorithm:
            yield f"{name} has another algorithm there"
        elif differ(key.secret, peer.secret):
            yield f"{name} has another secret there"
    for peer in theirs.values():
        yield f"{first.name} lacks key {peer.id} of {router.name}"
    if router.chain.tolerance != first.chain.tolerance:
        one, other = first.chain.tolerance, router.chain.tolerance
        yield f"the tolerance is {one} s on {first.name} and {other} s on {router.name}"


def differ(one: Secret | None, other: Secret | None) -> bool:
    """Say whether two secrets are known to differ. An unknown secret is assumed to match."""
    return one is not None and other is not None and one.compare(other) is Likeness.DIFFERENT


def assumed(chain: Keychain, *, mirrored: bool) -> Keychain:
    """Return the chain with each secret replaced by one made from the key's ids and start-time.

    Keys that belong together then have equal secrets on all routers, also where the real ones are unknown.
    """
    keys = []
    for key in chain.keys:
        ids = (key.recv_id, key.send_id) if mirrored else (key.send_id, key.recv_id)
        keys.append(replace(key, secret=Secret(f"{ids} {_start(key)}")))
    return replace(chain, keys=tuple(keys))


def _start(key: Key) -> object:
    return None if key.start is None else key.start.astimezone(UTC)
