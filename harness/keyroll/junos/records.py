"""Typed records of show output. A lookup of something that is not shown is an error, not "down"."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from ipaddress import IPv4Address, IPv6Address

from keyroll.errors import RunError
from keyroll.junos.errors import ClockError

Address = IPv4Address | IPv6Address


def _nothing(what: str, *, running: bool) -> str:
    return what if running else f"{what}, because the protocol is not running"


class KeyState(enum.Enum):
    """The current use (`State`) or configured use (`Mode`) of a key in `show security keychain detail`."""

    SEND_RECEIVE = "send-receive"
    SEND = "send"
    RECEIVE = "receive"
    INACTIVE = "inactive"


class BgpState(enum.Enum):
    """RFC 4271's states; the second spelling is that of `show bgp summary` in Junos."""

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

    `start` is the router's local time without a zone, as shown. `algorithm` is Junos' output, which is `hmac-md5` for
    TCP-AO keys on every release seen (docs/junos.md 3.1), so it says nothing about the real algorithm.
    """

    id: int
    algorithm: str
    state: KeyState
    option: str
    start: datetime | None
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
    """The interface of a link-local peer, if the address names it."""
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
    running: bool = True
    """False if the router prints that the protocol is not running."""

    def peer(self, address: Address) -> BgpPeer:
        """Return the peer's row. Raises RunError when it is not shown, which is not the same as down."""
        for peer in self.peers:
            if peer.address == address:
                return peer
        shown = ", ".join(str(peer.address) for peer in self.peers) or _nothing("no peer", running=self.running)
        raise RunError(f"BGP peer {address} is not in 'show bgp summary', which shows {shown}")


@dataclass(frozen=True, slots=True)
class BgpNeighbor:
    """One peer of `show bgp neighbor`: the fields about the session and its authentication. Times in seconds."""

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
    running: bool = True


@dataclass(frozen=True, slots=True)
class Version:
    """`show version`. `junos` is None on releases that do not print it (cRPD 19.4 has only its package version)."""

    hostname: str
    model: str
    junos: str | None
    family: str | None
    package_version: str | None


UTC_NAMES = frozenset({"UTC", "GMT"})
"""Zone abbreviations with a unique offset."""


@dataclass(frozen=True, slots=True)
class SystemUptime:
    """`show system uptime`. Times are the router's local ones in whole seconds, naive; `zone` is what it prints."""

    local: datetime
    zone: str
    source: str | None
    booted: datetime | None
    protocols_started: datetime | None
    configured: datetime | None
    configured_by: str | None

    @property
    def current(self) -> datetime:
        """The clock as an instant, in UTC. Raises ClockError for a zone that is only an abbreviation."""
        if self.zone not in UTC_NAMES:
            raise ClockError(
                f"the clock is shown in zone {self.zone}, an ambiguous abbreviation",
                remedy="set system time-zone UTC",
            )
        return self.local.replace(tzinfo=UTC)

    def in_zone(self, zone: tzinfo) -> datetime:
        """Return the clock as an instant in the router's zone; the abbreviation resolves a repeated hour.

        Raises:
            ClockError: the zone has no such local time, or has another abbreviation at that time; or the local time is
                ambiguous and the abbreviation does not resolve it.
        """
        instants: dict[datetime, str] = {}
        for fold in (0, 1):
            moment = self.local.replace(tzinfo=zone, fold=fold)
            instant = moment.astimezone(UTC)
            if instant.astimezone(zone).replace(tzinfo=None, fold=0) == self.local:
                instants[instant] = moment.tzname() or ""
        for instant, name in instants.items():
            if self.zone in (name, f"{instant.astimezone(zone):%z}", f"{instant.astimezone(zone):%z}"[:3]):
                return instant
        # For many zones the time zone data of this machine and of Junos differ: -03 and BRT. So the abbreviation is
        # compared only if the local time is ambiguous.
        if len(instants) == 1 and self.zone.isalpha() and not any(name.isalpha() for name in instants.values()):
            return next(iter(instants))
        raise ClockError(f"the clock shows {self.local} {self.zone}, which zone {zone} does not have")


