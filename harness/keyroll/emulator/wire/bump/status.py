"""Convert the wire path's state to the values that are reported to the supervisor."""

from __future__ import annotations

from ipaddress import ip_address

from keyroll.emulator.wire.bump.connection import DirectionState, Entry, SessionState, Tuple4
from keyroll.emulator.wire.model import ConnectionStatus, DirectionStatus, SessionStatus


def session_status(session: SessionState, now: int) -> SessionStatus:
    """Return a session's state at the router's instant `now` (ns)."""
    clock = session.clock
    upcoming = clock.upcoming(now)
    return SessionStatus(
        peer=session.spec.peer,
        port=session.spec.port,
        local=session.spec.local,
        active_key=clock.active(now),
        next_key=None if upcoming is None else upcoming.number,
        acceptable_keys=clock.acceptable_keys(now),
        drops=dict(session.drops),
    )


def connection_status(at: Tuple4, entry: Entry, now: int, mono: int) -> ConnectionStatus:
    """Return a connection's state at the router's instant `now` and the monotonic `mono` (ns)."""
    live = entry.live
    clock = entry.session.clock
    active = clock.active(now)
    phase = "opening" if live is None else "closing" if live.closing else "plain" if live.plain else "open"
    return ConnectionStatus(
        local=(ip_address(at.local), at.lport),
        remote=(ip_address(at.remote), at.rport),
        port=entry.session.spec.port,
        phase=phase,
        sending_key=clock.opening(now) if live is None else live.sending_number(now),
        asked_key=clock.asked(now),
        idle_seconds=(mono - (entry.last if live is None else live.last)) / 1e9,
        out=_direction_status(None if live is None else live.out, active),
        in_=_direction_status(None if live is None else live.in_, active),
    )


def _direction_status(state: DirectionState | None, active: int | None) -> DirectionStatus:
    if state is None:
        return DirectionStatus()
    return DirectionStatus(
        segments=state.segments,
        octets=state.octets,
        key=state.key,
        key_id=state.key_id,
        rnext_key_id=state.rnext_key_id,
        rolled=state.key is not None and state.key == active,
    )
