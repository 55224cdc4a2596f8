"""Judge a seeded sample of a capture's segments a second time, with independent code (scapy).

Scapy dissects the packets, derives the traffic keys and computes the MACs (`scapy.contrib.tcpao`: `calc_*` alone, its
`sign_tcpao` is wrong). ISNs come from the SYNs and SYN-ACKs that scapy dissected. One disagreement means that the
referee or scapy is wrong: the run then gives no verdict on the routers.

    check = ScapyCheck(seed=7)
    for packet in packets:
        judgement = referee.judge(packet)
        check.observe(packet, judgement, referee.book)
    findings = check.finish()                   # findings.judged, findings.disagreements
"""

from __future__ import annotations

import importlib
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any, NamedTuple

from keyroll.capture.formats.link_types import ip_offset
from keyroll.capture.formats.packet import Packet
from keyroll.capture.keys.book import Book, HeldKey
from keyroll.capture.referee.judgement import Judgement, Verdict
from keyroll.tcpao import ACK, SYN

SAMPLE = 20
"""Segments sampled from each capture: 2 ms of work (scapy takes about 75 us for a MAC). Over the two hundred runs of
the test suite thousands of segments are checked."""
_SNES = range(4)
"""SNEs tried where the capture does not hold a connection's beginning. Four cover its first 16 GiB."""

_JUDGED = frozenset({Verdict.VERIFIED, Verdict.REFUSED, Verdict.BAD_MAC})
# Defined here, not imported: the check shares no arithmetic with what it checks.
_MASK = 0xFFFFFFFF
_HALF = 1 << 31
"""Half of the sequence space: a segment further than this behind the one before it has wrapped."""


@dataclass(frozen=True, slots=True)
class ScapyFindings:
    """The result of the check."""

    judged: int
    disagreements: tuple[Judgement, ...]
    """Judgements with which scapy disagrees: one of the two verifies the segment, the other does not."""


class _Sampled(NamedTuple):
    packet: Packet
    judgement: Judgement
    keys: tuple[HeldKey, ...]
    snes: Sequence[int]


_Ends = tuple[str, int | None, str, int | None]


