"""The router's system log, which `show log …` prints; each line is also reported to the lab as it is written.

Lines have the time of the router's own clock, as in Junos. No line holds a secret: command lines are redacted before.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from datetime import datetime, tzinfo

from keyroll.emulator.contract.model import EventKind, RouterEvent

KEPT = 20000
"""Maximum number of lines kept of each file: enough for a night of rollovers, in about 2 MB of memory."""


class Syslog:
    """The log of one router. `report` is called with every line; `lines` and `commands` are its two files."""

    def __init__(
        self,
        report: Callable[[str], None],
        *,
        now: Callable[[], datetime],
        zone: Callable[[], tzinfo],
        host_name: Callable[[], str],
    ) -> None:
        self._report = report
        self._now = now
        self._zone = zone
        self._host_name = host_name
        self.lines: deque[str] = deque(maxlen=KEPT)
        self.commands: deque[str] = deque(maxlen=KEPT)

    def command(self, text: str) -> None:
        """Write one typed line, already redacted, to the file `interactive-commands`, as Junos does by default."""
        self._write(self.commands, "mgd", text)

    def write(self, process: str, text: str) -> None:
        """Write one line to `messages` as `process` (`mgd`, `rpd`, `kernel`)."""
        self._write(self.lines, process, text)

    def _write(self, file: deque[str], process: str, text: str) -> None:
        local = self._now().astimezone(self._zone())
        moment = f"{_MONTHS[local.month - 1]} {local.day:2d} {local:%H:%M:%S}"
        line = f"{moment}  {self._host_name()} {process}: {text}"
        file.append(line)
        self._report(line)

    def event(self, event: RouterEvent, peer_as: int | None, *, external: bool) -> None:
        """Write an event of the machine half; `peer_as` and `external` are those of its BGP neighbor, if any."""
        process, text = describe(event, peer_as, external=external)
        self.write(process, text)

    def clear(self) -> None:
        """Forget all lines (`clear log messages`)."""
        self.lines.clear()


def describe(event: RouterEvent, peer_as: int | None, *, external: bool) -> tuple[str, str]:
    """Return (process, text) of an event. Names of events are Junos'; the text after them is ours where not known."""
    bgp = event.protocol == "bgp"
    who = f"BGP peer {event.peer}" if bgp else str(event.peer)
    if bgp and peer_as is not None:  # None: a commit has just deleted the neighbor, or is about to add it
        who += f" ({'External' if external else 'Internal'} AS {peer_as})"
    reason = event.reason or "unknown"
    direction = {True: "sent", False: "received", None: ""}[event.outgoing]
    if event.kind is EventKind.SESSION_UP:
        if bgp:
            return "rpd", (
                f"RPD_BGP_NEIGHBOR_STATE_CHANGED: {who} changed state from OpenConfirm to Established"
                " (event RecvKeepAlive) (instance master)"
            )
        return "rpd", f"RPD_LDP_SESSIONUP: LDP session {who} is up"
    if event.kind is EventKind.SESSION_DOWN:
        if bgp:
            return "rpd", (
                f"RPD_BGP_NEIGHBOR_STATE_CHANGED: {who} changed state from Established to Idle"
                f" (event {reason}) (instance master)"
            )
        return "rpd", f"RPD_LDP_SESSIONDOWN: LDP session {who} is down, reason: {reason}"
    if event.kind is EventKind.KEY_CHANGE:
        return (
            "kernel",
            f"tcp_ao: {event.protocol} {event.peer}: key {direction} changed from {event.old_key} to {event.key}",
        )
    return "kernel", f"tcp_ao: {event.protocol} {event.peer}: {event.count} segments {direction} dropped: {reason}"


_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
