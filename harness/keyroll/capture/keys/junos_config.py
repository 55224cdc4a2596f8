"""The two routers' Junos configurations as the source of keys: addresses, neighbours, LDP sessions, and their chains.

    book = config_book([ConfigSource(path=Path("R1.conf")), ConfigSource(path=Path("R2.conf"))])

Read from each text, in set or curly form: `interfaces … address`, `protocols bgp … neighbor` and `local-address`,
`protocols ldp session`, each with its `authentication-algorithm ao` and `authentication-key-chain` (inherited from the
group and from `protocols bgp`), `allow` for neighbours that are not configured one by one, `system host-name`, and the
chains (`keyroll.keychain.junostext`). Where a text holds a bare chain, `address` says whose it is.

Configuration groups are not expanded. Addresses in them count; sessions and authentication that come from an applied
group are refused, because a session left out here would be a session that nobody judges.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_interface, ip_network
from pathlib import Path

from keyroll.capture.keys.book import (
    BGP_PORT,
    LDP_PORT,
    SESSION_PORTS,
    Address,
    Clock,
    DirectionKeys,
    Speaker,
    received_keys,
    sent_keys,
    unknown_clock,
)
from keyroll.capture.keys.junos_statements import statements
from keyroll.errors import InputError, Where
from keyroll.keychain.junostext import parse
from keyroll.keychain.model import Keychain
from keyroll.names import Receiving

_INSTANCES = frozenset({"routing-instances", "logical-systems"})
_AO = "ao"
_LEVELS = frozenset({"group", "neighbor", "session", "session-group"})
_EVERYONE = ("0.0.0.0/0", "::/0")
"""What `allow all` means."""
_DECIDING = frozenset(
    {"authentication-algorithm", "authentication-key-chain", "neighbor", "session", "session-group", "allow"}
)
"""Statements of BGP and LDP that decide which sessions are protected."""


class ConfigError(InputError):
    """A router's configuration cannot serve as a source of keys; the message says what it lacks."""


@dataclass(frozen=True, slots=True)
class ConfigSource:
    """One router's text: a whole configuration, or a bare chain with the router's address."""

    path: Path
    address: Address | None = None


@dataclass(frozen=True, slots=True)
class Protected:
    """A session that a router protects with TCP-AO: with whom (an address or a prefix), on which port, which chain."""

    peer: IPv4Network | IPv6Network
    port: int
    chain: str
    local: Address | None = None


@dataclass(slots=True)
class RouterConfig:
    """What one configuration says."""

    name: str
    addresses: set[Address] = field(default_factory=set)
    sessions: list[Protected] = field(default_factory=list)
    chains: dict[str, Keychain] = field(default_factory=dict)
    bare: bool = False
    """Whether it is only a chain, for any peer and both ports."""

    def chain_for(self, peer: Address, port: int) -> Keychain | None:
        """Return the chain for a session with `peer` on `port`, or None where it is not protected."""
        if self.bare:
            return next(iter(self.chains.values()))
        best: tuple[int, str] | None = None
        for session in self.sessions:
            length = session.peer.prefixlen
            # The longest prefix wins, and of equals the later: a session before its session-group.
            if session.port == port and peer in session.peer and (best is None or length >= best[0]):
                best = length, session.chain
        return self.chains.get(best[1]) if best else None


class ConfigBook:
    """The book of two or more configurations; see `keyroll.capture.keys.book.Book`."""

    def __init__(self, directions: dict[tuple[bytes, bytes, int], DirectionKeys]) -> None:
        self._directions = directions

    def keys_for(self, src: bytes, dst: bytes, sport: int | None, dport: int | None) -> DirectionKeys | None:
        """Return the keys of a BGP or LDP session between two routers' addresses that either of them protects."""
        ports: Iterable[int | None] = (dport, sport) if sport is not None else (BGP_PORT, LDP_PORT)
        for port in ports:
            keys = self._directions.get((src, dst, port)) if port is not None else None
            if keys is not None:
                return keys
        return None


