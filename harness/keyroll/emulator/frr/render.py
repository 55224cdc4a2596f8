"""Render an Intent as FRR's configuration lines. Pure: the same intent gives the same lines in the same order.

These lines make FRR behave as Junos does, and without delays (measured with FRR 8.4):

- `no bgp ebgp-requires-policy`, `no bgp default ipv4-unicast`: Junos' eBGP needs no policy, and a neighbour stays
  silent until its families are activated;
- `timers connect 1`, sent in one batch with the activation of the families: opens the session at once (see `_start`);
- `advertisement-interval 0`, `coalesce-time 10` (milliseconds; FRR's default is a second): routes go out at once;
- `bgp graceful-restart-disable`: graceful restart hides flaps;
- `soft-reconfiguration inbound`: received routes are kept, as Junos keeps them, so that a changed import policy takes
  effect at once (FRR 8.4 answers a route refresh with no routes if it believes that nothing changed).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from ipaddress import IPv4Interface, IPv4Network

from keyroll.emulator.contract.errors import NotEmulatedError
from keyroll.emulator.contract.model import Address, BgpNeighbor, DropAction, Intent, Network, Unit
from keyroll.emulator.contract.policy_expression import Exit, PolicyStep, Target, steps
from keyroll.emulator.contract.routing_policy import NO_CHANGES, OwnRoute, PolicyAction, PrefixLimit, merged
from keyroll.emulator.frr.config import Daemon, Line
from keyroll.emulator.frr.instances import BgpInstance, instances
from keyroll.emulator.frr.render_ldp import render_ldp
from keyroll.emulator.frr.render_policy import (
    chain_lines,
    filters,
    first_term,
    import_map,
    own_lines,
    preference_lines,
)

HOLD_TIME_DEFAULT = 90
"""Seconds; Junos' default (`hold-time`)."""
_FAMILIES = {"inet-unicast": "ipv4 unicast", "inet6-unicast": "ipv6 unicast"}
_DROP_WORDS = {DropAction.DISCARD: "blackhole", DropAction.REJECT: "reject"}
_KEEPALIVES_IN_HOLD_TIME = 3
"""RFC 4271 section 10, and Junos: keepalives are sent at a third of the hold time."""


def kernel_name(unit: str) -> str:
    """Return the kernel's name of a logical interface: `ge-0/0/0.0` is `ge-0-0-0`, `lo0.0` is `lo`.

    A further unit, `ge-0/0/0.100`, is a separate interface: `ge-0-0-0.100`.

    Raises:
        BackendError: an interface that is neither `ge-0/0/n` nor `lo0`.
    """
    physical, _, number = unit.partition(".")
    if physical == "lo0" and number in {"", "0"}:
        return "lo"
    if not physical.startswith("ge-0/0/"):
        raise NotEmulatedError(f"{unit}: this router has only ge-0/0/* and lo0.0")
    port = physical.replace("/", "-")
    return port if number in {"", "0"} else f"{port}.{number}"


def port_units(intent: Intent, ports: Sequence[str]) -> Iterator[tuple[str, Unit]]:
    """Yield (port, unit) of each logical interface that has a VLAN on a port of this router.

    Raises:
        NotEmulatedError: a unit other than 0 has addresses, and no `vlan-id` that tells its frames from the others'.
    """
    for unit in intent.units:
        physical, _, number = unit.name.partition(".")
        port = physical.replace("/", "-")
        if port not in ports:
            continue
        if unit.vlan is not None:
            yield port, unit
        elif number != "0" and unit.addresses:
            raise NotEmulatedError(f"unit {number} of {physical} without a vlan-id: its frames look like unit 0's")


def _is_there(unit: str, ports: Sequence[str]) -> bool:
    """Return whether the router has a logical interface's port, or it is the loopback."""
    physical, _, number = unit.partition(".")
    return (physical == "lo0" and number in {"", "0"}) or physical.replace("/", "-") in ports


