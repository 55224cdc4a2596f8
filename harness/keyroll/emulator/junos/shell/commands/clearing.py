"""`clear …`."""

from __future__ import annotations

from ipaddress import IPv4Address, ip_address
from typing import TYPE_CHECKING

from keyroll.emulator.junos.configuration.faults import PlainFault
from keyroll.emulator.junos.shell.commands.states import LDP_NOT_RUNNING, ldp_of
from keyroll.emulator.junos.shell.grammar import Match
from keyroll.emulator.junos.shell.output import NOTHING, Output

if TYPE_CHECKING:
    from keyroll.emulator.junos.shell.cli import Cli


async def bgp(cli: Cli, match: Match) -> Output:
    """`clear bgp neighbor [A] [soft]`."""
    soft = "soft" in match.words
    text = match.args.get("address")
    address = ip_address(text) if text else None
    configured = [neighbor.address for neighbor in cli.chassis.store.in_force.neighbors]
    if address is not None and address not in configured:
        raise PlainFault(f"error: neighbor {address} not found")
    await cli.chassis.backend.clear_bgp(address, soft=soft)
    count = 1 if address is not None else len(configured)
    return Output([] if soft else [f"Cleared {count} connections"])


async def ldp(cli: Cli, match: Match) -> Output:
    """`clear ldp session [A]`."""
    if cli.chassis.store.in_force.ldp is None:
        return Output([LDP_NOT_RUNNING])
    text = match.args.get("address")
    await ldp_of(cli).clear_ldp(IPv4Address(text) if text else None)
    return NOTHING


async def log_messages(cli: Cli, match: Match) -> Output:
    """`clear log messages`."""
    del match
    cli.chassis.syslog.clear()
    cli.chassis.syslog.write("mgd", f"UI_CLEAR_LOG: User '{cli.user}' cleared the log")
    return NOTHING
