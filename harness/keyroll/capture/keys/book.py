"""Whose keys count for a segment: the sender's chain, the receiver's chain, and the receiver's clock.

A `Speaker` is one router: its addresses, its chain, how it receives, and its clock. A `Book` answers, for a segment's
addresses and ports, with the `Lane` from its sender to its receiver, or None where the segment need not be protected.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Protocol

from keyroll.capture.formats.packet import CaptureError
from keyroll.keychain.model import Key, Keychain
from keyroll.keychain.schedule import window
from keyroll.keychain.secret import Secret
from keyroll.names import Receiving
from keyroll.tcpao import Algorithm

Address = IPv4Address | IPv6Address
Clock = Callable[[int], datetime | None]
"""From a capture time stamp (nanoseconds since 1970) to the reading of a router's clock (aware), or None if unknown."""

BGP_PORT = 179
LDP_PORT = 646
PORTS = frozenset({BGP_PORT, LDP_PORT})


def unknown_clock(_time_ns: int) -> None:
    """Stand for a clock of which nothing is known: windows are not judged."""


@dataclass(frozen=True, slots=True)
class Speaker:
    """One router, as the referee knows it.

    `receiving` and `clock` decide whether a key is inside its window when this router receives; with `unknown_clock`
    only KeyID, secret and algorithm count. `ports` are those whose connections must be protected.
    """

    name: str
    addresses: frozenset[Address]
    chain: Keychain
    receiving: Receiving = Receiving.TOLERANCE
    clock: Clock = unknown_clock


@dataclass(frozen=True, slots=True, eq=False)
class LaneKey:
    """One key as one end of a lane holds it. `key_id` is what the segment carries. Compared by identity."""

    number: int | None
    name: str
    algorithm: Algorithm
    secret: Secret
    key_id: int
    include_options: bool = True
    begin: datetime | None = None
    """From when the receiver accepts it, by its own clock; None is always."""
    end: datetime | None = None
    """Until when (exclusive); None is for ever."""

    def same_mac(self, other: LaneKey) -> bool:
        """Whether both ends' keys give the same MACs."""
        return (
            self.algorithm is other.algorithm
            and self.include_options == other.include_options
            and self.secret == other.secret
        )


@dataclass(frozen=True, slots=True, eq=False)
class Lane:
    """One direction between two speakers: the sender's keys by KeyID, the receiver's keys by KeyID, its clock."""

    sender: str
    receiver: str
    sent: Mapping[int, tuple[LaneKey, ...]]
    received: Mapping[int, tuple[LaneKey, ...]]
    clock: Clock = unknown_clock


class Book(Protocol):
    """Finds the lane of a segment."""

    def lane(self, src: bytes, dst: bytes, sport: int | None, dport: int | None) -> Lane | None:
        """Return the lane from `src` to `dst` (packed addresses), or None where nothing must be protected.

        Ports are None where a packet does not show them (a later fragment): then any protected port counts.
        """
        ...


class SpeakerBook:
    """The book of two or more speakers: each pair of them has a lane each way, on the protected ports."""

    def __init__(self, speakers: Iterable[Speaker], ports: frozenset[int] = PORTS) -> None:
        self._ports = ports
        self._lanes: dict[tuple[bytes, bytes], Lane] = {}
        known = tuple(speakers)
        owners: dict[Address, str] = {}
        for speaker in known:
            for address in speaker.addresses:
                if owners.setdefault(address, speaker.name) != speaker.name:
                    raise CaptureError(
                        f"both {owners[address]} and {speaker.name} have the address {address}", path="speakers"
                    )
        for sender in known:
            for receiver in known:
                if sender is not receiver:
                    lane = Lane(
                        sender.name, receiver.name, sent_keys(sender), received_keys(receiver), clock=receiver.clock
                    )
                    for src in sender.addresses:
                        self._lanes.update({(src.packed, dst.packed): lane for dst in receiver.addresses})

    def lane(self, src: bytes, dst: bytes, sport: int | None, dport: int | None) -> Lane | None:
        """Return the lane from `src` to `dst` where either port is protected."""
        if sport is None or sport in self._ports or dport in self._ports:
            return self._lanes.get((src, dst))
        return None


def sent_keys(speaker: Speaker) -> dict[int, tuple[LaneKey, ...]]:
    """Return the keys that this speaker may sign with, by send-id."""
    return _by_id(_lane_key(key, key.send_id) for key in speaker.chain.keys if key.usable)


def received_keys(speaker: Speaker) -> dict[int, tuple[LaneKey, ...]]:
    """Return the keys that this speaker may accept, by recv-id, each with its window."""
    return _by_id(
        _lane_key(key, key.recv_id, *window(speaker.chain, key, speaker.receiving))
        for key in speaker.chain.keys
        if key.usable
    )


def _lane_key(
    key: Key, key_id: int | None, begin: datetime | None = None, end: datetime | None = None
) -> LaneKey | None:
    if key.secret is None or key_id is None:
        return None
    algorithm = Algorithm(key.effective_algorithm.value)
    return LaneKey(key.id, f"key {key.id}", algorithm, key.secret, key_id, key.include_options, begin, end)


def _by_id(keys: Iterable[LaneKey | None]) -> dict[int, tuple[LaneKey, ...]]:
    found: dict[int, tuple[LaneKey, ...]] = {}
    for key in keys:
        if key is not None:
            found[key.key_id] = (*found.get(key.key_id, ()), key)
    return found


@dataclass(slots=True)
class AddressNames:
    """Packed addresses to text, remembered: a capture has few of them and many packets."""

    _names: dict[bytes, str] = field(default_factory=dict)

    def __getitem__(self, packed: bytes) -> str:
        name = self._names.get(packed)
        if name is None:
            if len(self._names) > 10_000:  # noqa: PLR2004 -- a scan of forged addresses must not fill the memory
                self._names.clear()
            name = self._names[packed] = str(ip_address(packed))
        return name
