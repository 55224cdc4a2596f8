"""Commands about the command line itself: modes, screen, leaving."""

from __future__ import annotations

from keyroll.emulator.junos.commit.datastore import PrivateCandidate
from keyroll.emulator.junos.configuration.faults import JunosFault, PlainFault
from keyroll.emulator.junos.shell.grammar import Match
from keyroll.emulator.junos.shell.output import NOTHING, Output
from keyroll.emulator.junos.shell.session import Session


async def configure(session: Session, match: Match) -> Output:
    """`configure`: the candidate is shared with everybody who is in configuration mode."""
    del match
    changed = await session.chassis.store.changed()
    if session.chassis.private:
        raise JunosFault("private edits in use. Try 'configure private' or 'configure exclusive'.")
    others = session.other_editors
    session.enter_configuration()
    lines = ["Entering configuration mode"]
    if others:
        lines += ["Users currently editing the configuration:", *(f"  {user}" for user in others)]
    if session.locked_by is not None:
        lines.append("      exclusive [edit]")
    if changed:
        lines.append("The configuration has been changed but not committed")
    return Output(lines, paged=False)


async def configure_exclusive(session: Session, match: Match) -> Output:
    """`configure exclusive`: nobody else may change or commit anything; what is not committed ends with it."""
    del match
    changed = await session.chassis.store.changed()
    refuse_when_locked(session)  # looked at last: nobody comes between it and the lock
    if changed:
        raise JunosFault("configuration database modified")
    session.enter_configuration(exclusive=True)
    return Output([_DISCARDED, "Entering configuration mode"], paged=False)


async def configure_private(session: Session, match: Match) -> Output:
    """`configure private`: a candidate of one's own; a commit merges what was changed into the running one."""
    del match
    changed = await session.chassis.store.changed()
    own = await PrivateCandidate.begun(session.chassis.store)
    refuse_when_locked(session)
    if changed:
        raise PlainFault(
            "error: shared configuration database modified\n\n"
            "Please temporarily use 'configure shared' to commit\n"
            "outstanding changes in the shared database, exit,\n"
            "and return to configuration mode using 'configure private'"
        )
    session.enter_configuration(private=own)
    return Output([_DISCARDED, "Entering configuration mode"], paged=False)


_DISCARDED = "warning: uncommitted changes will be discarded on exit"


def refuse_when_locked(session: Session) -> None:
    """Raise JunosFault when somebody else keeps the configuration locked."""
    holder = session.locked_by
    if holder is not None:
        raise PlainFault(f"error: configuration database locked by:\n  {holder.user}\n      exclusive [edit]")


async def already_there(session: Session, match: Match) -> Output:
    """`cli`: taken silently (netmiko types it when the prompt begins with `root@`; docs/junos.md 6.1)."""
    del session, match
    return NOTHING


async def leave(session: Session, match: Match) -> Output:
    """`exit`, `quit`: end the session."""
    del match
    session.close()
    return Output(paged=False)


async def complete_on_space(session: Session, match: Match) -> Output:
    """`set cli complete-on-space (on | off)`."""
    session.complete_on_space = match.args["value"] == "on"
    return Output([f"{'Enabling' if session.complete_on_space else 'Disabling'} complete-on-space"])


async def screen_length(session: Session, match: Match) -> Output:
    """`set cli screen-length N`; 0 means no paging."""
    session.screen_length = int(match.args["length"])
    return Output([f"Screen length set to {session.screen_length}"])


async def screen_width(session: Session, match: Match) -> Output:
    """`set cli screen-width N`."""
    session.screen_width = int(match.args["width"])
    return Output([f"Screen width set to {session.screen_width}"])


async def idle_timeout(session: Session, match: Match) -> Output:
    """`set cli idle-timeout N`: sessions never end by themselves here."""
    del session
    minutes = int(match.args["timeout"])
    return Output([f"Idle timeout set to {minutes} minutes" if minutes else "Idle timeout disabled"])


async def no_timestamp(session: Session, match: Match) -> Output:
    """`set cli timestamp disable`: no output has one (Ansible sends it first)."""
    del session, match
    return Output(["CLI timestamp disabled"])


async def status(session: Session, match: Match) -> Output:
    """`status`: who is in configuration mode."""
    del match
    users = sorted(editor.user for editor in session.chassis.editors)
    return Output(["Users currently editing the configuration:", *(f"  {user}" for user in users)])
