"""Finds the two ends of each session among any number of routers, by their addresses."""

from __future__ import annotations

import enum
import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network
from typing import NamedTuple

from keyroll.configuration.addresses import Address
from keyroll.configuration.routers import Instance, Router
from keyroll.configuration.sessions import Network, PeerKind, Session
from keyroll.names import SessionKind


class Alone(enum.Enum):
    """Why a session has no other end among the given routers."""

    NO_ROUTER = "no router that is given has the peer's address"
    NO_SESSION = "the router with the peer's address has no such session"
    OTHER_LOCAL = "the other router's session is with another address of this one"
    DISCOVERED = "the peer is discovered, the text does not name it"
    PREFIX = "no session of a router that is given falls into the prefix"


class Link(NamedTuple):
    """Two ends of one session, and the address that each has in it."""

    one: Session
    other: Session
    one_address: Address
    other_address: Address


class Single(NamedTuple):
    """A session without its other end, the reason, and the router that has the peer's address, if any."""

    session: Session
    reason: Alone
    router: Router | None = None


class Ends(NamedTuple):
    """The sessions that were matched, and those that were not."""

    links: tuple[Link, ...]
    singles: tuple[Single, ...]


class _End(NamedTuple):
    router: Router
    session: Session
    number: int
    """Its place among all sessions, in the order of the routers."""


@dataclass(slots=True)
class _Held:
    """The sessions of one kind in one routing instance of a router."""

    exact: dict[Address, list[_End]] = field(default_factory=dict)
    """By the peer's address."""
    prefixes: list[tuple[_End, Network]] = field(default_factory=list)


def match(routers: Sequence[Router]) -> Ends:
    """Return the sessions of all routers with both ends, and those without another end.

    Two sessions are the ends of one if they are of the same kind (BGP, LDP), each names an address of the other's
    routing instance (or one within the other's prefix), and neither has a `local-address` other than the address that
    the other names. An address that several routers have may match several times; each match is a link.
    """
    matcher = _Matcher(routers)
    links: dict[tuple[int, int], Link] = {}
    for end in matcher.ends:
        for other, address, peer in matcher.others(end):
            if end.number < other.number:
                links.setdefault((end.number, other.number), Link(end.session, other.session, address, peer))
            else:
                links.setdefault((other.number, end.number), Link(other.session, end.session, peer, address))
    matched = set(itertools.chain.from_iterable(links))
    singles = [matcher.single(end) for end in matcher.ends if end.number not in matched]
    return Ends(tuple(links[pair] for pair in sorted(links)), tuple(singles))


class _Matcher:
    """Finds other ends by address: with thousands of sessions, comparing all pairs is too slow."""

    def __init__(self, routers: Sequence[Router]) -> None:
        sessions = [(router, session) for router in routers for session in router.sessions]
        self.ends = [_End(router, session, number) for number, (router, session) in enumerate(sessions)]
        self._owners: dict[Address, list[tuple[Router, Instance]]] = {}
        # There may be tens of thousands of addresses; only those that a session names are needed.
        named = {_named(session) for _, session in sessions}
        for router in routers:
            for instance, addresses in router.addresses.items():
                for address in addresses & named:
                    self._owners.setdefault(address, []).append((router, instance))
        self._held: dict[tuple[int, Instance, SessionKind], _Held] = {}
        for end in self.ends:
            self._hold(end)
        self._locals: dict[tuple[int, Instance, Address | None, Address], frozenset[Address]] = {}
        self._inside: dict[tuple[frozenset[Address], Network], list[Address]] = {}

    def _hold(self, end: _End) -> None:
        session, peer = end.session, _named(end.session)
        held = self._held.setdefault((id(end.router), session.instance, session.kind), _Held())
        if isinstance(peer, (IPv4Network, IPv6Network)):
            held.prefixes.append((end, peer))
        elif peer is not None:
            held.exact.setdefault(peer, []).append(end)

    def others(self, end: _End) -> Iterator[tuple[_End, Address, Address]]:
        """Yield the other ends of a session that names an address: (end, address here, address there)."""
        peer = _named(end.session)
        if peer is None or isinstance(peer, (IPv4Network, IPv6Network)):
            return
        mine = self._locals_of(end, peer)
        for router, instance in self._owners.get(peer, ()):
            held = self._held.get((id(router), instance, end.session.kind))
            if held is None:
                continue
            for address in _shared(mine, held.exact):
                for other in held.exact[address]:
                    if other is not end and peer in self._locals_of(other, address):
                        yield other, address, peer
            for other, prefix in held.prefixes:
                inside = self._within(mine, prefix)
                address_here = next((one for one in inside if peer in self._locals_of(other, one)), None)
                if address_here is not None:
                    yield other, address_here, peer

    def _locals_of(self, end: _End, peer: Address) -> frozenset[Address]:
        key = (id(end.router), end.session.instance, end.session.local, peer)
        found = self._locals.get(key)
        if found is None:
            found = self._locals[key] = end.router.locals_towards(end.session, peer)
        return found

    def _within(self, mine: frozenset[Address], prefix: Network) -> list[Address]:
        found = self._inside.get((mine, prefix))
        if found is None:
            held = (one for one in mine if one.version == prefix.version and one in prefix)
            found = self._inside[mine, prefix] = sorted(held, key=int)
        return found

    def single(self, end: _End) -> Single:
        """Return a session that has no other end, with the reason."""
        session, peer = end.session, _named(end.session)
        if session.peer_kind is PeerKind.DISCOVERED:
            return Single(session, Alone.DISCOVERED)
        if isinstance(peer, (IPv4Network, IPv6Network)) or peer is None:
            return Single(session, Alone.PREFIX)
        found = [owner for owner in self._owners.get(peer, ()) if owner[0] is not end.router]
        if not found:
            return Single(session, Alone.NO_ROUTER)
        router, instance = found[0]
        mine = end.router.addresses.get(session.instance, frozenset())
        held = self._held.get((id(router), instance, session.kind))
        near = held is not None and next(_shared(mine, held.exact), None) is not None
        return Single(session, Alone.OTHER_LOCAL if near else Alone.NO_SESSION, router)


def _named(session: Session) -> Address | Network | None:
    """Return the peer that a session names; a `session-group` of LDP with a host prefix names that address.

    BGP's `allow` with a host prefix does not: such a router only waits, and two that wait have no session.
    """
    peer = session.peer
    if session.kind is SessionKind.LDP and isinstance(peer, (IPv4Network, IPv6Network)) and peer.num_addresses == 1:
        return peer.network_address
    return peer


def _shared(mine: frozenset[Address], held: Mapping[Address, object]) -> Iterator[Address]:
    """Yield the addresses that both have; the smaller collection is looked up in the larger one."""
    if len(mine) <= len(held):
        return (address for address in mine if address in held)
    return (address for address in held if address in mine)
