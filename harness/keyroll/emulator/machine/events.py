"""Publish events of the machine half: session changes, key changes on the wire, drops."""

from __future__ import annotations

from collections.abc import Callable

from keyroll.emulator.contract.model import LDP_PORT, EventKind, RouterEvent, RouterNote
from keyroll.emulator.frr.session_log import SessionChange
from keyroll.emulator.wire.model import Direction, WireEvent, WireEventKind
from keyroll.names import DropReason

NOT_AUTHENTICATION = frozenset({DropReason.CONGESTION, DropReason.MALFORMED, DropReason.FRAGMENT})
"""Reasons of drops that say nothing about a peer's keys."""


class EventPublisher:
    """Makes `RouterEvent`s from the daemons' logs and the wire path's events."""

    def __init__(self) -> None:
        self._subscribers: list[Callable[[RouterEvent | RouterNote], None]] = []

    def subscribe(self, on_event: Callable[[RouterEvent | RouterNote], None]) -> None:
        """Call `on_event` with every event from now on."""
        self._subscribers.append(on_event)

    def session(self, change: SessionChange) -> None:
        """Publish that a session came up or went down."""
        kind = EventKind.SESSION_UP if change.up else EventKind.SESSION_DOWN
        self._publish(RouterEvent(kind, change.protocol, change.peer, reason=change.reason))

    def note(self, text: str) -> None:
        """Publish something that happened to the router itself."""
        self._publish(RouterNote(text))

    def wire(self, event: WireEvent) -> None:
        """Publish an event of the wire path, if it is one for subscribers."""
        if event.peer is None or event.port is None:
            return
        protocol = "ldp" if event.port == LDP_PORT else "bgp"
        outgoing = None if event.direction is None else event.direction is Direction.OUT
        if event.kind is WireEventKind.KEY_CHANGE:
            self._publish(
                RouterEvent(
                    EventKind.KEY_CHANGE,
                    protocol,
                    event.peer,
                    outgoing=outgoing,
                    old_key=event.old_key,
                    key=event.key,
                )
            )
        elif event.kind is WireEventKind.DROP and event.reason not in NOT_AUTHENTICATION:
            reason = None if event.reason is None else event.reason.value
            self._publish(
                RouterEvent(
                    EventKind.AUTH_FAILURE,
                    protocol,
                    event.peer,
                    reason=reason,
                    outgoing=outgoing,
                    count=event.count,
                )
            )

    def _publish(self, event: RouterEvent | RouterNote) -> None:
        for subscriber in self._subscribers:
            subscriber(event)
