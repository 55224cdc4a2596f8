"""Plays the steps of one scenario on routers that are up, and judges what must hold throughout.

The engine (`engine.py`) provides the lab, the SSH sessions and the run folder; what each step does is in the other
modules of this package, which register it with `play`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from keyroll.names import Invariant
from keyroll.scenario.file.fields import ROUTERS
from keyroll.scenario.file.step import Step
from keyroll.scenario.judge.conditions import KeyOnWire
from keyroll.scenario.judge.invariants import INVARIANTS

# Imported because they register the steps that they play.
from keyroll.scenario.play import cli, commits, link, locks, sessions, time  # noqa: F401
from keyroll.scenario.play.committing import Configured
from keyroll.scenario.play.context import Run, play
from keyroll.scenario.play.expectations import await_wire
from keyroll.scenario.play.watch import Watch
from keyroll.scenario.record.result import Check
from keyroll.scenario.record.timeline import Kind


class Player:
    """Plays one scenario once. `until` names checks that are still judged after others are red (a mutation's)."""

    def __init__(self, run: Run, *, until: Iterable[str] = ()) -> None:
        self.run = run
        self.watch = run.kept(Watch)
        self._awaited = [name for name in until if "@" in name]

    def play(self) -> tuple[Check, ...]:
        """Play all steps and judge what must hold throughout; return every check.

        Raises:
            RunError: a part of the run broke, or a state could not be read.
        """
        run = self.run
        with run.record.part("clocks", waiting=run.time.waits):
            run.time.begin(run)
        for number, step in enumerate(run.scenario.steps, start=1):
            run.record.timeline.add(Kind.STEP, f"step {number}: {step.words()}")
            run.number = number
            self._play(step)
            if not self._goes_on():
                run.record.timeline.add(Kind.STEP, f"the run ends here: step {number} is red")
                break
        self._finish()
        return tuple(run.record.checks)

    def _play(self, step: Step) -> None:
        run = self.run
        span = play(step, run)
        if span is not None:
            run.time.check(run)
            self.watch.after_action(f"step {run.number} ({step.words()})", span)

    def _goes_on(self) -> bool:
        """Return whether the run continues: a red check ends it, unless a check of a mutation is still to come."""
        if not self.run.record.red:
            return True
        steps = (name.partition("@")[2].partition("[")[0] for name in self._awaited)
        return any(int(step) > self.run.number for step in steps)

    def _finish(self) -> None:
        """Wait for pending rollovers, wait for fresh samples, and judge the invariants."""
        run, watch = self.run, self.watch
        if not run.record.red and Invariant.ROLLOVER_COMPLETES in run.scenario.invariants:
            self._await_rollovers()
        asked = run.now()
        for router in ROUTERS:
            if router in run.kept(Configured).routers:
                run.samples.await_fresh(router, asked, within=run.waits.shown * 3)
        end = watch.ended = run.now()
        with run.record.part("verdict"):
            run.wire.pump()
            watched = watch.watched(end)
            for name in run.scenario.invariants:
                for check in INVARIANTS[name](replace(watched, sessions=self._held_to(name))):
                    run.record.add(check)

    def _held_to(self, name: Invariant) -> tuple[str, ...]:
        """Return the sessions of which an invariant must hold."""
        scenario = self.run.scenario
        return tuple(session for session in scenario.session_names if name in scenario.holds_of(session))

    def _await_rollovers(self) -> None:
        judge, held = INVARIANTS[Invariant.ROLLOVER_COMPLETES], self._held_to(Invariant.ROLLOVER_COMPLETES)
        conditions = [
            KeyOnWire(rollover.router, rollover.key, of_session=session)
            for rollover in self.watch.rollovers
            for session in rollover.sessions or (None,)
            if session is None or session in held
        ]
        await_wire(
            self.run,
            [*conditions],
            lambda: all(check.passed for check in judge(replace(self.watch.watched(self.run.now()), sessions=held))),
        )
