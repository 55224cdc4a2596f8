"""Plans for a leaked secret: the quickest hitless removal of its key, and until when routers accept the key.

Under `tolerance` a router accepts the leaked key until its successor's start-time plus tolerance; under `any` until its
deletion is committed, and on an open connection perhaps until that ends (assumption K15).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from keyroll.keychain.model import Key
from keyroll.names import Receiving
from keyroll.plan.build import (
    State,
    ceil_minute,
    check_limits,
    duration_of,
    hours_that_occur_twice,
    router_changes,
    start_of,
)
from keyroll.plan.model import Change, Plan, PlanRefusedError, Request
from keyroll.plan.notes import Accepted
from keyroll.plan.verify import verify

_MOMENT = timedelta(seconds=1)
"""Added to the start-time on the slower clock: only after it can both routers be seen to send with the new key."""


def emergency(request: Request, number: int) -> Plan:
    """Return the quickest hitless plan after the secret of a key (its number on the first router) has leaked.

    Raises:
        PlanRefusedError: the key does not exist, no key has started, or no plan is hitless: because a router cannot be
            reached, or because the leaked key takes over before the commits can be complete.
    """
    check_limits(request)
    state = State.of(request)
    leaked = request.routers[0].chain.key(number)
    if leaked is None:
        raise PlanRefusedError(
            f"{request.routers[0].name} has no key {number}",
            remedy=f"it has: {', '.join(str(key.id) for key in request.routers[0].chain.keys)}",
        )
    started = [key for key in state.keys if start_of(key) <= request.at]
    if not started:
        raise PlanRefusedError(
            "no key has started yet, so none is active", remedy="replace the chain before it is in use"
        )
    if start_of(leaked) > request.at:
        changes = _replaced(request, state, leaked)
    elif leaked is started[-1]:
        changes = _active(request, state, leaked)
    else:
        # A key that has just taken over may not have done so on the clock that is behind.
        moment = max(request.at, start_of(started[-1]) + 2 * request.skew + _MOMENT)
        changes = [_deleted(request, state, leaked, ceil_minute(moment))]
    verify(changes, request, dict(zip((router.name for router in request.routers), state.agreed.mirrored, strict=True)))
    notes = (*request.notes, *_acceptance(request, leaked, changes), *hours_that_occur_twice(changes))
    return Plan(tuple(changes), dict(state.chains), tuple(state.retired), notes)


def _active(request: Request, state: State, leaked: Key) -> list[Change]:
    """Let a new key, or the chain's next one, take over as soon as the commits allow; then delete the leaked key."""
    waiting = [start_of(key) for key in state.keys if start_of(key) > request.at]
    soonest = ceil_minute(ceil_minute(request.at) + duration_of(request) + request.skew)
    away = [router.name for router in request.routers if not router.reachable]
    if away and not waiting:
        raise PlanRefusedError(
            f"no plan is hitless: {away[0]} cannot be reached, and has no later key that could take over",
            remedy=f"reach {away[0]}, or accept that the session ends",
        )
    changes = []
    if away or (waiting and waiting[0] <= soonest):
        takeover = waiting[0]
    else:
        takeover = soonest
        before = dict(state.chains)
        now = ceil_minute(request.at)
        state.add(takeover, now, set())
        parts = router_changes(request, before, state)
        changes.append(Change(now, now, takeover - request.skew, (takeover,), parts))
    moved = ceil_minute(takeover + 2 * request.skew + _MOMENT)
    changes.append(_deleted(request, state, leaked, moved))
    return changes


def _replaced(request: Request, state: State, leaked: Key) -> list[Change]:
    """Replace a leaked key that has not started."""
    _reach_all(request)
    start = max(start_of(leaked), ceil_minute(ceil_minute(request.at) + duration_of(request) + request.skew))
    before = dict(state.chains)
    now = ceil_minute(request.at)
    for router in request.routers:
        for key in router.chain.keys:
            if start_of(key) == start_of(leaked):
                state.retire(router, key, now)
    state.add(start, now, {start_of(leaked)})
    # A router that is not changed by then would start to send with the leaked key.
    latest = start_of(leaked) - request.skew
    if latest < now + duration_of(request):
        raise PlanRefusedError(
            f"the leaked key takes over at {start_of(leaked).isoformat()}, before all routers can be changed",
            remedy="let it take over and run this command again, when it is the active key; or use a shorter --pause "
            "and --commit-time",
        )
    return [Change(now, now, latest, (start,), router_changes(request, before, state))]


def _deleted(request: Request, state: State, leaked: Key, moment: datetime) -> Change:
    _reach_all(request)
    before = dict(state.chains)
    for router in request.routers:
        for key in before[router.name].keys:
            if start_of(key) == start_of(leaked):
                state.retire(router, key, moment)
    state.remove({start_of(leaked)})
    parts = router_changes(request, before, state)
    look = (
        "a capture judged by `keyroll verify` shows that each router sends with a later key: to delete the key that is "
        "sent would drop segments"
    )
    return Change(moment, moment, None, (), parts, (look,))


def _reach_all(request: Request) -> None:
    away = [router.name for router in request.routers if not router.reachable]
    if away:
        raise PlanRefusedError(
            f"no plan is hitless: {away[0]} cannot be reached, and its key cannot be changed",
            remedy=f"reach {away[0]} first",
        )


def _acceptance(request: Request, leaked: Key, changes: list[Change]) -> Iterator[Accepted]:
    """Yield until when each router accepts a segment signed with the leaked key, under each policy, at the latest."""
    # The last change deletes the key; on the last router it is complete this much later.
    deleted = changes[-1].planned + duration_of(request)
    for router in request.routers:
        number = next(key.id for key in router.chain.keys if start_of(key) == start_of(leaked))
        starts = sorted(start_of(key) for change in changes for part in change.routers for key in part.after.keys)
        later = next((start for start in starts if start > start_of(leaked)), None)
        gated = None if later is None else later + timedelta(seconds=router.chain.tolerance)
        ends_sooner = gated is not None and gated < deleted
        yield Accepted(
            router.name,
            number,
            Receiving.TOLERANCE,
            gated if gated is not None and ends_sooner else deleted,
            deletion=not ends_sooner,
        )
        yield Accepted(router.name, number, Receiving.ANY, deleted, deletion=True)