def config_book(
    sources: Sequence[ConfigSource], *, receiving: Receiving = Receiving.TOLERANCE, clock: Clock = unknown_clock
) -> ConfigBook:
    """Read the configurations and pair the routers' sessions.

    Args:
        sources: one for each router, at least two.
        receiving: how the routers decide which keys they accept.
        clock: from a capture's time stamp to the routers' clocks; `unknown_clock` where nothing is known.

    Raises:
        ConfigError: a text lacks what is needed, or no session of one meets an address of another.
        InputError: a text cannot be read; names line and column.
    """
    routers = [read_config(source) for source in sources]
    directions: dict[tuple[bytes, bytes, int], DirectionKeys] = {}
    for near, far in itertools.permutations(routers, 2):
        for port in (BGP_PORT, LDP_PORT):
            made: dict[tuple[str | None, str | None], DirectionKeys] = {}
            sending = {dst: near.chain_for(dst, port) for dst in far.addresses}
            accepting = {src: far.chain_for(src, port) for src in near.addresses}
            for (src, theirs), (dst, ours) in itertools.product(accepting.items(), sending.items()):
                if src.version != dst.version or (ours is None and theirs is None):
                    continue
                name = (ours.name if ours else None, theirs.name if theirs else None)
                if name not in made:
                    made[name] = _direction_keys(near, far, ours, theirs, receiving, clock, SESSION_PORTS[port])
                directions[src.packed, dst.packed, port] = made[name]
    if not directions:
        raise ConfigError(
            "no session of one configuration, protected with TCP-AO, is with an address of another",
            where=Where.of(sources[0].path),
            remedy="give both routers' configurations, or ADDRESS=FILE where a file holds a bare chain",
        )
    return ConfigBook(directions)


def _direction_keys(
    near: RouterConfig,
    far: RouterConfig,
    sending: Keychain | None,
    accepting: Keychain | None,
    receiving: Receiving,
    clock: Clock,
    session: str,
) -> DirectionKeys:
    empty = Keychain("none")
    sender = Speaker(near.name, frozenset(near.addresses), sending or empty, receiving, clock)
    receiver = Speaker(far.name, frozenset(far.addresses), accepting or empty, receiving, clock)
    return DirectionKeys(near.name, far.name, sent_keys(sender), received_keys(receiver), clock, session)


def read_config(source: ConfigSource) -> RouterConfig:
    """Read one router's text.

    Raises:
        ConfigError: it holds no chain; it is not a bare chain and has no addresses or no protected session; a session
            names a chain that is not there.
        InputError: it cannot be read.
    """
    path = source.path
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise ConfigError("this is not a text file in UTF-8", where=Where.of(path)) from None
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror or error}", where=Where.of(path)) from None
    chains = {chain.name: chain for chain in parse(text, source=str(path))}
    if not chains:
        raise ConfigError(
            "holds no key chain", where=Where.of(path), remedy="`security authentication-key-chains` is what is read"
        )
    if source.address is not None:
        if len(chains) > 1:
            raise ConfigError(
                f"ADDRESS=FILE takes one chain, this file has {', '.join(chains)}",
                where=Where.of(path),
                remedy="give the whole configuration without ADDRESS=, or cut the file to one chain",
            )
        return RouterConfig(str(source.address), {source.address}, [], chains, bare=True)
    config = _statements_to_config(path, statements(text, source=str(path)))
    config.chains = chains
    _check(config, path)
    return config


def _check(config: RouterConfig, path: Path) -> None:
    if not config.addresses:
        raise ConfigError(
            "holds no interface address",
            where=Where.of(path),
            remedy="where the file is a bare chain, say whose it is: ADDRESS=FILE",
        )
    for session in config.sessions:
        if session.chain not in config.chains:
            raise ConfigError(
                f"the session with {session.peer} names key-chain {session.chain}, which is not there",
                where=Where.of(path),
            )


@dataclass(slots=True)
class _Authentication:
    """The statements of one level of BGP or LDP; None is "inherited"."""

    algorithm: str | None = None
    chain: str | None = None
    local: Address | None = None


