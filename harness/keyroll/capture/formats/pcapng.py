"""Incremental decoder of the pcapng format (draft-ietf-opsawg-pcapng).

Read: section headers of both byte orders, interface descriptions (link type, resolution and offset of time stamps),
enhanced, simple and obsolete packet blocks. All other blocks are skipped.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass

from keyroll.capture.formats.packet import Packet
from keyroll.capture.formats.pcap import RECORD_MAX

# Types of blocks (draft-ietf-opsawg-pcapng).
SECTION = 0x0A0D0D0A
INTERFACE = 0x00000001
PACKET_OBSOLETE = 0x00000002
PACKET_SIMPLE = 0x00000003
PACKET_ENHANCED = 0x00000006
MAGIC = b"\x0a\x0d\x0d\x0a"

# Codes of options (the same draft).
OPTION_END = 0
OPTION_TIME_RESOLUTION = 9
OPTION_TIME_OFFSET = 14

_BYTE_ORDER_LITTLE = b"\x4d\x3c\x2b\x1a"
_BYTE_ORDER_BIG = b"\x1a\x2b\x3c\x4d"
# Time stamp units in a second: pcapng's default, and those of `Packet`.
_MICROSECONDS = 1_000_000
_SECOND = 1_000_000_000
_BLOCK_MIN = 12
"""Octets of an empty block: its type and both lengths."""
_BLOCK_MAX = RECORD_MAX * 2
"""Longest block accepted: a greater length means a damaged file. Half of it is room for a packet's options."""


@dataclass(frozen=True, slots=True)
class _Interface:
    link: int
    snap: int
    units: int
    """Time stamp units in a second."""
    offset: int
    """Seconds to add."""

    def time_ns(self, units: int) -> int:
        return self.offset * _SECOND + units * _SECOND // self.units


class _BlockError(Exception):
    """A block contradicts its own header."""


class PcapngDecoder:
    """Decodes a pcapng file that arrives in pieces of any size; same interface as `PcapDecoder`."""

    def __init__(self) -> None:
        self.number = 0
        self.broken: str | None = None
        self._rest = b""
        self._order = ""
        self._interfaces: list[_Interface] = []
        self._readers: dict[int, Callable[[bytes], Packet]] = {
            PACKET_ENHANCED: self._enhanced,
            PACKET_SIMPLE: self._simple,
            PACKET_OBSOLETE: self._obsolete,
        }

    @property
    def pending(self) -> int:
        """Octets of an incomplete block; at least 1 before the first section header."""
        return len(self._rest) if self._order else max(1, len(self._rest))

    def feed(self, piece: bytes) -> list[Packet]:
        """Decode the packets that `piece` completes."""
        packets: list[Packet] = []
        buffer = self._rest + piece if self._rest else piece
        place = 0
        try:
            while self.broken is None and len(buffer) - place >= _BLOCK_MIN:
                total = self._total(buffer, place)
                if place + total > len(buffer):
                    break
                packet = self._block(buffer[place : place + total])
                if packet is not None:
                    packets.append(packet)
                    self.number += 1
                place += total
        except _BlockError as error:
            self.broken = f"the block of packet {self.number + 1}, or one before it, {error}"
        except struct.error:
            self.broken = f"the block of packet {self.number + 1}, or one before it, is shorter than its kind allows"
        self._rest = buffer[place:]
        return packets

    def _total(self, buffer: bytes, place: int) -> int:
        """Return the length in the header of the block at `place`."""
        if buffer[place : place + 4] == MAGIC:
            self._section(buffer[place + 8 : place + 12])
        total: int = struct.unpack_from(f"{self._order}I", buffer, place + 4)[0]
        if total < _BLOCK_MIN or total % 4 or total > _BLOCK_MAX:
            raise _BlockError(f"says that it has {total} octets")
        return total

    def _block(self, block: bytes) -> Packet | None:
        """Read one complete block; None when it is not a packet."""
        (kind,) = struct.unpack_from(f"{self._order}I", block)
        (total,) = struct.unpack_from(f"{self._order}I", block, len(block) - 4)
        if total != len(block):
            raise _BlockError("has two lengths that differ")
        body = block[8:-4]
        if kind == SECTION:
            self._interfaces = []
        elif kind == INTERFACE:
            self._interfaces.append(self._interface(body))
        reader = self._readers.get(kind)
        return reader(body) if reader else None

    def _section(self, byte_order: bytes) -> None:
        if byte_order == _BYTE_ORDER_LITTLE:
            self._order = "<"
        elif byte_order == _BYTE_ORDER_BIG:
            self._order = ">"
        else:
            raise _BlockError("begins a section in an unknown byte order")

    def _interface(self, body: bytes) -> _Interface:
        link, snap = struct.unpack_from(f"{self._order}HxxI", body)
        units, offset = _MICROSECONDS, 0
        place = 8
        while place + 4 <= len(body):
            code, length = struct.unpack_from(f"{self._order}HH", body, place)
            value = body[place + 4 : place + 4 + length]
            if code == OPTION_END:
                break
            if code == OPTION_TIME_RESOLUTION and length == 1:
                exponent = value[0] & 0x7F
                units = 2**exponent if value[0] & 0x80 else 10**exponent
            elif code == OPTION_TIME_OFFSET and length == 8:  # noqa: PLR2004 -- a 64-bit number
                offset = struct.unpack(f"{self._order}q", value)[0]
            place += 4 + (length + 3) // 4 * 4
        return _Interface(link, snap, units, offset)

    def _described(self, index: int) -> _Interface:
        if index >= len(self._interfaces):
            raise _BlockError(f"names interface {index}, which is not described")
        return self._interfaces[index]

    def _packet(self, interface: _Interface, time_ns: int | None, body: bytes, captured: int, length: int) -> Packet:
        if captured > len(body):
            raise _BlockError(f"holds {len(body)} octets of a packet that should have {captured}")
        return Packet(self.number + 1, time_ns, interface.link, body[:captured], length)

    def _enhanced(self, body: bytes) -> Packet:
        index, high, low, captured, length = struct.unpack_from(f"{self._order}IIIII", body)
        interface = self._described(index)
        return self._packet(interface, interface.time_ns(high << 32 | low), body[20:], captured, length)

    def _obsolete(self, body: bytes) -> Packet:
        index, high, low, captured, length = struct.unpack_from(f"{self._order}HxxIIII", body)
        interface = self._described(index)
        return self._packet(interface, interface.time_ns(high << 32 | low), body[20:], captured, length)

    def _simple(self, body: bytes) -> Packet:
        (length,) = struct.unpack_from(f"{self._order}I", body)
        interface = self._described(0)
        captured = min(length, interface.snap or length)
        return self._packet(interface, None, body[4:], captured, length)
