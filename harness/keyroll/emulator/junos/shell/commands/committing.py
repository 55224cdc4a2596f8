"""`commit` in its forms (docs/junos.md 3.6)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keyroll.emulator.junos.configuration.faults import CommitFault
from keyroll.emulator.junos.shell.grammar import Match
from keyroll.emulator.junos.shell.output import Output

if TYPE_CHECKING:
    from keyroll.emulator.junos.shell.cli import Cli

CONFIRM_MINUTES = 10
"""Junos' default of `commit confirmed`."""


async def commit(cli: Cli, match: Match) -> Output:
    """`commit [comment TEXT] [confirmed [N]] [and-quit]`."""
    minutes = int(match.args.get("minutes", CONFIRM_MINUTES)) if "confirmed" in match.words else None
    await cli.chassis.store.commit(cli.user, comment=match.args.get("text"), confirm_minutes=minutes)
    lines = []
    if minutes is not None:
        lines.append(f"commit confirmed will be automatically rolled back in {minutes} minutes unless confirmed")
    lines.append("commit complete")
    if "and-quit" in match.words:
        cli.leave_configuration()
        lines.append("Exiting configuration mode")
    return Output(lines, paged=False)


async def check(cli: Cli, match: Match) -> Output:
    """`commit check`: everything short of applying it."""
    del match
    try:
        cli.chassis.store.check()
    except CommitFault as fault:
        raise CommitFault(fault.reasons, fault.kind, check_only=True) from None
    return Output(["configuration check succeeds"], paged=False)
