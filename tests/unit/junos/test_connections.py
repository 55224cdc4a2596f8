"""The sessions of a run in `show system connections`, and connections that are not sessions."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import IPv4Interface, ip_address
from types import SimpleNamespace
from typing import cast

import pytest
from tests.unit.junos.conftest import Device

from keyroll.junos.connections import connections
from keyroll.junos.errors import OutputError
from keyroll.lab.protocol import Lab, Port, Router
from keyroll.scenario.errors import RunBrokenError
from keyroll.scenario.labs import reset

from .conftest import PASSWORD

HEADER = """\
Active Internet connections (including servers)
Proto Recv-Q Send-Q  Local Address                                 Foreign Address                               (state)
"""
LINUX_HEADER = """\
Active Internet connections (servers and established)
Proto Recv-Q Send-Q Local Address           Foreign Address         State       PID/Program name
"""
MANAGEMENT = """\
tcp4       0      0  10.1.0.192.22              10.1.0.1.56714              ESTABLISHED
tcp4       0      0  128.0.0.1.6234              128.0.0.1.55433              ESTABLISHED
tcp4       0      0  *.179               *.*                 LISTEN
tcp4       0      0  *.33081              *.*                 LISTEN
udp4       0      0  *.646               *.*
"""
"""Listed with every configuration: the SSH session itself, connections inside the chassis, listening servers."""
SESSIONS = """\
tcp4       0      0  10.0.12.1.179              10.0.12.2.40123              ESTABLISHED
tcp6       0      0  2001:db8:12::1.40000              2001:db8:12::2.179              FIN_WAIT_2
tcp4       0      0  10.255.0.1.646              10.255.0.2.50000              TIME_WAIT
"""
OURS = {ip_address(text) for text in ("10.0.12.1", "10.0.12.2", "2001:db8:12::1", "2001:db8:12::2")}


def test_sessions_are_distinguished_from_management_connections() -> None:
    found = connections(HEADER + MANAGEMENT + SESSIONS, router="R1")
    assert [str(one.local[0]) for one in found] == ["10.1.0.192", "128.0.0.1", "10.0.12.1", "2001:db8:12::1"]
    ours = [one for one in found if one.is_session(OURS)]
    assert [(one.state, one.open) for one in ours] == [("ESTABLISHED", True), ("FIN_WAIT_2", False)]
    assert ours[0].ends == {("10.0.12.1", 179), ("10.0.12.2", 40123)}


def test_a_management_connection_between_the_labs_own_addresses_is_not_a_session() -> None:
    (one,) = connections(HEADER + "tcp4  0  0  10.0.12.1.22  10.0.12.2.40123  ESTABLISHED\n", router="R1")
    assert not one.is_session(OURS)


def test_the_form_of_linux_with_colons_and_program_names_is_read() -> None:
    rows = """\
tcp        0      0 0.0.0.0:22              0.0.0.0:*               LISTEN      -
tcp        0     64 172.20.20.3:22          172.20.20.1:56714       ESTABLISHED 123/sshd: root@pts
tcp        0      0 10.0.12.1:179           10.0.12.2:40123         SYN_RECV    45/rpd
tcp6       0      0 2001:db8:12::1:179      2001:db8:12::2:40124    ESTABLISHED 45/rpd
"""
    found = connections(LINUX_HEADER + rows, router="R1")
    assert [(one.local[1], one.remote[1], one.state) for one in found if one.is_session(OURS)] == [
        (179, 40123, "SYN_RECV"),
        (179, 40124, "ESTABLISHED"),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "error: the system subsystem is not responding\n",
        MANAGEMENT,
        HEADER + "tcp4       0      0  10.0.12.1.bgp  10.0.12.2.40123  ESTABLISHED\n",
        HEADER + "tcp4       0      0  10.0.12.1.179  10.0.12.2.40123  SOMETHING\n",
        HEADER + "tcp4  10.0.12.1.179  10.0.12.2.40123\n",
    ],
)
def test_output_in_an_unknown_form_is_an_error(text: str) -> None:
    with pytest.raises(OutputError):
        connections(text, router="R1")


def lab_of(device: Device) -> Lab:
    """Return a lab that has only what a reset reads: one router."""
    ports = (Port("ge-0/0/0", IPv4Interface("10.0.12.1/30")),)
    one = Router("R1", "127.0.0.1", device.port, device.user, PASSWORD, "vjunos-router", 1, None, None, ports)
    return cast("Lab", SimpleNamespace(routers={"R1": one}))


@pytest.fixture
def device(make_device: Callable[..., Device]) -> Device:
    made = make_device()
    made.replies["show system commit"] = "0   2030-01-01 00:00:00 UTC by admin via cli\n"
    made.replies["show configuration | display set"] = "set system host-name R1\n"
    return made


def before(lab: Lab) -> dict[str, reset.Before]:
    return {"R1": reset.look(lab.routers["R1"])}


def test_a_lab_is_used_again_while_management_connections_are_open(device: Device) -> None:
    lab = lab_of(device)
    device.replies["show system connections"] = HEADER + MANAGEMENT
    known = before(lab)
    assert reset.reset(lab, known, clocks=False)["R1"].closing == frozenset()


@pytest.mark.parametrize(
    ("shown", "message"),
    [
        (
            HEADER + SESSIONS.replace("10.0.12.2.40123", "10.0.12.1.40123"),
            "a connection is still open after the reset: 10.0.12.1 port 179",
        ),
        (f"{' ' * 20}^\nsyntax error, expecting <command>.", "R1 has no `show system connections`"),
    ],
)
def test_a_lab_whose_reset_cannot_be_confirmed_is_not_used_again(
    device: Device, shown: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reset, "_CLOSING", reset._POLL)
    lab = lab_of(device)
    device.replies["show system connections"] = shown
    with pytest.raises(RunBrokenError, match=message):
        reset.reset(lab, before(lab), clocks=False)
