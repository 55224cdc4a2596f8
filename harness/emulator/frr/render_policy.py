"""Routing policies as FRR's route maps: what a neighbour's import and export chains do with routes that BGP brought.

One route map a neighbour and direction. Junos runs the policies of a chain in order, each term by term, until one
decides; `next policy` skips the rest of a policy; what none decides is accepted (Junos, default BGP policies).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from harness.emulator.frr.config import Daemon, Line
from harness.emulator.model import Address, BgpNeighbor, Intent, Network, PolicyAction, PolicyTerm, PrefixRange

_STEP = 10
_FAMILIES = {4: "ip", 6: "ipv6"}
_OWN_V4, _OWN_V6 = 7, 8


def import_map(neighbor: Address) -> str:
    """Return the name of the route map for what a neighbour sends."""
    return f"KEYROLL-IN-{neighbor}"


def chain_lines(name: str, chain: Sequence[str], policies: Mapping[str, tuple[PolicyTerm, ...]]) -> Iterator[Line]:
    """Yield the entries of route map `name` from number 10 on: the chain's terms, then one that accepts the rest."""
    starts, number = [], _STEP
    for policy in chain:
        starts.append(number)
        number += _STEP * sum(len(_versions(term)) for term in policies.get(policy, ()))
    starts.append(number)
    number = _STEP
    for place, policy in enumerate(chain):
        for term in policies.get(policy, ()):
            for version in _versions(term):
                yield from _entry(name, number, term, version, skip_to=starts[place + 1])
                number += _STEP
    last = f"route-map {name} permit {number}"
    yield Line(Daemon.BGPD, last, last, f"no {last}")


def own_lines(name: str, prefixes: Sequence[Network]) -> Iterator[Line]:
    """Yield entries that accept the router's own exported prefixes, before any term is asked."""
    for version, number in ((4, _OWN_V4), (6, _OWN_V6)):
        ranges = [PrefixRange(own, own.prefixlen, own.prefixlen) for own in prefixes if own.version == version]
        if ranges:
            yield from _entry(name, number, PolicyTerm(PolicyAction.ACCEPT, tuple(ranges)), version, skip_to=0)


def filters(chain: Sequence[str], policies: Mapping[str, tuple[PolicyTerm, ...]]) -> bool:
    """Say whether a chain rejects anything that BGP brought."""
    return any(term.action is PolicyAction.REJECT for policy in chain for term in policies.get(policy, ()))


def changed(old: Intent, new: Intent) -> list[Address]:
    """Return the neighbours, there before and after, for whom a policy changed: routes have to be exchanged again.

    FRR would do it by itself some seconds later; Junos does it with the commit.
    """
    before = {neighbor.address: _view(old, neighbor) for neighbor in old.neighbors}
    return [
        neighbor.address
        for neighbor in new.neighbors
        if neighbor.address in before and before[neighbor.address] != _view(new, neighbor)
    ]


def _view(intent: Intent, neighbor: BgpNeighbor) -> object:
    """Return all that decides which routes of BGP pass between this router and a neighbour."""
    chains = (neighbor.import_, neighbor.export)
    return [[(name, intent.policies.get(name), intent.announce.get(name)) for name in chain] for chain in chains]


def _versions(term: PolicyTerm) -> tuple[int | None, ...]:
    """Return the IP versions of a term's prefixes, each of which takes an entry; None for a term without prefixes."""
    if term.prefixes is None:
        return (None,)
    return tuple(sorted({found.prefix.version for found in term.prefixes}))


def _entry(name: str, number: int, term: PolicyTerm, version: int | None, *, skip_to: int) -> Iterator[Line]:
    word = "deny" if term.action is PolicyAction.REJECT else "permit"
    entry = f"route-map {name} {word} {number}"
    if version is not None:
        yield from _prefix_list(name, number, term, version)
    yield Line(Daemon.BGPD, entry, entry, f"no {entry}")
    if version is not None:
        match = f"match {_FAMILIES[version]} address prefix-list {name}-{number}"
        yield Line(Daemon.BGPD, f"{entry} match", match, f"no {match}", (entry,), parent=entry)
    if term.action is PolicyAction.NEXT_POLICY:
        yield Line(Daemon.BGPD, f"{entry} goto", f"on-match goto {skip_to}", "no on-match goto", (entry,), parent=entry)


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
