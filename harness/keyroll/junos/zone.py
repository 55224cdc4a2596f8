"""The time zone that a router keeps its clock in: what it shows and takes (`set date`) is local time there."""

from __future__ import annotations

import re
from datetime import UTC, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from keyroll.junos.errors import ClockError

SHOW_ZONE = "show configuration system time-zone"
_ZONE = re.compile(r"^\s*time-zone (?P<name>[^\s;]+);", re.MULTILINE)


def zone_of(shown: str) -> tzinfo:
    """Return the zone in an answer to `show configuration system time-zone`: `time-zone Europe/Berlin;`, or nothing.

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
