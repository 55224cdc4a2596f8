"""The emulated router's outputs: equal to those of real routers in the same situation, and to its reviewed ones.

`golden/real/` has samples of real routers with their sources and is never regenerated. `golden/emulated/` has the
outputs of this router: `KEYROLL_GOLDEN=write pytest …` writes them again, and a person reviews the difference.
"""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address, IPv4Network, ip_address, ip_network
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from keyroll import __version__
from keyroll.emulator.contract.model import (
    AuthDrops,
    BgpState,
    InterfaceState,
    LdpAdjacency,
    LdpBinding,
    LdpSession,
    RouteState,
    TcpConnection,
)
from keyroll.emulator.junos.commit.candidate import empty
from keyroll.emulator.junos.commit.datastore import Commit
from keyroll.emulator.junos.commit.load import load_set
from keyroll.emulator.junos.configuration.statements import ROOT
from keyroll.emulator.junos.shell.show import bgp, durations, host, keychain, ldp, routes
from keyroll.emulator.junos.shell.show.durations import age, stamp, w_line
from keyroll.keychain.model import Key, Keychain
from keyroll.keychain.secret import Secret
from keyroll.names import Algorithm, Receiving

if TYPE_CHECKING:
    from tests.unit.emulator.junos.conftest import Console, FullBackend

GOLDEN = Path(__file__).parent / "golden"


def real(name: str) -> list[str]:
    lines = (GOLDEN / "real" / f"{name}.txt").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if not line.startswith("# ")]


def chain(name: str, number: int, send: int) -> Keychain:
    start = datetime(2023, 1, 1, tzinfo=UTC)
    key = Key(number, Secret("s"), start, "ao", send, send, tcp_ao_option=True, algorithm=Algorithm.AES_128_CMAC_96)
    return Keychain(name, (key,))


def test_keychain_detail_equals_a_real_routers() -> None:
    chains = [chain("AES", 10, 10), chain("SHA", 55, 0)]
    now = datetime(2023, 6, 1, tzinfo=UTC)
    assert keychain.detail(chains, now, UTC, Receiving.TOLERANCE) == real("keychain_detail_vmx_21.2")


@pytest.mark.parametrize(
    ("reset", "error"),
    [
        ("Cease/Administratively Reset", "Cease"),
        ("OPEN Message Error/Bad Peer AS", "Open Message Error"),
        ("Hold Timer Expired", "Hold Timer Expired Error"),
        ("No AFI/SAFI activated for peer", "None"),
        (None, "None"),
    ],
)
def test_the_last_error_is_that_of_a_notification(
    console: Console, full: FullBackend, reset: str | None, error: str
) -> None:
    console.type("configure", *BGP_ALONE, "commit and-quit")
    full.states = [BgpState(ip_address("10.0.0.2"), 65002, "Active", 5, 1, 1, 0, 1, {}, last_reset=reset)]
    assert f"  Last Error: {error}" in console.type("show bgp neighbor").splitlines()


BGP_ALONE = ["set routing-options autonomous-system 65001", "set protocols bgp group e neighbor 10.0.0.2 peer-as 65002"]


def test_a_neighbours_line_has_the_configured_hold_time_and_preference(console: Console, full: FullBackend) -> None:
    console.type("configure", *BGP_ALONE, "commit and-quit")
    full.states = [BgpState(ip_address("10.0.0.2"), 65002, "Active", 5, 1, 1, 0, 1, {})]
    assert "  Holdtime: 90 Preference: 170" in console.type("show bgp neighbor").splitlines()
    group = "set protocols bgp group e"
    console.type("configure", f"{group} hold-time 9", f"{group} preference 20", "commit and-quit")
    assert "  Holdtime: 9 Preference: 20" in console.type("show bgp neighbor").splitlines()


