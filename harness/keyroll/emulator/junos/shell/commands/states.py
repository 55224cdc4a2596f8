"""`show …` of what the machine half may or may not be able to tell: LDP, routes, kernel, log."""

from __future__ import annotations

from ipaddress import IPv4Address, ip_address, ip_network
from typing import TYPE_CHECKING

from keyroll.emulator.contract.ldp_labels import LabelBackend
from keyroll.emulator.contract.model import HostBackend, InterfaceState, Ldp, LdpBackend, LdpSession, RouteState
from keyroll.emulator.junos.configuration.faults import JunosFault
from keyroll.emulator.junos.shell.commands.showing import router_id
from keyroll.emulator.junos.shell.grammar import Match
from keyroll.emulator.junos.shell.output import Output
from keyroll.emulator.junos.shell.show import host as host_text
from keyroll.emulator.junos.shell.show import ldp as ldp_text
from keyroll.emulator.junos.shell.show import routes as route_text

if TYPE_CHECKING:
    from keyroll.emulator.junos.shell.cli import Cli

LOOPBACK = "lo0"
LDP_NOT_RUNNING = "LDP instance is not running"


def ldp_of(cli: Cli) -> LdpBackend:
    """Return the machine half as one that runs LDP. Raises JunosFault."""
    backend = cli.chassis.backend
    if not isinstance(backend, LdpBackend):
        raise JunosFault("this router's machine half does not run LDP")
    return backend


def host_of(cli: Cli) -> HostBackend:
    """Return the machine half as one that tells of its kernel. Raises JunosFault."""
    backend = cli.chassis.backend
    if not isinstance(backend, HostBackend):
        raise JunosFault("this router's machine half does not tell that")
    return backend


def _configured(cli: Cli) -> Ldp | None:
    return cli.chassis.store.in_force.ldp


async def _sessions(cli: Cli, match: Match) -> list[LdpSession]:
    text = match.args.get("address")
    found = await ldp_of(cli).ldp_sessions()
    return [session for session in found if text is None or session.peer == IPv4Address(text)]


async def ldp_session(cli: Cli, match: Match) -> Output:
    """`show ldp session [A]`."""
    if _configured(cli) is None:
        return Output([LDP_NOT_RUNNING])
    return Output(ldp_text.sessions(await _sessions(cli, match)))


async def ldp_session_detail(cli: Cli, match: Match) -> Output:
    """`show ldp session [A] detail`."""
    ldp = _configured(cli)
    if ldp is None:
        return Output([LDP_NOT_RUNNING])
    adjacencies = await ldp_of(cli).ldp_adjacencies()
    return Output(ldp_text.session_detail(await _sessions(cli, match), adjacencies, ldp))


async def ldp_database(cli: Cli, match: Match) -> Output:
    """`show ldp database [session A]`."""
    if _configured(cli) is None:
        return Output([LDP_NOT_RUNNING])
    backend = cli.chassis.backend
    if not isinstance(backend, LabelBackend):
        raise JunosFault("this router's machine half does not tell LDP's labels")
    operational = [one for one in await _sessions(cli, match) if one.state == ldp_text.OPERATIONAL]
    return Output(ldp_text.database(await backend.ldp_bindings(), operational))


async def ldp_neighbor(cli: Cli, match: Match) -> Output:
    """`show ldp neighbor`."""
    del match
    if _configured(cli) is None:
        return Output([LDP_NOT_RUNNING])
    return Output(ldp_text.neighbors(await ldp_of(cli).ldp_adjacencies()))


async def ldp_interface(cli: Cli, match: Match) -> Output:
    """`show ldp interface`."""
    del match
    ldp = _configured(cli)
    if ldp is None:
        return Output([LDP_NOT_RUNNING])
    intent = cli.chassis.store.in_force
    own = [
        (unit.name, str(address.ip))
        for unit in intent.units
        for address in unit.addresses
        if address.version == 4  # noqa: PLR2004 - IP's own number
    ]
    return Output(ldp_text.interfaces(await ldp_of(cli).ldp_adjacencies(), ldp, own, str(router_id(intent))))


async def route(cli: Cli, match: Match) -> Output:
    """`show route [PREFIX] [exact] [protocol P] [table T] [terse]`."""
    everything = await cli.chassis.backend.routes()
    chosen = [entry for entry in everything if _wanted(entry, match)]
    wanted_table, prefix = match.args.get("table-name"), match.args.get("destination")
    named = [one for one in everything if wanted_table in (None, route_text.table_of(one))]
    lines = route_text.routes(named, chosen, terse="terse" in match.words, every_table=prefix is None)
    return Output(lines)


def _wanted(entry: RouteState, match: Match) -> bool:
    protocol, table, prefix = (match.args.get(name) for name in ("protocol-name", "table-name", "destination"))
    if protocol is not None and entry.protocol.lower() != protocol:
        return False
    if table is not None and route_text.table_of(entry) != table:
        return False
    if prefix is None:
        return True
    wanted = ip_network(prefix)
    if wanted.version != entry.prefix.version:
        return False
    if "exact" in match.words:
        return entry.prefix == wanted
    if wanted.prefixlen == wanted.max_prefixlen:
        return ip_address(wanted.network_address) in entry.prefix
    return entry.prefix.network_address in wanted and entry.prefix.prefixlen >= wanted.prefixlen


async def route_summary(cli: Cli, match: Match) -> Output:
    """`show route summary`."""
    del match
    intent = cli.chassis.store.in_force
    return Output(
        route_text.summary(
            await cli.chassis.backend.routes(), own_as=intent.autonomous_system, router_id=router_id(intent)
        )
    )


async def interfaces_terse(cli: Cli, match: Match) -> Output:
    """`show interfaces [NAME] terse`."""
    name = match.args.get("interface-name")
    states = [*await host_of(cli).interfaces()]
    units = cli.chassis.store.in_force.units
    if not any(state.name == LOOPBACK for state in states):
        # Machine halves count it among no ports; every kernel has it, and it is up.
        states.append(InterfaceState(LOOPBACK, admin_up=True, link_up=True))
    if name is not None:
        units = tuple(unit for unit in units if name in (unit.name, unit.name.rpartition(".")[0]))
        states = [state for state in states if state.name == name.partition(".")[0]]
        if not states:
            raise JunosFault(f"device {name} not found")
    return Output(host_text.interfaces_terse(states, units))


async def connections(cli: Cli, match: Match) -> Output:
    """`show system connections`."""
    del match
    return Output(host_text.connections(await host_of(cli).connections()))


async def tcp_statistics(cli: Cli, match: Match) -> Output:
    """`show system statistics tcp`: the counters about authentication."""
    del match
    return Output(host_text.tcp_statistics(await host_of(cli).auth_drops()))


async def commits(cli: Cli, match: Match) -> Output:
    """`show system commit`."""
    del match
    return Output(host_text.commits(cli.chassis.store.commits, cli.chassis.zone))


async def log_messages(cli: Cli, match: Match) -> Output:
    """`show log messages`."""
    del match
    return Output(list(cli.chassis.syslog.lines))


async def log_commands(cli: Cli, match: Match) -> Output:
    """`show log interactive-commands`: the lines that people typed, without secrets."""
    del match
    return Output(list(cli.chassis.syslog.commands))
