"""The BGP and LDP sessions that a router is configured for, each with its authentication in force and its place."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Generic, NamedTuple, TypeVar

from keyroll.configuration.addresses import Address, address_of
from keyroll.configuration.findings import Finding, Kind, Note, Path
from keyroll.configuration.inheritance import NOTHING, Lookup, View
from keyroll.configuration.placeholders import secret_of
from keyroll.errors import Where
from keyroll.keychain.secret import Secret
from keyroll.names import AuthenticationLevel, SessionKind

Network = IPv4Network | IPv6Network
T = TypeVar("T")

ALGORITHMS = frozenset(("md5", "hmac-sha-1-96", "aes-128-cmac-96", "ao"))
AO = "ao"
_EVERYONE = ("0.0.0.0/0", "::/0")
"""The prefixes that `allow all` stands for."""
_AUTHENTICATION = frozenset(
    ("authentication-algorithm", "authentication-key", "authentication-key-chain", "tcpao-auth-mismatch")
)
_VALUES = _AUTHENTICATION.union(
    (*("type", "local-as", "peer-as", "hold-time", "keepalive-timeout", "local-address", "transport-address"),)
)
_MARKS = frozenset(("multihop", "passive", "disable", "shutdown"))
"""Statements without a value: a session has them or not."""
_READ = _VALUES | _MARKS | {"family"}
"""All statements that are read at a level."""
# The largest numbers of two octets (RFC 4271, 4.2) and of four octets (RFC 6793).
_HOLD_TIME_MAX = 65535
_AS_MAX = 4294967295


class PeerKind(enum.Enum):
    """How a configuration names the other end."""

    ADDRESS = "address"
    """`neighbor A` or LDP's `session A`."""
    PREFIX = "prefix"
    """`allow P` or LDP's `session-group P`: any peer of that prefix."""
    DISCOVERED = "discovered"
    """`dynamic-neighbor … peer-auto-discovery`: the text does not name the peer."""


@dataclass(frozen=True, slots=True)
class Placed(Generic[T]):
    """A value in force, its place, and the configuration group that it comes from (None: the text itself)."""

    value: T
    where: Where
    group: str | None = None
    level: AuthenticationLevel | None = None
    """For BGP's authentication, the level that it is configured at. A `dynamic-neighbor` counts as a neighbor."""


@dataclass(frozen=True, slots=True)
class Authentication:
    """The authentication of a session: each statement is that of the neighbor, its group, or the protocol."""

    algorithm: Placed[str] | None = None
    """`authentication-algorithm`. None is Junos' default, hmac-sha-1-96, which is not TCP-AO."""
    chain: Placed[str] | None = None
    """`authentication-key-chain`: the chain's name."""
    md5: Placed[Secret] | None = None
    """`authentication-key`: TCP-MD5."""
    without_ao: Placed[str] | None = None
    """`tcpao-auth-mismatch allow-without-tcpao`: a peer without TCP-AO is accepted."""

    @property
    def ao(self) -> bool:
        """Whether the session is protected with TCP-AO."""
        return self.chain is not None and self.algorithm is not None and self.algorithm.value == AO


_UNPROTECTED = Authentication()


@dataclass(frozen=True, slots=True)
class Session:
    """One session; for a prefix or a discovered peer, one statement that represents any number of sessions.

    Its identity is `router`, `instance`, and the addresses. Ends of one session are found by `ends.match`.
    """

    kind: SessionKind
    router: str
    """The router's name; `host:system` for a logical system."""
    instance: str | None
    """The routing instance; None: the main instance."""
    group: str | None
    """BGP's group, or the name of the prefix or of the `dynamic-neighbor`, if any."""
    peer_kind: PeerKind
    peer: Address | Network | None
    """The other end's address, or the prefix; None for a discovered peer."""
    local: Address | None
    """`local-address`, or LDP's `transport-address`, if configured."""
    authentication: Authentication
    where: Where
    path: Path = field(repr=False)
    """Its path in the configuration."""
    type: str | None = None
    """`internal` or `external`, as configured."""
    local_as: int | None = None
    """The AS that it is opened with: `local-as`, else the router's AS."""
    local_as_where: Where | None = None
    """The place of its `local-as`; None: it has none."""
    own_as: Placed[int] | None = None
    """`routing-options autonomous-system` of its instance, else of the main one."""
    peer_as: int | None = None
    hold_time: Placed[int] | None = None
    """Seconds; LDP's `keepalive-timeout`. None is Junos' default (BGP 90, LDP 30)."""
    families: tuple[str, ...] = ()
    """Such as `inet unicast`; empty is Junos' default."""
    multihop: bool = False
    passive: bool = False
    disabled: bool = False
    doubts: tuple[Finding, ...] = field(default=(), repr=False)
    """The findings that affect it: with any, nothing about the session is certain."""

    @property
    def name(self) -> str:
        """A short description of the session for messages."""
        inside = f" in {self.instance}" if self.instance else ""
        peer = self.peer if self.peer is not None else f"discovered peers of {self.group}"
        return f"{self.kind.value.upper()} {self.router}{inside} to {peer}"


