"""Which keys count for a segment: the sender's chain, the receiver's chain, and the receiver's clock.

A `Speaker` is one router: its addresses, its chain, how it receives, and its clock. A `Book` answers, for a segment's
addresses and ports, with the `DirectionKeys` of its session and direction, or None where the segment need not be
protected.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Protocol

from keyroll.errors import InputError
from keyroll.keychain.model import Key, Keychain
from keyroll.keychain.schedule import window
from keyroll.keychain.secret import Likeness, Secret
from keyroll.names import Algorithm, Receiving
from keyroll.tcpao import MasterKey

Address = IPv4Address | IPv6Address
Clock = Callable[[int], datetime | None]
"""From a capture's time stamp (nanoseconds since 1970 in UTC) to the reading of a router's clock (aware); None if
unknown."""

# Port numbers assigned by IANA.
BGP_PORT = 179
LDP_PORT = 646
SESSION_PORTS: Mapping[int, str] = {BGP_PORT: "bgp", LDP_PORT: "ldp"}
"""Well-known port to the name of the session that uses it."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ALWAYS = 1 << 80
"""Nanoseconds beyond every time stamp: the end of a span that does not end."""

_NAMES_MAX = 10_000
"""Addresses whose text is cached: a session has two; the limit bounds memory in a scan of forged addresses."""


class BookError(InputError):
    """Two speakers have the same address, so it is not clear whose keys apply."""


def unknown_clock(_time_ns: int) -> None:
    """The clock of a router whose clock is unknown: windows are not judged."""


@dataclass(frozen=True, slots=True)
class Speaker:
    """One router, as the referee knows it.

    `receiving` and `clock` decide whether a key is inside its window when this router receives; with `unknown_clock`
    only KeyID, secret and algorithm count.
    """

    name: str
    addresses: frozenset[Address]
    chain: Keychain
    receiving: Receiving = Receiving.TOLERANCE
    clock: Clock = unknown_clock
    chains: Mapping[str, Keychain] = field(default_factory=dict)
    """The chains of sessions that are not protected by `chain`, by the session's name."""

    def for_session(self, name: str | None) -> Speaker:
        """Return the same router with the chain that protects a session."""
        own = self.chains.get(name) if name is not None else None
        return self if own is None else replace(self, chain=own)


@dataclass(frozen=True, slots=True, eq=False)
class HeldKey:
    """One key as one end of a session holds it. `key_id` is what the segment carries. Compared by identity."""

    number: int | None
    name: str
    algorithm: Algorithm
    secret: Secret
    key_id: int
    include_options: bool = True
    begin: datetime | None = None
    """Start of acceptance, by the receiver's clock; None: no lower limit."""
    end: datetime | None = None
    """End of acceptance (exclusive); None: no upper limit."""
    master: MasterKey | None = field(init=False, repr=False)
    """Derives this key's traffic keys; None where the secret is not known."""

    def __post_init__(self) -> None:
        known = self.secret.known
        object.__setattr__(self, "master", MasterKey(self.algorithm, self.secret.reveal()) if known else None)

    def same_mac(self, other: HeldKey) -> bool:
        """Whether both ends' keys give the same MACs."""
        return (
            self.algorithm is other.algorithm
            and self.include_options == other.include_options
            and self.secret.compare(other.secret) is Likeness.EQUAL
        )


@dataclass(frozen=True, slots=True, eq=False)
class DirectionKeys:
    """The keys of one direction of a session. Compared by identity.

    `sent` are the sender's keys by send-id, `received` the receiver's keys by recv-id: both are what a segment of
    this direction carries as its KeyID. `clock` is the receiver's. `session` names the session; None where a packet
    does not show its ports, or the session has no name.
    """

    sender: str
    receiver: str
    sent: Mapping[int, tuple[HeldKey, ...]]
    received: Mapping[int, tuple[HeldKey, ...]]
    clock: Clock = unknown_clock
    session: str | None = None
    doubt: str | None = None
    """Why the keys are uncertain, in one sentence. A segment that does not verify is then not judged, not bad."""


