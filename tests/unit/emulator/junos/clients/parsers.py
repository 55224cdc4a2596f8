"""Parse outputs with genieparser or ntc-templates. Arguments: port and password of the router, and the library."""

import sys

from netmiko import ConnectHandler

port, password, library = int(sys.argv[1]), sys.argv[2], sys.argv[3]
with ConnectHandler(
    device_type="juniper_junos", host="127.0.0.1", port=port, username="admin", password=password
) as device:
    version, uptime = (device.send_command(f"show {what}") for what in ("version", "system uptime"))
if library == "ntc":
    from ntc_templates.parse import parse_output

    assert parse_output("juniper_junos", "show version", version)[0]["junos_version"] == "24.4R1.9"
    assert parse_output("juniper_junos", "show system uptime", uptime)
else:
    from genie.libs.parser.junos.show_system import ShowSystemUptime

    class Device:
        """The one attribute that the parser reads of a device to which it does not connect."""

        os = "junos"

    found = ShowSystemUptime(device=Device()).cli(output=uptime)
    assert "current-time" in str(found), found
