"""What is signed: the MAC's input, signing and verifying one segment (RFC 5925 sections 5.1, 7.3, 7.4).

    wire = sign_segment(tcp, src=…, dst=…, key=traffic_key, sne=0, key_id=61, rnext_key_id=84)
    verify_segment(segment, segment.scan().ao, key=traffic_key, sne=0)  # bool

`tcp` is a TCP segment without TCP-AO (header, options, payload); `src` and `dst` are packed addresses.
"""

from __future__ import annotations

import hmac
import struct

from keyroll.tcpao.kdf import MAC_LENGTH, TrafficKey
from keyroll.tcpao.option import AO_LENGTH, FIXED_HEADER, AoOption, insert_ao
from keyroll.tcpao.segment import PROTOCOL_TCP, Segment

# Octets of an IPv4 address; an IPv6 address has 16.
_V4 = 4
# The SNE, then the pseudo header of RFC 9293 section 3.1 (IPv4) or RFC 8200 section 8.1 (IPv6).
_SNE_V4 = struct.Struct("!I4s4sBBH")
_SNE_V6 = struct.Struct("!I16s16sIxxxB")
_ZERO_MAC = bytes(MAC_LENGTH)
_ZERO_CHECKSUM = b"\0\0"
# Offset of the checksum in the TCP header (RFC 9293 section 3.1).
_CHECKSUM = 16


def sne_and_pseudo_header(sne: int, src: bytes, dst: bytes, length: int) -> bytes:
    """Return the SNE and the IPv4 or IPv6 pseudo header; `length` is that of TCP header and payload, in octets."""
    if len(src) == _V4:
        # The field has 16 bits; only segments captured before segmentation offload are longer.
        return _SNE_V4.pack(sne, src, dst, 0, PROTOCOL_TCP, length & 0xFFFF)
    return _SNE_V6.pack(sne, src, dst, length, PROTOCOL_TCP)


def mac_input(
    *, sne: int, src: bytes, dst: bytes, header: bytes, payload: bytes, ao_offset: int, include_options: bool = True
) -> bytes:
    """Assemble the MAC's input (RFC 5925 section 5.1).

    `header` is the TCP header with all options, as on the wire; `ao_offset` is where TCP-AO begins within its
    options. MAC and checksum count as zero, whatever the segment holds there. The data offset stays as sent.
    Without `include_options`, TCP-AO is the only option that counts.
    """
    ao = FIXED_HEADER + ao_offset
    before, after = (header[FIXED_HEADER:ao], header[ao + AO_LENGTH :]) if include_options else (b"", b"")
    return b"".join(
        (
            sne_and_pseudo_header(sne, src, dst, len(header) + len(payload)),
            header[:_CHECKSUM],
            _ZERO_CHECKSUM,
            header[_CHECKSUM + 2 : FIXED_HEADER],
            before,
            header[ao : ao + 4],
            _ZERO_MAC,
            after,
            payload,
        )
    )


def segment_mac(segment: Segment, ao: AoOption, *, key: TrafficKey, sne: int, include_options: bool = True) -> bytes:
    """Return the MAC that `segment` would have under this traffic key and SNE."""
    return key.mac(segment_message(segment, ao, sne=sne, include_options=include_options))


def segment_message(segment: Segment, ao: AoOption, *, sne: int, include_options: bool = True) -> bytes:
    """Return the MAC's input for `segment` (`mac_input`)."""
    return mac_input(
        sne=sne,
        src=segment.src,
        dst=segment.dst,
        header=segment.header,
        payload=segment.payload,
        ao_offset=ao.offset,
        include_options=include_options,
    )


def verify_segment(segment: Segment, ao: AoOption, *, key: TrafficKey, sne: int, include_options: bool = True) -> bool:
    """Return whether the segment's MAC is right for this traffic key and SNE."""
    return ao.length == AO_LENGTH and hmac.compare_digest(
        segment_mac(segment, ao, key=key, sne=sne, include_options=include_options), ao.mac
    )


def sign_segment(
    tcp: bytes,
    *,
    src: bytes,
    dst: bytes,
    key: TrafficKey,
    sne: int,
    key_id: int,
    rnext_key_id: int,
    include_options: bool = True,
) -> bytes:
    """Return the TCP segment with a TCP-AO option, and with MAC, data offset and checksum set for it.

    Raises:
        OptionError: the segment's options are malformed, or it carries TCP-AO already.
        OptionRoomError: its options leave no room for TCP-AO; such a segment must not leave unsigned.
    """
    offset = (tcp[12] >> 4) << 2
    header = insert_ao(tcp[:offset], key_id, rnext_key_id)
    payload = tcp[offset:]
    ao = len(header) - AO_LENGTH
    mac = key.mac(
        mac_input(
            sne=sne,
            src=src,
            dst=dst,
            header=header,
            payload=payload,
            ao_offset=ao - FIXED_HEADER,
            include_options=include_options,
        )
    )
    return with_checksum(b"".join((header[: ao + 4], mac, payload)), src, dst)


def with_checksum(tcp: bytes, src: bytes, dst: bytes) -> bytes:
    """Return the TCP segment with a newly computed checksum."""
    return b"".join((tcp[:_CHECKSUM], tcp_checksum(tcp, src, dst).to_bytes(2, "big"), tcp[_CHECKSUM + 2 :]))


def tcp_checksum(tcp: bytes, src: bytes, dst: bytes) -> int:
    """Return the Internet checksum (RFC 1071) of a TCP segment, whatever its checksum field holds."""
    pseudo = sne_and_pseudo_header(0, src, dst, len(tcp))
    padding = b"\0" * (len(tcp) & 1)
    return internet_checksum(b"".join((pseudo, tcp[:_CHECKSUM], _ZERO_CHECKSUM, tcp[_CHECKSUM + 2 :], padding)))


def internet_checksum(octets: bytes) -> int:
    """Return the Internet checksum (RFC 1071) of an even number of octets.

    One's complement addition of 16-bit words is arithmetic modulo 65535: one operation on a long Python integer.
    """
    total = int.from_bytes(octets, "big")
    return 0xFFFF ^ (total % 0xFFFF or (0xFFFF if total else 0))
