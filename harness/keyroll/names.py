"""Words that several rooms share, each defined once. There is no logic here, and nothing is imported from other rooms.

The emulator and what judges it may share these words (what Junos and RFC 5925 call a thing), never what they do.
"""

from __future__ import annotations

from enum import StrEnum


class Algorithm(StrEnum):
    """TCP-AO's MAC and KDF, always a pair (RFC 5926 section 3.1), under the names of Junos."""

    HMAC_SHA_1_96 = "hmac-sha-1-96"
    AES_128_CMAC_96 = "aes-128-cmac-96"


class Sending(StrEnum):
    """What moves the sending key."""

    CLOCK = "clock"
    """At its start-time a key becomes the one that is sent and asked for; a received RNextKeyID moves nothing."""
    RNEXT = "rnext"
    """RFC 5925: a start-time moves only what is asked for (RNextKeyID); the sending key moves when a verified segment's
    RNextKeyID names a usable key that receiving would accept now."""


class Receiving(StrEnum):
    """Which keys a received segment may be signed with."""

    TOLERANCE = "tolerance"
    """From a key's start less the chain's tolerance until its successor's start plus the tolerance."""
    ANY = "any"
    """Every usable key of the chain, by KeyID."""


class InUse(StrEnum):
    """When a committed change of a keychain in use takes effect on a session that is up."""

    NEXT_CONNECTION = "next-connection"
    AT_ONCE = "at-once"


class Capability(StrEnum):
    """What a lab can do beyond giving routers; a scenario may require any of them."""

    CAPTURE = "capture"
    SET_CLOCK = "set-clock"
    CUT_LINK = "cut-link"
    IMPAIR = "impair"
    INJECT = "inject"
    REBOOT = "reboot"
    STEER_TCP = "steer-tcp"
    """How connections come about: the routers' initial sequence numbers, their source port, SYNs that cross."""
    KEY_POLICY = "key-policy"
    """Which rules move a router's keys (a scenario's `policy:`): only emulated routers can be configured so."""
    VLAN = "vlan"
    """Whether ports have logical interfaces with a VLAN (a session's `vlan:`)."""


class DropReason(StrEnum):
    """Why a router kept a frame from passing (docs/control.md). One reason a frame, the first that applies."""

    NO_OPTION = "no-option"
    """Received without TCP-AO on a protected session."""
    UNKNOWN_KEY_ID = "unknown-keyid"
    """Received with a KeyID that is no usable key's recv-id."""
    NOT_ACCEPTABLE = "not-acceptable-now"
    """Received with a known KeyID outside its key's window."""
    BAD_MAC = "bad-mac"
    BAD_CHECKSUM = "bad-checksum"
    """A wrong TCP checksum on a segment whose MAC does not cover its options: they may be damaged."""
    MD5_PRESENT = "md5-present"
    """Received with the TCP MD5 option (RFC 2385), alone or beside TCP-AO (RFC 5925, 2.2)."""
    NO_USABLE_KEY = "no-usable-key"
    """The session's chain has no key that may be used now."""
    NO_CONNECTION = "no-connection-state"
    """The connection's pair of initial sequence numbers is not known, so no traffic key exists."""
    NO_ROOM = "no-room"
    """The option does not fit into the TCP header, or the signed segment not into a frame. Only on the way out."""
    MALFORMED = "malformed"
    """A TCP segment from or to a protected peer that cannot be parsed."""
    FRAGMENT = "fragment"
    """An IP fragment of TCP from or to a protected peer: one fragment cannot be judged."""
    ICMP_ERROR = "icmp-error"
    """An ICMP error about a protected connection (RFC 5925, 7.8)."""
    CONGESTION = "congestion"
    """The link did not take the frame: its queue is full or it is down. Only on the way out."""


class AuthenticationLevel(StrEnum):
    """Where a BGP session's authentication statements stand; the innermost is in force (Juniper, BGP)."""

    PROTOCOL = "protocol"
    """`protocols bgp`."""
    GROUP = "group"
    NEIGHBOR = "neighbor"


class SessionKind(StrEnum):
    """The sessions that a keychain can protect here."""

    BGP = "bgp"
    LDP = "ldp"


class Invariant(StrEnum):
    """What must hold throughout a run (docs/scenario-file.md, "Throughout")."""

    NO_FLAP = "no-flap"
    NO_ROUTE_LOSS = "no-route-loss"
    EVERY_SEGMENT_VERIFIED = "every-segment-verified"
    ROLLOVER_COMPLETES = "rollover-completes"
    NO_KEY_TAKEN_BACK = "no-key-taken-back"
