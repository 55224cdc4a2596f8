"""The routers that one text configures: the main one, and each logical system, which is a separate router."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import tzinfo

from keyroll.configuration.addresses import Address, Interface, Networks, interface_of
from keyroll.configuration.chains import Chain, chains_of
from keyroll.configuration.findings import Note
from keyroll.configuration.hierarchy import META, SYSTEMS
from keyroll.configuration.inheritance import View
from keyroll.configuration.sessions import Session, sessions_of
from keyroll.configuration.tree import INACTIVE, Node
from keyroll.errors import Where

Instance = str | None
"""A routing instance's name; None: the main instance."""
_FAMILIES = ("inet", "inet6")


@dataclass(frozen=True, slots=True)
class Router:
    """One router: its name, its sessions and chains in force, and its addresses by routing instance."""

    name: str
    system: str | None
    """The logical system; None is the main router."""
    chains: tuple[Chain, ...]
    """The chains of the main router, which a logical system uses in addition to its own."""
    sessions: tuple[Session, ...]
    addresses: Mapping[Instance, frozenset[Address]]
    networks: Mapping[Instance, Networks] = field(repr=False)
    """The networks of these addresses."""
    runs_ldp: frozenset[Instance] = frozenset()
    """The instances that run LDP: it has sessions with neighbors that it discovers, without a `session` statement."""

    def chain(self, name: str) -> Chain | None:
        """Return the chain of that name that the router's sessions would use, or None."""
        return next((chain for chain in self.chains if chain.name == name), None)

    def locals_towards(self, session: Session, peer: Address) -> frozenset[Address]:
        """Return the addresses that the router may use in a session with `peer`.

        These are its `local-address`; else, if the peer is on a network of the router, the addresses in that network;
        else all addresses of the routing instance.
        """
        if session.local is not None:
            return frozenset((session.local,))
        networks = self.networks.get(session.instance)
        near = networks.near(peer) if networks is not None else frozenset()
        return near or self.addresses.get(session.instance, frozenset())

    def all_addresses(self) -> frozenset[Address]:
        """Return the addresses of all instances."""
        return frozenset(address for found in self.addresses.values() for address in found)


def host_name(view: View) -> str | None:
    """Return the router's `host-name`, or None if the text has none.

    With two routing engines each has its own, from the groups `re0` and `re1`; the first one in the text is used.
    """
    system = view.below("system")
    value = system.leaf("host-name").value
    return next(iter(system.below("host-name").names()), None) if value is None else value.text


def routers_of(
    view: View, *, source: str, note: Note, where: Callable[[int], Where], zone: tzinfo
) -> tuple[Router, ...]:
    """Return the main router, if anything is configured for it, and the logical systems.

    `source` is the name of the main router if the text has no `host-name`.
    """
    name = host_name(view) or source
    main = _router(view, name, None, (), note, where, zone)
    found = [main]
    for word in SYSTEMS:
        systems = view.below(word)
        found += [
            _router(systems.below(system), f"{name}:{system}", system, main.chains, note, where, zone)
            for system in systems.names()
        ]
    return tuple(found)


def _router(
    view: View,
    name: str,
    system: str | None,
    inherited: tuple[Chain, ...],
    note: Note,
    where: Callable[[int], Where],
    zone: tzinfo,
) -> Router:
    own = chains_of(view, note=note, place=where, zone=zone)
    instances = list(_instances(view))
    networks = _networks(view, instances)
    sessions = tuple(sessions_of(instances, router=name, note=note, where=where))
    for session in sessions:
        if session.local is not None:
            networks.setdefault(session.instance, {})[Interface(session.local, session.local.max_prefixlen)] = None
    return Router(
        name,
        system,
        (*own, *(chain for chain in inherited if chain.name not in {one.name for one in own})),
        sessions,
        {instance: frozenset(one.ip for one in found) for instance, found in networks.items()},
        {instance: Networks(found) for instance, found in networks.items()},
        frozenset(instance for instance, inside in instances if inside.below("protocols").has("ldp")),
    )


def _instances(view: View) -> Iterator[tuple[Instance, View]]:
    yield None, view
    yield from view.below("routing-instances").entries()


def _networks(view: View, instances: Sequence[tuple[Instance, View]]) -> dict[Instance, dict[Interface, None]]:
    """Return each instance's addresses: an interface belongs to the instance that names it, or to the main one."""
    member = {unit: name for name, inside in instances[1:] for unit in inside.below("interface").names()}
    found: dict[Instance, dict[Interface, None]] = {}
    for name, unit, address in addresses_of(view):
        instance = member.get(f"{name}.{unit}", member.get(name) if unit == "0" else None)
        found.setdefault(instance, {})[address] = None
    return found


def addresses_of(view: View) -> Iterator[tuple[str, str, Interface]]:
    """Yield (interface, unit, address) of every address of the router whose configuration `view` is."""
    interfaces = view.below("interfaces")
    bare = interfaces.own() if not interfaces.brought("address") else None
    for name, unit, text in _inherited_addresses(interfaces) if bare is None else _own_addresses(bare):
        address = interface_of(text)
        if address is not None:
            yield name, unit, address


def _inherited_addresses(interfaces: View) -> Iterator[tuple[str, str, str]]:
    """Yield (interface, unit, address), including those from groups."""
    for name in interfaces.names():
        units = interfaces.below(name, "unit")
        for unit in units.names():
            family = units.below(unit, "family")
            for kind in _FAMILIES:
                yield from ((name, unit, text) for text in family.below(kind, "address").names())


def _own_addresses(interfaces: Node) -> Iterator[tuple[str, str, str]]:
    """Yield the same without groups: there may be thousands, so this does not make a view for each level."""
    for name, interface in interfaces.items():
        for unit, inside in _live(interface, "unit").items():
            families = _live(inside, "family") if not interface.flags & INACTIVE else _NONE
            for kind in _FAMILIES:
                for text, address in _live(families, kind, "address").items():
                    if not address.flags & INACTIVE and text not in META:
                        yield name, unit, text


_NONE = Node()


def _live(node: Node, *words: str) -> Node:
    """Return the node at these words; an empty node if it, or a level above it, does not exist or is deactivated."""
    if node.flags & INACTIVE:
        return _NONE
    for word in words:
        child = node.get(word)
        if child is None or child.flags & INACTIVE:
            return _NONE
        node = child
    return node
