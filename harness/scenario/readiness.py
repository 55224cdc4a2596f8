"""When a router that is coming up is ready: it shows its interfaces, takes a configuration, its clock can be set."""

from __future__ import annotations

from collections.abc import Callable

from harness.junos.errors import ClockError
from harness.junos.exchange import Deadlines
from harness.junos.session import RouterSession
from harness.lab.platforms import PLATFORMS
from harness.lab.protocol import Capability, LabError, LabUnfitError, Router
from harness.scenario.fleet import target_of


def readiness(wait_scale: float = 1.0) -> Callable[[Router], None]:
    """Return the probe that a lab asks again and again while a router comes up.

    It raises LabUnfitError when the router's clock cannot be set, and another KeyrollError while it is not ready.
    Nothing is left changed on the router but its clock, which is set to what it says.
    """
    deadlines = Deadlines().scaled(wait_scale)

    def probe(router: Router) -> None:
        with RouterSession(target_of(router), deadlines=deadlines) as session:
            shown = session.show("show interfaces terse").raw.split()
            missing = [port.interface for port in router.ports if port.interface not in shown]
            if missing:
                raise LabError(f"{router.name} does not show {', '.join(missing)} yet")
            session.configure([f"set system host-name {router.name}"])
            session.commit_check()
            session.discard()
            if Capability.SET_CLOCK in PLATFORMS[router.platform].capabilities:
                try:
                    session.set_clock(session.clock())
                except ClockError as error:
                    raise LabUnfitError(f"{router.name}'s clock cannot be set: {error}") from error

    return probe
