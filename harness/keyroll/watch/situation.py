"""What both configurations say: which sessions there are to watch, and what `check` predicts of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, tzinfo
from ipaddress import IPv4Address, IPv6Address

from keyroll.check.coming_rollovers import BGP_HOLD, LDP_HOLD, PredictedRollover
from keyroll.check.judge import JudgedSession, Question, Report, judge
from keyroll.check.rollovers import Takeover
from keyroll.configuration import Configuration, read, zone_of
from keyroll.configuration import ConfigurationError as TextError
from keyroll.configuration.sessions import PeerKind, Session
from keyroll.errors import InputError
from keyroll.names import SessionKind
from keyroll.watch.inventory import Inventory
from keyroll.watch.router import NotVisibleError

Address = IPv4Address | IPv6Address
TOGETHER = timedelta(seconds=60)
"""Rollovers of several chains that begin within this time of each other are one change, and are watched together."""
_DENIED = "ACCESS-DENIED"


@dataclass(frozen=True, slots=True)
class Watched:
    """One session to look at, with its peer's address and its chain at each router."""

    name: str
    """`bgp`, or with the peers' addresses where there are several of the kind."""
    kind: SessionKind
    peers: Mapping[str, Address]
    """By router, the peer's address there."""
    chains: Mapping[str, str]
    """By router, the chain that protects it."""
    pair: int
    """The number of its pair of chains in the report."""
    hold: timedelta | None
    """The lower of both ends' hold times, configured or default; None: 0, with which a session has no hold time."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One router's part in the rollover that is awaited: the key that takes over there, and when."""

    router: str
    chain: str
    key: int
    before: int
    start: datetime


@dataclass(frozen=True, slots=True)
class Awaited:
    """The rollover to come."""

    turns: tuple[Turn, ...]
    lacking: tuple[tuple[str, str], ...]
    """Routers (and their chains) that have no key for it: the other side's key has no counterpart."""
    rollovers: tuple[tuple[int, PredictedRollover], ...]
    """With the number of the pair of chains."""

    @property
    def first(self) -> datetime:
        """When the first key is due, on the routers' clocks."""
        return min(turn.start for turn in self.turns)

    @property
    def last(self) -> datetime:
        """When the last key is due."""
        return max(turn.start for turn in self.turns)


@dataclass(frozen=True, slots=True)
class Situation:
    """What was read before the first sample."""

    configurations: Mapping[str, Configuration]
    report: Report
    sessions: tuple[Watched, ...]
    passed_over: tuple[str, ...]
    """Protected sessions that are not looked at, and why."""

    @property
    def routers(self) -> tuple[str, ...]:
        """The routers, in the inventory's order."""
        return tuple(self.configurations)

    def zone(self, router: str) -> tzinfo | None:
        """Return the zone that a router's clock shows, where it is configured and known."""
        return zone_of(self.configurations[router])

    def uses_ntp(self, router: str) -> bool:
        """Whether a router is configured to have its clock set by NTP."""
        return self.configurations[router].view("system", "ntp").has("server")

    @property
    def secrets_unknown(self) -> bool:
        """Whether the secrets of a watched pair of chains cannot be compared."""
        return any(self.report.pairs[one.pair].unknown_secrets for one in self.sessions)

    def awaited(self, at: datetime, until: datetime | None = None) -> Awaited | None:
        """Return the next rollover of the watched sessions after an instant of the routers' clocks, or None."""
        pairs = sorted({session.pair for session in self.sessions})
        coming = [
            (number, predicted)
            for number in pairs
            for predicted in self.report.pairs[number].coming.rollovers
            if predicted.rollover.is_coming(at, until)
        ]
        if not coming:
            return None
        first = min(predicted.rollover.first for _, predicted in coming)
        now = [(number, one) for number, one in coming if one.rollover.first - first <= TOGETHER]
        turns, lacking = [], []
        for number, predicted in now:
            pair = self.report.pairs[number]
            for chain, part in zip(pair.chains, predicted.rollover.parts, strict=True):
                router = chain.where.file
                turns += [_turn(router, chain.name, part)] if part is not None else []
                lacking += [(router, chain.name)] if part is None else []
        return Awaited(tuple(dict.fromkeys(turns)), tuple(dict.fromkeys(lacking)), tuple(now))


def _turn(router: str, chain: str, part: Takeover) -> Turn:
    return Turn(router, chain, part.key.id, part.before.id, part.start)


