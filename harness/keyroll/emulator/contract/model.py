"""The interface between the Junos half and the machine half of an emulated router.

The Junos half (configuration, CLI, show output) turns a committed configuration into an `Intent` and reads states; the
machine half (FRR, wire path, clock) carries out the intent. Neither depends on how the other works.
"""

from __future__ import annotations

import enum
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface, IPv6Network
from typing import Protocol, runtime_checkable

from keyroll.emulator.contract.routing_policy import OwnRoute, PolicyTerm, PrefixLimit
from keyroll.errors import RunError
from keyroll.keychain.model import Keychain
from keyroll.keychain.secret import Secret

Address = IPv4Address | IPv6Address
Interface = IPv4Interface | IPv6Interface
Network = IPv4Network | IPv6Network

# Port numbers assigned by IANA.
BGP_PORT = 179
LDP_PORT = 646


class BackendError(RunError):
    """The machine half cannot do what was asked, or cannot read a state; the message says which and why."""


class AuthScheme(enum.Enum):
    """`authentication-algorithm` of BGP and LDP. Junos' default is HMAC_SHA_1_96 (docs/junos.md 2.1)."""

    AO = "ao"
    MD5 = "md5"
    HMAC_SHA_1_96 = "hmac-sha-1-96"
    AES_128_CMAC_96 = "aes-128-cmac-96"


@dataclass(frozen=True, slots=True)
class Protection:
    """How a session's TCP connection is protected.

    With `scheme` AO and a chain, every segment in either direction carries TCP-AO or is dropped; a chain without a
    usable key drops everything (fails closed). `allow_without_ao` is `tcpao-auth-mismatch allow-without-tcpao`.
    """

    scheme: AuthScheme
    chain: str | None = None
    allow_without_ao: bool = False


@dataclass(frozen=True, slots=True)
class Unit:
    """A logical interface: its name in Junos (`ge-0/0/0.0`, `lo0.0`) and its addresses."""

    name: str
    addresses: tuple[Interface, ...] = ()
    disabled: bool = False
    """`disable` on its physical interface: administratively down."""
    mpls: bool = False
    """`family mpls`: shown, without effect; ldpd exchanges labels on the interfaces of LDP only."""
    vlan: int | None = None
    """`vlan-id`: the 802.1Q tag of its frames; None: they have none."""


@dataclass(frozen=True, slots=True)
class BgpNeighbor:
    """One BGP neighbour. Times in seconds; None means the protocol's default (Junos: hold-time 90)."""

    address: Address
    peer_as: int
    group: str
    external: bool
    local_address: Address | None = None
    local_as: int | None = None
    local_as_private: bool = False
    """`local-as private`: the local AS is not added to the paths that this neighbour sends."""
    local_as_alone: bool = False
    """`local-as no-prepend-global-as`: paths to this neighbour have the local AS, and not the router's own AS."""
    hold_time: int | None = None
    multihop_ttl: int | None = None
    passive: bool = False
    families: tuple[str, ...] = ("inet-unicast",)
    protection: Protection | None = None
    md5: Secret | None = None
    export: tuple[str, ...] = ()
    import_: tuple[str, ...] = ()
    description: str | None = None
    local_preference: int | None = None
    """Of routes from an external peer."""
    limits: Mapping[str, PrefixLimit] = field(default_factory=dict)
    """By family."""
    ttl: int | None = None
    """TTL of segments, 1 or 255; None: 1 to a directly connected external peer, else 64 or 255."""
    tcp_mss: int | None = None
    """The largest segment, in octets of payload."""
    preference: int | None = None
    """Of the routes that it sends; None: 170, Junos' default."""
    multipath: bool = False
    multiple_as: bool = False
    """Multipath over different neighbouring autonomous systems."""
    remove_private: str | None = None
    """`remove-private`: the words after it (none, `all` or `all replace`); None: private AS numbers stay."""
    as_override: bool = False
    cluster: IPv4Address | None = None
    """Cluster id under which the router reflects this neighbour's routes; None: it does not."""


class DropAction(enum.Enum):
    """What a static route does that drops its packets."""

    DISCARD = "discard"
    REJECT = "reject"
    """Drop, and send an ICMP unreachable to the sender."""


@dataclass(frozen=True, slots=True)
class LdpInterface:
    """An interface that speaks LDP. Times in seconds; None means the protocol's default (Junos: 5 and 15)."""

    name: str
    hello_interval: int | None = None
    hold_time: int | None = None


@dataclass(frozen=True, slots=True)
class LdpPeer:
    """How LDP sessions with one peer, or with all peers in a prefix, are protected (`session`, `session-group`).

    Of several that hold a peer's transport address, the one with the longest prefix applies.
    """

    peers: Network
    protection: Protection | None = None
    md5: Secret | None = None


