"""Every state that a plan passes through, predicted under every mix of policies: a plan is hitless or it is refused."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from keyroll.check.rollovers import rollovers
from keyroll.check.skew import SkewBounds, covers
from keyroll.keychain.model import Keychain
from keyroll.keychain.prediction import Clock, Side, mixes, predict
from keyroll.plan.agree import assumed
from keyroll.plan.model import Change, PlanRefusedError, Request, RouterChange

_MICROSECOND = timedelta(microseconds=1)


def verify(changes: Sequence[Change], request: Request, mirrored: Mapping[str, bool]) -> None:
    """Judge each change: one router changed and the other not, either order, until the latest; then both changed.

    Raises:
        PlanRefusedError: a state is not hitless under some mix.
    """
    for position, change in enumerate(changes):
        following = changes[position + 1].earliest if position + 1 < len(changes) else None
        for one, other in itertools.combinations(change.routers, 2):
            if not _have_a_session(one, other, mirrored):
                continue
            names = one.router.name, other.router.name
            before = tuple(_assumed(part.before, part.router.name, mirrored) for part in (one, other))
            after = tuple(_assumed(part.after, part.router.name, mirrored) for part in (one, other))
            if all(chain.keys for chain in before):
                end = change.latest or change.planned + request.pause + request.commit
                _between(names, (after[0], before[1]), change.earliest, end, request.skew)
                _between(names, (before[0], after[1]), change.earliest, end, request.skew)
            _afterwards(names, (after[0], after[1]), change.earliest, following, request.skew)


def _have_a_session(one: RouterChange, other: RouterChange, mirrored: Mapping[str, bool]) -> bool:
    """Say whether two routers can talk: one has the ids of the other reversed, or all ids are equal."""
    if mirrored[one.router.name] != mirrored[other.router.name]:
        return True
    return all(key.send_id == key.recv_id for key in one.after.keys)


def _assumed(chain: Keychain, name: str, mirrored: Mapping[str, bool]) -> Keychain:
    return assumed(chain, mirrored=mirrored[name])


def _between(
    names: tuple[str, str], chains: tuple[Keychain, Keychain], begin: datetime, end: datetime, skew: timedelta
) -> None:
    """Judge two chains that differ, while nothing else changes; a key may be due only after `end`."""
    if end <= begin:
        return
    # What happens at both ends of the skews happens between them: no event of either router lies in the stretch.
    for offset in sorted({-skew, skew}):
        one = Side(names[0], chains[0])
        other = Side(names[1], chains[1], Clock(offset))
        for left, right in mixes(one, other):
            found = predict(left, right, begin, end, hold=None)
            if not all(span.through for span in found.spans):
                gap = found.gaps[0]
                raise PlanRefusedError(
                    f"while only one of {names[0]} and {names[1]} is changed, segments from {gap.flow.sender} would be "
                    f"dropped at {gap.begin.isoformat()} (policies {_policies(left, right)})",
                    remedy="a wider tolerance, or a longer interval between keys",
                )


def _afterwards(
    names: tuple[str, str],
    chains: tuple[Keychain, Keychain],
    begin: datetime,
    end: datetime | None,
    skew: timedelta,
) -> None:
    """Judge the rollovers to come until the next change, at every skew up to the assumed one."""
    bounds = SkewBounds(*chains)
    for rollover in rollovers(*chains):
        if rollover.last < begin or (end is not None and rollover.first >= end):
            continue
        for mix, skews in bounds.of(rollover).items():
            if not covers(skews, skew // _MICROSECOND):
                raise PlanRefusedError(
                    f"the rollover of {rollover.first.isoformat()} between {names[0]} and {names[1]} is not hitless "
                    f"with clocks {skew.total_seconds():g} s apart (policies "
                    f"{', '.join(f'{name} {sending.value}/{receiving.value}' for name, (sending, receiving) in zip(names, mix, strict=True))})",  # noqa: E501 - one sentence
                    remedy="a wider tolerance, or clocks that are closer together (--skew)",
                )


def _policies(left: Side, right: Side) -> str:
    return ", ".join(f"{side.name} {side.sending.value}/{side.receiving.value}" for side in (left, right))
