from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from ipaddress import ip_address, ip_interface
from pathlib import Path
from typing import cast

import pytest
from tests.unit.emulator.virtual_time import VirtualTime

from keyroll.emulator.contract.model import Address, BgpNeighbor, Intent, Unit
from keyroll.emulator.contract.processes import Logs
from keyroll.emulator.frr.config import VtyCommand
from keyroll.emulator.frr.queries import BgpReader
from keyroll.emulator.machine import bgp_opener
from keyroll.emulator.machine.bgp_opener import BgpOpener, has_lower_address, local_address
from keyroll.emulator.machine.machine import Machine

PEER = ip_address("10.0.12.2")
NEIGHBOR = BgpNeighbor(PEER, 65002, "g", external=True)
UNITS = (Unit("ge-0/0/0.0", (ip_interface("10.0.12.1/29"),)),)
DEADLINE_SECONDS = 20
"""On the virtual clock: longer than any wait in these tests."""
POLL_SECONDS = 0.05
"""How late a wait may end: a little more than the time between two polls of the session."""
INTENT = Intent("R1", units=UNITS, autonomous_system=65001, neighbors=(NEIGHBOR,))


class FakeBgp:
    def __init__(self, *states: str) -> None:
        self.states = list(states)

    async def state_of(self, _address: object) -> str:
        return self.states.pop(0) if len(self.states) > 1 else self.states[0]

    async def was_up(self, _address: object) -> bool:
        return True


class FakeSynListener:
    def __init__(self, at: float | None) -> None:
        self.at = at

    def last(self, _address: object) -> float | None:
        return self.at

    def close(self) -> None:
        return


def opener(bgp: FakeBgp, last_syn: float | None = None, *, too_late: int = 0) -> tuple[BgpOpener, list[object]]:
    """Return an opener and the list of its actions; before its first `too_late` attempts, the peer has opened."""
    actions: list[object] = []

    async def open_actively(address: object) -> bool:
        actions.append(address)
        if len(actions) <= too_late:
            return False
        made.mark_active(PEER)
        return True

    async def make_passive(address: object) -> None:
        assert address == PEER
        if made.mark_passive(PEER):
            actions.append("made passive")

    async def restart_timer(address: object) -> None:
        assert address == PEER
        actions.append("restarted timer")

    made = BgpOpener(cast("BgpReader", bgp), open_actively, make_passive, restart_timer)
    made._syns = FakeSynListener(last_syn)  # type: ignore[assignment]
    return made, actions


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> VirtualTime:
    made = VirtualTime()
    monkeypatch.setattr(bgp_opener, "time", made)
    return made


def test_the_router_with_the_lower_address_waits_for_its_peer_to_open() -> None:
    assert local_address(NEIGHBOR, UNITS) == ip_address("10.0.12.1")
    assert has_lower_address(NEIGHBOR, UNITS)
    mirrored = (Unit("ge-0/0/0.0", (ip_interface("10.0.12.2/30"),)),)
    assert not has_lower_address(replace(NEIGHBOR, address=ip_address("10.0.12.1")), mirrored)


def test_a_router_that_is_passive_or_whose_address_is_unknown_does_not_wait() -> None:
    assert not has_lower_address(replace(NEIGHBOR, passive=True), UNITS)
    assert not has_lower_address(replace(NEIGHBOR, address=ip_address("192.0.2.9")), UNITS)
    assert has_lower_address(
        replace(NEIGHBOR, address=ip_address("192.0.2.9"), local_address=ip_address("10.255.0.1")), UNITS
    )


def test_a_router_does_not_wait_for_a_peer_that_has_just_sent_a_syn(clock: VirtualTime) -> None:
    made, _ = opener(FakeBgp("Active"), last_syn=clock.now)
    assert made.choose(Intent(""), INTENT) == frozenset()
    made, _ = opener(FakeBgp("Active"), last_syn=clock.now - 60)
    assert made.choose(Intent(""), INTENT) == {PEER}


def actions_after_commit(
    clock: VirtualTime, bgp: FakeBgp, syn_after: float | None, *, too_late: int = 0
) -> list[object]:
    async def play() -> list[object]:
        last_syn = None if syn_after is None else clock.now + syn_after
        made, actions = opener(bgp, last_syn, too_late=too_late)
        made.applied(INTENT, frozenset({PEER}))
        await asyncio.wait_for(asyncio.gather(*made._tasks.values()), DEADLINE_SECONDS)
        await made.close()
        return actions

    return clock.run(play())


