"""The two routers' Junos configurations as the source of keys: addresses, neighbours, LDP sessions, and their chains.

    book = config_book([ConfigSource(path=Path("R1.conf")), ConfigSource(path=Path("R2.conf"))])

Read from each text, in set or curly form: `interfaces … address`, `protocols bgp … neighbor` and `local-address`,
`protocols ldp session`, each with its `authentication-algorithm ao` and `authentication-key-chain` (inherited from the
group and from `protocols bgp`), `system host-name`, and the chains (`harness.keychain.junostext`). Where a text holds
a bare chain, `address` says whose it is.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_interface, ip_network
from pathlib import Path

from harness.capture.lanes import (
    BGP_PORT,
    LDP_PORT,
    Address,
    Clock,
    Lane,
    Speaker,
    received_keys,
    sent_keys,
    unknown_clock,
)
from harness.errors import InputError, Where
from harness.keychain.junostext import parse
from harness.keychain.model import Keychain
from harness.keychain.schedule import Receiving

_SET_LINE = re.compile(r"^\s*(set|activate|deactivate|delete)\s+(.*)$")
_WORD = re.compile(r'"(?:[^"\\]|\\.)*"|[{};\[\]]|[^\s{};\[\]"]+|"')
_STRING_OR_COMMENT = re.compile(r'"(?:[^"\\]|\\.)*"|/\*.*?\*/|#[^\n]*', re.DOTALL)
_MARKS = frozenset("{};[]")
_INSTANCES = frozenset({"routing-instances", "logical-systems"})
_AO = "ao"


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

    peer: str
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
            network = ip_network(session.peer, strict=False)
            # The longest prefix wins, and of equals the later: a session before its session-group.
            if session.port == port and peer in network and (best is None or network.prefixlen >= best[0]):
                best = network.prefixlen, session.chain
        return self.chains.get(best[1]) if best else None


class ConfigBook:
    """The book of two or more configurations; see `harness.capture.lanes.Book`."""

    def __init__(self, lanes: dict[tuple[bytes, bytes, int], Lane]) -> None:
        self._lanes = lanes

    def lane(self, src: bytes, dst: bytes, sport: int | None, dport: int | None) -> Lane | None:
        """Return the lane of a BGP or LDP session between two routers' addresses that either of them protects."""
        ports: Iterable[int | None] = (dport, sport) if sport is not None else (BGP_PORT, LDP_PORT)
        for port in ports:
            lane = self._lanes.get((src, dst, port)) if port is not None else None
            if lane is not None:
                return lane
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
    lanes: dict[tuple[bytes, bytes, int], Lane] = {}
    for near in routers:
        for far in routers:
            if near is far:
                continue
            for src in near.addresses:
                for dst in far.addresses:
                    for port in (BGP_PORT, LDP_PORT):
                        lane = _lane(near, far, src, dst, port, receiving, clock)
                        if lane is not None:
                            lanes[src.packed, dst.packed, port] = lane
    if not lanes:
        raise ConfigError(
            "no session of one configuration, protected with TCP-AO, is with an address of another",
            where=Where.of(sources[0].path),
            remedy="give both routers' configurations, or ADDRESS=FILE where a file holds a bare chain",
        )
    return ConfigBook(lanes)


def _lane(
    near: RouterConfig,
    far: RouterConfig,
    src: Address,
    dst: Address,
    port: int,
    receiving: Receiving,
    clock: Clock,
) -> Lane | None:
    if src.version != dst.version:
        return None
    sending, accepting = near.chain_for(dst, port), far.chain_for(src, port)
    if sending is None and accepting is None:
        return None
    empty = Keychain("none")
    sender = Speaker(near.name, frozenset({src}), sending or empty, receiving, clock)
    receiver = Speaker(far.name, frozenset({dst}), accepting or empty, receiving, clock)
    return Lane(near.name, far.name, sent_keys(sender), received_keys(receiver), clock)


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
    config = _statements_to_config(path.stem, statements(text))
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


