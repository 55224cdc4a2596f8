"""Get keys from the routers' Junos configurations: the sessions between them and their key-chains. Pure.

    book = config_book([ConfigSource("R1.conf", text), ConfigSource("R2.conf", other_text)])
    book.notes                        # what cannot be judged with any capture

`keyroll.configuration` reads the texts: it handles groups, routing instances, logical systems, redacted secrets and
damaged lines. A session is protected if either end has `authentication-algorithm ao` and a key-chain. If a source holds
a key-chain alone, `address` gives its router.

**Unknown is not a value.** If the other end of a protected session is missing, its chain is not defined, or the text is
ambiguous, its segments are never called bad: the direction's `doubt` says why.
"""

from __future__ import annotations

import itertools
from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, tzinfo
from ipaddress import IPv4Network, IPv6Network, ip_address

from keyroll.capture.keys.book import (
    SESSION_PORTS,
    Address,
    Clock,
    DirectionKeys,
    Speaker,
    received_keys,
    sent_keys,
    unknown_clock,
)
from keyroll.configuration import (
    Alone,
    Chain,
    Configuration,
    Finding,
    Kind,
    PeerKind,
    Router,
    Session,
    Single,
    in_own_zone,
)
from keyroll.configuration import match as match_ends
from keyroll.configuration import read as read_configuration
from keyroll.errors import InputError, Where
from keyroll.keychain.model import Keychain
from keyroll.names import Receiving

_PORT_OF = {name: port for port, name in SESSION_PORTS.items()}
_NETWORKS = (IPv4Network, IPv6Network)
_CHAINS = ("security", "authentication-key-chains", "key-chain")
_CACHED_MAX = 10_000
"""Address pairs for which the prefix match is cached; the limit bounds memory in a scan of forged addresses."""
_NO_CHAIN = Keychain("none")

_Place = tuple[bytes, bytes, int]
"""Packed source and destination, and the session's well-known port."""


class ConfigError(InputError):
    """The configurations give no keys; the message says what is missing."""


@dataclass(frozen=True, slots=True)
class ConfigSource:
    """One router's text: a whole configuration, or a key-chain alone with the router's address."""

    name: str
    """The file's name, for messages."""
    text: str
    address: Address | None = None


@dataclass(frozen=True, slots=True)
class _End:
    """One end of a session: its router's name, its chain (empty if it has none), and why that is uncertain."""

    name: str
    chain: Keychain
    protected: bool
    doubt: str | None = None


@dataclass(frozen=True, slots=True)
class _Prefix:
    """A session with any peer in a prefix; the peer's configuration is not given."""

    network: IPv4Network | IPv6Network
    local: frozenset[Address]
    port: int
    outgoing: DirectionKeys
    incoming: DirectionKeys


class ConfigBook:
    """The book of two or more configurations; see `keyroll.capture.keys.book.Book`."""

    def __init__(
        self, directions: dict[_Place, DirectionKeys], prefixes: Sequence[_Prefix], notes: Sequence[str]
    ) -> None:
        self._directions = directions
        self._prefixes = tuple(prefixes)
        self._inside: dict[_Place, DirectionKeys | None] = {}
        self.notes = tuple(notes)
        """What cannot be judged, one sentence each. With any entry, the result as a whole is not good."""

    @property
    def ports(self) -> Container[int | None]:
        """The ports of BGP and LDP."""
        return SESSION_PORTS

    def keys_for(self, src: bytes, dst: bytes, sport: int | None, dport: int | None) -> DirectionKeys | None:
        """Return the keys of a BGP or LDP session between two routers' addresses that either of them protects."""
        ports: Iterable[int | None] = (dport, sport) if sport is not None else SESSION_PORTS
        for port in ports:
            if port is not None and port in SESSION_PORTS:
                keys = self._directions.get((src, dst, port)) or self._in_prefix((src, dst, port))
                if keys is not None:
                    return keys
        return None

    def _in_prefix(self, place: _Place) -> DirectionKeys | None:
        if not self._prefixes:
            return None
        if place not in self._inside:
            if len(self._inside) > _CACHED_MAX:
                self._inside.clear()
            self._inside[place] = next(self._containing(place), None)
        return self._inside[place]

    def _containing(self, place: _Place) -> Iterator[DirectionKeys]:
        src, dst = ip_address(place[0]), ip_address(place[1])
        for prefix in self._prefixes:
            if prefix.port == place[2]:
                if src in prefix.local and dst in prefix.network:
                    yield prefix.outgoing
                if dst in prefix.local and src in prefix.network:
                    yield prefix.incoming