def test_a_router_opens_the_connection_if_its_peer_does_not(clock: VirtualTime) -> None:
    begun = clock.now
    assert actions_after_commit(clock, FakeBgp("Active"), None) == [PEER]
    assert clock.now - begun == pytest.approx(bgp_opener.PEER_FIRST_SECONDS, abs=POLL_SECONDS)


def test_a_router_opens_the_connection_early_if_it_has_refused_its_peers_syn(clock: VirtualTime) -> None:
    begun = clock.now
    assert actions_after_commit(clock, FakeBgp("Active"), -0.01) == [PEER]
    assert clock.now - begun == pytest.approx(bgp_opener.SETTLE_SECONDS, abs=POLL_SECONDS)


def test_a_router_does_nothing_if_its_peer_opens_the_session(clock: VirtualTime) -> None:
    assert actions_after_commit(clock, FakeBgp("Active", "OpenSent", "Established"), None) == []


def test_a_peer_that_opens_just_before_the_router_gets_the_same_time_again(clock: VirtualTime) -> None:
    begun = clock.now
    assert actions_after_commit(clock, FakeBgp("Active"), None, too_late=1) == [PEER, PEER]
    assert clock.now - begun == pytest.approx(2 * bgp_opener.PEER_FIRST_SECONDS, abs=2 * POLL_SECONDS)


@pytest.mark.parametrize(
    ("syn_after", "passed", "opening"),
    [(None, 0.0, False), (-0.01, 0.0, False), (0.3, 0.5, True), (0.3, 0.4 + bgp_opener.SYN_RETRY_SECONDS, False)],
    ids=["no SYN", "refused, before the activation", "answered", "answered long ago"],
)
def test_a_peer_is_opening_for_a_while_after_a_syn_that_was_answered(
    clock: VirtualTime, syn_after: float | None, passed: float, opening: bool
) -> None:
    async def play() -> bool:
        made, _ = opener(FakeBgp("Active"), None if syn_after is None else clock.now + syn_after)
        made.applied(INTENT, frozenset({PEER}))
        clock.now += passed
        found = made.peer_is_opening(PEER)
        await made.close()
        return found

    assert clock.run(play()) is opening


@pytest.mark.parametrize("passive", [False, True], ids=["to open", "to be passive"])
@pytest.mark.parametrize(
    ("state", "syn", "changed"),
    [("Active", None, True), ("Established", None, False), ("Active", 0.1, False)],
    ids=["not opened", "up", "SYN answered"],
)
def test_a_session_that_the_peer_opened_during_a_commit_is_not_reset(
    clock: VirtualTime, tmp_path: Path, state: str, syn: float | None, changed: bool, passive: bool
) -> None:
    """Neither if this side is to open the session, nor if it is to be passive again."""
    before: frozenset[Address] = frozenset() if passive else frozenset({PEER})

    async def play() -> list[str]:
        machine = Machine((), tmp_path, cast("Logs", None), on_death=print, on_restart=print, on_reboot=lambda: None)
        configured: list[str] = []

        async def configure(commands: Sequence[VtyCommand]) -> None:
            configured.extend(command.text for command in commands)

        opener = machine._opener
        machine._bgp = opener._bgp = FakeBgp(state)  # type: ignore[assignment]
        opener._syns = FakeSynListener(None if syn is None else clock.now + syn)  # type: ignore[assignment]
        machine._frr.configure = configure  # type: ignore[method-assign]
        machine._applied = replace(machine._applied, intent=INTENT, lines=machine._render(INTENT, before))
        opener.applied(INTENT, before)
        opener._waiting_since[PEER] = clock.now
        change = machine._make_passive if passive else machine._open_actively
        async with machine._turn:  # the commit
            attempt = asyncio.create_task(change(PEER))
            await asyncio.sleep(1)
        assert await attempt is (None if passive else changed)
        await opener.close()
        return configured

    command = "neighbor 10.0.12.2 passive" if passive else "no neighbor 10.0.12.2 passive"
    assert clock.run(play()) == ([command] if changed else [])


def test_a_router_opens_the_connection_if_its_peers_handshake_fails(clock: VirtualTime) -> None:
    assert actions_after_commit(clock, FakeBgp("Active", "OpenSent", "OpenConfirm", "Active"), None) == [PEER]


