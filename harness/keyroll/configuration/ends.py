"""Which sessions are two ends of one, among any number of routers: by their addresses."""

from __future__ import annotations

import enum
import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network

from keyroll.configuration.routers import Instance, Router
from keyroll.configuration.sessions import Address, PeerKind, Session


class Alone(enum.Enum):
    """Why a session has no other end among the routers that are there."""

    NO_ROUTER = "no router that is given has the peer's address"
    NO_SESSION = "the router with the peer's address has no such session"
    OTHER_LOCAL = "the other router's session is with another address of this one"
    DISCOVERED = "the peer is discovered, the text does not name it"
    PREFIX = "no session of a router that is given falls into the prefix"


@dataclass(frozen=True, slots=True)
class Link:
    """Two ends of one session, and the address that each has in it."""

    one: Session
    other: Session
    one_address: Address
    other_address: Address


@dataclass(frozen=True, slots=True)
class Single:
    """A session without its other end, why, and the router that has the peer's address where one has it."""

    session: Session
    reason: Alone
    router: Router | None = None


@dataclass(frozen=True, slots=True)
class Ends:
    """What was matched, and what was not."""

    links: tuple[Link, ...]
    singles: tuple[Single, ...]


@dataclass(frozen=True, slots=True)
class _End:
    router: Router
    session: Session


def match(routers: Sequence[Router]) -> Ends:
    """Return the sessions of all routers, two ends each, and those that are alone.

    Two sessions are ends of one where they are of one kind (BGP, LDP), each names an address of the other's routing
    instance (or one that the other's prefix holds), and neither has a `local-address` that is not the address which
    the other names. An address that several routers have may match several times; each match is a link.
    """
    index = _index(routers)
    ends = [_End(router, session) for router in routers for session in router.sessions]
    by_owner: dict[tuple[int, Instance], list[_End]] = {}
    for end in ends:
        by_owner.setdefault((id(end.router), end.session.instance), []).append(end)
    position = {id(end.session): number for number, end in enumerate(ends)}
    links: dict[tuple[int, int], Link] = {}
    for end in ends:
        if not isinstance(end.session.peer, (IPv4Network, IPv6Network)) and end.session.peer is not None:
            for link in _links(end, end.session.peer, index, by_owner):
                pair = sorted((position[id(link.one)], position[id(link.other)]))
                links.setdefault((pair[0], pair[1]), link if pair[0] == position[id(link.one)] else _turned(link))
    matched = set(itertools.chain.from_iterable(links))
    singles = [_single(end, index, by_owner) for number, end in enumerate(ends) if number not in matched]
    return Ends(tuple(links[pair] for pair in sorted(links)), tuple(singles))


def _turned(link: Link) -> Link:
    return Link(link.other, link.one, link.other_address, link.one_address)


_Index = dict[Address, list[tuple[Router, Instance]]]
_Owners = dict[tuple[int, Instance], list[_End]]


def _index(routers: Iterable[Router]) -> _Index:
    index: _Index = {}
    for router in routers:
        for instance, addresses in router.addresses.items():
            for address in addresses:
                index.setdefault(address, []).append((router, instance))
    return index


def _links(end: _End, peer: Address, index: _Index, owners: _Owners) -> Iterator[Link]:
    mine = _locals(end, peer)
    for router, instance in index.get(peer, ()):
        for other in owners.get((id(router), instance), ()):
            if other.session is end.session or other.session.kind is not end.session.kind:
                continue
            address = _my_address(mine, other, peer)
            if address is not None:
                yield Link(end.session, other.session, address, peer)


def _locals(end: _End, peer: Address) -> frozenset[Address]:
    """Return the addresses that an end may have in a session with `peer`.

    Its `local-address`; else, where the peer is on a network of its own, the address there, which a router sends from;
    else any of the routing instance.
    """
    if end.session.local is not None:
        return frozenset((end.session.local,))
    networks = end.router.networks.get(end.session.instance, ())
    near = frozenset(one.ip for one in networks if one.version == peer.version and peer in one.network)
    return near or end.router.addresses.get(end.session.instance, frozenset())


def _my_address(mine: frozenset[Address], other: _End, peer: Address) -> Address | None:
    """Return the one of my addresses that `other` is with, or None where the two are not ends of one session."""
    wanted = other.session.peer
    if wanted is None:
        return None
    if isinstance(wanted, (IPv4Network, IPv6Network)):
        held = sorted((one for one in mine if one.version == wanted.version and one in wanted), key=int)
    else:
        held = [wanted] if wanted in mine else []
    return next((one for one in held if peer in _locals(other, one)), None)


def _single(end: _End, index: _Index, owners: _Owners) -> Single:
    session = end.session
    if session.peer_kind is PeerKind.DISCOVERED:
        return Single(session, Alone.DISCOVERED)
    if isinstance(session.peer, (IPv4Network, IPv6Network)) or session.peer is None:
        return Single(session, Alone.PREFIX)
    found = [(router, instance) for router, instance in index.get(session.peer, ()) if router is not end.router]
    if not found:
        return Single(session, Alone.NO_ROUTER)
    router, instance = found[0]
    mine = end.router.addresses.get(session.instance, frozenset())
    near = any(
        other.session.kind is session.kind and other.session.peer in mine
        for other in owners.get((id(router), instance), ())
        if not isinstance(other.session.peer, (IPv4Network, IPv6Network))
    )
    return Single(session, Alone.OTHER_LOCAL if near else Alone.NO_SESSION, router)
