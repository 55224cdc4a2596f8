"""Finds start-times that are unknown because they name no zone and the router's `time-zone` is not known here."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta, timezone

from keyroll.configuration import Chain, Configuration, Kind, zone_named, zone_of
from keyroll.configuration import Finding as Doubt

_ELSEWHERE = timezone(timedelta(hours=23, minutes=59))
"""A zone that no router has, so that a start-time without a zone is another instant when it is read in it."""


def names_no_known_zone(configuration: Configuration, chain: Chain) -> bool:
    """Say whether start-times of a chain are in the router's `time-zone`, and this zone is not known here."""
    if zone_named(configuration) is None or zone_of(configuration) is not None:
        return False
    # A start-time that names no zone changes if the same text is read in another zone.
    moved = replace(configuration, zone=_ELSEWHERE)
    other = next(one for router in moved.routers for one in router.chains if one.path == chain.path)
    return any(key.start != there.start for key, there in zip(chain.keychain.keys, other.keychain.keys, strict=True))


def doubt_of_zone(configuration: Configuration, chain: Chain) -> Doubt | None:
    """Return the finding that a chain's start-times are unknown because their zone is; None if they are known."""
    named = zone_named(configuration)
    if named is None or not names_no_known_zone(configuration, chain):
        return None
    message = (
        f"key-chain {chain.name}: start-times name no zone, and the router's time-zone {named.text} is not known here; "
        f"they are read as {configuration.zone}"
    )
    return Doubt(Kind.INVALID_VALUE, message, configuration.sources.where(named.line), ("system", "time-zone"))