def after_a_reset(
    clock: VirtualTime, bgp: FakeBgp, *, active_before: bool, last_syn: float | None, intent: Intent = INTENT
) -> tuple[list[object], float]:
    """Return the opener's actions after the session has gone down, and the seconds until the last one."""

    async def play() -> list[object]:
        made, done = opener(bgp, last_syn)
        made.applied(intent, frozenset() if active_before else frozenset({PEER}))
        made.went_down(PEER)
        await asyncio.wait_for(asyncio.gather(*made._tasks.values(), return_exceptions=True), DEADLINE_SECONDS)
        await made.close()
        return done

    begun = clock.now
    return clock.run(play()), clock.now - begun


@pytest.mark.parametrize("tearing_down", ["Clearing", "Deleted", "Idle"])
def test_a_router_waits_for_its_peer_also_while_the_session_is_torn_down(clock: VirtualTime, tearing_down: str) -> None:
    done, _ = after_a_reset(clock, FakeBgp(tearing_down, "Active"), active_before=False, last_syn=None)
    assert done == ["restarted timer", PEER]


def test_after_a_reset_the_side_that_opened_becomes_passive_again_after_the_timer_delay(
    clock: VirtualTime,
) -> None:
    done, took = after_a_reset(clock, FakeBgp("Active", "Established"), active_before=True, last_syn=clock.now - 60)
    assert done == ["made passive"]
    assert took == pytest.approx(bgp_opener.TIMER_DELAY_SECONDS, abs=POLL_SECONDS)


@pytest.mark.parametrize("configured_passive", [False, True])
def test_after_a_reset_a_passive_side_restarts_its_timer_after_the_timer_delay(
    clock: VirtualTime, configured_passive: bool
) -> None:
    intent = replace(INTENT, neighbors=(replace(NEIGHBOR, passive=configured_passive),))
    done, took = after_a_reset(
        clock, FakeBgp("Established"), active_before=configured_passive, last_syn=clock.now - 60, intent=intent
    )
    assert done == ["restarted timer"]
    assert took == pytest.approx(bgp_opener.TIMER_DELAY_SECONDS, abs=POLL_SECONDS)


def test_the_timer_is_not_restarted_if_the_peer_has_sent_a_syn_by_then(clock: VirtualTime) -> None:
    last_syn = clock.now + DEADLINE_SECONDS
    done, _ = after_a_reset(clock, FakeBgp("Established"), active_before=False, last_syn=last_syn)
    assert done == []


def test_after_a_reset_a_router_does_not_wait_for_a_peer_that_never_sent_a_syn(clock: VirtualTime) -> None:
    done, _ = after_a_reset(clock, FakeBgp("Active"), active_before=True, last_syn=None)
    assert done == []


def test_after_a_reset_a_router_waits_while_its_peer_keeps_sending_syns(clock: VirtualTime) -> None:
    done, took = after_a_reset(clock, FakeBgp("Active"), active_before=False, last_syn=clock.now + 0.2)
    assert done == [PEER]
    assert took == pytest.approx(0.2 + bgp_opener.PEER_FIRST_AGAIN_SECONDS, abs=POLL_SECONDS)


def test_after_a_routing_restart_every_peer_may_open_first_again(clock: VirtualTime) -> None:
    async def play() -> None:
        made, _ = opener(FakeBgp("Established"))
        made.applied(INTENT, frozenset())
        assert made.restarted(INTENT) == {PEER}
        assert made.choose(INTENT, INTENT) == {PEER}
        await made.close()

    clock.run(play())


def test_a_later_commit_leaves_a_neighbour_passive_or_active(clock: VirtualTime) -> None:
    made, _ = opener(FakeBgp("Established"))

    async def play() -> None:
        made.applied(INTENT, frozenset({PEER}))
        assert made.choose(INTENT, INTENT) == {PEER}
        made.mark_active(PEER)
        assert made.choose(INTENT, INTENT) == frozenset()
        await made.close()

    clock.run(play())


def test_a_router_does_not_wait_for_an_internal_neighbour_in_a_local_as() -> None:
    """bgpd accepts no connection for a neighbour in a view."""
    made, _ = opener(FakeBgp("Established"))
    inside = replace(NEIGHBOR, address=ip_address("10.0.12.3"), peer_as=65009, external=False, local_as=65009)
    assert made.choose(Intent("R1"), replace(INTENT, neighbors=(NEIGHBOR, inside), units=UNITS)) == {PEER}
