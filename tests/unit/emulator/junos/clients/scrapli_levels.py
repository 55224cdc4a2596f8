"""Commit at scrapli's three levels: shared, exclusive, private. Arguments: port and password of the router."""

import sys

from scrapli.driver.core import JunosDriver

port, password = int(sys.argv[1]), sys.argv[2]
with JunosDriver(
    host="127.0.0.1",
    port=port,
    auth_username="admin",
    auth_password=password,
    auth_strict_key=False,
    transport="paramiko",
) as device:
    assert "Hostname: R1" in device.send_command("show version").result
    for number, level in enumerate(("configuration", "configuration_exclusive", "configuration_private"), 1):
        lines = [f"set routing-options router-id 10.255.0.{number}", "show | compare", "commit"]
        answers = device.send_configs(lines, privilege_level=level)
        assert f"router-id 10.255.0.{number};" in answers[1].result, (level, answers[1].result)
        assert "commit complete" in answers[2].result, (level, answers[2].result)
        shown = device.send_command("show configuration | display set").result
        assert f"set routing-options router-id 10.255.0.{number}" in shown, (level, shown)
