"""Keychains in use: what a commit changes for a session that is up, and what it logs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from ipaddress import IPv4Address, ip_address
from typing import TYPE_CHECKING

import pytest

from keyroll.emulator.contract.in_use_rules import InUseRules
from keyroll.emulator.contract.model import (
    AuthScheme,
    BackendError,
    BgpState,
    EventKind,
    Intent,
    LdpSession,
    RouterEvent,
)
from keyroll.emulator.junos.commit.load import load_set
from keyroll.names import InUse

if TYPE_CHECKING:
    from tests.unit.emulator.junos.conftest import Console, FullBackend, MemoryBackend

PEER = ip_address("10.0.0.2")
UP = BgpState(PEER, 65002, "Established", 5, 0, 1, 1, 0, {})


def chain(name: str, *numbers: int) -> str:
    lines = []
    for number in numbers:
        key = f"set security authentication-key-chains key-chain {name} key {number}"
        lines += [
            f"{key} secret {name}{number}",
            f"{key} start-time 2030-01-01.00:{number:02d}",
            f"{key} algorithm ao",
            f"{key} ao-attribute send-id {2 * number + 1}",
            f"{key} ao-attribute recv-id {2 * number + 2}",
            f"{key} ao-attribute tcp-ao-option enabled",
        ]
    return "\n".join(lines)


BGP = """
set routing-options autonomous-system 65001
set protocols bgp group e neighbor 10.0.0.2 peer-as 65002
set protocols bgp group e neighbor 10.0.0.2 authentication-algorithm ao
set protocols bgp group e neighbor 10.0.0.2 authentication-key-chain a
"""
REPOINT = "set protocols bgp group e neighbor 10.0.0.2 authentication-key-chain b"
KEY = "security authentication-key-chains key-chain a key 0"


def commit(console: Console, text: str) -> None:
    store = console.router._state.store
    assert load_set(store, text, (), console.router._state.context).lines == ["load complete"]
    assert console.type("configure", "commit").splitlines()[-1] == "commit complete"
    console.type("exit")


def chain_in_use(full: FullBackend) -> str | None:
    (neighbor,) = full.intents[-1].neighbors
    assert neighbor.protection is not None
    return neighbor.protection.chain


def in_use(console: Console, full: FullBackend) -> None:
    commit(console, chain("a", 0) + "\n" + chain("b", 0) + BGP)
    full.states = [UP]


def notes(console: Console) -> str:
    return "\n".join(line for line in console.log if "RPD_TCP_AO_IN_USE" in line)


def test_a_session_in_use_keeps_its_chain_until_its_connection_ends(console: Console, full: FullBackend) -> None:
    in_use(console, full)
    commit(console, REPOINT)
    assert chain_in_use(full) == "a"
    assert "BGP peer 10.0.0.2: key-chain b is ignored until the connection ends" in notes(console)
    assert "authentication-key-chain b;" in console.type("show configuration protocols")
    full.states = [replace(UP, state="Idle")]
    assert full.on_event is not None
    console.runner.run(_send(full, RouterEvent(EventKind.SESSION_DOWN, "bgp", PEER, reason="HoldTime")))
    console.settle()
    assert chain_in_use(full) == "b"


async def _send(full: FullBackend, event: RouterEvent) -> None:
    assert full.on_event is not None
    full.on_event(event)


def test_a_chain_that_a_session_still_uses_may_be_deleted(console: Console, full: FullBackend) -> None:
    in_use(console, full)
    commit(console, f"{REPOINT}\ndelete security authentication-key-chains key-chain a")
    assert chain_in_use(full) == "a"
    assert {found.name for found in full.intents[-1].chains} == {"a", "b"}
    assert "a " not in console.type("show security keychain").splitlines()[2][:3]


def test_a_topology_label_makes_a_new_chain_apply_immediately(
    open_console: Callable[..., Console], full: FullBackend
) -> None:
    console = open_console(full, rules=InUseRules(repoint=InUse.AT_ONCE))
    in_use(console, full)
    commit(console, REPOINT)
    assert chain_in_use(full) == "b"
    (neighbor,) = full.intents[-2].neighbors
    assert neighbor.protection is not None
    assert neighbor.protection.chain == ""  # no chain for a moment, so that no key of the former chain stays in use
    assert "BGP peer 10.0.0.2: key-chain b in place of a at once, on the connection in use" in notes(console)


def test_a_topology_label_makes_connections_take_a_changed_key_immediately(
    open_console: Callable[..., Console], full: FullBackend
) -> None:
    console = open_console(full, rules=InUseRules(alteration=InUse.AT_ONCE))
    in_use(console, full)
    commit(console, chain("a", 5))
    full.intents.clear()
    commit(console, f"set {KEY} secret other")
    without, final = (next(one for one in intent.chains if one.name == "a") for intent in full.intents)
    assert [key.id for key in without.keys] == [5]
    assert [key.id for key in final.keys] == [0, 5]
    assert "key-chain a: secret of the active key 0: taken by connections in use at once" in notes(console)
    full.intents.clear()
    commit(console, "set system host-name R9")
    assert len(full.intents) == 1


def test_an_immediate_change_that_cannot_be_applied_changes_nothing(
    open_console: Callable[..., Console], full: FullBackend
) -> None:
    console = open_console(full, rules=InUseRules(alteration=InUse.AT_ONCE))
    in_use(console, full)
    before = full.intents[-1]
    applied = full.apply
    calls = 0

    async def second_fails(intent: Intent) -> None:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise BackendError("no")
        await applied(intent)

    full.apply = second_fails  # type: ignore[method-assign]
    console.type("configure", f"set {KEY} secret other")
    assert "error: commit failed: (configuration could not be applied)" in console.type("commit")
    assert full.intents[-1] == before


def test_a_session_that_is_down_takes_the_new_chain(console: Console, full: FullBackend) -> None:
    in_use(console, full)
    full.states = [replace(UP, state="Active")]
    commit(console, REPOINT)
    assert chain_in_use(full) == "b"
    assert notes(console) == ""


def test_without_connection_events_a_new_chain_applies_immediately(
    open_console: Callable[..., Console], backend: MemoryBackend
) -> None:
    console = open_console(backend)
    commit(console, chain("a", 0) + "\n" + chain("b", 0) + BGP)
    backend.states = [UP]
    commit(console, REPOINT)
    (neighbor,) = backend.intents[-1].neighbors
    assert neighbor.protection is not None
    assert neighbor.protection.chain == "b"


@pytest.mark.parametrize(
    ("line", "what"),
    [
        (f"set {KEY} ao-attribute send-id 9", "send-id"),
        (f"set {KEY} ao-attribute recv-id 9", "recv-id"),
        (f"set {KEY} secret other", "secret"),
        (f"set {KEY} ao-attribute cryptographic-algorithm aes-128-cmac-96", "cryptographic-algorithm"),
    ],
)
def test_a_changed_active_key_is_logged(console: Console, full: FullBackend, line: str, what: str) -> None:
    in_use(console, full)
    commit(console, line)
    assert f"key-chain a: {what} of the active key 0: ignored by connections in use" in notes(console)


def test_changes_of_a_key_that_is_not_active_are_not_logged(console: Console, full: FullBackend) -> None:
    in_use(console, full)
    commit(console, chain("a", 5))
    commit(console, "set security authentication-key-chains key-chain a key 5 secret other")
    assert notes(console) == ""
    assert len(full.intents[-1].chains[0].keys) == 2


def test_a_topology_label_decides_whether_a_deleted_active_key_stays_in_use(
    open_console: Callable[..., Console], full: FullBackend
) -> None:
    for rules, left in ((InUseRules(), []), (InUseRules(deletion=InUse.NEXT_CONNECTION), [0])):
        full.states = []
        console = open_console(full, rules=rules)
        in_use(console, full)
        commit(console, f"delete {KEY}\nset security authentication-key-chains key-chain a tolerance 5")
        found = next(found for found in full.intents[-1].chains if found.name == "a")
        assert [key.id for key in found.keys] == left
        assert "key 0" in notes(console)


def test_a_deleted_key_that_stays_in_use_keeps_its_place_among_the_keys(
    open_console: Callable[..., Console], full: FullBackend
) -> None:
    console = open_console(full, rules=InUseRules(deletion=InUse.NEXT_CONNECTION))
    in_use(console, full)
    commit(console, chain("a", 5))
    commit(console, f"delete {KEY}")
    found = next(found for found in full.intents[-1].chains if found.name == "a")
    assert [key.id for key in found.keys] == [0, 5]


def test_a_chain_without_authentication_algorithm_ao_closes_the_session(console: Console, full: FullBackend) -> None:
    commit(console, chain("a", 0) + BGP.replace(" authentication-algorithm ao", " passive"))
    (neighbor,) = full.intents[-1].neighbors
    assert neighbor.protection is not None
    assert neighbor.protection.scheme is AuthScheme.AO
    assert neighbor.protection.chain not in {found.name for found in full.intents[-1].chains}
    assert "without authentication-algorithm ao means hmac-sha-1-96" in notes(console)
    full.states = [replace(UP, state="Connect")]
    assert "Authentication algorithm: hmac-sha-1-96" in console.type("show bgp neighbor")


def test_a_chain_in_use_cannot_be_deleted(console: Console, full: FullBackend) -> None:
    in_use(console, full)
    answer = console.type("configure", "delete security authentication-key-chains key-chain a", "commit")
    assert "Referenced key-chain must be defined" in answer


LDP = """
set interfaces lo0 unit 0 family inet address 10.255.0.1/32
set protocols ldp interface ge-0/0/0.0
set protocols ldp session-group 10.255.0.0/24 authentication-algorithm ao
set protocols ldp session-group 10.255.0.0/24 authentication-key-chain a
"""
LDP_PEER = IPv4Address("10.255.0.2")


def test_an_ldp_session_of_a_group_keeps_its_chain_in_a_separate_entry(console: Console, full: FullBackend) -> None:
    commit(console, chain("a", 0) + "\n" + chain("b", 0) + LDP)
    full.sessions = [
        LdpSession(LDP_PEER, LDP_PEER, IPv4Address("10.255.0.1"), "Operational", None, 9, 10, 30),
    ]
    commit(console, "set protocols ldp session-group 10.255.0.0/24 authentication-key-chain b")
    ldp = full.intents[-1].ldp
    assert ldp is not None
    chains = {str(peer.peers): peer.protection.chain for peer in ldp.peers if peer.protection is not None}
    assert chains == {"10.255.0.0/24": "b", "10.255.0.2/32": "a"}
    assert "LDP session 10.255.0.2: key-chain b is ignored until the connection ends" in notes(console)
    full.sessions = []
    console.runner.run(_send(full, RouterEvent(EventKind.SESSION_DOWN, "ldp", LDP_PEER, reason="HoldTime")))
    console.settle()
    ldp = full.intents[-1].ldp
    assert ldp is not None
    assert [(str(peer.peers), peer.protection and peer.protection.chain) for peer in ldp.peers] == [
        ("10.255.0.0/24", "b")
    ]
