"""Counting verdicts: per connection and direction, what was judged how, and which key signed from when to when.

A `Tally` holds one `Flow` for each direction of each connection, and for the whole the number of judgements of each
standing. Memory grows with the number of connections, not with that of packets.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from keyroll.capture.referee.judgement import Judgement, Standing, Verdict
from keyroll.tcpao import ACK, RST, SYN

FLOWS_MAX = 20_000
"""Flows counted one by one; in a capture of more connections (a scan), the rest is counted in one flow."""
USES_MAX = 256
"""Keys told apart in one flow."""


@dataclass(slots=True)
class Use:
    """A key that signed verified segments of a flow. Times are nanoseconds since 1970, as captured."""

    key_id: int | None
    key: int | None
    key_name: str | None
    first_packet: int
    first_time_ns: int | None
    last_packet: int
    last_time_ns: int | None
    segments: int = 0
    data_segments: int = 0


@dataclass(slots=True)
class Flow:
    """One direction of one connection."""

    connection: int | None
    sender: str
    receiver: str
    src: str
    sport: int | None
    dst: str
    dport: int | None
    first_packet: int
    uses: dict[tuple[int | None, str | None], Use] = field(default_factory=dict)
    other: Counter[Verdict] = field(default_factory=Counter)
    """Segments by verdict, but for verified ones: those are counted with their key's use."""
    syns: int = 0
    rsts: int = 0
    handshaken: bool = False
    """Whether anything but SYNs and RSTs was sent."""

    def verdicts(self) -> dict[Verdict, int]:
        """Return the number of segments by verdict, in the order of `Verdict`."""
        verified = sum(use.segments for use in self.uses.values())
        return {
            verdict: number
            for verdict in Verdict
            if (number := verified if verdict is Verdict.VERIFIED else self.other[verdict])
        }

    @property
    def segments(self) -> int:
        """All judged segments of this flow."""
        return sum(self.verdicts().values())

    @property
    def name(self) -> tuple[str, int | None, str, int | None]:
        """Source address and port, destination address and port."""
        return self.src, self.sport, self.dst, self.dport


class Tally:
    """Counts judgements of one capture."""

    def __init__(self) -> None:
        self._flows: dict[tuple[int | None, str, int | None], Flow] = {}
        self._other: Counter[Standing] = Counter()

    @property
    def flows(self) -> tuple[Flow, ...]:
        """All flows, by connection, the direction that was seen first in front."""
        return tuple(sorted(self._flows.values(), key=lambda flow: (flow.connection or 0, flow.first_packet)))

    def standings(self) -> dict[Standing, int]:
        """Return how many segments were good, bad, and could not be judged."""
        verified = sum(use.segments for flow in self._flows.values() for use in flow.uses.values())
        return {
            standing: self._other[standing] + (verified if standing is Standing.GOOD else 0) for standing in Standing
        }

    def observe(self, judgement: Judgement) -> Use | None:
        """Count one judgement; returns the use that it was counted with, when it is verified."""
        flow = self._flow(judgement)
        flags = judgement.flags
        if flags & SYN:
            flow.syns += 1
        elif flags & RST:
            flow.rsts += 1
        elif flags & ACK:
            flow.handshaken = True
        if judgement.verdict is not Verdict.VERIFIED:
            flow.other[judgement.verdict] += 1
            self._other[judgement.standing] += 1
            return None
        use = _use(flow, judgement)
        use.segments += 1
        use.last_packet, use.last_time_ns = judgement.number, judgement.time_ns
        if judgement.payload_length:
            use.data_segments += 1
        return use

    def _flow(self, judgement: Judgement) -> Flow:
        name = (judgement.connection, judgement.src, judgement.sport)
        flow = self._flows.get(name)
        if flow is None:
            if len(self._flows) >= FLOWS_MAX:
                name = (None, "others", None)
                flow = self._flows.get(name)
                if flow is not None:
                    return flow
                judgement = judgement._replace(
                    connection=None, src="others", sport=None, dst="others", dport=None, sender="-", receiver="-"
                )
            flow = self._flows[name] = Flow(
                judgement.connection,
                judgement.sender,
                judgement.receiver,
                judgement.src,
                judgement.sport,
                judgement.dst,
                judgement.dport,
                judgement.number,
            )
        return flow


def _use(flow: Flow, judgement: Judgement) -> Use:
    name = (judgement.key_id, judgement.key_name)
    use = flow.uses.get(name)
    if use is None:
        if len(flow.uses) >= USES_MAX:
            return next(reversed(flow.uses.values()))
        use = flow.uses[name] = Use(
            judgement.key_id,
            judgement.key,
            judgement.key_name,
            judgement.number,
            judgement.time_ns,
            judgement.number,
            judgement.time_ns,
        )
    return use