class _Place(NamedTuple):
    """What is the same for all sessions of a routing instance."""

    router: str
    instance: str | None
    own_as: Placed[int] | None
    note: Note
    where: Callable[[int], Where]


def sessions_of(
    instances: Sequence[tuple[str | None, View]], *, router: str, note: Note, where: Callable[[int], Where]
) -> Iterator[Session]:
    """Yield the sessions of a router, instance by instance; the first is the main one (None)."""
    main_as = _autonomous_system(instances[0][1], where)
    for name, inside in instances:
        number = main_as if name is None else _autonomous_system(inside, where)
        # Junos uses the main instance's AS if the instance has none.
        yield from _instance_sessions(inside, _Place(router, name, main_as if number is None else number, note, where))


def _instance_sessions(view: View, place: _Place) -> Iterator[Session]:
    protocols = view.below("protocols")
    if protocols.mentions("bgp"):
        yield from _bgp(protocols.below("bgp"), place)
    if protocols.mentions("ldp"):
        yield from _ldp(protocols.below("ldp"), place)


def _bgp(bgp: View, place: _Place) -> Iterator[Session]:
    outer = _ViewedLevel(bgp)
    for name, group in bgp.below("group").entries():
        inner = _ViewedLevel(group, outer)
        known: set[Address] = set()
        for peer, level in group.below("neighbor").entries():
            address = address_of(peer)
            if address is None:
                place.note(Kind.INVALID_VALUE, "invalid neighbor: use its address", level.line, group.path)
                continue
            if ":" in peer:  # an IPv6 address has several spellings, but they are one neighbor
                if address in known:
                    place.note(
                        Kind.CONFLICT, "this neighbor is configured twice, spelled differently", level.line, group.path
                    )
                known.add(address)
            yield _Reader(place, (_ViewedLevel(level, inner), inner, outer)).bgp(name, PeerKind.ADDRESS, address)
        if group.mentions("allow"):
            yield from _prefixes(_Reader(place, (inner, outer)), name, group)
        if group.mentions("dynamic-neighbor"):
            yield from _dynamic(name, group, (inner, outer), place)


def _dynamic(name: str, group: View, levels: tuple[_ViewedLevel, _ViewedLevel], place: _Place) -> Iterator[Session]:
    for _, level in group.below("dynamic-neighbor").entries():
        reader = _Reader(place, (_ViewedLevel(level, levels[0]), *levels))
        yield from _prefixes(reader, name, level)
        if not level.has("allow"):
            yield reader.bgp(name, PeerKind.DISCOVERED, None)


def _prefixes(reader: _Reader, name: str, level: View) -> Iterator[Session]:
    for allowed in level.values("allow"):
        for text in _EVERYONE if allowed.text == "all" else (allowed.text,):
            network = _network(text)
            if network is None:
                reader.place.note(Kind.INVALID_VALUE, "invalid 'allow': use a prefix or all", allowed.line, level.path)
                continue
            yield reader.bgp(name, PeerKind.PREFIX, network)