def statements(text: str) -> Iterator[tuple[str, ...]]:
    """Yield a configuration's statements as paths of words, in either form; deactivated ones are left out.

    Tolerant: what is not well formed is the chains' parser's to refuse.
    """
    if any(_SET_LINE.match(line) for line in text.splitlines()):
        yield from _set_statements(text)
    else:
        yield from _curly_statements(text)


def _set_statements(text: str) -> Iterator[tuple[str, ...]]:
    found: dict[tuple[str, ...], None] = {}
    inactive: list[tuple[str, ...]] = []
    for line in text.splitlines():
        match = _SET_LINE.match(line)
        if match is None:
            continue
        verb, words = match[1], tuple(_plain(word) for word in _WORD.findall(match[2]))
        if verb == "set":
            found[words] = None
        elif verb == "deactivate":
            inactive.append(words)
        elif verb == "activate":
            inactive = [path for path in inactive if path != words]
        else:
            found = {path: None for path in found if path[: len(words)] != words}
    for path in found:
        if not any(path[: len(gone)] == gone for gone in inactive):
            yield path


def _curly_statements(text: str) -> Iterator[tuple[str, ...]]:
    text = _STRING_OR_COMMENT.sub(lambda found: found[0] if found[0].startswith('"') else " ", text)
    path: list[tuple[str, ...]] = []
    words: list[str] = []
    for word in _WORD.findall(text):
        if word not in _MARKS:
            words.append(_plain(word))
            continue
        if word == "{":
            path.append(tuple(words))
        elif word == "}":
            del path[-1:]
        elif word == ";":
            levels = (*path, tuple(words))
            if not any(level[:1] == ("inactive:",) for level in levels):
                yield tuple(itertools.chain.from_iterable(levels))
        else:  # brackets around a list of values
            continue
        words = []


def _plain(word: str) -> str:
    return word[1:-1] if len(word) > 1 and word[0] == word[-1] == '"' else word


@dataclass(slots=True)
class _Authentication:
    """The statements of one level of BGP or LDP; None is "inherited"."""

    algorithm: str | None = None
    chain: str | None = None
    local: Address | None = None


def _statements_to_config(name: str, paths: Iterable[tuple[str, ...]]) -> RouterConfig:
    config = RouterConfig(name)
    levels: dict[tuple[str, ...], _Authentication] = {}
    neighbors: dict[tuple[str, ...], str] = {}
    for statement in paths:
        path = statement
        while path[:1] and path[0] in _INSTANCES:
            path = path[2:]
        if path[:2] == ("system", "host-name") and len(path) > 2:  # noqa: PLR2004 -- the name itself
            config.name = path[2]
        elif path[:1] == ("interfaces",):
            config.addresses.update(_interface_addresses(path))
        elif path[:2] in {("protocols", "bgp"), ("protocols", "ldp")}:
            level, rest = _split_level(path)
            if level[-2:-1] in {("neighbor",), ("session",), ("session-group",)}:
                neighbors[level] = level[-1]
            _note(levels.setdefault(level, _Authentication()), rest)
    for level, peer in neighbors.items():
        session = _session(level, peer, levels)
        if session is not None:
            config.sessions.append(session)
            if session.local is not None:
                config.addresses.add(session.local)
    return config


def _interface_addresses(path: tuple[str, ...]) -> Iterator[Address]:
    """Yield the address of `interfaces X unit N family inet address A/L …`, where `path` is one."""
    for family, word, value in zip(path, path[1:], path[2:], strict=False):
        if word == "address" and family in {"inet", "inet6"}:
            try:
                yield ip_interface(value).ip
            except ValueError:
                return


def _split_level(path: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Split a BGP or LDP statement into the level that it stands at and the rest."""
    level = 2
    while level + 1 < len(path) and path[level] in {"group", "neighbor", "session", "session-group"}:
        level += 2
    return path[:level], path[level:]


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
    return Protected(str(network), BGP_PORT if level[1] == "bgp" else LDP_PORT, chain, local)
