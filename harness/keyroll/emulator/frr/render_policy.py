"""Render routing policies as FRR's route maps: a neighbour's import and export chains for routes learned by BGP.

There is one route map for each neighbour and direction. Junos runs the policies of a chain in order, each term by term,
until one decides; `next policy` skips the rest of a policy; a route on which none decides is accepted (Junos, default
BGP policies).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from keyroll.emulator.contract.model import Address, BgpNeighbor, Intent, Network
from keyroll.emulator.contract.policy_expression import Exit, PolicyStep, policy_names, steps
from keyroll.emulator.contract.routing_policy import (
    NO_CHANGES,
    CommunityWay,
    NextHop,
    OwnRoute,
    PolicyAction,
    PolicyTerm,
    PrefixRange,
    RouteChanges,
)
from keyroll.emulator.frr.config import Daemon, Line

_STEP = 10
"""Distance of two entries of a route map; entries for own routes and preferences have numbers below the first."""
_FAMILIES = {4: "ip", 6: "ipv6"}
# Numbers of the entries for the router's own routes: any two below _STEP.
_OWN_V4, _OWN_V6 = 7, 8


def import_map(neighbor: Address) -> str:
    """Return the name of the route map for what a neighbour sends."""
    return f"KEYROLL-IN-{neighbor}"


def chain_lines(
    name: str, chain: Sequence[str], policies: Mapping[str, tuple[PolicyTerm, ...]], start: int = _STEP
) -> Iterator[Line]:
    """Yield the entries of route map `name` from `start` on: the chain's terms, then one that accepts the rest."""
    asked = steps(chain)
    starts, number = [], start
    for place, step in enumerate(asked):
        starts.append(number)
        terms = sum(len(_variants(term)) for term in policies.get(step.policy, ()))
        number += _STEP * (terms + (not _falls_through(step, place, len(asked))))
    last = number
    number = start
    for place, step in enumerate(asked):
        ends = _Ends(step, tuple(starts), last)
        for term in policies.get(step.policy, ()):
            for variant in _variants(term):
                yield from _entry(name, number, term, variant, ends)
                number += _STEP
        if not _falls_through(step, place, len(asked)):
            yield from _entry(name, number, PolicyTerm(PolicyAction.NEXT_POLICY), _Variant(), ends)
            number += _STEP
    text = f"route-map {name} permit {last}"
    yield Line(Daemon.BGPD, text, text, f"no {text}")


def _falls_through(step: PolicyStep, place: int, count: int) -> bool:
    """Return whether a route on which a policy does not decide goes to the next policy of the list."""
    return step.next == (place + 1 if place + 1 < count else Exit.END)


@dataclass(frozen=True, slots=True)
class _Ends:
    """Where a policy's answers lead: the numbers of the entries at which each policy begins, and of the last one."""

    step: PolicyStep
    starts: tuple[int, ...] = ()
    last: int = 0

    def of(self, action: PolicyAction) -> Exit | int | None:
        """Return the result of an action: accepted, rejected, or the entry to continue at; None: the next entry."""
        if action is PolicyAction.NEXT_TERM:
            return None
        by_action = {PolicyAction.ACCEPT: self.step.accept, PolicyAction.REJECT: self.step.reject}
        target = by_action.get(action, self.step.next)
        if target is Exit.END:
            return self.last
        return self.starts[target] if isinstance(target, int) else target


_DECIDING = _Ends(PolicyStep("", Exit.ACCEPT, Exit.REJECT, Exit.END))
"""For entries after which no other is run."""


def own_lines(name: str, routes: Sequence[OwnRoute]) -> Iterator[Line]:
    """Yield entries that accept the router's own exported routes, before the entries of any term."""
    plain = [route.prefix for route in routes if route.changes == NO_CHANGES]
    for version, number in ((4, _OWN_V4), (6, _OWN_V6)):
        ranges = [_exactly(own) for own in plain if own.version == version]
        if ranges:
            term = PolicyTerm(PolicyAction.ACCEPT, tuple(ranges))
            yield from _entry(name, number, term, _Variant(version), _DECIDING)
    changed_routes = (route for route in routes if route.changes != NO_CHANGES)
    for number, route in enumerate(changed_routes, 1):
        term = PolicyTerm(PolicyAction.ACCEPT, (_exactly(route.prefix),), changes=route.changes)
        yield from _entry(name, number * _STEP, term, _Variant(route.prefix.version), _DECIDING)


def first_term(routes: Sequence[OwnRoute]) -> int:
    """Return the number of the first entry after those of `own_lines`."""
    return _STEP * (1 + sum(route.changes != NO_CHANGES for route in routes))


def preference_lines(name: str, preference: int) -> Iterator[Line]:
    """Yield the entry that gives every route a local preference and continues with the next entry."""
    term = PolicyTerm(PolicyAction.NEXT_TERM, changes=RouteChanges(local_preference=preference))
    yield from _entry(name, _OWN_V4, term, _Variant(), _DECIDING)


def _exactly(prefix: Network) -> PrefixRange:
    return PrefixRange(prefix, prefix.prefixlen, prefix.prefixlen)


def filters(chain: Sequence[str], policies: Mapping[str, tuple[PolicyTerm, ...]]) -> bool:
    """Return whether a chain rejects or changes any route learned by BGP."""
    return any(
        term.action is PolicyAction.REJECT or term.changes != NO_CHANGES
        for policy in policy_names(chain)
        for term in policies.get(policy, ())
    ) or any(Exit.REJECT in (step.accept, step.next) for step in steps(chain))


