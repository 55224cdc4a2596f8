"""The Junos half on a whole router: policies, keychains in use, interfaces, a reboot, on real FRR and a real wire."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from harness.keychain.junostext import set_lines

pytestmark = pytest.mark.lab
TOPOLOGY = Path(__file__).parents[3] / "topologies" / "two-router.clab.yml"
CHAINS = "security authentication-key-chains key-chain"


def bgp(pair, router: str):
    (peer,) = pair.sessions[router].show("show bgp summary").parsed.peers
    return peer


def shown(pair, router: str, command: str) -> str:
    return str(pair.sessions[router].show(command).raw)


def up(pair):
    return lambda: all("Establ" in shown(pair, router, "show bgp summary") for router in ("R1", "R2"))


def test_an_import_policy_holds_at_once_and_no_session_notices(pair, chain):
    pair.configure(chain=chain)
    pair.until("routes", pair.shows("show bgp summary", "1/1/1/0"))
    policy = "set policy-options policy-statement none term all"
    pair.commit("R2", [f"{policy} from route-filter 10.255.0.0/16 orlonger", f"{policy} then reject"])
    name = shown(pair, "R2", "show configuration protocols bgp | display set | match peer-as").split()[4]
    pair.commit("R2", [f"set protocols bgp group {name} import none"])
    pair.until("the route is gone", lambda: "10.255.0.1/32" not in shown(pair, "R2", "show route"))
    pair.commit("R2", [f"delete protocols bgp group {name} import"])
    pair.until("the route is back", lambda: "10.255.0.1/32" in shown(pair, "R2", "show route"))
    assert "Number of flaps: 0" in shown(pair, "R2", "show bgp neighbor")


def test_a_session_in_use_keeps_its_chain_until_its_connection_ends(pair, chain):
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
    pair.until("R1 speaks with the other chain", lambda: shown(pair, "R2", "show system statistics tcp") != drops)
    assert not up(pair)()
    pair.commit("R2", [*set_lines(other), repointed["R2"]])
    pair.until("BGP under the other chain", up(pair), 20.0)


def test_labels_have_a_session_in_use_take_another_chain_at_once(deploy, chain, tmp_path):
    other = replace(chain, name="other_chain", keys=tuple(replace(key, send_id=9, recv_id=9) for key in chain.keys[:1]))
    text = TOPOLOGY.read_text().replace("labels:\n", "labels:\n        keyroll.repoint: at-once\n")
    topology = tmp_path / "at-once.clab.yml"
    topology.write_text(text)
    with deploy(tmp_path / "evidence", topology) as pair:
        pair.configure(chain=chain)
        pair.until("BGP", up(pair))
        match = "show configuration protocols bgp | display set | match authentication-key-chain"
        for router, own in (("R1", other), ("R2", other.mirrored())):
            line = shown(pair, router, match).strip().replace(chain.name, "other_chain")
            pair.commit(router, [*set_lines(own), line])
            assert "key-chain other_chain in place of lab_chain at once" in shown(pair, router, "show log messages")
        pair.until("both sign under the other chain", lambda: _signed_with(pair, 9), 30.0)
        assert all("Number of flaps: 0" in shown(pair, router, "show bgp neighbor") for router in ("R1", "R2"))


def _signed_with(pair, key_id: int) -> bool:
    """Say whether segments under that KeyID have passed for longer than the hold time, which one side alone cannot."""
    option = bytes([29, 16, key_id, key_id])  # kind, length, KeyID, RNextKeyID: RFC 5925, 2.2
    return all(pair.lab.captures[router].read_bytes().count(option) > 12 for router in ("R1", "R2"))


def test_a_disabled_interface_takes_the_session_with_it(pair, chain):
    pair.configure(chain=chain)
    pair.until("BGP", up(pair))
    pair.commit("R1", ["set interfaces ge-0/0/0 disable"])
    pair.until("R1 is down", lambda: "Establ" not in shown(pair, "R1", "show bgp summary"))
    assert "ge-0/0/0                down  down" in shown(pair, "R1", "show interfaces terse")
    pair.commit("R1", ["delete interfaces ge-0/0/0 disable"])
    pair.until("BGP is back", up(pair), 20.0)


def test_an_older_scheme_closes_the_session(pair, chain):
    pair.configure(chain=chain)
    pair.until("BGP", up(pair))
    line = shown(pair, "R1", "show configuration protocols bgp | display set | match authentication-algorithm").strip()
    pair.commit("R1", [line.replace("set ", "delete ", 1)])
    pair.until("R1 is down", lambda: "Establ" not in shown(pair, "R1", "show bgp summary"))
    assert "Authentication algorithm: hmac-sha-1-96" in shown(pair, "R1", "show bgp neighbor")
    pair.commit("R1", [line])
    pair.until("BGP is back", up(pair), 20.0)


def test_a_router_comes_back_from_a_reboot_with_its_configuration(pair, chain):
    pair.configure(chain=chain)
    pair.until("BGP", up(pair))
    before = shown(pair, "R1", "show configuration | display set")
    commits = shown(pair, "R1", "show system commit")
    pair.sessions["R1"].reboot()
    assert shown(pair, "R1", "show configuration | display set") == before
    assert shown(pair, "R1", "show system commit") == commits
    pair.until("BGP is back", up(pair), 20.0)
