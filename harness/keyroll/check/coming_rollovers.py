"""The coming rollovers of two chains, from one instant to another, each under each mix of policies.

The chains are predicted as a whole, once for each mix, from before the rollover that precedes the first instant. Each
gap is then attributed to the rollover that caused it: neighbouring rollovers are part of each prediction, and none is
blamed for another's gap.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from keyroll.check.rollovers import Rollover, rollovers
from keyroll.check.skew import MIXES, Mix, SkewBounds, Skews, covers, intersection
from keyroll.keychain.model import Keychain
from keyroll.keychain.prediction import Change, Gap, Prediction, Side, predict
from keyroll.keychain.schedule import in_order
from keyroll.keychain.simulation import Drop
from keyroll.names import Receiving, Sending

DEFAULT_MIXES: tuple[Mix, ...] = (((Sending.CLOCK, Receiving.TOLERANCE), (Sending.CLOCK, Receiving.TOLERANCE)),)
"""The policies that Juniper's text suggests (docs/assumptions/keychain.md)."""
ROUTERS = ("1", "2")
"""The names of the two routers in gaps and changes; the caller replaces them by the real ones."""
_TOLERANCE_MAX = 366 * 86400
"""Seconds; a year. Junos allows tolerances of up to 136 years, and `datetime` ends with the year 9999: the prediction
looks no further ahead."""
_MOMENT = timedelta(seconds=1)
"""Start-times are whole seconds, so no other start-time lies within the second before one."""


class Hold(NamedTuple):
    """The hold time of a session, and the longest time between two messages of the peer."""

    time: timedelta
    keepalive: timedelta


BGP_HOLD = Hold(timedelta(seconds=90), timedelta(seconds=30))
"""Junos' default; keepalives go out in a third of the hold time (RFC 4271, section 4.4)."""
LDP_HOLD = Hold(timedelta(seconds=30), timedelta(seconds=10))
"""Junos' defaults of keepalive-timeout and keepalive-interval."""


class Fall(NamedTuple):
    """When the session goes down: a hold timer counts from the last message before the gap."""

    earliest: datetime
    """If the last message came as long before the gap as possible."""
    latest: datetime
    """If the last message came right before the gap."""
    certain: bool
    """Whether the gap lasts until `latest`; if not, it may end before the timer expires."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of a rollover under one mix of policies, with equal clocks."""

    gaps: tuple[Gap, ...] = ()
    """What is dropped, by begin; the routers are named "1" and "2"."""
    unmoved: tuple[Change, ...] = ()
    """Keys that became due and never took over."""
    fall: Fall | None = None
    down_before: bool = False
    """Whether the session is already down when the rollover begins: segments are dropped in a direction."""

    @property
    def hitless(self) -> bool:
        """Whether the session is up, nothing is dropped, and every key moves."""
        return not (self.gaps or self.unmoved or self.down_before)


