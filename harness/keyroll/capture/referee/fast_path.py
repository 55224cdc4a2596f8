"""The fast path: verifies consecutive segments of a known connection without full parsing.

Nearly all segments of a capture are alike: same connection and key as the one before, no SYN, no RST, one TCP-AO
option, no wrap. If a frame's constant header fields equal those of a segment that the referee has verified, only the
MAC is left to compute. The fast path gives only the verdict "verified", and only where the referee would. Everything
else goes to the referee.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from keyroll.capture.formats.packet import Packet
from keyroll.capture.keys.book import span_of
from keyroll.capture.referee.account import Account, KeyUse
from keyroll.capture.referee.connection import SOCKET_PAIRS_MAX
from keyroll.capture.referee.forged_syns import ForgedSyns
from keyroll.capture.referee.frame_shape import Shape
from keyroll.capture.referee.handshake_path import Followed, HandshakePath
from keyroll.capture.referee.judgement import Judgement
from keyroll.capture.referee.plain_frame import LINKS, UNKNOWN, V4_HEADER, ZERO_MAC, Plain, read
from keyroll.capture.referee.referee import Matched, Referee
from keyroll.tcpao import ACK, FIN, HALF_SEQUENCE, RST, SYN, sne_and_pseudo_header
from keyroll.tcpao.option import FIXED_HEADER

TEMPLATES_MAX = 2 * SOCKET_PAIRS_MAX
"""Templates kept, one for each direction, about 1.5 kB each: enough for all socket pairs that the referee keeps. With
fewer, connections whose segments alternate would evict each other's templates."""
_LENGTHS_MAX = 32
"""Segment lengths for which a template keeps the pseudo header: most connections have two or three."""


class _Template:
    """The header bits that all segments of one direction of one connection share, from the last verified segment.

    `mask` has ones at the shared bits, `fixed` holds their values. Both are integers over the octets from `begin` to
    the payload. The first of these octets is never 0, so a frame that is too short does not match.
    """

    __slots__ = (
        "begin",
        "changes",
        "covered",
        "fixed",
        "high",
        "length_from",
        "lengths",
        "link",
        "mac",
        "mac_at",
        "mask",
        "payload",
        "pseudo",
        "since",
        "socket_pair",
        "tcp",
        "tracker",
        "unpack",
        "until",
        "use",
    )

    def __init__(
        self, packet: Packet, plain: Plain, shape: Shape, matched: Matched, use: KeyUse, span: tuple[int, int]
    ) -> None:
        self.link = packet.link
        self.begin, self.tcp, self.payload, self.mac_at = plain.begin, plain.tcp, plain.payload, plain.mac_at
        self.mask = shape.mask
        self.fixed = int.from_bytes(packet.data[self.begin : self.payload], "big") & self.mask
        self.unpack = shape.unpack
        # The length field counts the whole packet in IPv4, and what follows the header in IPv6.
        self.length_from = plain.base if plain.tcp == plain.base + V4_HEADER else plain.tcp
        self.mac = matched.traffic_key.mac
        self.covered = matched.key.include_options
        self.tracker = matched.tracker
        self.high = self.tracker.anchor >> 32 << 32
        self.use = use
        self.socket_pair = matched.socket_pair
        self.changes = self.socket_pair.changes
        self.since, self.until = span
        self.pseudo = (self.high >> 32, matched.src, matched.dst)
        self.lengths: dict[int, bytes] = {}

    def pseudo_header(self, length: int) -> bytes:
        """Return SNE and pseudo header of a segment of `length` octets, and keep it for the next one of that length."""
        if len(self.lengths) >= _LENGTHS_MAX:
            self.lengths.clear()
        made = self.lengths[length] = sne_and_pseudo_header(*self.pseudo, length)
        return made


