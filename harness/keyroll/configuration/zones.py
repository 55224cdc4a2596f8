"""A router's time zone, which applies to start-times that name no zone."""

from __future__ import annotations

from dataclasses import replace
from datetime import tzinfo

from keyroll.configuration.inheritance import Value
from keyroll.configuration.reading import Configuration


def zone_named(configuration: Configuration) -> Value | None:
    """Return the value of the router's `system time-zone`, or None."""
    return configuration.view("system").leaf("time-zone").value


def zone_of(configuration: Configuration) -> tzinfo | None:
    """Return the zone that a router is configured for (`system time-zone`), or None."""
    named = zone_named(configuration)
    if named is None:
        return None
    from zoneinfo import ZoneInfo  # noqa: PLC0415 - it takes as long as reading a small text, and few texts name a zone

    try:
        return ZoneInfo(named.text)
    except (ValueError, OSError, LookupError):  # such as GMT+2, which the time zone database does not have
        return None


def in_own_zone(configuration: Configuration) -> Configuration:
    """Return the configuration with start-times that name no zone read in its own `time-zone`, if that is known."""
    zone = zone_of(configuration)
    return configuration if zone is None or zone == configuration.zone else replace(configuration, zone=zone)
