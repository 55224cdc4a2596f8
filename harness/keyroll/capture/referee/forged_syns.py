"""The fast path for scans: SYNs with wrong MACs from any port of one address to one port of another.

A scan has hundreds of thousands of them. Each has another source port and ISN, so no two share a traffic key; their
other fields are equal. A template is made from the first one; of the following ones only the fields that differ are
read, and the MAC is computed. For each SYN one small tuple is kept (`ConnectionTable.claim`), and a judgement is made
only if the caller wants it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from keyroll.capture.formats.packet import Packet
from keyroll.capture.keys.book import DirectionKeys, HeldKey
from keyroll.capture.referee.account import Account
from keyroll.capture.referee.frame_shape import SynShape
from keyroll.capture.referee.judgement import Flow, Judgement, Verdict
from keyroll.capture.referee.plain_frame import LINKS, UNKNOWN, V4_HEADER, ZERO_MAC, Plain
from keyroll.capture.referee.referee import Referee, unknown_key_id, wrong_mac
from keyroll.tcpao import sne_and_pseudo_header

_TEMPLATES_MAX = 1000
"""Templates kept, about 2 kB each: one for each pair of addresses and service that a scan names. There are few such
pairs between the addresses of protected sessions, and segments of all other addresses are not judged."""
_LENGTHS_MAX = 32
"""Segment lengths for which a template keeps the pseudo header: a scan has one or two."""
_NO_ISN = bytes(4)
"""Stands for the receiver's ISN in the traffic key of a SYN (RFC 5925 section 5.2)."""
AO_ALONE = 20 + 16
"""Octets of a TCP header whose only option is TCP-AO: both coverages of the options give the same MAC."""


class _Answer(NamedTuple):
    """The verdict on SYNs with a certain KeyID and a wrong MAC, and what is needed to compute the MAC."""

    mac: Callable[[bytes, bytes], bytes] | None
    """From a traffic key's context and a message to its MAC; None where the sender has no key with this KeyID."""
    message: Callable[[_SynTemplate, bytes, bytes, int], bytes]
    """Assembles that message with the key's coverage of the other TCP options."""
    other_message: Callable[[_SynTemplate, bytes, bytes, int], bytes]
    """The same with the other coverage."""
    verdict: Verdict
    reason: str
    number: int | None
    name: str | None


class _SynTemplate:
    """What all SYNs of a scan share; `mask` and `fixed` are integers over the octets from `begin` to the payload."""

    __slots__ = (
        "answers",
        "base",
        "begin",
        "context",
        "destination",
        "direction",
        "dport",
        "dst",
        "far",
        "fixed",
        "keys",
        "length_from",
        "lengths",
        "link",
        "mac_at",
        "mask",
        "others",
        "payload",
        "source",
        "src",
        "tcp",
        "unpack",
    )

    def __init__(
        self, packet: Packet, plain: Plain, keys: DirectionKeys, names: tuple[str, str], direction: int
    ) -> None:
        shape = SynShape.of(packet.data, plain)
        self.link = packet.link
        self.begin, self.base, self.tcp = plain.begin, plain.base, plain.tcp
        self.payload, self.mac_at = plain.payload, plain.mac_at
        self.mask, self.unpack = shape
        self.fixed = int.from_bytes(packet.data[self.begin : self.payload], "big") & self.mask
        # The length field counts the whole packet in IPv4, and what follows the header in IPv6.
        self.length_from = plain.base if plain.tcp == plain.base + V4_HEADER else plain.tcp
        self.src, self.dst, self.dport = plain.src, plain.dst, plain.dport
        self.far = plain.dst + plain.dport.to_bytes(2, "big")
        self.direction = direction
        """As `socket_pair_name` gives it."""
        self.context = plain.src + plain.dst
        """The beginning of the key derivation's context."""
        self.keys = keys
        self.source, self.destination = names
        """The text of both addresses."""
        self.others = plain.payload - plain.tcp > AO_ALONE
        """Whether there are other TCP options, which a key may cover or not."""
        self.answers: dict[int, _Answer | None] = {}
        """By KeyID; None if the referee has to judge."""
        self.lengths: dict[int, bytes] = {}
        """Segment length to SNE and pseudo header."""

    def flow(self, sport: int) -> Flow:
        """Return the flow of a SYN from this port."""
        keys = self.keys
        return Flow(self.source, sport, self.destination, self.dport, keys.sender, keys.receiver, keys.session)

    def pseudo_header(self, length: int) -> bytes:
        """Return SNE and pseudo header of a SYN of `length` octets, and keep it for the next one of that length."""
        if len(self.lengths) >= _LENGTHS_MAX:
            self.lengths.clear()
        made = self.lengths[length] = sne_and_pseudo_header(0, self.src, self.dst, length)
        return made


