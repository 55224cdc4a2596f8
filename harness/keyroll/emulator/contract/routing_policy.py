"""Routing policies in an intent: terms for routes learned by BGP, and decisions on the router's own routes."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network


class PolicyAction(enum.Enum):
    """What a term does with a route that it matches."""

    ACCEPT = "accept"
    REJECT = "reject"
    NEXT_POLICY = "next-policy"
    NEXT_TERM = "next-term"
    """The term only changes the route."""


@dataclass(frozen=True, slots=True)
class PrefixRange:
    """Prefixes inside of `prefix` whose length is from `shortest` to `longest`."""

    prefix: IPv4Network | IPv6Network
    shortest: int
    longest: int


class CommunityWay(enum.Enum):
    """What is done with a route's communities."""

    ADD = "add"
    SET = "set"
    DELETE = "delete"


class NextHop(enum.Enum):
    """A next hop that is a keyword, not an address."""

    SELF = "self"


@dataclass(frozen=True, slots=True)
class RouteChanges:
    """What a policy changes of a route. `communities` in order, each with its members (`65001:100`, `no-export`)."""

    local_preference: int | None = None
    metric: int | None = None
    next_hop: IPv4Address | IPv6Address | NextHop | None = None
    communities: tuple[tuple[CommunityWay, tuple[str, ...]], ...] = ()
    prepend: tuple[int, ...] = ()


NO_CHANGES = RouteChanges()


def merged(first: RouteChanges, then: RouteChanges) -> RouteChanges:
    """Return the changes of `first` followed by those of `then`."""
    return RouteChanges(
        first.local_preference if then.local_preference is None else then.local_preference,
        first.metric if then.metric is None else then.metric,
        first.next_hop if then.next_hop is None else then.next_hop,
        first.communities + then.communities,
        then.prepend + first.prepend,
    )


@dataclass(frozen=True, slots=True)
class PolicyTerm:
    """One term of a routing policy, for routes learned by BGP.

    A route must match `prefixes` (None: every prefix), one of `communities` (sets whose members the route must all
    have), one of `as_paths` (POSIX expressions over the path's text) and one of `neighbors`; empty tuples match every
    route.
    """

    action: PolicyAction
    prefixes: tuple[PrefixRange, ...] | None = None
    communities: tuple[tuple[str, ...], ...] = ()
    as_paths: tuple[str, ...] = ()
    neighbors: tuple[IPv4Address | IPv6Address, ...] = ()
    changes: RouteChanges = NO_CHANGES


@dataclass(frozen=True, slots=True)
class OwnRoute:
    """What an export policy does with one of the router's own routes; `NEXT_POLICY` leaves it to the next policy."""

    prefix: IPv4Network | IPv6Network
    action: PolicyAction = PolicyAction.ACCEPT
    changes: RouteChanges = NO_CHANGES


@dataclass(frozen=True, slots=True)
class PrefixLimit:
    """How many prefixes of a family a peer may send.

    `teardown` false: exceeding it is only logged. `percent` of it gives a warning. `idle_minutes`: how long the session
    stays down; 0: until it is cleared; None: it may come back at once.
    """

    maximum: int
    teardown: bool = False
    percent: int | None = None
    idle_minutes: int | None = None
