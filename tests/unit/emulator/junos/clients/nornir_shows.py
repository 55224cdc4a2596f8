"""Show, configure and commit with nornir and its netmiko plugin. Arguments: port and password of the router."""

import sys

from nornir.core import Nornir
from nornir.core.inventory import ConnectionOptions, Host, Hosts, Inventory
from nornir.core.plugins.connections import ConnectionPluginRegister
from nornir.plugins.runners import SerialRunner
from nornir_netmiko.connections import Netmiko
from nornir_netmiko.tasks import netmiko_commit, netmiko_send_command, netmiko_send_config

ConnectionPluginRegister.register("netmiko", Netmiko)
host = Host(
    name="R1",
    hostname="127.0.0.1",
    port=int(sys.argv[1]),
    username="admin",
    password=sys.argv[2],
    platform="juniper_junos",
    connection_options={"netmiko": ConnectionOptions(platform="juniper_junos", extras={})},
)
nornir = Nornir(inventory=Inventory(hosts=Hosts({"R1": host})), runner=SerialRunner())
shown = nornir.run(netmiko_send_command, command_string="show version", use_textfsm=True)["R1"][0]
assert not shown.failed, shown.exception
assert shown.result[0]["hostname"] == "R1", shown.result
assert shown.result[0]["junos_version"] == "24.4R1.9", shown.result
done = nornir.run(
    netmiko_send_config, config_commands=["set routing-options router-id 10.255.0.9"], exit_config_mode=False
)["R1"][0]
assert not done.failed, done.exception
done = nornir.run(netmiko_commit)["R1"][0]
assert not done.failed, done.exception
assert "commit complete" in done.result, done.result
nornir.close_connections()
