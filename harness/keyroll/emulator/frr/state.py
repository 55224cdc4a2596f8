"""Read states for the Junos half from FRR's JSON. Unexpected values are errors, never defaults."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from ipaddress import IPv4Address, ip_address, ip_network
from typing import Any

from keyroll.emulator.contract.errors import FrrError
from keyroll.emulator.contract.model import Address, BgpState, Interface, RouteState

_TABLES = {"ipv4Unicast": "inet.0", "ipv6Unicast": "inet6.0"}
# Milliseconds in a second.
_MILLISECONDS = 1000
_UNKNOWN = "Unknown"
PROTOCOLS = {"connected": "Direct", "local": "Local", "bgp": "BGP", "static": "Static", "kernel": "Kernel"}
PREFERENCES = {"Direct": 0, "Local": 0, "Static": 5, "LDP": 9, "BGP": 170, "Kernel": 0}
"""Junos' default route preferences (Juniper, "Route Preferences Overview")."""
_STATES = {
    **{state: state for state in ("Idle", "Connect", "Active", "OpenSent", "OpenConfirm", "Established")},
    # bgpd's own names for a neighbour whose session it is still removing; Idle in RFC 4271 (section 8.2.2) and Junos.
    "Clearing": "Idle",
    "Deleted": "Idle",
}
_UPTIME = re.compile(
    r"(?:(?P<h>\d+):(?P<m>\d\d):(?P<s>\d\d))|(?:(?P<d>\d+)d(?P<dh>\d+)h(?P<dm>\d+)m)|"
    r"(?:(?P<w>\d+)w(?P<wd>\d+)d(?P<wh>\d+)h)|(?:(?P<y>\d+)y(?P<yw>\d+)w(?P<yd>\d+)d)"
)


@contextmanager
def reading(what: str) -> Iterator[None]:
    """Read an answer of FRR's.

    Raises:
        FrrError: a value is missing or is not what it should be; `what` names the answer.
    """
    try:
        yield
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise FrrError(f"{what} cannot be read: {type(error).__name__} {error}") from error


def bgp_states(
    neighbors: Mapping[str, Any], active: Mapping[tuple[str, str], int], waiting_seconds: Mapping[Address, int]
) -> list[BgpState]:
    """Read `show bgp neighbors json`.

    `active` gives for (neighbour's address, table) how many of its routes are in use; `waiting_seconds` for how long
    each neighbour has been configured.

    Raises:
        FrrError: a value is missing or is not what it should be.
    """
    return [
        _bgp_state(address, entry, active, waiting_seconds)
        for address, entry in neighbors.items()
        if isinstance(entry, dict) and "remoteAs" in entry
    ]


def _bgp_state(
    text: str, entry: dict[str, Any], active: Mapping[tuple[str, str], int], waiting: Mapping[Address, int]
) -> BgpState:
    with reading(f"bgpd's state of neighbor {text}"):
        address = ip_address(text)
        state = _STATES[entry["bgpState"]]
        statistics = entry["messageStats"]
        established = int(entry["connectionsEstablished"])
        flaps = int(entry["connectionsDropped"])
        if state == "Established":
            since = int(entry["bgpTimerUpMsec"]) // _MILLISECONDS
        elif established and "lastResetTimerMsecs" in entry:
            since = int(entry["lastResetTimerMsecs"]) // _MILLISECONDS
        else:
            since = waiting.get(address, 0)
        prefixes, advertised = {}, {}
        for family, table in _TABLES.items():
            counters = entry.get("addressFamilyInfo", {}).get(family)
            if counters is None:
                continue
            accepted = int(counters.get("acceptedPrefixCounter", 0))
            prefixes[table] = (active.get((text, table), 0), accepted, accepted)
            advertised[table] = int(counters.get("sentPrefixCounter", 0))
        return BgpState(
            address=address,
            peer_as=int(entry["remoteAs"]),
            state=state,
            since_seconds=since,
            flaps=flaps,
            messages_in=int(statistics["totalRecv"]),
            messages_out=int(statistics["totalSent"]),
            out_queue=int(statistics["depthOutq"]),
            prefixes=prefixes,
            local=_endpoint(entry, "hostLocal", "portLocal"),
            remote=_endpoint(entry, "hostForeign", "portForeign"),
            hold_time=_seconds(entry.get("bgpTimerHoldTimeMsecs")),
            keepalive=_seconds(entry.get("bgpTimerKeepAliveIntervalMsecs")),
            last_reset=_reset(entry),
            peer_id=_peer_id(entry),
            advertised=advertised,
        )


def _endpoint(entry: dict[str, Any], host: str, port: str) -> tuple[Address, int] | None:
    """Return one end of the connection; None if FRR reports none."""
    if entry.get(host, _UNKNOWN) == _UNKNOWN or port not in entry:
        return None
    return ip_address(entry[host]), int(entry[port])


def _seconds(milliseconds: int | None) -> int | None:
    return None if milliseconds is None else milliseconds // _MILLISECONDS


def _peer_id(entry: dict[str, Any]) -> IPv4Address | None:
    """Return the peer's router id; None before its OPEN, when bgpd reports 0.0.0.0."""
    found = IPv4Address(entry.get("remoteRouterId", "0.0.0.0"))  # noqa: S104 - not an address to listen on
    return found if int(found) else None


