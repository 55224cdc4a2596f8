"""The owner's end of a router's boot socket: sends one boot message, reads events, in newline JSON."""

from __future__ import annotations

import json
import socket
from typing import Any

from keyroll.lab.protocol import LabError


class RouterLink:
    """One router's boot socket. The router's events set `ready` and `closed`."""

    def __init__(self, name: str, end: socket.socket) -> None:
        self._name = name
        self._end = end
        self._end.settimeout(0)
        self._rest = b""
        self.ready = False
        self.closed = False

    @classmethod
    def open(cls, name: str) -> tuple[RouterLink, int]:
        """Return the owner's end, and the descriptor of the other end for the router."""
        ours, theirs = socket.socketpair()
        return cls(name, ours), theirs.detach()

    def fileno(self) -> int:
        """Return the descriptor, for select."""
        return self._end.fileno()

    def boot(self, message: dict[str, Any]) -> None:
        """Send the boot message; the router reads it when it starts."""
        self._end.sendall(json.dumps(message).encode() + b"\n")

    def receive(self) -> list[dict[str, Any]]:
        """Return the waiting events. The end of the stream is not an event: the keeper reports deaths."""
        try:
            data = self._end.recv(65536)
        except BlockingIOError:
            return []
        except ConnectionResetError:
            data = b""
        if not data:
            self.closed = True
            return []
        *lines, self._rest = (self._rest + data).split(b"\n")
        events = []
        for line in lines:
            try:
                event = json.loads(line)
            except ValueError as error:
                raise LabError(f"malformed event from router {self._name}") from error
            if event.get("event") == "ready":
                self.ready = True
            events.append(event)
        return events

    def close(self) -> None:
        """Close the owner's end."""
        self._end.close()
