"""Two routers' SYNs made to cross: each is held until the other's is there as well. Pure: frames and instants in.

BGP's collision of connections (RFC 4271, section 6.8) needs both routers to open before either has the other's SYN,
which by itself is a matter of milliseconds. A SYN that was held too long is given up: its sender has turned to a new
one by then, and repeats it.
"""

from __future__ import annotations

FRESH_SECONDS = 0.5
"""A router's BGP opens anew after 0.75 to 1 s: of two that do, one's SYN follows the other's within half of that."""
_SYN, _SYN_ACK = 0x02, 0x12
_ETHERNET, _TCP = 14, 6
_IPV4, _IPV6 = b"\x08\x00", b"\x86\xdd"


class SynCrossing:
    """Holds the newest SYN of each direction (0 and 1) to `port`, until there is a fresh one of both."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._held: dict[int, tuple[float, bytes]] = {}
        self.done = False

    def take(self, towards: int, frame: bytes, now: float) -> list[tuple[int, bytes]] | None:
        """Return what is to be sent because of a frame, as (direction, frame); None when it is none of ours.

        The same SYN once more counts as a new one. After both were let go, nothing is held any more.
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
    """Say whether an Ethernet frame carries a SYN without ACK to a TCP port."""
    kind = frame[12:_ETHERNET]
    if kind == _IPV4 and len(frame) > _ETHERNET + 9 and frame[_ETHERNET + 9] == _TCP:
        tcp = _ETHERNET + (frame[_ETHERNET] & 0x0F) * 4
    elif kind == _IPV6 and len(frame) > _ETHERNET + 6 and frame[_ETHERNET + 6] == _TCP:
        tcp = _ETHERNET + 40
    else:
        return False
    return (
        len(frame) >= tcp + 20
        and frame[tcp + 13] & _SYN_ACK == _SYN
        and int.from_bytes(frame[tcp + 2 : tcp + 4], "big") == port
    )