def _ldp(ldp: View, place: _Place) -> Iterator[Session]:
    outer = _ViewedLevel(ldp)
    for word, kind in (("session", PeerKind.ADDRESS), ("session-group", PeerKind.PREFIX)):
        for name, level in ldp.below(word).entries():
            peer: Address | Network | None = address_of(name) if kind is PeerKind.ADDRESS else _network(name)
            if peer is None:
                what = "its peer's address" if kind is PeerKind.ADDRESS else "a prefix"
                place.note(Kind.INVALID_VALUE, f"invalid {word}: use {what}", level.line, ldp.path)
                continue
            yield _Reader(place, (_ViewedLevel(level, outer), outer)).ldp(kind, peer)


_NOTHING_FOUND: Mapping[str, Lookup] = {}
_NOTHING_SAID: frozenset[str] = frozenset()


class _ViewedLevel:
    """The statements of one level about its sessions: read once for all its neighbors, maybe thousands."""

    __slots__ = ("families", "found", "marks", "said", "view")

    view: View
    found: Mapping[str, Lookup]
    marks: tuple[str, ...]
    families: tuple[str, ...]
    said: frozenset[str]
    """The words that occur at this level or at a level around it."""

    def __init__(self, view: View, outer: _ViewedLevel | None = None) -> None:
        self.view = view
        here = view.those_of(_READ)
        further = outer.said if outer is not None else _NOTHING_SAID
        if not here:  # most levels of most texts
            self.found, self.marks, self.families, self.said = _NOTHING_FOUND, (), (), further
            return
        self.found = {word: view.leaf(word) for word in here if word in _VALUES}
        self.marks = tuple(word for word in here if word in _MARKS and view.has(word))
        self.families = _families(view) if "family" in here else ()
        self.said = further.union(here)


def _families(view: View) -> tuple[str, ...]:
    family = view.below("family")
    return tuple(f"{name} {kind}".strip() for name in family.names() for kind in (family.below(name).names() or ("",)))


def _level_of(inwards: int) -> AuthenticationLevel:
    """Return the level that is `inwards` levels below `protocols bgp`; BGP sessions are two levels or more below it."""
    return _LEVELS[min(inwards, len(_LEVELS)) - 1]


_LEVELS = AuthenticationLevel.PROTOCOL, AuthenticationLevel.GROUP, AuthenticationLevel.NEIGHBOR


