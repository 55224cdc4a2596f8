"""The shape of similar frames: which bits they share, and where the values stand that differ.

    shape = Shape.of(packet.data, plain)                        # segments of one direction of one connection
    int.from_bytes(data[begin:payload]) & shape.mask == fixed   # whether a frame is one of them

The fast paths compare all shared bits of a frame at once, as one integer, instead of reading its headers.
"""

from __future__ import annotations

import functools
import struct
from collections.abc import Callable
from typing import Any, NamedTuple

from keyroll.capture.referee.plain_frame import V4_HEADER, Plain
from keyroll.tcpao import ACK, FIN, RST, SYN
from keyroll.tcpao.option import FIXED_HEADER, KIND_AO, KIND_END, KIND_NOP

_V4_FIXED = b"\xff" + bytes(5) + b"\x3f\xff" + b"\0\xff" + bytes(2) + b"\xff" * 8
"""What stays the same in an IPv4 header: version and length, no fragment, protocol, addresses."""
_V6_FIXED = b"\xf0" + bytes(5) + b"\xff\0" + b"\xff" * 32
"""What stays the same in an IPv6 header: version, next header, addresses."""
_TCP_FIXED = b"\xff" * 4 + bytes(8) + bytes((0xF0, FIN | SYN | RST | ACK)) + bytes(6)
"""What stays the same in a TCP header's fixed part: ports, data offset, flags that change the connection's state."""
_SYN_FIXED = bytes(2) + _TCP_FIXED[2:]
"""The same for SYNs to one port from different source ports."""
_V4_LENGTH = "!2xH16x"
"""From the IPv4 header on: total length."""
_V6_LENGTH = "!4xH34x"
"""From the IPv6 header on: payload length."""

Unpack = Callable[[bytes, int], tuple[Any, ...]]
"""From a frame and the offset of its IP header to the values that differ."""


class Shape(NamedTuple):
    """What templates of frames with the same headers and the same kinds of options have in common."""

    mask: int
    kinds: int
    """Ones at the kinds and lengths of the TCP options."""
    options: int
    """Their values."""
    unpack: Unpack
    """Gives the length, the sequence number and the MAC."""

    @classmethod
    def of(cls, data: bytes, plain: Plain) -> Shape:
        """Return the shape of a frame."""
        options, ids = _options(data, plain)
        kinds = int.from_bytes(_without(options, ids), "big")
        value = int.from_bytes(data[plain.tcp + FIXED_HEADER : plain.payload], "big") & kinds
        return cls(_mask(plain, _TCP_FIXED, options), kinds, value, _unpacker(plain, "4xI", f"{ids + 14}x12s"))


class SynShape(NamedTuple):
    """What SYNs have in common that come from any port of one address, with any KeyID and options of the same kinds."""

    mask: int
    unpack: Unpack
    """Gives the length, the source port, the sequence and acknowledgement number, KeyID, RNextKeyID and the MAC."""

    @classmethod
    def of(cls, data: bytes, plain: Plain) -> SynShape:
        """Return the shape of a SYN."""
        options, ids = _options(data, plain)
        mask = _mask(plain, _SYN_FIXED, _without(options, ids))
        return cls(mask, _unpacker(plain, "H2xII", f"{ids + 8}xBB12s"))


def _mask(plain: Plain, tcp_fixed: bytes, options: bytes) -> int:
    # Compare only the protocol and the IP header: the octets between them (Linux cooked v2) differ by frame.
    link = (b"\xff\xff" + bytes(plain.base))[: plain.base - plain.begin]
    return int.from_bytes(link + (_V4_FIXED if _is_v4(plain) else _V6_FIXED) + tcp_fixed + options, "big")


def _options(data: bytes, plain: Plain) -> tuple[bytes, int]:
    """Return a mask over a frame's TCP options, and where the KeyIDs are among them."""
    begin = plain.tcp + FIXED_HEADER
    return _fixed_options(data[begin : plain.payload]), plain.mac_at - begin - 2


def _without(options: bytes, ids: int) -> bytes:
    """Return a mask over TCP options in which the KeyIDs may differ."""
    return options[:ids] + b"\0\0" + options[ids + 2 :]


def _is_v4(plain: Plain) -> bool:
    return plain.tcp == plain.base + V4_HEADER


def _unpacker(plain: Plain, header: str, options: str) -> Unpack:
    return _compiled((_V4_LENGTH if _is_v4(plain) else _V6_LENGTH) + header + options)


@functools.lru_cache(maxsize=128)  # 2 IP versions, 2 shapes and at most 25 offsets of the MAC make 100
def _compiled(layout: str) -> Unpack:
    return struct.Struct(layout).unpack_from


def _fixed_options(options: bytes) -> bytes:
    """Return a mask over well-formed TCP options: kinds, lengths and KeyIDs stay the same, values change."""
    mask = bytearray(len(options))
    place = 0
    while place < len(options):
        kind = options[place]
        mask[place] = 0xFF
        if kind == KIND_END:
            break
        if kind == KIND_NOP:
            place += 1
            continue
        mask[place + 1] = 0xFF
        if kind == KIND_AO:
            mask[place + 2 : place + 4] = b"\xff\xff"
        place += options[place + 1]
    return bytes(mask)