def config_book(
    sources: Sequence[ConfigSource],
    *,
    receiving: Receiving = Receiving.TOLERANCE,
    clock: Clock = unknown_clock,
    zone: tzinfo = UTC,
) -> ConfigBook:
    """Read the configurations and find the sessions between them.

    Args:
        sources: one for each router; a single text is enough if it holds logical systems.
        receiving: how the routers decide which keys they accept.
        clock: from a capture's time stamp to the routers' clock; `unknown_clock` if nothing is known of it.
        zone: the time zone of start-times without one, on routers without a `time-zone`.

    Raises:
        ConfigError: no session is protected with TCP-AO.
        ConfigurationError: a text is not a Junos configuration; names file and line.
    """
    whole = [
        in_own_zone(read_configuration(source.text, source.name, zone=zone))
        for source in sources
        if source.address is None
    ]
    builder = _BookBuilder(receiving, clock)
    bare = [(source.address, _bare_end(source)) for source in sources if source.address is not None]
    routers = [router for configuration in whole for router in configuration.routers]
    owners = {id(session): router for router in routers for session in router.sessions}
    ends = match_ends(routers)
    for link in ends.links:
        one, other = (_session_end(session, owners[id(session)]) for session in (link.one, link.other))
        builder.add(one, other, link.one_address, link.other_address, link.one.kind.value)
    for single in ends.singles:
        builder.add_single(single, owners[id(single.session)], dict(bare))
    for (address, end), (other_address, other_end) in itertools.combinations(bare, 2):
        builder.add_bare(end, other_end, address, other_address)
    for (address, end), router in itertools.product(bare, routers):
        for local in router.all_addresses():
            builder.add_bare(end, _End(router.name, _NO_CHAIN, protected=False), address, local)
    builder.notes += [note for configuration in whole for note in _configuration_notes(configuration, builder.chains)]
    if not builder.directions and not builder.prefixes and not builder.notes:
        raise _no_session(sources, routers)
    return ConfigBook(builder.directions, builder.prefixes, list(dict.fromkeys(builder.notes)))


class _BookBuilder:
    """Collects the directions of all sessions, their notes, and the chains they use."""

    def __init__(self, receiving: Receiving, clock: Clock) -> None:
        self._receiving = receiving
        self._clock = clock
        self.directions: dict[_Place, DirectionKeys] = {}
        self.prefixes: list[_Prefix] = []
        self.notes: list[str] = []
        self.chains: set[str] = set()
        """Names of the chains that sessions use."""
        self._ends: dict[_Place, tuple[_End, _End]] = {}

    def add(self, one: _End, other: _End, address: Address, peer: Address, session: str) -> None:
        """Add both directions of a session between two addresses."""
        for near, far, src, dst in ((one, other, address, peer), (other, one, peer, address)):
            place = (src.packed, dst.packed, _PORT_OF[session])
            before = self._ends.setdefault(place, (near, far))
            if not any(end.protected for end in (*before, near, far)):
                continue
            self.chains |= {end.chain.name for end in (near, far) if end.protected}
            keys = self._keys(near, far, session)
            if any(new.chain is not old.chain for new, old in zip((near, far), before, strict=True)):
                doubt = f"Two sessions are between {src} and {dst}, and their keys differ."
                keys = replace(self.directions.get(place, keys), doubt=doubt)
            self.directions[place] = keys
            self.notes += [end.doubt for end in (near, far) if end.doubt is not None]

    def add_bare(self, one: _End, other: _End, address: Address, peer: Address) -> None:
        """Add both sessions (BGP and LDP) that two addresses may have, unless they are known already."""
        if address.version == peer.version and address != peer:
            for port, session in SESSION_PORTS.items():
                if (address.packed, peer.packed, port) not in self._ends:
                    self.add(one, other, address, peer, session)

    def add_single(self, single: Single, router: Router, bare: dict[Address, _End]) -> None:
        """Add a session whose other end is not configured."""
        session = single.session
        end = _session_end(session, router)
        if not end.protected:
            return
        if single.reason is Alone.DISCOVERED:
            self.notes.append(f"{session.where}: {session.name}, protected with TCP-AO: {single.reason.value}.")
            return
        name = session.kind.value
        locals_ = _locals(session, router)
        for (address, other), local in itertools.product(bare.items(), locals_):
            if address == session.peer or (isinstance(session.peer, _NETWORKS) and address in session.peer):
                self.add(end, other, local, address, name)
        missing = _End("?", _NO_CHAIN, protected=False)
        if single.router is not None:
            missing = replace(missing, name=single.router.name)
        doubt = None if single.router is not None else f"{session.name}: {single.reason.value} ({session.where})."
        outgoing = replace(self._keys(end, missing, name), doubt=doubt or end.doubt)
        incoming = replace(self._keys(missing, end, name), doubt=doubt or end.doubt)
        self.chains.add(end.chain.name)
        if isinstance(session.peer, _NETWORKS):
            self.prefixes.append(_Prefix(session.peer, locals_, _PORT_OF[name], outgoing, incoming))
        elif session.peer is not None:
            for local in locals_:
                self.directions.setdefault((local.packed, session.peer.packed, _PORT_OF[name]), outgoing)
                self.directions.setdefault((session.peer.packed, local.packed, _PORT_OF[name]), incoming)

    def _keys(self, sender: _End, receiver: _End, session: str) -> DirectionKeys:
        sent = sent_keys(Speaker(sender.name, frozenset(), sender.chain, self._receiving, self._clock))
        received = received_keys(Speaker(receiver.name, frozenset(), receiver.chain, self._receiving, self._clock))
        return DirectionKeys(
            sender.name, receiver.name, sent, received, self._clock, session, sender.doubt or receiver.doubt
        )