class _Reader:
    """Reads one session from its levels, the innermost first."""

    __slots__ = ("_levels", "place")

    def __init__(self, place: _Place, levels: tuple[_ViewedLevel, ...]) -> None:
        self.place = place
        self._levels = levels

    def bgp(self, group: str, kind: PeerKind, peer: Address | Network | None) -> Session:
        local_as, own_as = self._number("local-as"), self.place.own_as
        placed = None if local_as is None else self._leaf("local-as")
        return Session(
            SessionKind.BGP,
            self.place.router,
            self.place.instance,
            group,
            kind,
            peer,
            self._local("local-address"),
            self._authentication(self._levels),
            self._where(),
            self._levels[0].view.path,
            type=self._text("type", frozenset(("internal", "external"))),
            local_as=own_as.value if local_as is None and own_as is not None else local_as,
            local_as_where=None if placed is None else placed.where,
            own_as=own_as,
            peer_as=self._number("peer-as"),
            hold_time=self._hold_time("hold-time"),
            families=self._families(),
            multihop=self._has("multihop"),
            passive=self._has("passive"),
            disabled=self._has("disable") or self._has("shutdown"),
        )

    def ldp(self, kind: PeerKind, peer: Address | Network) -> Session:
        return Session(
            SessionKind.LDP,
            self.place.router,
            self.place.instance,
            None,
            kind,
            peer,
            self._local("transport-address"),
            # LDP's authentication is configured at the session only.
            self._authentication(self._levels[:1]),
            self._where(),
            self._levels[0].view.path,
            hold_time=self._hold_time("keepalive-timeout"),
        )

    def _where(self) -> Where:
        level = self._levels[0].view
        if not level.surely_here():
            doubt = next((layer.doubt for layer in level.layers if layer.doubt is not None), "")
            self.place.note(Kind.MAYBE, f"this session may not be in force: {doubt}", level.line, level.path)
        return self.place.where(level.line)

    def _leaf(self, word: str, levels: tuple[_ViewedLevel, ...] | None = None) -> Placed[str] | None:
        if word not in self._levels[0].said:
            return None
        # LDP has only one level, which is none of BGP's.
        placed = levels is self._levels
        levels = self._levels if levels is None else levels
        for outwards, level in enumerate(levels):
            found = level.found.get(word, NOTHING)
            for doubt in found.doubts:
                self.place.note(Kind.MAYBE, doubt, found.doubt_line, level.view.path)
            if found.value is not None:
                at = _level_of(len(levels) - outwards) if placed else None
                return Placed(found.value.text, self.place.where(found.value.line), found.value.group, at)
        return None

    def _authentication(self, levels: tuple[_ViewedLevel, ...]) -> Authentication:
        if self._levels[0].said.isdisjoint(_AUTHENTICATION):
            return _UNPROTECTED
        key = self._leaf("authentication-key", levels)
        algorithm = self._leaf("authentication-algorithm", levels)
        if algorithm is not None and algorithm.value not in ALGORITHMS:
            self._invalid("authentication-algorithm", algorithm, ", ".join(sorted(ALGORITHMS)))
        mismatch = self._leaf("tcpao-auth-mismatch", levels)
        if mismatch is not None and mismatch.value != "allow-without-tcpao":
            self._invalid("tcpao-auth-mismatch", mismatch, "allow-without-tcpao")
        return Authentication(
            algorithm,
            self._leaf("authentication-key-chain", levels),
            None if key is None else Placed(secret_of(key.value), key.where, key.group),
            mismatch,
        )

    def _invalid(self, word: str, value: Placed[str], allowed: str) -> None:
        self.place.note(
            Kind.INVALID_VALUE, f"{word}: invalid value: use {allowed}", value.where, self._levels[0].view.path
        )

    def _text(self, word: str, allowed: frozenset[str]) -> str | None:
        value = self._leaf(word)
        if value is not None and value.value not in allowed:
            self._invalid(word, value, ", ".join(sorted(allowed)))
        return None if value is None else value.value

    def _number(self, word: str) -> int | None:
        value = self._leaf(word)
        if value is None:
            return None
        number = as_number(value.value)
        if number is None:
            self._invalid(word, value, "a number, or two with a dot")
        return number

    def _hold_time(self, word: str) -> Placed[int] | None:
        value = self._leaf(word)
        if value is None:
            return None
        text = value.value
        if not (text.isascii() and text.isdecimal()) or len(text) > 5 or int(text) > _HOLD_TIME_MAX:  # noqa: PLR2004 - digits
            self._invalid(word, value, f"0 to {_HOLD_TIME_MAX} seconds")
            return None
        return Placed(int(text), value.where, value.group)

    def _local(self, word: str) -> Address | None:
        value = self._leaf(word)
        if value is None:
            return None
        address = address_of(value.value)
        # LDP's transport-address may also be `router-id` or `interface`, which are not addresses.
        if address is None and word == "local-address":
            self._invalid(word, value, "an address")
        return address

    def _has(self, word: str) -> bool:
        return word in self._levels[0].said and any(word in level.marks for level in self._levels)

    def _families(self) -> tuple[str, ...]:
        if "family" not in self._levels[0].said:
            return ()
        return next((level.families for level in self._levels if level.families), ())


def as_number(text: str) -> int | None:
    """Return an AS number, plain or with a dot (RFC 5396), or None."""
    high, dot, low = text.partition(".")
    parts = (high, low) if dot else ("0", high)
    if not all(part.isascii() and part.isdecimal() and len(part) <= 10 for part in parts):  # noqa: PLR2004 - digits
        return None
    number = (int(parts[0]) << 16) + int(parts[1])
    return number if number <= _AS_MAX else None


def _autonomous_system(view: View, where: Callable[[int], Where]) -> Placed[int] | None:
    if not view.mentions("routing-options"):
        return None
    value = view.below("routing-options").leaf("autonomous-system").value
    number = None if value is None else as_number(value.text)
    return None if value is None or number is None else Placed(number, where(value.line), value.group)


def _network(text: str) -> Network | None:
    try:
        return ip_network(text, strict=False)
    except ValueError:
        return None
