"""Master key tuples (RFC 5925 section 3.1), and which of them a segment uses.

An `Mkt` is seen from one end: `send_id` is the KeyID on what this end sends, `recv_id` the KeyID on what it receives.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from keyroll.errors import InputError
from keyroll.names import Algorithm
from keyroll.tcpao.kdf import TrafficKey, kdf_context, traffic_key
from keyroll.tcpao.segment import Segment


class MktError(InputError):
    """Two MKTs of one connection share a SendID or a RecvID, or an id is out of range."""


@dataclass(frozen=True, slots=True)
class Mkt:
    """One master key tuple, without its connection identifier (the caller has it). The repr hides the master key."""

    name: str
    algorithm: Algorithm
    master_key: bytes = field(repr=False)
    send_id: int
    recv_id: int
    include_options: bool = True

    def __post_init__(self) -> None:
        for label, value in (("SendID", self.send_id), ("RecvID", self.recv_id)):
            if not 0 <= value <= 255:  # noqa: PLR2004 -- one octet on the wire
                raise MktError(f"{self.name}: invalid {label} {value}: use 0 to 255")

    def traffic_key(self, src: bytes, dst: bytes, sport: int, dport: int, sisn: int, disn: int) -> TrafficKey:
        """Derive the traffic key of a direction: see `kdf_context`."""
        return traffic_key(self.algorithm, self.master_key, kdf_context(src, dst, sport, dport, sisn, disn))

    def key_for(self, segment: Segment, sisn: int, disn: int) -> TrafficKey:
        """Derive the traffic key of `segment`, whose sender's ISN is `sisn` and whose receiver's is `disn`."""
        return self.traffic_key(segment.src, segment.dst, segment.sport, segment.dport, sisn, disn)


class MktTable:
    """The MKTs of one connection, found by either id.

    Raises:
        MktError: two share a SendID or a RecvID (RFC 5925 section 3.1).
    """

    def __init__(self, mkts: Iterable[Mkt] = ()) -> None:
        self._by_send: dict[int, Mkt] = {}
        self._by_recv: dict[int, Mkt] = {}
        for mkt in mkts:
            for table, label, value in ((self._by_send, "SendID", mkt.send_id), (self._by_recv, "RecvID", mkt.recv_id)):
                other = table.setdefault(value, mkt)
                if other is not mkt:
                    raise MktError(f"{other.name} and {mkt.name} share {label} {value}")

    def incoming(self, key_id: int) -> Mkt | None:
        """Return the MKT that a received segment with this KeyID was signed with, or None."""
        return self._by_recv.get(key_id)

    def outgoing(self, send_id: int) -> Mkt | None:
        """Return the MKT with this SendID, or None; a received RNextKeyID names it."""
        return self._by_send.get(send_id)

    def __iter__(self) -> Iterator[Mkt]:
        return iter(self._by_send.values())

    def __len__(self) -> int:
        return len(self._by_send)
