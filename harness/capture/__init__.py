"""The referee: reads captures, tracks connections by itself, and says of each segment whether it was right.

reader.py          read_packets(path) -> Iterator[Packet]; Follow(path).read_new() -> list[Packet]; CaptureError
lanes.py           Speaker(name, addresses, chain, receiving, clock); SpeakerBook(speakers, ports)
referee.py         Referee(book).judge(packet) -> Judgement | None (None: nothing that must be protected)
judgement.py       Judgement, Verdict, Refusal, Standing
handover.py        Handovers().observe(judgement) -> Acknowledged | None: the proof that a key change was taken
second_opinion.py  SecondOpinion(seed=...).observe(packet, judgement, book); .finish() -> Opinion

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
    from harness.capture.handover import Acknowledged, Handovers, KeyUse
    from harness.capture.judgement import Judgement, Refusal, Standing, Verdict
    from harness.capture.lanes import Speaker, SpeakerBook
    from harness.capture.packet import CaptureError, Packet
    from harness.capture.reader import Follow, read_packets
    from harness.capture.referee import Referee
    from harness.capture.second_opinion import Opinion, SecondOpinion

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

_MODULES = ("handover", "judgement", "lanes", "packet", "reader", "referee", "second_opinion")


def __getattr__(name: str) -> object:
    """Import what is asked for, when it is: `keyroll verify` needs half of it, and its start counts."""
    if name in __all__:
        for module in _MODULES:
            found = getattr(importlib.import_module(f"harness.capture.{module}"), name, None)
            if found is not None:
                return found
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
