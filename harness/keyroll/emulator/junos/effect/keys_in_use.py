"""Keychains in use: which changes a commit may make to a session that is up (docs/junos.md 2.3, Juniper's usage rules).

Juniper's page states that a session has one TCP-AO keychain for its lifetime, that send-id and recv-id of the active
key of a connection in use cannot be changed, that other parameters may change and apply to new connections, and that
keys may be added at any time. It does not state what a router does with a commit that breaks these rules, and no commit
error is known. So the commit succeeds, and:

- `repoint`: a session that is up keeps its chain until its connection ends, or changes at once;
- `alteration`: a connection in use keeps the former ids, secret and algorithm of a key (the wire path stores them), and
  new connections use the changed ones; or every connection uses these at once;
- `deletion`: the active key, deleted, is gone at once, or stays until the connections that use it end.

Each is a setting of the router (`keyroll.emulator.contract.in_use_rules`), and an entry in docs/assumptions/junos.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from ipaddress import ip_network

from keyroll.emulator.contract.in_use_rules import InUseRules
from keyroll.emulator.contract.key_clock import KeyClock, to_ns
from keyroll.emulator.contract.model import (
    Address,
    AuthScheme,
    Backend,
    BackendError,
    EventBackend,
    Intent,
    Ldp,
    LdpBackend,
    Protection,
)
from keyroll.keychain.model import Key, Keychain
from keyroll.names import InUse

SessionId = tuple[str, Address]
"""`bgp` or `ldp`, and the peer."""
_UP = ("Established", "Operational")


@dataclass(frozen=True, slots=True)
class Effective:
    """The intent to apply, without the changes that sessions in use defer; `notes` are log texts about them.

    `held` are the sessions with deferred changes. `before` is to be applied first, where connections must stop using
    keys: the wire path drops a key in use when its chain lacks the key for a moment.
    """

    intent: Intent
    notes: tuple[str, ...] = ()
    held: frozenset[SessionId] = frozenset()
    before: Intent | None = None


def protections(intent: Intent, established: Iterable[SessionId]) -> dict[SessionId, Protection]:
    """Return the TCP-AO protection of all configured BGP sessions, and of those LDP sessions that are `established`.

    LDP discovers its peers, so a session's statement (`session` or `session-group`) is known only once it is up.
    """
    found: dict[SessionId, Protection] = {}
    for neighbor in intent.neighbors:
        if neighbor.protection is not None and neighbor.protection.scheme is AuthScheme.AO:
            found["bgp", neighbor.address] = neighbor.protection
    for protocol, address in established:
        peer = intent.ldp.peer_of(address) if protocol == "ldp" and intent.ldp is not None else None
        if peer is not None and peer.protection is not None and peer.protection.scheme is AuthScheme.AO:
            found[protocol, address] = peer.protection
    return found


def _configured_protection(intent: Intent) -> object:
    """Return a value that differs between two intents if the configured protection of any session does."""
    bgp = [(neighbor.address, neighbor.protection) for neighbor in intent.neighbors]
    return bgp, intent.ldp.peers if intent.ldp is not None else ()


def effective(
    wanted: Intent, before: Intent, established: Iterable[SessionId], now: datetime, rules: InUseRules
) -> Effective:
    """Return what to apply for `wanted`, where `before` (an effective intent) is in force. Pure.

    `established` are the sessions that are up, `now` is the router's clock.
    """
    up = set(established)
    old, new = protections(before, up), protections(wanted, up)
    old_chains = {chain.name: chain for chain in before.chains}
    chains = {chain.name: chain for chain in wanted.chains}
    notes: list[str] = []
    held: dict[SessionId, str] = {}
    released: dict[SessionId, str] = {}
    for session in sorted(up & old.keys() & new.keys(), key=str):
        kept, asked = old[session].chain, new[session].chain
        if kept is None or kept == asked or kept not in old_chains:
            continue
        if rules.repoint is InUse.AT_ONCE:
            notes.append(f"{_name(session)}: key-chain {asked} in place of {kept} at once, on the connection in use")
            released[session] = NO_CHAIN
            continue
        held[session] = kept
        chains.setdefault(kept, old_chains[kept])
        why = f"a session in use keeps its key-chain ({kept})"
        notes.append(f"{_name(session)}: key-chain {asked} is ignored until the connection ends: {why}")
    in_use = {chain for session in up if (chain := held.get(session) or _chain_of(new, old, session)) is not None}
    without_altered = {}
    for name in sorted(in_use & chains.keys() & old_chains.keys()):
        chains[name] = _keys_in_use(old_chains[name], chains[name], now, rules, notes)
        if rules.alteration is InUse.AT_ONCE:
            without_altered[name] = _without_altered(old_chains[name], chains[name])
    kept_key = {session for session in up if _keeps_deleted(session, new, chains, wanted)}
    intent = _redirected(replace(wanted, chains=tuple(chains.values())), held)
    intent = _older_schemes_blocked(intent, notes)
    first = _redirected(replace(intent, chains=tuple((chains | without_altered).values())), released)
    needs_first = bool(released) or any(chains[name] != chain for name, chain in without_altered.items())
    return Effective(intent, tuple(notes), frozenset(held) | frozenset(kept_key), first if needs_first else None)


def _chain_of(
    new: Mapping[SessionId, Protection], old: Mapping[SessionId, Protection], session: SessionId
) -> str | None:
    """Return the chain of a session that is protected before and after the commit, else None."""
    protection = new.get(session)
    return protection.chain if protection is not None and session in old else None


def _keeps_deleted(
    session: SessionId, new: Mapping[SessionId, Protection], chains: Mapping[str, Keychain], wanted: Intent
) -> bool:
    """Return whether the chain of a session keeps a key that the configuration lacks."""
    protection = new.get(session)
    configured = {chain.name: chain for chain in wanted.chains}
    name = protection.chain if protection is not None else None
    return name in configured and chains[name] != configured[name]


def _keys_in_use(old: Keychain, new: Keychain, now: datetime, rules: InUseRules, notes: list[str]) -> Keychain:
    """Return the chain to apply in place of `new`, and add notes about changes to the key that is active in `old`."""
    number = KeyClock.of(old).active(to_ns(now))
    if number is None:
        return new
    before, after = old.key(number), new.key(number)
    if before is None:
        return new
    if after is None:
        if rules.deletion is InUse.AT_ONCE:
            notes.append(f"key-chain {new.name}: the active key {number} was deleted: connections lose it at once")
            return new
        notes.append(f"key-chain {new.name}: the deletion of key {number} is ignored while connections use it")
        return replace(new, keys=tuple(sorted((*new.keys, before), key=lambda key: key.id)))
    changed = _changed(before, after)
    if changed:
        what = f"key-chain {new.name}: {', '.join(changed)} of the active key {number}"
        if rules.alteration is InUse.AT_ONCE:
            notes.append(f"{what}: taken by connections in use at once")
        else:
            notes.append(f"{what}: ignored by connections in use, new connections take the change")
    return new


def _without_altered(old: Keychain, new: Keychain) -> Keychain:
    """Return the chain without the keys whose ids, secret or algorithm a commit changed."""
    before = {key.id: key for key in old.keys}
    keys = (key for key in new.keys if key.id not in before or not _changed(before[key.id], key))
    return replace(new, keys=tuple(keys))


def _changed(before: Key, after: Key) -> list[str]:
    """Return the names of the changed parameters that a connection in use depends on."""
    pairs = {
        "send-id": (before.send_id, after.send_id),
        "recv-id": (before.recv_id, after.recv_id),
        "secret": (before.secret, after.secret),
        "cryptographic-algorithm": (before.effective_algorithm, after.effective_algorithm),
    }
    return [name for name, (old, new) in pairs.items() if old != new]


def _redirected(intent: Intent, held: Mapping[SessionId, str]) -> Intent:
    """Return the intent with each session of `held` on the chain named there."""
    neighbors = tuple(
        replace(neighbor, protection=replace(neighbor.protection, chain=held["bgp", neighbor.address]))
        if neighbor.protection is not None and ("bgp", neighbor.address) in held
        else neighbor
        for neighbor in intent.neighbors
    )
    ldp = intent.ldp
    return replace(intent, neighbors=neighbors, ldp=_ldp_redirected(ldp, held) if ldp is not None else None)


def _ldp_redirected(ldp: Ldp, held: Mapping[SessionId, str]) -> Ldp:
    """Return LDP's part with an entry for each held session, which takes precedence over that of its group."""
    peers = {peer.peers: peer for peer in ldp.peers}
    for (protocol, address), chain in held.items():
        configured = ldp.peer_of(address) if protocol == "ldp" else None
        if configured is not None and configured.protection is not None:
            own = ip_network(address)
            peers[own] = replace(configured, peers=own, protection=replace(configured.protection, chain=chain))
    return replace(ldp, peers=tuple(peers.values()))