def changed(old: Intent, new: Intent) -> list[Address]:
    """Return the neighbours in both intents whose policies changed: their routes have to be exchanged again.

    FRR does this by itself only some seconds later; Junos does it with the commit.
    """
    before = {neighbor.address: _view(old, neighbor) for neighbor in old.neighbors}
    return [
        neighbor.address
        for neighbor in new.neighbors
        if neighbor.address in before and before[neighbor.address] != _view(new, neighbor)
    ]


def _view(intent: Intent, neighbor: BgpNeighbor) -> object:
    """Return everything that decides which routes pass between this router and a neighbour."""
    chains = (neighbor.import_, neighbor.export)
    names = [
        [(name, intent.policies.get(name), intent.announce.get(name)) for name in policy_names(chain)]
        for chain in chains
    ]
    return chains, names, neighbor.local_preference


@dataclass(frozen=True, slots=True)
class _Variant:
    """One of the entries that a term needs: an entry of a route map matches prefixes of one IP version and one peer."""

    version: int | None = None
    neighbor: Address | None = None


def _variants(term: PolicyTerm) -> tuple[_Variant, ...]:
    versions = (None,) if term.prefixes is None else tuple(sorted({found.prefix.version for found in term.prefixes}))
    return tuple(_Variant(version, peer) for version in versions for peer in (term.neighbors or (None,)))


def _entry(name: str, number: int, term: PolicyTerm, variant: _Variant, ends: _Ends) -> Iterator[Line]:
    end = ends.of(term.action)
    word = "deny" if end is Exit.REJECT else "permit"
    entry = f"route-map {name} {word} {number}"
    own = f"{name}-{number}"
    if variant.version is not None:
        yield from _prefix_list(name, number, term, variant.version)
    yield from _lists(own, term)
    yield Line(Daemon.BGPD, entry, entry, f"no {entry}")
    for what, text in (*_conditions(own, term, variant), *_settings(own, term.changes)):
        yield Line(Daemon.BGPD, f"{entry} {what}", text, f"no {text}", (entry,), parent=entry)
    if isinstance(end, int):
        yield Line(Daemon.BGPD, f"{entry} goto", f"on-match goto {end}", "no on-match goto", (entry,), parent=entry)
    elif end is None:
        yield Line(Daemon.BGPD, f"{entry} next", "on-match next", "no on-match next", (entry,), parent=entry)


def _lists(own: str, term: PolicyTerm) -> Iterator[Line]:
    """Yield the lists of communities and paths that an entry refers to."""
    rows = [f"bgp community-list standard {own} permit {' '.join(members)}" for members in term.communities]
    for place, (way, members) in enumerate(term.changes.communities):
        if way is CommunityWay.DELETE:
            rows += [f"bgp community-list standard {own}-{place} permit {member}" for member in members]
    rows += [f"bgp as-path access-list {own} permit {path}" for path in term.as_paths]
    for text in dict.fromkeys(rows):
        yield Line(Daemon.BGPD, text, text, f"no {text}")


def _conditions(own: str, term: PolicyTerm, variant: _Variant) -> Iterator[tuple[str, str]]:
    """Yield (what, line) of an entry's conditions."""
    if variant.version is not None:
        yield "match", f"match {_FAMILIES[variant.version]} address prefix-list {own}"
    if variant.neighbor is not None:
        yield "match peer", f"match peer {variant.neighbor}"
    if term.communities:
        yield "match community", f"match community {own}"
    if term.as_paths:
        yield "match as-path", f"match as-path {own}"


def _settings(own: str, changes: RouteChanges) -> Iterator[tuple[str, str]]:
    """Yield (what, line) of an entry's changes. `peer-address` is FRR's word for its own address towards the peer."""
    if changes.local_preference is not None:
        yield "preference", f"set local-preference {changes.local_preference}"
    if changes.metric is not None:
        yield "metric", f"set metric {changes.metric}"
    if changes.prepend:
        yield "prepend", f"set as-path prepend {' '.join(map(str, changes.prepend))}"
    if changes.next_hop is NextHop.SELF:
        yield "next-hop", "set ip next-hop peer-address"
        yield "next-hop6", "set ipv6 next-hop peer-address"
    elif changes.next_hop is not None:
        version = "ip next-hop" if changes.next_hop.version == 4 else "ipv6 next-hop global"  # noqa: PLR2004 - IP's own
        yield "next-hop", f"set {version} {changes.next_hop}"
    yield from _community_settings(own, changes)


def _community_settings(own: str, changes: RouteChanges) -> Iterator[tuple[str, str]]:
    """Yield the lines for communities: FRR takes one line that deletes, then one that sets or adds."""
    members: tuple[str, ...] = ()
    additive = True
    for place, (way, named) in enumerate(changes.communities):
        if way is CommunityWay.DELETE:
            yield "delete", f"set comm-list {own}-{place} delete"
            members = tuple(one for one in members if one not in named)
        else:
            additive = additive and way is CommunityWay.ADD
            members = named if way is CommunityWay.SET else (*members, *named)
    if members:
        yield "community", f"set community {' '.join(dict.fromkeys(members))}{' additive' if additive else ''}"


def _prefix_list(name: str, number: int, term: PolicyTerm, version: int) -> Iterator[Line]:
    ranges = [found for found in term.prefixes or () if found.prefix.version == version]
    for place, found in enumerate(ranges, 1):
        text = f"{_FAMILIES[version]} prefix-list {name}-{number} seq {place} permit {_range(found)}"
        key = f"prefix-list {name}-{number} {version} {place}"
        yield Line(Daemon.BGPD, key, text, f"no {text}", replace=False)


def _range(found: PrefixRange) -> str:
    low = f" ge {found.shortest}" if found.shortest > found.prefix.prefixlen else ""
    high = f" le {found.longest}" if found.longest > found.prefix.prefixlen else ""
    return f"{found.prefix}{low}{high}"
