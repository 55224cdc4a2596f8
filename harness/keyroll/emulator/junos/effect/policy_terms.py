"""Evaluates routing policies for the router's own routes, and converts them to terms for routes received by BGP.

Pure. A policy runs its terms in order until one decides. If none does, the next policy decides, and in the end the
protocol's default, which for BGP export of direct and static routes is to announce nothing (Junos, default routing
policies). The changes that a term makes to a route remain, whichever term or policy decides on it later.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from ipaddress import ip_address, ip_network

from keyroll.emulator.contract.errors import NOT_EMULATED
from keyroll.emulator.contract.model import Network
from keyroll.emulator.contract.routing_policy import (
    NO_CHANGES,
    CommunityWay,
    NextHop,
    OwnRoute,
    PolicyAction,
    PolicyTerm,
    PrefixRange,
    RouteChanges,
    merged,
)
from keyroll.emulator.junos.configuration.schema import Kind
from keyroll.emulator.junos.configuration.tree import Node

_REASON = ", so it cannot be said which routes pass"
"""Why a policy is refused if a part of it is not emulated: missing routes would look like a fault of the router."""


class PolicyFault(ValueError):  # noqa: N818 - it becomes one reason of a refused commit
    """A policy uses something undefined or not emulated. The message names it and its term."""


@dataclass(frozen=True, slots=True)
class Route:
    """One of the router's own routes: prefix, `direct` or `static`, and the logical interface of a direct one."""

    prefix: Network
    protocol: str
    interface: str | None = None


def own_routes(root: Node, name: str, routes: Iterable[Route]) -> tuple[OwnRoute, ...]:
    """Return the result of policy `name` for each prefix of `routes`, in their order; `root` is expanded.

    Of several routes to a prefix, an accepted one is used. Raises PolicyFault.
    """
    options, policy = _policy(root, name)
    if options is None or policy is None:
        return ()
    found: dict[Network, OwnRoute] = {}
    for route in routes:
        own = _own_route(options, policy, route)
        before = found.get(route.prefix)
        if before is None or before.action is not PolicyAction.ACCEPT:
            found[route.prefix] = own
    return tuple(found.values())


def _policy(root: Node, name: str) -> tuple[Node | None, Node | None]:
    options = root.find("policy-options")
    return options, options.child("policy-statement", name) if options else None


def _own_route(options: Node, policy: Node, route: Route) -> OwnRoute:
    changes = NO_CHANGES
    for term in (*policy.entries("term"), policy):
        _require_emulated(policy, term)
        if not _matches(options, term.child("from"), route):
            continue
        then = _deciding_filter(term.child("from"), route.prefix)
        if then is None:
            changes = merged(changes, _changes(options, policy, term))
            then = term.child("then")
        decision = _action(then)
        if decision is not None:
            return OwnRoute(route.prefix, decision, changes)
    return OwnRoute(route.prefix, PolicyAction.NEXT_POLICY, changes)


def _deciding_filter(conditions: Node | None, prefix: Network) -> Node | None:
    """Return the route-filter whose own action decides on a prefix; `then` is ignored (Junos, route-filter).

    Of several that match the prefix, only the longest is considered.
    """
    entries = (
        entry for entry in _route_filters(conditions) if _contains(_range(ip_network(entry.key or ""), entry), prefix)
    )
    longest = max(entries, key=_length, default=None)
    return longest if longest is not None and _has_action(longest) else None


def _route_filters(conditions: Node | None) -> list[Node]:
    return conditions.entries("route-filter") if conditions is not None else []


def _length(entry: Node) -> int:
    return ip_network(entry.key or "").prefixlen


def _has_action(entry: Node) -> bool:
    """Return whether a route-filter has its own action."""
    return _action(entry) is not None or entry.value_of("next") is not None


