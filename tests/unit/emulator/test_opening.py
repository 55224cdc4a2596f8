from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from ipaddress import ip_address, ip_interface

import pytest

from harness.emulator import opening
from harness.emulator.model import BgpNeighbor, Intent, Unit
from harness.emulator.opening import Opener, has_lower_address, local_address

PEER = ip_address("10.0.12.2")
NEIGHBOR = BgpNeighbor(PEER, 65002, "g", external=True)
UNITS = (Unit("ge-0/0/0.0", (ip_interface("10.0.12.1/30"),)),)
INTENT = Intent("R1", units=UNITS, neighbors=(NEIGHBOR,))


class FakeBgp:
    def __init__(self, *states: str) -> None:
        self.states = list(states)

    async def state_of(self, _address: object) -> str:
        return self.states.pop(0) if len(self.states) > 1 else self.states[0]


class FakeKnocks:
    def __init__(self, at: float | None) -> None:
        self.at = at

    def last(self, _address: object) -> float | None:
        return self.at

    def close(self) -> None:
        return


def opener(bgp: FakeBgp, knock: float | None = None) -> tuple[Opener, list[object]]:
    insisted: list[object] = []

    async def insist(address: object) -> None:
        insisted.append(address)

    made = Opener(bgp, insist)  # type: ignore[arg-type]
    made._knocks = FakeKnocks(knock)  # type: ignore[assignment]
    return made, insisted


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(opening, "YIELD_SECONDS", 0.1)
    monkeypatch.setattr(opening, "SETTLE_SECONDS", 0.02)


def test_the_lower_address_lets_the_other_open():
    assert local_address(NEIGHBOR, UNITS) == ip_address("10.0.12.1")
    assert has_lower_address(NEIGHBOR, UNITS)
    mirrored = (Unit("ge-0/0/0.0", (ip_interface("10.0.12.2/30"),)),)
    assert not has_lower_address(replace(NEIGHBOR, address=ip_address("10.0.12.1")), mirrored)


def test_who_is_told_to_be_passive_or_has_no_known_address_does_not_choose():
    assert not has_lower_address(replace(NEIGHBOR, passive=True), UNITS)
    assert not has_lower_address(replace(NEIGHBOR, address=ip_address("192.0.2.9")), UNITS)
    assert has_lower_address(
        replace(NEIGHBOR, address=ip_address("192.0.2.9"), local_address=ip_address("10.255.0.1")), UNITS
    )


def test_a_peer_that_has_just_knocked_is_not_waited_for():
    made, _ = opener(FakeBgp("Active"), knock=time.monotonic())
    assert made.choose(Intent(""), INTENT) == frozenset()
    made, _ = opener(FakeBgp("Active"), knock=time.monotonic() - 60)
    assert made.choose(Intent(""), INTENT) == {PEER}


def waited(bgp: FakeBgp, knock_after: float | None) -> list[object]:
    async def play() -> list[object]:
        knock = None if knock_after is None else time.monotonic() + knock_after
        made, insisted = opener(bgp, knock)
        made.applied(frozenset({PEER}))
        await asyncio.wait_for(asyncio.gather(*made._tasks.values()), 2)
        await made.close()
        return insisted

    return asyncio.run(play())


def test_a_peer_that_does_not_come_is_opened_to():
    begun = time.monotonic()
    assert waited(FakeBgp("Active"), None) == [PEER]
    assert time.monotonic() - begun >= 0.1


def test_a_peer_that_was_turned_away_is_opened_to_soon():
    begun = time.monotonic()
    assert waited(FakeBgp("Active"), -0.01) == [PEER]
    assert time.monotonic() - begun < 0.1


def test_a_peer_that_comes_is_left_to_it():
    assert waited(FakeBgp("Active", "OpenSent"), None) == []


def test_who_was_insisted_on_stays_so_while_it_is_configured():
    made, _ = opener(FakeBgp("Established"))

    async def play() -> None:
        made.applied(frozenset({PEER}))
        assert made.choose(INTENT, INTENT) == {PEER}
        made.insisting(PEER)
        assert made.choose(INTENT, INTENT) == frozenset()
        await made.close()

    asyncio.run(play())
