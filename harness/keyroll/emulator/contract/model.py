"""What stands between the Junos half and the FRR half of an emulated router.

The Junos half (configuration, CLI, show output) turns a committed configuration into an `Intent` and reads back
states; the machine half (FRR, wire path, clock) makes the intent true. Neither knows how the other works.
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

# IANA's ports.
BGP_PORT = 179
LDP_PORT = 646


class BackendError(RunError):
    """The machine half cannot do what was asked, or cannot read a state; the message says which and why."""


class AuthScheme(enum.Enum):
    """`authentication-algorithm`, as BGP and LDP take it. Junos' default is HMAC_SHA_1_96 (docs/junos.md 2.1)."""

    AO = "ao"
    MD5 = "md5"
    HMAC_SHA_1_96 = "hmac-sha-1-96"
    AES_128_CMAC_96 = "aes-128-cmac-96"


@dataclass(frozen=True, slots=True)
class Protection:
    """What a session's TCP connection is protected with.

    With `scheme` AO and a chain, every segment carries TCP-AO or is dropped, both ways; a chain without a usable key
    drops everything (fails closed). `allow_without_ao` is `tcpao-auth-mismatch allow-without-tcpao`.
    """

    scheme: AuthScheme
    chain: str | None = None
    allow_without_ao: bool = False


@dataclass(frozen=True, slots=True)
class Unit:
    """A logical interface: Junos' name of it (`ge-0/0/0.0`, `lo0.0`) and its addresses."""

    name: str
    addresses: tuple[Interface, ...] = ()
    disabled: bool = False
    """`disable` on its physical interface: administratively down."""
    mpls: bool = False
    """`family mpls`: shown, without effect; ldpd exchanges labels on LDP's interfaces alone."""
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
    """The local AS is not put into the paths that this neighbour sends."""
    local_as_alone: bool = False
    """What this neighbour is sent has the local AS in its path, and not the router's own beside it."""
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
    """Of what an external peer sends."""
    limits: Mapping[str, PrefixLimit] = field(default_factory=dict)
    """By family."""
    ttl: int | None = None
    """1 or 255: what segments leave with; None: 1 to an external peer that is no hop away, else 64 or 255."""
    tcp_mss: int | None = None
    """The largest segment, in octets of payload."""
    preference: int | None = None
    """Of the routes that it sends; None: 170."""
    multipath: bool = False
    multiple_as: bool = False
    """Multipath over different neighbouring autonomous systems."""
    remove_private: str | None = None
    """What is done with private AS numbers: empty, `all`, `all replace`; None: nothing."""
    as_override: bool = False
    cluster: IPv4Address | None = None
    """The router reflects this neighbour's routes, under this cluster id."""


class Nowhere(enum.Enum):
    """Where a static route leads that drops its packets."""

    DISCARD = "discard"
    REJECT = "reject"
    """And the sender gets an ICMP unreachable."""


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
    """`transport-address interface`; else the router id is the transport address, as Junos has it by default."""

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
    static_routes: tuple[tuple[Network, Address | Nowhere], ...] = ()
    neighbors: tuple[BgpNeighbor, ...] = ()
    announce: Mapping[str, tuple[OwnRoute, ...]] = field(default_factory=dict)
    """Export policy name to what it does with the router's own routes, as far as `policy-options` is modelled."""
    policies: Mapping[str, tuple[PolicyTerm, ...]] = field(default_factory=dict)
    """Export or import policy name to what it does with routes that BGP brought; what no term decides is accepted."""
    chains: tuple[Keychain, ...] = ()
    ldp: Ldp | None = None


@dataclass(frozen=True, slots=True)
class BgpState:
    """One neighbour's state as FRR's own JSON says it. Counters count since the neighbour was configured."""

    address: Address
    peer_as: int
    state: str
    """FRR's and the RFC's word: Idle, Connect, Active, OpenSent, OpenConfirm, Established."""
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
    """The peer's router id; None before it was heard."""
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
        """Move the router's own wall clock; nothing that runs on monotonic time follows it."""
        ...

    async def apply(self, intent: Intent) -> None:
        """Make `intent` true, touching no session that it does not concern; on failure the former one stays."""
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
    """One LDP session, as the daemon says it. Times in seconds."""

    peer: IPv4Address
    """The peer's transport address, which Junos shows as the session's address."""
    peer_id: IPv4Address
    """The peer's LSR id."""
    local_id: IPv4Address
    state: str
    """RFC 5036's word: Nonexistent, Initialized, OpenRec, OpenSent, Operational."""
    local: IPv4Address | None
    up_seconds: int | None
    """Since the session is operational; None when it is not."""
    keepalive_interval: int
    keepalive_timeout: int
    hold_left: int | None = None
    """Seconds until the session is given up unless something is heard; None where the daemon does not tell."""
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
    """One label that a neighbour has given for a prefix (`received`), or that it was given."""

    peer_id: IPv4Address
    """The neighbour's LSR id."""
    prefix: IPv4Network
    label: int
    """As the wire has it: 3 is implicit null."""
    received: bool


@dataclass(frozen=True, slots=True)
class InterfaceState:
    """One physical interface by Junos' name (`ge-0/0/0`), as the kernel says it."""

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
    """What came of one echo request. `milliseconds` None: no answer; `problem` says why it could not even be sent."""

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


# What follows is beyond what every machine half can do. The Junos half asks with isinstance, and answers commands that
# need what is not there with an error.


@runtime_checkable
class LdpBackend(Protocol):
    """A machine half that runs LDP. All methods raise `BackendError` when a state cannot be read."""

    async def ldp_sessions(self) -> Sequence[LdpSession]:
        """Return the sessions with every neighbour known."""
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
        """Return the labels of all neighbours, both ways."""
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

        `interval` is in seconds from one request to the next; an answer is waited for one second.
        """
        ...

    async def restart_routing(self) -> None:
        """Restart the routing daemons, and make the present intent true again."""
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
    """A machine half that can say beforehand what it could not do."""

    def check(self, intent: Intent) -> None:
        """Raise `BackendError` for what `apply` would refuse by itself, without asking a daemon; changes nothing."""
        ...
