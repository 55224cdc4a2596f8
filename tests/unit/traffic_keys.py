"""Derives the traffic keys of a capture's connections, and searches outputs for them in every encoding.

RFC 5925 section 5.2: a traffic key is derived from the master key, the addresses and ports of both ends, and both ISNs.
The key of a SYN is derived with 0 for the ISN that its sender does not know.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from keyroll.capture import read_packets
from keyroll.capture.formats.link_types import ip_offset
from keyroll.names import Algorithm
from keyroll.tcpao import RST, SYN, Segment, parse_segment, verify_segment
from keyroll.tcpao.kdf import TrafficKey, kdf_context, traffic_key
from keyroll.tcpao.option import scan_options


class Flow(NamedTuple):
    """One direction of a connection."""

    src: bytes
    dst: bytes
    sport: int
    dport: int

    def back(self) -> Flow:
        """Return the other direction of the connection."""
        return Flow(self.dst, self.src, self.dport, self.sport)


def traffic_keys(capture: Path, secrets: Iterable[bytes]) -> set[bytes]:
    """Return every traffic key that a connection of the capture could have under one of the secrets.

    Raises:
        AssertionError: none of them signed a segment of the capture, so a search for them would prove nothing.
    """
    segments = list(_segments(capture))
    isns: dict[Flow, set[int]] = {}
    for one in segments:
        if one.flags & (SYN | RST) == SYN:
            isns.setdefault(_flow(one), set()).add(one.seq)
    keys = {
        flow: [
            traffic_key(algorithm, secret, kdf_context(*flow, mine, theirs))
            for secret in set(secrets)
            for algorithm in Algorithm
            for mine in isns.get(flow, ())
            for theirs in {0, *isns.get(flow.back(), ())}
        ]
        for flow in isns
    }
    assert any(_signed(one, keys.get(_flow(one), [])) for one in segments), f"{capture} has other keys"
    return {key.reveal() for some in keys.values() for key in some}


class Search:
    """Finds octet strings as they are, in hexadecimal, and in base64 after any number of other octets."""

    def __init__(self, words: Iterable[bytes]) -> None:
        words = set(words)
        assert words, "there is nothing to search for"
        self._forms = sorted({form for word in words for form in _forms(word)})
        self._hex = sorted({form for word in words for form in (word.hex(), word.hex(":"), word.hex(" "))})

    def finds(self, octets: bytes) -> bool:
        """Return whether one of the strings occurs in `octets`."""
        # One pattern of all forms would be slower: it would read each octet once for every form.
        folded = octets.lower()
        return any(form in octets for form in self._forms) or any(form.encode() in folded for form in self._hex)


def _segments(capture: Path) -> Iterator[Segment]:
    for packet in read_packets(capture):
        place = ip_offset(packet.link, packet.data)
        segment = None if place is None else parse_segment(packet.data, place)
        if segment is not None:
            yield segment


def _flow(segment: Segment) -> Flow:
    return Flow(bytes(segment.src), bytes(segment.dst), segment.sport, segment.dport)


def _signed(segment: Segment, keys: Iterable[TrafficKey]) -> bool:
    option = scan_options(segment.options).ao
    return option is not None and any(
        verify_segment(segment, option, key=key, sne=0, include_options=included)
        for key in keys
        for included in (True, False)
    )


def _forms(word: bytes) -> Iterator[bytes]:
    """Yield a string as it is, and in base64 at each of the three places where it can begin."""
    yield word
    for before in range(3):  # three octets are four characters, so a string can begin at three places
        text = b64encode(bytes(before) + word).rstrip(b"=")
        begun, whole = (0, 2, 3)[before], (before + len(word)) * 8 // 6
        yield text[begun:whole]
        yield text[begun:whole].translate(bytes.maketrans(b"+/", b"-_"))
