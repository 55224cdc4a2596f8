"""`show bgp neighbor [A]` (docs/junos.md 3.3): the lines whose values this router has, in Junos' order and layout.

Lines about rpd's internal state (octets in buffers, threads) are omitted, not invented.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address

from keyroll.emulator.contract.model import BgpNeighbor, BgpState
from keyroll.emulator.junos.shell.show.bgp import ESTABLISHED

PREFERENCE = 170
"""Junos' default preference of BGP routes."""
HOLD_TIME = 90
"""Junos' default hold time in seconds."""
_LAST = {"Established": ("OpenConfirm", "RecvKeepAlive"), "OpenConfirm": ("OpenSent", "RecvOpen")}
"""The only (former state, event) that leads to each of these states (RFC 4271, section 8.2.2)."""
_STARTED = ("Idle", "Start")
_HOLD_TIMER = "Hold Timer Expired"
_ERRORS = {
    "message header error": "Message Header Error",
    "open message error": "Open Message Error",
    "update message error": "Update Message Error",
    "hold timer expired": "Hold Timer Expired Error",
    "neighbor events error": "Finite State Machine Error",
    "cease": "Cease",
}
"""How bgpd's reasons for a reset begin, with Junos' name of the error; Junos shows other reasons as `None`."""


@dataclass(frozen=True, slots=True)
class Neighbor:
    """One neighbor: its configuration, its state in bgpd, and the indexes (from 0) of its group and of itself."""

    config: BgpNeighbor
    state: BgpState
    group_index: int
    peer_index: int


def neighbors(found: Sequence[Neighbor], *, own_as: int | None, router_id: IPv4Address | None) -> list[str]:
    """Return the blocks of all neighbors, with an empty line between them."""
    lines: list[str] = []
    for neighbor in found:
        lines += [""] if lines else []
        lines += _block(neighbor, own_as, router_id)
    return lines


def _block(neighbor: Neighbor, own_as: int | None, router_id: IPv4Address | None) -> list[str]:
    config, state = neighbor.config, neighbor.state
    lines = [_header(config, state, config.local_as or own_as)]
    if config.description:
        lines.append(f"  Description: {config.description}")
    lines += [
        f"  Group: {config.group:<22}Routing-Instance: master",
        "  Forwarding routing-instance: master  ",
        _type_line(config, state),
        "  Last State: {:<14}Last Event: {}".format(*_LAST.get(state.state, _STARTED)),
        f"  Last Error: {_last_error(state)}",
    ]
    lines += _policies(config)
    lines.append(f"  Options: <{' '.join(_options(config))}>")
    lines += _authentication(config)
    lines.append(f"  Address families configured: {' '.join(config.families)}")
    local = f"Local Address: {config.local_address} " if config.local_address else ""
    hold_time = HOLD_TIME if config.hold_time is None else config.hold_time
    preference = PREFERENCE if config.preference is None else config.preference
    lines.append(f"  {local}Holdtime: {hold_time} Preference: {preference}")
    if config.local_as is not None:
        lines.append(f"  Local AS: {config.local_as} Local System AS: {own_as or 0}")
    lines += _flaps(state)
    if state.state == ESTABLISHED:
        lines += _session(neighbor, router_id)
    return lines


def _header(config: BgpNeighbor, state: BgpState, local_as: int | None) -> str:
    up = state.state == ESTABLISHED
    peer = f"{config.address}+{state.remote[1]}" if up and state.remote else str(config.address)
    configured = str(config.local_address or "unspecified")
    local = f"{state.local[0]}+{state.local[1]}" if up and state.local else configured
    return f"Peer: {peer} AS {config.peer_as:<6} Local: {local} AS {local_as or 0:<5}"


def _type_line(config: BgpNeighbor, state: BgpState) -> str:
    kind = "External" if config.external else "Internal"
    flags = "Sync" if state.state == ESTABLISHED else ""
    return f"  Type: {kind}    State: {state.state:<15}Flags: <{flags}>"


def _last_error(state: BgpState) -> str:
    """Return Junos' name for the error of the last NOTIFICATION (RFC 4271, section 4.5); `None` without one."""
    reason = (state.last_reset or "").casefold()
    return next((error for beginning, error in _ERRORS.items() if reason.startswith(beginning)), "None")


def _flaps(state: BgpState) -> list[str]:
    lines = [f"  Number of flaps: {state.flaps}"]
    if state.flaps and state.last_reset is not None:
        event = "HoldTime" if state.last_reset.startswith(_HOLD_TIMER) else "Stop"
        lines.append(f"  Last flap event: {event}")
    return lines


def _policies(config: BgpNeighbor) -> list[str]:
    shown = [("Export", config.export), ("Import", config.import_)]
    parts = [f"{word}: [ {' '.join(names)} ]" for word, names in shown if names]
    return [f"  {' '.join(parts)} "] if parts else []


def _options(config: BgpNeighbor) -> list[str]:
    known = {
        "Multihop": config.multihop_ttl is not None,
        "LocalAddress": config.local_address is not None,
        "HoldTime": config.hold_time is not None,
        "Passive": config.passive,
        "AuthKey": config.md5 is not None,
        "AuthKeyChain": config.protection is not None,
        "AuthAlgorithm": config.protection is not None,
        "AddressFamily": True,
        "PeerAS": True,
        "LocalAS": config.local_as is not None,
        "Refresh": True,
    }
    return [name for name, holds in known.items() if holds]


def _authentication(config: BgpNeighbor) -> list[str]:
    if config.md5 is not None:
        return ["  Authentication key is configured"]
    if config.protection is None:
        return []
    return [
        f"  Authentication key chain: {config.protection.chain}",
        f"  Authentication algorithm: {config.protection.scheme.value}",
    ]


def _session(neighbor: Neighbor, router_id: IPv4Address | None) -> list[str]:
    state = neighbor.state
    lines: list[str] = []
    if state.peer_id is not None and state.hold_time is not None:
        lines.append(f"  Peer ID: {state.peer_id!s:<16}Local ID: {router_id!s:<18}Active Holdtime: {state.hold_time}")
    if state.keepalive is not None:
        indexes = f"Group index: {neighbor.group_index:<4} Peer index: {neighbor.peer_index:<4}"
        lines.append(f"  Keepalive Interval: {state.keepalive:<11}{indexes} SNMP index: {neighbor.peer_index:<6}")
    lines.append(f"  NLRI for this session: {' '.join(neighbor.config.families)}")
    for table, (active, received, accepted) in sorted(state.prefixes.items()):
        # Bits of groups are numbered 20000, 30000, …: the first one as on most real routers (golden/real).
        lines += [
            f"  Table {table} Bit: {(neighbor.group_index + 2) * 10000}",
            "    RIB State: BGP restart is complete",
            f"    Send state: {'not ' if state.out_queue else ''}in sync",
            f"    Active prefixes:              {active}",
            f"    Received prefixes:            {received}",
            f"    Accepted prefixes:            {accepted}",
            "    Suppressed due to damping:    0",
        ]
        if table in state.advertised:
            lines.append(f"    Advertised prefixes:          {state.advertised[table]}")
    for number, table in enumerate(sorted(state.prefixes), 1):
        family = "inet-unicast" if table == "inet.0" else "inet6-unicast"
        lines.append(f"  Output Queue[{number}]: {state.out_queue:<12} ({table}, {family})")
    return lines