class ScapyCheck:
    """Draws the sample while the referee judges (constant memory), and checks it at the end."""

    def __init__(self, *, seed: int, sample: int = SAMPLE) -> None:
        self._size = sample
        self._random = random.Random(seed)  # noqa: S311 -- a sample that can be drawn again, not cryptography
        self._seen = 0
        self._sample: list[_Sampled] = []
        self._handshakes: dict[_Ends, set[tuple[int, int]]] = {}
        self._positions: dict[_Ends, int] = {}
        """By direction the highest verified sequence number, as 64 bits: the SNE, then the 32 bits on the wire."""

    @staticmethod
    def load() -> None:
        """Import scapy, which takes a third of a second. Call it early, while something else is waited for.

        Scapy then does not load this machine's routes: only sending needs them, and loading them takes as long as the
        import itself.
        """
        from scapy.config import conf  # noqa: PLC0415 -- only this check needs scapy

        conf.route_autoload = conf.route6_autoload = False
        importlib.import_module("scapy.contrib.tcpao")

    def observe(self, packet: Packet, judgement: Judgement | None, book: Book) -> None:
        """Take the next packet of the capture with the referee's judgement on it."""
        if judgement is None:
            return
        if judgement.flags & SYN and judgement.flags & ACK:
            # Whatever its verdict: during a commit the referee may have judged it by the former keys.
            ends = (judgement.src, judgement.sport, judgement.dst, judgement.dport)
            self._handshakes.setdefault(ends, set()).add((judgement.seq, (judgement.ack - 1) & _MASK))
        snes = self._follow(judgement)
        if judgement.key_id is None or judgement.verdict not in _JUDGED:
            return
        self._seen += 1
        place = self._seen - 1 if self._seen <= self._size else self._random.randrange(self._seen)
        if place < self._size:
            self._sample[place : place + 1] = [_Sampled(packet, judgement, _keys(judgement, book), snes)]

    def _follow(self, judgement: Judgement) -> Sequence[int]:
        """Return the SNEs to try for a segment: the one that puts it nearest to what its sender sent before.

        Wraps are counted here, independently of the referee (RFC 5925 section 6.2). Trying all SNEs would accept a
        router that signs with a wrong SNE. Only verified segments move the position.
        """
        ends = (judgement.src, judgement.sport, judgement.dst, judgement.dport)
        right = judgement.verdict in (Verdict.VERIFIED, Verdict.REFUSED)  # by its sender's own chain
        if judgement.flags & SYN:
            self._positions.pop(ends, None)  # of an earlier connection with these ports
            if right:
                self._positions[ends] = judgement.seq
            return (0,)
        last = self._positions.get(ends)
        if last is None:
            return _SNES
        sne = max(0, (last - judgement.seq + _HALF) >> 32)
        if right:
            self._positions[ends] = max(last, (sne << 32) + judgement.seq)
        return (sne,)

    def finish(self) -> ScapyFindings:
        """Judge the sample with scapy."""
        if self._sample:
            self.load()
        disagreements = []
        for packet, judgement, keys, snes in self._sample:
            verifies = self._verifies(packet, judgement, keys, snes)
            if verifies is (judgement.verdict is Verdict.BAD_MAC):
                disagreements.append(judgement)
        return ScapyFindings(len(self._sample), tuple(disagreements))

    def _verifies(self, packet: Packet, judgement: Judgement, keys: tuple[HeldKey, ...], snes: Sequence[int]) -> bool:
        from scapy.contrib.tcpao import calc_tcpao_mac, calc_tcpao_traffic_key, get_alg  # noqa: PLC0415 -- see `load`
        from scapy.layers.inet import TCP  # noqa: PLC0415 -- see `load`

        ip = _dissect(packet)
        option = next(value for kind, value in ip[TCP].options if kind == "AO")
        for key in keys:
            algorithm = get_alg(key.algorithm.value)
            for sisn, disn in self._isns(ip[TCP], judgement):
                traffic_key = calc_tcpao_traffic_key(ip, algorithm, key.secret.reveal(), sisn, disn)
                for sne in snes:
                    if calc_tcpao_mac(ip, algorithm, traffic_key, key.include_options, sne) == bytes(option.mac):
                        return True
        return False

    def _isns(self, tcp: Any, judgement: Judgement) -> Iterator[tuple[int, int]]:  # noqa: ANN401 -- scapy has no types
        if judgement.flags & SYN:
            yield tcp.seq, (tcp.ack - 1) & _MASK if judgement.flags & ACK else 0
            return
        ends = (judgement.src, judgement.sport, judgement.dst, judgement.dport)
        yield from self._handshakes.get(ends, ())
        yield from ((theirs, ours) for ours, theirs in self._handshakes.get((*ends[2:], *ends[:2]), ()))
        # The third segment of a handshake gives the ISNs if the SYN-ACK is not in the capture.
        yield (tcp.seq - 1) & _MASK, (tcp.ack - 1) & _MASK


def _keys(judgement: Judgement, book: Book) -> tuple[HeldKey, ...]:
    ends = ip_address(judgement.src).packed, ip_address(judgement.dst).packed
    keys = book.keys_for(*ends, judgement.sport, judgement.dport)
    return keys.sent.get(judgement.key_id, ()) if keys and judgement.key_id is not None else ()


def _dissect(packet: Packet) -> Any:  # noqa: ANN401 -- scapy has no types
    from scapy.layers.inet import IP  # noqa: PLC0415 -- see `load`
    from scapy.layers.inet6 import IPv6  # noqa: PLC0415 -- see `load`

    place = ip_offset(packet.link, packet.data) or 0
    octets = packet.data[place:]
    # Cut to the IP length: scapy would count an Ethernet frame's padding as payload.
    if octets[0] >> 4 == 4:  # noqa: PLR2004 -- the IP version
        return IP(octets[: int.from_bytes(octets[2:4])])
    return IPv6(octets[: 40 + int.from_bytes(octets[4:6])])
