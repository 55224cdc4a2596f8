"""Routers and their routing process started anew. They are not sampled meanwhile: then they cannot tell their state."""

from __future__ import annotations

import time

from keyroll.junos.errors import CommandError
from keyroll.scenario.file.fields import RouterName
from keyroll.scenario.observe.sampler import COMMANDS
from keyroll.scenario.play.context import Stage


def reboot(stage: Stage, router: RouterName) -> None:
    """Reboot a router and wait until it answers again. Raises RunError when it does not."""
    stage.sampler.unwatch(router)
    stage.pair.sessions[router].reboot()
    _await_routing(stage, router)
    stage.sampler.watch(router)


def restart(stage: Stage, router: RouterName) -> None:
    """Restart a router's routing process. Raises CommandError when it does not tell of its sessions again in time."""
    stage.sampler.unwatch(router)
    stage.pair.sessions[router].show("restart routing")
    _await_routing(stage, router)
    stage.sampler.watch(router)


def _await_routing(stage: Stage, router: RouterName) -> None:
    """Wait until the routing process tells the state of the sessions, which it refuses while it starts."""
    begun = time.monotonic()
    for command in (command for session in stage.scenario.sessions for command in COMMANDS[session]):
        while True:
            try:
                stage.pair.sessions[router].show(command)
                break
            except CommandError:
                if time.monotonic() - begun > stage.waits.session_up.total_seconds():
                    raise
                stage.pause.wait(stage.waits.poll.total_seconds())
