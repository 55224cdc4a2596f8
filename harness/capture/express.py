"""The express way: a referee and a tally together, quick where a capture is at its most usual.

Nearly all segments of a capture are alike: same connection, same key as the one before, no SYN, no RST, one TCP-AO
option, no wrap. For these the way to "verified" is a single function over the frame's octets. It only ever says
"verified", and only of what the referee itself would: what is not as usual, or does not verify, goes to the referee.
"""

from __future__ import annotations

import struct
from datetime import UTC, datetime, timedelta

from harness.capture.judgement import Judgement
from harness.capture.lanes import Clock, LaneKey, unknown_clock
from harness.capture.link import ETHERNET, IPV4, IPV6, LINUX_SLL, LINUX_SLL2, RAW, RAW_BSD
from harness.capture.packet import Packet
from harness.capture.referee import Matched, Referee
from harness.capture.tally import Tally, Use
from harness.tcpao import ACK, RST, SYN, sne_and_pseudo_header
from harness.tcpao.option import USUAL

HOT_MAX = 10_000
"""Connection directions that are remembered as usual."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIXED_V4 = struct.Struct("!2xH2xHxB14xI4xBB")
"""From an IPv4 header of 20 octets on: total length, fragment, protocol; sequence number, data offset, flags."""
_FIXED_V6 = struct.Struct("!4xHB37xI4xBB")
"""From an IPv6 header on: payload length, next header; sequence number, data offset, flags."""
_LINKS: dict[int, tuple[int, int | None]] = {
    ETHERNET: (14, 12),
    LINUX_SLL: (16, 14),
    LINUX_SLL2: (20, 0),
    RAW: (0, None),
    RAW_BSD: (0, None),
    IPV4: (0, None),
    IPV6: (0, None),
}
"""Link type to octets of link header, and where the protocol stands in it (None: nowhere)."""
_UNKNOWN = (1 << 30, 0)
"""For any other link type: no frame is so long, so that nothing in it is taken for usual."""
_V4 = frozenset({b"\x08\x00", b"\x45"})
_V6 = frozenset({b"\x86\xdd", *(bytes((octet,)) for octet in range(0x60, 0x70))})
"""The protocol field, or the first octet of a raw packet."""
_HALF = 1 << 31
_TCP = 6
_ZEROS = bytes(12)
_ALWAYS = 1 << 80


class CaptureClock:
    """A router's clock that differs from the capture's time stamps by a fixed offset, in nanoseconds."""

    __slots__ = ("offset_ns",)

    def __init__(self, offset_ns: int = 0) -> None:
        self.offset_ns = offset_ns

    def __call__(self, time_ns: int) -> datetime | None:
        """Return the clock's reading at this time stamp; None for one that no calendar reaches."""
        try:
            return _EPOCH + timedelta(microseconds=(time_ns + self.offset_ns) // 1000)
        except OverflowError:
            return None

    def span_ns(self, key: LaneKey) -> tuple[int, int]:
        """Return the time stamps from which and until which the receiver accepts `key`."""
        return (
            -_ALWAYS if key.begin is None else self._stamp(key.begin),
            _ALWAYS if key.end is None else self._stamp(key.end),
        )

    def _stamp(self, moment: datetime) -> int:
        return (moment - _EPOCH) // timedelta(microseconds=1) * 1000 - self.offset_ns


class _Hot:
    """What is usual for one direction of one connection."""

    __slots__ = (
        "begin",
        "changes",
        "covered",
        "end",
        "high",
        "ids",
        "mac",
        "prefix",
        "suffix",
        "tracker",
        "tuple4",
        "use",
        "width",
    )

    def __init__(self, matched: Matched, judgement: Judgement, use: Use, span: tuple[int, int]) -> None:
        self.ids = bytes((judgement.key_id or 0, judgement.rnext_key_id or 0))
        self.mac = matched.traffic_key.mac
        self.tracker = matched.tracker
        self.high = self.tracker.anchor >> 32 << 32
        self.covered = matched.key.include_options
        self.use = use
        self.tuple4 = matched.tuple4
        self.changes = self.tuple4.changes
        self.begin, self.end = span
        # The pseudo header, but for the length: the last field of IPv4's, followed by four octets in IPv6's.
        pseudo = sne_and_pseudo_header(self.high >> 32, matched.src, matched.dst, 0)
        self.width, after = (2, 0) if len(matched.src) == 4 else (4, 4)  # noqa: PLR2004 -- octets of an IPv4 address
        self.prefix = pseudo[: len(pseudo) - self.width - after]
        self.suffix = pseudo[len(pseudo) - after :]


class Express:
    """Judges and counts the packets of one capture, in their order. The referee's book must stay the same."""

    def __init__(self, referee: Referee, tally: Tally) -> None:
        self.referee = referee
        self.tally = tally
        self._hot: dict[bytes, _Hot] = {}

    def take(self, packet: Packet) -> Judgement | None:  # noqa: C901 -- see the comment
        """Judge and count one packet. None: nothing to protect, or verified and counted in the usual way."""
        # One function on purpose: it runs for every packet, and each call inside would cost as much as a tenth of it.
        number, time_ns, link, data, _ = packet
        base, at = _LINKS.get(link, _UNKNOWN)
        version = data[at : at + 2] if at is not None else data[:1]
        if version in _V4 and data[base : base + 1] == b"\x45" and len(data) >= base + 40:
            name = data[base + 12 : base + 24]
            hot = self._hot.get(name)
            if hot is None:
                return self._slow(packet, name)
            tcp = base + 20
            total, fragment, protocol, seq, offset, flags = _FIXED_V4.unpack_from(data, base)
            end = base + total
            if fragment & 0x3FFF:
                return self._slow(packet, name)
        elif version in _V6 and len(data) >= base + 60:
            name = data[base + 8 : base + 44]
            hot = self._hot.get(name)
            if hot is None:
                return self._slow(packet, name)
            tcp = base + 40
            total, protocol, seq, offset, flags = _FIXED_V6.unpack_from(data, base)
            end = tcp + total
        else:
            return self._slow(packet, b"")
        payload = tcp + (offset >> 4 << 2)
        ahead = seq + hot.high - hot.tracker.anchor
        if (
            protocol != _TCP
            or flags & 0x17 != 0x10  # noqa: PLR2004 -- of FIN, SYN, RST and ACK, only ACK
            or payload > end
            or end > len(data)
            or not -_HALF <= ahead < _HALF  # a wrap: the referee finds the SNE
            or time_ns is None
            or not hot.begin <= time_ns < hot.end
            or hot.changes != hot.tuple4.changes
        ):
            return self._slow(packet, name)
        found = USUAL.match(data, tcp + 20, payload)
        if found is None:
            return self._slow(packet, name)
        ids = found.start(1)
        mac = ids + 2
        if hot.covered:
            message = b"".join(
                (
                    hot.prefix,
                    (end - tcp).to_bytes(hot.width, "big"),
                    hot.suffix,
                    data[tcp : tcp + 16],
                    b"\0\0",
                    data[tcp + 18 : mac],
                    _ZEROS,
                    data[mac + 12 : end],
                )
            )
        else:
            message = b"".join(
                (
                    hot.prefix,
                    (end - tcp).to_bytes(hot.width, "big"),
                    hot.suffix,
                    data[tcp : tcp + 16],
                    b"\0\0",
                    data[tcp + 18 : tcp + 20],
                    data[ids - 2 : mac],
                    _ZEROS,
                    data[payload:end],
                )
            )
        if data[ids:mac] != hot.ids or hot.mac(message) != data[mac : mac + 12]:
            return self._slow(packet, name)
        if ahead > 0:
            hot.tracker.anchor += ahead
        use = hot.use
        use.segments += 1
        use.last_packet = number
        use.last_time_ns = time_ns
        if payload < end:
            use.data_segments += 1
        hot.tuple4.last_packet = number
        return None

    def _slow(self, packet: Packet, name: bytes) -> Judgement | None:
        referee = self.referee
        judgement = referee.judge(packet)
        if judgement is None:
            return None
        use = self.tally.observe(judgement)
        matched = referee.matched
        # Not behind a SYN or RST: the tally must see the first segment that shows a connection alive.
        if use is not None and matched is not None and name and judgement.flags & (SYN | RST | ACK) == ACK:
            span = _span(matched.clock, matched.receiver_key)
            if span is not None:
                if len(self._hot) >= HOT_MAX:
                    self._hot.clear()
                self._hot[name] = _Hot(matched, judgement, use, span)
        return judgement


def _span(clock: Clock, key: LaneKey) -> tuple[int, int] | None:
    """Return the time stamps between which the receiver accepts `key`; None where each must be asked for."""
    if clock is unknown_clock or (key.begin is None and key.end is None):
        return -_ALWAYS, _ALWAYS
    return clock.span_ns(key) if isinstance(clock, CaptureClock) else None
