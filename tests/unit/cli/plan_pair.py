"""Two routers with one chain and a session, and `keyroll plan` as a person calls it."""

from __future__ import annotations

import json
from pathlib import Path

from click.testing import CliRunner, Result

from keyroll.cli.main import keyroll

CHAIN = """\
set system host-name {name}
set security authentication-key-chains key-chain kc key 0 secret "{secret}"
set security authentication-key-chains key-chain kc key 0 start-time "2026-11-1.00:00:00 +0000"
set security authentication-key-chains key-chain kc key 0 algorithm ao
set security authentication-key-chains key-chain kc key 0 ao-attribute send-id {send}
set security authentication-key-chains key-chain kc key 0 ao-attribute recv-id {recv}
set security authentication-key-chains key-chain kc key 0 ao-attribute tcp-ao-option enabled
"""

USUAL = ("--at", "2026-12-01T00:00Z", "--until", "2027-06-30", "--every", "90d")

SESSION = """\
set interfaces ge-0/0/0 unit 0 family inet address {own}/30
set routing-options autonomous-system {as_number}
set protocols bgp group g type external
set protocols bgp group g peer-as {peer_as}
set protocols bgp group g authentication-algorithm ao
set protocols bgp group g authentication-key-chain kc
set protocols bgp group g neighbor {peer}
"""

ENDS = (
    {"own": "192.0.2.1", "peer": "192.0.2.2", "as_number": 65001, "peer_as": 65002},
    {"own": "192.0.2.2", "peer": "192.0.2.1", "as_number": 65002, "peer_as": 65001},
)

PATH = "security authentication-key-chains key-chain kc"


def plan(*words: str, ok: bool = True) -> Result:
    result = CliRunner().invoke(keyroll, ["plan", *words], standalone_mode=False)
    if ok:
        assert result.exception is None, result.exception
    return result


def append(path: str, text: str) -> None:
    Path(path).write_text(Path(path).read_text() + text)


def findings(folder: Path) -> list[dict[str, object]]:
    return list(json.loads((folder / "plan.json").read_text())["findings"])
