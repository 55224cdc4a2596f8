"""The steps of a scenario file that act on a router or its sessions without changing its configuration."""

from __future__ import annotations

from keyroll.names import Capability
from keyroll.scenario.file.fields import ROUTERS, OneOrMany, RouterName, SessionRef
from keyroll.scenario.file.registry import step
from keyroll.scenario.file.sessions import KINDS
from keyroll.scenario.file.step import Step


@step
class Clear(Step):
    """Reset sessions on routers (`soft`: only send and ask for routes again)."""

    kind = "clear"
    bare = True
    session: SessionRef = "bgp"
    routers: OneOrMany[RouterName] = ROUTERS
    soft: bool = False

    def sessions(self) -> frozenset[str]:
        """Return the session that is reset, where it is named; a kind means every session of that kind."""
        return frozenset({self.session}) - KINDS


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


@step
class Lock(Step):
    """Log in to routers a second time and keep their configuration locked (`configure exclusive`) until `unlock`."""

    kind = "lock"
    bare = True
    routers: OneOrMany[RouterName] = ROUTERS


@step
class Unlock(Step):
    """End the second login that `lock` began; what it has not committed is discarded."""

    kind = "unlock"
    bare = True
    routers: OneOrMany[RouterName] = ROUTERS
