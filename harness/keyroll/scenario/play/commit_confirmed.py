"""An unconfirmed `commit confirmed`: wait until the routers roll it back by themselves, and record that."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from keyroll.instants import Instant, until
from keyroll.junos.session import RouterSession
from keyroll.scenario.errors import ScenarioError
from keyroll.scenario.file.commit_steps import AwaitRollback
from keyroll.scenario.file.fields import RouterName
from keyroll.scenario.judge.actions import RolledBack
from keyroll.scenario.plan.keyring import Span
from keyroll.scenario.play.context import Run, play, router_of
from keyroll.scenario.play.read_back import ReadBack
from keyroll.scenario.play.watch import act

_COMMITS = "show system commit"
_POLL = timedelta(seconds=0.2)
"""Interval between two reads of the list of commits: after a wait of minutes, a fifth of a second is precise enough."""


class Unconfirmed:
    """The routers that have an unconfirmed commit, and when they must roll it back."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._due: dict[RouterName, tuple[tuple[str, ...], Instant]] = {}
        """By router: the commits that it lists, with the unconfirmed one, and when it must roll back."""
        self._unsent: set[RouterName] = set()
        """Routers that had nothing to commit, because of the mutation."""

    def note_unsent(self, routers: Sequence[RouterName], minutes: int | None) -> None:
        """Record that routers had nothing to commit, because of the mutation: there is no rollback to wait for."""
        if minutes is not None:
            self._unsent.update(routers)

    def note(self, routers: Sequence[RouterName], minutes: int | None) -> None:
        """Record that routers have just made an unconfirmed commit; `minutes` None: it needs no confirmation."""
        if minutes is None:
            return
        due = self._run.clock.now() + timedelta(minutes=minutes)
        for router, commits in self._run.routers.pair.at_once(listed_commits, routers).items():
            self._due[router] = (commits, due)

    def await_rollback(self, routers: Sequence[RouterName]) -> None:
        """Wait until routers have rolled back by themselves; the deadline is that of the commit plus `Waits.shown`.

        Raises:
            ScenarioError: a router has no unconfirmed commit.
        """
        for router in routers:
            if router not in self._due and router not in self._unsent:
                raise ScenarioError(f"await-rollback: {router} has no unconfirmed commit")
        for router in self._unsent.intersection(routers):
            self._run.keyring.commit(router, self._run.keyring.before(router, 1))
            self._unsent.discard(router)
        self._run.routers.pair.at_once(self._await_one, [router for router in routers if router in self._due])

    def _await_one(self, session: RouterSession) -> None:
        run, router = self._run, router_of(session)
        commits, due = self._due.pop(router)
        looks = [run.now()]
        """When each read began: the rollback happened after the last read that did not show it."""

        def is_back() -> bool:
            looks.append(run.now())
            return listed_commits(session) != commits

        back = until(run.clock, is_back, deadline=due + run.waits.shown, poll=_POLL, check=run.routers.check)
        if back:
            held = run.keyring.before(router, 1)
            run.keyring.commit(router, held, Span(looks[-2], run.now()))
        assertion = RolledBack(router)
        run.found(assertion, assertion.judge(run.clock.now() - due if back else None))
        if back:
            run.kept(ReadBack).check_one(session)


@play.register
def _(step: AwaitRollback, run: Run) -> Span:
    return act(run, "waits of the scenario", lambda: run.kept(Unconfirmed).await_rollback(step.routers))


def listed_commits(session: RouterSession) -> tuple[str, ...]:
    """Return the commits that a router lists, the latest first: number, time and user of each, without comments.

    A further commit changes the list, but not always its length: Junos lists the last 50.
    """
    return tuple(line for line in session.show(_COMMITS).raw.splitlines() if line[:1].isdigit())