COMPARED = [
    (["set system host-name vsrx"], ["set system host-name vsrx-demo"]),
    (["set system host-name R1"], ["set system time-zone Europe/London"]),
    (
        ["set protocols bgp group ibgp type internal"],
        [
            "set policy-options policy-statement export-lo0 from interface lo0.0",
            "set policy-options policy-statement export-lo0 then accept",
            "set protocols bgp group ibgp export export-lo0",
        ],
    ),
    (["set interfaces lo0 unit 0"], ["set interfaces ge-0/0/2 unit 0 family inet address 169.254.0.21/30"]),
    (
        ["set interfaces ge-0/0/1 unit 0 family inet"],
        [
            'set interfaces ge-0/0/1 unit 0 description "to vsrx02"',
            "set interfaces ge-0/0/1 unit 0 family inet address 192.168.0.0/31",
        ],
    ),
    (
        ["set interfaces ge-0/0/0 unit 0 family inet address 10.0.12.1/24"],
        [
            "set interfaces ge-0/0/0 unit 0 family inet address 10.0.50.1/24",
            "delete interfaces ge-0/0/0 unit 0 family inet address 10.0.12.1/24",
        ],
    ),
    (["set interfaces ge-0/0/3 unit 0 family inet"], ["set interfaces ge-0/0/3 unit 0 family mpls"]),
    (["set routing-options router-id 192.0.2.2"], ["set routing-options autonomous-system 65001"]),
    (
        ["set protocols mpls interface ge-0/0/0.0"],
        [
            "set protocols bgp group ibgp type internal",
            "set protocols bgp group ibgp local-address 192.0.2.2",
            "set protocols bgp group ibgp neighbor 192.0.2.1",
        ],
    ),
]


def test_differences_in_each_place_equal_those_of_real_routers(console: Console) -> None:
    blocks = "\n".join(real("compare_places")).split("\n\n")
    console.type("configure")
    for (before, edits), wanted in zip(COMPARED, blocks, strict=True):
        console.answers = ["yes"]
        console.type("rollback 0", "delete", *before)
        assert console.type("commit") == "commit complete"
        assert console.type(*edits, "show | compare") == wanted


def test_a_chain_is_shown_as_on_a_real_router(console: Console) -> None:
    wanted = real("configuration_chain_mx")
    console.type("configure", "set system time-zone Asia/Kolkata", "commit", "exit")
    console.block = "security { authentication-key-chains {\n" + "\n".join(wanted) + "\n} }"
    assert console.type("configure", "load merge terminal").splitlines()[-1] == "load complete"
    assert console.type("show security authentication-key-chains").splitlines() == wanted


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("configuration_bgp_xr", "protocols bgp group XRlab"),
        ("configuration_bgp_eos", "protocols bgp"),
        ("configuration_bgp_nokia", "protocols bgp group ebgp_nokia"),
    ],
)
def test_session_configurations_of_real_routers_are_loaded_and_shown_unchanged(
    console: Console, name: str, path: str
) -> None:
    wanted = real(name)
    words = path.split()
    levels = [*words[:2], *([" ".join(words[2:])] if words[2:] else [])]
    opening = " ".join(f"{level} {{" for level in levels)
    console.block = "\n".join([opening, *wanted, "}" * len(levels)])
    assert console.type("configure", "load merge terminal").splitlines()[-1] == "load complete"
    assert console.type(f"show {path}").splitlines() == wanted


def test_bgp_summary_equals_a_real_routers() -> None:
    down = BgpState(ip_address("172.16.12.1"), 64501, "Active", 2196, 0, 75, 82, 0, {"inet.0": (0, 0, 0)})
    peers = [replace(down, state="Established"), replace(down, state="Established"), down]
    assert [line for line in bgp.summary(peers, groups=2) if not line.startswith(("172.", "  inet.0:"))] == real(
        "bgp_summary_mx_20.4"
    )


def test_peer_rows_equal_a_real_routers() -> None:
    def seconds(weeks: int, days: int, clock: str) -> int:
        hours, minutes, rest = (int(part) for part in clock.split(":"))
        return weeks * 604800 + days * 86400 + hours * 3600 + minutes * 60 + rest

    peers = [
        BgpState(ip_address(address), 64496, "Established", since, flaps, received, sent, 0, {})
        for address, since, flaps, received, sent in (
            ("192.0.2.254", seconds(9, 2, "5:23:37"), 1, 1165670, 1238837),
            ("198.51.100.100", seconds(6, 3, "13:02:17"), 19, 814804, 865022),
            ("203.0.113.0", seconds(6, 3, "13:02:22"), 20, 811361, 865023),
        )
    ]
    assert bgp.summary(peers, groups=1)[-3:] == real("bgp_summary_peer_rows")


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (9, "9"),
        (23, "23"),
        (470, "7:50"),
        (2227, "37:07"),
        (98, "1:38"),
        (3 * 604800 + 2 * 86400 + 4 * 3600 + 19 * 60 + 15, "3w2d 4:19:15"),
        (29 * 604800 + 5 * 86400 + 22 * 3600 + 42 * 60 + 36, "29w5d 22:42:36"),
    ],
)
def test_uptimes_have_the_form_of_real_routers(seconds: int, shown: str) -> None:
    assert durations.up_down(seconds) == shown