def render(intent: Intent, ports: Sequence[str], passive_for_now: Collection[Address] = ()) -> tuple[Line, ...]:
    """Return FRR's lines for `intent`; `ports` are the kernel's names of the router's ports.

    Neighbours in `passive_for_now` are passive, even if the intent does not say so (see `machine.bgp_opener`).

    Raises:
        BackendError: the intent asks for something that this router does not have or do.
    """
    tagged = {unit.name for _, unit in port_units(intent, ports)}
    lines = [line for unit in intent.units for line in _unit(unit, ports, tagged)]
    lines += _static(intent)
    _no_neighbor_is_itself(intent, ports)
    for instance, part in instances(intent):
        lines += _bgp(part, passive_for_now, instance)
    if intent.ldp is not None:
        # Junos also accepts LDP on lo0, where there is no neighbour, and on ports that do not exist: without effect.
        named = [one for one in intent.ldp.interfaces if not one.name.startswith("lo0.")]
        there = [one for one in named if _is_there(one.name, ports)]
        ldp = replace(intent, ldp=replace(intent.ldp, interfaces=tuple(there)))
        lines += render_ldp(ldp, ports, [kernel_name(one.name) for one in there])
    return tuple(lines)


def _no_neighbor_is_itself(intent: Intent, ports: Sequence[str]) -> None:
    """Raise NotEmulatedError for a neighbour whose address is the router's own, which bgpd refuses."""
    own = {address.ip for unit in intent.units if _is_there(unit.name, ports) for address in unit.addresses}
    for neighbor in intent.neighbors:
        if neighbor.address in own:
            raise NotEmulatedError(
                f"neighbor {neighbor.address}, which is an address of this router: bgpd makes no session with itself"
            )


def _unit(unit: Unit, ports: Sequence[str], tagged: Collection[str]) -> Iterator[Line]:
    if not _is_there(unit.name, ports) or not (unit.name.endswith(".0") or unit.name in tagged):
        # Junos accepts the configuration of a port that does not exist (yet); it has no effect. Nor has a unit that
        # only bridges: it has no address, and no interface in the kernel.
        return
    name = kernel_name(unit.name)
    if unit.disabled:
        yield Line(Daemon.ZEBRA, f"{name} shutdown", "shutdown", "no shutdown", (f"interface {name}",))
    for address in unit.addresses:
        family = "ip" if isinstance(address, IPv4Interface) else "ipv6"
        text = f"{family} address {address}"
        yield Line(Daemon.ZEBRA, f"{name} {address}", text, f"no {text}", (f"interface {name}",))


def _static(intent: Intent) -> Iterator[Line]:
    for prefix, target in intent.static_routes:
        family = "ip" if isinstance(prefix, IPv4Network) else "ipv6"
        text = f"{family} route {prefix} {_DROP_WORDS[target] if isinstance(target, DropAction) else target}"
        yield Line(Daemon.STATICD, text, text, f"no {text}")


def _bgp(intent: Intent, passive_for_now: Collection[Address], instance: BgpInstance) -> Iterator[Line]:
    """Yield the lines of one instance; `intent` has only the neighbours of that instance."""
    root, key = instance.root, _key(instance, "bgp")
    yield Line(Daemon.BGPD, key, root, f"no {root}", replace=False, clears_children=True)
    for text, undo in (
        ("no bgp ebgp-requires-policy", "bgp ebgp-requires-policy"),
        ("no bgp default ipv4-unicast", "bgp default ipv4-unicast"),
        ("bgp graceful-restart-disable", "no bgp graceful-restart-disable"),
        ("bgp log-neighbor-changes", "no bgp log-neighbor-changes"),
        ("coalesce-time 10", "no coalesce-time"),
    ):
        yield Line(Daemon.BGPD, f"{key} {text}", text, undo, (root,), parent=key)
    if intent.router_id is not None:
        text = f"bgp router-id {intent.router_id}"
        yield Line(Daemon.BGPD, f"{key} router-id", text, "no bgp router-id", (root,), parent=key)
    yield from _router_wide(intent, root, key)
    announced = _announced(intent)
    for prefix in announced:
        node = (root, f"address-family {_family_of(prefix)}")
        text = f"network {prefix}"
        yield Line(Daemon.BGPD, f"{key} {text}", text, f"no {text}", node, parent=key)
    for neighbor in intent.neighbors:
        yield from _export_filter(intent, neighbor, announced)
        passive = neighbor.passive or neighbor.address in passive_for_now
        yield from _neighbor(replace(neighbor, passive=passive), intent, instance)