def _require_emulated(policy: Node, term: Node) -> None:
    """Raise PolicyFault unless all conditions of a term, and its combination of actions, are emulated."""
    where = _where(policy, term)
    filters = _route_filters(term.child("from"))
    with_action = [entry for entry in filters if _has_action(entry)]
    mixed = 0 < len(with_action) < len(filters) and _action(term.child("then")) is None
    if mixed or (len(filters) > 1 and any(entry.value_of("next") == "term" for entry in with_action)):
        raise PolicyFault(
            f"{NOT_EMULATED}{where}: route-filters with actions next to others that go to the next term{_REASON}"
        )
    _require_emulated_conditions(term.child("from"), where)
    if any(child.statement.name == "to" for child in term.shown()):
        raise PolicyFault(f"{NOT_EMULATED}{where}: 'to'{_REASON}")


def _action(then: Node | None) -> PolicyAction | None:
    """Return the decision of `then` or of a filter; None for `next term` and without any action."""
    if then is None:
        return None
    if then.child("accept"):
        return PolicyAction.ACCEPT
    if then.child("reject"):
        return PolicyAction.REJECT
    return PolicyAction.NEXT_POLICY if then.value_of("next") == "policy" else None


def _where(policy: Node, term: Node) -> str:
    return f"policy {policy.key}, {f'term {term.key}' if term is not policy else 'the last term'}"


def _changes(options: Node, policy: Node, term: Node) -> RouteChanges:
    then = term.child("then")
    if then is None:
        return NO_CHANGES
    hop, where = then.value_of("next-hop"), _where(policy, term)
    if hop in ("peer-address", "discard", "reject"):
        raise PolicyFault(f"{NOT_EMULATED}{where}: 'next-hop {hop}'{_REASON}")
    preference, metric = (_amount(then, name, where) for name in ("local-preference", "metric"))
    ways = then.child("community")
    prepended = then.value_of("as-path-prepend") or ""
    return RouteChanges(
        int(preference) if preference is not None else None,
        int(metric) if metric is not None else None,
        None if hop is None else NextHop.SELF if hop == NextHop.SELF.value else ip_address(hop),
        tuple(
            (CommunityWay(node.statement.name), community(options, node.key or "", _where(policy, term)))
            for node in (ways.children.values() if ways is not None else ())
        ),
        tuple(int(number) for number in prepended.split()),
    )


def _amount(then: Node, name: str, where: str) -> str | None:
    """Return the number that `then` sets; raises PolicyFault for one relative to the route's own number."""
    node = then.child(name)
    if node is None:
        return None
    relative = next((child.statement.name for child in node.shown() if child.statement.kind is Kind.OPAQUE), None)
    if relative is not None:
        raise PolicyFault(f"{NOT_EMULATED}{where}: 'then {name} {relative}', so routes would have another {name}")
    return node.value_of("")


_PLAIN = re.compile(r"\d{1,5}:\d{1,5}")
"""A standard community, `AS:NUMBER`."""
_WELL_KNOWN = {"no-export": "no-export", "no-advertise": "no-advertise", "no-export-subconfed": "local-AS"}
"""The well-known communities of RFC 1997: Junos' names, with those of bgpd."""


def community(options: Node, name: str, where: str) -> tuple[str, ...]:
    """Return the members of a named community, in bgpd's notation.

    Raises PolicyFault, whose message begins with `where` (the policy and term that use it).
    """
    found = options.child("community", name)
    if found is None:
        raise PolicyFault(f"{where}: community {name} is not defined")
    if found.entries("invert-match"):
        raise PolicyFault(f"{NOT_EMULATED}{where}: 'invert-match' of community {name}{_REASON}")
    members = found.values_of("members")
    if not members:
        raise PolicyFault(f"{where}: community {name} has no members")
    for member in members:
        if member not in _WELL_KNOWN and not _PLAIN.fullmatch(member):
            raise PolicyFault(
                f"{NOT_EMULATED}{where}: member {member} of community {name}: use AS:NUMBER or {', '.join(_WELL_KNOWN)}"
            )
    return tuple(_WELL_KNOWN.get(member, member) for member in members)


