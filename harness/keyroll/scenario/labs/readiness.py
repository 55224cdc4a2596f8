"""When a router that is coming up is ready: it shows its interfaces, takes a configuration, its clock can be set."""

from __future__ import annotations

from collections.abc import Callable

from keyroll.junos.errors import ClockError, CommandError
from keyroll.junos.exchange import Deadlines
from keyroll.junos.session import RouterSession
from keyroll.lab.platforms import PLATFORMS
from keyroll.lab.protocol import LabError, LabUnfitError, Router
from keyroll.names import Capability
from keyroll.scenario.labs.connect import target_of


def readiness(wait_scale: float = 1.0) -> Callable[[Router], None]:
    """Return the probe that a lab asks again and again while a router comes up.

    It raises LabUnfitError when the router's clock cannot be set, and another KeyrollError while it is not ready.
    Nothing is left changed on the router but its clock, which is set to what it says.
    """
    deadlines = Deadlines().scaled(wait_scale)

    def probe(router: Router) -> None:
        platform = PLATFORMS[router.platform]
        with RouterSession(target_of(router), deadlines=deadlines) as session:
            # Linux names the end of a veth pair with its peer: eth1@if12.
            words = session.show(platform.shows_ports).raw.split()
            shown = {word.partition("@")[0] for word in words}
            missing = [port.interface for port in router.ports if port.interface not in shown]
            if missing:
                raise LabError(f"{router.name} does not show {', '.join(missing)} yet")
            session.configure([f"set system host-name {router.name}"])
            session.commit_check()
            session.discard()
            if Capability.SET_CLOCK in platform.capabilities:
                _set_clock(router, session)

    return probe


def _set_clock(router: Router, session: RouterSession) -> None:
    """Set the clock to what it says. Raises LabUnfitError: it cannot be set, and waiting will not mend that."""
    try:
        session.set_clock(session.clock())
    except ClockError as error:
        raise LabUnfitError(f"{router.name}'s clock cannot be set: {error}") from error
    except CommandError as error:
        if not error.line.startswith("set date"):
            raise  # it does not even show its clock yet
        raise LabUnfitError(f"{router.name}'s clock cannot be set: {error}") from error
