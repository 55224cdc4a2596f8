"""`show ldp session [A] [detail]`, `show ldp neighbor`, `… database`, `… interface` (docs/junos.md 3.4)."""

from __future__ import annotations

from collections.abc import Sequence

from keyroll.emulator.contract.model import Ldp, LdpAdjacency, LdpBinding, LdpSession
from keyroll.emulator.junos.shell.show.durations import age

OPERATIONAL = "Operational"
RETRY_SECONDS = 1
"""The connect retry interval in seconds, as in Junos' samples."""
_FIXED = (
    "  Capabilities advertised: none",
    "  Capabilities received: none",
    "  Protection: disabled",
    "  Session flags: none",
    "  Local - Restart: disabled, Helper mode: disabled",
    "  Local maximum neighbor reconnect time: 120000 msec",
    "  Local maximum neighbor recovery time: 240000 msec",
    "  Local Label Advertisement mode: Downstream unsolicited",
    "  Remote Label Advertisement mode: Downstream unsolicited",
    "  Negotiated Label Advertisement mode: Downstream unsolicited",
    "  MTU discovery: disabled",
    "  Nonstop routing state: Not in sync",
)
"""Lines that are the same for every session: none of the features is emulated, and ldpd only advertises unsolicited."""
_OPENING = ("OpenSent", "OpenRec", "Initialized")
"""States of a session that is being initialized over an open TCP connection (RFC 5036, section 2.5.4)."""


def connection(state: str) -> str:
    """Return the state of the TCP connection of a session in `state`: `Open` or `Closed`."""
    if state == OPERATIONAL or state in _OPENING:
        return "Open"
    return "Closed"


def _hold(session: LdpSession) -> int:
    """Return the value of Hold time: the seconds left, or the whole time if ldpd does not report them."""
    if session.state != OPERATIONAL:
        return 0
    return session.keepalive_timeout if session.hold_left is None else session.hold_left


def sessions(found: Sequence[LdpSession]) -> list[str]:
    """Return the table of sessions, ordered by peer."""
    lines = ["  Address                           State       Connection  Hold time  Adv. Mode"]
    for session in sorted(found, key=lambda session: session.peer):
        open_ = connection(session.state)
        lines.append(f"{session.peer!s:<36}{session.state:<12}{open_:<14}{_hold(session):<11}DU")
    return lines


def session_detail(found: Sequence[LdpSession], adjacencies: Sequence[LdpAdjacency], ldp: Ldp) -> list[str]:
    """Return one block for each session; lines whose value this router lacks are omitted."""
    lines: list[str] = []
    for session in sorted(found, key=lambda session: session.peer):
        lines += _detail(session, sum(entry.peer_id == session.peer_id for entry in adjacencies), ldp)
    return lines


def _detail(session: LdpSession, heard: int, ldp: Ldp) -> list[str]:
    up = session.state == OPERATIONAL
    state = f"State: {session.state}, Connection: {connection(session.state)}, Hold time: {_hold(session)}"
    lines = [
        f"Address: {session.peer}, {state}",
        f"  Session ID: {session.local_id}:0--{session.peer_id}:0",
    ]
    role = "Active" if session.local is not None and session.local > session.peer else "Passive"
    lines.append(
        f"  {role}, Maximum PDU: 4096, Hold time: {session.keepalive_timeout}, Neighbor count: {heard}",
    )
    lines.append("  Neighbor types: discovered")
    lines.append(
        f"  Keepalive interval: {session.keepalive_interval}, Connect retry interval: {RETRY_SECONDS}",
    )
    if up and session.local is not None:
        lines.append(f"  Local address: {session.local}, Remote address: {session.peer}")
    authentication = _authentication(session, ldp)
    if authentication is not None:
        lines.append(f"  Authentication type: {authentication}")
    if session.up_seconds is not None:
        lines.append(f"  Up for {age(session.up_seconds)}")
    if session.last_down_seconds is not None:
        reason = session.last_down_reason or "unknown"
        lines.append(f"  Last down {age(session.last_down_seconds)} ago; Reason: {reason}")
    if session.flaps:
        lines.append(f"  Number of session flaps: {session.flaps}")
    lines += _FIXED
    if session.next_hops:
        lines += ["  Next-hop addresses received:", *(f"    {address}" for address in session.next_hops)]
    return lines


def _authentication(session: LdpSession, ldp: Ldp) -> str | None:
    peer = ldp.peer_of(session.peer)
    if peer is None:
        return None
    if peer.md5 is not None:
        return "MD5"
    return f"keychain ({peer.protection.chain})" if peer.protection is not None else None


def neighbors(found: Sequence[LdpAdjacency]) -> list[str]:
    """Return the table of the neighbors discovered by hello messages."""
    lines = ["Address                             Interface       Label space ID     Hold time"]
    for entry in sorted(found, key=lambda entry: (entry.interface, entry.address)):
        space = f"{entry.peer_id}:0"
        lines.append(f"{entry.address!s:<35}{entry.interface:<16}{space:<20}{entry.hold_left}".rstrip())
    return lines


def database(found: Sequence[LdpBinding], sessions: Sequence[LdpSession]) -> list[str]:
    """Return for each session the labels received from its peer, then those advertised to it."""
    lines: list[str] = []
    for session in sorted(sessions, key=lambda session: session.peer):
        own = [binding for binding in found if binding.peer_id == session.peer_id]
        for head, count, received in (("Input", "received", True), ("Output", "advertised", False)):
            labels = sorted((one for one in own if one.received is received), key=lambda one: one.prefix)
            lines += [""] if lines else []
            lines.append(f"{head} label database, {session.local_id}:0--{session.peer_id}:0")
            lines.append(f"Labels {count}: {len(labels)}")
            lines.append("  Label     Prefix")
            lines += [f"{one.label:>7}      {one.prefix}" for one in labels]
    return lines


def interfaces(found: Sequence[LdpAdjacency], ldp: Ldp, addresses: Sequence[tuple[str, str]], own: str) -> list[str]:
    """Return the table of interfaces with LDP; `addresses` are (logical interface, address), `own` the router ID."""
    lines = [
        "Interface          Address                    Label space ID   Nbr   Next",
        "                                                               count hello",
    ]
    for interface in ldp.interfaces:
        count = sum(entry.interface == interface.name for entry in found)
        own_addresses = [address for name, address in addresses if name == interface.name]
        address = own_addresses[0] if own_addresses else ""
        lines.append(f"{interface.name:<19}{address:<27}{own + ':0':<17}{count}")
    return lines
