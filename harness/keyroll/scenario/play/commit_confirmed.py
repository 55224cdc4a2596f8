"""`commit confirmed` that nobody confirms: the routers take it back by themselves, and that is waited for and noted."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import timedelta

from keyroll.junos.session import RouterSession
from keyroll.scenario.errors import ScenarioError
from keyroll.scenario.file.commit_steps import AwaitRollback
from keyroll.scenario.file.fields import RouterName
from keyroll.scenario.play.context import Stage, router_of
from keyroll.scenario.play.read_back import ReadingBack
from keyroll.scenario.record.result import Check

_COMMITS = "show system commit"
_POLL_SECONDS = 0.2


class Unconfirmed:
    """Which routers have a commit that waits to be confirmed, and until when."""

    def __init__(self, stage: Stage, reading_back: ReadingBack) -> None:
        self._stage = stage
        self._reading_back = reading_back
        self._due: dict[RouterName, tuple[int, int]] = {}
        """By router: how many commits it remembered with the unconfirmed one, and when (ns) it must be back."""

    def note(self, routers: Sequence[RouterName], minutes: int | None) -> None:
        """Note that routers have just made an unconfirmed commit; None minutes: it needs no confirmation."""
        if minutes is None:
            return
        due = time.time_ns() + minutes * 60 * 1_000_000_000
        for router, commits in self._stage.pair.at_once(commits_remembered, routers).items():
            self._due[router] = (commits, due)

    def await_rollback(self, number: int, step: AwaitRollback) -> None:
        """Wait until the routers have rolled back by themselves, to the end of their minutes and what a show may take.

        Raises:
            ScenarioError: a router has no commit that waits to be confirmed.
        """
        for router in step.routers:
            if router not in self._due:
                raise ScenarioError(f"await-rollback: {router} has no commit that waits to be confirmed")
        self._stage.pair.at_once(lambda session: self._await_one(number, session), step.routers)

    def _await_one(self, number: int, session: RouterSession) -> None:
        router = router_of(session)
        commits, due = self._due.pop(router)
        limit = due + self._stage.waits.shown // timedelta(microseconds=1) * 1000
        begun = time.time_ns()
        while (back := commits_remembered(session) != commits) is False and time.time_ns() < limit:
            begun = time.time_ns()
            self._stage.check_lab()
            self._stage.pause.wait(_POLL_SECONDS)
        if back:
            keyring = self._stage.keyring
            keyring.commit(router, keyring.before(router, 1))
            self._stage.wire.set_chain(router, keyring.given(router).chain, begun=begun, done=time.time_ns())
        self._stage.add(
            Check(
                "commit",
                passed=back,
                expected="rolled back by itself at the end of its minutes",
                observed=f"it did, {(time.time_ns() - due) / 1e9:.1f} s after them" if back else "it did not",
                step=number,
                router=router,
            )
        )
        if back:
            self._reading_back.check_one(number, session)


def commits_remembered(session: RouterSession) -> int:
    """Return how many commits a router lists; a line begins with its number, comments stand on lines of their own."""
    return sum(1 for line in session.show(_COMMITS).raw.splitlines() if line[:1].isdigit())
