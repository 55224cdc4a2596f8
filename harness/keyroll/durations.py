"""Durations as people write them in scenario files and options: `90s`, `30m`, `1h30m`, `-5m`, `1d`, `0.5s`."""

from __future__ import annotations

import re
from datetime import timedelta

PATTERN = r"^[+-]?(?=\d)(?:\d+d)?(?:\d+h)?(?:\d+m(?!s))?(?:\d+(?:\.\d+)?s)?(?:\d+ms)?$"
FORM = "a duration such as 90s, 30m, 1h30m, 20ms or -5m"
_PARTS = re.compile(r"([+-])?(?=\d)(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m(?!s))?(?:(\d+(?:\.\d+)?)s)?(?:(\d+)ms)?")
LONGEST = timedelta(days=3650)
"""Ten years, longer than any chain is planned for: a longer duration is taken for a mistyped unit."""


def parse_duration(value: object) -> timedelta:
    """Read a duration; a plain 0 is taken too (it needs no unit).

    Raises:
        ValueError: not in that form, or longer than ten years.
    """
    if isinstance(value, timedelta):
        return value
    if value == 0 and not isinstance(value, bool):
        return timedelta()
    found = _PARTS.fullmatch(value) if isinstance(value, str) else None
    if found is None or not any(found.groups()[1:]):
        raise ValueError(f"should be {FORM}")
    sign, days, hours, minutes, seconds, thousandths = found.groups()
    try:
        length = timedelta(
            days=int(days or 0),
            hours=int(hours or 0),
            minutes=int(minutes or 0),
            seconds=float(seconds or 0),
            milliseconds=int(thousandths or 0),
        )
    except OverflowError:
        length = timedelta.max
    if length > LONGEST:
        raise ValueError("should be at most ten years")
    return -length if sign == "-" else length


def format_duration(length: timedelta) -> str:
    """Return a duration in the same form, as short as possible: `1h30m`, `0s`, `-5m`, `2.5s`."""
    if length < timedelta():
        return "-" + format_duration(-length)
    total = length // timedelta(milliseconds=1)
    parts = []
    for unit, size in (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000)):
        count, total = divmod(total, size)
        if count:
            parts.append(f"{count}{unit}")
    if total or not parts:
        parts.append(f"{total / 1000:.3f}".rstrip("0").rstrip(".") + "s")
    return "".join(parts)