SESSION = LdpSession(
    peer=IPv4Address("172.16.0.2"),
    peer_id=IPv4Address("172.16.0.2"),
    local_id=IPv4Address("172.16.0.1"),
    state="Operational",
    local=IPv4Address("172.16.0.1"),
    up_seconds=86,
    keepalive_interval=10,
    keepalive_timeout=30,
    hold_left=26,
)


def test_ldp_tables_equal_a_real_routers() -> None:
    assert ldp.sessions([SESSION]) == real("ldp_session_vmx")
    adjacency = LdpAdjacency(IPv4Address("10.169.14.158"), IPv4Address("10.34.2.250"), "ge-0/0/0.0", 14)
    assert ldp.neighbors([adjacency]) == real("ldp_neighbor")


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (50, "up 0 mins,"),
        (60, "up 1 min,"),
        (11 * 3600 + 180, "up 11:03,"),
        (86400 + 16 * 3600 + 57 * 60, "up 1 day, 16:57,"),
        (15 * 86400 + 300, "up 15 days, 5 mins,"),
        (8 * 86400 + 5 * 3600, "up 8 days, 5 hrs,"),
    ],
)
def test_the_time_since_boot_has_the_form_of_w(seconds: int, shown: str) -> None:
    assert shown in w_line(datetime(2020, 1, 1, 14, 8, tzinfo=UTC), UTC, seconds, 1, (0.3, 0.4, 0.5))


def test_commits_uptimes_and_route_counts_have_the_form_of_real_routers() -> None:
    commits = [
        Commit(empty(ROOT), datetime(2020, 3, 5, 16, 4, 34, tzinfo=UTC), "cisco"),
        Commit(empty(ROOT), datetime(2020, 3, 5, 16, 1, 49, tzinfo=UTC), "cisco"),
    ]
    assert host.commits(commits, UTC) == real("system_commit")
    now, booted = datetime(2020, 3, 26, 8, 16, 41, tzinfo=UTC), datetime(2019, 8, 29, 9, 2, 22, tzinfo=UTC)
    line = f"System booted: {stamp(booted, UTC)} ({age(int((now - booted) / timedelta(seconds=1)))} ago)"
    assert line in real("system_uptime")
    up = timedelta(days=209, hours=23, minutes=14)
    assert w_line(now, UTC, int(up.total_seconds()), 5, (0.43, 0.43, 0.42)).strip() in real("system_uptime")
    table = [RouteState(ip_network(f"10.{number}.0.0/16"), "Direct", None, "ge-0/0/0.0", 0, 1) for number in range(6)]
    printed = routes.summary(table, own_as=65171, router_id=IPv4Address("10.189.5.252"))
    assert [line for line in printed if line in real("route_summary")] == real("route_summary")


def test_a_listening_socket_is_shown_as_on_a_real_router() -> None:
    assert host.connections([TcpConnection((None, 33081), None, "LISTEN")])[2:] == real("system_connections")


def test_a_refused_commit_is_shown_as_on_a_real_router(console: Console) -> None:
    printed = console.type(
        "configure",
        "set routing-options autonomous-system 1",
        "set protocols bgp group G neighbor 10.0.0.1 peer-as 2",
        "set protocols bgp group G neighbor 10.0.0.1 authentication-key-chain NAME",
        "commit",
    )
    assert printed.splitlines() == real("commit_refused")


def test_peer_discovery_in_a_group_with_authentication_is_refused_as_on_a_real_router(console: Console) -> None:
    group = "set protocols bgp group UNDERLAY"
    chain_name = "set security authentication-key-chains key-chain c description x"
    console.type("configure", chain_name, f"{group} dynamic-neighbor bgp_unnumbered peer-auto-discovery")
    console.type(f"{group} authentication-key-chain c", f"{group} authentication-algorithm ao")
    assert console.type("commit").splitlines() == real("commit_refused_discovery")
    console.type(f"delete {group[4:]} authentication-key-chain", f"delete {group[4:]} authentication-algorithm")
    answer = console.type(f"{group} authentication-key k", "commit")
    assert "    Can't be configured along with authentication-key\n" in answer
    answer = console.type(f"delete {group[4:]} authentication-key", "commit")
    assert "    not emulated: dynamic neighbors" in answer