@dataclass(frozen=True, slots=True)
class Ldp:
    """`protocols ldp`. Times in seconds; None means the protocol's default (Junos: 10 and 30)."""

    interfaces: tuple[LdpInterface, ...]
    peers: tuple[LdpPeer, ...] = ()
    keepalive_interval: int | None = None
    keepalive_timeout: int | None = None
    transport_interface: bool = False
    """`transport-address interface`; otherwise the router id is the transport address (Junos' default)."""

    def peer_of(self, address: Address) -> LdpPeer | None:
        """Return the entry that applies to a peer's transport address: the one with the longest prefix."""
        containing = [peer for peer in self.peers if address in peer.peers]
        return max(containing, key=lambda peer: peer.peers.prefixlen, default=None)


@dataclass(frozen=True, slots=True)
class Intent:
    """Everything that a committed configuration asks of the machine half."""

    host_name: str
    units: tuple[Unit, ...] = ()
    router_id: IPv4Address | None = None
    autonomous_system: int | None = None
    static_routes: tuple[tuple[Network, Address | DropAction], ...] = ()
    neighbors: tuple[BgpNeighbor, ...] = ()
    announce: Mapping[str, tuple[OwnRoute, ...]] = field(default_factory=dict)
    """Export policy's name to its decisions on the router's own routes, as far as `policy-options` is emulated."""
    policies: Mapping[str, tuple[PolicyTerm, ...]] = field(default_factory=dict)
    """Policy's name to its terms for routes learned by BGP; a route on which no term decides is accepted."""
    chains: tuple[Keychain, ...] = ()
    ldp: Ldp | None = None


@dataclass(frozen=True, slots=True)
class BgpState:
    """One neighbour's state, from FRR's JSON. Counters count from the configuration of the neighbour."""

    address: Address
    peer_as: int
    state: str
    """The word of RFC 4271 (section 8.2.2), which FRR uses too: Idle, Connect, Active, OpenSent, OpenConfirm,
    Established."""
    since_seconds: int
    """Seconds since the session came up or went down; since the neighbour was configured when it never was up."""
    flaps: int
    messages_in: int
    messages_out: int
    out_queue: int
    prefixes: Mapping[str, tuple[int, int, int]]
    """Table (`inet.0`, `inet6.0`) to (active, received, accepted)."""
    local: tuple[Address, int] | None = None
    remote: tuple[Address, int] | None = None
    hold_time: int | None = None
    keepalive: int | None = None
    last_reset: str | None = None
    peer_id: IPv4Address | None = None
    """The peer's router id; None before its OPEN."""
    advertised: Mapping[str, int] = field(default_factory=dict)
    """Table to how many prefixes the peer was sent."""


@dataclass(frozen=True, slots=True)
class RouteState:
    """One active route: its prefix, Junos' protocol word (Direct, Local, BGP, Static, LDP), next hop and interface."""

    prefix: Network
    protocol: str
    next_hop: Address | None
    interface: str | None
    preference: int
    age_seconds: int


class Backend(Protocol):
    """The machine half, as the Junos half sees it. All methods raise `BackendError` when a state cannot be read."""

    def now(self) -> datetime:
        """Return the router's own wall clock, in UTC."""
        ...

    async def set_clock(self, moment: datetime) -> None:
        """Move the router's own wall clock; timers on monotonic time do not change."""
        ...

    async def apply(self, intent: Intent) -> None:
        """Carry out `intent` without touching sessions that it does not change.

        On failure the former one stays in force.
        """
        ...

    async def bgp(self) -> Sequence[BgpState]:
        """Return the state of every configured neighbour."""
        ...

    async def routes(self) -> Sequence[RouteState]:
        """Return the active routes."""
        ...

    async def clear_bgp(self, address: Address | None, *, soft: bool) -> None:
        """Reset the sessions (all when `address` is None), or with `soft` only ask for and send routes again."""
        ...


@dataclass(frozen=True, slots=True)
class LdpSession:
    """One LDP session, as ldpd reports it. Times in seconds."""

    peer: IPv4Address
    """The peer's transport address, which Junos shows as the session's address."""
    peer_id: IPv4Address
    """The peer's LSR id."""
    local_id: IPv4Address
    state: str
    """RFC 5036's word: Nonexistent, Initialized, OpenRec, OpenSent, Operational."""
    local: IPv4Address | None
    up_seconds: int | None
    """Since the session became operational; None if it is not."""
    keepalive_interval: int
    keepalive_timeout: int
    hold_left: int | None = None
    """Seconds until the session ends unless a message comes; None if ldpd does not report it."""
    flaps: int = 0
    last_down_seconds: int | None = None
    last_down_reason: str | None = None
    next_hops: tuple[Address, ...] = ()
    """The peer's interface addresses, as it advertised them."""


@dataclass(frozen=True, slots=True)
class LdpAdjacency:
    """One neighbour heard by LDP hellos. `address` is the hello's source, as Junos shows it."""

    address: IPv4Address
    peer_id: IPv4Address
    interface: str
    hold_left: int


