"""Convert a template's rows to typed records.

A conversion raises ValueError or KeyError for invalid rows; `keyroll.junos.output` turns these into an OutputError
with the raw text.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from ipaddress import IPv4Address, ip_address
from typing import TypeVar

from keyroll.junos.records import (
    BgpNeighbor,
    BgpNeighbors,
    BgpPeer,
    BgpState,
    BgpSummary,
    ChainStatus,
    KeyState,
    KeyStatus,
    LdpConnection,
    LdpDatabase,
    LdpLabel,
    LdpNeighbor,
    LdpNeighbors,
    LdpSession,
    LdpSessions,
    LdpState,
    ProtocolRoutes,
    RibCount,
    RouteSummary,
    SecurityKeychain,
    SystemUptime,
    TcpStatistics,
    Version,
)

T = TypeVar("T")
Row = dict[str, str | list[str]]


def duration(text: str) -> timedelta:
    """Parse Junos' durations: `23`, `7:50` (m:s), `4:19:15`, `3w2d 4:19:15`, `1d 23:58` (h:m).

    Two numbers are minutes and seconds; after days they are hours and minutes (assumed, docs/junos.md 3.1).
    """
    match = re.fullmatch(r"(?=\d)(?:(\d+)w)?(?:(\d+)d)?(?:(?:^|(?<=[wd]) )(\d+(?::\d+){0,2}))?", text)
    if not match:
        raise ValueError(f"invalid duration '{text}'")
    weeks, days, clock = match.groups()
    total = timedelta(weeks=int(weeks or 0), days=int(days or 0))
    parts = [int(part) for part in clock.split(":")] if clock else []
    if len(parts) == 2 and (weeks or days):  # noqa: PLR2004 - hours and minutes
        parts.append(0)
    for unit, part in zip((1, 60, 3600), reversed(parts), strict=False):
        total += timedelta(seconds=unit * part)
    return total


def security_keychain(rows: list[Row]) -> SecurityKeychain:
    """Chain rows (without KEY_ID), each followed by its key rows."""
    chains: list[ChainStatus] = []
    keys: list[list[KeyStatus]] = []
    for row in rows:
        if not row["KEY_ID"]:
            transition = _text(row, "TRANSITION")
            chains.append(
                ChainStatus(
                    name=_text(row, "NAME"),
                    active_send=_number_or_none(row, "ACTIVE_SEND"),
                    active_receive=_number_or_none(row, "ACTIVE_RECEIVE"),
                    next_send=_number_or_none(row, "NEXT_SEND"),
                    next_receive=_number_or_none(row, "NEXT_RECEIVE"),
                    transition=None if transition == "None" else duration(transition),
                    tolerance=_number(row, "TOLERANCE"),
                )
            )
            keys.append([])
            continue
        if not chains:
            raise ValueError("a key occurs before the first chain")
        keys[-1].append(
            KeyStatus(
                id=_number(row, "KEY_ID"),
                algorithm=_text(row, "ALGORITHM"),
                state=KeyState(row["STATE"]),
                option=_text(row, "OPTION"),
                start=_start_time(_text(row, "START_TIME")),
                mode=KeyState(row["MODE"]),
            )
        )
    return SecurityKeychain(tuple(replace(chain, keys=tuple(own)) for chain, own in zip(chains, keys, strict=True)))


def _start_time(text: str) -> datetime | None:
    return None if text == "None" else datetime.strptime(text, "%a %b %d %H:%M:%S %Y")  # noqa: DTZ007 - no zone is shown


def bgp_summary(rows: list[Row]) -> BgpSummary:
    """Peer rows, each followed by its RIB rows (with TABLE)."""
    if _stopped(rows):
        return BgpSummary(0, 0, (), running=False)
    peers: list[tuple[Row, list[RibCount]]] = []
    for row in rows:
        if row["TABLE"]:
            if not peers:
                raise ValueError("a table's counts occur before the first peer")
            peers[-1][1].append(_rib(row, _text(row, "TABLE")))
        else:
            # Junos prints the old form, one line for each peer, only for sessions that are up and have one table.
            peers.append((row, [] if row["STATE"] else [_rib(row, "inet.0")]))
    head: Row = rows[0] if rows else {"PEERS": "0", "DOWN_PEERS": "0"}
    return BgpSummary(
        peer_count=_number(head, "PEERS"),
        down_count=_number(head, "DOWN_PEERS"),
        peers=tuple(_peer(row, tuple(ribs)) for row, ribs in peers),
    )


def _rib(row: Row, table: str) -> RibCount:
    return RibCount(
        table, _number(row, "ACTIVE"), _number(row, "RECEIVED"), _number(row, "ACCEPTED"), _number(row, "DAMPED")
    )


def _peer(row: Row, ribs: tuple[RibCount, ...]) -> BgpPeer:
    address, _, interface = _text(row, "PEER").partition("%")
    return BgpPeer(
        address=ip_address(address),
        interface=interface or None,
        asn=_number(row, "PEER_AS"),
        in_packets=_number(row, "IN_PACKETS"),
        out_packets=_number(row, "OUT_PACKETS"),
        out_queue=_number(row, "OUT_QUEUE"),
        flaps=_number(row, "FLAPS"),
        since=duration(_text(row, "LAST_UP_DOWN")),
        state=BgpState.of(_text(row, "STATE") or "Establ"),
        ribs=ribs,
    )


def bgp_neighbors(rows: list[Row]) -> BgpNeighbors:
    """One row per peer."""
    if _stopped(rows):
        return BgpNeighbors((), running=False)
    return BgpNeighbors(
        tuple(
            BgpNeighbor(
                address=ip_address(_text(row, "PEER").partition("%")[0]),
                port=_optional(row, "PEER_PORT", int),
                asn=_number(row, "PEER_AS"),
                local=_text(row, "LOCAL"),
                local_port=_optional(row, "LOCAL_PORT", int),
                local_asn=_number(row, "LOCAL_AS"),
                state=BgpState.of(_text(row, "STATE")),
                last_event=_text(row, "LAST_EVENT") or None,
                last_error=None if row["LAST_ERROR"] in {"", "None"} else _text(row, "LAST_ERROR"),
                options=frozenset(word for line in row["OPTIONS"] for word in line.split()),
                key_chain=_text(row, "KEY_CHAIN") or None,
                authentication_algorithm=_text(row, "KEY_ALGORITHM") or None,
                md5=bool(row["MD5"]),
                hold_time=_optional(row, "HOLD_TIME", int),
                active_hold_time=_optional(row, "ACTIVE_HOLD_TIME", int),
                keepalive=_optional(row, "KEEPALIVE", int),
                flaps=_number(row, "FLAPS"),
                last_flap_event=_text(row, "LAST_FLAP_EVENT") or None,
                errors=tuple(row["ERRORS"]),
            )
            for row in rows
        )
    )


def version(rows: list[Row]) -> Version:
    """Exactly one row."""
    (row,) = rows
    packages = list(row["PACKAGES"])
    junos = _text(row, "JUNOS")
    if not junos and not row["PACKAGE_VERSION"] and not packages:
        raise ValueError("no release is shown")
    return Version(
        hostname=_text(row, "HOSTNAME"),
        model=_text(row, "MODEL"),
        junos=junos or None,
        family=_text(row, "FAMILY") or None,
        package_version=_text(row, "PACKAGE_VERSION") or None,
    )


def system_uptime(rows: list[Row]) -> SystemUptime:
    """One row in the names of ntc-templates' template."""
    (row,) = rows
    local = _moment(row, "")
    if local is None:
        raise ValueError("no current time is shown")
    return SystemUptime(
        local=local,
        zone=_text(row, "TIMEZONE"),
        source=_text(row, "TIME_SOURCE").strip() or None,
        booted=_moment(row, "BOOT_"),
        protocols_started=_moment(row, "PROTOCOLS_"),
        configured=_moment(row, "LAST_CONFIG_"),
        configured_by=_text(row, "LAST_CONFIG_USER") or None,
    )


