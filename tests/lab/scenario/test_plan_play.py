"""Quarters of a plan, played on one connection with the commits of each date: what the plan promises, the lab shows."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from keyroll.keychain.generate import draw_secret
from keyroll.keychain.model import Key, Keychain
from keyroll.names import Algorithm
from keyroll.plan.build import plan, start_of
from keyroll.plan.model import Change, Request, Router
from keyroll.scenario.file.durations import format_duration
from keyroll.scenario.record.result import Verdict

pytestmark = pytest.mark.lab

T0 = datetime(2030, 1, 1, tzinfo=UTC)
QUARTER = timedelta(days=90)


def planned(quarters: int) -> tuple[Keychain, tuple[Change, ...]]:
    """Plan so many quarters from a chain of one key with the ids 251 and 252, so that ids go round soon."""
    first = Key(
        7,
        draw_secret(1, "first"),
        T0 - QUARTER / 2,
        "ao",
        251,
        252,
        tcp_ao_option=True,
        algorithm=Algorithm.AES_128_CMAC_96,
    )
    chain = Keychain("kc", (first,))
    request = Request(
        (Router("R1", chain), Router("R2", chain.mirrored())),
        at=T0,
        until=T0 + quarters * QUARTER,
        every=QUARTER,
        draw=lambda label: draw_secret(1, label),
        algorithms=((T0 + 2 * QUARTER, Algorithm.HMAC_SHA_1_96),),
    )
    return chain, plan(request).changes


def scenario(chain: Keychain, changes: tuple[Change, ...]) -> Iterator[str]:
    yield "keyroll: 1\nid: plan\ntitle: Quarters of a plan on one connection\nsessions: [bgp, ldp]\nkeychain:\n  keys:"
    yield from (f"    - {flow(key)}" for key in chain.keys)
    yield "steps:\n  - apply: {routers: [R1, R2]}\n  - expect: {bgp: Established, ldp: Operational, active: 7, wire: 7}"
    active = 7
    for number, change in enumerate(changes):
        (mine, _) = change.routers
        order = "[R1, R2]" if number % 2 else "[R2, R1]"
        added = ", ".join(flow(key) for key in mine.added)
        gone = ", ".join(str(key.id) for key in mine.deleted)
        yield f"  - advance: {{to: {format_duration(change.planned - T0)}}}"
        yield f"  - change-chain: {{routers: {order}, pause: 0s, delete: [{gone}], add: [{added}]}}"
        # What is on the wire is judged throughout; to wait for the next keepalive here would add a third to the play.
        yield f"  - expect: {{bgp: Established, ldp: Operational, active: {active}}}"
        active = mine.added[-1].id
        # The clocks are set one after the other: the last hop is shorter than the tolerance.
        for ago in (timedelta(minutes=30), timedelta()):
            yield f"  - advance: {{to: {format_duration(change.takeovers[-1] - T0 - ago)}}}"
        yield f"  - expect: {{bgp: Established, ldp: Operational, active: {active}, wire: {active}}}"


def flow(key: Key) -> str:
    start = format_duration(start_of(key) - T0)
    return f"{{id: {key.id}, start: {start}, send: {key.send_id}, recv: {key.recv_id}, algorithm: {key.algorithm}}}"


@pytest.mark.parametrize("quarters", [4, pytest.param(20, marks=pytest.mark.slow)])
def test_quarters_of_a_plan_are_hitless_with_the_commits_of_each_date(run_scenario, tmp_path, quarters):
    chain, changes = planned(quarters)
    assert len(changes) == quarters
    path = tmp_path / "plan.yaml"
    path.write_text("\n".join(scenario(chain, changes)) + "\n")
    result = run_scenario(path)
    assert result.verdict is Verdict.PASSED, result.reason or [check.sentence() for check in result.red]
    assert {check.name for check in result.checks} >= {"no-flap", "every-segment-verified", "rollover-completes"}