@dataclass(frozen=True, slots=True)
class LdpBinding:
    """A label for a prefix: from a neighbour (`received`), or sent to it."""

    peer_id: IPv4Address
    """The neighbour's LSR id."""
    prefix: IPv4Network
    label: int
    """The value on the wire: 3 is implicit null (RFC 3032)."""
    received: bool


@dataclass(frozen=True, slots=True)
class InterfaceState:
    """One physical interface by its name in Junos (`ge-0/0/0`), with the kernel's state."""

    name: str
    admin_up: bool
    link_up: bool


@dataclass(frozen=True, slots=True)
class TcpConnection:
    """One TCP socket of the router. `remote` None: it listens. `local` address None: on every address."""

    local: tuple[Address | None, int]
    remote: tuple[Address, int] | None
    state: str
    """FreeBSD's word, which Junos shows: LISTEN, SYN_SENT, ESTABLISHED, …"""
    receive_queue: int = 0
    send_queue: int = 0
    version: int = 4


@dataclass(frozen=True, slots=True)
class AuthDrops:
    """TCP segments dropped since the router started because of authentication, and ICMP errors ignored."""

    received: int
    sent: int
    icmp_ignored: int


@dataclass(frozen=True, slots=True)
class Echo:
    """The outcome of one echo request. `milliseconds` None: no answer; `problem`: why it could not be sent."""

    sequence: int
    octets: int = 0
    ttl: int = 0
    milliseconds: float | None = None
    problem: str | None = None


class EventKind(enum.Enum):
    """Kinds of events that a machine half reports."""

    SESSION_UP = "session-up"
    SESSION_DOWN = "session-down"
    KEY_CHANGE = "key-change"
    """A connection's key on the wire changed."""
    AUTH_FAILURE = "auth-failure"
    """Segments were dropped because of authentication (rate-limited by the machine half)."""


@dataclass(frozen=True, slots=True)
class RouterEvent:
    """One event. `protocol` is `bgp` or `ldp`; fields that do not apply are None."""

    kind: EventKind
    protocol: str
    peer: Address
    reason: str | None = None
    """Why a session went down, or why segments were dropped."""
    outgoing: bool | None = None
    """The direction of a key change or of dropped segments."""
    old_key: int | None = None
    key: int | None = None
    count: int = 0
    """Segments dropped since the last such event."""


@dataclass(frozen=True, slots=True)
class RouterNote:
    """Something that happened to the router itself, in one line: a daemon that died, a wire path replaced."""

    text: str


# Optional interfaces of a machine half. The Junos half checks for them with isinstance, and answers commands that need
# a missing one with an error.


@runtime_checkable
class LdpBackend(Protocol):
    """A machine half that runs LDP. All methods raise `BackendError` when a state cannot be read."""

    async def ldp_sessions(self) -> Sequence[LdpSession]:
        """Return the sessions with all known neighbours."""
        ...

    async def ldp_adjacencies(self) -> Sequence[LdpAdjacency]:
        """Return the neighbours heard on each interface."""
        ...

    async def clear_ldp(self, peer: IPv4Address | None) -> None:
        """Reset the sessions (all when `peer` is None)."""
        ...


@runtime_checkable
class LabelBackend(Protocol):
    """A machine half that knows which labels LDP has exchanged. Raises `BackendError` when it cannot be read."""

    async def ldp_bindings(self) -> Sequence[LdpBinding]:
        """Return the labels from and to all neighbours."""
        ...


@runtime_checkable
class HostBackend(Protocol):
    """A machine half that reads its kernel's state, and can restart. All methods raise `BackendError`."""

    async def interfaces(self) -> Sequence[InterfaceState]:
        """Return the physical interfaces."""
        ...

    async def connections(self) -> Sequence[TcpConnection]:
        """Return the TCP sockets of the router's own namespace."""
        ...

    async def auth_drops(self) -> AuthDrops:
        """Return the drops that the wire path counted."""
        ...

    def ping(self, address: Address, *, count: int, source: Address | None, interval: float) -> AsyncIterator[Echo]:
        """Ping from the router's own namespace; yield each request's outcome as it comes.

        `interval`: seconds from one request to the next. An answer is waited for one second.
        """
        ...

    async def restart_routing(self) -> None:
        """Restart the routing daemons, and carry out the present intent again."""
        ...

    async def reboot(self) -> None:
        """Restart the whole router; returns before it goes down."""
        ...


@runtime_checkable
class EventBackend(Protocol):
    """A machine half that reports events."""

    def subscribe(self, on_event: Callable[[RouterEvent | RouterNote], None]) -> None:
        """Pass every event to `on_event`, from the router's own event loop."""
        ...


@runtime_checkable
class CheckBackend(Protocol):
    """A machine half that can check an intent before it is applied."""

    def check(self, intent: Intent) -> None:
        """Raise `BackendError` for what `apply` would refuse by itself, without asking a daemon; changes nothing."""
        ...
