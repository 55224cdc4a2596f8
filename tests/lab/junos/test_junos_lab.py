"""The emulated command line on a complete router with FRR: policies, keychains in use, interfaces, a reboot."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.lab.conftest import Pair
from tests.unit.known import known

from keyroll.emulator.frr.vty import Vty
from keyroll.junos.records import BgpPeer, BgpSummary
from keyroll.keychain.junostext import set_lines
from keyroll.keychain.model import Keychain

pytestmark = pytest.mark.lab
TOPOLOGY = Path(__file__).parents[3] / "topologies" / "two-router.clab.yml"
CHAINS = "security authentication-key-chains key-chain"


def bgp(pair: Pair, router: str) -> BgpPeer:
    summary = pair.sessions[router].show("show bgp summary").parsed
    assert isinstance(summary, BgpSummary)
    (peer,) = summary.peers
    return peer


def shown(pair: Pair, router: str, command: str) -> str:
    return str(pair.sessions[router].show(command).raw)


def up(pair: Pair) -> Callable[[], bool]:
    return lambda: all("Establ" in shown(pair, router, "show bgp summary") for router in ("R1", "R2"))


@pytest.mark.slow
def test_an_import_policy_applies_at_once_without_a_flap(pair: Pair, chain: Keychain) -> None:
    pair.configure(chain=chain)
    pair.until("routes", pair.shows("show bgp summary", "1/1/1/0"))
    before = pair.flaps()
    policy = "set policy-options policy-statement none term all"
    pair.commit("R2", [f"{policy} from route-filter 10.255.0.0/16 orlonger", f"{policy} then reject"])
    name = shown(pair, "R2", "show configuration protocols bgp | display set | match peer-as").split()[4]
    pair.commit("R2", [f"set protocols bgp group {name} import none"])
    pair.until("the route is gone", lambda: "10.255.0.1/32" not in shown(pair, "R2", "show route"))
    pair.commit("R2", [f"delete protocols bgp group {name} import"])
    pair.until("the route is back", lambda: "10.255.0.1/32" in shown(pair, "R2", "show route"))
    assert pair.flapped_since(before) == []


@pytest.mark.slow
def test_a_session_in_use_keeps_its_chain_until_its_connection_ends(pair: Pair, chain: Keychain) -> None:
    pair.configure(chain=chain)
    pair.until("BGP", up(pair))
    other = replace(chain, name="other_chain", keys=tuple(replace(key, send_id=9, recv_id=9) for key in chain.keys[:1]))
    match = "show configuration protocols bgp | display set | match authentication-key-chain"
    repointed = {
        router: shown(pair, router, match).strip().replace(chain.name, "other_chain") for router in ("R1", "R2")
    }
    pair.commit("R1", [*set_lines(other), repointed["R1"], f"delete {CHAINS} {chain.name}"])
    assert "key-chain other_chain is ignored until the connection ends" in shown(pair, "R1", "show log messages")
    assert "Authentication key chain: other_chain" in shown(pair, "R1", "show bgp neighbor")
    drops = shown(pair, "R2", "show system statistics tcp")
    pair.sessions["R1"].clear_bgp()
    pair.until("R2 drops segments of the other chain", lambda: shown(pair, "R2", "show system statistics tcp") != drops)
    assert not up(pair)()
    pair.commit("R2", [*set_lines(other), repointed["R2"]])
    pair.until("BGP under the other chain", up(pair))


def test_topology_labels_let_a_session_in_use_change_its_chain_immediately(
    deploy: Callable[..., AbstractContextManager[Pair]], chain: Keychain, tmp_path: Path
) -> None:
    other = replace(chain, name="other_chain", keys=tuple(replace(key, send_id=9, recv_id=9) for key in chain.keys[:1]))
    text = TOPOLOGY.read_text().replace("labels:\n", "labels:\n        keyroll.repoint: at-once\n")
    topology = tmp_path / "at-once.clab.yml"
    topology.write_text(text)
    with deploy(tmp_path / "evidence", topology) as pair:
        pair.configure(chain=chain)
        pair.until("BGP", up(pair))
        before = pair.flaps()
        match = "show configuration protocols bgp | display set | match authentication-key-chain"
        for router, own in (("R1", other), ("R2", other.mirrored())):
            line = shown(pair, router, match).strip().replace(chain.name, "other_chain")
            pair.commit(router, [*set_lines(own), line])
            assert "key-chain other_chain in place of lab_chain at once" in shown(pair, router, "show log messages")
        pair.until("both sign under the other chain", lambda: _signed_with(pair, 9, 9))
        assert pair.flapped_since(before) == []


@pytest.mark.parametrize("when", ["at-once", pytest.param("next-connection", marks=pytest.mark.slow)])
def test_a_changed_secret_applies_to_the_connection_in_use_as_the_topology_label_says(
    deploy: Callable[..., AbstractContextManager[Pair]], chain: Keychain, tmp_path: Path, when: str
) -> None:
    text = TOPOLOGY.read_text().replace("labels:\n", f"labels:\n        keyroll.alteration: {when}\n")
    topology = tmp_path / "altered.clab.yml"
    topology.write_text(text)
    with deploy(tmp_path / "evidence", topology) as pair:
        pair.configure(chain=chain)
        pair.until("BGP", up(pair))
        pair.commit("R1", [f"set {CHAINS} {chain.name} key 0 secret another-one"])
        log = shown(pair, "R1", "show log messages | match RPD_TCP_AO_IN_USE")
        assert "the active key 0: " in log
        if when == "at-once":
            pair.until("the session is down", lambda: not up(pair)())
            pair.commit("R2", [f"set {CHAINS} {chain.name} key 0 secret another-one"])
            pair.until("BGP under the new secret", up(pair))
        else:
            key = chain.keys[0]
            drops = [shown(pair, router, "show system statistics tcp") for router in ("R1", "R2")]
            pair.until(
                "segments beyond the hold time",
                lambda: _signed_with(pair, known(key.send_id), known(key.recv_id)),
            )
            assert [shown(pair, router, "show system statistics tcp") for router in ("R1", "R2")] == drops
            assert up(pair)()


def _signed_with(pair: Pair, key_id: int, asked: int) -> bool:
    """Whether segments with that KeyID were captured for longer than the hold time: then both routers use the key."""
    option = bytes([29, 16, key_id, asked])  # kind, length, KeyID, RNextKeyID: RFC 5925, 2.2
    return all(pair.lab.captures[router].read_bytes().count(option) > 12 for router in ("R1", "R2"))


@pytest.mark.slow
def test_disabling_an_interface_ends_its_session(pair: Pair, chain: Keychain) -> None:
    pair.configure(chain=chain)
    pair.until("BGP", up(pair))
    pair.commit("R1", ["set interfaces ge-0/0/0 disable"])
    pair.until("R1 is down", lambda: "Establ" not in shown(pair, "R1", "show bgp summary"))
    assert "ge-0/0/0                down  down" in shown(pair, "R1", "show interfaces terse")
    pair.commit("R1", ["delete interfaces ge-0/0/0 disable"])
    pair.until("BGP is back", up(pair))


@pytest.mark.slow
def test_a_change_to_an_older_authentication_scheme_closes_the_session(pair: Pair, chain: Keychain) -> None:
    pair.configure(chain=chain)
    pair.until("BGP", up(pair))
    line = shown(pair, "R1", "show configuration protocols bgp | display set | match authentication-algorithm").strip()
    pair.commit("R1", [line.replace("set ", "delete ", 1)])
    pair.until("R1 is down", lambda: "Establ" not in shown(pair, "R1", "show bgp summary"))
    assert "Authentication algorithm: hmac-sha-1-96" in shown(pair, "R1", "show bgp neighbor")
    pair.commit("R1", [line])
    pair.until("BGP is back", up(pair))


@pytest.mark.slow
def test_a_router_comes_back_from_a_reboot_with_its_configuration(pair: Pair, chain: Keychain) -> None:
    pair.configure(chain=chain)
    pair.until("BGP", up(pair))
    before = shown(pair, "R1", "show configuration | display set")
    commits = shown(pair, "R1", "show system commit")
    pair.sessions["R1"].reboot()
    assert shown(pair, "R1", "show configuration | display set") == before
    assert shown(pair, "R1", "show system commit") == commits
    pair.until("BGP is back", up(pair))


def bgpd(pair: Pair, router: str, command: str) -> dict[str, Any]:
    """Return the output of a command of the router's bgpd: the one whose supervisor writes to this lab's evidence."""
    folder = f"root/var/tmp/{router}-frr"
    found = [one for one in Path("/proc").glob("[0-9]*") if _is_bgpd_of(one, router, pair)]
    (path,) = (found[0] / folder).glob("**/bgpd.vty")

    async def ask() -> dict[str, Any]:
        vty = await Vty.connect("bgpd", path)
        try:
            return await vty.json(command)
        finally:
            await vty.close()

    return asyncio.run(ask())


def _is_bgpd_of(process: Path, router: str, pair: Pair) -> bool:
    with contextlib.suppress(OSError):  # the process may end meanwhile
        if (process / "comm").read_text() != "bgpd\n" or router not in (process / "cmdline").read_text():
            return False
        parent = process.parent / (process / "stat").read_text().rpartition(")")[2].split()[1]
        return any(descriptor.samefile(pair.lab.evidence) for descriptor in (parent / "fd").iterdir())
    return False


POLICIES = """
set policy-options prefix-list own 10.255.0.0/16
set policy-options community red members [ 65001:100 65001:200 ]
set policy-options community quiet members no-export
set policy-options as-path from-r1 "65001 .*"
set policy-options policy-statement out term own from protocol direct
set policy-options policy-statement out term own from prefix-list-filter own orlonger
set policy-options policy-statement out term own then metric 50
set policy-options policy-statement out term own then community add red
set policy-options policy-statement out term own then as-path-prepend "65001 65001"
set policy-options policy-statement out term own then next-hop self
set policy-options policy-statement out term own then accept
set policy-options policy-statement out term static from protocol static
set policy-options policy-statement out term static then accept
set policy-options policy-statement out term rest then reject
set routing-options static route 192.0.2.0/24 discard
""".strip().splitlines()


def test_policies_change_route_attributes(pair: Pair, chain: Keychain) -> None:
    pair.configure(chain=chain)
    pair.until("BGP", up(pair))
    before = pair.flaps()
    group = shown(pair, "R1", "show configuration protocols bgp | display set | match peer-as").split()[4]
    pair.commit(
        "R1", [*POLICIES, f"delete protocols bgp group {group} export", f"set protocols bgp group {group} export out"]
    )
    incoming = "set policy-options policy-statement in term red"
    pair.commit(
        "R2",
        [
            *(line for line in POLICIES if " out " not in line and "static" not in line),
            f"{incoming} from community red",
            f"{incoming} from as-path from-r1",
            f"{incoming} from neighbor 10.0.12.1",
            f"{incoming} then local-preference 250",
            f"{incoming} then community delete red",
            f"{incoming} then community add quiet",
            "set policy-options policy-statement in term all from route-filter 192.0.2.0/24 exact",
            "set policy-options policy-statement in term all then reject",
            f"set protocols bgp group {group} import in",
            f"set protocols bgp group {group} local-preference 150",
            f"set protocols bgp group {group} family inet unicast prefix-limit maximum 100 teardown 80 idle-timeout 5",
        ],
    )
    pair.until("the loopback's route", lambda: "10.255.0.1/32" in shown(pair, "R2", "show route protocol bgp"))
    pair.until("the static route is rejected", lambda: "192.0.2.0/24" not in shown(pair, "R2", "show route"))
    loopback = "show bgp ipv4 unicast 10.255.0.1/32 json"
    pair.until("the import policy applies", lambda: bgpd(pair, "R2", loopback)["paths"][0].get("locPrf") == 250)
    (path,) = bgpd(pair, "R2", loopback)["paths"]
    assert path["aspath"]["string"] == "65001 65001 65001"
    assert path["metric"] == 50
    assert path["locPrf"] == 250
    assert path["community"]["string"] == "no-export"
    assert pair.flapped_since(before) == []
