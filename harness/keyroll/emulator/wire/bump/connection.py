"""The router's connection state: sessions with their keys, connections with their ISNs and SNEs, and the table of both.

A traffic key needs both initial sequence numbers, so a connection is known once a SYN-ACK has carried both: one that
this router sent, or one that it received and verified. A SYN, even a verified one, is only recorded and does not change
a live connection with the same addresses and ports: it may be a replay.
"""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address
from typing import NamedTuple

from keyroll.emulator.contract.key_clock import KeyClock
from keyroll.emulator.contract.model import Address
from keyroll.emulator.wire.model import ConnectionRecord, Direction, ProtectedSession
from keyroll.keychain.model import Key
from keyroll.names import DropReason
from keyroll.tcpao import Algorithm, Mkt, SneTracker, TrafficKey

SECOND = 1_000_000_000
"""In nanoseconds, as all instants and durations of the wire path."""
CLOSED_LIFETIME = 120 * SECOND
"""Nanoseconds that a connection is kept after its last segment once a FIN or RST was seen: twice Linux' TIME-WAIT of 60
s."""
OPENING_LIFETIME = 240 * SECOND
"""Nanoseconds that an unanswered SYN is recorded: Linux gives up connecting after 127 s."""
ACK_SLACK = 1 << 24
"""How far, in octets, the peer's acknowledgements may lie behind a restored connection's anchor: 16 MiB is more than
any window in a lab."""
TABLE_MAX = 4096
"""Most connections kept; beyond it those idle for the longest time are removed, closed ones first. A router in a lab
has a dozen or so; the limit bounds memory during a scan."""


class Tuple4(NamedTuple):
    """A connection's addresses (packed) and ports, as this router sees it."""

    local: bytes
    lport: int
    remote: bytes
    rport: int


class SessionState:
    """A protected session in operation: its key clock, its MKTs by key number, its drop counters."""

    __slots__ = ("_received_as", "clock", "drops", "mkts", "spec")

    def __init__(self, spec: ProtectedSession) -> None:
        self.spec = spec
        self.clock = KeyClock.of(spec.chain, sending=spec.sending, receiving=spec.receiving)
        self.mkts = {key.id: _mkt(key) for key in spec.chain.keys if key.usable}
        self.drops: dict[tuple[Direction, DropReason], int] = {}
        self._received_as: dict[int, list[int]] = {}
        for key in reversed(self.clock.keys):
            self._received_as.setdefault(key.recv_id, []).append(key.number)

    @property
    def identity(self) -> tuple[Address, int, Address | None]:
        """Peer, port and local address: a session of a new table with the same identity continues the former one."""
        return self.spec.peer, self.spec.port, self.spec.local

    def numbers_received_as(self, key_id: int) -> list[int]:
        """Return the numbers of the keys with that recv-id, the latest start first."""
        return self._received_as.get(key_id, [])


class DirectionState:
    """Counters of one direction of a connection, and the key last seen in it."""

    __slots__ = ("key", "key_id", "octets", "rnext_key_id", "segments")

    def __init__(self) -> None:
        self.segments = 0
        self.octets = 0
        self.key: int | None = None
        self.key_id: int | None = None
        self.rnext_key_id: int | None = None


