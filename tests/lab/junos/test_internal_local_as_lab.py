"""An internal peer in a local AS, beside an external one: each session has its own AS, prefix and counters."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from tests.lab.conftest import Flaps, Pair

pytestmark = [pytest.mark.lab, pytest.mark.slow]
LINK = "set protocols bgp group link"
CORE = "set protocols bgp group core"
POLICY = "set policy-options policy-statement"


def prefix(router: str, group: str) -> str:
    return f"198.51.100.{int(router[1]) * 10 + (group == 'core')}/32"


def base(router: str, inside: str = "R2") -> list[str]:
    """Return a router's configuration. `inside` is in the AS of the other router, on the internal session only."""
    me, peer = int(router[1]), 3 - int(router[1])
    lines = [
        f"set interfaces ge-0/0/0 unit 0 family inet address 10.0.12.{me}/24",
        f"set interfaces lo0 unit 0 family inet address 10.255.0.{me}/32",
        f"set routing-options router-id 10.255.0.{me}",
        f"set routing-options autonomous-system 6500{me}",
        f"set routing-options static route 10.255.0.{peer}/32 next-hop 10.0.12.{peer}",
        f"{LINK} neighbor 10.0.12.{peer} peer-as 6500{peer}",
        f"{CORE} type internal",
        f"{CORE} neighbor 10.255.0.{peer} local-address 10.255.0.{me}",
    ]
    for group in ("link", "core"):
        own = prefix(router, group)
        lines += [
            f"set routing-options static route {own} discard",
            f"{POLICY} {group} term own from route-filter {own} exact",
            f"{POLICY} {group} term own then accept",
            f"{POLICY} {group} then reject",
            f"set protocols bgp group {group} export {group}",
        ]
    return [*lines, f"{CORE} local-as 6500{peer}"] if router == inside else lines


def flapped(pair: Pair, before: Flaps, *sessions: tuple[str, str]) -> Callable[[], bool]:
    """Return a condition: these of the sessions of one router have flapped since, and no other one has.

    Any number of flaps counts: while a session comes up again, a connection collision may add one (see `Pair.flaps`).
    """
    return lambda: {one for one in pair.flapped_since(before) if one[0] == sessions[0][0]} == set(sessions)


def up(pair: Pair, number: int) -> Callable[[], bool]:
    """Return a condition: each router has that number of sessions, each with one prefix, received and active."""

    def holds() -> bool:
        shown = [session.show("show bgp summary").raw for session in pair.sessions.values()]
        return all(text.count("Establ") == text.count(" 1/1/1/0") == number for text in shown)

    return holds


@pytest.mark.parametrize("inside", ["R1", "R2"], ids=["the lower address", "the higher address"])
def test_an_internal_session_in_a_local_as_is_independent_of_the_external_one(own_pair: Pair, inside: str) -> None:
    pair, me = own_pair, int(inside[1])
    link, core, session = f"10.0.12.{3 - me}", f"10.255.0.{3 - me}", pair.sessions[inside]
    for router in pair.sessions:
        pair.sessions[router].configure(base(router, inside))
        pair.sessions[router].commit_check()
        pair.sessions[router].commit()
    pair.until("both sessions, with a prefix each way", up(pair, 2))
    before = pair.flaps()
    shown = session.show(f"show bgp neighbor {core}").raw
    shared = f"6500{3 - me}"
    assert re.search(rf"Peer: {re.escape(core)}\S* AS {shared} +Local: 10\.255\.0\.{me}\S* AS {shared}", shown)
    assert "Type: Internal" in shown
    assert f"Local AS: {shared} Local System AS: 6500{me}" in shown

    session.show(f"clear bgp neighbor {core}")
    pair.until("a flap of the session that was reset", flapped(pair, before, (inside, core)))
    pair.until("both sessions again", up(pair, 2))
    before = pair.flaps()
    session.show("clear bgp neighbor")
    pair.until("a flap of both sessions", flapped(pair, before, (inside, core), (inside, link)))
    pair.until("both sessions once more", up(pair, 2))
    before = pair.flaps()

    pair.commit(inside, ["delete protocols bgp group core"])
    pair.until("the external one alone", lambda: core not in session.show("show bgp summary").raw)
    assert flapped(pair, before, (inside, core))(), "the external session has not flapped, the internal one is gone"
    session.rollback(1)
    session.commit()
    pair.until("both sessions after the rollback", up(pair, 2))


def test_a_router_uses_its_own_as_again_after_the_local_as_of_its_only_session_is_deleted(own_pair: Pair) -> None:
    pair = own_pair
    for router in pair.sessions:
        pair.commit(router, [*base(router), "delete protocols bgp group link"])
    pair.until("the internal session", up(pair, 1))
    # Without the local AS the router uses its own one, which its peer does not accept.
    pair.commit("R2", ["delete protocols bgp group core local-as"])
    pair.until("the end of the session", lambda: "Establ" not in pair.sessions["R2"].show("show bgp summary").raw)
    pair.commit("R2", [f"{CORE} local-as 65001"])
    pair.until("the internal session again", up(pair, 1))
