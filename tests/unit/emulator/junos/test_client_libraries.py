"""One test for each client library, in a separate environment (`.ci/clients` makes it); skipped where it is missing.

The scripts in `clients/` run in that environment, so that keyroll's own does not need the libraries.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.unit.emulator.junos.conftest import LiveRouter

PASSWORD = "made-up-for-tests"
CLIENTS = Path(__file__).parent / "clients"
ENVIRONMENT = Path(os.environ.get("KEYROLL_CLIENTS", Path(__file__).parents[4] / ".venv-clients"))
PATIENCE = 240
"""Longest run of one client, in seconds: Ansible starts a process for each task, and the machine may be busy."""
# Each library takes three to twelve seconds of processor time to start, far more than its work with the router.
pytestmark = pytest.mark.slow


def run(package: str, *words: str, **environment: str) -> str:
    """Run a program of the clients' environment; skip the test if the package is not installed there."""
    if not list(ENVIRONMENT.glob(f"lib/python*/site-packages/{package}")):
        pytest.skip(f"{package} is not installed in {ENVIRONMENT.name}: run .ci/clients")
    command = [str(ENVIRONMENT / "bin" / words[0]), *words[1:]]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=PATIENCE, check=False, env={**os.environ, **environment}
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_scrapli_uses_its_three_levels_of_configuration(live: LiveRouter) -> None:
    run("scrapli/driver", "python", str(CLIENTS / "scrapli_levels.py"), str(live.port), PASSWORD)
    assert str(live.backend.intents[-1].router_id) == "10.255.0.3"


def test_nornir_shows_and_commits_through_netmiko(live: LiveRouter) -> None:
    run("nornir_netmiko", "python", str(CLIENTS / "nornir_shows.py"), str(live.port), PASSWORD)
    assert str(live.backend.intents[-1].router_id) == "10.255.0.9"


def test_ntc_templates_parse_what_is_shown(live: LiveRouter) -> None:
    run("ntc_templates", "python", str(CLIENTS / "parsers.py"), str(live.port), PASSWORD, "ntc")


def test_genieparser_parses_what_is_shown(live: LiveRouter) -> None:
    run("genie/libs/parser", "python", str(CLIENTS / "parsers.py"), str(live.port), PASSWORD, "genie")


def test_ansible_shows_configures_and_pings_over_network_cli(live: LiveRouter, tmp_path: Path) -> None:
    inventory = tmp_path / "inventory.yml"
    inventory.write_text(
        f"""all:
  hosts:
    R1:
      ansible_host: 127.0.0.1
      ansible_port: {live.port}
      ansible_user: admin
      ansible_password: {PASSWORD}
      ansible_connection: ansible.netcommon.network_cli
      ansible_network_os: junipernetworks.junos.junos
      ansible_network_cli_ssh_type: paramiko
""",
        encoding="utf-8",
    )
    output = run(
        "ansible_collections/junipernetworks/junos",
        "ansible-playbook",
        "-i",
        str(inventory),
        str(CLIENTS / "play.yml"),
        ANSIBLE_HOST_KEY_CHECKING="False",
        ANSIBLE_HOME=str(tmp_path),
        LC_ALL="C.UTF-8",
    )
    assert "failed=0" in output
    assert str(live.backend.intents[-1].router_id) == "10.255.0.1"
    assert live.backend.pings[-1][1] == 2
