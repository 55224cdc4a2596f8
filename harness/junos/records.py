"""Typed records of show output: values, and lookups that never take "not shown" for "down"."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import IPv4Address, IPv6Address

from harness.errors import RunError

Address = IPv4Address | IPv6Address


class KeyState(enum.Enum):
    """What a key is used for now (`State`) or was made for (`Mode`), in `show security keychain detail`."""

    SEND_RECEIVE = "send-receive"
    SEND = "send"
    RECEIVE = "receive"
    INACTIVE = "inactive"


class BgpState(enum.Enum):
    """RFC 4271's states, with Junos' spelling in `show bgp summary` as the second."""

    IDLE = "Idle"
    CONNECT = "Connect"
    ACTIVE = "Active"
    OPEN_SENT = "OpenSent"
    OPEN_CONFIRM = "OpenConfirm"
    ESTABLISHED = "Established"

    @classmethod
    def of(cls, text: str) -> BgpState:
        """Return the state of either spelling (`Establ` is the summary's)."""
        return cls("Established" if text == "Establ" else text)


@dataclass(frozen=True, slots=True)
class KeyStatus:
    """One key in `show security keychain detail`. `id` is the key number, never send-id or recv-id.

    `start` is the router's local time without a zone, as it is shown. `algorithm` is what Junos prints, which for
    TCP-AO keys is `hmac-md5` on every release seen (facts 3.1): nothing can be concluded from it.
    """

    id: int
    algorithm: str
    state: KeyState
    option: str
    start: datetime
    mode: KeyState


@dataclass(frozen=True, slots=True)
class ChainStatus:
    """One chain in `show security keychain`. Ids are key numbers; None where Junos prints `None`."""

    name: str
    active_send: int | None
    active_receive: int | None
    next_send: int | None
    next_receive: int | None
    transition: timedelta | None
    """Time until the next key replaces the active one; None without a next key."""
    tolerance: int
    """Seconds."""
    keys: tuple[KeyStatus, ...] = ()
    """Only in the `detail` form."""


@dataclass(frozen=True, slots=True)
class SecurityKeychain:
    """`show security keychain [brief|detail]`."""

    chains: tuple[ChainStatus, ...]

    def chain(self, name: str) -> ChainStatus:
        """Return the chain of that name. Raises RunError when it is not shown, which is not the same as inactive."""
        for chain in self.chains:
            if chain.name == name:
                return chain
        shown = ", ".join(chain.name for chain in self.chains) or "no chain"
        raise RunError(f"key-chain '{name}' is not in 'show security keychain', which shows {shown}")


@dataclass(frozen=True, slots=True)
class RibCount:
    """Routes of one table from one peer."""

    table: str
    active: int
    received: int
    accepted: int
    damped: int


@dataclass(frozen=True, slots=True)
class BgpPeer:
    """One peer's row of `show bgp summary`."""

    address: Address
    interface: str | None
    """The link-local peer's interface, where the address carries one."""
    asn: int
    in_packets: int
    out_packets: int
    out_queue: int
    flaps: int
    since: timedelta
    """Time since the session last went up or down."""
    state: BgpState
    ribs: tuple[RibCount, ...] = ()


@dataclass(frozen=True, slots=True)
class BgpSummary:
    """`show bgp summary`. `peer_count` and `down_count` are Junos' own, from the line above the table."""

    peer_count: int
    down_count: int
    peers: tuple[BgpPeer, ...]

    def peer(self, address: Address) -> BgpPeer:
        """Return the peer's row. Raises RunError when it is not shown, which is not the same as down."""
        for peer in self.peers:
            if peer.address == address:
                return peer
        shown = ", ".join(str(peer.address) for peer in self.peers) or "no peer"
        raise RunError(f"BGP peer {address} is not in 'show bgp summary', which shows {shown}")


@dataclass(frozen=True, slots=True)
class BgpNeighbor:
    """One peer of `show bgp neighbor`, as far as sessions and their authentication go. Times in seconds."""

    address: Address
    port: int | None
    asn: int
    local: str
    local_port: int | None
    local_asn: int
    state: BgpState
    last_event: str | None
    last_error: str | None
    options: frozenset[str]
    key_chain: str | None
    authentication_algorithm: str | None
    md5: bool
    hold_time: int | None
    active_hold_time: int | None
    keepalive: int | None
    flaps: int
    last_flap_event: str | None
    errors: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class BgpNeighbors:
    """`show bgp neighbor`."""

    neighbors: tuple[BgpNeighbor, ...]


@dataclass(frozen=True, slots=True)
class Version:
    """`show version`. `junos` is None on releases that do not print it (cRPD 19.4 has only its package version)."""

    hostname: str
    model: str
    junos: str | None
    family: str | None
    package_version: str | None


@dataclass(frozen=True, slots=True)
class SystemUptime:
    """`show system uptime`. The clock in whole seconds, aware."""

    current: datetime
    source: str | None
    booted: datetime | None
    protocols_started: datetime | None
    configured: datetime | None
    configured_by: str | None


@dataclass(frozen=True, slots=True)
class ProtocolRoutes:
    """Routes that one protocol has in one table."""

    table: str
    protocol: str
    routes: int
    active: int


@dataclass(frozen=True, slots=True)
class RouteSummary:
    """`show route summary`."""

    asn: int | None
    router_id: IPv4Address | None
    counts: tuple[ProtocolRoutes, ...]

    def active(self, table: str, protocol: str) -> int:
        """Return the number of active routes; 0 where the table has no line for the protocol."""
        return sum(row.active for row in self.counts if (row.table, row.protocol) == (table, protocol))
