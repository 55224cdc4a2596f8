"""Arguments that several commands take: instants, lengths of time, zones, and files (`-` is standard input)."""

from __future__ import annotations

import re
import sys
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path

from keyroll.errors import InputError, Where
from keyroll.keychain.starttime import StartTimeError, parse_start

STDIN = Path("-")
_LENGTH = re.compile(r"(?P<count>\d{1,9}(?:\.\d{1,6})?)(?P<unit>[smhdw]?)")
_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}


def read_zone(name: str) -> tzinfo:
    """Return the time zone with that IANA name.

    Raises:
        InputError: there is none.
    """
    if name == "UTC":
        return UTC
    from zoneinfo import ZoneInfo  # noqa: PLC0415 - UTC, the default, is had without it

    try:
        return ZoneInfo(name)
    except (ValueError, OSError, LookupError):
        raise InputError(f"invalid time zone '{name}': use an IANA name such as UTC or Europe/Berlin") from None


def instant_of(option: str, text: str, zone: tzinfo, *, now: datetime | None = None) -> datetime:
    """Read an instant in ISO 8601 or in Junos' form; without a zone it is in `zone`.

    Raises:
        InputError: it is in neither form, or has fractions of a second; names the option.
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    try:
        if moment is None:
            return parse_start(text, zone, now=now)
        if moment.microsecond:
            raise InputError(f"{option}: routers keep whole seconds, '{text}' has fractions")
        if moment.tzinfo is not None:
            return moment
        return parse_start(moment.strftime("%Y-%m-%d.%H:%M:%S"), zone)
    except StartTimeError as error:
        remedy = "use a form such as 2026-11-24T10:00Z or 2026-11-24.10:00"
        raise InputError(f"{option}: {error.message}", remedy=remedy) from None


def length_of(option: str, text: str) -> timedelta:
    """Read a length of time with one unit: `180d`, `2.5s`, `30m`; a plain number is seconds.

    Raises:
        InputError: it is not in that form.
    """
    found = _LENGTH.fullmatch(text.strip())
    if found is None:
        raise InputError(f"{option}: invalid length '{text}'", remedy="use a number and s, m, h, d or w: 90s, 180d")
    return timedelta(seconds=float(found["count"]) * _UNITS[found["unit"]])


def read_text(path: Path) -> str:
    """Return a file's text; raises InputError where it cannot be read or is not UTF-8."""
    try:
        octets = sys.stdin.buffer.read() if path == STDIN else path.read_bytes()
    except IsADirectoryError:
        raise InputError("this is a directory", where=Where.of(path), remedy=f"give its files: {path}/*") from None
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", where=Where.of(path)) from None
    except ValueError as error:  # a NUL in the name
        raise InputError(f"cannot be read: {error}") from None
    try:
        return octets.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = octets.count(b"\n", 0, error.start) + 1
        place = Where.of(shown(path), line)
    raise InputError("this is not a text file in UTF-8", where=place)


def shown(path: Path) -> str:
    """Return a file's name for messages."""
    return "standard input" if path == STDIN else str(path)