class CaptureClock:
    """A router's clock that differs from the capture's time stamps by a fixed offset, in nanoseconds."""

    __slots__ = ("offset_ns",)

    def __init__(self, offset_ns: int = 0) -> None:
        self.offset_ns = offset_ns

    def __call__(self, time_ns: int) -> datetime | None:
        """Return the clock's reading at this time stamp; None if `datetime` cannot hold it."""
        try:
            return _EPOCH + timedelta(microseconds=(time_ns + self.offset_ns) // 1000)
        except OverflowError:
            return None

    def span_ns(self, key: HeldKey) -> tuple[int, int]:
        """Return the time stamps from which and until which the receiver accepts `key`."""
        return (
            -_ALWAYS if key.begin is None else self._stamp(key.begin),
            _ALWAYS if key.end is None else self._stamp(key.end),
        )

    def _stamp(self, moment: datetime) -> int:
        return (moment - _EPOCH) // timedelta(microseconds=1) * 1000 - self.offset_ns


def span_of(clock: Clock, key: HeldKey) -> tuple[int, int] | None:
    """Return the time stamps between which the receiver accepts `key`; None if each time stamp needs its own check."""
    if clock is unknown_clock or (key.begin is None and key.end is None):
        return -_ALWAYS, _ALWAYS
    return clock.span_ns(key) if isinstance(clock, CaptureClock) else None


class Book(Protocol):
    """Finds the keys of a segment."""

    @property
    def ports(self) -> Container[int | None]:
        """Ports for which `keys_for` may answer differently; all other source ports get the same answer."""
        ...

    def keys_for(self, src: bytes, dst: bytes, sport: int | None, dport: int | None) -> DirectionKeys | None:
        """Return the keys from `src` to `dst` (packed addresses), or None where nothing must be protected.

        The answer for the same arguments is the same object as long as the book stays the same. Ports are None where
        a packet does not show them (a later fragment): then any protected port counts.
        """
        ...


class SpeakerBook:
    """The book of two or more speakers: each pair of them has one direction each way on every protected port.

    `ports` gives the protected ports and the names of their sessions. `pairs` names sessions by their two addresses and
    port: on a port listed there, a session between other addresses has no name.

    Raises:
        BookError: two speakers have an address in common.
    """

    def __init__(
        self,
        speakers: Iterable[Speaker],
        ports: Mapping[int, str] = SESSION_PORTS,
        pairs: Mapping[tuple[frozenset[Address], int], str] | None = None,
    ) -> None:
        self._ports = ports
        self._pairs = pairs or {}
        self._by_pair = {port for _, port in self._pairs}
        self._directions: dict[tuple[bytes, bytes], dict[int | None, DirectionKeys]] = {}
        known = tuple(speakers)
        _check_addresses(known)
        for sender in known:
            for receiver in known:
                if sender is not receiver:
                    self._add(sender, receiver)

    @property
    def ports(self) -> Container[int | None]:
        """The protected ports."""
        return self._ports

    def _add(self, sender: Speaker, receiver: Speaker) -> None:
        bare = _direction(sender, receiver, None)
        made: dict[tuple[tuple[int, str | None], ...], dict[int | None, DirectionKeys]] = {}
        for src in sender.addresses:
            for dst in receiver.addresses:
                names = tuple((port, self._name(frozenset({src, dst}), port)) for port in self._ports)
                if names not in made:
                    made[names] = {
                        None: bare,
                        **{port: self._of_session(bare, sender, receiver, name) for port, name in names},
                    }
                self._directions[src.packed, dst.packed] = made[names]

    @staticmethod
    def _of_session(bare: DirectionKeys, sender: Speaker, receiver: Speaker, name: str | None) -> DirectionKeys:
        if name is not None and (name in sender.chains or name in receiver.chains):
            return _direction(sender, receiver, name)
        return replace(bare, session=name)

    def _name(self, ends: frozenset[Address], port: int) -> str | None:
        return self._pairs.get((ends, port)) if port in self._by_pair else self._ports[port]

    def keys_for(self, src: bytes, dst: bytes, sport: int | None, dport: int | None) -> DirectionKeys | None:
        """Return the keys from `src` to `dst` where either port is protected."""
        directions = self._directions.get((src, dst))
        if directions is None:
            return None
        # In a later fragment both ports are None, and the key None finds the direction without a session.
        return directions.get(sport) or directions.get(dport)


def _direction(sender: Speaker, receiver: Speaker, session: str | None) -> DirectionKeys:
    return DirectionKeys(
        sender.name,
        receiver.name,
        sent_keys(sender.for_session(session)),
        received_keys(receiver.for_session(session)),
        receiver.clock,
        session,
    )


def _check_addresses(speakers: Iterable[Speaker]) -> None:
    owners: dict[Address, str] = {}
    for speaker in speakers:
        for address in speaker.addresses:
            if owners.setdefault(address, speaker.name) != speaker.name:
                raise BookError(f"both {owners[address]} and {speaker.name} have the address {address}")


def sent_keys(speaker: Speaker) -> dict[int, tuple[HeldKey, ...]]:
    """Return the keys that this speaker may sign with, by send-id."""
    return _by_id(_held_key(key, key.send_id) for key in speaker.chain.keys if key.usable)


def received_keys(speaker: Speaker) -> dict[int, tuple[HeldKey, ...]]:
    """Return the keys that this speaker may accept, by recv-id, each with its window."""
    return _by_id(
        _held_key(key, key.recv_id, *window(speaker.chain, key, speaker.receiving))
        for key in speaker.chain.keys
        if key.usable
    )


def _held_key(
    key: Key, key_id: int | None, begin: datetime | None = None, end: datetime | None = None
) -> HeldKey | None:
    if key.secret is None or key_id is None:
        return None
    return HeldKey(
        key.id, f"key {key.id}", key.effective_algorithm, key.secret, key_id, key.include_options, begin, end
    )


def _by_id(keys: Iterable[HeldKey | None]) -> dict[int, tuple[HeldKey, ...]]:
    found: dict[int, tuple[HeldKey, ...]] = {}
    for key in keys:
        if key is not None:
            found[key.key_id] = (*found.get(key.key_id, ()), key)
    return found


@dataclass(slots=True)
class AddressNames:
    """Packed address to text, cached: a capture has few addresses and many packets."""

    _names: dict[bytes, str] = field(default_factory=dict)

    def __getitem__(self, packed: bytes) -> str:
        name = self._names.get(packed)
        if name is None:
            if len(self._names) > _NAMES_MAX:
                self._names.clear()
            name = self._names[packed] = str(ip_address(packed))
        return name
