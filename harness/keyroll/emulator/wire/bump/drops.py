"""Count dropped and passed frames, and report events: drops at most once a second for each kind."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_address

from keyroll.emulator.wire.bump.connection import SECOND, Connection, SessionState
from keyroll.emulator.wire.model import Direction, WireEvent, WireEventKind
from keyroll.names import DropReason

Emit = Callable[[WireEvent], None]
"""Sends an event to the supervisor."""
_Kind = tuple[SessionState | None, Direction, DropReason]


class Reporter:
    """Holds the counters and turns what happens into events. `mono` is monotonic, `now` the router's clock, in ns."""

    def __init__(self, emit: Emit) -> None:
        self._emit = emit
        self.drops: dict[tuple[Direction, DropReason], int] = {}
        self.passed: dict[Direction, int] = {Direction.OUT: 0, Direction.IN: 0}
        self._silent_until: dict[_Kind, int] = {}
        self._unreported: dict[_Kind, int] = {}

    def drop(self, session: SessionState | None, direction: Direction, reason: DropReason, now: int, mono: int) -> None:
        """Count a dropped frame, and report it unless the same was reported within the last second."""
        place = (direction, reason)
        self.drops[place] = self.drops.get(place, 0) + 1
        if session is not None:
            session.drops[place] = session.drops.get(place, 0) + 1
        kind = (session, direction, reason)
        self._unreported[kind] = self._unreported.get(kind, 0) + 1
        if mono >= self._silent_until.get(kind, 0):
            self._report(kind, now, mono)

    def tick(self, now: int, mono: int) -> None:
        """Report the drops that were held back for a second."""
        for kind in [kind for kind in self._unreported if mono >= self._silent_until[kind]]:
            self._report(kind, now, mono)

    def forget_sessions(self) -> None:
        """Discard what is held back for sessions of a former table; the totals keep their counts."""
        self._silent_until.clear()
        self._unreported.clear()

    def key_change(self, connection: Connection, direction: Direction, old_key: int, now: int) -> None:
        """Report that the key on the wire changed."""
        state = connection.out if direction is Direction.OUT else connection.in_
        self._about(
            connection,
            WireEventKind.KEY_CHANGE,
            now,
            direction=direction,
            key=state.key,
            old_key=old_key,
            key_id=state.key_id,
            rnext_key_id=state.rnext_key_id,
        )

    def connection(self, connection: Connection, now: int) -> None:
        """Report a connection's record: it is new, or what a replacement of this process needs has changed."""
        connection.reported_anchor = connection.out_sne.anchor + connection.in_sne.anchor
        self._about(connection, WireEventKind.CONNECTION, now)

    def admitted(self, connection: Connection, now: int) -> None:
        """Report that a peer without TCP-AO was admitted."""
        self._about(connection, WireEventKind.ADMITTED, now)

    def forgotten(self, connection: Connection, now: int) -> None:
        """Report that a connection was removed from the table."""
        self._about(connection, WireEventKind.FORGOTTEN, now)

    def _about(
        self,
        connection: Connection,
        kind: WireEventKind,
        now: int,
        *,
        direction: Direction | None = None,
        key: int | None = None,
        old_key: int | None = None,
        key_id: int | None = None,
        rnext_key_id: int | None = None,
    ) -> None:
        record = connection.record()
        self._emit(
            WireEvent(
                kind,
                now,
                peer=connection.session.spec.peer,
                port=connection.session.spec.port,
                local=(ip_address(connection.at.local), connection.at.lport),
                remote=(ip_address(connection.at.remote), connection.at.rport),
                direction=direction,
                key=key,
                old_key=old_key,
                key_id=key_id,
                rnext_key_id=rnext_key_id,
                record=record if kind in {WireEventKind.CONNECTION, WireEventKind.KEY_CHANGE} else None,
            )
        )

    def _report(self, kind: _Kind, now: int, mono: int) -> None:
        session, direction, reason = kind
        count = self._unreported.pop(kind)
        self._silent_until[kind] = mono + SECOND
        self._emit(
            WireEvent(
                WireEventKind.DROP,
                now,
                peer=None if session is None else session.spec.peer,
                port=None if session is None else session.spec.port,
                direction=direction,
                reason=reason,
                count=count,
            )
        )
