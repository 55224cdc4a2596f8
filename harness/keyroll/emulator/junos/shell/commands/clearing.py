"""The actions of `clear …`."""

from __future__ import annotations

from ipaddress import IPv4Address, ip_address

from keyroll.emulator.junos.configuration.faults import PlainFault
from keyroll.emulator.junos.shell.commands.states import LDP_NOT_RUNNING, ldp_of
from keyroll.emulator.junos.shell.grammar import Match
from keyroll.emulator.junos.shell.output import NOTHING, Output
from keyroll.emulator.junos.shell.session import Session


async def bgp(session: Session, match: Match) -> Output:
    """`clear bgp neighbor [A] [soft]`."""
    soft = "soft" in match.words
    text = match.args.get("address")
    address = ip_address(text) if text else None
    configured = [neighbor.address for neighbor in session.router.store.in_force.neighbors]
    if address is not None and address not in configured:
        raise PlainFault(f"error: neighbor {address} not found")
    await session.router.backend.clear_bgp(address, soft=soft)
    count = 1 if address is not None else len(configured)
    return Output([] if soft else [f"Cleared {count} connections"])


async def ldp(session: Session, match: Match) -> Output:
    """`clear ldp session [A]`."""
    if session.router.store.in_force.ldp is None:
        return Output([LDP_NOT_RUNNING])
    text = match.args.get("address")
    await ldp_of(session).clear_ldp(IPv4Address(text) if text else None)
    return NOTHING


async def log_messages(session: Session, match: Match) -> Output:
    """`clear log messages`."""
    del match
    session.router.syslog.clear()
    session.router.syslog.write("mgd", f"UI_CLEAR_LOG: User '{session.user}' cleared the log")
    return NOTHING
