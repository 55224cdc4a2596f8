"""The owner's end of a router's boot socket: one boot message goes in, events come out, newline JSON."""

from __future__ import annotations

import json
import socket
from typing import Any

from keyroll.lab.protocol import LabError


class RouterLink:
    """One router's boot socket. `ready` and `closed` follow what it told."""

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
        """Leave the boot message for the router to read."""
        self._end.sendall(json.dumps(message).encode() + b"\n")

    def receive(self) -> list[dict[str, Any]]:
        """Return the events that are there. An end of the stream is no event: the keeper tells of deaths."""
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
                raise LabError(f"router {self._name} told something that is no event") from error
            if event.get("event") == "ready":
                self.ready = True
            events.append(event)
        return events

    def close(self) -> None:
        """Close the owner's end."""
        self._end.close()
