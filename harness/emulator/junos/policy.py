"""Routing policies, as far as announcing needs them: which of the router's own routes a policy accepts.

Pure. A policy runs its terms in order until one decides; what none decides is left to the protocol's default, which
for BGP export of direct and static routes is to announce nothing (Junos, default routing policies).
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import ip_network

from harness.emulator.junos.tree import Node
from harness.emulator.model import Network


@dataclass(frozen=True, slots=True)
class Route:
    """A route of the router's own: prefix, `direct` or `static`, and the logical interface of a direct one."""

    prefix: Network
    protocol: str
    interface: str | None = None


class Decision(enum.Enum):
    """What a term does with a route that it matches."""

    ACCEPT = enum.auto()
    REJECT = enum.auto()
    NEXT_POLICY = enum.auto()


def accepted(root: Node, name: str, routes: Iterable[Route]) -> tuple[Network, ...]:
    """Return the prefixes of `routes` that policy `name` accepts, each once, in order; `root` is expanded."""
    options = root.find("policy-options")
    policy = options.child("policy-statement", name) if options else None
    if options is None or policy is None:
        return ()
    taken = (route.prefix for route in routes if _decide(options, policy, route) is Decision.ACCEPT)
    return tuple(dict.fromkeys(taken))


def _decide(options: Node, policy: Node, route: Route) -> Decision | None:
    for term in (*policy.entries("term"), policy):
        if not _matches(options, term.child("from"), route):
            continue
        decision = _action(term.child("then"))
        if decision is not None:
            return decision
    return None


def _action(then: Node | None) -> Decision | None:
    """Return what `then` decides; `next term`, and no action at all, decide nothing."""
    if then is None:
        return None
    if then.child("accept"):
        return Decision.ACCEPT
    if then.child("reject"):
        return Decision.REJECT
    return Decision.NEXT_POLICY if then.value_of("next") == "policy" else None


def _matches(options: Node, conditions: Node | None, route: Route) -> bool:
    if conditions is None:
        return True
    protocols = conditions.values_of("protocol")
    interfaces = conditions.values_of("interface")
    lists = conditions.values_of("prefix-list")
    filters = conditions.entries("route-filter")
    return (
        (not protocols or route.protocol in protocols)
        and (not interfaces or route.interface in interfaces)
        and (not lists or route.prefix in set(_listed(options, lists)))
        and (not filters or any(_filter_matches(entry, route.prefix) for entry in filters))
    )


def _listed(options: Node, names: Iterable[str]) -> Iterator[Network]:
    for name in names:
        found = options.child("prefix-list", name)
        for entry in found.entries("") if found else []:
            yield ip_network(entry.key or "")


def _filter_matches(entry: Node, prefix: Network) -> bool:
    wanted = ip_network(entry.key or "")
    if wanted.version != prefix.version:
        return False
    inside = prefix.network_address in wanted and prefix.prefixlen >= wanted.prefixlen
    upto = entry.value_of("upto")
    if entry.child("orlonger"):
        return inside
    if entry.child("longer"):
        return inside and prefix.prefixlen > wanted.prefixlen
    if upto is not None:
        return inside and prefix.prefixlen <= int(upto.removeprefix("/"))
    return prefix == wanted
