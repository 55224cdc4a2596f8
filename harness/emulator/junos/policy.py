"""Routing policies: which of the router's own routes one accepts, and what it does with routes that BGP brought.

Pure. A policy runs its terms in order until one decides; what none decides is left to the protocol's default, which
for BGP export of direct and static routes is to announce nothing (Junos, default routing policies).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import ip_network

from harness.emulator.junos.tree import Node
from harness.emulator.model import Network, PolicyAction, PolicyTerm, PrefixRange


@dataclass(frozen=True, slots=True)
class Route:
    """A route of the router's own: prefix, `direct` or `static`, and the logical interface of a direct one."""

    prefix: Network
    protocol: str
    interface: str | None = None


def accepted(root: Node, name: str, routes: Iterable[Route]) -> tuple[Network, ...]:
    """Return the prefixes of `routes` that policy `name` accepts, each once, in order; `root` is expanded."""
    options = root.find("policy-options")
    policy = options.child("policy-statement", name) if options else None
    if options is None or policy is None:
        return ()
    taken = (route.prefix for route in routes if _decide(options, policy, route) is PolicyAction.ACCEPT)
    return tuple(dict.fromkeys(taken))


def _decide(options: Node, policy: Node, route: Route) -> PolicyAction | None:
    for term in (*policy.entries("term"), policy):
        if not _matches(options, term.child("from"), route):
            continue
        decision = _action(term.child("then"))
        if decision is not None:
            return decision
    return None


def _action(then: Node | None) -> PolicyAction | None:
    """Return what `then` decides; `next term`, and no action at all, decide nothing."""
    if then is None:
        return None
    if then.child("accept"):
        return PolicyAction.ACCEPT
    if then.child("reject"):
        return PolicyAction.REJECT
    return PolicyAction.NEXT_POLICY if then.value_of("next") == "policy" else None


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


class PolicyFault(ValueError):  # noqa: N818 - it becomes one reason of a refused commit
    """A policy asks for something of BGP's routes that this router does not carry out; says what and in which term."""


def bgp_terms(root: Node, name: str) -> tuple[PolicyTerm, ...]:
    """Return what policy `name` does with routes that BGP brought: its terms that such routes can meet, in order.

    Raises PolicyFault for a condition that is not carried out.
    """
    options = root.find("policy-options")
    policy = options.child("policy-statement", name) if options else None
    if options is None or policy is None:
        return ()
    found = []
    for term in (*policy.entries("term"), policy):
        action = _action(term.child("then"))
        conditions = term.child("from")
        if action is None or not _meets_bgp(conditions):
            continue
        if conditions is not None and conditions.values_of("interface"):
            if all(interface.startswith("lo0.") for interface in conditions.values_of("interface")):
                continue  # nothing that BGP brought leaves by the loopback
            where = f"term {term.key}" if term is not policy else "the last term"
            raise PolicyFault(f"policy {name}, {where}: 'from interface' is not carried out for routes of BGP")
        prefixes = _ranges(options, conditions)
        if prefixes is None or prefixes:
            found.append(PolicyTerm(action, prefixes))
    return tuple(found)


def _meets_bgp(conditions: Node | None) -> bool:
    protocols = conditions.values_of("protocol") if conditions is not None else ()
    return not protocols or "bgp" in protocols


def _ranges(options: Node, conditions: Node | None) -> tuple[PrefixRange, ...] | None:
    """Return the prefixes that a term names: those of its filters, of its lists, or of its lists that filters match."""
    if conditions is None:
        return None
    filters = conditions.entries("route-filter")
    lists = conditions.values_of("prefix-list")
    if not lists:
        ranges = [_range(entry) for entry in filters]
        return tuple(found for found in ranges if found.shortest <= found.longest) if filters else None
    listed = [prefix for prefix in _listed(options, lists) if _passes(filters, prefix)]
    return tuple(PrefixRange(prefix, prefix.prefixlen, prefix.prefixlen) for prefix in listed)


def _passes(filters: list[Node], prefix: Network) -> bool:
    return not filters or any(_filter_matches(entry, prefix) for entry in filters)


def _range(entry: Node) -> PrefixRange:
    prefix = ip_network(entry.key or "")
    length, top = prefix.prefixlen, prefix.max_prefixlen
    upto = entry.value_of("upto")
    if entry.child("orlonger"):
        return PrefixRange(prefix, length, top)
    if entry.child("longer"):
        return PrefixRange(prefix, length + 1, top)
    return PrefixRange(prefix, length, int(upto.removeprefix("/")) if upto is not None else length)
