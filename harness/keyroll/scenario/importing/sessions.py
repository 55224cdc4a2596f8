"""The sessions that a scenario plays, as its file writes them: names, families, where they run, who is passive."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv6Address
from typing import Literal

from keyroll.configuration import Configuration, Session
from keyroll.errors import Where
from keyroll.names import AuthenticationLevel, SessionKind
from keyroll.scenario.importing.links import LinkEnd, link_of, vlans_of

BGP_HOLD = 90
"""Junos' default BGP hold time, in seconds (Juniper, `hold-time`)."""
HOLD_TIMES = range(3, 601)
"""The hold times, in seconds, that a scenario file takes."""
_AT_NEIGHBOR = AuthenticationLevel.NEIGHBOR, AuthenticationLevel.NEIGHBOR
Ends = tuple[Session, Session]
"""A session as R1 and as R2 have it."""


@dataclass(frozen=True, slots=True)
class DraftSession:
    """One session of the file, and its place in both configurations."""

    kind: SessionKind
    family: Literal["inet", "inet6"]
    place: Literal["link", "loopbacks"]
    internal: bool
    passive: str | None
    """The router that is passive; None also if both are: two passive routers would never connect."""
    places: str
    hold_time: int | None = None
    """BGP's hold time in seconds: the lower one of both ends."""
    link: LinkEnd | None = None
    """The interface that it runs on; None between loopbacks, or where no configuration has its addresses."""
    vlan: int | None = None
    """The VLAN that it is played on; None: the link itself."""
    levels: tuple[AuthenticationLevel, AuthenticationLevel] = _AT_NEIGHBOR
    """The level that its key-chain is configured at on R1 and on R2, if it is BGP."""
    level_remarks: tuple[str, ...] = ()
    """Remarks on levels that are others in the file than in the configurations."""

    @property
    def name(self) -> str:
        """Its name in the file: two sessions of a pair differ in one of these words."""
        if self.kind is SessionKind.LDP:
            return "labels"
        place = self.place if self.vlan is None else f"vlan{self.vlan}"
        return f"{'v6' if self.family == 'inet6' else 'v4'}-{place}"

    @property
    def remark(self) -> str:
        """The comment: where it is configured on both routers, and what is different in the file."""
        own = self.vlan is not None and (self.link is None or self.link.vlan != self.vlan)
        link = ("a link of its own, played as a VLAN of the one link",) if own else ()
        return "; ".join((self.places, *link, *self.level_remarks))

    @property
    def is_word(self) -> bool:
        """Whether its kind, with the file's `family`, describes it completely."""
        on_link = self.place == "link" and self.vlan is None
        return (
            on_link
            and not self.internal
            and self.passive is None
            and self.levels == _AT_NEIGHBOR
            and not self.level_remarks
        )

    def at_neighbor(self) -> DraftSession:
        """Return the same with its authentication at the neighbor, where no other session shares it."""
        return replace(self, levels=_AT_NEIGHBOR)

    def written(
        self, *, hold_time: int | None = None, chain: str | None = None, local_as: Mapping[str, int] | None = None
    ) -> str:
        """Return the mapping for it; hold time and chain are left out if they are those of the file.

        `local_as` is by router, of those that have one.
        """
        words = [f"{self.kind.value}: {self.name}"]
        if self.kind is SessionKind.BGP:
            words.append(f"family: {self.family}")
        if self.internal:
            words.append("type: internal")
        words.append(f"between: {self.place}")
        if self.vlan is not None:
            words.append(f"vlan: {self.vlan}")
        if local_as:
            words.append(f"local-as: {by_router(local_as)}")
        levels = {f"R{number}": one.value for number, one in enumerate(self.levels, 1) if one not in _AT_NEIGHBOR}
        if levels:
            words.append(f"authentication-at: {by_router(levels)}")
        if self.passive is not None:
            words.append(f"passive: {self.passive}")
        if self.hold_time is not None and self.hold_time != hold_time:
            words.append(f"hold-time: {self.hold_time}")
        if chain is not None:
            words.append(f"chain: {chain}")
        return f"{{{', '.join(words)}}}"


def by_router(values: Mapping[str, object]) -> str:
    """Return values by router as a file has them: one value where both routers have the same."""
    if len(values) > 1 and len(set(values.values())) == 1:
        return str(next(iter(values.values())))
    return f"{{{', '.join(f'{router}: {value}' for router, value in values.items())}}}"


