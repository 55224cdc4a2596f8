"""Make the wire path's table of protected sessions from an Intent. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from keyroll.emulator.contract.errors import NotEmulatedError
from keyroll.emulator.contract.in_use_rules import InUseRules
from keyroll.emulator.contract.model import (
    BGP_PORT,
    LDP_PORT,
    Address,
    AuthScheme,
    Intent,
    Ldp,
    Network,
    Protection,
    TcpConnection,
)
from keyroll.emulator.wire.model import ConnectionRecord, ProtectedSession
from keyroll.keychain.model import Keychain
from keyroll.names import Receiving, Sending

# A sequence number has 32 bits, a port 16.
_ISN_MAX = 0xFFFFFFFF
_PORT_MAX = 0xFFFF


@dataclass(frozen=True, slots=True)
class KeyPolicy:
    """Which rules this router's keys follow; a setting of the emulated router, not of its configuration."""

    sending: Sending = Sending.CLOCK
    receiving: Receiving = Receiving.TOLERANCE
    in_use: InUseRules = field(default_factory=InUseRules)
    isn: int | None = None
    """The initial sequence number that protected connections show on the wire; None: the kernel's own."""
    port: int | None = None
    """The one port that connections are opened from; None: the kernel's choice."""

    @classmethod
    def of(cls, settings: Mapping[str, str]) -> KeyPolicy:
        """Read it from a router's settings, with defaults for missing ones. Raises ValueError."""
        return cls(
            Sending(settings.get("sending", Sending.CLOCK.value)),
            Receiving(settings.get("receiving", Receiving.TOLERANCE.value)),
            InUseRules.of(settings),
            isn=_number(settings, "isn", _ISN_MAX),
            port=_number(settings, "port", _PORT_MAX),
        )


def protected_sessions(intent: Intent, policy: KeyPolicy) -> tuple[ProtectedSession, ...]:
    """Return the sessions whose segments carry TCP-AO.

    A session whose chain is not configured is protected with an empty chain: nothing passes.

    Raises:
        BackendError: a scheme that the wire path does not support.
    """
    chains = {chain.name: chain for chain in intent.chains}
    sessions = []
    for peer, local, port, protection, prefix in _protected(intent):
        if protection.scheme is not AuthScheme.AO:
            raise NotEmulatedError(
                f"{protection.scheme.value} of the session with {peer}: this router protects sessions with TCP-AO",
                remedy="set authentication-algorithm ao",
            )
        name = protection.chain or ""
        sessions.append(
            ProtectedSession(
                peer=peer,
                port=port,
                chain=chains.get(name) or Keychain(name or "none"),
                local=local,
                sending=policy.sending,
                receiving=policy.receiving,
                allow_without_ao=protection.allow_without_ao,
                isn=policy.isn,
                prefix=prefix,
                excepted=() if prefix is None else _excepted(intent, prefix),
            )
        )
    return tuple(sessions)


def _protected(intent: Intent) -> Iterator[tuple[Address, Address | None, int, Protection, Network | None]]:
    for neighbor in intent.neighbors:
        if neighbor.protection is not None:
            yield neighbor.address, neighbor.local_address, BGP_PORT, neighbor.protection, None
    for peer in intent.ldp.peers if intent.ldp is not None else ():
        if peer.protection is not None:
            single = peer.peers.prefixlen == peer.peers.max_prefixlen
            yield peer.peers.network_address, None, LDP_PORT, peer.protection, None if single else peer.peers


def _excepted(intent: Intent, prefix: Network) -> tuple[Network, ...]:
    """Return the longer prefixes inside an LDP session-group's prefix that are configured without protection."""
    peers = intent.ldp.peers if intent.ldp is not None else ()
    return tuple(
        peer.peers
        for peer in peers
        if peer.protection is None and peer.peers.prefixlen > prefix.prefixlen and peer.peers.network_address in prefix
    )


def removed_sessions(old: Sequence[ProtectedSession], new: Sequence[ProtectedSession]) -> tuple[ProtectedSession, ...]:
    """Return the old sessions that the new table lacks: they stay protected until FRR has closed them."""
    wanted = {(session.peer, session.port, session.prefix) for session in new}
    return tuple(session for session in old if (session.peer, session.port, session.prefix) not in wanted)


def unknown_to_wire(
    connections: Sequence[TcpConnection], known: Sequence[ConnectionRecord], sessions: Sequence[ProtectedSession]
) -> list[tuple[int, Address]]:
    """Return (port, peer) of the protected sessions with an open connection that the wire path does not know.

    Its segments can be neither signed nor verified, so the session would stay up, silent, until its hold time.
    """
    ends = {(record.local, record.remote) for record in known}
    found: dict[tuple[int, Address], None] = {}
    for one in connections:
        if one.state != "ESTABLISHED" or one.remote is None or (one.local, one.remote) in ends:
            continue
        for session in sessions:
            if session.port in (one.remote[1], one.local[1]) and session.covers(one.remote[0]):
                found[session.port, one.remote[0]] = None
    return list(found)


def changed_kind(old: Intent, new: Intent, ldp_peers: Iterable[Address] = ()) -> list[tuple[int, Address]]:
    """Return (port, peer) of the sessions in both intents whose kind of protection changed.

    Their connections were protected in another way, so neither end can continue them. LDP discovers its peers:
    `ldp_peers` are the transport addresses of those that it has, configured by name or not.
    """
    before, after = _kinds(old), _kinds(new)
    changed = [(BGP_PORT, peer) for peer, kind in after.items() if peer in before and before[peer] != kind]
    if old.ldp is not None and new.ldp is not None:
        named = (peer.peers for intent in (old.ldp, new.ldp) for peer in intent.peers)
        hosts = (network.network_address for network in named if network.prefixlen == network.max_prefixlen)
        peers = dict.fromkeys((*hosts, *ldp_peers))
        changed += [(LDP_PORT, peer) for peer in peers if _ldp_kind(old.ldp, peer) is not _ldp_kind(new.ldp, peer)]
    return changed


def has_groups(intent: Intent) -> bool:
    """Whether LDP sessions are protected by prefix, so that only LDP knows their peers."""
    return intent.ldp is not None and any(peer.peers.prefixlen < peer.peers.max_prefixlen for peer in intent.ldp.peers)


def _kinds(intent: Intent) -> dict[Address, AuthScheme | None]:
    return {
        neighbor.address: neighbor.protection.scheme if neighbor.protection else None for neighbor in intent.neighbors
    }


def _ldp_kind(ldp: Ldp, peer: Address) -> AuthScheme | None:
    """Return the scheme that protects LDP sessions with a peer; None for an unprotected one."""
    found = ldp.peer_of(peer)
    return None if found is None or found.protection is None else found.protection.scheme


def _number(settings: Mapping[str, str], name: str, greatest: int) -> int | None:
    if name not in settings:
        return None
    number = int(settings[name])
    if not 0 <= number <= greatest:
        raise ValueError(f"invalid {name} {number}: use a number from 0 to {greatest}")
    return number
