"""Make the SYNs of two routers cross: hold each until the other one has arrived. Pure: frames and instants in.

For a BGP connection collision (RFC 4271, section 6.8) each router must send its SYN before it receives the other's, a
window of milliseconds. A SYN held too long is dropped: by then its sender uses a new connection, and sends a new SYN.
"""

from __future__ import annotations

FRESH_SECONDS = 0.5
"""How long a SYN is held. BGP retries after 0.75 to 1 s; with two routers retrying, the SYNs are at most half of that
apart."""
# Flags, octets of an Ethernet header, IANA's number of TCP, EtherTypes.
_SYN, _SYN_ACK = 0x02, 0x12
_ETHERNET, _TCP = 14, 6
_IPV4, _IPV6, _VLAN = b"\x08\x00", b"\x86\xdd", b"\x81\x00"
_TAG = 4
"""Octets of an 802.1Q tag."""


class SynCrossing:
    """Holds the newest SYN of each direction (0 and 1) to `port`, until there is a fresh one of both."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._held: dict[int, tuple[float, bytes]] = {}
        self.done = False

    def take(self, towards: int, frame: bytes, now: float) -> list[tuple[int, bytes]] | None:
        """Return the frames to send now, as (direction, frame); None if the frame is not a SYN to the port.

        A retransmitted SYN counts as a new one. After both SYNs are sent, no further frame is held.
        """
        if self.done or not opens(frame, self._port):
            return None
        self._held[towards] = (now, frame)
        other = self._held.get(1 - towards)
        if other is None or now - other[0] > FRESH_SECONDS:
            return []
        self.done = True
        return [(1 - towards, other[1]), (towards, frame)]


def opens(frame: bytes, port: int) -> bool:
    """Return whether an Ethernet frame, with a VLAN tag or without, carries a SYN without ACK to a TCP port."""
    ip = _ETHERNET + (_TAG if frame[12:_ETHERNET] == _VLAN else 0)
    kind = frame[ip - 2 : ip]
    if kind == _IPV4 and len(frame) > ip + 9 and frame[ip + 9] == _TCP:
        tcp = ip + (frame[ip] & 0x0F) * 4
    elif kind == _IPV6 and len(frame) > ip + 6 and frame[ip + 6] == _TCP:
        tcp = ip + 40
    else:
        return False
    return (
        len(frame) >= tcp + 20
        and frame[tcp + 13] & _SYN_ACK == _SYN
        and int.from_bytes(frame[tcp + 2 : tcp + 4], "big") == port
    )
