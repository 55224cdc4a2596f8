"""Plays the steps that expect something: looks until all of it holds, or looks for as long as it must hold."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

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
    watch, conditions = run.kept(Watch), conditions_of(step)
    asked = run.now()
    for router in {condition.router for condition in conditions if condition.source is Source.SAMPLES}:
        run.samples.await_fresh(router, asked, within=run.waits.shown)
    broken: dict[int, Finding] = {}
    with run.record.part(_PART, waiting=True):
        end = run.clock.now() + step.duration
        while True:
            view = watch.look(conditions)
            findings = ((index, condition.judge(view)) for index, condition in enumerate(conditions))
            broken = {index: finding for index, finding in findings if not finding.holds}
            if broken or run.clock.now() >= end:
                break
            run.clock.pause(run.waits.watch)
    held = Finding(holds=True, observed=f"held for {format_duration(step.duration)}")
    for index, condition in enumerate(conditions):
        _judged(run, condition, broken.get(index, held))


def await_wire(run: Run, conditions: list[Condition], done: Callable[[], bool]) -> None:
    """Have data sent on the wire until `done`, or until the conditions' deadline has passed."""
    watch = run.kept(Watch)
    with run.record.part(_PART, waiting=True):
        while conditions and run.since_done() < run.waits.wire:
            run.routers.check()
            run.wire.pump()
            if done():
                return
            watch.provoke(conditions)
            run.clock.pause(run.waits.poll)


def _deadline(condition: Condition, run: Run) -> timedelta:
    """Return how long a condition may take; the wire of a session that was down has to wait for it to come up."""
    own = condition.deadline(run.waits)
    waits_for_session = run.kept(Watch).fallen and condition.source is Source.WIRE
    return max(own, run.waits.session_up) if waits_for_session else own


def _await(step: Expectation, run: Run, deadline: Callable[[Condition], timedelta]) -> None:
    watch, conditions = run.kept(Watch), conditions_of(step)
    pending = list(conditions)
    with run.record.part(_PART, waiting=True):
        while pending:
            view = watch.look(pending)
            still: list[Condition] = []
            for condition in pending:
                finding = condition.judge(view)
                if finding.holds or run.since_done() >= deadline(condition):
                    _judged(run, condition, finding)
                else:
                    still.append(condition)
            pending = still
            if pending:
                watch.provoke(pending)
                run.clock.pause(run.waits.poll)
        if any(isinstance(one, SessionState) and one.expects_up for one in conditions):
            # Where a check is red already, nothing more is waited for; but what is up is not called down.
            watch.await_up(timedelta() if run.record.red else run.waits.session_up)


def _judged(run: Run, condition: Condition, finding: Finding) -> None:
    keys = {} if finding.holds else run.kept(Watch).keys()
    run.found(condition, finding, event=run.moment.text, after=run.since_done(), keys=keys)
