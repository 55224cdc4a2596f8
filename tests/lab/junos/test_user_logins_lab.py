"""Logins of users on a router of a lab: OpenSSH on a pseudo-terminal, with the lab's passwords and with keys."""

from __future__ import annotations

import re
from pathlib import Path
from typing import cast

import asyncssh
import pytest
from netmiko import ConnectHandler
from netmiko.juniper.juniper import JuniperBase
from tests.lab.conftest import Pair
from tests.unit.ssh_terminal import logged_in

pytestmark = pytest.mark.lab


def test_root_logs_in_with_the_lab_password_and_gets_a_shell(pair: Pair) -> None:
    router = pair.lab.routers["R1"]
    with logged_in(router.port, "root", password=router.password) as root:
        root.until("root@R1:~# $")
        root.type("ls\r")
        assert "only `cli` and `exit` are known in this shell" in root.until("root@R1:~# $")
        root.type("cli\r")
        root.until("root@R1> $")
        root.type("show version\r")
        assert "Hostname: R1" in root.until("root@R1> $")
        root.type("exit\r")
        root.until("root@R1:~# $")
        root.type("exit\r")
        root.until("<closed>")


def test_netmiko_as_root_configures_and_commits(pair: Pair) -> None:
    router = pair.lab.routers["R1"]
    with ConnectHandler(
        device_type="juniper_junos", host=router.host, port=router.port, username="root", password=router.password
    ) as device:
        assert "Hostname: R1" in device.send_command("show version")
        device.send_config_set(["set routing-options router-id 10.255.0.1"], exit_config_mode=False)
        assert "commit complete" in cast("JuniperBase", device).commit(and_quit=True)
        assert "router-id 10.255.0.1;" in device.send_command("show configuration routing-options")


def test_a_configured_public_key_admits_its_user_also_after_a_requested_reboot(pair: Pair, tmp_path: Path) -> None:
    router = pair.lab.routers["R1"]
    key = tmp_path / "id"
    private = asyncssh.generate_private_key("ssh-ed25519")
    private.write_private_key(key)
    key.chmod(0o600)
    public = private.export_public_key().decode().strip()
    pair.commit("R1", [f'set system login user joe authentication ssh-ed25519 "{public}"'])
    with logged_in(router.port, "joe", key=key) as joe:
        joe.until("joe@R1> $")
        joe.type("request system reboot\r")
        joe.until(r"Reboot the system \? \[yes,no\] \(no\) $")
        joe.type("no\r")
        joe.until("joe@R1> $")
        joe.type("show system uptime\r")
        before = _booted(joe.until("joe@R1> $"))
        joe.type("set date 203001010000.00\r")  # the boot time has whole seconds; the clock survives a reboot
        joe.until("joe@R1> $")
        joe.type("request system reboot\r")
        joe.until(r"\(no\) $")
        joe.type("yes\r")
        joe.until("Shutdown NOW!")
        joe.until("<closed>")
    with logged_in(router.port, "joe", key=key) as joe:
        joe.until("joe@R1> $")
        joe.type("show system uptime\r")
        assert _booted(joe.until("joe@R1> $")) > "2029" > before


def _booted(text: str) -> str:
    found = re.search(r"System booted: (\S+ \S+)", text)
    assert found is not None
    return found[1]