def _covering(template: _SynTemplate, pseudo: bytes, data: bytes, end: int) -> bytes:
    """Assemble the MAC's input with the other TCP options, as `keyroll.tcpao.mac_input` does."""
    tcp, mac_at = template.tcp, template.mac_at
    return b"".join((pseudo, data[tcp : tcp + 16], b"\0\0", data[tcp + 18 : mac_at], ZERO_MAC, data[mac_at + 12 : end]))


def _not_covering(template: _SynTemplate, pseudo: bytes, data: bytes, end: int) -> bytes:
    """Assemble it without them."""
    tcp, mac_at = template.tcp, template.mac_at
    ids, payload = data[mac_at - 4 : mac_at], data[template.payload : end]
    return b"".join((pseudo, data[tcp : tcp + 16], b"\0\0", data[tcp + 18 : tcp + 20], ids, ZERO_MAC, payload))


_NOT_LOOKED_UP = _Answer(None, _covering, _covering, Verdict.BAD_MAC, "", None, None)
"""Stands for a KeyID that no SYN has carried yet."""


class ForgedSyns:
    """Judges and counts SYNs that fit the template of an earlier forged one, with the referee's state."""

    def __init__(self, referee: Referee, account: Account) -> None:
        self._referee = referee
        self._is_known = referee.connections.get
        self._claim = referee.connections.claim
        self._ports = referee.book.ports
        self._count = account.forged_syn
        self._templates: dict[bytes, _SynTemplate] = {}
        """By addresses and destination port, as the frame has them."""
        self._last: _SynTemplate | None = None
        """The template that was used last, which is tried first: a scan of one service needs no other."""
        self.verified: Packet | None = None
        """The last packet whose MAC was found right here, so that it need not be computed again."""
        self.wanted = True
        """Whether `judge` returns judgements. If not, it returns True and `counted` grows."""
        self.counted = 0

    def judge(self, packet: Packet) -> Judgement | bool:  # noqa: C901, PLR0911 -- see below
        """Judge and count one packet.

        Returns:
            A judgement: it is a forged SYN. True: it is one, and judgements are not wanted. False: nothing was done.
        """
        # Long on purpose, like `FastPath.judge_all`: it runs for every SYN of a scan, and a call takes 2 % of its time.
        number, _, link, data, _ = packet
        template = self._last
        if template is None:
            return False
        if (
            int.from_bytes(data[template.begin : template.payload]) & template.mask != template.fixed
            or template.link != link
        ):
            template = self._find(link, data)
            if template is None:
                return False
        total, sport, seq, ack, key_id, rnext_key_id, mac = template.unpack(data, template.base)
        end = template.length_from + total
        tcp = template.tcp
        near = template.src + data[tcp : tcp + 2]
        name = template.far + near if template.direction else near + template.far
        answer = template.answers.get(key_id, _NOT_LOOKED_UP)
        if sport in self._ports or not template.payload <= end <= len(data) or self._is_known(name) is not None:
            return False
        if answer is _NOT_LOOKED_UP:
            answer = template.answers[key_id] = _answer(template.keys, key_id)
        if answer is None:
            return False
        mac_of = answer.mac
        if mac_of is not None:
            pseudo = template.lengths.get(end - tcp) or template.pseudo_header(end - tcp)
            context = template.context + data[tcp : tcp + 8] + _NO_ISN
            if mac_of(context, answer.message(template, pseudo, data, end)) == mac:
                self.verified = packet
                return False
            if template.others and self._referee.tries_other_coverage:
                if mac_of(context, answer.other_message(template, pseudo, data, end)) == mac:
                    return False
                self._referee.count_coverage_miss()
        connection = self._claim(name, template.direction, seq, number)
        if connection is None:
            return False
        flow = self._count(connection, template.source, sport, number, answer.verdict, template.flow)
        if self.wanted:
            fields = key_id, rnext_key_id, seq, ack, end - template.payload, connection
            return self._judgement(packet, template, answer, flow or template.flow(sport), fields)
        self.counted += 1
        return True

    def _find(self, link: int, data: bytes) -> _SynTemplate | None:
        """Return the template that a frame fits, or None; `_last` becomes that template."""
        _, base = LINKS.get(link, UNKNOWN)
        # Addresses and destination port of IPv4, else of IPv6.
        template = self._templates.get(data[base + 12 : base + 20] + data[base + 22 : base + 24]) or (
            self._templates.get(data[base + 8 : base + 40] + data[base + 42 : base + 44])
        )
        if (
            template is None
            or int.from_bytes(data[template.begin : template.payload]) & template.mask != template.fixed
            or template.link != link
        ):
            return None
        self._last = template
        return template

    def learn(self, packet: Packet, plain: Plain, keys: DirectionKeys, direction: int) -> bool:
        """Make a template from a SYN whose MAC is wrong; return whether one was made.

        None is made for the port of a session, which may have other keys, nor if both ends have the same address: the
        direction then depends on the source port, which differs from SYN to SYN.
        """
        if plain.src == plain.dst or plain.sport in self._ports:
            return False
        if len(self._templates) >= _TEMPLATES_MAX:
            self._templates.clear()
        flow = self._referee.new_flow(plain.src, plain.sport, plain.dst, plain.dport, keys)
        template = _SynTemplate(packet, plain, keys, (flow.src, flow.dst), direction)
        self._templates[plain.src + template.far] = self._last = template
        return True

    def _judgement(
        self,
        packet: Packet,
        template: _SynTemplate,
        answer: _Answer,
        flow: Flow,
        fields: tuple[int, int, int, int, int, int],
    ) -> Judgement:
        """Return the judgement on a forged SYN."""
        key_id, rnext_key_id, seq, ack, length, connection = fields
        number, time_ns, _, data, _ = packet
        # Same as Judgement(...), but faster.
        made: Judgement = tuple.__new__(
            Judgement,
            (
                number,
                time_ns,
                flow,
                answer.verdict,
                answer.reason,
                None,
                answer.number,
                answer.name,
                None,
                None,
                key_id,
                rnext_key_id,
                data[template.tcp + 13],
                seq,
                ack,
                length,
                connection,
                self._referee.capture,
            ),
        )
        return made


def _answer(keys: DirectionKeys, key_id: int) -> _Answer | None:
    sent: tuple[HeldKey, ...] = keys.sent.get(key_id, ())
    if not sent:
        reason = unknown_key_id(keys, key_id)
        return _Answer(None, _covering, _not_covering, Verdict.UNKNOWN_KEYID, reason, None, None)
    key = sent[0]
    if len(sent) > 1 or key.master is None:
        return None
    message, other = (_covering, _not_covering) if key.include_options else (_not_covering, _covering)
    return _Answer(key.master.mac, message, other, Verdict.BAD_MAC, f"{wrong_mac(key)}.", key.number, key.name)
