"""The samples are answers of FRR 8.4.4 (Debian 12), shortened to what is read."""

from __future__ import annotations

import json
from ipaddress import ip_address, ip_interface
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyroll.emulator.contract.errors import FrrError
from keyroll.emulator.frr import state

UP: dict[str, Any] = json.loads(
    """{"10.0.12.2": {"remoteAs": 65002, "localAs": 65001, "bgpState": "Established", "bgpTimerUpMsec": 61000,
    "bgpTimerHoldTimeMsecs": 9000, "bgpTimerKeepAliveIntervalMsecs": 3000,
    "messageStats": {"depthInq": 0, "depthOutq": 0, "totalSent": 24, "totalRecv": 23},
    "addressFamilyInfo": {"ipv4Unicast": {"acceptedPrefixCounter": 1, "sentPrefixCounter": 1}},
    "connectionsEstablished": 1, "connectionsDropped": 0, "lastResetTimerMsecs": 62000,
    "lastResetDueTo": "No AFI/SAFI activated for peer",
    "hostLocal": "10.0.12.1", "portLocal": 179, "hostForeign": "10.0.12.2", "portForeign": 33353}}"""
)
NEVER_UP: dict[str, Any] = json.loads(
    """{"10.0.12.9": {"remoteAs": 65009, "bgpState": "Active", "messageStats": {"depthOutq": 0, "totalSent": 0,
    "totalRecv": 0}, "connectionsEstablished": 0, "connectionsDropped": 0, "hostLocal": "Unknown", "portLocal": -1}}"""
)


def changed(sample: dict[str, Any], **values: Any) -> dict[str, Any]:
    ((address, entry),) = sample.items()
    return {address: {**entry, **values}}


def test_an_established_neighbour_is_read() -> None:
    (found,) = state.bgp_states(UP, {("10.0.12.2", "inet.0"): 1}, {})
    assert (found.state, found.since_seconds, found.flaps) == ("Established", 61, 0)
    assert found.prefixes == {"inet.0": (1, 1, 1)}
    assert found.local == (ip_address("10.0.12.1"), 179)
    assert (found.hold_time, found.keepalive) == (9, 3)
    assert found.last_reset is None


def test_the_time_of_a_neighbour_that_was_up_starts_at_its_last_reset() -> None:
    sample = changed(UP, bgpState="Idle", connectionsDropped=1, lastResetDueTo="Hold Timer Expired")
    (found,) = state.bgp_states(sample, {}, {})
    assert (found.since_seconds, found.flaps, found.last_reset) == (62, 1, "Hold Timer Expired")


def test_the_time_of_a_neighbour_that_never_was_up_starts_at_its_configuration() -> None:
    (found,) = state.bgp_states(NEVER_UP, {}, {ip_address("10.0.12.9"): 17})
    assert (found.state, found.since_seconds, found.local) == ("Active", 17, None)


@pytest.mark.parametrize("word", ["Clearing", "Deleted"])
def test_a_neighbour_that_is_being_torn_down_is_idle(word: str) -> None:
    (found,) = state.bgp_states(changed(UP, bgpState=word), {}, {})
    assert found.state == "Idle"


def test_an_unknown_state_is_an_error() -> None:
    with pytest.raises(FrrError, match=r"neighbor 10\.0\.12\.2 cannot be read"):
        state.bgp_states(changed(UP, bgpState="Sleeping"), {}, {})


@pytest.mark.parametrize("missing", ["bgpState", "messageStats", "connectionsDropped", "bgpTimerUpMsec"])
def test_a_missing_value_is_an_error_and_never_down(missing: str) -> None:
    sample = {"10.0.12.2": {key: value for key, value in UP["10.0.12.2"].items() if key != missing}}
    with pytest.raises(FrrError, match="cannot be read"):
        state.bgp_states(sample, {}, {})


def test_active_routes_are_counted_by_neighbour() -> None:
    rib = {
        "routes": {
            "10.255.0.1/32": [{"bestpath": True, "peerId": "(unspec)"}],
            "10.255.0.2/32": [{"bestpath": True, "peerId": "10.0.12.2"}, {"peerId": "10.0.13.2"}],
        }
    }
    assert state.active_counts("inet.0", rib) == {("10.0.12.2", "inet.0"): 1}


ROUTES = {
    "10.0.12.0/30": [
        {"prefix": "10.0.12.0/30", "protocol": "connected", "selected": True, "uptime": "00:00:12",
         "nexthops": [{"fib": True, "directlyConnected": True, "interfaceName": "ge-0-0-0", "active": True}]}
    ],
    "10.255.0.2/32": [
        {"prefix": "10.255.0.2/32", "protocol": "bgp", "selected": True, "uptime": "01:00:07",
         "nexthops": [{"fib": True, "ip": "10.0.12.2", "interfaceName": "ge-0-0-0", "active": True}]}
    ],
}  # fmt: skip


def test_routes_have_junos_protocol_names_and_the_routers_own_addresses_are_local() -> None:
    found = state.routes([ROUTES], [("ge-0/0/0.0", ip_interface("10.0.12.1/30"))])
    assert [(str(route.prefix), route.protocol, route.preference) for route in found] == [
        ("10.0.12.0/30", "Direct", 0),
        ("10.0.12.1/32", "Local", 0),
        ("10.255.0.2/32", "BGP", 170),
    ]
    assert found[2].next_hop == ip_address("10.0.12.2")
    assert (found[2].interface, found[2].age_seconds) == ("ge-0/0/0.0", 3607)


def test_a_route_of_an_unknown_protocol_is_an_error() -> None:
    with pytest.raises(FrrError):
        state.routes([{"x": [{"prefix": "10.0.0.0/8", "protocol": "babel", "selected": True}]}], [])


@given(st.integers(0, 23), st.integers(0, 59), st.integers(0, 59))
def test_uptimes_of_a_day_are_read_to_the_second(hours: int, minutes: int, seconds: int) -> None:
    text = f"{hours:02}:{minutes:02}:{seconds:02}"
    assert state.uptime_seconds(text) == hours * 3600 + minutes * 60 + seconds


@pytest.mark.parametrize(
    ("text", "seconds"), [("1d02h03m", 93780), ("2w3d04h", 1483200), ("1y02w3d", 364 * 86400 + 17 * 86400)]
)
def test_longer_uptimes_are_read_with_their_units(text: str, seconds: int) -> None:
    assert state.uptime_seconds(text) == seconds


@given(st.text(max_size=12))
def test_any_other_text_is_not_an_uptime(text: str) -> None:
    try:
        assert state.uptime_seconds(text) >= 0
    except ValueError:
        assert True


def test_kernel_interface_names_are_converted_to_junos_names() -> None:
    assert state.junos_name("ge-0-0-0") == "ge-0/0/0.0"
    assert state.junos_name("lo") == "lo0.0"


def test_routes_in_use_are_counted_from_zebras_summary() -> None:
    summary = {
        "routes": [
            {"type": "connected", "rib": 2, "fib": 2},
            {"type": "ebgp", "rib": 7, "fib": 5},
            {"type": "ibgp", "rib": 1, "fib": 1},
        ]
    }
    assert state.bgp_total(summary) == 6
    with pytest.raises(FrrError):
        state.bgp_total({})