def route_summary(rows: list[Row]) -> RouteSummary:
    """Rows of table and protocol, in the names of ntc-templates' template."""
    asn = _text(rows[0], "ASN") if rows else ""
    router_id = _text(rows[0], "ROUTER_ID") if rows else ""
    return RouteSummary(
        asn=int(asn) if asn else None,
        router_id=IPv4Address(router_id) if router_id else None,
        counts=tuple(
            ProtocolRoutes(
                _text(row, "TABLE_NAME"),
                _text(row, "ROUTE_SRC").removesuffix(":"),
                _number(row, "ROUTES"),
                _number(row, "ACTIVE_ROUTES"),
            )
            for row in rows
        ),
    )


def ldp_sessions(rows: list[Row]) -> LdpSessions:
    """One row per session, of the plain form."""
    return _ldp_sessions(rows, lambda row, session: replace(session, mode=_text(row, "MODE") or None))


def ldp_session_details(rows: list[Row]) -> LdpSessions:
    """One row per session, of the detail form."""
    return _ldp_sessions(rows, _with_details)


def _with_details(row: Row, session: LdpSession) -> LdpSession:
    return replace(
        session,
        session_id=_text(row, "SESSION_ID") or None,
        next_keepalive=_optional(row, "NEXT_KEEPALIVE", int),
        active=_optional(row, "ROLE", lambda role: role == "Active"),
        max_hold_time=_optional(row, "MAX_HOLD_TIME", int),
        neighbor_count=_optional(row, "NEIGHBOR_COUNT", int),
        keepalive=_optional(row, "KEEPALIVE", int),
        local_address=_optional(row, "LOCAL_ADDRESS", ip_address),
        remote_address=_optional(row, "REMOTE_ADDRESS", ip_address),
        up_for=_optional(row, "UP_FOR", duration),
        last_down=_optional(row, "LAST_DOWN", duration),
        reason=_text(row, "REASON") or None,
        flaps=_optional(row, "FLAPS", int),
        authentication=_text(row, "AUTHENTICATION") or None,
    )