def configuration_of(router: str, text: str) -> Configuration:
    """Read a router's `show configuration`. `text` holds secrets; only its parsed values are kept.

    Raises:
        NotVisibleError: the login may not see the key chains, or the output is not a configuration.
    """
    if not text.strip():
        raise _not_visible(router, "'show configuration' shows nothing")
    try:
        found = read(text, router)
    except TextError as error:
        if _DENIED in text:
            raise _not_visible(router, "'show configuration' shows ACCESS-DENIED") from None
        raise NotVisibleError(f"{router}: 'show configuration' gave no configuration: {error.message}") from None
    chains = {chain.name for one in found.routers for chain in one.chains}
    for one in found.routers:
        for session in one.sessions:
            named = session.authentication.chain
            # Junos does not commit the name of a chain that is missing, so the chain exists and is not shown.
            if named is not None and named.value not in chains:
                raise _not_visible(router, f"{session.name} uses key-chain {named.value}, which is not shown")
    if _DENIED in text and not chains:
        raise _not_visible(router, "'show configuration' shows ACCESS-DENIED")
    return found


def _not_visible(router: str, why: str) -> NotVisibleError:
    return NotVisibleError(
        f"{router}: chains not visible: {why}",
        remedy="the login needs the permissions view and view-configuration (docs/watch.md)",
    )


def situation_of(
    inventory: Inventory, configurations: Mapping[str, Configuration], *, at: datetime, skew: timedelta
) -> Situation:
    """Return the sessions between two routers that TCP-AO protects, and what is predicted of them.

    Raises:
        NotVisibleError: no session is protected, as far as the logins can see.
        InputError: the routers have no such session as the inventory names.
    """
    report = judge(list(configurations.values()), Question(at=at, skew=skew, without_secrets=True))
    links, passed_over = [], []
    for session in report.sessions:
        why = _why_not(session)
        if why is None:
            links.append(session)
        else:
            passed_over.append(f"{session.one.name}: {why}")
    wanted = [link for link in links if _is_wanted(link, inventory)]
    _require_all(inventory, links)
    if not wanted:
        raise NotVisibleError(
            "no session between the routers is protected with TCP-AO at both ends, as far as the logins can see"
            + (f" ({'; '.join(passed_over)})" if passed_over else "")
        )
    return Situation(configurations, report, tuple(_named(wanted)), tuple(passed_over))


def _why_not(session: JudgedSession) -> str | None:
    if session.other is None:
        return "the other end is not among the routers"
    if session.one.where.file == session.other.where.file:
        return "both ends are on one router"
    if session.pair is None:
        return "TCP-AO protects only one end"
    if any(_peer(end, other) is None for end, other in _ends(session)):
        return "the configurations name no address of the peer"
    return None


def _ends(session: JudgedSession) -> Sequence[tuple[Session, Session]]:
    assert session.other is not None  # noqa: S101 - the callers check it
    return ((session.one, session.other), (session.other, session.one))


def _peer(end: Session, other: Session) -> Address | None:
    """Return the peer's address at an end: as it is configured there; if that is a prefix, the other end's own."""
    if end.peer_kind is PeerKind.ADDRESS and isinstance(end.peer, IPv4Address | IPv6Address):
        return end.peer
    return other.local


def _is_wanted(session: JudgedSession, inventory: Inventory) -> bool:
    if not inventory.sessions:
        return True
    peers = {_peer(end, other) for end, other in _ends(session)}
    return any(
        (entry.bgp if session.one.kind is SessionKind.BGP else entry.ldp) in peers for entry in inventory.sessions
    )


def _require_all(inventory: Inventory, links: Sequence[JudgedSession]) -> None:
    there = {(link.one.kind, _peer(end, other)) for link in links for end, other in _ends(link)}
    for entry in inventory.sessions:
        kind = SessionKind.BGP if entry.bgp is not None else SessionKind.LDP
        if (kind, entry.bgp or entry.ldp) not in there:
            raise InputError(
                f"no {kind.value.upper()} session with {entry.bgp or entry.ldp} between the routers that TCP-AO "
                "protects at both ends",
                remedy="name the peer's address as one of the routers has it, or leave 'sessions' out",
            )


def _named(links: Sequence[JudgedSession]) -> list[Watched]:
    made = [_watched(link) for link in links]
    kinds = [one.kind for one in made]
    return [
        one
        if kinds.count(one.kind) == 1
        else replace(one, name=f"{one.name} {'/'.join(sorted(map(str, one.peers.values())))}")
        for one in made
    ]


def _watched(link: JudgedSession) -> Watched:
    peers, chains = {}, {}
    for end, other in _ends(link):
        peer, chain = _peer(end, other), end.authentication.chain
        if peer is not None and chain is not None:
            peers[end.where.file], chains[end.where.file] = peer, chain.value
    number = link.pair or 0
    usual = BGP_HOLD if link.one.kind is SessionKind.BGP else LDP_HOLD
    times = [usual.time if end.hold_time is None else timedelta(seconds=end.hold_time.value) for end, _ in _ends(link)]
    hold = min(times)
    return Watched(link.one.kind.value, link.one.kind, peers, chains, number, hold or None)
