"""The set files of a plan, played on one connection: the lab shows what the plan predicts."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from keyroll.durations import format_duration
from keyroll.keychain.generate import draw_secret
from keyroll.keychain.model import Key, Keychain
from keyroll.names import Algorithm, Receiving
from keyroll.plan.build import plan, start_of
from keyroll.plan.emergency import emergency
from keyroll.plan.files import set_text
from keyroll.plan.model import Change, Request, Router, RouterChange
from keyroll.plan.notes import Accepted
from keyroll.scenario.record.result import Result, Verdict

pytestmark = pytest.mark.lab

T0 = datetime(2030, 1, 1, tzinfo=UTC)
QUARTER = timedelta(days=90)
AES = Algorithm.AES_128_CMAC_96


def planned(quarters: int) -> tuple[Keychain, tuple[Change, ...]]:
    """Plan that number of quarters for a chain of one key. Its ids are 251 and 252, so that they soon start again."""
    first = Key(
        7,
        draw_secret(1, "first"),
        T0 - QUARTER / 2,
        "ao",
        251,
        252,
        tcp_ao_option=True,
        algorithm=AES,
    )
    chain = Keychain("new_auth_key", (first,))
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
        yield f"  - advance: {{to: {format_duration(change.planned - T0)}}}"
        for part in change.routers if number % 2 else reversed(change.routers):
            yield from typed(part)
        # No `wire` here: it is judged throughout, and the wait for the next keepalive would add a third of the time.
        yield f"  - expect: {{bgp: Established, ldp: Operational, active: {active}}}"
        active = mine.added[-1].id
        # The clocks are set one after the other: the last advance is shorter than the tolerance.
        for ago in (timedelta(minutes=30), timedelta()):
            yield f"  - advance: {{to: {format_duration(change.takeovers[-1] - T0 - ago)}}}"
        yield f"  - expect: {{bgp: Established, ldp: Operational, active: {active}, wire: {active}}}"


def typed(part: RouterChange) -> Iterator[str]:
    """Yield a step that types a router's set file."""
    yield f"  - cli:\n      routers: {part.router.name}\n      configure:"
    yield from (f"        - {json.dumps(line)}" for line in set_text(part).splitlines())


def flow(key: Key) -> str:
    start = format_duration(start_of(key) - T0)
    return f"{{id: {key.id}, start: {start}, send: {key.send_id}, recv: {key.recv_id}, algorithm: {key.algorithm}}}"


@pytest.mark.parametrize("quarters", [2, *(pytest.param(number, marks=pytest.mark.slow) for number in (4, 20))])
def test_planned_rollovers_are_hitless_with_the_commits_of_each_change_date(
    run_scenario: Callable[..., Result], tmp_path: Path, quarters: int
) -> None:
    chain, changes = planned(quarters)
    assert len(changes) == quarters
    path = tmp_path / "plan.yaml"
    path.write_text("\n".join(scenario(chain, changes)) + "\n")
    result = run_scenario(path)
    assert result.verdict is Verdict.PASSED, result.reason or [check.sentence() for check in result.red]
    assert {check.name for check in result.checks} >= {"no-flap", "every-segment-verified", "rollover-completes"}


LEAKED = 7


def leaked(tolerance: int) -> tuple[Keychain, tuple[Change, ...], dict[tuple[str, Receiving], Accepted]]:
    """Plan the replacement of a leaked key, the only one of its chain.

    Return the chain, the changes, and until when each router accepts the leaked key, by router and receiving policy.
    """
    first = Key(LEAKED, draw_secret(1, "first"), T0 - QUARTER / 2, "ao", 1, 2, tcp_ao_option=True, algorithm=AES)
    chain = Keychain("new_auth_key", (first,), tolerance)
    seconds = timedelta(seconds=5)
    request = Request(
        (Router("R1", chain), Router("R2", chain.mirrored())),
        at=T0,
        until=T0,
        every=QUARTER,
        draw=lambda label: draw_secret(1, label),
        pause=seconds,
        commit=seconds,
    )
    found = emergency(request, LEAKED)
    said = {(note.router, note.receiving): note for note in found.notes if isinstance(note, Accepted)}
    return chain, found.changes, said


def replay(router: str, expected: str) -> str:
    """Return steps that replay to a router what its peer signed with the leaked key, and expect a result."""
    return f"""\
  - inject: {{kind: replay, towards: {router}, key: {LEAKED}, count: 3}}
  - {expected}"""


def accepted(router: str) -> str:
    return replay(router, f"stays: {{for: 1s, bgp: Established, flaps: 0, drops: {{{router}: {{any: 0}}}}}}")


def dropped(router: str, reason: str) -> str:
    return replay(router, f"expect: {{bgp: Established, flaps: 0, drops: {{{router}: {{{reason}: 3}}}}}}")


def advance(moment: datetime) -> str:
    return f"  - advance: {{to: {format_duration(moment - T0)}}}"


MARGIN = timedelta(seconds=25)
"""Time before the end of a window in which a step must be done, also on a busy machine."""


def leak_scenario(tolerance: int) -> Iterator[str]:
    """Yield a scenario in which R1 receives by `tolerance` and R2 by `any`; it expects what the plan says of each."""
    chain, (added, deleted), said = leaked(tolerance)
    (only,) = chain.keys
    yield "keyroll: 1\nid: leak\ntitle: A leaked key, out of use when the plan says"
    yield "requires: [inject, set-clock]"
    yield "policy: {R1: {sending: rnext, receiving: tolerance}, R2: {sending: clock, receiving: any}}"
    yield f"keychain:\n  tolerance: {tolerance}\n  keys:\n    - {flow(only)}"
    yield "steps:\n  - apply: {routers: [R1, R2]}\n  - expect: {bgp: Established, active: 7, wire: 7}"
    for part in added.routers:
        yield from typed(part)
    successor = added.routers[0].added[0].id
    # The clocks are set one after the other: the last hop is shorter than the tolerance.
    yield advance(added.takeovers[0] - timedelta(seconds=15))
    yield advance(added.takeovers[0])
    yield f"  - expect: {{active: {successor}, wire: {successor}}}"
    gate = said["R1", Receiving.TOLERANCE]
    if not gate.deletion:
        yield advance(gate.until - MARGIN)
        yield accepted("R1")
        yield advance(gate.until)
        yield dropped("R1", "not-acceptable-now")
    yield advance(deleted.planned)
    yield accepted("R2")
    if gate.deletion:
        yield accepted("R1")
    for part in deleted.routers:
        yield from typed(part)
        yield dropped(part.router.name, "unknown-keyid")
    yield f"  - expect: {{bgp: Established, flaps: 0, active: {successor}, wire: {successor}}}"


@pytest.mark.slow
@pytest.mark.parametrize(("tolerance", "by_deletion"), [(3600, True), (40, False)])
def test_a_leaked_key_is_accepted_on_an_open_connection_until_the_planned_instant(
    run_scenario: Callable[..., Result], tmp_path: Path, tolerance: int, by_deletion: bool
) -> None:
    said = leaked(tolerance)[2]
    assert said["R1", Receiving.TOLERANCE].deletion is by_deletion
    assert said["R2", Receiving.ANY].deletion
    path = tmp_path / "leak.yaml"
    path.write_text("\n".join(leak_scenario(tolerance)) + "\n")
    result = run_scenario(path)
    assert result.verdict is Verdict.PASSED, result.reason or [check.sentence() for check in result.red]
