"""Follow both captures of a run while they grow, judge each segment, and record each key change.

The capture at a router's own port shows both what it sent (before impairment) and what it received (after impairment).
Every segment of both captures is judged under both chains.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

from keyroll.capture import (
    BGP_PORT,
    LDP_PORT,
    Account,
    Acknowledged,
    Clock,
    Follow,
    Judgement,
    KeyChanges,
    KeyUse,
    Packet,
    RecentFrames,
    Referee,
    ScapyCheck,
    ScapyFindings,
    SignedFrame,
    Speaker,
    SpeakerBook,
    Standing,
)
from keyroll.keychain.model import Keychain
from keyroll.lab.protocol import SpecialFrame
from keyroll.names import Receiving, SessionKind
from keyroll.scenario.file.fields import RouterName
from keyroll.scenario.observe.router_clock import RouterClock
from keyroll.scenario.observe.tcp_events import TcpEvent, TcpEvents
from keyroll.scenario.plan.keyring import Changed

PORTS: Mapping[SessionKind, int] = {SessionKind.BGP: BGP_PORT, SessionKind.LDP: LDP_PORT}
_SYN, _RST = 0x02, 0x04
_SETTLES = 20_000_000
"""Longest time (ns) from a segment's sender to a capture: microseconds on a veth, more on a loaded machine."""


@dataclass(frozen=True, slots=True)
class Side:
    """The last signed segment from one router for one session. `at` is in ns since 1970."""

    router: str
    key: int | None
    key_id: int
    rnext_key_id: int
    at: int

    def words(self) -> str:
        """Return it as text: `key 1 (KeyID 3, RNextKeyID 4)`."""
        key = "an unknown key" if self.key is None else f"key {self.key}"
        return f"{key} (KeyID {self.key_id}, RNextKeyID {self.rnext_key_id})"


@dataclass(frozen=True, slots=True)
class KeyChange:
    """A router changed the KeyID or RNextKeyID that it sends, or the peer acknowledged a change."""

    side: Side
    session: str
    packet: int
    acknowledged: Acknowledged | None = None


@dataclass(frozen=True, slots=True)
class Party:
    """One of the two routers: its addresses, its chain, its receiving policy, its clock, its capture."""

    name: RouterName
    addresses: frozenset[IPv4Address | IPv6Address]
    chain: Keychain
    clock: RouterClock
    capture: Path
    skip: int = 0
    """Packets of earlier runs at the start of the capture; packet numbers start after them."""
    receiving: Receiving = Receiving.TOLERANCE
    chains: Mapping[str, Keychain] = field(default_factory=dict)
    """The chains of sessions that have their own, by the session's name."""