@pytest.mark.parametrize("peers", ["0.0.0.0/0", "::/0", "all"])
@pytest.mark.parametrize("level", ["protocols bgp", "protocols bgp group UNDERLAY"])
def test_a_group_with_authentication_that_allows_all_peers_is_refused(console: Console, peers: str, level: str) -> None:
    console.type("configure", "set security authentication-key-chains key-chain c description x")
    console.type(f"set protocols bgp group UNDERLAY allow {peers}", f"set {level} authentication-key-chain c")
    answer = console.type("commit")
    assert "    Can't be configured along with authentication-key-chain\n" in answer
    assert answer.endswith("error: commit failed: (statements constraint check failed)")
    console.type(f"delete {level} authentication-key-chain")
    answer = console.type(f"set {level} authentication-key k", "commit")
    assert "    Can't be configured along with authentication-key\n" in answer
    console.type("delete protocols bgp group UNDERLAY allow", "set protocols bgp group UNDERLAY allow 10.0.12.0/30")
    assert "    not emulated: dynamic neighbors" in console.type("commit")


def test_a_difference_is_shown_as_on_a_real_router(console: Console) -> None:
    printed = console.type(
        "configure",
        "set system login user OSS uid 2005",
        "commit",
        "set system login user OSS uid 2006",
        "show | compare",
    )
    assert printed.splitlines() == real("compare_uid")


LINES = """\
set system host-name R1
set interfaces ge-0/0/0 unit 0 family inet address 10.0.12.1/30
set interfaces ge-0/0/0 unit 0 family inet6 address 2001:db8:12::1/64
set interfaces lo0 unit 0 family inet address 10.255.0.1/32
set routing-options router-id 10.255.0.1
set routing-options autonomous-system 65001
set routing-options static route 192.0.2.0/24 next-hop 10.0.12.2
set policy-options policy-statement lo term 1 from protocol direct
set policy-options policy-statement lo term 1 then accept
set protocols bgp group e type external
set protocols bgp group e export lo
set protocols bgp group e hold-time 9
set protocols bgp group e neighbor 10.0.12.2 peer-as 65002
set protocols bgp group e neighbor 10.0.12.2 authentication-algorithm ao
set protocols bgp group e neighbor 10.0.12.2 authentication-key-chain new_auth_key
set protocols bgp group e neighbor 2001:db8:12::2 peer-as 65002
set protocols ldp interface ge-0/0/0.0
set protocols ldp session 172.16.0.2 authentication-algorithm ao
set protocols ldp session 172.16.0.2 authentication-key-chain new_auth_key
set protocols mpls interface ge-0/0/0.0
set security authentication-key-chains key-chain new_auth_key key 0 secret "$9$kP5FCA0O1hqm6ApBSy"
set security authentication-key-chains key-chain new_auth_key key 0 start-time 2030-1-1.00:00
set security authentication-key-chains key-chain new_auth_key key 0 algorithm ao
set security authentication-key-chains key-chain new_auth_key key 0 ao-attribute send-id 1
set security authentication-key-chains key-chain new_auth_key key 0 ao-attribute recv-id 2
set security authentication-key-chains key-chain new_auth_key key 0 ao-attribute tcp-ao-option enabled
set security authentication-key-chains key-chain new_auth_key key 1 secret "$9$Dyk.5n6Atu1jHz69pRE"
set security authentication-key-chains key-chain new_auth_key key 1 start-time 2030-1-1.00:30
set security authentication-key-chains key-chain new_auth_key key 1 algorithm ao
set security authentication-key-chains key-chain new_auth_key key 1 ao-attribute send-id 3
set security authentication-key-chains key-chain new_auth_key key 1 ao-attribute recv-id 4
set security authentication-key-chains key-chain new_auth_key key 1 ao-attribute tcp-ao-option enabled
set security authentication-key-chains key-chain new_auth_key key 1 ao-attribute cryptographic-algorithm aes-128-cmac-96
"""

COMMANDS = {
    "bgp_neighbor": "show bgp neighbor",
    "bgp_summary": "show bgp summary",
    "configuration": "show configuration",
    "configuration_set": "show configuration | display set",
    "interfaces_terse": "show interfaces terse",
    "keychain": "show security keychain",
    "keychain_detail": "show security keychain detail",
    "ldp_database": "show ldp database",
    "ldp_interface": "show ldp interface",
    "ldp_neighbor": "show ldp neighbor",
    "ldp_session": "show ldp session",
    "ldp_session_detail": "show ldp session detail",
    "route": "show route",
    "route_summary": "show route summary",
    "route_terse": "show route terse",
    "system_commit": "show system commit",
    "system_connections": "show system connections",
    "system_statistics_tcp": "show system statistics tcp",
    "version": "show version",
}