def drafted_session(ends: Ends, configurations: Sequence[Configuration]) -> DraftSession:
    """Return a session as the file has it."""
    one, other = ends
    passive = [f"R{number}" for number, end in enumerate(ends, 1) if end.passive]
    on_link = _is_on_link(ends, configurations)
    return DraftSession(
        one.kind,
        "inet6" if isinstance(one.peer, IPv6Address) else "inet",
        "link" if on_link else "loopbacks",
        one.kind is SessionKind.BGP and "internal" in (one.type, other.type),
        passive[0] if len(passive) == 1 else None,
        ", ".join((_and(end.where for end in ends), *_places(ends))),
        _hold_time(ends) if one.kind is SessionKind.BGP else None,
        link_of(ends, configurations) if on_link else None,
        levels=(_level(one), _level(other)),
        level_remarks=tuple(_algorithms_at_other_levels(ends)),
    )


def _and(places: Iterable[Where | None]) -> str:
    """Return the places of a statement on R1 and R2 in words; a router without it is left out."""
    return " and ".join(f"R{number}:{one.line}" for number, one in enumerate(places, 1) if one is not None)


def _places(ends: Ends) -> Iterator[str]:
    """Yield the places of statements that are not configured at the session itself."""
    if said := _and(end.local_as_where for end in ends):
        yield f"local-as {said}"
    chains = [None if _level(end) in _AT_NEIGHBOR else end.authentication.chain for end in ends]
    if said := _and(None if chain is None else chain.where for chain in chains):
        yield f"key-chain {said}"


def _level(end: Session) -> AuthenticationLevel:
    chain = end.authentication.chain
    return AuthenticationLevel.NEIGHBOR if chain is None or chain.level is None else chain.level


def _algorithms_at_other_levels(ends: Ends) -> Iterator[str]:
    """Yield a remark for each algorithm at another level than its chain: in the file both are at one level."""
    for number, end in enumerate(ends, 1):
        algorithm = end.authentication.algorithm
        if algorithm is not None and algorithm.level not in (None, _level(end)):
            where = f"is configured at the {algorithm.level}, played where its key-chain is configured"
            yield f"R{number}'s authentication-algorithm {where}"


def one_chain_at_protocol(found: Sequence[Sequence[DraftSession]]) -> tuple[tuple[DraftSession, ...], ...]:
    """Return the sessions, by the file's chains, with only the first chain of each router at the protocol level.

    A router's one chain may be several in the file: one for each chain of its peer that it is paired with.
    """
    first: dict[int, int] = {}
    for index, sessions in enumerate(found):
        for one in sessions:
            for end, level in enumerate(one.levels):
                if level is AuthenticationLevel.PROTOCOL:
                    first.setdefault(end, index)
    return tuple(
        tuple(_moved_to_neighbor(one, index, first) for one in sessions) for index, sessions in enumerate(found)
    )


def _moved_to_neighbor(one: DraftSession, index: int, first: Mapping[int, int]) -> DraftSession:
    moved = [
        end for end, level in enumerate(one.levels) if level is AuthenticationLevel.PROTOCOL and first[end] != index
    ]
    if not moved:
        return one
    mine, theirs = (AuthenticationLevel.NEIGHBOR if end in moved else level for end, level in enumerate(one.levels))
    words = (f"R{end + 1}'s key-chain is configured at the protocol, played at the neighbor" for end in moved)
    return replace(one, levels=(mine, theirs), level_remarks=(*one.level_remarks, *words))


def _hold_time(ends: Ends) -> int:
    """Return the hold time that both ends agree on (RFC 4271, section 4.2), within what the file's field takes."""
    configured = [BGP_HOLD if end.hold_time is None else end.hold_time.value for end in ends]
    return min(HOLD_TIMES.stop - 1, max(HOLD_TIMES.start, min(configured)))


def distinct(found: Sequence[DraftSession]) -> Iterator[tuple[int, DraftSession]]:
    """Yield the sessions that a lab can play together, with each link on a VLAN; of those with one name, the first.

    LDP has one session between two routers, however many links there are.
    """
    vlans = vlans_of(one.link for one in found if one.place == "link")
    names: set[str] = set()
    for index, session in enumerate(found):
        one = replace(session, vlan=vlans[session.link]) if session.place == "link" else session
        if one.name not in names:
            names.add(one.name)
            yield index, one


def _is_on_link(ends: Ends, configurations: Sequence[Configuration]) -> bool:
    """Whether an end has the peer on one of its networks; where no end shows its addresses, the type decides."""
    shows_addresses = False
    for end, configuration in zip(ends, configurations, strict=True):
        router = next((one for one in configuration.routers if one.name == end.router), None)
        if router is None or not isinstance(end.peer, IPv4Address | IPv6Address):
            continue
        networks = router.networks.get(end.instance)
        if networks is not None and networks.near(end.peer):
            return True
        shows_addresses = shows_addresses or bool(router.addresses.get(end.instance))
    bgp = ends[0].kind is SessionKind.BGP
    far = any(end.multihop or end.type == "internal" for end in ends)
    return not far if bgp else not shows_addresses
