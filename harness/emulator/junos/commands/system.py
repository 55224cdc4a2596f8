"""Commands that change the router itself."""

from __future__ import annotations

import re
from datetime import datetime, tzinfo
from typing import TYPE_CHECKING

from harness.emulator.junos.faults import JunosFault
from harness.emulator.junos.grammar import Match
from harness.emulator.junos.output import Output
from harness.emulator.junos.show.durations import date_line, stamp

if TYPE_CHECKING:
    from harness.emulator.junos.cli import Cli

_DATE = re.compile(r"(\d{4})(\d{2})(\d{2})(\d{2})(\d{2})(?:\.(\d{2}))?", re.ASCII)


async def set_date(cli: Cli, match: Match) -> Output:
    """`set date YYYYMMDDhhmm.ss`: move this router's clock, at once, in its own time zone."""
    zone = cli.chassis.zone
    wanted = _moment(match.args["time"], zone)
    before = cli.chassis.now()
    await cli.chassis.backend.set_clock(wanted)
    cli.chassis.log(f"UI_DATE: User '{cli.user}' set the clock from {stamp(before, zone)} to {stamp(wanted, zone)}")
    return Output([date_line(cli.chassis.now(), zone)])


def _moment(text: str, zone: tzinfo) -> datetime:
    found = _DATE.fullmatch(text)
    numbers = [int(part or 0) for part in found.groups()] if found else []
    try:
        return datetime(*numbers, tzinfo=zone)  # type: ignore[arg-type,misc] # six numbers, or none: a TypeError
    except (ValueError, TypeError):
        raise JunosFault(f"invalid date and time: '{text}' (YYYYMMDDhhmm.ss)") from None
