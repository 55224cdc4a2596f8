"""From an Intent to the wire path's table of protected sessions. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from harness.emulator.inuse import InUseRules
from harness.emulator.keyclock import ReceivePolicy, SendPolicy
from harness.emulator.model import (
    BGP_PORT,
    LDP_PORT,
    Address,
    AuthScheme,
    BackendError,
    Intent,
    Protection,
    TcpConnection,
)
from harness.emulator.wire.model import ConnectionRecord, ProtectedSession
from harness.keychain.model import Keychain

_ISN_MAX = 0xFFFFFFFF
_PORT_MAX = 0xFFFF


@dataclass(frozen=True, slots=True)
class KeyPolicy:
    """Which rules this router follows (DESIGN.md, "A key policy"); a setting of the router, not of a commit."""

    sending: SendPolicy = SendPolicy.CLOCK
    receiving: ReceivePolicy = ReceivePolicy.TOLERANCE
    in_use: InUseRules = field(default_factory=InUseRules)
    isn: int | None = None
    """The initial sequence number that protected connections show on the wire; None: the kernel's own."""
    port: int | None = None
    """The one port that connections are opened from; None: the kernel's choice."""

    @classmethod
    def of(cls, settings: Mapping[str, str]) -> KeyPolicy:
        """Read it from a router's settings; what is not there has its default. Raises ValueError."""
        return cls(
            SendPolicy(settings.get("sending", SendPolicy.CLOCK.value)),
            ReceivePolicy(settings.get("receiving", ReceivePolicy.TOLERANCE.value)),
            InUseRules.of(settings),
            isn=_number(settings, "isn", _ISN_MAX),
            port=_number(settings, "port", _PORT_MAX),
        )


def protected_sessions(intent: Intent, policy: KeyPolicy) -> tuple[ProtectedSession, ...]:
    """Return the sessions whose segments carry TCP-AO.

    A session that names a chain which is not configured is protected with an empty one: nothing passes.

    Raises:
        BackendError: a scheme that this router does not carry.
    """
    chains = {chain.name: chain for chain in intent.chains}
    sessions = []
    for peer, local, port, protection in _protected(intent):
        if protection.scheme is not AuthScheme.AO:
            raise BackendError(
                f"{peer}: this router protects sessions with TCP-AO only, not with {protection.scheme.value}",
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
            )
        )
    return tuple(sessions)


def _protected(intent: Intent) -> Iterator[tuple[Address, Address | None, int, Protection]]:
    for neighbor in intent.neighbors:
        if neighbor.protection is not None:
            yield neighbor.address, neighbor.local_address, BGP_PORT, neighbor.protection
    for peer in intent.ldp.peers if intent.ldp is not None else ():
        if peer.protection is None:
            continue
        if peer.peers.prefixlen != peer.peers.max_prefixlen:
            raise BackendError(
                f"LDP session-group {peer.peers}: this router protects LDP sessions one by one",
                remedy="name each peer with `protocols ldp session ADDRESS`",
            )
        yield peer.peers.network_address, None, LDP_PORT, peer.protection


def cut_off(old: Sequence[ProtectedSession], new: Sequence[ProtectedSession]) -> tuple[ProtectedSession, ...]:
    """Return the old sessions that the new table lacks: they stay protected until FRR has let go of them."""
    wanted = {(session.peer, session.port) for session in new}
    return tuple(session for session in old if (session.peer, session.port) not in wanted)


def stranded(
    connections: Sequence[TcpConnection], known: Sequence[ConnectionRecord], sessions: Sequence[ProtectedSession]
) -> list[tuple[int, Address]]:
    """Return (port, peer) of the protected sessions with an open connection that the wire path does not know.

    Its segments can be neither signed nor verified: it would stay until its hold time.
    """
    ends = {(record.local, record.remote) for record in known}
    protected = {(session.port, session.peer) for session in sessions}
    found: dict[tuple[int, Address], None] = {}
    for one in connections:
        if one.state != "ESTABLISHED" or one.remote is None or (one.local, one.remote) in ends:
            continue
        for port in (one.remote[1], one.local[1]):
            if (port, one.remote[0]) in protected:
                found[port, one.remote[0]] = None
    return list(found)


def changed_kind(old: Intent, new: Intent) -> list[tuple[int, Address]]:
    """Return (port, peer) of the sessions that there were and are, and whose kind of protection changed.

    Their connections' segments were protected otherwise until now: neither end can go on with them.
    """
    before, after = _kinds(old), _kinds(new)
    changed = [session for session, kind in after.items() if session in before and before[session] != kind]
    if old.ldp is not None and new.ldp is not None:
        # LDP finds its peers by itself: one that is not named runs without protection.
        alone = [session for session in before.keys() ^ after.keys() if session[0] == LDP_PORT]
        changed += [session for session in alone if before.get(session) is not after.get(session)]
    return changed


def _kinds(intent: Intent) -> dict[tuple[int, Address], AuthScheme | None]:
    kinds: dict[tuple[int, Address], AuthScheme | None] = {
        (BGP_PORT, neighbor.address): neighbor.protection.scheme if neighbor.protection else None
        for neighbor in intent.neighbors
    }
    for peer in intent.ldp.peers if intent.ldp is not None else ():
        kinds[LDP_PORT, peer.peers.network_address] = peer.protection.scheme if peer.protection else None
    return kinds


def _number(settings: Mapping[str, str], name: str, greatest: int) -> int | None:
    if name not in settings:
        return None
    number = int(settings[name])
    if not 0 <= number <= greatest:
        raise ValueError(f"{name} is a number from 0 to {greatest}, not {number}")
    return number