_HOP = "( |$)"
"""What follows an AS number in the text of a path: a space, or its end."""
_TOKEN = re.compile(r"(?P<any>\.)(?P<many>[*+]?)|(?P<number>\d{1,10})(?P<again>[*+]?)|\((?P<choice>\d+(\|\d+)*)\)")


def as_path(options: Node, name: str, where: str) -> str:
    """Return a named AS path expression of Junos as a POSIX regular expression over the text of the path.

    Junos' expressions are made of AS numbers, POSIX's of characters. Raises PolicyFault for a form not emulated.
    """
    found = options.child("as-path", name)
    if found is None:
        raise PolicyFault(f"{where}: as-path {name} is not defined")
    text = (found.value_of("") or "").strip().removeprefix("^").removesuffix("$").strip()
    if text in ("", "()"):
        return "^$"
    parts = []
    for word in text.split():
        match = _TOKEN.fullmatch(word)
        if match is None:
            raise PolicyFault(f"{NOT_EMULATED}{where}: '{word}' in as-path {name}{_REASON}")
        what = match["number"] or (f"({match['choice']})" if match["choice"] else "[0-9]+")
        many = match["many"] or match["again"] or ""
        parts.append(f"({what}{_HOP}){many}" if many else f"{what}{_HOP}")
    return f"^{''.join(parts)}$"


def _require_emulated_conditions(conditions: Node | None, where: str) -> None:
    """Raise PolicyFault for a condition that is kept without effect: the routes that it matches are not known."""
    for child in conditions.shown() if conditions is not None else ():
        kept = (
            child
            if child.statement.kind is Kind.OPAQUE
            else next((one for one in child.shown() if one.statement.kind is Kind.OPAQUE), None)
        )
        if kept is not None:
            raise PolicyFault(f"{NOT_EMULATED}{where}: 'from {kept.statement.name}'{_REASON}")


def _matches(options: Node, conditions: Node | None, route: Route) -> bool:
    if conditions is None:
        return True
    if conditions.values_of("community") or conditions.values_of("neighbor"):
        return False  # the router's own routes have no communities, and come from no neighbor
    protocols = conditions.values_of("protocol")
    interfaces = conditions.values_of("interface")
    lists = conditions.values_of("prefix-list")
    filters = list(_filters(options, conditions))
    paths = [as_path(options, name, "from as-path") for name in conditions.values_of("as-path")]
    return (
        (not protocols or route.protocol in protocols)
        and (not interfaces or route.interface in interfaces)
        and conditions.value_of("family") in (None, _FAMILIES[route.prefix.version])
        and (not paths or any(re.search(path, "") for path in paths))
        and (not lists or route.prefix in set(_listed(options, lists)))
        and (not _has_filters(conditions) or any(_contains(one, route.prefix) for one in filters))
    )


_FAMILIES = {4: "inet", 6: "inet6"}


def _listed(options: Node, names: Iterable[str]) -> Iterator[Network]:
    for name in names:
        found = options.child("prefix-list", name)
        for entry in found.entries("") if found else []:
            yield ip_network(entry.key or "")


def _has_filters(conditions: Node) -> bool:
    return bool(conditions.entries("route-filter") or conditions.entries("prefix-list-filter"))


def _filters(options: Node, conditions: Node) -> Iterator[PrefixRange]:
    """Yield the prefix ranges of each `route-filter`, and of each prefix in the list of a `prefix-list-filter`."""
    for entry in conditions.entries("route-filter"):
        yield _range(ip_network(entry.key or ""), entry)
    for entry in conditions.entries("prefix-list-filter"):
        for prefix in _listed(options, [entry.key or ""]):
            yield _range(prefix, entry)


def _range(prefix: Network, entry: Node) -> PrefixRange:
    length, top = prefix.prefixlen, prefix.max_prefixlen
    upto = entry.value_of("upto")
    if entry.child("orlonger"):
        return PrefixRange(prefix, length, top)
    if entry.child("longer"):
        return PrefixRange(prefix, length + 1, top)
    return PrefixRange(prefix, length, int(upto.removeprefix("/")) if upto is not None else length)