def _session_end(session: Session, router: Router) -> _End:
    """Return one end, with the first reason why it is uncertain."""
    authentication = session.authentication
    doubts = _without_secrets(session.doubts)
    if not authentication.ao or authentication.chain is None:
        return _End(router.name, _NO_CHAIN, protected=bool(doubts), doubt=_first(doubts))
    name = authentication.chain.value
    chain = router.chain(name)
    if chain is None:
        doubt = f"{authentication.chain.where}: key-chain {name} is not defined in this text."
        return _End(router.name, Keychain(name), protected=True, doubt=doubt)
    doubts += _without_secrets(chain.doubts)
    return _End(router.name, chain.keychain, protected=True, doubt=_first(doubts))


def _bare_end(source: ConfigSource) -> _End:
    chains: list[Chain] = [
        chain for router in in_own_zone(read_configuration(source.text, source.name)).routers for chain in router.chains
    ]
    if len(chains) != 1:
        held = ", ".join(chain.name for chain in chains) or "none"
        raise ConfigError(
            f"ADDRESS=FILE takes one key-chain, this file has {held}",
            where=Where(source.name),
            remedy="give the whole configuration without ADDRESS=, or cut the file to one chain",
        )
    doubt = _first(_without_secrets(chains[0].doubts))
    return _End(str(source.address), chains[0].keychain, protected=True, doubt=doubt)


def _without_secrets(doubts: Iterable[Finding]) -> list[Finding]:
    # An unknown secret leaves only the segments of its own key unjudged.
    return [doubt for doubt in doubts if doubt.kind is not Kind.SECRET_UNKNOWN]


def _first(doubts: Sequence[Finding]) -> str | None:
    return f"{doubts[0]}." if doubts else None


def _configuration_notes(configuration: Configuration, chains: set[str]) -> Iterator[str]:
    """Yield findings that may hide a session or change a chain in use: with them, not all sessions are known."""
    for doubt in _without_secrets(configuration.doubts):
        other = _chain_of(doubt)
        if other is None or other in chains:
            yield f"{doubt}."


def _chain_of(doubt: Finding) -> str | None:
    """Return the name of the chain that a finding is about; None where it may be about any."""
    places = (at for at in range(len(doubt.path) - len(_CHAINS)) if doubt.path[at:][: len(_CHAINS)] == _CHAINS)
    return next((doubt.path[at + len(_CHAINS)] for at in places), None)


def _locals(session: Session, router: Router) -> frozenset[Address]:
    """Return the addresses that a router may have in a session: configured, on the peer's network, or any."""
    if session.local is not None:
        return frozenset((session.local,))
    peer = session.peer
    held = router.addresses.get(session.instance, frozenset())
    if peer is None or session.peer_kind is PeerKind.PREFIX or isinstance(peer, _NETWORKS):
        return frozenset(address for address in held if peer is None or address.version == peer.version)
    towards = router.locals_towards(session, peer)
    return frozenset(address for address in towards if address.version == peer.version)


def _no_session(sources: Sequence[ConfigSource], routers: Sequence[Router]) -> ConfigError:
    message = "no session of these configurations is protected with TCP-AO"
    remedy = "give both routers' configurations, or ADDRESS=FILE for a file that holds a key-chain alone"
    if not any(router.all_addresses() for router in routers) and routers:
        return ConfigError(
            "holds no interface address",
            where=Where(sources[0].name),
            remedy="if the file holds a key-chain alone, name its router: ADDRESS=FILE",
        )
    for one, other in itertools.combinations(routers, 2):
        shared = sorted(one.all_addresses() & other.all_addresses(), key=str)
        if shared:
            message = f"{message}; {one.name} and {other.name} both have the address {shared[0]}"
            break
    return ConfigError(message, where=Where(sources[0].name), remedy=remedy)