class Connection:
    """One connection whose ISNs are known.

    `pinned` are the keys in use: the one that last signed and the one that last verified a segment. They keep their
    secret, ids and algorithm while they are in use, even if a commit changes them (docs/junos.md 2.3: only the active
    key is frozen). Other keys take a commit's changes at once, so that keys of the past can be replaced in place. A key
    that was removed from the chain is not used any more.
    """

    __slots__ = (
        "_keys_in",
        "_keys_out",
        "at",
        "closing",
        "current",
        "differs",
        "highest_ack",
        "in_",
        "in_sne",
        "last",
        "local_isn",
        "out",
        "out_sne",
        "pinned",
        "plain",
        "remote_isn",
        "reported_anchor",
        "session",
        "shift",
    )

    def __init__(self, at: Tuple4, session: SessionState, local_isn: int, remote_isn: int, now: int) -> None:
        self.at = at
        self.session = session
        self.local_isn = local_isn
        self.remote_isn = remote_isn
        self.out_sne = SneTracker(local_isn)
        self.in_sne = SneTracker(remote_isn)
        self.highest_ack = (local_isn + 1) & 0xFFFFFFFF
        self.current: int | None = None
        self.pinned: dict[int, Mkt] = {}
        self.differs = False
        self.plain = False
        self.closing = False
        self.shift = 0
        self.last = now
        self.reported_anchor = 0
        self.out = DirectionState()
        self.in_ = DirectionState()
        self._keys_out: dict[int, tuple[Mkt, TrafficKey]] = {}
        self._keys_in: dict[int, tuple[Mkt, TrafficKey]] = {}

    def continue_under(self, session: SessionState) -> None:
        """Continue with a session of a new table.

        `differs` is then whether a key in use differs from the configured one.

        A key that was deleted, or is not in use any more, is not pinned any more: if its number is configured again, it
        is a new key.
        """
        self.session = session
        in_use = self._in_use() & session.mkts.keys()
        self.pinned = {number: mkt for number, mkt in self.pinned.items() if number in in_use}
        self.differs = any(session.mkts.get(number) != mkt for number, mkt in self.pinned.items())

    def _in_use(self) -> set[int]:
        """Return the numbers of the keys in use, in either direction."""
        if self.in_.key is None:  # a new connection, or one of a former process, whose record has the keys in use
            return set(self.pinned)
        return {number for number in (self.current, self.out.key, self.in_.key) if number is not None}

    def restore(self, record: ConnectionRecord) -> None:
        """Continue a former process' connection.

        The key that last signed is in use, even if the record does not list it.
        """
        self.out_sne.anchor = record.out_anchor
        self.in_sne.anchor = record.in_anchor
        self.highest_ack = (record.out_anchor - ACK_SLACK) & 0xFFFFFFFF
        self.current = record.sending_key
        self.plain = record.plain
        self.closing = record.closing
        self.shift = record.shift
        configured = self.session.mkts.get(record.sending_key) if record.sending_key is not None else None
        if record.sending_key is not None and configured is not None:
            self.pinned[record.sending_key] = configured
        self.pinned.update(record.pinned)
        self.continue_under(self.session)

    def mkt(self, number: int) -> Mkt | None:
        """Return key `number` as this connection uses it; None where the chain has no such usable key."""
        configured = self.session.mkts.get(number)
        return None if configured is None else self.pinned.get(number, configured)

    def sending_number(self, now: int) -> int | None:
        """Return the number of the key that signs the next segment."""
        return self.session.clock.sent(now, self.current)

    def numbers_received_as(self, key_id: int) -> list[int]:
        """Return the numbers of the keys that a received KeyID may name on this connection."""
        if not self.differs:
            return self.session.numbers_received_as(key_id)
        pinned = [
            number for number, mkt in self.pinned.items() if mkt.recv_id == key_id and number in self.session.mkts
        ]
        others = [number for number in self.session.numbers_received_as(key_id) if number not in self.pinned]
        return pinned + others

    def number_sent_as(self, send_id: int) -> int | None:
        """Return the number of the key that a received RNextKeyID names, or None."""
        for key in reversed(self.session.clock.keys):
            mkt = self.mkt(key.number)
            if mkt is not None and mkt.send_id == send_id:
                return key.number
        return None

    def key_out(self, number: int, mkt: Mkt) -> TrafficKey:
        """Return the traffic key of segments that this router sends (Send_other_traffic_key, RFC 5925 section 5.2)."""
        found = self._keys_out.get(number)
        if found is None or found[0] is not mkt:
            local, lport, remote, rport = self.at
            key = mkt.traffic_key(local, remote, lport, rport, self.local_isn, self.remote_isn)
            found = self._keys_out[number] = (mkt, key)
        return found[1]

    def key_in(self, number: int, mkt: Mkt) -> TrafficKey:
        """Return the traffic key of segments that the peer sends (Receive_other_traffic_key, RFC 5925 section 5.2)."""
        found = self._keys_in.get(number)
        if found is None or found[0] is not mkt:
            local, lport, remote, rport = self.at
            key = mkt.traffic_key(remote, local, rport, lport, self.remote_isn, self.local_isn)
            found = self._keys_in[number] = (mkt, key)
        return found[1]

    def record(self) -> ConnectionRecord:
        """Return what another process needs to continue this connection."""
        return ConnectionRecord(
            local=(ip_address(self.at.local), self.at.lport),
            remote=(ip_address(self.at.remote), self.at.rport),
            port=self.session.spec.port,
            local_isn=self.local_isn,
            remote_isn=self.remote_isn,
            out_anchor=self.out_sne.anchor,
            in_anchor=self.in_sne.anchor,
            sending_key=self.current,
            plain=self.plain,
            closing=self.closing,
            pinned=tuple((number, mkt) for number, mkt in self.pinned.items() if self.session.mkts.get(number) != mkt),
            shift=self.shift,
        )


