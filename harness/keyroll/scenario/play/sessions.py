"""Plays the steps that reset sessions, routing processes and routers.

A router is not sampled while it restarts, because it does not answer about its sessions then.
"""

from __future__ import annotations

from functools import partial

from keyroll.instants import until
from keyroll.junos.errors import CommandError
from keyroll.junos.session import RouterSession
from keyroll.names import SessionKind
from keyroll.scenario.file.fields import RouterName
from keyroll.scenario.file.router_steps import Clear, Reboot, Restart
from keyroll.scenario.observe.sampler import COMMANDS
from keyroll.scenario.plan.keyring import Span
from keyroll.scenario.play.context import Routers, Run, play, router_of
from keyroll.scenario.play.watch import act


@play.register
def _(step: Clear, run: Run) -> Span:
    return act(run, "commits", partial(_clear, step, run))


@play.register
def _(step: Reboot, run: Run) -> Span:
    return act(run, "reboot", partial(_reboot, run, step.router))


@play.register
def _(step: Restart, run: Run) -> Span:
    return act(run, "reboot", partial(_restart, run, step.router))


def _clear(step: Clear, run: Run) -> None:
    pair, routers = run.routers.pair, run.routers
    names = run.sessions_of(step.session) or (step.session,)
    for name in names:
        if run.scenario.kinds.get(name, name) == SessionKind.BGP:
            clear = partial(_clear_bgp, routers, name, soft=step.soft)
            pair.at_once(clear, step.routers)
        else:
            pair.at_once(lambda session: session.show("clear ldp session"), step.routers)


def _clear_bgp(routers: Routers, name: str, session: RouterSession, *, soft: bool) -> None:
    session.clear_bgp(routers.peer(router_of(session), name), soft=soft)


def _reboot(run: Run, router: RouterName) -> None:
    run.samples.unwatch(router)
    run.routers.pair.sessions[router].reboot()
    _await_routing(run, router)
    run.samples.watch(router)


def _restart(run: Run, router: RouterName) -> None:
    run.samples.unwatch(router)
    run.routers.pair.sessions[router].show("restart routing")
    _await_routing(run, router)
    run.samples.watch(router)


def _await_routing(run: Run, router: RouterName) -> None:
    """Wait until the routing process shows the state of the sessions, which it refuses while it starts.

    Raises:
        CommandError: it still refuses after `Waits.session_up`.
    """
    session = run.routers.pair.sessions[router]
    deadline = run.clock.now() + run.waits.session_up
    run.waits_until(deadline, "the routing process must answer")
    for command in (command for kind in dict.fromkeys(run.scenario.kinds.values()) for command in COMMANDS[kind]):
        refused: list[CommandError] = []

        def answers(command: str = command, refused: list[CommandError] = refused) -> bool:
            try:
                session.show(command)
            except CommandError as error:
                refused.append(error)
                return False
            return True

        if not until(run.clock, answers, deadline=deadline, poll=run.waits.poll):
            raise refused[-1]
