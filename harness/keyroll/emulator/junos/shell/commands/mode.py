"""The actions that concern the command line itself: its mode, its screen, its end."""

from __future__ import annotations

from keyroll.emulator.junos.commit.datastore import PrivateCandidate
from keyroll.emulator.junos.configuration.faults import JunosFault, PlainFault
from keyroll.emulator.junos.shell.grammar import Match
from keyroll.emulator.junos.shell.output import NOTHING, Output
from keyroll.emulator.junos.shell.session import Session


async def configure(session: Session, match: Match) -> Output:
    """`configure`: enters configuration mode with the shared candidate."""
    del match
    changed = await session.router.store.changed()
    if session.router.private:
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
    """`configure exclusive`: locks the configuration; uncommitted changes are discarded on exit."""
    del match
    changed = await session.router.store.changed()
    refuse_when_locked(session)  # checked last: nothing is awaited between this check and the lock
    if changed:
        raise JunosFault("configuration database modified")
    session.enter_configuration(exclusive=True)
    return Output([_DISCARDED, "Entering configuration mode"], paged=False)


async def configure_private(session: Session, match: Match) -> Output:
    """`configure private`: enters configuration mode with a private candidate, merged at commit."""
    del match
    changed = await session.router.store.changed()
    own = await PrivateCandidate.copied(session.router.store)
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
    """Raise PlainFault when another session has locked the configuration."""
    holder = session.locked_by
    if holder is not None:
        raise PlainFault(f"error: configuration database locked by:\n  {holder.user}\n      exclusive [edit]")


async def cli(session: Session, match: Match) -> Output:
    """`cli`: does nothing; netmiko types it when the prompt begins with `root@` (docs/junos.md 6.1)."""
    del session, match
    return NOTHING


async def leave(session: Session, match: Match) -> Output:
    """`exit`, `quit`: ends the session."""
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
    """`set cli screen-width N`: has no effect on this router."""
    del session
    return Output([f"Screen width set to {match.args['width']}"])


async def idle_timeout(session: Session, match: Match) -> Output:
    """`set cli idle-timeout N`: has no effect, because idle sessions are never ended here."""
    del session
    minutes = int(match.args["timeout"])
    return Output([f"Idle timeout set to {minutes} minutes" if minutes else "Idle timeout disabled"])


async def no_timestamp(session: Session, match: Match) -> Output:
    """`set cli timestamp disable`: has no effect, because no output has a timestamp. Ansible sends it first."""
    del session, match
    return Output(["CLI timestamp disabled"])


async def status(session: Session, match: Match) -> Output:
    """`status`: lists the users in configuration mode."""
    del match
    users = sorted(editor.user for editor in session.router.editors)
    return Output(["Users currently editing the configuration:", *(f"  {user}" for user in users)])
