"""Commands about the command line itself: modes, screen, leaving."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keyroll.emulator.junos.configuration.faults import JunosFault
from keyroll.emulator.junos.shell.grammar import Match
from keyroll.emulator.junos.shell.output import NOTHING, Output

if TYPE_CHECKING:
    from keyroll.emulator.junos.shell.cli import Cli


async def configure(cli: Cli, match: Match) -> Output:
    """`configure`: the candidate is shared with everybody who is in configuration mode."""
    del match
    others = sorted(user for editor, user in cli.chassis.editors.items() if editor is not cli)
    cli.enter_configuration()
    lines = ["Entering configuration mode"]
    if others:
        lines += ["Users currently editing the configuration:", *(f"  {user}" for user in others)]
    if cli.chassis.store.dirty:
        lines.append("The configuration has been changed but not committed")
    return Output(lines, paged=False)


async def refuse_exclusive(cli: Cli, match: Match) -> Output:
    """`configure exclusive`: refused, the candidate is always shared here."""
    del cli, match
    raise JunosFault("configure exclusive is not supported on this emulated router; use configure")


async def refuse_private(cli: Cli, match: Match) -> Output:
    """`configure private`: refused, the candidate is always shared here."""
    del cli, match
    raise JunosFault("configure private is not supported on this emulated router; use configure")


async def already_there(cli: Cli, match: Match) -> Output:
    """`cli`: taken silently (netmiko types it when the prompt begins with `root@`; docs/junos.md 6.1)."""
    del cli, match
    return NOTHING


async def leave(cli: Cli, match: Match) -> Output:
    """`exit`, `quit`: end the session."""
    del match
    cli.close()
    return Output(paged=False)


async def complete_on_space(cli: Cli, match: Match) -> Output:
    """`set cli complete-on-space (on | off)`."""
    cli.complete_on_space = match.args["value"] == "on"
    return Output([f"{'Enabling' if cli.complete_on_space else 'Disabling'} complete-on-space"])


async def screen_length(cli: Cli, match: Match) -> Output:
    """`set cli screen-length N`; 0 means no paging."""
    cli.screen_length = int(match.args["length"])
    return Output([f"Screen length set to {cli.screen_length}"])


async def screen_width(cli: Cli, match: Match) -> Output:
    """`set cli screen-width N`."""
    cli.screen_width = int(match.args["width"])
    return Output([f"Screen width set to {cli.screen_width}"])


async def status(cli: Cli, match: Match) -> Output:
    """`status`: who is in configuration mode."""
    del match
    users = sorted(cli.chassis.editors.values())
    return Output(["Users currently editing the configuration:", *(f"  {user}" for user in users)])