def set_up_golden_state(console: Console, full: FullBackend) -> None:
    """Give the router the configuration and the states that the golden files show."""
    full.states = [
        BgpState(
            ip_address("10.0.12.2"),
            65002,
            "Established",
            2227,
            1,
            76,
            84,
            0,
            {"inet.0": (1, 1, 1)},
            local=(ip_address("10.0.12.1"), 179),
            remote=(ip_address("10.0.12.2"), 40123),
            hold_time=9,
            keepalive=3,
            last_reset="Hold Timer Expired",
            peer_id=IPv4Address("10.255.0.2"),
            advertised={"inet.0": 1},
        ),
        BgpState(ip_address("2001:db8:12::2"), 65002, "Active", 12, 0, 0, 0, 0, {}),
    ]
    full.sessions = [
        SESSION,
        replace(
            SESSION,
            peer=IPv4Address("172.16.0.3"),
            state="Nonexistent",
            local=None,
            up_seconds=None,
            flaps=1,
            last_down_seconds=1,
            last_down_reason="received notification from peer",
        ),
    ]
    full.adjacencies = [LdpAdjacency(IPv4Address("10.0.12.2"), IPv4Address("172.16.0.2"), "ge-0/0/0.0", 14)]
    full.bindings = [
        LdpBinding(IPv4Address(peer), IPv4Network(prefix), label, received=received)
        for peer, prefix, label, received in (
            ("172.16.0.2", "172.16.0.2/32", 3, True),
            ("172.16.0.2", "10.255.0.1/32", 299776, True),
            ("172.16.0.2", "10.255.0.1/32", 3, False),
            ("172.16.0.9", "172.16.0.9/32", 3, True),
        )
    ]
    full.table = [
        RouteState(ip_network("10.0.12.0/30"), "Direct", None, "ge-0/0/0.0", 0, 310),
        RouteState(ip_network("10.0.12.1/32"), "Local", None, "ge-0/0/0.0", 0, 310),
        RouteState(ip_network("10.255.0.1/32"), "Direct", None, "lo0.0", 0, 310),
        RouteState(ip_network("10.255.0.2/32"), "BGP", ip_address("10.0.12.2"), "ge-0/0/0.0", 170, 2227),
        RouteState(ip_network("192.0.2.0/24"), "Static", ip_address("10.0.12.2"), "ge-0/0/0.0", 5, 200000),
        RouteState(ip_network("2001:db8:12::/64"), "Direct", None, "ge-0/0/0.0", 0, 310),
    ]
    full.ports = [
        InterfaceState("ge-0/0/0", admin_up=True, link_up=True),
        InterfaceState("lo0", admin_up=True, link_up=True),
    ]
    full.sockets = [
        TcpConnection((None, 179), None, "LISTEN"),
        TcpConnection((ip_address("10.0.12.1"), 179), (ip_address("10.0.12.2"), 40123), "ESTABLISHED"),
        TcpConnection(
            (ip_address("2001:db8:12::1"), 40000), (ip_address("2001:db8:12::2"), 179), "SYN_SENT", version=6
        ),
    ]
    full.drops = AuthDrops(received=7, sent=0, icmp_ignored=1)
    store = console.router._state.store
    assert load_set(store, LINES, (), console.router._state.context).lines == ["load complete"]
    assert console.type("configure", "commit comment first").splitlines()[-1] == "commit complete"
    console.type("exit")


@pytest.mark.parametrize("name", COMMANDS)
def test_each_output_of_the_emulated_router_equals_its_golden_file(
    name: str, console: Console, full: FullBackend
) -> None:
    set_up_golden_state(console, full)
    # The version comes from the tag and changes with every commit; the golden file has a fixed one.
    printed = console.type(COMMANDS[name]).replace(f"[{__version__}]", "[0.1.0]") + "\n"
    file = GOLDEN / "emulated" / f"{name}.txt"
    if os.environ.get("KEYROLL_GOLDEN") == "write":
        file.write_text(printed, encoding="utf-8")
    assert printed == file.read_text(encoding="utf-8")
