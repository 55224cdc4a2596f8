"""Plays `lock` and `unlock`: a second login keeps a router's configuration locked, as another operator may do."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from keyroll.junos.session import RouterSession
from keyroll.scenario.errors import ScenarioError
from keyroll.scenario.file.fields import RouterName
from keyroll.scenario.file.router_steps import Lock, Unlock
from keyroll.scenario.plan.keyring import Span
from keyroll.scenario.play.context import Run, play
from keyroll.scenario.play.watch import act


class Locks:
    """The logins that keep configurations locked, by router."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._holders: dict[RouterName, RouterSession] = {}

    def lock(self, routers: Sequence[RouterName]) -> None:
        """Log in a second time and lock.

        Raises:
            ScenarioError: a router is locked already.
            CommandError: the router refuses the lock.
        """
        for router in routers:
            if router in self._holders:
                raise ScenarioError(f"lock: the configuration of {router} is locked already")
            holder = self._run.routers.pair.sessions[router].another()
            # A run that ends before its `unlock` must leave no lock on a lab that another run gets.
            self._run.endings.callback(holder.close)
            holder.connect()
            holder.lock()
            self._holders[router] = holder

    def unlock(self, routers: Sequence[RouterName]) -> None:
        """Leave configuration mode, which unlocks, and log out. Raises ScenarioError: a router is not locked."""
        for router in routers:
            if router not in self._holders:
                raise ScenarioError(f"unlock: the configuration of {router} is not locked")
            holder = self._holders.pop(router)
            holder.discard()
            holder.close()


@play.register
def _(step: Lock, run: Run) -> Span:
    return act(run, "commits", partial(run.kept(Locks).lock, step.routers))


@play.register
def _(step: Unlock, run: Run) -> Span:
    return act(run, "commits", partial(run.kept(Locks).unlock, step.routers))