class FastPath:
    """Judges and counts the packets of one capture, in order. The referee's book must not change meanwhile.

    Does not find proofs of key changes: `KeyChanges` needs every judgement.
    """

    def __init__(self, referee: Referee, account: Account) -> None:
        self.referee = referee
        self.account = account
        self.forged = ForgedSyns(referee, account)
        """Set its `wanted` to False if forged SYNs only need to be counted."""
        self._handshakes = HandshakePath(referee, account, self.forged)
        self._templates: dict[bytes, _Template] = {}
        self._shapes: dict[tuple[int, int, int, int], Shape] = {}
        """The last shape, by link type and the offsets of TCP header, MAC and payload."""

    def judge(self, packet: Packet) -> Judgement | None:
        """Judge and count one packet. None: nothing to protect, or verified here and counted."""
        return next((judgement for _, judgement in self.judge_all((packet,))), None)

    def judge_all(self, packets: Iterable[Packet]) -> Iterator[tuple[Packet, Judgement]]:
        """Judge and count packets; yield those that are more than a verified segment of a known connection."""
        # One long loop on purpose: it runs for every packet, and each function call in it costs a tenth of its speed.
        known, links, forged = self._templates, LINKS, self.forged.judge
        for packet in packets:
            number, time_ns, link, data, _ = packet
            _, base = links.get(link, UNKNOWN)
            # Addresses and ports of IPv4, else of IPv6.
            template = known.get(data[base + 12 : base + 24]) or known.get(data[base + 8 : base + 44])
            if (
                template is not None
                and int.from_bytes(data[template.begin : template.payload]) & template.mask == template.fixed
                and template.link == link
            ):
                total, seq, mac = template.unpack(data, base)
                end = template.length_from + total
                ahead = seq + template.high - template.tracker.anchor
                if (
                    template.payload <= end <= len(data)
                    and -HALF_SEQUENCE <= ahead < HALF_SEQUENCE  # beyond is a wrap: the referee finds the SNE
                    and time_ns is not None
                    and template.since <= time_ns < template.until
                    and template.changes == template.socket_pair.changes
                ):
                    tcp = template.tcp
                    length = end - tcp
                    pseudo = template.lengths.get(length) or template.pseudo_header(length)
                    mac_at = template.mac_at
                    # The MAC's input, as `plain_frame.mac_message` assembles it; not called, see above.
                    if template.covered:
                        message = b"".join(
                            (
                                pseudo,
                                data[tcp : tcp + 16],
                                b"\0\0",
                                data[tcp + 18 : mac_at],
                                ZERO_MAC,
                                data[mac_at + 12 : end],
                            )
                        )
                    else:
                        message = b"".join(
                            (
                                pseudo,
                                data[tcp : tcp + 16],
                                b"\0\0",
                                data[tcp + 18 : tcp + 20],
                                data[mac_at - 4 : mac_at],
                                ZERO_MAC,
                                data[template.payload : end],
                            )
                        )
                    if template.mac(message) == mac:
                        if ahead > 0:
                            template.tracker.anchor += ahead
                        use = template.use
                        use.segments += 1
                        use.last_packet = template.socket_pair.last_packet = number
                        use.last_time_ns = time_ns
                        if end > template.payload:
                            use.data_segments += 1
                            use.last_data_time_ns = time_ns
                        continue
            judgement = forged(packet) or self._without_template(packet)
            if judgement is not None and judgement is not True:
                yield packet, judgement

    def _without_template(self, packet: Packet) -> Judgement | None:
        found = self._handshakes.judge(packet)
        if found is not False:
            if isinstance(found, Judgement):
                return found
            if isinstance(found, Followed):
                self._add_template(packet, found)
            return None
        referee = self.referee
        judgement = referee.judge(packet)
        if judgement is None:
            return None
        use = self.account.observe(judgement)
        matched = referee.matched
        # No template from a SYN or RST: the account must see the first segment of an active connection.
        if use is not None and matched is not None and judgement.flags & (SYN | RST | FIN | ACK) == ACK:
            span = span_of(matched.clock, matched.receiver_key)
            plain = read(packet)
            if span is not None and plain is not None:
                self._add_template(packet, Followed(plain, matched, use, span))
        return judgement

    def _add_template(self, packet: Packet, followed: Followed) -> None:
        """Make the template for the segments that follow `followed` on its direction."""
        plain, data = followed.plain, packet.data
        place = (packet.link, plain.tcp, plain.mac_at, plain.payload)
        shape = self._shapes.get(place)
        options = int.from_bytes(data[plain.tcp + FIXED_HEADER : plain.payload], "big")
        # One shape for each offset of the MAC is enough: hosts use the same options all the time.
        if shape is None or options & shape.kinds != shape.options:
            shape = self._shapes[place] = Shape.of(data, plain)
        if len(self._templates) >= TEMPLATES_MAX:
            self._templates.clear()
        ends = data[plain.base + 12 : plain.base + 24] if len(plain.src) == 4 else data[plain.base + 8 : plain.tcp + 4]  # noqa: PLR2004 -- octets of an IPv4 address
        self._templates[ends] = _Template(packet, plain, shape, followed.matched, followed.use, followed.span)
