"""`keyroll rehearse` on a lab: prediction and play, from the text of two configurations."""

from __future__ import annotations

import json
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.command_line import KEYROLL
from tests.unit.capture.conftest import make_key, make_talk, pcap_octets
from tests.unit.traffic_keys import Search, traffic_keys

from keyroll.keychain.model import Keychain
from keyroll.keychain.secret import Secret
from keyroll.keychain.type9 import encode_type9
from keyroll.scenario.file.read import read_cases
from keyroll.scenario.options import read_instant
from keyroll.scenario.plan.keyring import Keyring

pytestmark = pytest.mark.lab

LINES = """\
set system host-name {name}
set interfaces ge-0/0/0 unit 0 family inet address {own}/30
set protocols bgp group peers neighbor {peer} peer-as 64501
set protocols bgp group peers neighbor {peer} hold-time 9
set protocols bgp group peers neighbor {peer} authentication-algorithm ao
set protocols bgp group peers neighbor {peer} authentication-key-chain kc
"""


def configuration(name: str, own: str, peer: str, keys: list[tuple[str, int, int, str]]) -> str:
    text = LINES.format(name=name, own=own, peer=peer)
    for number, (start, send, recv, secret) in enumerate(keys):
        head = f"set security authentication-key-chains key-chain kc key {number}"
        text += f'{head} secret {secret}\n{head} start-time "{start}"\n{head} algorithm ao\n'
        text += f"{head} ao-attribute send-id {send}\n{head} ao-attribute recv-id {recv}\n"
        text += f"{head} ao-attribute tcp-ao-option enabled\n"
    return text


_ENDS = 600
"""Longest time (s) for a rehearsal: ten seconds on an idle machine."""