def _key(instance: BgpInstance, words: str) -> str:
    """Return the key of a line of an instance, so that a neighbour that moves to another instance gets new lines."""
    return f"{instance.scope}{words}"


MAXIMUM_PATHS = 16
"""Paths that `multipath` uses: Junos' default (`maximum-ecmp`)."""


def _router_wide(intent: Intent, root: str, key: str) -> Iterator[Line]:
    """Yield the lines of settings that Junos has for each group and bgpd only for a whole instance."""
    clusters = dict.fromkeys(one.cluster for one in intent.neighbors if one.cluster is not None)
    if len(clusters) > 1:
        raise NotEmulatedError(
            f"several cluster ids ({', '.join(map(str, clusters))}): bgpd has one, and routes of the others could loop"
        )
    for cluster in clusters:
        text = f"bgp cluster-id {cluster}"
        yield Line(Daemon.BGPD, f"{key} cluster-id", text, "no bgp cluster-id", (root,), parent=key)
    if any(one.multiple_as for one in intent.neighbors):
        text = "bgp bestpath as-path multipath-relax"
        yield Line(Daemon.BGPD, f"{key} multipath-relax", text, f"no {text}", (root,), parent=key)
    families = {_frr_family(one, family) for one in intent.neighbors if one.multipath for family in one.families}
    for family in sorted(families):
        node = (root, f"address-family {family}")
        for text in (f"maximum-paths {MAXIMUM_PATHS}", f"maximum-paths ibgp {MAXIMUM_PATHS}"):
            undo = f"no {text.rpartition(' ')[0]}"
            yield Line(Daemon.BGPD, f"{key} {family} {text}", text, undo, node, parent=key)
    for one in intent.neighbors:
        if one.preference is not None:
            family = "ipv4 unicast" if one.address.version == 4 else "ipv6 unicast"  # noqa: PLR2004 - IP's own number
            text = f"distance {one.preference} {one.address}/{one.address.max_prefixlen}"
            node = (root, f"address-family {family}")
            yield Line(
                Daemon.BGPD, f"{key} distance {one.address}", text, f"no {text}", node, parent=key, replace=False
            )


def _announced(intent: Intent) -> tuple[Network, ...]:
    """Return every prefix that any neighbour's export policy accepts, each once, in the order of first mention."""
    return tuple(dict.fromkeys(own.prefix for one in intent.neighbors for own in _exported(intent, one)))


def _exported(intent: Intent, neighbor: BgpNeighbor) -> tuple[OwnRoute, ...]:
    """Return the router's own routes that a neighbour's chain of policies accepts, with the chain's changes.

    The changes that a policy makes remain, whatever later policies decide.
    """
    asked = steps(neighbor.export)
    answers = [{own.prefix: own for own in intent.announce.get(step.policy, ())} for step in asked]
    prefixes = dict.fromkeys(prefix for answer in answers for prefix in answer)
    found = (_through(asked, [answer.get(prefix) for answer in answers], prefix) for prefix in prefixes)
    return tuple(own for own in found if own is not None)


def _through(asked: Sequence[PolicyStep], answers: Sequence[OwnRoute | None], prefix: Network) -> OwnRoute | None:
    """Return a route with the policies' changes; None if they do not accept it, or none decides on it."""
    changes = NO_CHANGES
    place: Target = 0
    while isinstance(place, int):
        step, own = asked[place], answers[place]
        action = PolicyAction.NEXT_POLICY if own is None else own.action
        changes = changes if own is None else merged(changes, own.changes)
        place = step.accept if action is PolicyAction.ACCEPT else step.next
        place = step.reject if action is PolicyAction.REJECT else place
    return OwnRoute(prefix, PolicyAction.ACCEPT, changes) if place is Exit.ACCEPT else None


