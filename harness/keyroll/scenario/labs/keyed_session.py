"""Whether a BGP session with TCP-AO comes up between a lab's two routers at all, before any scenario is played.

A router can take the configuration of TCP-AO although its kernel cannot sign a segment (cRPD on a kernel without
TCP-AO). Then no scenario can be judged, and one sentence says so instead of a hundred red runs.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Interface, IPv6Interface

from keyroll.errors import RunError
from keyroll.instants import SYSTEM, Clock, until
from keyroll.junos.base_configuration import Family, Plan, base_configuration
from keyroll.junos.pair import Draft, Pair
from keyroll.junos.records import BgpState, BgpSummary
from keyroll.keychain.generate import generate
from keyroll.keychain.junostext import set_lines
from keyroll.lab.platforms import CRPD, PLATFORMS
from keyroll.lab.protocol import LabUnfitError, Router
from keyroll.names import SessionKind
from keyroll.scenario.file.fields import RouterName
from keyroll.scenario.labs.addressing import OTHER, Addressing
from keyroll.scenario.labs.connect import pair_of

_CHAIN = "keyroll-probe"
_LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
UP_WITHIN = timedelta(seconds=90)
"""How long the session may take, counted from the commit. Junos waits up to 32 s before it tries to connect again, and
the first try may fail because the peer has not committed yet."""
_EVERY = timedelta(seconds=1)
"""Interval between two checks: each show command costs a virtual machine some processor time."""


def keyed_session(
    routers: Mapping[str, Router], *, wait_scale: float = 1.0, within: timedelta = UP_WITHIN, clock: Clock = SYSTEM
) -> None:
    """Bring up one BGP session with TCP-AO, and leave the configurations as they were.

    Raises:
        LabUnfitError: it does not come up; says whether it does without keys, so that the link is not the cause.
        RunError: a router does not answer, refuses a command, or answers in a form that is not known.
    """
    plans = Addressing.of(routers, Family.INET.value).plans
    with pair_of(routers, recorder=lambda _: None, wait_scale=wait_scale, clock=clock) as pair:
        probe = _Probe(pair, plans, within * wait_scale, clock)
        if probe.comes_up(keys=True):
            return
        plain = probe.comes_up(keys=False)
        hint = "" if plain else _addresses(pair, routers, plans)
    seconds = (within * wait_scale).total_seconds()
    who = ", ".join(sorted({router.platform for router in routers.values()}))
    if plain:
        raise LabUnfitError(
            f"no BGP session with TCP-AO comes up between R1 and R2 ({who}) within {seconds:.0f} s, although one"
            " without keys does",
            remedy="a host whose kernel has TCP-AO (6.7 or newer with CONFIG_TCP_AO), or a release that has TCP-AO",
        )
    raise LabUnfitError(
        f"no BGP session comes up between R1 and R2 ({who}) within {seconds:.0f} s, with keys or without{hint}",
        remedy="look at the link and its addresses: `keyroll lab up` keeps a pair for that",
    )


class _Probe:
    """One session between two routers, with keys or without."""

    def __init__(
        self, pair: Pair[RouterName], plans: Mapping[RouterName, Plan], within: timedelta, clock: Clock
    ) -> None:
        self._pair = pair
        self._plans = plans
        self._within = within
        self._clock = clock

    def comes_up(self, *, keys: bool) -> bool:
        """Commit the session, wait for it, and roll both configurations back."""
        mine = generate(secrets.token_hex(8), name=_CHAIN, count=1, first=_LONG_AGO, interval=timedelta(days=1))
        chains = {"R1": mine, "R2": mine.mirrored()}
        drafts = {
            name: Draft.of(
                [
                    *(set_lines(chains[name]) if keys else ()),
                    *base_configuration(
                        plan, self._plans[OTHER[name]], sessions={SessionKind.BGP}, chain=_CHAIN if keys else None
                    ),
                ],
                comment="keyroll: does a session come up",
            )
            for name, plan in self._plans.items()
        }
        self._pair.change(drafts)
        try:
            up = until(self._clock, self._is_up, deadline=self._clock.now() + self._within, poll=_EVERY)
            return up is not None
        finally:
            back = Draft(lambda session: session.rollback(1), comment="keyroll: as it was")
            self._pair.change(dict.fromkeys(self._plans, back))

    def _is_up(self) -> bool:
        for name, exchange in self._pair.show("show bgp summary").items():
            summary = exchange.parsed_as(BgpSummary)  # an unknown format raises and ends the wait
            try:
                row = summary.peer(self._plans[OTHER[name]].address(Family.INET).ip)
            except RunError:
                return False  # not shown yet
            if row.state is not BgpState.ESTABLISHED:
                return False
        return True


def _addresses(pair: Pair[RouterName], routers: Mapping[str, Router], plans: Mapping[RouterName, Plan]) -> str:
    """Return a hint at a router that does not show the address of its port after the commit, or ""."""
    for name, plan in plans.items():
        router, address = routers[name], plan.address(Family.INET)
        command = PLATFORMS[router.platform].shows_ports
        draft = Draft.of([f"set interfaces {plan.interface} unit 0 family inet address {address}"])
        pair.change({name: draft})
        try:
            shown = pair.sessions[name].show(command).raw
        finally:
            pair.change({name: Draft(lambda session: session.rollback(1))})
        if _shows(shown, address):
            continue
        if router.platform == CRPD.name:
            return (
                f"; {name} does not show {address.ip} after its commit: old releases of cRPD leave addresses to Linux,"
                f" so set them in the topology file: exec: ['ip address add {address} dev {plan.interface}']"
            )
        return f"; {name} does not show {address.ip} on {plan.interface} after its commit"
    return ""


def _shows(text: str, address: IPv4Interface | IPv6Interface) -> bool:
    return any(word.partition("/")[0] == str(address.ip) for word in text.split())