def rehearse(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [*KEYROLL, "rehearse", *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=_ENDS)


CORRECTION = "set security authentication-key-chains key-chain kc key 1 secret right\n"
CAPTURED = datetime(2026, 11, 30, tzinfo=UTC)


def link(secret: str) -> bytes:
    """Return a capture of the real link before the change: a session on the first key."""
    talk = make_talk(chain=Keychain("kc", (make_key(0, secret=secret),)))
    talk.near.address, talk.far.address = "10.9.0.1", "10.9.0.2"
    talk.time_ns = int(CAPTURED.timestamp()) * 10**9
    talk.open().exchange()
    return bytes(pcap_octets(talk.packets))


def drawn_for(run: Path) -> set[bytes]:
    """Return the secrets that a run drew to replace those of the configurations."""
    facts = json.loads((run / "run.json").read_text())
    t0 = read_instant(facts["t0"])
    assert t0 is not None
    cases = read_cases(run / "scenario.yaml")
    rings = [Keyring(case.scenario, seed=facts["seed"], t0=t0) for case in cases if case.variant == facts["variant"]]
    return {secret.reveal() for ring in rings for secret in ring.secrets()}


def traffic_keys_of(run: Path) -> set[bytes]:
    """Return the traffic keys of a run."""
    return traffic_keys(run / "lab" / "R1.pcap", drawn_for(run))


@pytest.mark.parametrize(
    ("corrected", "code", "verdict"),
    [
        pytest.param(True, 0, "HITLESS", id="corrected by a planned commit"),
        pytest.param(False, 1, "NOT HITLESS, as predicted", id="as saved", marks=pytest.mark.slow),
    ],
)
def test_rehearse_plays_the_rollover_of_two_saved_configurations(
    tmp_path: Path, corrected: bool, code: int, verdict: str
) -> None:
    starts = "2026-11-1.00:00:00 +0000", "2027-1-15.00:00:00 +0000"
    # A secret as a router shows it (`$9$…`), and one as a person types it.
    mine = [(starts[0], 1, 2, f'"{encode_type9(Secret("first-secret"))}"'), (starts[1], 3, 4, "right")]
    theirs = [(starts[0], 2, 1, "first-secret"), (starts[1], 4, 3, "wrong")]
    (tmp_path / "lion.conf").write_text(configuration("lion", "10.9.0.1", "10.9.0.2", mine))
    (tmp_path / "tiger.conf").write_text(configuration("tiger", "10.9.0.2", "10.9.0.1", theirs))
    (tmp_path / "tonight.set").write_text(CORRECTION)
    (tmp_path / "link.pcap").write_bytes(link("first-secret"))
    words = ["--change", "tiger=tonight.set", "--capture", "link.pcap"] if corrected else []
    done = rehearse(tmp_path, "lion.conf", "tiger.conf", "--at", "2026-12-01T00:00Z", *words)
    assert done.returncode == code, done.stdout + done.stderr
    assert verdict in done.stdout.splitlines()
    if corrected:
        assert "seen on the link: v4-link, lion sends key 0 from 2026-11-30T" in done.stdout
    encoded = [encode_type9(Secret(one)) for one in ("first-secret", "right", "wrong")]
    (run,) = (tmp_path / "runs").iterdir()
    written = {path.relative_to(run): path.read_bytes() for path in run.rglob("*") if path.is_file()}
    assert {"scenario.yaml", "lab/R1.pcap"} <= {str(name) for name in written}
    for secret in ("first-secret", '"right"', '"wrong"', "$9$", *encoded):
        assert secret not in done.stdout
        assert [str(name) for name, octets in written.items() if secret.encode() in octets] == []
    search = Search(traffic_keys(tmp_path / "link.pcap", [b"first-secret"]) | drawn_for(run) | traffic_keys_of(run))
    assert [str(name) for name, octets in written.items() if search.finds(octets)] == []
    assert not search.finds((done.stdout + done.stderr).encode())
    page = (run / "report.html").read_text()
    assert f"<h1>{verdict}</h1>\n<p>lion (R1) and tiger (R2): " in page, "the page has the terminal's text"
    assert "R1 is lion" in page


GROUPED = """\
version 24.4R2.21-EVO;
groups {{
    GR-BGP {{
        protocols {{
            bgp {{
                group <GR-IBGP-*> {{
                    type internal;
                    authentication-algorithm ao;
                    authentication-key-chain KC-BGP;
                    multipath;
                }}
            }}
        }}
    }}
}}
chassis {{
    aggregated-devices {{
        ethernet {{
            device-count 32;
        }}
    }}
}}
security {{
    authentication-key-chains {{
        key-chain KC-BGP {{
            key 1 {{
                secret "<REMOVED>"; ## SECRET-DATA
                start-time "2016-12-31.16:00:00 -0800";
                algorithm ao;
                ao-attribute {{
                    send-id 1;
                    recv-id 1;
                    tcp-ao-option enabled;
                    cryptographic-algorithm aes-128-cmac-96;
                }}
            }}
        }}
    }}
}}
interfaces {{
    et-0/0/1 {{
        unit 0 {{
            family iso;
            family inet6;
        }}
    }}
    lo0 {{
        unit 0 {{
            family inet6 {{
                address 2001:db8:cafe::{own}/128;
            }}
        }}
    }}
}}
routing-options {{
    autonomous-system 65001;
}}
protocols {{
    isis {{
        interface et-0/0/1.0;
    }}
    bgp {{
        apply-groups GR-BGP;
        group GR-IBGP-TO-RR {{
            local-address 2001:db8:cafe::{own};
            {cluster}
            family inet6 {{
                unicast;
            }}
            neighbor 2001:db8:cafe::{peer};
            neighbor 2001:db8:cafe::77;
        }}
    }}
}}
"""
SECOND = """\
set security authentication-key-chains key-chain KC-BGP key 2 secret planned-second
set security authentication-key-chains key-chain KC-BGP key 2 start-time "2027-1-15.00:00:00 +0000"
set security authentication-key-chains key-chain KC-BGP key 2 algorithm ao
set security authentication-key-chains key-chain KC-BGP key 2 ao-attribute send-id 2
set security authentication-key-chains key-chain KC-BGP key 2 ao-attribute recv-id 2
set security authentication-key-chains key-chain KC-BGP key 2 ao-attribute tcp-ao-option enabled
set security authentication-key-chains key-chain KC-BGP key 2 ao-attribute cryptographic-algorithm aes-128-cmac-96
"""


@pytest.mark.slow
def test_a_planned_second_key_of_a_route_reflector_and_its_client_is_played_in_both_orders(tmp_path: Path) -> None:
    """As in a validated design of Juniper: wildcard groups, IPv6 loopbacks, secrets removed, no host-name."""
    (tmp_path / "rr.conf").write_text(GROUPED.format(own=1, peer=2, cluster="cluster 1.1.1.1;"))
    (tmp_path / "client.conf").write_text(GROUPED.format(own=2, peer=1, cluster=""))
    (tmp_path / "second.set").write_text(SECOND)
    words = ["rr.conf", "client.conf", "--at", "2026-12-01T00:00Z", "--change", "R1=second.set", "--accept-left-out"]
    strict = rehearse(tmp_path, *words, "--change", "R2=second.set")
    assert strict.returncode == 2, strict.stdout + strict.stderr
    assert "HITLESS if 1 key with an unknown secret, which is assumed to match" in strict.stdout
    done = rehearse(tmp_path, *words, "--change", "R2=second.set", "--without-secrets")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "the commits with rr first: played hitless" in done.stdout
    assert "the commits with client first: played hitless" in done.stdout
    assert "planned-second" not in done.stdout
    one_end = rehearse(tmp_path, *words, "--without-secrets")
    assert one_end.returncode == 1, one_end.stdout + one_end.stderr
    assert "NOT HITLESS, as predicted" in one_end.stdout


def chain(name: str, *keys: tuple[int, str, int, int]) -> str:
    text = ""
    for number, start, send, recv in keys:
        head = f"set security authentication-key-chains key-chain {name} key {number}"
        text += f'{head} secret planned-{number}\n{head} start-time "{start}"\n{head} algorithm ao\n'
        text += f"{head} ao-attribute send-id {send}\n{head} ao-attribute recv-id {recv}\n"
        text += f"{head} ao-attribute tcp-ao-option enabled\n"
    return text


PAST, COMING = "2026-11-1.00:00:00 +0000", "2027-1-15.00:00:00 +0000"
NEIGHBOR = "protocols bgp group peers neighbor {peer}"
POINTED = f"set {NEIGHBOR} authentication-key-chain new\n"
TURNED_ON = (
    f"delete {NEIGHBOR} authentication-key\nset {NEIGHBOR} authentication-algorithm ao\n"
    f"set {NEIGHBOR} authentication-key-chain new\n"
)


def with_md5(text: str, peer: str) -> str:
    """Return the configuration with an MD5 key in place of TCP-AO."""
    kept = "".join(line for line in text.splitlines(keepends=True) if " authentication-" not in line)
    return f"{kept}set {NEIGHBOR.format(peer=peer)} authentication-key planned-md5\n"


@pytest.mark.slow
@pytest.mark.parametrize("md5", [False, True], ids=["to another key-chain", "from MD5 to TCP-AO"])
def test_a_commit_that_resets_the_session_is_played_in_both_orders_with_the_rollover_after_it(
    tmp_path: Path, md5: bool
) -> None:
    ends = (("lion", "10.9.0.1", "10.9.0.2", (1, 2)), ("tiger", "10.9.0.2", "10.9.0.1", (2, 1)))
    words = ["lion.conf", "tiger.conf", "--at", "2026-12-01T00:00Z", "--pause", "2s"]
    for number, (name, own, peer, (send, recv)) in enumerate(ends, 1):
        text = configuration(name, own, peer, [(PAST, send, recv, "planned-0")])
        (tmp_path / f"{name}.conf").write_text(with_md5(text, peer) if md5 else text)
        keys = chain("new", (5, PAST, send + 10, recv + 10), (6, COMING, send + 20, recv + 20))
        (tmp_path / f"{name}.set").write_text((TURNED_ON if md5 else POINTED).format(peer=peer) + keys)
        words += ["--change", f"R{number}={name}.set"]
    done = rehearse(tmp_path, *words)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "RESET ONCE by the planned commit, as predicted, then HITLESS" in done.stdout
    for name in ("lion", "tiger"):
        assert f"the commits with {name} first: each reset once, and hitless after that" in done.stdout
    for path in (path for path in (tmp_path / "runs").rglob("*") if path.is_file()):
        assert b"planned-" not in path.read_bytes(), path