class Entry:
    """The state of one set of addresses and ports: the live connection, and SYNs that are not answered yet.

    `our_syn` and `peer_syn` are ISNs; `peer_plain` says that the peer's SYN came without TCP-AO and was admitted.
    `retired` says that the session was removed from the table while its connection was alive. `shift` is how far this
    router's sequence numbers on the wire are ahead of its kernel's (see `sequence_shift`).
    """

    __slots__ = ("last", "live", "our_key", "our_syn", "peer_plain", "peer_syn", "retired", "session", "shift")

    def __init__(self, session: SessionState, now: int) -> None:
        self.session = session
        self.last = now
        self.live: Connection | None = None
        self.our_syn: int | None = None
        self.our_key: int | None = None
        self.peer_syn: int | None = None
        self.peer_plain = False
        self.retired = False
        self.shift = 0


class Table:
    """Every connection of the router, by addresses and ports. One table for all links, because a route may change."""

    def __init__(self) -> None:
        self.entries: dict[Tuple4, Entry] = {}

    def entry(self, at: Tuple4, session: SessionState, now: int) -> Entry:
        """Return the entry of these addresses and ports, a new one if there is none. `now` is monotonic, in ns."""
        entry = self.entries.get(at)
        if entry is None:
            entry = self.entries[at] = Entry(session, now)
        entry.last = now
        return entry

    def connections(self) -> Iterator[Connection]:
        """Yield every connection whose ISNs are known."""
        return (entry.live for entry in self.entries.values() if entry.live is not None)

    def expire(self, now: int) -> list[Connection]:
        """Remove what is over, and beyond TABLE_MAX what is idle for the longest time.

        Return the removed connections.
        """
        forgotten: list[Connection] = []
        for at, entry in list(self.entries.items()):
            if now - entry.last > OPENING_LIFETIME:
                entry.our_syn = entry.peer_syn = None
            live = entry.live
            if live is not None and (live.closing or entry.retired) and now - live.last > CLOSED_LIFETIME:
                forgotten.append(live)
                entry.live = None
            if entry.live is None and entry.our_syn is None and entry.peer_syn is None:
                del self.entries[at]
        if len(self.entries) > TABLE_MAX:
            forgotten += self._evict(len(self.entries) - TABLE_MAX)
        return forgotten

    def _evict(self, count: int) -> list[Connection]:
        def priority(item: tuple[Tuple4, Entry]) -> tuple[int, int]:
            live = item[1].live
            return (0 if live is None else 1 if live.closing else 2), item[1].last

        forgotten = []
        for at, entry in sorted(self.entries.items(), key=priority)[:count]:
            del self.entries[at]
            if entry.live is not None:
                forgotten.append(entry.live)
        return forgotten


def _mkt(key: Key) -> Mkt:
    if key.secret is None or key.send_id is None or key.recv_id is None:
        raise ValueError(f"key {key.id} is not usable")
    return Mkt(
        name=f"key {key.id}",
        algorithm=Algorithm(key.effective_algorithm.value),
        master_key=key.secret.reveal(),
        send_id=key.send_id,
        recv_id=key.recv_id,
        include_options=key.include_options,
    )
