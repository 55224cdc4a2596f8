"""Incremental decoder of the classic pcap format: microseconds and nanoseconds, both byte orders."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

from keyroll.capture.formats.packet import Packet

MAGICS: dict[bytes, tuple[str, int]] = {
    b"\xd4\xc3\xb2\xa1": ("<", 1000),
    b"\xa1\xb2\xc3\xd4": (">", 1000),
    b"\x4d\x3c\xb2\xa1": ("<", 1),
    b"\xa1\xb2\x3c\x4d": (">", 1),
}
"""Magic number to byte order, and nanoseconds in one unit of the time stamp's fraction."""

RECORD_MAX = 1 << 24
"""Longest record accepted, in octets: 16 MiB is far above any snapshot length, so a greater length means a damaged
file."""

# Octets of the headers, and the bits of the link type in its field (draft-ietf-opsawg-pcap).
_FILE_HEADER = 24
_RECORD_HEADER = 16
_LINK_MASK = 0xFFFF
_SECOND = 1_000_000_000


class PcapDecoder:
    """Decodes a pcap file that arrives in pieces of any size.

    `feed` returns the packets that are complete. `number` counts them. `broken` says why nothing more can be read; None
    while the file is readable.
    """

    def __init__(self) -> None:
        self.number = 0
        self.broken: str | None = None
        self._rest = b""
        self._record: struct.Struct | None = None
        self._fraction = 1
        self._link = 0

    @property
    def pending(self) -> int:
        """Octets of an incomplete record; while the file header is incomplete, all octets."""
        return len(self._rest) if self._record else max(1, len(self._rest))

    def feed(self, piece: bytes) -> list[Packet]:
        """Decode the packets that `piece` completes."""
        if self.broken:
            return []
        buffer = self._rest + piece if self._rest else piece
        place = 0
        if self._record is None:
            if len(buffer) < _FILE_HEADER:
                self._rest = buffer
                return []
            order, self._fraction = MAGICS[buffer[:4]]
            self._link = struct.unpack_from(f"{order}I", buffer, 20)[0] & _LINK_MASK
            self._record = struct.Struct(f"{order}IIII")
            place = _FILE_HEADER
        packets, place = self._records(buffer, place, self._record)
        self._rest = buffer[place:]
        return packets

    def _records(self, buffer: bytes, place: int, record: struct.Struct) -> tuple[list[Packet], int]:
        packets: list[Packet] = []
        add = packets.append
        unpack = record.unpack_from
        new = tuple.__new__
        number, link, fraction_ns = self.number, self._link, self._fraction
        last = len(buffer) - _RECORD_HEADER
        while place <= last:
            seconds, fraction, captured, length = unpack(buffer, place)
            begin = place + _RECORD_HEADER
            end = begin + captured
            if captured > RECORD_MAX:
                self.broken = f"the record of packet {number + 1} says that it has {captured} octets"
                break
            if end > len(buffer):
                break
            number += 1
            time_ns = seconds * _SECOND + fraction * fraction_ns
            # Same as Packet(...), but faster: this line runs for every packet.
            add(new(Packet, (number, time_ns, link, buffer[begin:end], length)))
            place = end
        self.number = number
        return packets, place


def count_packets(path: Path) -> int:
    """Return how many complete packets a pcap file holds; 0 if the file does not exist."""
    return sum(1 for _ in _record_ends(path.read_bytes())) if path.exists() else 0


def copy_packets(source: Path, target: Path, *, skip: int) -> None:
    """Copy a pcap file without its first `skip` packets; an incomplete record at its end is copied unchanged."""
    octets = source.read_bytes()
    begin = _FILE_HEADER
    for number, end in enumerate(_record_ends(octets), 1):
        if number > skip:
            break
        begin = end
    target.write_bytes(octets[:_FILE_HEADER] + octets[begin:])


def _record_ends(octets: bytes) -> Iterator[int]:
    """Yield the end offset of each complete record of a pcap file."""
    if octets[:4] not in MAGICS:
        return
    end = _FILE_HEADER
    for packet in PcapDecoder().feed(octets):
        end += _RECORD_HEADER + len(packet.data)
        yield end
