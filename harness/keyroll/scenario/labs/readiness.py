"""When a booting router is ready: it shows its interfaces, accepts a configuration, and its clock can be set."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from keyroll.junos.errors import ClockError, CommandError, CommitError, ConfigurationError
from keyroll.junos.exchange import Deadlines
from keyroll.junos.session import RouterSession
from keyroll.keychain.generate import generate
from keyroll.keychain.junostext import set_lines
from keyroll.lab.platforms import PLATFORMS
from keyroll.lab.protocol import LabError, LabUnfitError, Router
from keyroll.names import Capability
from keyroll.scenario.labs.connect import target_of

_PROBE = "keyroll-probe"
_PROBE_AS = 64511
"""The last AS number reserved for documentation (RFC 5398), so it cannot be a real peer's."""
_PROBE_PEER = "192.0.2.1"
_RELEASE_MAX = 200
"""Characters of `show version` in an error: host, model and release are at its beginning."""
_LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


def readiness(wait_scale: float = 1.0) -> Callable[[Router], None]:
    """Return the probe that a lab calls repeatedly while a router boots.

    It raises LabUnfitError if the router does not support TCP-AO or its clock cannot be set, and another KeyrollError
    while the router is not ready. It leaves the configuration unchanged, and sets the clock to its own reading.
    """
    deadlines = Deadlines().scaled(wait_scale)

    def probe(router: Router) -> None:
        platform = PLATFORMS[router.platform]
        with RouterSession(target_of(router), deadlines=deadlines) as session:
            # Linux shows one end of a veth pair with its peer: eth1@if12.
            words = session.show(platform.shows_ports).raw.split()
            shown = {word.partition("@")[0] for word in words}
            missing = [port.interface for port in router.ports if port.interface not in shown]
            if missing:
                raise LabError(f"{router.name} does not show {', '.join(missing)} yet")
            session.configure([f"set system host-name {router.name}"])
            session.commit_check()
            _require_tcp_ao(router, session)
            session.discard()
            if Capability.SET_CLOCK in platform.capabilities:
                _set_clock(router, session)

    return probe


def _require_tcp_ao(router: Router, session: RouterSession) -> None:
    """Test whether a keychain and `authentication-algorithm ao` pass a commit check, after a plain line has passed.

    Raises:
        LabUnfitError: they do not pass, and waiting does not help. The lab is unfit, instead of every scenario red.
    """
    chain = generate(secrets.token_hex(8), name=_PROBE, count=1, first=_LONG_AGO, interval=timedelta(days=1))
    group = f"set protocols bgp group {_PROBE}"
    lines = [
        *set_lines(chain),
        f"set routing-options autonomous-system {router.asn}",
        f"{group} type external",
        f"{group} peer-as {_PROBE_AS}",
        f"{group} neighbor {_PROBE_PEER}",
        f"{group} authentication-algorithm ao",
        f"{group} authentication-key-chain {_PROBE}",
    ]
    try:
        session.configure(lines)
        session.commit_check()
    except (ConfigurationError, CommitError) as error:
        release = " ".join(session.show("show version").raw.split())[:_RELEASE_MAX]
        raise LabUnfitError(
            f"{router.name} ({router.platform}) does not support TCP-AO: {error}",
            remedy=f"use a release that has it (Junos 20.3R1 or newer); this one says: {release}",
        ) from error


def _set_clock(router: Router, session: RouterSession) -> None:
    """Set the clock to its own reading. Raises LabUnfitError if it cannot be set, because waiting does not help."""
    try:
        session.set_clock(session.clock())
    except ClockError as error:
        raise LabUnfitError(f"{router.name}'s clock cannot be set: {error}") from error
    except CommandError as error:
        if not error.line.startswith("set date"):
            raise  # not ready: it does not show its clock yet
        raise LabUnfitError(f"{router.name}'s clock cannot be set: {error}") from error