def _contains(wanted: PrefixRange, prefix: Network) -> bool:
    return (
        wanted.prefix.version == prefix.version
        and prefix.network_address in wanted.prefix
        and wanted.shortest <= prefix.prefixlen <= wanted.longest
    )


def bgp_terms(root: Node, name: str) -> tuple[PolicyTerm, ...]:
    """Return the terms of policy `name` that routes received by BGP can match, in order.

    Raises PolicyFault for a part that is undefined or not emulated.
    """
    options, policy = _policy(root, name)
    if options is None or policy is None:
        return ()
    return tuple(found for term in (*policy.entries("term"), policy) for found in _bgp_terms(options, policy, term))


def _bgp_terms(options: Node, policy: Node, term: Node) -> Iterator[PolicyTerm]:
    """Yield the term, or where a filter has its own action, one term for each filter, longest prefix first."""
    filters = _route_filters(term.child("from"))
    each = sorted(filters, key=_length, reverse=True) if any(map(_has_action, filters)) else [None]
    for one in each:
        found = _bgp_term(options, policy, term, only=one)
        if found is not None:
            yield found


def _bgp_term(options: Node, policy: Node, term: Node, *, only: Node | None = None) -> PolicyTerm | None:
    """Return the term for routes received by BGP; with `only`, for those that match this one of its filters.

    None when no such route can match, or when the term neither decides nor changes anything.
    """
    _require_emulated(policy, term)
    conditions, where = term.child("from"), _where(policy, term)
    action, changes = _action(term.child("then")), _changes(options, policy, term)
    if only is not None and _has_action(only):
        action, changes = _action(only), NO_CHANGES
    if (action is None and changes == NO_CHANGES) or not _applies_to_bgp(conditions):
        return None
    wanted = PolicyTerm(action or PolicyAction.NEXT_TERM, changes=changes)
    if conditions is None:
        return wanted
    interfaces = conditions.values_of("interface")
    if interfaces and all(interface.startswith("lo0.") for interface in interfaces):
        return None  # no route received by BGP has the loopback as its interface
    if interfaces:
        raise PolicyFault(f"{NOT_EMULATED}{where}: 'from interface' for routes of BGP{_REASON}")
    prefixes = _ranges(options, conditions, only)
    if prefixes == ():
        return None
    return replace(
        wanted,
        prefixes=prefixes,
        communities=tuple(community(options, one, where) for one in conditions.values_of("community")),
        as_paths=tuple(as_path(options, one, where) for one in conditions.values_of("as-path")),
        neighbors=tuple(ip_address(one) for one in conditions.values_of("neighbor")),
    )


def _applies_to_bgp(conditions: Node | None) -> bool:
    protocols = conditions.values_of("protocol") if conditions is not None else ()
    return not protocols or "bgp" in protocols


_EVERY = {
    "inet": PrefixRange(ip_network("0.0.0.0/0"), 0, 32),
    "inet6": PrefixRange(ip_network("::/0"), 0, 128),
}
"""All prefixes of a family."""


def _ranges(options: Node, conditions: Node, only: Node | None = None) -> tuple[PrefixRange, ...] | None:
    """Return the prefix ranges of a term: those of its filters, or the entries of its lists (that its filters match).

    None when the term has no condition on prefixes; empty when no prefix can match. `only` stands for all filters.
    """
    lists, family = conditions.values_of("prefix-list"), conditions.value_of("family")
    asked = _filters(options, conditions) if only is None else (_range(ip_network(only.key or ""), only),)
    filters = [found for found in asked if found.shortest <= found.longest]
    if not lists and not _has_filters(conditions):
        return None if family is None else (_EVERY[family],) if family in _EVERY else ()
    ranges = filters
    if lists:
        listed = _listed(options, lists)
        passing = (
            one for one in listed if not _has_filters(conditions) or any(_contains(each, one) for each in filters)
        )
        ranges = [PrefixRange(prefix, prefix.prefixlen, prefix.prefixlen) for prefix in passing]
    return tuple(one for one in ranges if family in (None, _FAMILIES[one.prefix.version]))