def _ldp_sessions(rows: list[Row], complete: Callable[[Row, LdpSession], LdpSession]) -> LdpSessions:
    """Convert what both forms show of a session; `complete` adds what one form shows besides."""
    if _stopped(rows):
        return LdpSessions((), running=False)
    return LdpSessions(
        tuple(
            complete(
                row,
                LdpSession(
                    address=ip_address(_text(row, "ADDRESS")),
                    state=LdpState(row["STATE"]),
                    connection=LdpConnection(row["CONNECTION"]),
                    hold_time=_number(row, "HOLD_TIME"),
                ),
            )
            for row in rows
        )
    )


def ldp_neighbors(rows: list[Row]) -> LdpNeighbors:
    """One row per adjacency."""
    if _stopped(rows):
        return LdpNeighbors((), running=False)
    return LdpNeighbors(
        tuple(
            LdpNeighbor(
                address=ip_address(_text(row, "ADDRESS")),
                interface=_text(row, "INTERFACE"),
                label_space=_text(row, "LABEL_SPACE"),
                hold_time=_number(row, "HOLD_TIME"),
            )
            for row in rows
        )
    )


def ldp_database(rows: list[Row]) -> LdpDatabase:
    """One row per label."""
    if _stopped(rows):
        return LdpDatabase((), running=False)
    return LdpDatabase(
        tuple(
            LdpLabel(
                local_space=_text(row, "LOCAL_SPACE"),
                peer_space=_text(row, "PEER_SPACE"),
                prefix=_text(row, "PREFIX"),
                label=_number(row, "LABEL"),
                received=_text(row, "DIRECTION") == "Input",
            )
            for row in rows
        )
    )


def tcp_statistics(rows: list[Row]) -> TcpStatistics:
    """One row per counter; the two counters of TCP-AO drops must be present exactly once."""
    counters = tuple((_text(row, "NAME"), _number(row, "COUNT")) for row in rows)

    def one(name: str) -> int:
        found = [count for each, count in counters if each == name]
        if len(found) != 1:
            raise ValueError(f"the counter '{name}' occurs {len(found)} times instead of once")
        return found[0]

    return TcpStatistics(
        counters,
        send_dropped=one("send packets dropped by TCP due to auth errors"),
        receive_dropped=one("rcv packets dropped by TCP due to auth errors"),
    )


def _moment(row: Row, prefix: str) -> datetime | None:
    if not row[f"{prefix}YEAR"]:
        return None
    year, month, day = (_number(row, f"{prefix}{part}") for part in ("YEAR", "MONTH", "DAY"))
    hour, minute, second = (int(part) for part in _text(row, f"{prefix}TIME").split(":"))
    return datetime(year, month, day, hour, minute, second)  # noqa: DTZ001 - the zone is in another field


def _stopped(rows: list[Row]) -> bool:
    return any(row["NOT_RUNNING"] for row in rows)


def _text(row: Row, field: str) -> str:
    value = row[field]
    if not isinstance(value, str):
        raise ValueError(f"{field} is a list")  # noqa: TRY004 - one kind of error for what cannot be understood
    return value


def _optional(row: Row, field: str, read: Callable[[str], T]) -> T | None:
    text = _text(row, field)
    return read(text) if text else None


def _number(row: Row, field: str) -> int:
    return int(_text(row, field))


def _number_or_none(row: Row, field: str) -> int | None:
    text = _text(row, field)
    return None if text == "None" else int(text)
