"""A connection from before the re-point of its session: only segments that its former chain accepts are not bad."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from tests.unit.capture.conftest import Talk, chain_of, make_key, make_talk, pcap_octets

from keyroll.capture import Standing
from keyroll.capture.referee.judgement import Judgement
from keyroll.keychain.model import Keychain
from keyroll.names import SessionKind
from keyroll.scenario.file.fields import RouterName
from keyroll.scenario.observe.router_clock import RouterClock
from keyroll.scenario.observe.wire import Party, Wire
from keyroll.scenario.plan.changes import Held
from keyroll.scenario.plan.keyring import Changed, Span

FORMER = chain_of(make_key(0))
NEW = replace(chain_of(make_key(0, secret="of the new chain")), name="new")


Judged = tuple[Talk, Callable[[Talk], list[Judgement]]]
"""A conversation, and a function that returns the judgements of its segments after the re-point."""


@pytest.fixture
def re_pointed(tmp_path: Path) -> Iterator[Judged]:
    """A connection with the former chain, during which both routers commit the new chain; and its judge."""
    talk = make_talk(chain=FORMER).open().exchange()
    ends: tuple[tuple[RouterName, Any, Keychain, Keychain], ...] = (
        ("R1", talk.near, FORMER, NEW),
        ("R2", talk.far, FORMER.mirrored(), NEW.mirrored()),
    )
    files = {name: tmp_path / f"{name}.pcap" for name, *_ in ends}
    for file in files.values():
        file.write_bytes(b"")
    parties = [
        Party(name, frozenset({ip_address(end.address)}), chain, RouterClock(), files[name])
        for name, end, chain, _ in ends
    ]
    wire = Wire(parties, {"bgp": SessionKind.BGP}, changed=lambda _: None)
    for name, _, chain, _ in ends:
        wire.follow(Changed(name, Held({chain.name: chain}, chain.name), Span(0, 1)))
    done = talk.time_ns + 1
    for name, _, _, new in ends:
        wire.follow(Changed(name, Held({new.name: new}, new.name), Span(talk.time_ns, done)))
    talk.time_ns += 1_000_000_000

    def judged(made: Talk) -> list[Judgement]:
        for file in files.values():
            file.write_bytes(pcap_octets(made.packets, nanoseconds=True))
        wire.pump()
        return [one for name in files for one in wire._captures[name].judged if (one.time_ns or 0) > done]

    yield talk, judged
    wire.close()


def test_segments_of_the_former_chain_are_not_judged_by_the_new_one(re_pointed: Judged) -> None:
    talk, judged = re_pointed
    assert judged(talk.exchange()) == []


def test_a_segment_that_is_good_under_neither_chain_is_bad(re_pointed: Judged) -> None:
    talk, judged = re_pointed
    talk.near.chain = chain_of(make_key(0, secret="of no chain"))
    found = judged(talk.exchange())
    assert [one.standing for one in found if one.sender == "R1"].count(Standing.BAD) == 4, (
        "two segments, each in two captures"
    )


def test_a_segment_without_a_signature_is_bad(re_pointed: Judged) -> None:
    talk, judged = re_pointed
    talk.send(talk.near, key=None)
    assert {one.standing for one in judged(talk)} == {Standing.BAD}
