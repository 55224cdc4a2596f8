"""Read from the daemons' logs which sessions came up or went down. Pure: lines and moments in, changes and counts out.

FRR has no flap counter for LDP, and a lost session can be up again after 10 ms: only ldpd's log shows every loss.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from ipaddress import IPv4Address, ip_address

from keyroll.emulator.contract.model import Address
from keyroll.emulator.frr.config import Daemon

_BGP = re.compile(r"%ADJCHANGE: neighbor (?P<peer>[0-9A-Fa-f.:]+)\S* in vrf \S+ (?P<way>Up|Down)(?: (?P<why>.*))?$")
_LDP = re.compile(
    r"nbr_fsm: event (?P<event>.+?) resulted in action .+ and changing state for lsr-id (?P<peer>[0-9.]+)"
    r" from (?P<old>.+?) to (?P<new>.+?)\s*$"
)
_OPERATIONAL = "OPERATIONAL"


@dataclass(frozen=True, slots=True)
class SessionChange:
    """A session came up or went down. `peer` is BGP's neighbour address, or LDP's LSR id."""

    protocol: str
    peer: Address
    up: bool
    reason: str | None = None


def read(daemon: Daemon, line: str) -> SessionChange | None:
    """Return the change that a log line reports, or None."""
    if daemon is Daemon.BGPD:
        match = _BGP.search(line)
        if match:
            return SessionChange("bgp", ip_address(match["peer"]), match["way"] == "Up", match["why"] or None)
    elif daemon is Daemon.LDPD:
        match = _LDP.search(line)
        if match and _OPERATIONAL in (match["old"], match["new"]) and match["old"] != match["new"]:
            up = match["new"] == _OPERATIONAL
            return SessionChange("ldp", ip_address(match["peer"]), up, None if up else match["event"].lower())
    return None


@dataclass(slots=True)
class _Count:
    downs: int = 0
    last_down: float | None = None
    reason: str | None = None


@dataclass(slots=True)
class LdpCounts:
    """How often each LDP session went down, when last (monotonic seconds), and why."""

    _by_peer: dict[IPv4Address, _Count] = field(default_factory=dict)

    def count(self, change: SessionChange, moment: float) -> None:
        """Count one change; `moment` is in monotonic seconds."""
        if change.protocol != "ldp" or change.up or not isinstance(change.peer, IPv4Address):
            return
        found = self._by_peer.setdefault(change.peer, _Count())
        found.downs += 1
        found.last_down = moment
        found.reason = change.reason

    def of(self, peer: IPv4Address) -> tuple[int, float | None, str | None]:
        """Return (how often, when last, why) of the session with that LSR id."""
        count = self._by_peer.get(peer) or _Count()
        return count.downs, count.last_down, count.reason

    def clear(self) -> None:
        """Start counting again: LDP was deleted from the configuration."""
        self._by_peer.clear()
