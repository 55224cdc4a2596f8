"""Plays the steps that expect something: poll until all conditions hold, or for as long as they must hold."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from keyroll.durations import format_duration
from keyroll.instants import Instant, until
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
        run.waits_until(end, "the conditions must keep holding")
        broken = until(run.clock, breaks, deadline=end, poll=run.waits.watch) or {}
    held = Finding(holds=True, observed=f"held for {format_duration(step.duration)}")
    for index, condition in enumerate(conditions):
        _judged(run, condition, broken.get(index, held))


def await_wire(run: Run, conditions: list[Condition], done: Callable[[], bool]) -> None:
    """Make the routers send data until `done` returns true, or the deadline for the wire has passed."""
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
    """Return how long a condition may take. If a session was down, data on the wire must wait until it is up."""
    own = condition.deadline(run.waits)
    waits_for_session = run.kept(Watch).any_down and condition.source is Source.WIRE
    return max(own, run.waits.session_up) if waits_for_session else own


def _await(step: Expectation, run: Run, deadline: Callable[[Condition], timedelta]) -> None:
    watch, conditions = run.kept(Watch), conditions_of(step, run.named)
    pending = list(conditions)

    def all_judged() -> bool:
        # In this order, so that a condition is given up only on a view that was taken after its deadline.
        waited, view = run.since_done(), watch.look(pending)
        for condition in list(pending):
            finding = condition.judge(view)
            if finding.holds or waited >= deadline(condition):
                _judged(run, condition, finding)
                pending.remove(condition)
        if pending:
            watch.provoke(pending)
        return not pending

    last = Instant(run.moment.span.done) + max(map(deadline, conditions), default=timedelta())
    run.waits_until(last, "all conditions must hold")
    with run.record.part(_PART, waiting=True):
        until(run.clock, all_judged, deadline=last, poll=run.waits.poll)
        while pending:  # a deadline is later once a session was seen down: nothing may be left unjudged
            last = Instant(run.moment.span.done) + max(map(deadline, pending))
            until(run.clock, all_judged, deadline=last, poll=run.waits.poll)
        if any(isinstance(one, SessionState) and one.expects_up for one in conditions):
            # After a red check nothing more is awaited: sessions count as up only if they are up now.
            watch.await_up(timedelta() if run.record.red else run.waits.session_up)


def _judged(run: Run, condition: Condition, finding: Finding) -> None:
    keys = {} if finding.holds else run.kept(Watch).keys()
    run.found(condition, finding, event=run.moment.text, after=run.since_done(), keys=keys)
