"""Plays a drawn pair of chains on the embedded lab, edge by edge, with data in both directions all the time."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.lab.check.pairs import BEGIN, Drawn
from tests.lab.check.traffic import PORT, Traffic
from tests.lab.control_socket import ask

from keyroll.junos.base_configuration import base_configuration
from keyroll.keychain.junostext import set_lines
from keyroll.keychain.simulation import Drop

ROUTERS = ("R1", "R2")
BEFORE = timedelta(seconds=0.6)
"""How long before an edge the clocks are set: enough for some fifteen segments each way."""
_LOOK_SECONDS = 0.05
"""How often to look for data and drops: about as often as a segment is sent."""
_DEADLINE_SECONDS = 15.0
"""How long to wait for data at an edge: `SEEN_LEAST` segments take 0.2 s on an idle machine, longer on a busy one."""
SEEN_LEAST = 4
"""Segments each way before an edge, and after it."""
REASONS = {
    Drop.UNKNOWN_KEYID: "unknown-keyid",
    Drop.TOO_EARLY: "not-acceptable-now",
    Drop.TOO_LATE: "not-acceptable-now",
    Drop.OTHER_SECRET: "bad-mac",
    Drop.OTHER_ALGORITHM: "bad-mac",
    Drop.OTHER_OPTIONS: "bad-mac",
}
"""The wire path's names for the reasons (docs/control.md)."""


@dataclass(frozen=True)
class Dropped:
    """The first segments that did not get through: at which edge, to which router, and why.

    `keys` are those with which the sender signed before the edge and when the drop was seen: often the same key.
    """

    edge: datetime
    receiver: str
    reason: str
    keys: frozenset[int]


@dataclass
class Seen:
    """What was seen when a pair was played."""

    keys: dict[str, list[int]] = field(default_factory=lambda: {router: [] for router in ROUTERS})
    """The keys with which each router sent, in order, as seen after each edge."""
    dropped: list[Dropped] = field(default_factory=list)
    unfit: str = ""
    """Why the play shows nothing: the machine was too busy to send around an edge. Empty if it is fit."""


def lines_of(pair: Drawn, router: str, plans: Sequence[object]) -> list[str]:
    """Return a router's set lines: the base configuration, and an LDP session whose TCP connection the test makes."""
    me, peer = plans if router == "R1" else tuple(reversed(plans))
    chain = pair.chains[ROUTERS.index(router)]
    session = f"set protocols ldp session {peer.ipv4.ip}"  # type: ignore[attr-defined]
    return [
        *base_configuration(me, peer, sessions=(), chain=None),  # type: ignore[arg-type]
        f"{session} authentication-algorithm ao",
        f"{session} authentication-key-chain {chain.name}",
        *set_lines(chain),
    ]


def play(lab: str, pair: Drawn, addresses: dict[str, str], *, skew: timedelta = timedelta()) -> Seen:
    """Return what happens around every edge, until the first segment is dropped."""
    seen = Seen()
    _set_clocks(lab, BEGIN, skew)
    before = {router: _drops(lab, router) for router in ROUTERS}
    traffic = Traffic(lab, addresses)
    try:
        _wait_for(traffic, SEEN_LEAST)
        _note_keys(lab, seen)
        for edge in pair.edges(skew):
            _around(lab, edge, skew, traffic, before, seen)
            if seen.dropped or seen.unfit:
                break
            _note_keys(lab, seen)
    finally:
        traffic.close()
    return seen


def _around(
    lab: str, edge: datetime, skew: timedelta, traffic: Traffic, before: dict[str, dict[str, int]], seen: Seen
) -> None:
    """Let the clocks pass an edge, with data before and after it."""
    begun = _set_clocks(lab, edge - BEFORE, skew)
    if not _wait_for(traffic, SEEN_LEAST, until=begun + BEFORE.total_seconds() - 0.1):
        seen.unfit = f"not enough data before {edge.isoformat()}"
        return
    _until(begun + BEFORE.total_seconds() + 0.05)
    since, deadline = dict(traffic.received), time.monotonic() + _DEADLINE_SECONDS
    while any(traffic.received[router] - since[router] < SEEN_LEAST for router in ROUTERS):
        seen.dropped = [found for router in ROUTERS for found in _new_drops(lab, router, edge, before[router], seen)]
        if seen.dropped:
            return
        if time.monotonic() > deadline:
            seen.unfit = f"not enough data after {edge.isoformat()}"
            return
        _pause(_LOOK_SECONDS)
    seen.dropped = [found for router in ROUTERS for found in _new_drops(lab, router, edge, before[router], seen)]


def _new_drops(lab: str, router: str, edge: datetime, before: dict[str, int], seen: Seen) -> list[Dropped]:
    now = _drops(lab, router)
    reasons = [reason for reason, count in now.items() if count > before.get(reason, 0)]
    sender = next(other for other in ROUTERS if other != router)
    if not reasons:
        return []
    keys = frozenset((seen.keys[sender][-1], _connection(lab, sender)["sending_key"]))
    return [Dropped(edge, router, reason, keys) for reason in reasons]


def _drops(lab: str, router: str) -> dict[str, int]:
    return dict(ask(lab, router, op="drops")["in"])


def _connection(lab: str, router: str) -> dict[str, Any]:
    found = ask(lab, router, op="status")["wire"]["connections"]
    (one,) = [one for one in found if one["phase"] == "open" and one["port"] == PORT]
    result: dict[str, Any] = one
    return result


def _note_keys(lab: str, seen: Seen) -> None:
    for router in ROUTERS:
        key = _connection(lab, router)["out"]["key"]
        if seen.keys[router][-1:] != [key]:
            seen.keys[router].append(key)


def _set_clocks(lab: str, moment: datetime, skew: timedelta) -> float:
    """Set R1's clock to a moment, and R2's to that moment plus the skew. Return the monotonic time of the moment."""
    begun = time.monotonic()
    for router, ahead in zip(ROUTERS, (timedelta(), skew), strict=True):
        late = timedelta(seconds=time.monotonic() - begun)
        ask(lab, router, op="clock", set=(moment + ahead + late).astimezone(UTC).isoformat())
    return begun


def _wait_for(traffic: Traffic, count: int, *, until: float | None = None) -> bool:
    since = dict(traffic.received)
    deadline = time.monotonic() + _DEADLINE_SECONDS if until is None else until
    while any(traffic.received[router] - since[router] < count for router in ROUTERS):
        if time.monotonic() > deadline:
            return False
        _pause(_LOOK_SECONDS / 5)
    return True


def _until(moment: float) -> None:
    while (left := moment - time.monotonic()) > 0:
        _pause(left)


def _pause(seconds: float) -> None:
    # Here the test waits for time itself to pass: the routers' clocks run with the machine's.
    threading.Event().wait(seconds)
