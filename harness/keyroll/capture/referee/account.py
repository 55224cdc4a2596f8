"""Counts of one capture: for each connection and direction the verdicts, and which key signed which packets and when.

    account = Account()
    use = account.observe(judgement)      # the KeyUse that a verified segment counts for, else None
    account.directions                    # one DirectionAccount for each direction of each connection

All output about keys on the wire comes from it: the table and the JSON of `keyroll verify`, and the proof that a
receiver accepted a key change (`keyroll.capture.referee.key_changes`). Memory grows with the number of connections, not
with the number of packets.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from keyroll.capture.referee.judgement import Flow, Judgement, Standing, Verdict
from keyroll.tcpao import ACK, RST, SYN

DIRECTIONS_MAX = 20_000
"""Directions counted separately, about 10 MB. In a capture with more (a port scan), the rest share one entry."""
USES_MAX = 256
"""Keys counted separately in one direction: a KeyID has 256 values, so only keys with equal KeyIDs can exceed this."""

_OTHERS = Flow("others", None, "others", None, "-", "-")
"""Stands for the directions beyond `DIRECTIONS_MAX`."""
_OTHERS_NAME = (None, _OTHERS.src, None)


class Acknowledged(NamedTuple):
    """The proof that a receiver accepted data signed with a key: a verified segment acknowledged it."""

    use: KeyUse
    """The key, and the direction of a connection in which it signed the data."""
    ack_packet: int
    ack_time_ns: int | None

    @property
    def key(self) -> int | None:
        """The sender's key number."""
        return self.use.key

    @property
    def flow(self) -> Flow:
        """Who sent the data, and to whom."""
        return self.use.flow

    @property
    def connection(self) -> int | None:
        """The connection's number."""
        return self.use.connection


@dataclass(slots=True, eq=False)
class KeyUse:
    """A key that signed verified segments in one direction of one connection. Times are ns since 1970, as captured."""

    flow: Flow
    connection: int | None
    key_id: int | None
    key: int | None
    """The sender's key number."""
    key_name: str | None
    first_packet: int
    first_time_ns: int | None
    last_packet: int
    last_time_ns: int | None
    segments: int = 0
    data_segments: int = 0
    last_data_time_ns: int | None = None
    """Time of the last segment with data; None before the first one."""
    acknowledged: Acknowledged | None = None
    """Set by `KeyChanges`, if one is used with the account."""


@dataclass(slots=True, eq=False)
class DirectionAccount:
    """The counts of one direction of one connection."""

    connection: int | None
    flow: Flow
    first_packet: int
    uses: dict[tuple[int | None, str | None], KeyUse] = field(default_factory=dict)
    """By KeyID and the key's name."""
    other: dict[Verdict, int] = field(default_factory=dict)
    """Segments by verdict, except verified ones, which are counted with their key."""
    syns: int = 0
    rsts: int = 0
    handshaken: bool = False
    """Whether anything but SYNs and RSTs was sent."""

    def verdicts(self) -> dict[Verdict, int]:
        """Return the number of segments by verdict, in the order of `Verdict`."""
        counts = dict(self.other)
        if self.uses:
            counts[Verdict.VERIFIED] = sum(use.segments for use in self.uses.values())
        if len(counts) < 2:  # noqa: PLR2004 -- nothing to sort, as in most directions of a scan
            return counts
        return {verdict: counts[verdict] for verdict in Verdict if verdict in counts}

    @property
    def segments(self) -> int:
        """All judged segments of this direction."""
        return sum(self.verdicts().values())