def _older_schemes_blocked(intent: Intent, notes: list[str]) -> Intent:
    """Return the intent with every session blocked whose scheme is not TCP-AO: none of its segments pass.

    The wire path lacks Juniper's older schemes (a chain without `authentication-algorithm ao`), so the session stays
    down, as it does between a router with such a scheme and one with TCP-AO.
    """

    def blocked(protection: Protection | None) -> Protection | None:
        if protection is None or protection.scheme is AuthScheme.AO:
            return protection
        return Protection(AuthScheme.AO, NO_CHAIN)

    for neighbor in intent.neighbors:
        if neighbor.protection is not None and neighbor.protection.scheme is not AuthScheme.AO:
            scheme = neighbor.protection.scheme.value
            why = f"key-chain {neighbor.protection.chain} without authentication-algorithm ao means {scheme}"
            notes.append(f"BGP peer {neighbor.address} stays down: {why}")
    neighbors = tuple(replace(entry, protection=blocked(entry.protection)) for entry in intent.neighbors)
    if intent.ldp is None:
        return replace(intent, neighbors=neighbors)
    peers = tuple(replace(peer, protection=blocked(peer.protection)) for peer in intent.ldp.peers)
    return replace(intent, neighbors=neighbors, ldp=replace(intent.ldp, peers=peers))


