"""Plays the steps that expect something: looks until all of it holds, or looks for as long as it must hold."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from keyroll.instants import Instant, until
from keyroll.scenario.file.durations import format_duration
from keyroll.scenario.file.expectations import Expect, Expectation, ExpectWithin, Stays
from keyroll.scenario.judge.conditions import Condition, SessionState, Source, conditions_of
from keyroll.scenario.judge.findings import Finding
from keyroll.scenario.play.context import Run, play
from keyroll.scenario.play.watch import Watch

_PART = "waiting for sessions and the wire"


@play.register
def _(step: Expect, run: Run) -> None:
    _await(step, run, lambda condition: _deadline(condition, run))


@play.register
def _(step: ExpectWithin, run: Run) -> None:
    _await(step, run, lambda _: step.within)


@play.register
def _(step: Stays, run: Run) -> None:
    watch, conditions = run.kept(Watch), conditions_of(step, run.named)
    asked = run.now()
    for router in {condition.router for condition in conditions if condition.source is Source.SAMPLES}:
        run.samples.await_fresh(router, asked, within=run.waits.shown)

    def breaks() -> dict[int, Finding] | None:
        view = watch.look(conditions)
        findings = ((index, condition.judge(view)) for index, condition in enumerate(conditions))
        return {index: finding for index, finding in findings if not finding.holds} or None

    with run.record.part(_PART, waiting=True):
        end = run.clock.now() + step.duration
        run.waits_until(end, "it must stay so")
        broken = until(run.clock, breaks, deadline=end, poll=run.waits.watch) or {}
    held = Finding(holds=True, observed=f"held for {format_duration(step.duration)}")
    for index, condition in enumerate(conditions):
        _judged(run, condition, broken.get(index, held))


def await_wire(run: Run, conditions: list[Condition], done: Callable[[], bool]) -> None:
    """Have data sent on the wire until `done`, or until the conditions' deadline has passed."""
    if not conditions:
        return

    def sent() -> bool:
        run.wire.pump()
        if done():
            return True
        run.kept(Watch).provoke(conditions)
        return False

    deadline = Instant(run.moment.span.done) + run.waits.wire
    run.waits_until(deadline, "data with the new key must be acknowledged")
    with run.record.part(_PART, waiting=True):
        until(run.clock, sent, deadline=deadline, poll=run.waits.poll, check=run.routers.check)


def _deadline(condition: Condition, run: Run) -> timedelta:
    """Return how long a condition may take; the wire of a session that was down has to wait for it to come up."""
    own = condition.deadline(run.waits)
    waits_for_session = run.kept(Watch).fallen and condition.source is Source.WIRE
    return max(own, run.waits.session_up) if waits_for_session else own


def _await(step: Expectation, run: Run, deadline: Callable[[Condition], timedelta]) -> None:
    watch, conditions = run.kept(Watch), conditions_of(step, run.named)
    pending = list(conditions)

    def all_judged() -> bool:
        waited, view = run.since_done(), watch.look(pending)  # in this order: the last look begins after the deadline
        for condition in list(pending):
            finding = condition.judge(view)
            if finding.holds or waited >= deadline(condition):
                _judged(run, condition, finding)
                pending.remove(condition)
        if pending:
            watch.provoke(pending)
        return not pending

    last = Instant(run.moment.span.done) + max(map(deadline, conditions), default=timedelta())
    run.waits_until(last, "all of it must hold")
    with run.record.part(_PART, waiting=True):
        until(run.clock, all_judged, deadline=last, poll=run.waits.poll)
        if any(isinstance(one, SessionState) and one.expects_up for one in conditions):
            # Where a check is red already, nothing more is waited for; but what is up is not called down.
            watch.await_up(timedelta() if run.record.red else run.waits.session_up)


def _judged(run: Run, condition: Condition, finding: Finding) -> None:
    keys = {} if finding.holds else run.kept(Watch).keys()
    run.found(condition, finding, event=run.moment.text, after=run.since_done(), keys=keys)
