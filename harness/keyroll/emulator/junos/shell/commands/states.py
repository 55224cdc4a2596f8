"""The actions of `show …` for states that not every machine half has (LDP, kernel), and for routes, commits and log."""

from __future__ import annotations

from ipaddress import IPv4Address, ip_address, ip_network

from keyroll.emulator.contract.model import (
    HostBackend,
    InterfaceState,
    LabelBackend,
    Ldp,
    LdpBackend,
    LdpSession,
    RouteState,
)
from keyroll.emulator.junos.configuration.faults import JunosFault
from keyroll.emulator.junos.shell.commands.showing import router_id
from keyroll.emulator.junos.shell.grammar import Match
from keyroll.emulator.junos.shell.output import Output
from keyroll.emulator.junos.shell.session import Session
from keyroll.emulator.junos.shell.show import host as host_text
from keyroll.emulator.junos.shell.show import ldp as ldp_text
from keyroll.emulator.junos.shell.show import routes as route_text

LOOPBACK = "lo0"
LDP_NOT_RUNNING = "LDP instance is not running"


def ldp_of(session: Session) -> LdpBackend:
    """Return the machine half, which must run LDP. Raises JunosFault if it does not."""
    backend = session.router.backend
    if not isinstance(backend, LdpBackend):
        raise JunosFault("this router's machine half does not run LDP")
    return backend


def host_of(session: Session) -> HostBackend:
    """Return the machine half, which must read its kernel's state. Raises JunosFault if it cannot."""
    backend = session.router.backend
    if not isinstance(backend, HostBackend):
        raise JunosFault("this router's machine half cannot read its kernel's state")
    return backend


def _configured(session: Session) -> Ldp | None:
    return session.router.store.in_force.ldp


async def _sessions(session: Session, match: Match) -> list[LdpSession]:
    text = match.args.get("address")
    found = await ldp_of(session).ldp_sessions()
    return [session for session in found if text is None or session.peer == IPv4Address(text)]


async def ldp_session(session: Session, match: Match) -> Output:
    """`show ldp session [A]`."""
    if _configured(session) is None:
        return Output([LDP_NOT_RUNNING])
    return Output(ldp_text.sessions(await _sessions(session, match)))


async def ldp_session_detail(session: Session, match: Match) -> Output:
    """`show ldp session [A] detail`."""
    ldp = _configured(session)
    if ldp is None:
        return Output([LDP_NOT_RUNNING])
    adjacencies = await ldp_of(session).ldp_adjacencies()
    return Output(ldp_text.session_detail(await _sessions(session, match), adjacencies, ldp))


async def ldp_database(session: Session, match: Match) -> Output:
    """`show ldp database [session A]`."""
    if _configured(session) is None:
        return Output([LDP_NOT_RUNNING])
    backend = session.router.backend
    if not isinstance(backend, LabelBackend):
        raise JunosFault("this router's machine half cannot read LDP's labels")
    operational = [one for one in await _sessions(session, match) if one.state == ldp_text.OPERATIONAL]
    return Output(ldp_text.database(await backend.ldp_bindings(), operational))


async def ldp_neighbor(session: Session, match: Match) -> Output:
    """`show ldp neighbor`."""
    del match
    if _configured(session) is None:
        return Output([LDP_NOT_RUNNING])
    return Output(ldp_text.neighbors(await ldp_of(session).ldp_adjacencies()))


async def ldp_interface(session: Session, match: Match) -> Output:
    """`show ldp interface`."""
    del match
    ldp = _configured(session)
    if ldp is None:
        return Output([LDP_NOT_RUNNING])
    intent = session.router.store.in_force
    own = [
        (unit.name, str(address.ip))
        for unit in intent.units
        for address in unit.addresses
        if address.version == 4  # noqa: PLR2004 - IP's own number
    ]
    return Output(ldp_text.interfaces(await ldp_of(session).ldp_adjacencies(), ldp, own, str(router_id(intent))))


async def route(session: Session, match: Match) -> Output:
    """`show route [PREFIX] [exact] [protocol P] [table T] [terse]`."""
    everything = await session.router.backend.routes()
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


async def route_summary(session: Session, match: Match) -> Output:
    """`show route summary`."""
    del match
    intent = session.router.store.in_force
    return Output(
        route_text.summary(
            await session.router.backend.routes(), own_as=intent.autonomous_system, router_id=router_id(intent)
        )
    )


async def interfaces_terse(session: Session, match: Match) -> Output:
    """`show interfaces [NAME] terse`."""
    name = match.args.get("interface-name")
    states = [*await host_of(session).interfaces()]
    units = session.router.store.in_force.units
    if not any(state.name == LOOPBACK for state in states):
        # The machine half lists only ports. The loopback exists in every kernel, and is up.
        states.append(InterfaceState(LOOPBACK, admin_up=True, link_up=True))
    if name is not None:
        units = tuple(unit for unit in units if name in (unit.name, unit.name.rpartition(".")[0]))
        states = [state for state in states if state.name == name.partition(".")[0]]
        if not states:
            raise JunosFault(f"device {name} not found")
    return Output(host_text.interfaces_terse(states, units))


async def connections(session: Session, match: Match) -> Output:
    """`show system connections`."""
    del match
    return Output(host_text.connections(await host_of(session).connections()))


async def tcp_statistics(session: Session, match: Match) -> Output:
    """`show system statistics tcp`: the counters about authentication."""
    del match
    return Output(host_text.tcp_statistics(await host_of(session).auth_drops()))


async def commits(session: Session, match: Match) -> Output:
    """`show system commit`."""
    del match
    return Output(host_text.commits(session.router.store.commits, session.router.zone))


async def log_messages(session: Session, match: Match) -> Output:
    """`show log messages`."""
    del match
    return Output(list(session.router.syslog.lines))


async def log_commands(session: Session, match: Match) -> Output:
    """`show log interactive-commands`: the typed lines, without secrets."""
    del match
    return Output(list(session.router.syslog.commands))
