"""The actions that concern the whole router: clock, ping, restart, reboot."""

from __future__ import annotations

import asyncio
import re
from datetime import datetime, tzinfo
from ipaddress import ip_address

from keyroll.emulator.contract.model import Echo
from keyroll.emulator.junos.configuration.faults import JunosFault
from keyroll.emulator.junos.shell.commands.states import host_of
from keyroll.emulator.junos.shell.grammar import Match
from keyroll.emulator.junos.shell.output import NOTHING, Output
from keyroll.emulator.junos.shell.session import Session
from keyroll.emulator.junos.shell.show import ping as ping_text
from keyroll.emulator.junos.shell.show.durations import date_line, stamp

_DATE = re.compile(r"(\d{4})(\d{2})(\d{2})(\d{2})(\d{2})(?:\.(\d{2}))?", re.ASCII)


async def set_date(session: Session, match: Match) -> Output:
    """`set date YYYYMMDDhhmm.ss`: sets this router's clock at once; the time is in its own time zone."""
    zone = session.router.zone
    wanted = _moment(match.args["time"], zone)
    before = session.router.now()
    await session.router.backend.set_clock(wanted)
    moved = f"from {stamp(before, zone)} to {stamp(wanted, zone)}"
    session.router.syslog.write("mgd", f"UI_DATE: User '{session.user}' set the clock {moved}")
    return Output([date_line(session.router.now(), zone)])


def _moment(text: str, zone: tzinfo) -> datetime:
    found = _DATE.fullmatch(text)
    numbers = [int(part or 0) for part in found.groups()] if found else []
    try:
        return datetime(*numbers, tzinfo=zone)  # type: ignore[arg-type,misc] # six numbers, or none: a TypeError
    except (ValueError, TypeError):
        raise JunosFault(f"invalid date and time: '{text}' (YYYYMMDDhhmm.ss)") from None


PING_COUNT = 5
"""Number of requests of `rapid`, as in Junos; also without a terminal, where no Ctrl-C could end an endless ping."""
ENDLESS = 1_000_000
"""Number of requests of a ping until Ctrl-C: eleven days at one a second."""
_INTERVAL = 1.0
"""Seconds between two requests, as in Junos."""
_RAPID_INTERVAL = 0.01
"""Minimum seconds between two requests of `rapid`: FreeBSD's ping(8) sends a hundred a second when it floods."""


async def ping(session: Session, match: Match) -> Output:
    """`ping A [count N] [rapid] [source A]`: prints replies as they arrive; Ctrl-C ends it.

    Before a pipe, all lines are the output of the command, because a pipe filters only that.
    """
    address, rapid = ip_address(match.args["host"]), "rapid" in match.words
    endless = session.screen.interactive and not rapid
    count = int(match.args.get("requests", ENDLESS if endless else PING_COUNT))
    source = match.args.get("source-address")
    echoes = host_of(session).ping(
        address,
        count=count,
        source=ip_address(source) if source else None,
        interval=_RAPID_INTERVAL if rapid else _INTERVAL,
    )
    printed: list[str] = []

    async def print_line(line: str) -> None:
        if session.piping:
            printed.append(line)
        else:
            await session.screen.write_now([line])

    await print_line(ping_text.heading(address))
    found: list[Echo] = []
    try:
        async for echo in echoes:
            found.append(echo)
            line = None if rapid else ping_text.answer(address, echo)
            if line is not None:
                await print_line(line)
    except asyncio.CancelledError:
        # Ctrl-C ends a ping with its statistics. A client that has disconnected is noticed at the next write.
        printed.append("^C")
    await print_line("".join(ping_text.mark(echo) for echo in found) if rapid else "")
    return Output([*printed, *ping_text.statistics(address, found)], paged=False)


async def restart_routing(session: Session, match: Match) -> Output:
    """`restart routing`: all sessions go down, and come up again from the configuration in force."""
    del match
    session.router.syslog.write(
        "mgd", f"UI_RESTART_EVENT: User '{session.user}' restarting daemon 'Routing protocols process'"
    )
    await host_of(session).restart_routing()
    return Output(["Routing protocols process started"])


async def reboot(session: Session, match: Match) -> Output:
    """`request system reboot`: restarts the whole router, after a question."""
    del match
    host = host_of(session)
    answer = await session.screen.ask("Reboot the system ? [yes,no] (no) ")
    if answer is None or answer.strip() not in ("yes", "y"):
        return NOTHING
    session.router.syslog.write("mgd", f"UI_REBOOT_EVENT: User '{session.user}' requested a reboot")
    await session.screen.write_now(["Shutdown NOW!"])  # printed before, because the reboot ends the connection
    await host.reboot()
    return NOTHING
