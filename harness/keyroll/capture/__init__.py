"""The referee: reads captures, tracks connections by itself, and says of each segment whether it was right.

formats/reader.py       read_packets(path) -> Iterator[Packet]; Follow(path).read_new() -> list[Packet]; CaptureError
keys/book.py            Speaker(name, addresses, chain, receiving, clock); SpeakerBook(speakers, ports)
referee/referee.py      Referee(book).judge(packet) -> Judgement | None (None: nothing that must be protected)
referee/judgement.py    Judgement, Verdict, Refusal, Standing
referee/key_changes.py  Handovers().observe(judgement) -> Acknowledged | None: the peer took a key change
referee/scapy_check.py  SecondOpinion(seed=...).observe(packet, judgement, book); .finish() -> Opinion

follow, referee, handovers = Follow(path), Referee(SpeakerBook([r1, r2])), Handovers()
for packet in follow.read_new():
    judgement = referee.judge(packet)
    if judgement is not None:
        proof = handovers.observe(judgement)
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from keyroll.capture.formats.packet import CaptureError, Packet
    from keyroll.capture.formats.reader import Follow, read_packets
    from keyroll.capture.keys.book import Speaker, SpeakerBook
    from keyroll.capture.referee.judgement import Judgement, Refusal, Standing, Verdict
    from keyroll.capture.referee.key_changes import Acknowledged, Handovers, KeyUse
    from keyroll.capture.referee.referee import Referee
    from keyroll.capture.referee.scapy_check import Opinion, SecondOpinion

__all__ = [
    "Acknowledged",
    "CaptureError",
    "Follow",
    "Handovers",
    "Judgement",
    "KeyUse",
    "Opinion",
    "Packet",
    "Referee",
    "Refusal",
    "SecondOpinion",
    "Speaker",
    "SpeakerBook",
    "Standing",
    "Verdict",
    "read_packets",
]

_MODULES = (
    "referee.key_changes",
    "referee.judgement",
    "keys.book",
    "formats.packet",
    "formats.reader",
    "referee.referee",
    "referee.scapy_check",
)


def __getattr__(name: str) -> object:
    """Import what is asked for, when it is: `keyroll verify` needs half of it, and its start counts."""
    if name in __all__:
        for module in _MODULES:
            found = getattr(importlib.import_module(f"keyroll.capture.{module}"), name, None)
            if found is not None:
                return found
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
