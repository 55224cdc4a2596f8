"""What stands between the Junos half and the FRR half of an emulated router.

The Junos half (configuration, CLI, show output) turns a committed configuration into an `Intent` and reads back
states; the machine half (FRR, wire path, clock) makes the intent true. Neither knows how the other works.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface, IPv6Network
from typing import Protocol

from harness.errors import RunError
from harness.keychain.model import Keychain
from harness.keychain.secret import Secret

Address = IPv4Address | IPv6Address
Interface = IPv4Interface | IPv6Interface
Network = IPv4Network | IPv6Network

BGP_PORT = 179
LDP_PORT = 646


class BackendError(RunError):
    """The machine half cannot do what was asked, or cannot read a state; the message says which and why."""


class AuthScheme(enum.Enum):
    """`authentication-algorithm`, as BGP and LDP take it. Junos' default is HMAC_SHA_1_96 (facts/junos.md 2.1)."""

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


@dataclass(frozen=True, slots=True)
class BgpNeighbor:
    """One BGP neighbour. Times in seconds; None means the protocol's default (Junos: hold-time 90)."""

    address: Address
    peer_as: int
    group: str
    external: bool
    local_address: Address | None = None
    local_as: int | None = None
    hold_time: int | None = None
    multihop_ttl: int | None = None
    passive: bool = False
    families: tuple[str, ...] = ("inet-unicast",)
    protection: Protection | None = None
    md5: Secret | None = None
    export: tuple[str, ...] = ()
    import_: tuple[str, ...] = ()
    description: str | None = None


@dataclass(frozen=True, slots=True)
class Intent:
    """Everything that a committed configuration asks of the machine half."""

    host_name: str
    units: tuple[Unit, ...] = ()
    router_id: IPv4Address | None = None
    autonomous_system: int | None = None
    static_routes: tuple[tuple[Network, Address], ...] = ()
    neighbors: tuple[BgpNeighbor, ...] = ()
    announce: Mapping[str, tuple[Network, ...]] = field(default_factory=dict)
    """Export policy name to the prefixes that it accepts, as far as `policy-options` is modelled."""
    chains: tuple[Keychain, ...] = ()


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
