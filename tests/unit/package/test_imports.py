"""What a command loads: offline commands start without the clients of routers, and without pytest."""

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
    "list": ["list", "rollover/two-keys"],
    "schema": ["schema"],
}


@pytest.mark.parametrize("command", OFFLINE)
def test_what_needs_no_router_loads_no_client(command, tmp_path):
    words = [sys.executable, "-c", LOOK, json.dumps(OFFLINE[command])]
    done = subprocess.run(words, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stderr.splitlines()[-1])
    assert said["code"] == 0
    assert [name for name in HEAVY if name in said["loaded"]] == []
    assert "keyroll.cli.main" in said["loaded"]
