"""Sequence number extension: which wrap of the 32-bit sequence a segment belongs to (RFC 9187).

The sample code in RFC 5925 is wrong near the wrap; RFC 9187 corrects it. This module uses serial number arithmetic:
it takes the 64-bit value nearest to the highest verified one.
"""

from __future__ import annotations

# Sequence numbers have 32 bits.
_WRAP = 1 << 32
SEQUENCE_MASK = _WRAP - 1
"""Sequence numbers have 32 bits: arithmetic on them is modulo 2**32 (RFC 9293 section 3.4)."""
HALF_SEQUENCE = 1 << 31
"""Half of the sequence space: a number less than this ahead of another is the later one (RFC 9293 section 3.4)."""


class SneTracker:
    """The SNE of one direction. `anchor` is the highest verified sequence number, at first the ISN, as 64 bits."""

    __slots__ = ("anchor",)

    def __init__(self, isn: int, sne: int = 0) -> None:
        self.anchor = sne << 32 | isn

    def extended(self, seq: int) -> int:
        """Return the 64-bit sequence number of a segment with this 32-bit one; negative before sequence 0."""
        difference = (seq - self.anchor) & SEQUENCE_MASK
        return self.anchor + (difference if difference < HALF_SEQUENCE else difference - _WRAP)

    def sne_for(self, seq: int) -> int:
        """Return the 32-bit SNE that a segment with this sequence number has in its MAC's input."""
        return (self.extended(seq) >> 32) & SEQUENCE_MASK

    def commit(self, seq: int) -> None:
        """Record that a segment with this sequence number verified. Only verified segments may move the SNE."""
        extended = self.extended(seq)
        self.anchor = max(self.anchor, extended)