@dataclass(frozen=True)
class PredictedRollover:
    """One coming rollover: its outcome under each mix, and the skews that are hitless under each."""

    rollover: Rollover
    outcomes: Mapping[Mix, Outcome]
    skews: Mapping[Mix, Skews]

    @functools.cached_property
    def bounds(self) -> Skews:
        """The skews that are hitless under every mix asked for."""
        return intersection(self.skews.values())

    @functools.cached_property
    def failing(self) -> tuple[Mix, ...]:
        """The mixes under which the rollover is not hitless with equal clocks."""
        return tuple(mix for mix, outcome in self.outcomes.items() if not outcome.hitless)

    def hitless(self, skew: timedelta) -> bool:
        """Say whether the rollover is hitless under every mix asked for, with clocks up to `skew` apart either way."""
        return not self.failing and covers(self.bounds, skew // timedelta(microseconds=1))

    def limiting(self, *, low: bool) -> tuple[Mix, ...]:
        """Return the mixes that set the lower (or upper) bound of `bounds`; empty where it is unbounded."""
        bounds = self.bounds
        if not bounds:
            return tuple(mix for mix, skews in self.skews.items() if not skews)
        edge = (bounds[0].low, bounds[0].low_closed) if low else (bounds[-1].high, bounds[-1].high_closed)
        if edge[0] is None:
            return ()
        ends = {
            mix: (skews[0].low, skews[0].low_closed) if low else (skews[-1].high, skews[-1].high_closed)
            for mix, skews in self.skews.items()
        }
        return tuple(mix for mix, end in ends.items() if end == edge)

    @property
    def deciding(self) -> tuple[tuple[int, str], ...]:
        """The policies on which it depends: (router 0 or 1, "sending" or "receiving"); empty if all mixes agree."""
        return tuple(
            (router, ("sending", "receiving")[which])
            for router in (0, 1)
            for which in (0, 1)
            if any(self._decides(mix, router, which) for mix in self.outcomes)
        )

    def _decides(self, mix: Mix, router: int, which: int) -> bool:
        sending, receiving = mix[router]
        if which == 0:
            sending = next(policy for policy in Sending if policy is not sending)
        else:
            receiving = next(policy for policy in Receiving if policy is not receiving)
        other = self.outcomes.get(((sending, receiving), mix[1]) if router == 0 else (mix[0], (sending, receiving)))
        return other is not None and other.hitless is not self.outcomes[mix].hitless


@dataclass(frozen=True, slots=True)
class ComingRollovers:
    """The coming rollovers of two chains from `at` on."""

    at: datetime
    until: datetime
    end: datetime
    """Where the prediction ends; a gap that lasts until then may last longer."""
    faults: Mapping[Mix, tuple[Gap, ...]]
    """By mix, the gaps that no coming rollover causes, such as one that exists at `at` already."""
    rollovers: tuple[PredictedRollover, ...]


def predict_rollovers(
    one: Keychain,
    other: Keychain,
    *,
    at: datetime,
    until: datetime | None = None,
    hold: Hold | None = BGP_HOLD,
    mixes: Sequence[Mix] = MIXES,
) -> ComingRollovers:
    """Return the coming rollovers of two chains that protect one session.

    Args:
        one: the first router's chain.
        other: the second router's.
        at: the instant to look from (aware).
        until: rollovers that begin later are left out; None: the last start-time.
        hold: the session's hold time, the lower one of both ends; None: it has none.
        mixes: the policies to predict with.
    """
    every = rollovers(one, other)
    latest = until or max((rollover.last for rollover in every), default=at)
    coming = [n for n, rollover in enumerate(every) if rollover.is_coming(at, latest)]
    begin, end = _span(every, coming, (one, other), at, hold)
    owners, bounds = _GapOwners(every), SkewBounds(one, other)
    faults: dict[Mix, tuple[Gap, ...]] = {}
    outcomes: dict[int, dict[Mix, Outcome]] = {n: {} for n in coming}
    for mix in mixes:
        (sends, receives), (sends_too, receives_too) = mix
        mine = Side(ROUTERS[0], one, sending=sends, receiving=receives)
        theirs = Side(ROUTERS[1], other, sending=sends_too, receiving=receives_too)
        found = predict(mine, theirs, begin, end, hold=hold.time if hold else None)
        gaps = owners.by_rollover(found)
        faults[mix] = tuple(gap for gap in gaps.get(None, ()) if gap.end > at and gap.begin <= latest)
        for n in coming:
            outcomes[n][mix] = _outcome(found, gaps.get(n, ()), every[n].first, owners.unmoved(found, n), hold)
    predicted = tuple(PredictedRollover(every[n], outcomes[n], bounds.of(every[n], mixes)) for n in coming)
    return ComingRollovers(at, latest, end, {mix: gaps for mix, gaps in faults.items() if gaps}, predicted)


def _span(
    every: Sequence[Rollover], coming: Sequence[int], chains: tuple[Keychain, Keychain], at: datetime, hold: Hold | None
) -> tuple[datetime, datetime]:
    """Return the begin and end of the prediction: it contains the rollover before `at` and the end of the last one."""
    before = [n for n, rollover in enumerate(every) if rollover.last <= at]
    begin = min([at, *(every[n].first - _MOMENT for n in (*before[-1:], *coming))])
    firsts = [keys[0].start for keys in map(in_order, chains) if keys and keys[0].start is not None]
    # Before both routers send there is no connection whose history could matter.
    begin = max([begin, *(first for first in firsts if first <= at)])
    last = max([at, *(every[n].last for n in coming)])
    tolerance = timedelta(seconds=min(max(chain.tolerance for chain in chains), _TOLERANCE_MAX))
    return begin, last + tolerance + (2 * hold.time if hold else timedelta()) + _MOMENT


class _GapOwners:
    """Finds the rollover, by its number, that causes a gap."""

    def __init__(self, every: Sequence[Rollover]) -> None:
        self._begins: dict[tuple[str, int | None], int] = {}
        self._ends: dict[tuple[str, int | None], int] = {}
        for n, rollover in enumerate(every):
            for name, part in zip(ROUTERS, rollover.parts, strict=True):
                if part is not None:
                    self._begins[name, part.key.id] = n
                    self._ends[name, part.before.id] = n

    def by_rollover(self, prediction: Prediction) -> dict[int | None, tuple[Gap, ...]]:
        """Return the gaps of each rollover; those that no rollover causes are under None."""
        found: dict[int | None, tuple[Gap, ...]] = {}
        for gap in prediction.gaps:
            flow = gap.flow
            if flow.drop is Drop.TOO_LATE:
                # The receiver has gone on to the next key.
                n = self._ends.get((flow.receiver, flow.received_as))
            else:
                n = self._begins.get((flow.sender, flow.key))
            found[n] = (*found.get(n, ()), gap)
        return found

    def unmoved(self, prediction: Prediction, n: int) -> tuple[Change, ...]:
        """Return the keys of a rollover that never took over."""
        return tuple(
            change
            for change in prediction.changes
            if change.done is None and self._begins.get((change.router, change.key)) == n
        )


def _outcome(
    prediction: Prediction, gaps: tuple[Gap, ...], first: datetime, unmoved: tuple[Change, ...], hold: Hold | None
) -> Outcome:
    others = (gap for gap in prediction.gaps if gap not in gaps)
    down_before = any(gap.begin < first <= gap.end for gap in others)
    fall = None if down_before or hold is None else _fall(gaps, prediction.downs, hold)
    return Outcome(gaps, unmoved, fall, down_before)


def _fall(gaps: Sequence[Gap], downs: Sequence[datetime], hold: Hold) -> Fall | None:
    """Return when the session first goes down because of the gaps. Each router runs its own hold timer."""
    silences: dict[tuple[str, datetime], datetime] = {}
    for gap in gaps:
        joined = next((key for key, end in silences.items() if key[0] == gap.flow.sender and end == gap.begin), None)
        silences[joined or (gap.flow.sender, gap.begin)] = gap.end
    falls = [
        Fall(begin + hold.time - hold.keepalive, begin + hold.time, begin + hold.time in downs)
        for (_, begin), end in silences.items()
        if end > begin + hold.time - hold.keepalive
    ]
    certain = [fall.latest for fall in falls if fall.certain]
    if not falls:
        return None
    latest = min(certain or [fall.latest for fall in falls])
    return Fall(min(fall.earliest for fall in falls), latest, bool(certain))
