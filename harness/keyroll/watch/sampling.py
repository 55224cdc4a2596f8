"""One look at a router: its clock, its chains, its sessions, its routes and labels, what it dropped."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from ipaddress import IPv4Address, IPv6Address

from keyroll.instants import Instant
from keyroll.junos.exchange import Exchange
from keyroll.junos.records import BgpSummary, ChainStatus, LdpSessions, SecurityKeychain, SystemUptime, TcpStatistics
from keyroll.names import SessionKind
from keyroll.scenario.observe.sampler import Sample, bgp_sample, ldp_sample
from keyroll.watch.commands import Command, Shape
from keyroll.watch.router import NotVisibleError, Router
from keyroll.watch.situation import Watched

Address = IPv4Address | IPv6Address
_SECOND = timedelta(seconds=1)
"""Clocks are shown in whole seconds: the true reading is up to so much later."""


@dataclass(frozen=True, slots=True)
class ClockReading:
    """What a router's clock said between two instants of this machine's clock."""

    shown: datetime
    """UTC, whole seconds."""
    asked: Instant
    answered: Instant
    source: str | None
    """`LOCAL CLOCK`, `NTP CLOCK`, …, where the router says it."""
    booted: datetime | None = None
    """When the router booted, as it shows it (local time)."""

    @property
    def ahead(self) -> tuple[timedelta, timedelta]:
        """How far the router's clock is ahead of this machine's: at least, and at most."""
        return self.shown - self.answered.moment, self.shown + _SECOND - self.asked.moment

    @property
    def by_ntp(self) -> bool:
        """Whether the router says that NTP sets the clock."""
        return self.source is not None and "NTP" in self.source.upper()

    def at(self, instant: Instant) -> datetime:
        """Return what the clock says at an instant, as well as is known."""
        low, high = self.ahead
        return instant.moment + (low + high) / 2


@dataclass(frozen=True, slots=True)
class Skew:
    """How far one router's clock is ahead of the other's: at least, and at most."""

    low: timedelta
    high: timedelta

    @classmethod
    def of(cls, one: ClockReading, other: ClockReading) -> Skew:
        """Return how far the other's clock is ahead of the one's."""
        return cls(other.ahead[0] - one.ahead[1], other.ahead[1] - one.ahead[0])

    @property
    def middle(self) -> timedelta:
        """The likeliest value."""
        return (self.low + self.high) / 2

    @property
    def most(self) -> timedelta:
        """How far the clocks are apart at most, either way."""
        return max(abs(self.low), abs(self.high))

    def __str__(self) -> str:
        error = (self.high - self.low) / 2
        return f"{self.middle.total_seconds():+.1f} s ± {error.total_seconds():.1f} s"


@dataclass(frozen=True, slots=True)
class Look:
    """What a router has shown in one round of commands."""

    router: str
    clock: ClockReading
    chains: Mapping[str, ChainStatus]
    """By name, the chains of the watched sessions, as `show security keychain detail` shows them."""
    keys_at: tuple[Instant, Instant]
    """When the command for the chains was sent, and when its answer was complete."""
    samples: Mapping[str, Sample]
    """By the session's name."""
    received: Mapping[str, int]
    """By the session's name, messages that the router has received in it, where it counts them (BGP)."""
    hold_times: Mapping[str, timedelta]
    """By the session's name, the hold time in force, where the router shows it (LDP)."""
    dropped: tuple[int, int]
    """Segments "dropped by TCP due to auth errors" since the router booted: not sent, and not accepted."""
    ended: Instant

    @property
    def begun(self) -> Instant:
        """When the first command was sent."""
        return self.clock.asked


def look(
    router: Router, sessions: Sequence[Watched], zone: tzinfo | None, *, without_labels: Collection[str] = ()
) -> Look:
    """Take one look.

    Args:
        router: the router.
        sessions: what to look at.
        zone: the zone that its clock shows, where it is configured.
        without_labels: names of LDP sessions whose label database is not read.

    Raises:
        NotVisibleError: the router does not show a chain that is in its configuration.
        CommandError, OutputError, SessionError, SessionDeadlineError: something could not be read.
    """
    clock = read_clock(router, zone)
    shown = router.show(Command(Shape.KEYCHAIN))
    chains = _chains(shown, {one.chains[router.name] for one in sessions})
    found: dict[str, Sample] = {}
    received: dict[str, int] = {}
    holds: dict[str, timedelta] = {}
    bgp = [one for one in sessions if one.kind is SessionKind.BGP]
    ldp = [one for one in sessions if one.kind is SessionKind.LDP]
    last = shown
    if bgp:
        last = summary = router.show(Command(Shape.BGP))
        for one in bgp:
            found[one.name] = bgp_sample([summary], one.peers[router.name])
            received[one.name] = summary.parsed_as(BgpSummary).peer(one.peers[router.name]).in_packets
    if ldp:
        detail = router.show(Command(Shape.LDP))
        for one in ldp:
            labels = [] if one.name in without_labels else [router.show(Command(Shape.LABELS, one.peers[router.name]))]
            last = [detail, *labels][-1]
            found[one.name] = ldp_sample([detail, *labels], one.peers[router.name])
            _note_hold(holds, one.name, detail, one.peers[router.name])
    last = router.show(Command(Shape.DROPS))
    drops = last.parsed_as(TcpStatistics)
    return Look(
        router.name,
        clock,
        chains,
        (Instant.of(shown.start), Instant.of(shown.end)),
        found,
        received,
        holds,
        (drops.send_dropped, drops.receive_dropped),
        Instant.of(last.end),
    )


def read_clock(router: Router, zone: tzinfo | None) -> ClockReading:
    """Return a router's clock. Raises ClockError where its zone is not known."""
    exchange = router.show(Command(Shape.CLOCK))
    shown = exchange.parsed_as(SystemUptime)
    current = shown.current if zone is None else shown.in_zone(zone)
    return ClockReading(
        current.astimezone(UTC), Instant.of(exchange.start), Instant.of(exchange.end), shown.source, shown.booted
    )


def _chains(exchange: Exchange, names: set[str]) -> dict[str, ChainStatus]:
    shown = {chain.name: chain for chain in exchange.parsed_as(SecurityKeychain).chains}
    missing = sorted(names - shown.keys())
    if missing:
        raise NotVisibleError(
            f"{exchange.host}: chains not visible: 'show security keychain' shows no chain {', '.join(missing)}",
            remedy="the login needs the permission view",
        )
    return {name: shown[name] for name in names}


def _note_hold(holds: dict[str, timedelta], name: str, exchange: Exchange, peer: Address) -> None:
    for session in exchange.parsed_as(LdpSessions).sessions:
        if session.address == peer and session.max_hold_time:
            holds[name] = timedelta(seconds=session.max_hold_time)
