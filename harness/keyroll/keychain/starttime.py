"""Junos' `start-time`: the forms that a person types, and the form that a router stores and shows.

Typed: `2023-01-01.00:00`, with seconds or not, with a numeric zone or not, leading zeros or not; or relative to the
router's clock: `now`, `2day`, `3hour`, `5min`, `1month` (Juniper, start-time). Stored and shown by `show
configuration`: `2021-6-29.00:00:00 +0000`: seconds added, no leading zeros in month and day, the router's own offset
(six device configurations, docs/junos.md 1.3). A start-time without a zone is in the router's local time.
"""

from __future__ import annotations

import re
from datetime import MAXYEAR, UTC, datetime, timedelta, timezone, tzinfo

from keyroll.keychain.model import KeychainError
from keyroll.patterns import compiled

ALLOWED = "YYYY-MM-DD.HH:MM[:SS] [+HHMM], such as 2026-11-24.10:00 or '2026-11-24.10:00:00 +0000'"

_ABSOLUTE = re.compile(
    r"(?P<year>\d{4})-(?P<month>\d{1,2})-(?P<day>\d{1,2})"
    r"\.(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2}))?"
    r"(?:\s*(?P<sign>[+-])(?P<zone_hour>\d{2}):?(?P<zone_minute>\d{2}))?",
    re.ASCII,
)
_RELATIVE = r"\+?(?P<count>\d{1,6})\s*(?P<unit>month|day|hour|min(?:ute)?)s?"
_UNITS = {"day": timedelta(days=1), "hour": timedelta(hours=1), "min": timedelta(minutes=1)}
_OFFSET_MAX_HOURS = 15
"""No zone in use is further from UTC than fourteen hours; one hour more is accepted in case that changes."""
_SHOWN_MAX = 30
"""The most characters of an invalid start-time that a message repeats: longer than any valid one."""


class StartTimeError(KeychainError):
    """The text is not a start-time: wrong form, a month 25, a zone that does not exist, an hour that clocks skipped."""


def format_start_stored(moment: datetime, zone: tzinfo = UTC) -> str:
    """Return `moment` as a router in `zone` stores and shows it: `2021-6-29.00:00:00 +0000` (without quotes)."""
    local = _aware(moment).astimezone(zone)
    offset = local.utcoffset() or timedelta()
    minutes = int(offset.total_seconds()) // 60
    sign = "-" if minutes < 0 else "+"
    hours, minutes = divmod(abs(minutes), 60)
    return (
        f"{local.year:04d}-{local.month}-{local.day}.{local.hour:02d}:{local.minute:02d}:{local.second:02d}"
        f" {sign}{hours:02d}{minutes:02d}"
    )


def parse_start(text: str, default_zone: tzinfo = UTC, *, now: datetime | None = None) -> datetime:
    """Read a start-time, typed or stored, and return it as an aware datetime of whole seconds.

    Args:
        text: the start-time; quotes around it are removed.
        default_zone: the router's zone, used if the text names none. Of an hour that passes twice when clocks go back,
            the first is used.
        now: the router's clock, to which `now`, `2day`, `3hour`, `5min` and `1month` are relative.

    Raises:
        StartTimeError: the text is not a start-time, its date or hour does not exist (an hour may be skipped when
            clocks go forward), or it is relative and `now` is None.
    """
    stripped = text.strip()
    if len(stripped) > 1 and stripped[0] == stripped[-1] == '"':
        stripped = stripped[1:-1].strip()
    found = _ABSOLUTE.fullmatch(stripped)
    if found is None:
        return _relative(stripped, now)
    year, month, day, hour, minute = (int(found[name]) for name in ("year", "month", "day", "hour", "minute"))
    try:
        # The zone is applied below, with a check that it has such an hour.
        moment = datetime(year, month, day, hour, minute, int(found["second"] or 0))  # noqa: DTZ001 - see above
    except ValueError as error:
        raise StartTimeError(f"start-time '{stripped}': {error}", remedy=f"allowed: {ALLOWED}") from None
    try:
        if found["sign"]:
            start = moment.replace(tzinfo=_numeric_zone(found, stripped))
            start.astimezone(UTC)
            return start
        return _localized(moment, default_zone, stripped)
    except OverflowError:  # the last hours of the year 9999 west of Greenwich, the first of the year 1 east of it
        raise StartTimeError(f"start-time '{stripped}' lies beyond the years 1 to 9999 in UTC") from None


def _numeric_zone(found: re.Match[str], text: str) -> tzinfo:
    hours, minutes = int(found["zone_hour"]), int(found["zone_minute"])
    if hours > _OFFSET_MAX_HOURS or minutes > 59:  # noqa: PLR2004 - the last minute of an hour
        raise StartTimeError(f"start-time '{text}': invalid zone", remedy=f"allowed: {ALLOWED}")
    offset = timedelta(hours=hours, minutes=minutes)
    return timezone(-offset if found["sign"] == "-" else offset) if offset else UTC


def _localized(moment: datetime, zone: tzinfo, text: str) -> datetime:
    local = moment.replace(tzinfo=zone)
    # Only a zone of the time zone database skips hours, and its text is its name; a `timezone` is a fixed offset.
    if not isinstance(zone, timezone) and local.astimezone(UTC).astimezone(zone).replace(tzinfo=None) != moment:
        raise StartTimeError(
            f"start-time '{text}': that hour does not exist in {zone}, whose clocks skip it",
            remedy="write the zone out, such as ' +0000'",
        )
    local.astimezone(UTC)
    # A fixed offset, as a router stores it: with it, Python compares and adds datetimes as instants.
    return local.replace(tzinfo=timezone(local.utcoffset() or timedelta()))


def _relative(text: str, now: datetime | None) -> datetime:
    found = compiled(_RELATIVE, re.ASCII).fullmatch(text)
    if text != "now" and found is None:
        # A long text, or one with a `$`, may be a secret that was pasted into the wrong place.
        shown = f" '{text}'" if len(text) <= _SHOWN_MAX and "$" not in text else ""
        raise StartTimeError(f"invalid start-time{shown}", remedy=f"allowed: {ALLOWED}")
    if now is None:
        raise StartTimeError(
            f"start-time '{text}' counts from the router's clock, which a text does not know",
            remedy=f"write it out: {ALLOWED}",
        )
    base = _aware(now).replace(microsecond=0)
    if found is None:
        return base
    try:
        if found["unit"] == "month":
            return _months_later(base, int(found["count"]))
        return base + int(found["count"]) * _UNITS[found["unit"].removesuffix("ute")]
    except (OverflowError, ValueError):
        raise StartTimeError(f"start-time '{text}' lies beyond the year 9999") from None


def _months_later(moment: datetime, count: int) -> datetime:
    year, month = divmod(moment.year * 12 + moment.month - 1 + count, 12)
    if year > MAXYEAR:
        raise ValueError(year)
    import calendar  # noqa: PLC0415 - only this unit needs it

    day = min(moment.day, calendar.monthrange(year, month + 1)[1])
    return moment.replace(year=year, month=month + 1, day=day)


def _aware(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise StartTimeError(f"start-time {moment.isoformat()} needs a time zone")
    return moment