def _family_of(prefix: Network) -> str:
    return "ipv4 unicast" if isinstance(prefix, IPv4Network) else "ipv6 unicast"


def _filter_name(neighbor: BgpNeighbor) -> str:
    return f"KEYROLL-OUT-{neighbor.address}"


def _export_filter(intent: Intent, neighbor: BgpNeighbor, announced: Sequence[Network]) -> Iterator[Line]:
    """Withhold from a neighbour the prefixes that only other neighbours' policies accept; routes from BGP all pass."""
    routes = _exported(intent, neighbor)
    exported = {own.prefix for own in routes}
    withheld = [prefix for prefix in announced if prefix not in exported]
    if not _filters_out(intent, neighbor):
        return
    name = _filter_name(neighbor)
    for family, version in (("ip", 4), ("ipv6", 6)):
        prefixes = [prefix for prefix in withheld if prefix.version == version]
        for number, prefix in enumerate(prefixes, start=1):
            text = f"{family} prefix-list {name} seq {number} permit {prefix}"
            yield Line(Daemon.BGPD, f"prefix-list {name} {version} {number}", text, f"no {text}", replace=False)
        if prefixes:
            entry = f"route-map {name} deny {version}"
            match = f"match {family} address prefix-list {name}"
            yield Line(Daemon.BGPD, entry, entry, f"no {entry}")
            yield Line(Daemon.BGPD, f"{entry} match", match, f"no {match}", (entry,), parent=entry)
    yield from own_lines(name, routes)
    yield from chain_lines(name, neighbor.export, intent.policies, first_term(routes))


def _filters_out(intent: Intent, neighbor: BgpNeighbor) -> bool:
    """Return whether a neighbour needs an export filter."""
    routes = _exported(intent, neighbor)
    withheld = set(_announced(intent)) - {own.prefix for own in routes}
    changed = any(own.changes != NO_CHANGES for own in routes)
    return bool(withheld) or changed or filters(neighbor.export, intent.policies)


def _filters_in(neighbor: BgpNeighbor) -> bool:
    """Return whether a neighbour's routes go through a route map."""
    return bool(neighbor.import_) or neighbor.local_preference is not None


def _neighbor(neighbor: BgpNeighbor, intent: Intent, instance: BgpInstance) -> Iterator[Line]:
    if neighbor.local_preference is not None:
        yield from preference_lines(import_map(neighbor.address), neighbor.local_preference)
    if _filters_in(neighbor):
        yield from chain_lines(import_map(neighbor.address), neighbor.import_, intent.policies)
    root, its = instance.root, f"neighbor {neighbor.address}"
    key = _key(instance, its)
    remote = f"{its} remote-as {neighbor.peer_as}"
    yield Line(Daemon.BGPD, key, remote, f"no {its}", (root,), parent=_key(instance, "bgp"), replace=True)
    for name, text, undo, secret in _neighbor_lines(neighbor, instance.autonomous_system):
        line = f"{its} {text}"
        yield Line(Daemon.BGPD, f"{key} {name}", line, f"no {its} {undo}", (root,), parent=key, secret=secret)
    for family in neighbor.families:
        node = (root, f"address-family {_frr_family(neighbor, family)}")
        keep = "soft-reconfiguration inbound"
        yield Line(Daemon.BGPD, f"{key} {family} keep", f"{its} {keep}", f"no {its} {keep}", node, parent=key)
        for name, text in _family_lines(neighbor):
            yield Line(Daemon.BGPD, f"{key} {family} {name}", f"{its} {text}", f"no {its} {text}", node, parent=key)
        if _filters_in(neighbor):
            text = f"route-map {import_map(neighbor.address)} in"
            yield Line(Daemon.BGPD, f"{key} {family} in", f"{its} {text}", f"no {its} {text}", node, parent=key)
        limit = neighbor.limits.get(family)
        if limit is not None:
            text = f"maximum-prefix {_limit(limit)}"
            yield Line(
                Daemon.BGPD, f"{key} {family} limit", f"{its} {text}", f"no {its} maximum-prefix", node, parent=key
            )
        if _filters_out(intent, neighbor):
            text = f"route-map {_filter_name(neighbor)} out"
            yield Line(Daemon.BGPD, f"{key} {family} out", f"{its} {text}", f"no {its} {text}", node, parent=key)
    yield from _start(neighbor, instance)


