"""From an Intent to the wire path's table of protected sessions. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from harness.emulator.model import BGP_PORT, AuthScheme, BackendError, Intent
from harness.emulator.wire.model import ProtectedSession
from harness.keychain.model import Keychain


def protected_sessions(intent: Intent) -> tuple[ProtectedSession, ...]:
    """Return the sessions whose segments carry TCP-AO.

    A neighbour that names a chain which is not configured is protected with an empty one: nothing passes.

    Raises:
        BackendError: a scheme that this router does not carry.
    """
    chains = {chain.name: chain for chain in intent.chains}
    sessions = []
    for neighbor in intent.neighbors:
        protection = neighbor.protection
        if protection is None:
            continue
        if protection.scheme is not AuthScheme.AO:
            raise BackendError(
                f"neighbor {neighbor.address}: this router protects sessions with TCP-AO only,"
                f" not with {protection.scheme.value}"
            )
        name = protection.chain or ""
        sessions.append(
            ProtectedSession(
                peer=neighbor.address,
                port=BGP_PORT,
                chain=chains.get(name) or Keychain(name or "none"),
                local=neighbor.local_address,
                allow_without_ao=protection.allow_without_ao,
            )
        )
    return tuple(sessions)


def cut_off(old: Sequence[ProtectedSession], new: Sequence[ProtectedSession]) -> tuple[ProtectedSession, ...]:
    """Return the old sessions that the new table lacks: they stay protected until FRR has let go of them."""
    wanted = {(session.peer, session.port) for session in new}
    return tuple(session for session in old if (session.peer, session.port) not in wanted)
