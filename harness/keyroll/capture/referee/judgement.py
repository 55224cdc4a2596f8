"""The referee's judgement on a segment: verdict, refusal, direction, and the facts behind them."""

from __future__ import annotations

import enum
from typing import NamedTuple


class _FastEnum(enum.Enum):
    """An enumeration that is counted and looked up for every segment."""

    # Each member is a single object: hashing its address takes a tenth of the time of Enum's hash of the name.
    __hash__ = object.__hash__


class Standing(_FastEnum):
    """What a verdict means for the overall result."""

    GOOD = "good"
    BAD = "bad"
    UNJUDGED = "could not be judged"


class Verdict(_FastEnum):
    """The verdict on one segment of a connection that must be protected."""

    VERIFIED = "verified"
    """The MAC is right under the sender's chain and the receiver's chain accepts that key."""
    REFUSED = "refused"
    """Right under the sender's chain, but the receiver would drop it: `Refusal` says why."""
    BAD_MAC = "bad-mac"
    """The KeyID names a key of the sender, and the MAC is not what that key gives."""
    UNKNOWN_KEYID = "unknown-keyid"
    """The sender's chain has no key with this KeyID."""
    UNSIGNED = "unsigned"
    """No TCP-AO option."""
    MD5 = "md5"
    """TCP MD5 (RFC 2385) instead of TCP-AO."""
    MD5_AND_AO = "md5-and-ao"
    """Both: RFC 5925 section 2.2 has such a segment discarded."""
    MALFORMED = "malformed"
    """IP lengths, the TCP data offset or the TCP options contradict each other."""
    RST_NO_ISN = "rst-no-isn"
    """A RST on a connection for which no pair of ISNs exists (a refused SYN): RFC 5925 has no traffic key for it.

    `Judgement.key` is set if its MAC is right with a source ISN of 0; otherwise the RST could not be judged.
    """
    ISN_UNSEEN = "isn-unseen"
    """The connection's SYNs are not in the capture: no traffic key can be derived. Not a fault of the routers."""
    INCOMPLETE = "incomplete"
    """The frame was cut by the capture's snapshot length, or is an IP fragment: the MAC cannot be computed."""
    KEYS_UNKNOWN = "keys-unknown"
    """The keys are not known: a secret is not given, or no configuration describes the session's other end."""


BAD = frozenset(
    {
        Verdict.REFUSED,
        Verdict.BAD_MAC,
        Verdict.UNKNOWN_KEYID,
        Verdict.UNSIGNED,
        Verdict.MD5,
        Verdict.MD5_AND_AO,
        Verdict.MALFORMED,
    }
)


_STANDINGS = {
    verdict: Standing.BAD if verdict in BAD else Standing.GOOD if verdict is Verdict.VERIFIED else Standing.UNJUDGED
    for verdict in Verdict
}


class Refusal(enum.Enum):
    """Why the receiver would drop a segment that is right under its sender's chain."""

    UNKNOWN = "unknown"
    """The receiver's chain has no usable key whose recv-id is this KeyID."""
    MISMATCH = "mismatch"
    """It has one, but with another secret, algorithm or coverage of options, so its MAC differs."""
    WINDOW = "window"
    """It has the same one, but does not accept it at that time of the receiver's clock."""
    OLD_CONNECTION = "old-connection"
    """A newer connection uses the same ports: with its ISNs the receiver computes another MAC.

    This happens to a replayed segment, or to one that arrives very late.
    """


class Flow(NamedTuple):
    """One direction between two addresses and ports. Ports are None if no packet shows them."""

    src: str
    sport: int | None
    dst: str
    dport: int | None
    sender: str
    """The sending speaker's name: a router's, or its address where a keys file gave the keys."""
    receiver: str
    session: str | None = None
    """The session's name from the book of keys; None if it has no name or the ports are not known."""


class Judgement(NamedTuple):
    """The verdict on one segment, and the facts behind it. Never holds a secret, key or MAC."""

    number: int
    """The packet's number in its capture, from 1."""
    time_ns: int | None
    """The capture's time stamp: nanoseconds since 1970 in UTC."""
    flow: Flow
    verdict: Verdict
    reason: str
    """One sentence for a person."""
    refusal: Refusal | None = None
    key: int | None = None
    """The sender's key number (or the place in a keys file) of the key that verified, or that the KeyID names."""
    key_name: str | None = None
    receiver_key: int | None = None
    """The receiver's key number for this KeyID."""
    receiver_key_name: str | None = None
    key_id: int | None = None
    rnext_key_id: int | None = None
    flags: int = 0
    """TCP flags; `keyroll.tcpao.flag_letters` writes them as tcpdump does."""
    seq: int = 0
    ack: int = 0
    payload_length: int = 0
    """Octets of TCP payload."""
    connection: int | None = None
    """The connection's number, from 1: each pair of ISNs has its own, so reused ports give a new number."""
    capture: str = ""
    """The name of the capture that holds the packet."""

    @property
    def key_words(self) -> str:
        """The segment's KeyID in words."""
        return "no KeyID" if self.key_id is None else f"KeyID {self.key_id}"

    @property
    def src(self) -> str:
        """The sender's address."""
        return self.flow.src

    @property
    def sport(self) -> int | None:
        """The sender's port."""
        return self.flow.sport

    @property
    def dst(self) -> str:
        """The receiver's address."""
        return self.flow.dst

    @property
    def dport(self) -> int | None:
        """The receiver's port."""
        return self.flow.dport

    @property
    def sender(self) -> str:
        """The sending speaker's name."""
        return self.flow.sender

    @property
    def receiver(self) -> str:
        """The receiving speaker's name."""
        return self.flow.receiver

    @property
    def session(self) -> str | None:
        """The session's name."""
        return self.flow.session

    @property
    def standing(self) -> Standing:
        """What this verdict means for the overall result."""
        verdict = self.verdict
        if verdict is Verdict.RST_NO_ISN and self.key is not None:
            return Standing.GOOD
        return _STANDINGS[verdict]

    @property
    def verified(self) -> bool:
        """Whether the verdict is VERIFIED."""
        return self.verdict is Verdict.VERIFIED
