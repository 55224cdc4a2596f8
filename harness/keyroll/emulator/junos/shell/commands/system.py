"""Commands that change the router itself."""

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
    """`set date YYYYMMDDhhmm.ss`: move this router's clock, at once, in its own time zone."""
    zone = session.chassis.zone
    wanted = _moment(match.args["time"], zone)
    before = session.chassis.now()
    await session.chassis.backend.set_clock(wanted)
    moved = f"from {stamp(before, zone)} to {stamp(wanted, zone)}"
    session.chassis.syslog.write("mgd", f"UI_DATE: User '{session.user}' set the clock {moved}")
    return Output([date_line(session.chassis.now(), zone)])


def _moment(text: str, zone: tzinfo) -> datetime:
    found = _DATE.fullmatch(text)
    numbers = [int(part or 0) for part in found.groups()] if found else []
    try:
        return datetime(*numbers, tzinfo=zone)  # type: ignore[arg-type,misc] # six numbers, or none: a TypeError
    except (ValueError, TypeError):
        raise JunosFault(f"invalid date and time: '{text}' (YYYYMMDDhhmm.ss)") from None


PING_COUNT = 5
"""Requests of `rapid`. Otherwise Junos pings until Ctrl-C; without a terminal there is none, and these are enough."""
ENDLESS = 1_000_000
"""Requests until Ctrl-C: at one a second, eleven days."""
_SECOND = 1.0
"""Seconds between two requests, as Junos sends them."""
_RAPIDLY = 0.01
"""Seconds between two requests of `rapid`, at least: ping(8) of FreeBSD floods at a hundred a second."""


async def ping(session: Session, match: Match) -> Output:
    """`ping A [count N] [rapid] [source A]`: prints as answers come (behind a pipe at the end), ends by Ctrl-C."""
    address, rapid = ip_address(match.args["host"]), "rapid" in match.words
    endless = session.screen.interactive and not rapid
    count = int(match.args.get("requests", ENDLESS if endless else PING_COUNT))
    source = match.args.get("source-address")
    echoes = host_of(session).ping(
        address,
        count=count,
        source=ip_address(source) if source else None,
        interval=_RAPIDLY if rapid else _SECOND,
    )
    printed: list[str] = []

    async def say(line: str) -> None:
        if session.piping:
            printed.append(line)
        else:
            await session.screen.write_now([line])

    await say(ping_text.heading(address))
    found: list[Echo] = []
    try:
        async for echo in echoes:
            found.append(echo)
            line = None if rapid else ping_text.answer(address, echo)
            if line is not None:
                await say(line)
    except asyncio.CancelledError:
        # Ctrl-C is how a ping ends: print its statistics. A client that hung up is noticed at the next write.
        printed.append("^C")
    await say("".join(ping_text.mark(echo) for echo in found) if rapid else "")
    return Output([*printed, *ping_text.statistics(address, found)], paged=False)


async def restart_routing(session: Session, match: Match) -> Output:
    """`restart routing`: sessions drop, and come back from the configuration in force."""
    del match
    session.chassis.syslog.write(
        "mgd", f"UI_RESTART_EVENT: User '{session.user}' restarting daemon 'Routing protocols process'"
    )
    await host_of(session).restart_routing()
    return Output(["Routing protocols process started"])


async def reboot(session: Session, match: Match) -> Output:
    """`request system reboot`: after a question the whole router restarts."""
    del match
    host = host_of(session)
    answer = await session.screen.ask("Reboot the system ? [yes,no] (no) ")
    if answer is None or answer.strip() not in ("yes", "y"):
        return NOTHING
    session.chassis.syslog.write("mgd", f"UI_REBOOT_EVENT: User '{session.user}' requested a reboot")
    await session.screen.write_now(["Shutdown NOW!"])  # first: the connection ends with the router
    await host.reboot()
    return NOTHING
