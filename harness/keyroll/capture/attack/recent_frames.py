"""Keep the signed frames that a router received, by connection: templates for forged frames, and for replay. Pure."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

_FRAMES = 64
"""Frames kept for each connection, the newest ones: enough to replay a few seconds of a session."""
_CONNECTIONS = 4
"""Connections kept: the current one, and some earlier ones to replay from."""


@dataclass(frozen=True, slots=True)
class SignedFrame:
    """A frame that the peer really sent (from the Ethernet header on), the KeyIDs that it carried, and its key."""

    frame: bytes
    key_id: int
    rnext_key_id: int
    key: int | None = None
    """The number of the key that it verified with."""


class RecentFrames:
    """See the module. The current connection is the one with the newest data."""

    def __init__(self) -> None:
        self._present: int | None = None
        self._frames: dict[int, deque[SignedFrame]] = {}

    def add(self, connection: int, frame: SignedFrame, *, data: bool) -> None:
        """Keep a frame of a connection (by its number); `data` says whether it carries any."""
        self._frames.setdefault(connection, deque(maxlen=_FRAMES)).append(frame)
        if data or self._present is None:
            self._present = connection
        while len(self._frames) > _CONNECTIONS:
            del self._frames[next(one for one in self._frames if one != self._present)]

    @property
    def current(self) -> tuple[SignedFrame, ...]:
        """The frames of the current connection, oldest first."""
        return () if self._present is None else tuple(self._frames[self._present])

    @property
    def earlier(self) -> tuple[SignedFrame, ...]:
        """The frames of connections that began before the current one, oldest connection first."""
        earlier = [one for one in self._frames if self._present is not None and one < self._present]
        return tuple(frame for one in sorted(earlier) for frame in self._frames[one])