class Wire:
    """Follows the captures of both routers. `pump` reads and judges new packets; all other methods only query."""

    def __init__(
        self,
        parties: Iterable[Party],
        sessions: Iterable[str] | Mapping[str, SessionKind],
        *,
        changed: Callable[[KeyChange], None],
        sample_seed: int = 0,
        set_aside: frozenset[frozenset[tuple[str, int]]] = frozenset(),
        ends: Mapping[tuple[frozenset[IPv4Address | IPv6Address], int], str] | None = None,
    ) -> None:
        """`ends` names sessions by their addresses and port; without it the port alone identifies a session.

        `sessions` are their names, with their kinds where a name is not that of the kind.
        """
        known = tuple(parties)
        named = tuple(sessions)
        kinds = sessions if isinstance(sessions, Mapping) else {name: SessionKind(name) for name in named}
        self._ports: Mapping[int, str] = {PORTS[kind]: session for session, kind in kinds.items()}
        self._sessions: Mapping[str | None, str] = {session: session for session in named}
        self._ends = ends
        self._parties = {party.name: party for party in known}
        self._first = self._book(known)
        self._captures = {
            party.name: _Capture(party, Referee(self._first, capture=party.capture.name), sample_seed)
            for party in known
        }
        self._changed = changed
        self._set_aside = set(set_aside)
        """Connections of earlier runs (addresses and ports of both ends), until a new SYN reuses them."""
        self._changes: list[_Change] = []
        self._received: dict[tuple[RouterName, str], RecentFrames] = {}
        self._sides: dict[tuple[str, str], Side] = {}
        self._protected_from: dict[str, int] = {}
        """By router, since when (ns) its sessions have a chain; segments from before are not judged."""
        self.special: Callable[[], Sequence[SpecialFrame]] = tuple
        """Returns the frames that the link injected, damaged or lost; injected and damaged ones are judged apart."""

    def follow(self, changed: Changed) -> None:
        """Judge segments from after a router's commit by its new chain.

        During the commit either chain may be active, so a segment from then that fails under the old chain proves
        nothing.
        """
        router, span = changed.router, changed.span
        if changed.held is None:
            self._protected_from.pop(router, None)
            return
        # Segments of a router that ran without a chain may go out until the commit is over.
        self._protected_from.setdefault(router, span.done if changed.unprotected_before else span.begun)
        party = self._parties[router]
        held = replace(party, chain=changed.held.chain, chains=changed.held.own_chains())
        if held != party:
            self._parties[router] = held
            pointed = frozenset(name for name in self._sessions if name and _chain(held, name) != _chain(party, name))
            former = self._changes[-1].book if self._changes else self._first
            self._changes.append(_Change(span.begun, span.done, self._book(self._parties.values()), former, pointed))

    def _book(self, parties: Iterable[Party]) -> SpeakerBook:
        speakers = (
            Speaker(party.name, party.addresses, party.chain, party.receiving, _sure_reading(party.clock), party.chains)
            for party in parties
        )
        return SpeakerBook(speakers, self._ports, self._ends)

    def pump(self) -> None:
        """Read and judge the new packets of both captures. Raises CaptureError."""
        arrived = {name: capture.read_new() for name, capture in self._captures.items()}
        forged = Counter(
            (frame.towards, frame.sha256) for frame in self.special() if frame.what in ("injected", "damaged")
        )
        for name, packets in arrived.items():
            for packet in packets:
                if forged and self._captures[name].is_forged(name, packet, forged):
                    continue
                self._judge(name, packet)

    def _judge(self, name: RouterName, packet: Packet) -> None:
        capture = self._captures[name]
        capture.turn_to(packet.time_ns or 0, self._changes)
        judgement = capture.referee.judge(packet)
        capture.scapy.observe(packet, judgement, capture.referee.book)
        if judgement is None or self._is_before_protection(judgement) or self._is_blurred(judgement):
            return
        if self._is_of_former_chain(judgement, packet, capture):
            return
        if self._set_aside and self._is_of_earlier_run(judgement):
            return
        capture.judged.append(judgement)
        if judgement.session is not None:
            capture.tcp_events.observe(judgement, capture.referee.payload)
        proof = capture.key_changes.observe(judgement, capture.account.observe(judgement))
        if judgement.sender == name:
            self._note_side(judgement, name)
        else:
            self._note_received(judgement, packet, name)
        if proof is not None and proof.flow.sender == name:
            self._note_proof(proof)

    def received(self, router: RouterName, session: str) -> RecentFrames:
        """Return the signed frames that `router` received for a session from its peer."""
        return self._received.get((router, session), RecentFrames())

    def close(self) -> None:
        """Close the captures."""
        for capture in self._captures.values():
            capture.follow.close()

    def side(self, router: RouterName, session: str) -> Side | None:
        """Return the last segment from `router` for a session that verified under its own chain."""
        return self._sides.get((router, session))

    def acknowledged_with(self, router: RouterName, session: str, key: object, *, since: int) -> bool:
        """Return whether `router` has sent data with that key since an instant, and the peer has acknowledged it.

        Only the connection with the newest data counts. A key acknowledged there earlier needs new data since the
        instant, but no second acknowledgement. No other key may have signed data after it.
        """
        uses = [use for use in self._uses(router, session) if use.last_data_time_ns is not None]
        if not uses:
            return False
        last = max(uses, key=lambda use: use.last_data_time_ns or 0)
        return last.key == key and last.acknowledged is not None and (last.last_data_time_ns or 0) >= since

    def acknowledged_with_any(self, router: RouterName, session: str, keys: Iterable[int], *, since: int) -> bool:
        """Return whether data with one of these keys was sent since an instant and acknowledged, on any connection."""
        wanted = set(keys)
        return any(
            use.key in wanted and use.acknowledged is not None and (use.last_data_time_ns or 0) >= since
            for use in self._uses(router, session)
        )

    def sent_by(
        self, router: RouterName, *, since: int = 0, until: int | None = None, session: str | None = None
    ) -> list[Judgement]:
        """Return the judged segments from `router` in both captures between two instants (ns), of a session or all."""
        return [
            judgement
            for capture in self._captures.values()
            for judgement in capture.judged
            if judgement.sender == router
            and (session is None or judgement.session == session)
            and since <= (judgement.time_ns or 0)
            and (until is None or (judgement.time_ns or 0) <= until)
        ]

    def signed_in_order(self, router: RouterName, session: str | None = None) -> list[Judgement]:
        """Return the verified segments, without RSTs, in the capture of `router`, in the order of sending.

        A RST may belong to a connection that ended long ago, and be signed with the key of that time.
        """
        return [
            judgement
            for judgement in self._captures[router].judged
            if judgement.sender == router
            and judgement.verified
            and not judgement.flags & _RST
            and (session is None or judgement.session == session)
        ]

    def opened_or_reset(
        self, router: RouterName, since: int, until: int, session: str | None = None
    ) -> list[Judgement]:
        """Return the SYNs and RSTs of its sessions (or of one) that `router` sent after `since` and until `until` (ns).

        Other sessions between the same routers, such as one that a step opened from the CLI, are left out.
        """
        return [
            judgement
            for judgement in self._captures[router].judged
            if judgement.sender == router
            and judgement.session is not None
            and (session is None or judgement.session == session)
            and judgement.flags & (_SYN | _RST)
            and since < (judgement.time_ns or 0) <= until
        ]

    def seen(self, event: TcpEvent, router: RouterName, *, since: int) -> tuple[bool, str]:
        """Return whether `router`'s capture shows that event since an instant (ns), and a text of what it shows."""
        return self._captures[router].tcp_events.seen(event, router, since=since)

    def counts(self) -> dict[str, object]:
        """Return, by router, the number of segments that it sent (by its own capture) for each verdict and key."""
        counts: dict[str, object] = {}
        for name, capture in self._captures.items():
            verdicts: dict[str, int] = {}
            keys: dict[str, int] = {}
            for one in capture.judged:
                if one.sender == name:
                    verdicts[one.verdict.value] = verdicts.get(one.verdict.value, 0) + 1
                    keys[one.key_name or "none"] = keys.get(one.key_name or "none", 0) + 1
            counts[name] = {"verdicts": verdicts, "keys": keys}
        return counts

    def by_second(self, started: int) -> list[dict[str, object]]:
        """Return what each router sent, by its own capture, counted by second since `started` (ns), session and key.

        Segments that the peer would drop count as bad. Frames that the link injected towards a router count at their
        arrival. The report draws its chart from these counts, whose size does not grow with the number of segments.
        """
        found: dict[tuple[int, str, str, str], Counter[str]] = {}
        for name, capture in self._captures.items():
            for one in capture.judged:
                if one.sender == name:
                    place = _second(one.time_ns or 0, started), name, one.session or "", _key_text(one)
                    counts = found.setdefault(place, Counter())
                    counts["segments"] += 1
                    counts["bad"] += one.standing is Standing.BAD
                    counts["syn-rst"] += bool(one.flags & (_SYN | _RST))
            for time_ns in capture.forged_at:
                place = _second(time_ns, started), name, "", ""
                found.setdefault(place, Counter())["injected"] += 1
        names = ("second", "sender", "session", "key")
        return [dict(zip(names, place, strict=True)) | dict(counts) for place, counts in sorted(found.items())]

    def scapy_findings(self) -> dict[RouterName, ScapyFindings]:
        """Judge a sample of each capture again, with scapy."""
        return {name: capture.scapy.finish() for name, capture in self._captures.items()}

    def _uses(self, router: RouterName, session: str) -> list[KeyUse]:
        return self._captures[router].account.uses(sender=router, session=session)

    def _is_before_protection(self, judgement: Judgement) -> bool:
        start = self._protected_from.get(judgement.sender)
        return start is None or (judgement.time_ns or 0) < start

    def _is_of_earlier_run(self, judgement: Judgement) -> bool:
        if judgement.sport is None or judgement.dport is None:
            return False
        ends = frozenset({(judgement.src, judgement.sport), (judgement.dst, judgement.dport)})
        if judgement.flags & _SYN:
            self._set_aside.discard(ends)
        return ends in self._set_aside

    def _is_blurred(self, judgement: Judgement) -> bool:
        """Return whether a segment that is not good was captured while a commit changed a chain."""
        at = judgement.time_ns or 0
        return judgement.standing is not Standing.GOOD and any(
            change.begun <= at <= change.done + _SETTLES for change in self._changes
        )

    def _is_of_former_chain(self, judgement: Judgement, packet: Packet, capture: _Capture) -> bool:
        """Return whether a segment that is not good under the new chain is good under the one from before a re-point.

            A connection that is older than the re-point of its session may keep its chain until it ends
        (docs/assumptions/junos.md). A segment that is good under neither chain is judged by the new one.
        """
        if judgement.connection is None:
            return False
        opened = capture.opened.setdefault(judgement.connection, judgement.time_ns or 0)
        return judgement.standing is not Standing.GOOD and any(
            opened <= change.done
            and judgement.session in change.pointed
            and capture.is_good_under(change.former, packet)
            for change in self._changes
        )

    def _note_side(self, judgement: Judgement, router: RouterName) -> None:
        session = self._sessions.get(judgement.session)
        if judgement.key is None or judgement.key_id is None or session is None or judgement.flags & _RST:
            return
        side = Side(router, judgement.key, judgement.key_id, judgement.rnext_key_id or 0, judgement.time_ns or 0)
        before = self._sides.get((router, session))
        self._sides[router, session] = side
        if before is None or (before.key, before.rnext_key_id) != (side.key, side.rnext_key_id):
            self._changed(KeyChange(side, session, judgement.number))

    def _note_received(self, judgement: Judgement, packet: Packet, router: RouterName) -> None:
        session = self._sessions.get(judgement.session)
        if session is None or not judgement.verified or judgement.key_id is None or judgement.flags & _RST:
            return
        if judgement.connection is None:
            return
        frame = SignedFrame(packet.data, judgement.key_id, judgement.rnext_key_id or 0, judgement.key)
        kept = self._received.setdefault((router, session), RecentFrames())
        kept.add(judgement.connection, frame, data=bool(judgement.payload_length))

    def _note_proof(self, proof: Acknowledged) -> None:
        session = self._sessions.get(proof.flow.session)
        side = self._sides.get((proof.flow.sender, session)) if session else None
        if session is not None and side is not None:
            self._changed(KeyChange(side, session, proof.ack_packet, proof))


