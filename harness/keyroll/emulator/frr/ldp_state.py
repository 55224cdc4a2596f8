"""Read LDP sessions, adjacencies and labels from ldpd's JSON. Unexpected values are errors, never defaults."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from ipaddress import IPv4Address, IPv4Network, ip_network
from typing import Any

from keyroll.emulator.contract.model import LdpAdjacency, LdpBinding, LdpSession
from keyroll.emulator.frr.session_log import LdpCounts
from keyroll.emulator.frr.state import junos_name, reading, uptime_seconds

_WORDS = {
    "NON EXISTENT": "Nonexistent",
    "PRESENT": "Nonexistent",
    "INITIALIZED": "Initialized",
    "OPENREC": "OpenRec",
    "OPENSENT": "OpenSent",
    "OPERATIONAL": "Operational",
}
"""ldpd's words to RFC 5036's. PRESENT is ldpd's own word for a neighbour heard by hello, without a connection yet."""
KEEPALIVES_IN_HOLD_TIME = 3
"""ldpd sends three keepalives in a hold time, whatever is configured (assumption M6)."""
_NULL_LABELS = {"exp-null": 0, "imp-null": 3}
"""ldpd's words for the labels of RFC 3032 section 2.1."""


def sessions(
    summary: Mapping[str, Any], detail: Mapping[str, Any], local_id: IPv4Address, hold_time: int, counts: LdpCounts
) -> list[LdpSession]:
    """Read `show mpls ldp neighbor json` and `show mpls ldp neighbor detail json`.

    `local_id` is this router's LSR id; `hold_time` (seconds) is the configured one, valid until a session negotiates
    one.

    Raises:
        FrrError: a value is missing or is not what it should be.
    """
    if not summary:
        return []  # ldpd answers {} before the first hello
    with reading("ldpd's neighbours"):
        return [
            _session(entry, detail.get(entry["neighborId"], {}), local_id, hold_time, counts)
            for entry in summary["neighbors"]
        ]


def agree(summary: Mapping[str, Any], detail: Mapping[str, Any]) -> bool:
    """Return whether two successive answers can describe the same state: no session went down in between."""
    return all(
        _negotiated(detail.get(entry.get("neighborId")))
        for entry in summary.get("neighbors", ())
        if entry.get("state") == "OPERATIONAL"
    )


def _negotiated(session: Mapping[str, Any] | None) -> bool:
    return session is not None and "sessionHoldtime" in session


def _session(
    entry: dict[str, Any], detail: dict[str, Any], local_id: IPv4Address, hold_time: int, counts: LdpCounts
) -> LdpSession:
    peer_id = IPv4Address(entry["neighborId"])
    state = _WORDS[entry["state"]]
    up = state == "Operational"
    downs, last_down, reason = counts.of(peer_id)
    agreed = int(detail["sessionHoldtime"]) if up else hold_time
    return LdpSession(
        peer=IPv4Address(entry["transportAddress"]),
        peer_id=peer_id,
        local_id=local_id,
        state=state,
        local=IPv4Address(detail["tcpLocalAddress"]) if up else None,
        up_seconds=uptime_seconds(entry["upTime"]) if up else None,
        keepalive_interval=int(detail["keepAliveInterval"]) if up else agreed // KEEPALIVES_IN_HOLD_TIME,
        keepalive_timeout=agreed,
        flaps=downs,
        last_down_seconds=None if last_down is None else int(time.monotonic() - last_down),
        last_down_reason=reason,
    )


def bindings(detail: Mapping[str, Any]) -> list[LdpBinding]:
    """Read `show mpls ldp binding detail json`: for each prefix, the labels sent to and received from neighbours.

    LDP runs over IPv4 here, so ldpd advertises no labels for IPv6 prefixes.

    Raises:
        FrrError: it cannot be read.
    """
    with reading("ldpd's labels"):
        return list(_bindings(detail))


def _bindings(detail: Mapping[str, Any]) -> Iterator[LdpBinding]:
    for text, entry in detail.items():
        prefix = ip_network(text)
        if not isinstance(prefix, IPv4Network):
            continue
        for to in entry["advertisedTo"]:
            yield LdpBinding(IPv4Address(to["neighborId"]), prefix, _label(entry["localLabel"]), received=False)
        for remote in entry["remoteLabels"]:
            yield LdpBinding(IPv4Address(remote["neighborId"]), prefix, _label(remote["label"]), received=True)


def _label(word: str) -> int:
    return _NULL_LABELS[word] if word in _NULL_LABELS else int(word)


def adjacencies(discovery: Mapping[str, Any]) -> list[LdpAdjacency]:
    """Read `show mpls ldp discovery detail json`.

    Raises:
        FrrError: it cannot be read.
    """
    with reading("ldpd's adjacencies"):
        return list(_adjacencies(discovery))


def _adjacencies(discovery: Mapping[str, Any]) -> Iterator[LdpAdjacency]:
    IPv4Address(discovery["lsrId"])  # always present: without it this is the answer to another command
    for name, interface in discovery.get("interfaces", {}).items():
        for entry in interface.get("adjacencies", ()):  # ldpd leaves the list out until the first hello has come
            yield LdpAdjacency(
                address=IPv4Address(entry["sourceAddress"]),
                peer_id=IPv4Address(entry["lsrId"]),
                interface=junos_name(name),
                hold_left=int(entry["helloHoldtimeRemaining"]),
            )
