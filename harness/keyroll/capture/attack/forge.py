"""Forged frames, made from a genuine one: what an attacker on the link can send without a key. Pure.

RFC 9293 section 3.1 (TCP header, checksum), RFC 5925 section 2.2 (the TCP-AO option, kind 29); RFC 792, RFC 1191
section 4 and RFC 4443 section 3 (ICMP errors).
"""

from __future__ import annotations

import random
import struct
from dataclasses import dataclass, replace

from keyroll.capture.attack.recent_frames import Genuine
from keyroll.errors import RunError

_ETHERNET = 14
_IPV4, _IPV6 = 0x0800, 0x86DD
_TCP, _ICMP, _ICMP6 = 6, 1, 58
_UNREACHABLE = {4: (3, 2), 6: (1, 4)}
"""Type and code of "protocol unreachable" (IPv4), "port unreachable" (IPv6): hard errors (RFC 1122, 4.2.3.9)."""
_TOO_BIG = {4: (3, 4, 552), 6: (2, 0, 1280)}
"""Type, code and MTU of "fragmentation needed" and "packet too big"."""
_QUOTED = 48
"""Octets of the segment that an ICMP error quotes, from the IP header on: the TCP header's first eight at least."""
_SYN, _RST, _ACK = 0x02, 0x04, 0x10
_AO_KIND, _AO_LENGTH, _MAC_LENGTH = 29, 16, 12
_MASK = 0xFFFFFFFF


class ForgeError(RunError):
    """The frame cannot be forged from."""


@dataclass(frozen=True, slots=True)
class _Parts:
    """Where things stand in a genuine frame. Numbers are the TCP header's."""

    ethernet: bytes
    ip: bytes
    version: int
    source: bytes
    destination: bytes
    sport: int
    dport: int
    after: int
    """The sequence number that follows the genuine segment."""
    ack: int


def forge_rst(genuine: Genuine, *, key_id: int | None, chance: random.Random) -> bytes:
    """Return a RST that would follow the genuine segment; with `key_id` it carries TCP-AO and a MAC out of the blue.

    Raises:
        ForgeError: the genuine frame is no TCP over IPv4 or IPv6.
    """
    parts = _parts(genuine.frame)
    option = b"" if key_id is None else _option(genuine, key_id, chance)
    return _frame(parts, parts.sport, parts.after, parts.ack, _RST | _ACK, option)


def forge_syn(genuine: Genuine, *, key_id: int | None = None, chance: random.Random) -> bytes:
    """Return a SYN from the peer's address and another port, to the session's well-known port.

    With `key_id` it carries TCP-AO and a MAC out of the blue, else no TCP-AO.
    """
    parts = _parts(genuine.frame)
    well_known = min(parts.sport, parts.dport)
    port = chance.randrange(49152, 65536)
    option = b"" if key_id is None else _option(genuine, key_id, chance)
    return _frame(parts, port, chance.randrange(1 << 32), 0, _SYN, b"\x02\x04\x05\xb4" + option, to=well_known)


def forge_icmp(genuine: Genuine, sent: Genuine, *, too_big: bool) -> bytes:
    """Return an ICMP error from the peer about a segment that the router really sent.

    Args:
        genuine: a frame that the router received from the peer: the way to it.
        sent: a frame that the router sent, which the error quotes.
        too_big: "fragmentation needed" (IPv6: "packet too big") with a small MTU, instead of "unreachable".

    Raises:
        ForgeError: a genuine frame is no TCP over IPv4 or IPv6.
    """
    parts, quoted = _parts(genuine.frame), _parts(sent.frame)
    kind, code, mtu = _TOO_BIG[parts.version] if too_big else (*_UNREACHABLE[parts.version], 0)
    body = sent.frame[_ETHERNET:][: max(_QUOTED, len(quoted.ip) + 8)]
    icmp = struct.pack("!BBHI", kind, code, 0, mtu) + body
    ip = bytearray(parts.ip)
    if parts.version == 4:  # noqa: PLR2004 - the IP version
        ip[9], covered = _ICMP, icmp
    else:
        ip[6] = _ICMP6
        covered = parts.source + parts.destination + struct.pack("!II", len(icmp), _ICMP6) + icmp
    icmp = icmp[:2] + _checksum(covered).to_bytes(2, "big") + icmp[4:]
    return parts.ethernet + _ip(replace(parts, ip=bytes(ip)), len(icmp)) + icmp


def _option(genuine: Genuine, key_id: int, chance: random.Random) -> bytes:
    return bytes((_AO_KIND, _AO_LENGTH, key_id, genuine.rnext_key_id)) + chance.randbytes(_MAC_LENGTH)


def unknown_key_id(known: set[int]) -> int:
    """Return the highest KeyID that is not among the known ones."""
    return next(number for number in range(255, -1, -1) if number not in known)


def _parts(frame: bytes) -> _Parts:
    kind = int.from_bytes(frame[12:_ETHERNET], "big")
    if kind == _IPV4 and frame[23] == _TCP:
        length = (frame[_ETHERNET] & 0x0F) * 4
        total = int.from_bytes(frame[16:18], "big")
        source, destination = frame[26:30], frame[30:34]
    elif kind == _IPV6 and frame[20] == _TCP:
        length, total = 40, 40 + int.from_bytes(frame[18:20], "big")
        source, destination = frame[22:38], frame[38:54]
    else:
        raise ForgeError("cannot forge from this frame: not plain TCP over IPv4 or IPv6")
    tcp = frame[_ETHERNET + length : _ETHERNET + total]
    sport, dport, seq, ack, offset, flags = struct.unpack_from("!HHIIBB", tcp)
    payload = len(tcp) - (offset >> 4) * 4 + bool(flags & _SYN) + bool(flags & 0x01)
    return _Parts(
        ethernet=frame[:_ETHERNET],
        ip=frame[_ETHERNET : _ETHERNET + length],
        version=4 if kind == _IPV4 else 6,
        source=source,
        destination=destination,
        sport=sport,
        dport=dport,
        after=(seq + payload) & _MASK,
        ack=ack,
    )


def _frame(
    parts: _Parts, sport: int, seq: int, ack: int, flags: int, options: bytes, *, to: int | None = None
) -> bytes:
    dport = parts.dport if to is None else to
    offset = (20 + len(options)) // 4
    tcp = struct.pack("!HHIIBBHHH", sport, dport, seq, ack, offset << 4, flags, 65535, 0, 0) + options
    pseudo = parts.source + parts.destination + struct.pack("!HH", _TCP, len(tcp))
    check = _checksum(pseudo + tcp)
    tcp = tcp[:16] + check.to_bytes(2, "big") + tcp[18:]
    return parts.ethernet + _ip(parts, len(tcp)) + tcp


def _ip(parts: _Parts, payload: int) -> bytes:
    ip = bytearray(parts.ip)
    if parts.version == 4:  # noqa: PLR2004 - the IP version
        ip[2:4] = (len(ip) + payload).to_bytes(2, "big")
        ip[10:12] = b"\0\0"
        ip[10:12] = _checksum(bytes(ip)).to_bytes(2, "big")
    else:
        ip[4:6] = payload.to_bytes(2, "big")
    return bytes(ip)


def _checksum(octets: bytes) -> int:
    """The Internet checksum (RFC 1071)."""
    if len(octets) % 2:
        octets += b"\0"
    total: int = sum(struct.unpack(f"!{len(octets) // 2}H", octets))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
