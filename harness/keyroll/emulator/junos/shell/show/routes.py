"""`show route …` and `show route summary` (docs/junos.md 3.5)."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Address

from keyroll.emulator.contract.model import RouteState
from keyroll.emulator.junos.shell.show.durations import route_age

TABLES = {4: "inet.0", 6: "inet6.0"}
LEGEND = "+ = Active Route, - = Last Active, * = Both"
# Column (from 0) of the bracket before the protocol, as Junos prints it.
_COLUMN = 19
_LETTERS = {"Direct": "D", "Local": "L", "BGP": "B", "Static": "S", "LDP": "L"}
_ORDER = ("Direct", "Local", "BGP", "Static", "LDP", "Kernel")


def table_of(route: RouteState) -> str:
    """Return the name of the table that holds a route."""
    return TABLES[route.prefix.version]


def _head(table: str, routes: Sequence[RouteState]) -> str:
    destinations = len({route.prefix for route in routes})
    return f"{table}: {destinations} destinations, {len(routes)} routes ({len(routes)} active, 0 holddown, 0 hidden)"


def routes(
    everything: Sequence[RouteState], chosen: Sequence[RouteState], *, terse: bool, every_table: bool = False
) -> list[str]:
    """Return the tables with the `chosen` routes; their headings count the routes of `everything`.

    With `every_table`, a table without a chosen route has its heading too.
    """
    lines: list[str] = []
    for table in TABLES.values():
        shown = [route for route in chosen if table_of(route) == table]
        own = [route for route in everything if table_of(route) == table]
        if not shown:
            lines += ["", _head(table, own)] if own and every_table else []
            continue
        lines += ["", _head(table, own), LEGEND, ""]
        if terse:
            lines.append("A V Destination        P Prf   Metric 1   Metric 2  Next hop        AS path")
        for route in sorted(shown, key=lambda route: (int(route.prefix.network_address), route.prefix.prefixlen)):
            lines += [_terse(route)] if terse else _route(route)
    return lines


def _route(route: RouteState) -> list[str]:
    what = f"*[{route.protocol}/{route.preference}] {route_age(route.age_seconds)}"
    prefix = str(route.prefix)
    first = [f"{prefix:<{_COLUMN}}{what}"] if len(prefix) < _COLUMN else [prefix, f"{'':<{_COLUMN}}{what}"]
    if route.protocol == "Local":
        return [*first, f"{'':<22}Local via {route.interface}"]
    if route.next_hop is None and route.interface is None:
        return [*first, f"{'':<22}Discard"]
    to = f"to {route.next_hop} " if route.next_hop is not None else ""
    return [*first, f"{'':<20}>  {to}via {route.interface}"]


def _terse(route: RouteState) -> str:
    hop = route.next_hop if route.next_hop is not None else route.interface
    mark = "" if route.protocol == "Local" else ">"
    letter = _LETTERS.get(route.protocol, "?")
    return f"* ? {route.prefix!s:<18} {letter} {route.preference:>3}{'':<23}{mark}{hop}"


def summary(everything: Sequence[RouteState], *, own_as: int | None, router_id: IPv4Address | None) -> list[str]:
    """Return the numbers of routes in each table, by protocol."""
    lines = [f"Autonomous system number: {own_as}"] if own_as is not None else []
    lines += [f"Router ID: {router_id}"] if router_id is not None else []
    for table in TABLES.values():
        own = [route for route in everything if table_of(route) == table]
        if not own:
            continue
        lines += ["", _head(table, own)]
        for protocol in sorted({route.protocol for route in own}, key=_rank):
            count = sum(route.protocol == protocol for route in own)
            lines.append(f"{protocol:>20}:{count:>7} routes,{count:>7} active")
    return lines


def _rank(protocol: str) -> int:
    return _ORDER.index(protocol) if protocol in _ORDER else len(_ORDER)
