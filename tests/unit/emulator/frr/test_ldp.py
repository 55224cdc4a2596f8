"""LDP: lines from an intent, states from ldpd's answers, flaps from its log (samples of FRR 8.4.4)."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address, ip_address, ip_interface, ip_network
from typing import Any

import pytest

from keyroll.emulator.contract.errors import FrrError
from keyroll.emulator.contract.model import BackendError, Intent, Ldp, LdpInterface, LdpPeer, Unit
from keyroll.emulator.frr import ldp_state, session_log
from keyroll.emulator.frr.config import Daemon
from keyroll.emulator.frr.render import render
from keyroll.emulator.frr.render_ldp import hold_time, local_id, transport_address
from keyroll.keychain.secret import Secret

LDP = Ldp(interfaces=(LdpInterface("ge-0/0/0.0"),), keepalive_interval=5, keepalive_timeout=15)
INTENT = Intent(
    "R1",
    units=(
        Unit("ge-0/0/0.0", (ip_interface("2001:db8::1/64"), ip_interface("10.0.12.1/30"))),
        Unit("lo0.0", (ip_interface("10.255.0.1/32"),)),
    ),
    ldp=LDP,
)
LOG = "2026/11/24 06:55:21 LDP: nbr_fsm: event {} resulted in action X and changing state for lsr-id {} from {} to {}"


def texts(intent: Intent) -> list[str]:
    return [line.text for line in render(intent, ["ge-0-0-0"]) if line.daemon is Daemon.LDPD]


def test_the_ldp_hello_interval_is_one_second_by_default() -> None:
    assert "discovery hello interval 1" in texts(INTENT)
    slow = replace(LDP, interfaces=(LdpInterface("ge-0/0/0.0", hello_interval=5),))
    assert "discovery hello interval 5" in texts(replace(INTENT, ldp=slow))


def test_the_transport_address_is_the_router_id_or_that_of_the_interface() -> None:
    assert "discovery transport-address 10.255.0.1" in texts(INTENT)
    inner = replace(LDP, transport_interface=True)
    assert transport_address(INTENT, inner) == ip_address("10.0.12.1")
    assert local_id(replace(INTENT, router_id=IPv4Address("9.9.9.9"))) == ip_address("9.9.9.9")


@pytest.mark.parametrize(
    ("interval", "timeout", "seconds"),
    [(None, None, 30), (10, None, 30), (5, 60, 60), (3, 9, 15), (65535, None, 65535)],
)
def test_the_hold_time_is_within_the_limits_of_ldpd(interval: int | None, timeout: int | None, seconds: int) -> None:
    assert hold_time(replace(LDP, keepalive_interval=interval, keepalive_timeout=timeout)) == seconds


@pytest.mark.parametrize(
    ("intent", "sentence"),
    [
        (replace(INTENT, units=()), "router-id"),
        (replace(INTENT, ldp=replace(LDP, peers=(LdpPeer(ip_network("10.0.0.1/32"), md5=Secret("x")),))), "MD5"),
    ],
)
def test_unsupported_settings_are_reported(intent: Intent, sentence: str) -> None:
    with pytest.raises(BackendError, match=sentence):
        texts(intent)


SUMMARY: dict[str, Any] = {
    "neighbors": [
        {
            "addressFamily": "ipv4",
            "neighborId": "10.255.0.2",
            "state": "OPERATIONAL",
            "transportAddress": "10.0.12.2",
            "upTime": "00:00:07",
        }
    ]
}
DETAIL = {"10.255.0.2": {"tcpLocalAddress": "10.0.12.1", "sessionHoldtime": 15, "keepAliveInterval": 5}}


def sessions(summary: dict[str, Any], counts: session_log.LdpCounts | None = None) -> Any:
    return ldp_state.sessions(summary, DETAIL, IPv4Address("10.255.0.1"), 30, counts or session_log.LdpCounts())


def test_an_operational_session_is_read() -> None:
    (found,) = sessions(SUMMARY)
    assert (found.state, found.up_seconds, found.keepalive_timeout, found.flaps) == ("Operational", 7, 15, 0)
    assert found.peer == ip_address("10.0.12.2")


def test_answers_agree_unless_a_session_went_down_between_them() -> None:
    assert ldp_state.agree(SUMMARY, DETAIL)
    assert not ldp_state.agree(SUMMARY, {})
    assert not ldp_state.agree(SUMMARY, {"10.255.0.2": {"tcpLocalAddress": "10.0.12.1"}})
    assert ldp_state.agree({"neighbors": [{**SUMMARY["neighbors"][0], "state": "PRESENT"}]}, {})
    assert ldp_state.agree({}, {})


def test_a_session_without_connection_is_nonexistent_and_has_no_uptime() -> None:
    (found,) = sessions({"neighbors": [{**SUMMARY["neighbors"][0], "state": "PRESENT"}]})
    assert (found.state, found.up_seconds, found.keepalive_timeout) == ("Nonexistent", None, 30)


def test_no_neighbour_means_no_session_and_any_other_answer_is_an_error() -> None:
    assert sessions({}) == []
    with pytest.raises(FrrError):
        sessions({"error": "x"})
    with pytest.raises(FrrError):
        sessions({"neighbors": [{**SUMMARY["neighbors"][0], "state": "DANCING"}]})


def test_adjacencies_are_read() -> None:
    shown = {
        "lsrId": "10.255.0.1",
        "interfaces": {
            "ge-0-0-0": {
                "adjacencies": [{"lsrId": "10.255.0.2", "sourceAddress": "10.0.12.2", "helloHoldtimeRemaining": 14}]
            }
        },
    }
    (found,) = ldp_state.adjacencies(shown)
    assert (found.interface, found.hold_left) == ("ge-0/0/0.0", 14)
    assert ldp_state.adjacencies({"lsrId": "10.255.0.1"}) == []
    with pytest.raises(FrrError):
        ldp_state.adjacencies({})


def test_labels_of_both_directions_are_read_as_numbers() -> None:
    shown: dict[str, Any] = {
        "10.255.0.1/32": {"localLabel": "imp-null", "advertisedTo": [{"neighborId": "10.255.0.2"}], "remoteLabels": []},
        "10.255.0.2/32": {
            "localLabel": "-",
            "advertisedTo": [],
            "remoteLabels": [{"neighborId": "10.255.0.2", "label": "17", "inUse": 0}],
        },
        "2001:db8:12::/64": {"localLabel": "imp-null", "advertisedTo": [], "remoteLabels": []},
    }
    found = [(str(one.peer_id), str(one.prefix), one.label, one.received) for one in ldp_state.bindings(shown)]
    assert found == [("10.255.0.2", "10.255.0.1/32", 3, False), ("10.255.0.2", "10.255.0.2/32", 17, True)]
    with pytest.raises(FrrError, match="labels"):
        ldp_state.bindings({"10.255.0.1/32": {"localLabel": "imp-null"}})


def test_a_session_that_leaves_operational_is_a_flap_however_soon_it_returns() -> None:
    counts = session_log.LdpCounts()
    steps = [
        ("KEEPALIVE RECEIVED", "OPENREC", "OPERATIONAL"),
        ("SESSION CLOSE", "OPERATIONAL", "PRESENT"),
        ("ADJACENCY MATCHED", "PRESENT", "INITIALIZED"),
        ("KEEPALIVE RECEIVED", "OPENREC", "OPERATIONAL"),
    ]
    for event, old, new in steps:
        change = session_log.read(Daemon.LDPD, LOG.format(event, "10.255.0.2", old, new))
        if change is not None:
            counts.count(change, 5.0)
    assert counts.of(IPv4Address("10.255.0.2")) == (1, 5.0, "session close")
    (found,) = sessions(SUMMARY, counts)
    assert (found.flaps, found.last_down_reason) == (1, "session close")


@pytest.mark.parametrize(
    ("line", "up", "reason"),
    [
        ("%ADJCHANGE: neighbor 10.0.12.2(vm) in vrf default Up", True, None),
        ("%ADJCHANGE: neighbor 10.0.12.2(Unknown) in vrf default Down Hold Timer Expired", False, "Hold Timer Expired"),
    ],
)
def test_bgp_sessions_that_go_up_or_down_are_read_from_the_log(line: str, up: bool, reason: str | None) -> None:
    found = session_log.read(Daemon.BGPD, "2026/11/24 06:47:00 BGP: [N9HHH-F8H1M] " + line)
    assert found == session_log.SessionChange("bgp", ip_address("10.0.12.2"), up, reason)


def test_other_log_lines_are_ignored() -> None:
    assert session_log.read(Daemon.BGPD, "bgpd 8.4.4 starting") is None
    assert session_log.read(Daemon.ZEBRA, LOG.format("X", "1.1.1.1", "OPENREC", "OPERATIONAL")) is None
