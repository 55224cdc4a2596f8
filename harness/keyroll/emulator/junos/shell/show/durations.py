"""Formats of durations and times: Junos has several, one for each kind of output."""

from __future__ import annotations

from datetime import datetime, tzinfo

# In seconds.
MINUTE, HOUR, DAY, WEEK = 60, 3600, 86400, 604800


def _days(seconds: int) -> str:
    weeks, rest = divmod(seconds, WEEK)
    days = rest // DAY
    return f"{weeks}w{days}d" if weeks else f"{days}d"


def up_down(seconds: int) -> str:
    """Return `23`, `7:50`, `1:05:09` or `3w2d 4:19:15`: the column Last Up/Dwn (docs/junos.md 3.2)."""
    hours, minutes, rest = seconds % DAY // HOUR, seconds % HOUR // MINUTE, seconds % MINUTE
    if seconds < MINUTE:
        return str(seconds)
    if seconds < HOUR:
        return f"{minutes}:{rest:02d}"
    clock = f"{hours}:{minutes:02d}:{rest:02d}"
    return clock if seconds < DAY else f"{_days(seconds)} {clock}"


def age(seconds: int) -> str:
    """Return `00:01:26`, or with days `1d 23:58` and `29w6d 23:14`: uptime and Transition (docs/junos.md 3.1, 3.5)."""
    hours, minutes, rest = seconds % DAY // HOUR, seconds % HOUR // MINUTE, seconds % MINUTE
    if seconds < DAY:
        return f"{hours:02d}:{minutes:02d}:{rest:02d}"
    return f"{_days(seconds)} {hours:02d}:{minutes:02d}"


def route_age(seconds: int) -> str:
    """Return `00:05:10`, `1d 02:03:04` or `3w2d 04:19:15`: the age of a route."""
    clock = f"{seconds % DAY // HOUR:02d}:{seconds % HOUR // MINUTE:02d}:{seconds % MINUTE:02d}"
    return clock if seconds < DAY else f"{_days(seconds)} {clock}"


def w_line(now: datetime, zone: tzinfo, up_seconds: int, users: int, load: tuple[float, float, float]) -> str:
    """Return ` 8:16AM  up 209 days, 23:14, 5 users, load averages: 0.43, 0.43, 0.42`, as w(1) of FreeBSD prints it."""
    local = now.astimezone(zone)
    days, hours, minutes = up_seconds // DAY, up_seconds % DAY // HOUR, up_seconds % HOUR // MINUTE
    if hours and minutes:
        since = f"{hours}:{minutes:02d}"
    elif hours:
        since = f"{hours} hr{'s' if hours > 1 else ''}"
    else:
        since = f"{minutes} min{'' if minutes == 1 else 's'}"
    up = f"{days} day{'s' if days > 1 else ''}, {since}" if days else since
    clock = f"{local.hour % 12 or 12:2d}:{local.minute:02d}{'AM' if local.hour < 12 else 'PM'}"  # noqa: PLR2004 - noon
    return f"{clock}  up {up}, {users} users, load averages: {', '.join(f'{value:.2f}' for value in load)}"


def ctime(moment: datetime, zone: tzinfo) -> str:
    """Return `Sun Jan  1 00:00:00 2023` in the router's zone (docs/junos.md 1.3)."""
    local = moment.astimezone(zone)
    return f"{_WEEKDAYS[local.weekday()]} {_MONTHS[local.month - 1]} {local.day:2d} {local:%H:%M:%S} {local.year:04d}"


def date_line(moment: datetime, zone: tzinfo) -> str:
    """Return `Sun Jan  1 00:00:00 UTC 2023`, as date(1) prints it."""
    local = moment.astimezone(zone)
    head = f"{_WEEKDAYS[local.weekday()]} {_MONTHS[local.month - 1]} {local.day:2d} {local:%H:%M:%S}"
    return f"{head} {local.tzname()} {local.year:04d}"


def stamp(moment: datetime, zone: tzinfo) -> str:
    """Return `2020-03-26 08:16:41 UTC`."""
    local = moment.astimezone(zone)
    return f"{local.year:04d}-{local:%m-%d %H:%M:%S} {local.tzname()}"


_WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