NO_CHAIN = ""
"""A name that no chain has: a session that names it is protected but has no key, so none of its segments pass."""


def _name(session: SessionId) -> str:
    protocol, peer = session
    return f"BGP peer {peer}" if protocol == "bgp" else f"LDP session {peer}"


@dataclass(eq=False, slots=True)
class Runtime:
    """Applies intents to the machine half as far as sessions in use allow, and records what they defer."""

    backend: Backend
    rules: InUseRules = field(default_factory=InUseRules)
    note: Callable[[str], None] = lambda _text: None
    in_force: Intent = field(default_factory=lambda: Intent(""))
    held: frozenset[SessionId] = frozenset()

    def without_sessions(self, wanted: Intent) -> Intent:
        """Return what would be applied if no session were up."""
        return effective(wanted, Intent(""), (), self.backend.now(), self.rules).intent

    async def apply(self, wanted: Intent) -> None:
        """Apply `wanted` as far as sessions in use allow. Raises BackendError; then the former intent is in force."""
        established = await self._established(wanted)
        found = effective(wanted, self.in_force, established, self.backend.now(), self.rules)
        if found.before is not None:
            await self.backend.apply(found.before)
        try:
            await self.backend.apply(found.intent)
        except BackendError:
            if found.before is not None:
                await self.backend.apply(self.in_force)
            raise
        self.in_force, self.held = found.intent, found.held
        for text in found.notes:
            self.note(text)

    async def _established(self, wanted: Intent) -> list[SessionId]:
        """Return the sessions that are up; none where no change could be deferred, which saves asking the daemons."""
        if not isinstance(self.backend, EventBackend):
            return []  # no event would report the end of a session, after which a deferred change takes effect
        same_chains = self.in_force.chains == wanted.chains
        same_protection = _configured_protection(self.in_force) == _configured_protection(wanted)
        if not self.held and same_chains and same_protection:
            return []
        established: list[SessionId] = []
        if any(neighbor.protection is not None for neighbor in self.in_force.neighbors):
            established += [("bgp", state.address) for state in await self.backend.bgp() if state.state in _UP]
        peers = self.in_force.ldp.peers if self.in_force.ldp is not None else ()
        if any(peer.protection is not None for peer in peers) and isinstance(self.backend, LdpBackend):
            established += [("ldp", state.peer) for state in await self.backend.ldp_sessions() if state.state in _UP]
        return established
