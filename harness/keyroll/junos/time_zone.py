"""The router's time zone: Junos shows the clock, and expects it in `set date`, as local time in this zone."""

from __future__ import annotations

import re
from datetime import UTC, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from keyroll.junos.errors import ClockError

SHOW_ZONE = "show configuration system time-zone"
_ZONE = re.compile(r"^\s*time-zone (?P<name>[^\s;]+);", re.MULTILINE)


def zone_of(shown: str) -> tzinfo:
    """Parse the output of `show configuration system time-zone`: `time-zone Europe/Berlin;`, or nothing for UTC.

    Raises:
        ClockError: this machine does not know a zone of that name.
    """
    found = _ZONE.search(shown)
    if found is None:
        return UTC
    try:
        return ZoneInfo(found["name"])
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ClockError(
            f"the router's time zone {found['name']} is not known on this machine",
            remedy="install tzdata, or set system time-zone UTC on the router",
        ) from error