@dataclass(frozen=True, slots=True)
class _Change:
    """The book is active from `done` (ns) at the latest, and from `begun` at the earliest."""

    begun: int
    done: int
    book: SpeakerBook
    former: SpeakerBook
    pointed: frozenset[str]
    """The sessions that the change points to another chain."""


def _chain(party: Party, session: str) -> str:
    return party.chains.get(session, party.chain).name


class _Capture:
    """One capture, its referee, and all its judgements."""

    def __init__(self, party: Party, referee: Referee, seed: int) -> None:
        self.follow = Follow(party.capture)
        self._skip = party.skip
        self.referee = referee
        self.scapy = ScapyCheck(seed=seed)
        self.account = Account()
        self.key_changes = KeyChanges()
        self.tcp_events = TcpEvents()
        self.judged: list[Judgement] = []
        self.opened: dict[int, int] = {}
        """The time of each connection's first segment (ns)."""
        self.met: Counter[tuple[str, str]] = Counter()
        """Forged frames found so far, by router and SHA-256."""
        self.forged_at: list[int] = []
        """Arrival time of each of them (ns)."""
        self._turned = 0

    def read_new(self) -> list[Packet]:
        """Return the new packets of this run, numbered from 1 after the skipped ones."""
        packets = self.follow.read_new()
        if not self._skip:
            return packets
        return [packet._replace(number=packet.number - self._skip) for packet in packets if packet.number > self._skip]

    def is_forged(self, name: str, packet: Packet, forged: Counter[tuple[str, str]]) -> bool:
        """Return whether a packet is one of the forged frames towards this router; each of them is found once."""
        mark = (name, hashlib.sha256(packet.data).hexdigest())
        if self.met[mark] >= forged[mark]:
            return False
        self.met[mark] += 1
        self.forged_at.append(packet.time_ns or 0)
        return True

    def is_good_under(self, book: SpeakerBook, packet: Packet) -> bool:
        """Return whether the packet, judged already by the newest book, is good under another one."""
        newest, self.referee.book = self.referee.book, book
        try:
            again = self.referee.judge(packet)
        finally:
            self.referee.book = newest
        return again is not None and again.standing is Standing.GOOD

    def turn_to(self, time_ns: int, changes: Sequence[_Change]) -> None:
        """Use the newest book that is active at a packet's time."""
        while self._turned < len(changes) and changes[self._turned].done < time_ns:
            self.referee.book = changes[self._turned].book
            self._turned += 1


def _second(time_ns: int, started: int) -> int:
    return (time_ns - started) // 1_000_000_000


def _key_text(judgement: Judgement) -> str:
    return "none" if judgement.key is None else str(judgement.key)


def _sure_reading(clock: RouterClock) -> Clock:
    """Return the clock for the referee: unknown while it is being set."""

    def reading(time_ns: int) -> datetime | None:
        readings = clock.readings(time_ns)
        return readings[0] if len(readings) == 1 else None

    return reading
