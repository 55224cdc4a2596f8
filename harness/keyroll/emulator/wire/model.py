"""The values that the wire path and its supervisor exchange."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from keyroll.emulator.contract.model import Address, Network
from keyroll.errors import RunError
from keyroll.keychain.model import Keychain
from keyroll.names import DropReason, Receiving, Sending
from keyroll.tcpao import Mkt


class WireError(RunError):
    """The wire path has ended, refused an order or gave an invalid answer; the message says which."""


class WireGoneError(WireError):
    """The process at the other end of the control socket has ended; another may replace it."""


class Direction(enum.Enum):
    """As the router sees it."""

    OUT = "out"
    IN = "in"


@dataclass(frozen=True, slots=True)
class ProtectedSession:
    """One session whose TCP segments carry TCP-AO: all TCP between `peer` and `local` from or to `port`.

    `local` None stands for every address of this router. Unusable keys of the chain are ignored; a chain without a
    usable key lets nothing pass. `allow_without_ao` is Junos' `tcpao-auth-mismatch allow-without-tcpao`. `isn` is the
    initial sequence number that its connections show on the wire; None: the kernel's own.

    With a `prefix` it stands for a session with each peer in that prefix, except those in `excepted` and those with
    their own session or a longer prefix; `peer` is then the prefix' network address.
    """

    peer: Address
    port: int
    chain: Keychain
    local: Address | None = None
    sending: Sending = Sending.CLOCK
    receiving: Receiving = Receiving.TOLERANCE
    allow_without_ao: bool = False
    isn: int | None = None
    prefix: Network | None = None
    excepted: tuple[Network, ...] = ()

    def covers(self, peer: Address) -> bool:
        """Whether this includes a session with that peer."""
        if self.prefix is None:
            return peer == self.peer
        return peer in self.prefix and not any(peer in network for network in self.excepted)

    def with_peer(self, peer: Address) -> ProtectedSession:
        """Return the session with one peer of the prefix."""
        return replace(self, peer=peer, prefix=None, excepted=())


VLAN_MAX = 4094
"""The largest VLAN identifier; 4095 is reserved (IEEE 802.1Q section 9.6)."""


@dataclass(frozen=True, slots=True)
class VlanUnit:
    """Frames of `host` (one end of a logical interface's veth) have this 802.1Q tag on `wire`, the port's interface."""

    host: str
    wire: str
    vlan: int


@dataclass(frozen=True, slots=True)
class DirectionStatus:
    """What was last seen on the wire in one direction of a connection. Key fields are None before the first segment."""

    segments: int = 0
    """Segments signed and sent, or verified and let in; segments without TCP-AO of an admitted peer count too."""
    octets: int = 0
    """Their TCP payload, in octets."""
    key: int | None = None
    """The key number of the last segment."""
    key_id: int | None = None
    rnext_key_id: int | None = None
    rolled: bool = False
    """Whether `key` is the router's active key: the rollover was seen on the wire."""


@dataclass(frozen=True, slots=True)
class ConnectionStatus:
    """One TCP connection as the wire path knows it."""

    local: tuple[Address, int]
    remote: tuple[Address, int]
    port: int
    """The session's port: 179 or 646."""
    phase: str
    """`opening` (no ISN pair yet), `open`, `closing` (a FIN or RST was seen) or `plain` (admitted without TCP-AO)."""
    sending_key: int | None
    """The key number that the next segment would be sent with."""
    asked_key: int | None
    """The key number that the next segment would ask for in RNextKeyID."""
    idle_seconds: float
    out: DirectionStatus
    in_: DirectionStatus


@dataclass(frozen=True, slots=True)
class SessionStatus:
    """One protected session: its key clock now, and what was dropped, by direction and reason."""

    peer: Address
    port: int
    local: Address | None
    active_key: int | None
    next_key: int | None
    acceptable_keys: tuple[int, ...]
    drops: Mapping[tuple[Direction, DropReason], int]


@dataclass(frozen=True, slots=True)
class WireStatus:
    """The wire path's whole state. `drops` includes frames that belong to no session."""

    sessions: tuple[SessionStatus, ...]
    connections: tuple[ConnectionStatus, ...]
    drops: Mapping[tuple[Direction, DropReason], int]
    passed: Mapping[Direction, int]
    """Frames that need no protection and passed unchanged."""
    clock_offset_ns: int


@dataclass(frozen=True, slots=True)
class ConnectionRecord:
    """What a new wire process must know for a connection to continue.

    Anchors are 64-bit sequence numbers (SNE and sequence number, RFC 9187). `pinned` are the keys in use, by number,
    that differ from the chain's by now, so that a new process cannot find them there. `shift` is how far this router's
    sequence numbers on the wire are ahead of its kernel's.
    """

    local: tuple[Address, int]
    remote: tuple[Address, int]
    port: int
    local_isn: int
    remote_isn: int
    out_anchor: int
    in_anchor: int
    sending_key: int | None
    plain: bool = False
    closing: bool = False
    pinned: tuple[tuple[int, Mkt], ...] = ()
    shift: int = 0


class WireEventKind(enum.Enum):
    """Kinds of events that the wire path reports."""

    DROP = "drop"
    """`count` frames dropped for `reason` since the last such event (at most one a second for each reason)."""
    KEY_CHANGE = "key-change"
    """A connection's key on the wire changed in `direction`: from `old_key` to `key`."""
    CONNECTION = "connection"
    """A connection's ISNs became known, or its `record` for a replacement process changed."""
    ADMITTED = "admitted-without-ao"
    """A peer without TCP-AO was let in, because of `allow-without-tcpao`."""
    FORGOTTEN = "forgotten"
    """A connection was removed from the table."""


@dataclass(frozen=True, slots=True)
class WireEvent:
    """One event. `at_ns` is on the router's own clock. Fields that do not apply are None."""

    kind: WireEventKind
    at_ns: int
    peer: Address | None = None
    port: int | None = None
    local: tuple[Address, int] | None = None
    remote: tuple[Address, int] | None = None
    direction: Direction | None = None
    reason: DropReason | None = None
    count: int = 0
    key: int | None = None
    old_key: int | None = None
    key_id: int | None = None
    rnext_key_id: int | None = None
    record: ConnectionRecord | None = field(default=None)
