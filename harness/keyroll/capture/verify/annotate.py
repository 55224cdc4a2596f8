"""Write a capture as pcapng with the verdict on each judged packet as its comment, which Wireshark shows."""

from __future__ import annotations

import struct
from typing import BinaryIO

from keyroll.capture.formats.packet import Packet
from keyroll.capture.formats.pcapng import INTERFACE, OPTION_TIME_RESOLUTION, PACKET_ENHANCED, SECTION
from keyroll.capture.referee.judgement import Judgement

# Byte-order magic, option codes and the exponent of nanoseconds (draft-ietf-opsawg-pcapng).
_BYTE_ORDER = 0x1A2B3C4D
_COMMENT = 1
_APPLICATION = 4
_NANOSECONDS = 9
_SNAP = 1 << 18
"""The snapshot length in an interface's description: tcpdump's default."""
_COMMENT_MAX = 1000
"""Longest comment, in octets: a reason is one sentence, and Wireshark shows a comment in one line."""


class Annotator:
    """Writes packets with comments to an open binary file; time stamps keep their nanoseconds."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._interfaces: dict[int, int] = {}
        header = (
            struct.pack("<IHHq", _BYTE_ORDER, 1, 0, -1) + _option(_APPLICATION, b"keyroll verify") + _option(0, b"")
        )
        self._block(SECTION, header)

    def write(self, packet: Packet, judgement: Judgement | None) -> None:
        """Write one packet, with the judgement (None: nothing to protect) as its comment."""
        interface = self._interfaces.get(packet.link)
        if interface is None:
            interface = self._interfaces[packet.link] = len(self._interfaces)
            resolution = _option(OPTION_TIME_RESOLUTION, bytes((_NANOSECONDS,)))
            self._block(INTERFACE, struct.pack("<HHI", packet.link, 0, _SNAP) + resolution + _option(0, b""))
        stamp = (packet.time_ns or 0) & 0xFFFFFFFFFFFFFFFF
        fixed = struct.pack(
            "<IIIII", interface, stamp >> 32, stamp & 0xFFFFFFFF, len(packet.data), packet.length & 0xFFFFFFFF
        )
        options = b""
        if judgement is not None:
            options = _option(_COMMENT, comment(judgement).encode()[:_COMMENT_MAX]) + _option(0, b"")
        self._block(PACKET_ENHANCED, fixed + _padded(packet.data) + options)

    def _block(self, kind: int, body: bytes) -> None:
        length = struct.pack("<I", 12 + len(body))
        self._file.write(struct.pack("<I", kind) + length + body + length)


def comment(judgement: Judgement) -> str:
    """Return the verdict as one line: the verdict, KeyID and RNextKeyID if present, the reason."""
    ids = ""
    if judgement.key_id is not None:
        ids = f" (KeyID {judgement.key_id}, RNextKeyID {judgement.rnext_key_id})"
    return f"{judgement.verdict.value}{ids}: {judgement.reason}"


def _option(code: int, value: bytes) -> bytes:
    return struct.pack("<HH", code, len(value)) + _padded(value)


def _padded(octets: bytes) -> bytes:
    return octets + bytes(-len(octets) % 4)