def _reset(entry: dict[str, Any]) -> str | None:
    """Return why the session last went down; None if it never did (`lastResetDueTo` then is what bgpd waits for)."""
    text = entry.get("lastNotificationReason") or (entry.get("lastResetDueTo") if entry["connectionsDropped"] else None)
    return str(text) if text else None


def active_counts(table: str, rib: Mapping[str, Any]) -> dict[tuple[str, str], int]:
    """Count, for each neighbour, the routes in use in `show bgp ipv4|ipv6 unicast json`.

    Raises:
        FrrError: it cannot be read.
    """
    counts: dict[tuple[str, str], int] = {}
    with reading(f"bgpd's {table}"):
        for paths in rib.get("routes", {}).values():
            for path in paths:
                if path.get("bestpath") and path.get("peerId", "(unspec)") != "(unspec)":
                    key = (str(path["peerId"]), table)
                    counts[key] = counts.get(key, 0) + 1
    return counts


def routes(tables: Iterable[Mapping[str, Any]], addresses: Sequence[tuple[str, Interface]]) -> list[RouteState]:
    """Read `show ip route json` and `show ipv6 route json`: the selected routes, by Junos' names.

    FRR before 10 does not list local routes; they are made from `addresses` (Junos' interface name, address).

    Raises:
        FrrError: a route cannot be read.
    """
    found: dict[tuple[str, str], RouteState] = {}
    for table in tables:
        for entries in table.values():
            for entry in entries:
                if entry.get("selected"):
                    route = _route(entry)
                    if route is not None:
                        found[str(route.prefix), route.protocol] = route
    for route in _own(addresses, found):
        found.setdefault((str(route.prefix), route.protocol), route)
    return sorted(found.values(), key=lambda route: (route.prefix.version, int(route.prefix.network_address)))


def _route(entry: dict[str, Any]) -> RouteState | None:
    with reading(f"zebra's route {entry.get('prefix')}"):
        protocol = PROTOCOLS[entry["protocol"]]
        prefix = ip_network(entry["prefix"])
        if prefix.version != 4 and prefix.is_link_local:  # noqa: PLR2004 - IP version 4
            return None  # Junos does not show link-local routes either
        hops = entry.get("nexthops") or [{}]
        hop = next((hop for hop in hops if hop.get("fib") or hop.get("active")), hops[0])
        name = hop.get("interfaceName")
        address = hop.get("ip")
        return RouteState(
            prefix=prefix,
            protocol=protocol,
            next_hop=ip_address(address) if address else None,
            interface=junos_name(name) if name else None,
            preference=_preference(protocol, entry.get("distance")),
            age_seconds=uptime_seconds(entry["uptime"]),
        )


_BGP_DISTANCES = (20, 200)
"""bgpd's distances of external and internal routes where none is configured; Junos has 170 for both."""


def _preference(protocol: str, distance: object) -> int:
    configured = protocol == "BGP" and isinstance(distance, int) and distance not in _BGP_DISTANCES
    return int(str(distance)) if configured else PREFERENCES[protocol]


def _own(
    addresses: Sequence[tuple[str, Interface]], found: Mapping[tuple[str, str], RouteState]
) -> Iterator[RouteState]:
    for name, address in addresses:
        if address.network.prefixlen == address.max_prefixlen:
            continue  # a host address is its own Direct route
        host = ip_network(address.ip)
        direct = found.get((str(address.network), "Direct"))
        if direct is not None:
            yield RouteState(host, "Local", None, name, PREFERENCES["Local"], direct.age_seconds)


def junos_name(kernel: str) -> str:
    """Return Junos' name of the kernel's interface: `ge-0-0-0` is `ge-0/0/0.0`, `lo` is `lo0.0`.

    `ge-0-0-0.100` is `ge-0/0/0.100`: a unit with a VLAN.
    """
    if kernel == "lo":
        return "lo0.0"
    name = kernel.replace("-", "/").replace("/", "-", 1)
    return name if "." in name else f"{name}.0"


def uptime_seconds(text: str) -> int:
    """Read FRR's uptime (`00:00:12`, `1d02h03m`, `2w3d04h`, `1y02w3d`) in seconds. Raises ValueError."""
    match = _UPTIME.fullmatch(text)
    if match is None:
        raise ValueError(f"invalid uptime '{text}'")
    value = {name: int(found) for name, found in match.groupdict().items() if found is not None}
    days = value.get("d", 0) + value.get("wd", 0) + value.get("yd", 0)
    days += 7 * (value.get("w", 0) + value.get("yw", 0)) + 364 * value.get("y", 0)
    hours = value.get("h", 0) + value.get("dh", 0) + value.get("wh", 0)
    return days * 86400 + hours * 3600 + (value.get("m", 0) + value.get("dm", 0)) * 60 + value.get("s", 0)


def bgp_total(summary: Mapping[str, Any]) -> int:
    """Return how many BGP routes are in use, by `show ip|ipv6 route summary json`. Raises FrrError."""
    with reading("zebra's route summary"):
        return sum(int(entry["fib"]) for entry in summary["routes"] if entry["type"] in {"ebgp", "ibgp"})
