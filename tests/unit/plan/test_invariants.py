"""What is true of every plan, whatever the chain, the dates and the options."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.unit.known import known

from keyroll.keychain.generate import Ids
from keyroll.keychain.schedule import send_key
from keyroll.plan.build import plan, start_of
from keyroll.plan.model import Plan, PlanRefusedError, Request, Router

from .chains import AT, DAY, chain, key, pair, request_of

PLANS = 40 if known(settings.default).max_examples < 1000 else 10_000
"""How many plans to judge: 40, or 10,000 with `make soak`'s profile of a thousand examples."""


@st.composite
def requests(draw: st.DrawFn) -> Request:
    count = draw(st.integers(1, 4))
    equal = draw(st.booleans())
    first = draw(st.integers(0, 255))
    every = draw(st.sampled_from([timedelta(hours=3), DAY, 30 * DAY, 90 * DAY]))
    newest = AT + timedelta(seconds=draw(st.integers(-200 * 86400, 100 * 86400)))
    # The first key has started: a chain without an active key is refused.
    newest = min(newest, AT - timedelta(seconds=1) + (count - 1) * every)
    keys = []
    for place in range(count):
        low = (first + 2 * place) % 256
        ids = (low, low) if equal else (low, (low + 1) % 256)
        keys.append(key((first + place) % 64, newest - (count - 1 - place) * every, *ids))
    return request_of(
        pair(chain(*keys, tolerance=draw(st.sampled_from([2, 60, 600, 3600])))),
        every=every,
        until=AT + draw(st.integers(1, 4)) * every,
        ahead=draw(st.integers(1, 4)),
        quarantine=draw(st.sampled_from([timedelta(), DAY, 200 * DAY])),
        ids=draw(st.sampled_from([None, Ids.REVERSED, Ids.EQUAL])),
        lead=draw(st.sampled_from([timedelta(), DAY, 7 * DAY])),
        skew=draw(st.sampled_from([timedelta(), timedelta(seconds=1)])),
    )


def made(request: Request) -> Plan:
    """Return the plan; if it is refused, one without changes."""
    try:
        return plan(request)
    except PlanRefusedError:
        return Plan((), {})


def every_state_holds_what_a_chain_must_hold(found: Plan) -> None:
    for change in found.changes:
        for part in change.routers:
            ids = [value for key in part.after.keys for value in {key.send_id, key.recv_id}]
            assert len(set(ids)) == len(ids), "no id twice"
            assert len(part.after.keys) <= 64
            active = send_key(part.before, change.planned)
            if active is not None:
                assert active in part.after.keys, "the active key and its ids are never touched"


def changes_follow_each_other_and_are_done_in_time(request: Request, found: Plan) -> None:
    for change in found.changes:
        assert request.at <= change.earliest <= change.planned
        assert change.latest is None or change.planned < change.latest
    for before, after in itertools.pairwise(found.changes):
        assert before.planned <= after.planned
        assert all(one.after == other.before for one, other in zip(before.routers, after.routers, strict=True))


def quarantine_is_kept(request: Request, found: Plan) -> None:
    gone: dict[tuple[str, int | None], list[datetime]] = {}
    for change in found.changes:
        for part in change.routers:
            name = part.router.name
            for added in part.added:
                for value in (added.send_id, added.recv_id):
                    assert all(change.planned - at >= request.quarantine for at in gone.get((name, value), []))
            for deleted in part.deleted:
                for value in {deleted.send_id, deleted.recv_id}:
                    gone.setdefault((name, value), []).append(change.planned)


def keys_take_over_at_the_interval_until_the_end(request: Request, found: Plan) -> None:
    starts = [start for change in found.changes for start in change.takeovers]
    assert all(later - earlier == request.every for earlier, later in itertools.pairwise(starts))
    if found.changes:
        last = max(start_of(key) for key in found.chains["R1"].keys)
        assert last > request.until - request.every, "the chain lasts until the end"


def planning_again_after_applying_gives_an_empty_plan(request: Request, found: Plan) -> None:
    if found.changes:
        held = tuple(Router(name, chain) for name, chain in found.chains.items())
        again = replace(request, routers=held, at=found.changes[-1].planned, history=found.retired)
        assert plan(again).changes == ()


@settings(max_examples=PLANS, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(requests())
def test_every_plan_keeps_its_invariants(request: Request) -> None:
    found = made(request)
    every_state_holds_what_a_chain_must_hold(found)
    changes_follow_each_other_and_are_done_in_time(request, found)
    quarantine_is_kept(request, found)
    keys_take_over_at_the_interval_until_the_end(request, found)
    planning_again_after_applying_gives_an_empty_plan(request, found)


@pytest.mark.parametrize("mode", [Ids.REVERSED, pytest.param(Ids.EQUAL, marks=pytest.mark.slow)])
def test_ids_are_reused_only_after_all_were_used(mode: Ids) -> None:
    """Reversed ids take two ids per key, so there are 128 pairs; equal ids take one, so there are 256."""
    held = chain(key(0, AT - DAY, 0, 0 if mode is Ids.EQUAL else 1))
    count = {Ids.REVERSED: 128, Ids.EQUAL: 256}[mode]
    found = plan(request_of(pair(held), every=DAY, until=AT + (count - 1) * DAY, lead=timedelta(hours=3), ids=mode))
    used = [(one.send_id, one.recv_id) for change in found.changes for one in change.routers[0].added]
    first = held.keys[0].send_id, held.keys[0].recv_id
    assert len(used) == count - 1
    assert len({first, *used}) == count
