"""Master key tuples (RFC 5925 section 3.1).

An `Mkt` is seen from one end: `send_id` is the KeyID on what this end sends, `recv_id` the KeyID on what it receives.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from keyroll.errors import InputError
from keyroll.names import Algorithm
from keyroll.tcpao.kdf import TrafficKey, kdf_context, traffic_key
from keyroll.tcpao.segment import Segment


class MktError(InputError):
    """An id of an MKT is out of range."""


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
