"""The modules that a command imports: offline commands import neither the clients of routers nor pytest."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

CAPTURES = Path(__file__).parents[2] / "data" / "kernel-captures"
HEAVY = ("asyncssh", "netmiko", "paramiko", "pytest", "scapy", "textfsm")
LOOK = """
import json, sys
from keyroll.cli.main import keyroll
code = keyroll.main(json.loads(sys.argv[1]), standalone_mode=False)
sys.stderr.write(json.dumps({"code": int(code or 0), "loaded": sorted(sys.modules)}))
"""
OFFLINE = {
    "verify": ["verify", str(CAPTURES / "v4-sha1.pcap"), "--keys", str(CAPTURES / "v4-sha1.keys.yaml")],
    "keychain generate": ["keychain", "generate", "--start", "2030-01-01T00:00Z", "--out", "plan"],
    "keychain lint": ["keychain", "lint", "R1.set", "R2.set"],
    "check": ["check", "R1.set", "R2.set"],
    "list": ["list", "rollover/two-keys"],
    "schema": ["schema"],
}
CODES = {"check": 2}
"""The exit codes that are not 0: no session uses the chains, so `check` has nothing to judge."""
KEY = "set security authentication-key-chains key-chain KC key 0"


def chain(send: int, recv: int) -> str:
    lines = (
        "secret madeup",
        'start-time "2030-1-1.00:00:00 +0000"',
        "algorithm ao",
        f"ao-attribute send-id {send}",
        f"ao-attribute recv-id {recv}",
        "ao-attribute tcp-ao-option enabled",
        "ao-attribute cryptographic-algorithm hmac-sha-1-96",
    )
    return "".join(f"{KEY} {line}\n" for line in lines)


@pytest.mark.parametrize(
    "command",
    [
        pytest.param(name, marks=() if name in ("verify", "keychain generate", "check") else pytest.mark.slow)
        for name in OFFLINE
    ],
)
def test_a_command_that_needs_no_router_imports_no_client(command: str, tmp_path: Path) -> None:
    (tmp_path / "R1.set").write_text(chain(1, 2))
    (tmp_path / "R2.set").write_text(chain(2, 1))
    words = [sys.executable, "-c", LOOK, json.dumps(OFFLINE[command])]
    done = subprocess.run(words, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    reported = json.loads(done.stderr.splitlines()[-1])
    assert reported["code"] == CODES.get(command, 0)
    assert [name for name in HEAVY if name in reported["loaded"]] == []
    assert "keyroll.cli.main" in reported["loaded"]