def _statements_to_config(path: Path, found: Iterable[tuple[str, ...]]) -> RouterConfig:
    config = RouterConfig(path.stem)
    levels: dict[tuple[str, ...], _Authentication] = {}
    neighbors: dict[tuple[str, ...], str] = {}
    groups: set[str] = set()
    applied: set[str] = set()
    for statement in found:
        if "apply-groups" in statement:
            applied.update(statement[statement.index("apply-groups") + 1 :])
        words = _inner(statement[2:]) if statement[:1] == ("groups",) else _inner(statement)
        if words[:2] not in {("protocols", "bgp"), ("protocols", "ldp")}:
            _note_router(config, statement, words)
        elif statement[:1] == ("groups",):
            if _DECIDING.intersection(words[2:]):
                groups.add(statement[1])
        else:
            for level, rest in _levels(words):
                neighbors.update(_neighbors(level, rest))
                _note(levels.setdefault(level, _Authentication()), rest)
    _check_groups(path, groups & applied)
    for level, peer in neighbors.items():
        session = _session(level, peer, levels)
        if session is not None:
            config.sessions.append(session)
            if session.local is not None:
                config.addresses.add(session.local)
    return config


def _note_router(config: RouterConfig, statement: tuple[str, ...], words: tuple[str, ...]) -> None:
    """Take the router's name and addresses from a statement, if it is about them; `words` are without its groups."""
    if words[:1] == ("interfaces",):
        config.addresses.update(_interface_addresses(words))
    elif statement[:2] == ("system", "host-name") and len(statement) > 2:  # noqa: PLR2004 -- the name itself
        config.name = statement[2]


def _inner(path: tuple[str, ...]) -> tuple[str, ...]:
    """Return a statement without the routing instances and logical systems that it stands in."""
    while path[:1] and path[0] in _INSTANCES:
        path = path[2:]
    return path


def _check_groups(path: Path, deciding: AbstractSet[str]) -> None:
    if deciding:
        raise ConfigError(
            f"sessions or their authentication come from the applied group {', '.join(sorted(deciding))}, and groups "
            "are not expanded here",
            where=Where.of(path),
            remedy="write them out, as `show configuration | display inheritance` does, without `groups`",
        )


def _interface_addresses(path: tuple[str, ...]) -> Iterator[Address]:
    """Yield the address of `interfaces X unit N family inet address A/L …`, where `path` is one."""
    for family, word, value in zip(path, path[1:], path[2:], strict=False):
        if word == "address" and family in {"inet", "inet6"}:
            try:
                yield ip_interface(value).ip
            except ValueError:
                return


def _levels(path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], tuple[str, ...]]]:
    """Yield each level of BGP or LDP that a statement goes to, with what it says there.

    It is one, but where somebody writes several attributes on one line (`… group g peer-as 1 neighbor 10.0.0.1`).
    """
    level, place = path[:2], 2
    while True:
        while place + 1 < len(path) and path[place] in _LEVELS:
            level, place = (*level, *path[place : place + 2]), place + 2
        end = next((at for at in range(place + 2, len(path) - 1, 2) if path[at] in _LEVELS), len(path))
        yield level, path[place:end]
        if end == len(path):
            return
        place = end


def _neighbors(level: tuple[str, ...], rest: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield the peers that a statement names, each with its level: a neighbour's own, or one below for `allow`."""
    if level[-2] in _LEVELS and level[-2] != "group":
        yield level, level[-1]
    if rest[:1] == ("allow",):
        for peer in rest[1:]:
            for prefix in _EVERYONE if peer == "all" else (peer,):
                yield (*level, "allow", prefix), prefix


def _note(level: _Authentication, rest: tuple[str, ...]) -> None:
    for statement, value in itertools.pairwise(rest):
        if statement == "authentication-algorithm":
            level.algorithm = value
        elif statement == "authentication-key-chain":
            level.chain = value
        elif statement == "local-address":
            try:
                level.local = ip_address(value)
            except ValueError:
                continue


def _session(level: tuple[str, ...], peer: str, levels: dict[tuple[str, ...], _Authentication]) -> Protected | None:
    """Return the protected session of a neighbour, with what it inherits; None where it has no TCP-AO."""
    algorithm = chain = None
    local: Address | None = None
    for end in range(2, len(level) + 1, 2):
        here = levels.get(level[:end], _Authentication())
        algorithm, chain, local = here.algorithm or algorithm, here.chain or chain, here.local or local
    if algorithm != _AO or chain is None:
        return None
    try:
        network = ip_network(peer, strict=False)
    except ValueError:
        return None
    return Protected(network, BGP_PORT if level[1] == "bgp" else LDP_PORT, chain, local)
