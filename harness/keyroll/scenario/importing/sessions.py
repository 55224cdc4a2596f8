"""The sessions that a scenario plays, as its file writes them: names, families, where they run, who is passive."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv6Address
from typing import Literal

from keyroll.configuration import Configuration, Session
from keyroll.names import SessionKind
from keyroll.scenario.importing.links import LinkEnd, link_of, vlans_of

BGP_HOLD = 90
"""Junos' default, in seconds."""
HOLD_TIMES = range(3, 601)
"""What a scenario file takes."""
Ends = tuple[Session, Session]
"""A session as R1 and as R2 have it."""


@dataclass(frozen=True, slots=True)
class DraftSession:
    """One session of the file, and where it stands in both configurations."""

    kind: SessionKind
    family: Literal["inet", "inet6"]
    place: Literal["link", "loopbacks"]
    internal: bool
    passive: str | None
    """The router that is passive; of two that are, neither: no session would come of it."""
    places: str
    hold_time: int | None = None
    """BGP's, in seconds: the lower one of both ends."""
    link: LinkEnd | None = None
    """The interface that it runs on; None between loopbacks, or where no text has its addresses."""
    vlan: int | None = None
    """The VLAN that it is played on; None: the link itself."""

    @property
    def name(self) -> str:
        """What the file knows it by: two sessions of a pair differ in one of these words."""
        if self.kind is SessionKind.LDP:
            return "labels"
        place = self.place if self.vlan is None else f"vlan{self.vlan}"
        return f"{'v6' if self.family == 'inet6' else 'v4'}-{place}"

    @property
    def remark(self) -> str:
        """Where it stands in both configurations, and what of it is not so in the file."""
        if self.vlan is None or (self.link is not None and self.link.vlan == self.vlan):
            return self.places
        return f"{self.places}; a link of its own, played as a VLAN of the one link"

    @property
    def is_word(self) -> bool:
        """Whether its kind, and the file's `family`, say all of it."""
        return self.place == "link" and self.vlan is None and not self.internal and self.passive is None

    def written(self, *, hold_time: int | None = None, chain: str | None = None) -> str:
        """Return the mapping that stands for it; the file's hold time and chain are left out where they are its own."""
        words = [f"{self.kind.value}: {self.name}"]
        if self.kind is SessionKind.BGP:
            words.append(f"family: {self.family}")
        if self.internal:
            words.append("type: internal")
        words.append(f"between: {self.place}")
        if self.vlan is not None:
            words.append(f"vlan: {self.vlan}")
        if self.passive is not None:
            words.append(f"passive: {self.passive}")
        if self.hold_time is not None and self.hold_time != hold_time:
            words.append(f"hold-time: {self.hold_time}")
        if chain is not None:
            words.append(f"chain: {chain}")
        return f"{{{', '.join(words)}}}"


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
        " and ".join(f"R{number}:{end.where.line}" for number, end in enumerate(ends, 1)),
        _hold_time(ends) if one.kind is SessionKind.BGP else None,
        link_of(ends, configurations) if on_link else None,
    )


def _hold_time(ends: Ends) -> int:
    """Return what both ends agree on (RFC 4271, section 4.2), as the file's field takes it."""
    configured = [BGP_HOLD if end.hold_time is None else end.hold_time.value for end in ends]
    return min(HOLD_TIMES.stop - 1, max(HOLD_TIMES.start, min(configured)))


def distinct(found: Sequence[DraftSession]) -> Iterator[tuple[int, DraftSession]]:
    """Yield the sessions that a lab can play beside each other, each link on a VLAN; of those with one name, the first.

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
    """Whether an end has the peer on one of its networks; where no end tells its addresses, what the type says."""
    told = False
    for end, configuration in zip(ends, configurations, strict=True):
        router = next((one for one in configuration.routers if one.name == end.router), None)
        if router is None or not isinstance(end.peer, IPv4Address | IPv6Address):
            continue
        networks = router.networks.get(end.instance)
        if networks is not None and networks.near(end.peer):
            return True
        told = told or bool(router.addresses.get(end.instance))
    bgp = ends[0].kind is SessionKind.BGP
    far = any(end.multihop or end.type == "internal" for end in ends)
    return not far if bgp else not told
