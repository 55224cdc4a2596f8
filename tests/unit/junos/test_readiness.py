"""When a router that boots is ready, by its own command line, for each platform."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Interface

import pytest
from tests.unit.junos.conftest import Device

from keyroll.junos.errors import CommandError, CommitError
from keyroll.lab.platforms import CRPD, VJUNOS_ROUTER, Platform
from keyroll.lab.protocol import LabError, LabUnfitError, Port, Router
from keyroll.scenario.labs.readiness import readiness

from .conftest import PASSWORD

# From containerlab's page of the kind; newer releases append the index of an interface's peer, as Linux does.
CRPD_ROUTING = """\
Interface        State Addresses
lsi              Up
lo.0             Up    ISO   enabled
                       INET6 fe80::1
{eth1}             Up    ISO   enabled
                       INET6 fe80::b4d3:63ff:fef1:cb7b
eth0             Up    ISO   enabled
                       INET  172.20.20.3
"""
VJUNOS_TERSE = """\
Interface               Admin Link Proto    Local                 Remote
ge-0/0/0                up    up
ge-0/0/0.16386          up    up
fxp0                    up    up
"""
T0 = datetime(2030, 1, 1, tzinfo=UTC)
UPTIME = "Current time: {:%Y-%m-%d %H:%M:%S} UTC\n"


def router(device: Device, platform: Platform) -> Router:
    port = Port(platform.ports.interface("eth1"), IPv4Interface("10.0.12.1/30"), None)
    return Router("R1", "127.0.0.1", device.port, device.user, PASSWORD, platform.name, 65001, None, None, (port,))


@pytest.mark.parametrize("name", ["eth1", "eth1@if12"])
def test_crpd_is_ready_when_its_routing_daemon_shows_the_port(make_device: Callable[..., Device], name: str) -> None:
    device = make_device(user="root", start_in_shell=True)
    device.replies["show interfaces routing"] = CRPD_ROUTING.format(eth1=name)
    readiness()(router(device, CRPD))
    assert "show interfaces terse" not in device.received, "a syntax error on some cRPDs"
    assert not any(line.startswith("set date") for line in device.received), "a container has the clock of its host"
    assert not device.dirty, "nothing is left in the candidate"


def test_a_port_that_is_still_missing_is_named(make_device: Callable[..., Device]) -> None:
    device = make_device(user="root", start_in_shell=True)
    device.replies["show interfaces routing"] = CRPD_ROUTING.format(eth1="eth12")
    with pytest.raises(LabError, match="R1 does not show eth1 yet"):
        readiness()(router(device, CRPD))


def test_a_router_is_ready_once_it_accepts_a_configuration(make_device: Callable[..., Device]) -> None:
    device = make_device()
    device.replies["show interfaces terse"] = VJUNOS_TERSE
    device.check_reply = "error: configuration database is locked"
    with pytest.raises(CommitError, match="configuration database is locked"):
        readiness()(router(device, VJUNOS_ROUTER))


def script_vjunos(device: Device) -> None:
    device.replies["show interfaces terse"] = VJUNOS_TERSE
    device.replies["show configuration system time-zone"] = ""


def test_a_clock_that_must_not_be_set_does_not_delay_readiness(make_device: Callable[..., Device]) -> None:
    device = make_device()
    script_vjunos(device)
    device.replies["show system uptime"] = UPTIME.format(T0)
    with pytest.raises(LabUnfitError, match=r"R1's clock cannot be set: R1 refused 'set date 203001010000.00'"):
        readiness()(router(device, VJUNOS_ROUTER))


def test_a_clock_that_does_not_keep_its_setting_does_not_delay_readiness(make_device: Callable[..., Device]) -> None:
    device = make_device()
    script_vjunos(device)
    shown = iter((T0, T0 + timedelta(hours=1)))
    device.replies["show system uptime"] = lambda _device, _line: UPTIME.format(next(shown))
    device.replies["set date 203001010000.00"] = "Tue Jan  1 00:00:00 UTC 2030"
    with pytest.raises(LabUnfitError, match=r"R1's clock cannot be set: .* but shows 2030-01-01 01:00:00 UTC"):
        readiness()(router(device, VJUNOS_ROUTER))


def test_a_router_that_shows_no_clock_yet_is_not_ready(make_device: Callable[..., Device]) -> None:
    device = make_device()
    script_vjunos(device)
    with pytest.raises(CommandError, match="show system uptime"):
        readiness()(router(device, VJUNOS_ROUTER))


def test_a_router_with_ports_a_configuration_and_a_clock_is_ready(make_device: Callable[..., Device]) -> None:
    device = make_device()
    script_vjunos(device)
    device.replies["show system uptime"] = UPTIME.format(T0)
    device.replies["set date 203001010000.00"] = "Tue Jan  1 00:00:00 UTC 2030"
    readiness()(router(device, VJUNOS_ROUTER))
    assert "set date 203001010000.00" in device.received
    assert not device.dirty


def test_a_release_without_tcp_ao_is_reported_once_and_does_not_delay_readiness(
    make_device: Callable[..., Device],
) -> None:
    device = make_device()
    script_vjunos(device)
    device.replies["show version"] = "Hostname: R1\nModel: vmx\nJunos: 19.4R1.10\n"
    line = "set protocols bgp group keyroll-probe authentication-algorithm ao"
    device.refusals[line] = f"{' ' * 60}^\nsyntax error."
    with pytest.raises(LabUnfitError, match=r"R1 \(vjunos-router\) does not support TCP-AO: .*19\.4R1\.10"):
        readiness()(router(device, VJUNOS_ROUTER))
    assert not device.dirty


def test_a_router_is_tested_for_tcp_ao_and_left_unchanged(make_device: Callable[..., Device]) -> None:
    device = make_device(user="root", start_in_shell=True)
    device.replies["show interfaces routing"] = CRPD_ROUTING.format(eth1="eth1")
    readiness()(router(device, CRPD))
    assert "set protocols bgp group keyroll-probe authentication-algorithm ao" in device.received
    assert not device.dirty
