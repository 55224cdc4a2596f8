"""The receiver's side of a verdict: does it accept a segment that is right under its sender's chain?"""

from __future__ import annotations

import hmac
from datetime import datetime
from typing import NamedTuple

from keyroll.capture.keys.book import DirectionKeys, HeldKey
from keyroll.capture.referee.connection import Connection, derive
from keyroll.capture.referee.judgement import Refusal, Verdict
from keyroll.tcpao import AoOption, Segment


class Match(NamedTuple):
    """A sender's key, and the connection and ISNs, under which a segment's MAC is right."""

    key: HeldKey
    connection: Connection
    sisn: int
    disn: int
    message: bytes
    """The MAC's input."""


class Finding(NamedTuple):
    """A verdict and its reason, before the facts of the packet are added to make a `Judgement`."""

    verdict: Verdict
    reason: str
    connection: Connection
    key: HeldKey | None = None
    receiver_key: HeldKey | None = None
    refusal: Refusal | None = None


def receiver_finding(match: Match, segment: Segment, ao: AoOption, keys: DirectionKeys, time_ns: int | None) -> Finding:
    """Give the receiver's verdict on a segment that is right under its sender's key."""
    key = match.key
    theirs = keys.received.get(ao.key_id, ())
    if not theirs:
        reason = f"{keys.sender}'s {key.name} signed it; {keys.receiver} has no usable key with recv-id {ao.key_id}."
        return Finding(Verdict.REFUSED, reason, match.connection, key, None, Refusal.UNKNOWN)
    for other in theirs:
        if key.same_mac(other) or _mac_is_right(match, other, segment, ao):
            return _check_window(match, other, keys, time_ns)
    hidden = next((other for other in theirs if not other.secret.known), None)
    if hidden is not None:
        reason = (
            f"{keys.sender}'s {key.name} signed it; the secret of {keys.receiver}'s {hidden.name} is not known: "
            f"{hidden.secret.why_unknown}."
        )
        return Finding(Verdict.KEYS_UNKNOWN, reason, match.connection, key, hidden)
    reason = (
        f"{keys.sender}'s {key.name} signed it; under {keys.receiver}'s {theirs[0].name} the MAC is another: "
        f"{_difference(key, theirs[0])}."
    )
    return Finding(Verdict.REFUSED, reason, match.connection, key, theirs[0], Refusal.MISMATCH)


def _mac_is_right(match: Match, other: HeldKey, segment: Segment, ao: AoOption) -> bool:
    # Compare MACs, not secrets: different secrets can give the same key (HMAC pads with zeros).
    if not other.secret.known or match.key.include_options != other.include_options:
        return False
    return hmac.compare_digest(derive(other, segment, match.sisn, match.disn).mac(match.message), ao.mac)


def _difference(ours: HeldKey, theirs: HeldKey) -> str:
    if ours.algorithm is not theirs.algorithm:
        return f"{ours.algorithm.value} here, {theirs.algorithm.value} there"
    if ours.include_options != theirs.include_options:
        return "one end covers the other TCP options, the other end does not"
    return "the secrets differ"


def _check_window(match: Match, other: HeldKey, keys: DirectionKeys, time_ns: int | None) -> Finding:
    key = match.key
    now = keys.clock(time_ns) if time_ns is not None and (other.begin or other.end) else None
    if now is not None:
        if other.begin is not None and now < other.begin:
            reason = _outside(keys, other, now, f"only from {other.begin.isoformat()}")
            return Finding(Verdict.REFUSED, reason, match.connection, key, other, Refusal.WINDOW)
        if other.end is not None and now >= other.end:
            reason = _outside(keys, other, now, f"no longer than {other.end.isoformat()}")
            return Finding(Verdict.REFUSED, reason, match.connection, key, other, Refusal.WINDOW)
    return Finding(Verdict.VERIFIED, f"Signed with {keys.sender}'s {key.name}.", match.connection, key, other)


def _outside(keys: DirectionKeys, key: HeldKey, now: datetime, until: str) -> str:
    return f"{keys.receiver} accepts {key.name} {until}; its clock says {now.isoformat()}."
