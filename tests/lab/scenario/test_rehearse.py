"""`keyroll rehearse` on a real lab: prediction and play, from the text of two configurations."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from keyroll.keychain.secret import Secret
from keyroll.keychain.type9 import encode_type9

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


def rehearse(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from keyroll.cli.main import main; main()", "rehearse", *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=120)


@pytest.mark.parametrize(
    ("second", "code", "verdict"),
    [("right", 0, "HITLESS"), ("wrong", 1, "NOT HITLESS, as predicted")],
)
def test_the_rollover_of_two_configurations_is_played_before_the_night(tmp_path, second, code, verdict):
    starts = "2026-11-1.00:00:00 +0000", "2027-1-15.00:00:00 +0000"
    # As a router shows it, `$9$…`, and as a person types it.
    mine = [(starts[0], 1, 2, f'"{encode_type9(Secret("first-secret"))}"'), (starts[1], 3, 4, "right")]
    theirs = [(starts[0], 2, 1, "first-secret"), (starts[1], 4, 3, second)]
    (tmp_path / "lion.conf").write_text(configuration("lion", "10.9.0.1", "10.9.0.2", mine))
    (tmp_path / "tiger.conf").write_text(configuration("tiger", "10.9.0.2", "10.9.0.1", theirs))
    done = rehearse(tmp_path, "lion.conf", "tiger.conf", "--at", "2026-12-01T00:00Z")
    assert done.returncode == code, done.stdout + done.stderr
    assert done.stdout.splitlines()[1] == verdict
    told = [encode_type9(Secret(one)) for one in ("first-secret", second)]
    (run,) = (tmp_path / "runs").iterdir()
    written = {path.relative_to(run): path.read_bytes() for path in run.rglob("*") if path.is_file()}
    assert {"scenario.yaml", "lab/R1.pcap"} <= {str(name) for name in written}
    for secret in ("first-secret", f'"{second}"', "$9$", *told):
        assert secret not in done.stdout
        assert [str(name) for name, octets in written.items() if secret.encode() in octets] == []
