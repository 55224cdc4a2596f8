"""Finds options that work when a plan was refused: other values are tried, one option at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import timedelta
from math import ceil

from keyroll.keychain.generate import Ids
from keyroll.keychain.secret import Secret
from keyroll.plan.model import PlanRefusedError, Request, as_option

_AHEAD_MAX = 60
"""The option's own limit: a chain holds 64 keys, and some of them are active or retired."""
_MINUTE = timedelta(minutes=1)
_BUILT = 300
"""Keys of a plan that is tried: by then every id (256) has been used, and what has worked so far continues to work."""
_JUDGED = 8
"""Keys whose states are judged in a try: after a few, the rollovers of a plan repeat."""
_NAMED = 2
"""Remedies that are named: two give a choice, and more would be hard to read."""


def nearest(request: Request, build: Callable[[Request], object], judge: Callable[[Request], object]) -> str | None:
    """Return the options with which the plan works, in words; None if changing one of them is not enough.

    Args:
        request: the refused request.
        build: makes the changes, or raises PlanRefusedError.
        judge: makes the changes and judges every state, or raises PlanRefusedError. It takes ten times as long.
    """
    # A plan that is only tried gets made-up secrets: otherwise each try would take more from --secret-command.
    tried = replace(request, draw=lambda label: Secret(f"tried {label}"))

    def is_planned(candidate: Request) -> bool:
        try:
            build(_shorter(candidate, _BUILT))
            judge(_shorter(candidate, _JUDGED))
        except PlanRefusedError:
            return False
        return True

    ways = (_more_ahead(tried), _fewer_ahead(tried), _less_often(tried), _equal_ids(tried))
    found = [words for way in ways if (words := _first(way, is_planned)) is not None]
    quarantine = _longest_quarantine(tried, is_planned)
    if quarantine is not None:
        found.append(quarantine)
    return " or ".join(found[:_NAMED]) or None


def _shorter(request: Request, keys: int) -> Request:
    """Return the request, ended after this number of keys at the latest."""
    return replace(request, until=min(request.until, request.at + keys * request.every))


def _first(way: Iterable[tuple[str, Request]], is_planned: Callable[[Request], bool]) -> str | None:
    return next((words for words, candidate in way if is_planned(candidate)), None)


def _needed(request: Request) -> timedelta:
    """Return the least time between two takeovers: the first must be complete, and then all routers be committed."""
    routers = len(request.routers)
    commits = routers * request.commit + (routers - 1) * request.pause
    tolerance = max(router.chain.tolerance for router in request.routers)
    # In minutes, because people type minutes and a change begins at a whole one.
    return timedelta(seconds=tolerance) + 2 * request.skew + commits + _MINUTE


def _more_ahead(request: Request) -> Iterator[tuple[str, Request]]:
    least = max(request.ahead + 1, ceil(_needed(request) / request.every))
    for ahead in range(least, min(least + 2, _AHEAD_MAX + 1)):
        yield f"--ahead {ahead}", replace(request, ahead=ahead)


def _fewer_ahead(request: Request) -> Iterator[tuple[str, Request]]:
    for ahead in range(request.ahead - 1, 0, -1):
        yield f"--ahead {ahead}", replace(request, ahead=ahead)


def _less_often(request: Request) -> Iterator[tuple[str, Request]]:
    every = ceil(_needed(request) / _MINUTE) * _MINUTE
    if every > request.every:
        yield f"--every {as_option(every)}", replace(request, every=every)


def _equal_ids(request: Request) -> Iterator[tuple[str, Request]]:
    if request.ids is not Ids.EQUAL:
        yield "--ids equal", replace(request, ids=Ids.EQUAL)


def _longest_quarantine(request: Request, is_planned: Callable[[Request], bool]) -> str | None:
    """Return the longest quarantine that works, or None. Bisection finds it to a day.

    It is found to a minute if the quarantine of the request is two days or less.
    """
    low, high = timedelta(), request.quarantine
    unit = timedelta(days=1) if high > timedelta(days=2) else _MINUTE
    if not high or not is_planned(replace(request, quarantine=low)):
        return None
    while high - low > unit:
        middle = low + ceil((high - low) / unit / 2) * unit
        if is_planned(replace(request, quarantine=middle)):
            low = middle
        else:
            high = max(low, middle - unit)
    return f"--quarantine {as_option(low)}"
