"""One SSH session to each router of the lab (`keyroll.junos.pair` uses them); every exchange is recorded."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, tzinfo

from keyroll.instants import SYSTEM, Clock
from keyroll.junos.conversation import Recorder
from keyroll.junos.exchange import Deadlines, Exchange, Target
from keyroll.junos.pair import Pair
from keyroll.junos.session import RouterSession
from keyroll.junos.time_zone import SHOW_ZONE, zone_of
from keyroll.keychain.secret import Secret
from keyroll.lab.protocol import Router
from keyroll.scenario.file.fields import ROUTERS, RouterName
from keyroll.scenario.observe.router_clock import RouterClock, ns_of
from keyroll.scenario.record.timeline import Kind, Timeline

_SET_DATE = "set date "


def target_of(router: Router) -> Target:
    """Return how the lab's router is reached."""
    return Target(router.name, router.host, router.port, router.user, Secret(router.password), router.platform)


def pair_of(
    routers: Mapping[str, Router],
    *,
    recorder: Recorder,
    secrets: Iterable[Secret] = (),
    wait_scale: float = 1.0,
    clock: Clock = SYSTEM,
) -> Pair[RouterName]:
    """Return a session to each router, not yet logged in."""
    known, deadlines = tuple(secrets), Deadlines().scaled(wait_scale)
    return Pair(
        {
            name: RouterSession(
                target_of(routers[name]), recorder=recorder, deadlines=deadlines, secrets=known, clock=clock
            )
            for name in ROUTERS
        },
        clock=clock,
    )


def recorder_of(timeline: Timeline, keep: Callable[[Exchange], None], clocks: Mapping[str, RouterClock]) -> Recorder:
    """Return the recorder that stores an exchange, adds it to the timeline, and records when a clock was set."""
    zones: dict[str, tzinfo] = {}

    def record(exchange: Exchange) -> None:
        keep(exchange)
        begun, done = ns_of(exchange.start), ns_of(exchange.end)
        if exchange.command == SHOW_ZONE and exchange.error is None:
            zones[exchange.host] = zone_of(exchange.raw)
        zone = zones.get(exchange.host, UTC)
        moment = _moment_set(exchange.command, zone) if exchange.error is None else None
        if moment is not None and exchange.host in clocks:
            clocks[exchange.host].was_set(moment, begun=begun, done=done)
        kind = (
            Kind.CLOCK if moment is not None else Kind.COMMIT if exchange.command.startswith("commit") else Kind.COMMAND
        )
        lines = exchange.command.splitlines()
        shown = exchange.command if len(lines) <= 1 else f"{len(lines)} lines of configuration"
        outcome = f": {exchange.error}" if exchange.error else ""
        timeline.add(
            kind,
            f"{shown}{outcome}",
            router=exchange.host,
            at=begun,
            data={"took": round(exchange.took.total_seconds(), 4)},
        )

    return record


def _moment_set(command: str, zone: tzinfo) -> datetime | None:
    """Return the instant that a `set date YYYYMMDDhhmm.ss` sets, in the router's zone; None for other commands."""
    if not command.startswith(_SET_DATE):
        return None
    with contextlib.suppress(ValueError):
        return (
            datetime.strptime(command.removeprefix(_SET_DATE).strip(), "%Y%m%d%H%M.%S")
            .replace(tzinfo=zone)
            .astimezone(UTC)
        )
    return None
