"""Pairs the ends of LDP sessions if both name a prefix (`session-group`) instead of an address.

`match` pairs ends by an address that one of them names. If both name a prefix, the configurations do not name the
peers: two routers are then LDP neighbors if both have an address on one network, and each has an address in the other's
prefix.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from ipaddress import IPv4Network, IPv6Network
from typing import NamedTuple

from keyroll.configuration import Alone, Ends, Link, Router, Session, Single
from keyroll.configuration.addresses import Address
from keyroll.names import SessionKind


class _Group(NamedTuple):
    single: Single
    router: Router

    @property
    def session(self) -> Session:
        return self.single.session

    def of(self, other: Router, instance: str | None) -> Address | None:
        """Return an address of the other router that falls into the prefix, or None."""
        prefix = self.session.peer
        held = other.addresses.get(instance, frozenset())
        inside = (
            one
            for one in held
            if isinstance(prefix, (IPv4Network, IPv6Network)) and one.version == prefix.version and one in prefix
        )
        return min(inside, key=int, default=None)


def pair_groups(ends: Ends, routers: Sequence[Router]) -> Ends:
    """Return the ends with LDP's prefixes paired as well.

    A prefix whose peer runs LDP without a statement for it stays single, with that peer as its router.
    """
    owners = {id(session): router for router in routers for session in router.sessions}
    groups = [_Group(one, owners[id(one.session)]) for one in ends.singles if _is_group(one)]
    if not groups:
        return ends
    links = list(ends.links)
    paired: set[int] = set()
    for one, other in itertools.combinations(groups, 2):
        link = _link(one, other)
        if link is not None:
            links.append(link)
            paired |= {id(one.session), id(other.session)}
    left = (single for single in ends.singles if id(single.session) not in paired)
    return Ends(tuple(links), tuple(_with_neighbor(single, owners, routers) for single in left))


def _is_group(single: Single) -> bool:
    return single.reason is Alone.PREFIX and single.session.kind is SessionKind.LDP


def _link(one: _Group, other: _Group) -> Link | None:
    mine, theirs = one.session, other.session
    if one.router is other.router or not adjacent(one.router, mine.instance, other.router, theirs.instance):
        return None
    here, there = other.of(one.router, mine.instance), one.of(other.router, theirs.instance)
    return None if here is None or there is None else Link(mine, theirs, here, there)


def _with_neighbor(single: Single, owners: dict[int, Router], routers: Sequence[Router]) -> Single:
    if not _is_group(single):
        return single
    group = _Group(single, owners[id(single.session)])
    near = next(_neighbors(group, routers), None)
    return single if near is None else Single(single.session, Alone.NO_SESSION, near)


def _neighbors(group: _Group, routers: Sequence[Router]) -> Iterator[Router]:
    """Yield the routers that run LDP on a network of the group's router, and have an address in its prefix."""
    for other in routers:
        if other is group.router:
            continue
        for instance in other.runs_ldp:
            near = adjacent(group.router, group.session.instance, other, instance)
            if near and group.of(other, instance) is not None:
                yield other


def adjacent(one: Router, instance: str | None, other: Router, there: str | None) -> bool:
    """Say whether two routers have an address each on one network, in these instances."""
    networks = one.networks.get(instance)
    mine = one.addresses.get(instance, frozenset())
    theirs = other.addresses.get(there, frozenset())
    # An address that both have (anycast) does not connect them.
    return networks is not None and any(networks.near(address) - {address} for address in theirs - mine)


def discovers(single: Single, router: Router) -> bool:
    """Say whether a router makes the session without a statement for it, as LDP does on its interfaces."""
    session = single.session
    if single.reason is not Alone.NO_SESSION or session.kind is not SessionKind.LDP:
        return False
    peer = session.peer
    return any(
        address == peer or (isinstance(peer, (IPv4Network, IPv6Network)) and address in peer)
        for instance in router.runs_ldp
        for address in router.addresses.get(instance, ())
    )
