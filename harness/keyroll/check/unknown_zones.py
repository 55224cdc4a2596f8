"""Start-times in a router's `time-zone` that is not known here: what they are is not known either."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta, timezone

from keyroll.configuration import Chain, Configuration, Kind, zone_named, zone_of
from keyroll.configuration import Finding as Doubt

_ELSEWHERE = timezone(timedelta(hours=23, minutes=59))
"""A zone that no router has, so that every start-time reads differently in it."""


def names_no_known_zone(configuration: Configuration, chain: Chain) -> bool:
    """Say whether start-times of a chain are in the router's `time-zone`, and that is one which is not known here."""
    if zone_named(configuration) is None or zone_of(configuration) is not None:
        return False
    # A start-time that names no zone is the one that moves when the same text is read in another zone.
    moved = replace(configuration, zone=_ELSEWHERE)
    other = next(one for router in moved.routers for one in router.chains if one.path == chain.path)
    return any(key.start != there.start for key, there in zip(chain.keychain.keys, other.keychain.keys, strict=True))


def doubt_of_zone(configuration: Configuration, chain: Chain) -> Doubt | None:
    """Return what is not known of a chain's start-times because their zone is not known."""
    named = zone_named(configuration)
    if named is None or not names_no_known_zone(configuration, chain):
        return None
    message = (
        f"key-chain {chain.name}: start-times name no zone, and the router's time-zone {named.text} is not known here; "
        f"they are read as {configuration.zone}"
    )
    return Doubt(Kind.INVALID_VALUE, message, configuration.sources.where(named.line), ("system", "time-zone"))