@dataclass(frozen=True, slots=True)
class ProtocolRoutes:
    """Number of routes of one protocol in one table."""

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
        """Return the number of active routes; 0 if the table has no line for the protocol."""
        return sum(row.active for row in self.counts if (row.table, row.protocol) == (table, protocol))


class LdpState(enum.Enum):
    """Session states, as Juniper's page of `show ldp session` lists them."""

    NONEXISTENT = "Nonexistent"
    CONNECTING = "Connecting"
    INITIALIZED = "Initialized"
    OPEN_RECEIVED = "OpenRec"
    OPEN_SENT = "OpenSent"
    OPERATIONAL = "Operational"
    CLOSING = "Closing"


class LdpConnection(enum.Enum):
    """States of the underlying TCP connection."""

    CLOSED = "Closed"
    OPENING = "Opening"
    OPEN = "Open"


@dataclass(frozen=True, slots=True)
class LdpSession:
    """One session of `show ldp session`, plain or detail (only detail fills the fields below `mode`).

    Times in seconds. `hold_time` counts down; `max_hold_time` is its initial value.
    """

    address: Address
    state: LdpState
    connection: LdpConnection
    hold_time: int
    mode: str | None = None
    session_id: str | None = None
    next_keepalive: int | None = None
    active: bool | None = None
    max_hold_time: int | None = None
    neighbor_count: int | None = None
    keepalive: int | None = None
    local_address: Address | None = None
    remote_address: Address | None = None
    up_for: timedelta | None = None
    last_down: timedelta | None = None
    reason: str | None = None
    flaps: int | None = None
    """As far as we have seen, Junos prints it only for sessions that have flapped."""
    authentication: str | None = None


@dataclass(frozen=True, slots=True)
class LdpSessions:
    """`show ldp session [address] [detail]`."""

    sessions: tuple[LdpSession, ...]
    running: bool = True
    """False where the router says that the protocol is not running."""

    def session(self, address: Address) -> LdpSession:
        """Return the session to that address. Raises RunError when it is not shown, which is not the same as down."""
        for session in self.sessions:
            if session.address == address:
                return session
        shown = ", ".join(str(each.address) for each in self.sessions) or _nothing("no session", running=self.running)
        raise RunError(f"LDP session {address} is not in 'show ldp session', which shows {shown}")


@dataclass(frozen=True, slots=True)
class LdpNeighbor:
    """One row of `show ldp neighbor`: a hello adjacency. `hold_time` in seconds, counting down."""

    address: Address
    interface: str
    label_space: str
    hold_time: int


@dataclass(frozen=True, slots=True)
class LdpNeighbors:
    """`show ldp neighbor`."""

    neighbors: tuple[LdpNeighbor, ...]
    running: bool = True


@dataclass(frozen=True, slots=True)
class LdpLabel:
    """One label of `show ldp database`: advertised by the peer for a prefix (`received`), or to the peer."""

    local_space: str
    """This router's label space: `10.255.0.1:0`."""
    peer_space: str
    prefix: str
    """An IP prefix, or a layer-2 circuit as Junos prints it."""
    label: int
    received: bool


@dataclass(frozen=True, slots=True)
class LdpDatabase:
    """`show ldp database [session A]`."""

    labels: tuple[LdpLabel, ...]
    running: bool = True
    """False where the router says that the protocol is not running."""

    def received(self) -> frozenset[tuple[str, int]]:
        """Return the prefixes for which peers advertise a label, each with its label."""
        return frozenset((one.prefix, one.label) for one in self.labels if one.received)


@dataclass(frozen=True, slots=True)
class TcpStatistics:
    """`show system statistics tcp`: the router's counters since boot, in order; a name may occur twice."""

    counters: tuple[tuple[str, int], ...]
    send_dropped: int
    """Segments not sent because they could not be signed ("send packets dropped by TCP due to auth errors")."""
    receive_dropped: int
    """Segments that did not verify ("rcv packets dropped by TCP due to auth errors")."""
