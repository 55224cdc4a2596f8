"""The actions of `commit …` (docs/junos.md 3.6)."""

from __future__ import annotations

from keyroll.emulator.junos.configuration.faults import CommitFault
from keyroll.emulator.junos.shell.grammar import Match
from keyroll.emulator.junos.shell.output import Output
from keyroll.emulator.junos.shell.session import Session

CONFIRM_MINUTES = 10
"""Minutes of `commit confirmed` without a number: Junos' default."""


async def commit(session: Session, match: Match) -> Output:
    """`commit [comment TEXT] [confirmed [N]] [and-quit]`."""
    minutes = int(match.args.get("minutes", CONFIRM_MINUTES)) if "confirmed" in match.words else None
    await session.store.commit(session.user, comment=match.args.get("text"), confirm_minutes=minutes)
    lines = []
    if minutes is not None:
        lines.append(f"commit confirmed will be automatically rolled back in {minutes} minutes unless confirmed")
    lines.append("commit complete")
    if "and-quit" in match.words:
        session.leave_configuration(clean=True)
        lines.append("Exiting configuration mode")
    return Output(lines, paged=False)


async def check(session: Session, match: Match) -> Output:
    """`commit check`: makes all checks of a commit, and does not apply it."""
    del match
    try:
        await session.store.checked()
    except CommitFault as fault:
        raise CommitFault(fault.reasons, fault.kind, check_only=True) from None
    return Output(["configuration check succeeds"], paged=False)