class Account:
    """Counts the judgements of one capture, in their order."""

    def __init__(self) -> None:
        self._directions: dict[tuple[int | None, str, int | None], DirectionAccount] = {}
        self._standings: Counter[Standing] = Counter()
        """By standing; verified segments and those of `forged_syn` are counted elsewhere."""
        self._forged_syns = 0
        self._others: DirectionAccount | None = None
        """The entry that all directions beyond `DIRECTIONS_MAX` share."""

    @property
    def directions(self) -> Sequence[DirectionAccount]:
        """All directions, by connection, in the order of first appearance."""
        return sorted(self._directions.values(), key=lambda one: (one.connection or 0, one.first_packet))

    def uses(self, *, sender: str, session: str) -> list[KeyUse]:
        """Return the keys that a speaker signed with for a session, on any connection, in the order of first use."""
        return [
            use
            for one in self._directions.values()
            if one.flow.sender == sender and one.flow.session == session
            for use in one.uses.values()
        ]

    def standings(self) -> dict[Standing, int]:
        """Return how many segments were good, bad, and could not be judged."""
        verified = sum(use.segments for one in self._directions.values() for use in one.uses.values())
        more = {Standing.GOOD: verified, Standing.BAD: self._forged_syns}
        return {standing: self._standings[standing] + more.get(standing, 0) for standing in Standing}

    def observe(self, judgement: Judgement) -> KeyUse | None:
        """Count one judgement; return the key use that it was counted with if it is verified, else None."""
        verdict = judgement.verdict
        direction = self.direction(judgement.connection, judgement.flow, judgement.number, judgement.flags)
        if verdict is not Verdict.VERIFIED:
            direction.other[verdict] = direction.other.get(verdict, 0) + 1
            self._standings[judgement.standing] += 1
            return None
        return self.verified(
            direction,
            (judgement.key_id, judgement.key, judgement.key_name),
            judgement.number,
            judgement.time_ns,
            data=judgement.payload_length > 0,
        )

    def verified(
        self,
        direction: DirectionAccount,
        key: tuple[int | None, int | None, str | None],
        number: int,
        time_ns: int | None,
        *,
        data: bool,
    ) -> KeyUse:
        """Count a verified segment of `direction`; `key` is its KeyID, and the key's number and name."""
        use = _use(direction, key, number, time_ns)
        use.segments += 1
        use.last_packet, use.last_time_ns = number, time_ns
        if data:
            use.data_segments += 1
            use.last_data_time_ns = time_ns
        return use

    def forged_syn(
        self, connection: int, src: str, sport: int, number: int, verdict: Verdict, new_flow: Callable[[int], Flow]
    ) -> Flow | None:
        """Count a SYN whose MAC is wrong or whose KeyID is unknown, as `observe` does.

        `new_flow` makes its flow from the source port; it is called only for a direction that gets its own entry.

        Returns:
            The flow, if it was made.
        """
        flow = None
        direction = self._directions.get((connection, src, sport)) or self._others
        if direction is None:
            flow = new_flow(sport)
            direction = self._add(connection, flow, number)
        direction.syns += 1
        other = direction.other
        other[verdict] = other.get(verdict, 0) + 1
        self._forged_syns += 1
        return flow

    def direction(self, connection: int | None, flow: Flow, number: int, flags: int) -> DirectionAccount:
        """Count the flags of one segment, and return the account of its direction."""
        direction = self._directions.get((connection, flow.src, flow.sport)) or self._add(connection, flow, number)
        if flags & SYN:
            direction.syns += 1
        elif flags & RST:
            direction.rsts += 1
        elif flags & ACK:
            direction.handshaken = True
        return direction

    def _add(self, connection: int | None, flow: Flow, number: int) -> DirectionAccount:
        """Return the account of a new direction: its own, or the one that all beyond `DIRECTIONS_MAX` share."""
        name = (connection, flow.src, flow.sport)
        if len(self._directions) >= DIRECTIONS_MAX:
            connection, flow, name = None, _OTHERS, _OTHERS_NAME
            if self._others is not None:
                return self._others
            self._others = DirectionAccount(connection, flow, number)
            self._directions[name] = self._others
            return self._others
        direction = self._directions[name] = DirectionAccount(connection, flow, number)
        return direction


def _use(
    direction: DirectionAccount, key: tuple[int | None, int | None, str | None], number: int, time_ns: int | None
) -> KeyUse:
    key_id, key_number, key_name = key
    use = direction.uses.get((key_id, key_name))
    if use is None:
        if len(direction.uses) >= USES_MAX:
            return next(reversed(direction.uses.values()))
        use = direction.uses[key_id, key_name] = KeyUse(
            direction.flow, direction.connection, key_id, key_number, key_name, number, time_ns, number, time_ns
        )
    return use