def _family_lines(neighbor: BgpNeighbor) -> Iterator[tuple[str, str]]:
    """Yield (name, line without `neighbor ADDRESS`) of settings that a neighbour has in each family."""
    if neighbor.remove_private is not None and neighbor.external:
        words = neighbor.remove_private.replace("replace", "replace-AS")
        yield "private", f"remove-private-AS {words}".rstrip()
    if neighbor.as_override and neighbor.external:
        yield "override", "as-override"
    if neighbor.cluster is not None:
        yield "reflect", "route-reflector-client"


def _start(neighbor: BgpNeighbor, instance: BgpInstance) -> Iterator[Line]:
    """Yield the lines that open the session, as one batch.

    `timers connect` makes bgpd open the session as soon as it can, even without a family. After the activation of a
    family it would make bgpd start again, a second later (`peer_timers_connect_set`); hence this order, and one batch.
    """
    root, its, text = instance.root, f"neighbor {neighbor.address}", "timers connect"
    key = _key(instance, its)
    yield Line(Daemon.BGPD, f"{key} connect", f"{its} {text} 1", f"no {its} {text}", (root,), key, batch=key)
    for family in neighbor.families:
        node = (root, f"address-family {_frr_family(neighbor, family)}")
        yield Line(Daemon.BGPD, f"{key} {family}", f"{its} activate", f"no {its} activate", node, key, batch=key)


def _limit(limit: PrefixLimit) -> str:
    """Return the words after `maximum-prefix`. Without `restart MINUTES` FRR keeps the session down."""
    percent = f" {limit.percent}" if limit.percent is not None else ""
    if not limit.teardown:
        return f"{limit.maximum}{percent} warning-only"
    minutes = 1 if limit.idle_minutes is None else limit.idle_minutes
    return f"{limit.maximum}{percent}{f' restart {minutes}' if minutes else ''}"


def _frr_family(neighbor: BgpNeighbor, family: str) -> str:
    found = _FAMILIES.get(family)
    if found is None:
        raise NotEmulatedError(f"family {family} of neighbor {neighbor.address}: its routes would be missing")
    return found


def _neighbor_lines(neighbor: BgpNeighbor, local_as: int) -> Iterator[tuple[str, str, str, bool]]:
    """Yield (name, line, its undo, whether it holds a secret), each without `neighbor ADDRESS`."""
    hold = HOLD_TIME_DEFAULT if neighbor.hold_time is None else neighbor.hold_time
    yield "timers", f"timers {hold // _KEEPALIVES_IN_HOLD_TIME} {hold}", "timers", False
    yield "interval", "advertisement-interval 0", "advertisement-interval", False
    if neighbor.local_as is not None and neighbor.local_as != local_as:
        # bgpd leaves its own AS out only together with `no-prepend` (assumption M14).
        words = (
            " no-prepend replace-as" if neighbor.local_as_alone else " no-prepend" if neighbor.local_as_private else ""
        )
        yield "local-as", f"local-as {neighbor.local_as}{words}", "local-as", False
    if neighbor.local_address is not None:
        yield "source", f"update-source {neighbor.local_address}", "update-source", False
    ttl = neighbor.multihop_ttl if neighbor.ttl in (None, 1) else neighbor.ttl
    if ttl is not None and neighbor.external:
        yield "multihop", f"ebgp-multihop {ttl}", "ebgp-multihop", False
    if neighbor.tcp_mss is not None:
        yield "tcp-mss", f"tcp-mss {neighbor.tcp_mss}", "tcp-mss", False
    if neighbor.passive:
        yield "passive", "passive", "passive", False
    if neighbor.md5 is not None:
        yield "password", f"password {neighbor.md5.reveal_text()}", "password", True
