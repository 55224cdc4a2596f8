"""Sessions between loopbacks, over two links: iBGP over IPv4 and IPv6, LDP with the router id as transport address."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from tests.lab.conftest import Pair

from keyroll.keychain.junostext import set_lines
from keyroll.keychain.model import Keychain

pytestmark = pytest.mark.lab
TWO_LINKS = Path(__file__).parents[2] / "topologies" / "two-links.clab.yml"


def lines(me: int, peer: int) -> list[str]:
    group = "set protocols bgp group loopbacks"
    ldp = "set protocols ldp"
    auth = "authentication-algorithm ao", "authentication-key-chain lab_chain"
    found = [
        f"set system host-name R{me}",
        f"set interfaces ge-0/0/0 unit 0 family inet address 10.0.12.{me}/30",
        f"set interfaces ge-0/0/0 unit 0 family inet6 address 2001:db8:12::{me}/64",
        "set interfaces ge-0/0/0 unit 0 family mpls",
        f"set interfaces ge-0/0/1 unit 0 family inet address 10.0.21.{me}/30",
        "set interfaces ge-0/0/1 unit 0 family mpls",
        f"set interfaces lo0 unit 0 family inet address 10.255.0.{me}/32",
        f"set interfaces lo0 unit 0 family inet6 address 2001:db8:255::{me}/128",
        f"set routing-options router-id 10.255.0.{me}",
        "set routing-options autonomous-system 65001",
        f"set routing-options static route 10.255.0.{peer}/32 next-hop 10.0.12.{peer}",
        f"set routing-options rib inet6.0 static route 2001:db8:255::{peer}/128 next-hop 2001:db8:12::{peer}",
        f"{group} type internal",
        f"{group} hold-time 9",
        f"{group} local-address 10.255.0.{me}",
        f"{group} neighbor 10.255.0.{peer}",
        "set protocols bgp group loopbacks6 type internal",
        f"set protocols bgp group loopbacks6 local-address 2001:db8:255::{me}",
        "set protocols bgp group loopbacks6 family inet6 unicast",
        f"set protocols bgp group loopbacks6 neighbor 2001:db8:255::{peer}",
        f"{ldp} interface ge-0/0/0.0",
        f"{ldp} interface ge-0/0/1.0",
        "set protocols mpls interface ge-0/0/0.0",
        "set protocols mpls interface ge-0/0/1.0",
    ]
    for statement in auth:
        found += [
            f"{group} neighbor 10.255.0.{peer} {statement}",
            f"set protocols bgp group loopbacks6 neighbor 2001:db8:255::{peer} {statement}",
            f"{ldp} session 10.255.0.{peer} {statement}",
        ]
    return found


@pytest.fixture(scope="module")
def pair(
    tmp_path_factory: pytest.TempPathFactory, deploy: Callable[..., AbstractContextManager[Pair]], chain: Keychain
) -> Iterator[Pair]:
    """A lab with sessions between loopbacks. The tests share it, and undo their changes."""
    with deploy(tmp_path_factory.mktemp("loopbacks") / "evidence", TWO_LINKS) as pair:
        pair.commit("R1", [*set_lines(chain), *lines(1, 2)])
        pair.commit("R2", [*set_lines(chain.mirrored()), *lines(2, 1)])
        yield pair


def await_sessions(pair: Pair) -> None:
    pair.until("LDP", pair.shows("show ldp session", "Operational"))
    pair.until("both BGP sessions", lambda: count(pair, "show bgp summary", "Establ") == [2, 2])
    pair.until("both links", lambda: count(pair, "show ldp neighbor", "ge-0/0/") == [2, 2])


def count(pair: Pair, command: str, word: str) -> list[int]:
    return [session.show(command).raw.count(word) for session in pair.sessions.values()]


@pytest.mark.slow
def test_ibgp_and_ldp_run_between_loopbacks_over_tcp_ao(pair: Pair) -> None:
    await_sessions(pair)
    assert set(pair.lab.capture_losses().values()) == {0}
    assert len(pair.lab.links.names) == 2


def test_a_cut_of_a_link_without_its_packets_does_not_affect_a_session_between_loopbacks(pair: Pair) -> None:
    await_sessions(pair)
    before = pair.flaps()
    pair.lab.links.cut("R1:eth2-R2:eth2")
    pair.until("no adjacency on the second link", lambda: count(pair, "show ldp neighbor", "ge-0/0/1") == [0, 0])
    assert count(pair, "show ldp session", "Operational") == [1, 1]
    assert count(pair, "show bgp summary", "Establ") == [2, 2]
    assert pair.flapped_since(before) == []
    pair.lab.links.restore("R1:eth2-R2:eth2")
