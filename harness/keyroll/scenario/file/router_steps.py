"""The steps of a scenario file that act on a router or its sessions without changing its configuration."""

from __future__ import annotations

from keyroll.names import Capability, SessionKind
from keyroll.scenario.file.fields import ROUTERS, OneOrMany, RouterName, SessionName
from keyroll.scenario.file.registry import step
from keyroll.scenario.file.step import Step


@step
class Clear(Step):
    """Reset sessions on routers (`soft`: only send and ask for routes again)."""

    kind = "clear"
    bare = True
    session: SessionName = SessionKind.BGP
    routers: OneOrMany[RouterName] = ROUTERS
    soft: bool = False


@step
class Reboot(Step):
    """Reboot a router and wait until it answers again."""

    kind = "reboot"
    needs = Capability.REBOOT
    router: RouterName


@step
class Restart(Step):
    """Restart a router's routing process (`restart routing`) and wait until it answers again."""

    kind = "restart"
    router: RouterName
