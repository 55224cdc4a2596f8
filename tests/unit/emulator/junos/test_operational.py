"""Operational commands: their calls to the machine half, their errors if it has no answer, and the log."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from ipaddress import IPv4Address, ip_address, ip_network
from typing import TYPE_CHECKING

import pytest

from keyroll.emulator.contract.model import EventKind, InterfaceState, LdpSession, RouterEvent, RouteState
from keyroll.emulator.junos.commit.load import load_set
from keyroll.names import Receiving

if TYPE_CHECKING:
    from tests.unit.emulator.junos.conftest import Console, FullBackend, MemoryBackend

CHAIN = "set security authentication-key-chains key-chain c"
BGP = """\
set routing-options autonomous-system 65001
set protocols bgp group e neighbor 10.0.0.2 peer-as 65002
set protocols ldp interface ge-0/0/0.0
"""


def commit(console: Console, text: str) -> None:
    assert load_set(console.router._state.store, text, (), console.router._state.context).mistakes == ()
    assert console.type("configure", "commit").splitlines()[-1] == "commit complete"
    console.type("exit")


def two_keys(first: str, second: str) -> str:
    lines = []
    for number, start in enumerate((first, second)):
        key = f"{CHAIN} key {number}"
        lines += [
            f"{key} secret s{number}",
            f"{key} start-time {start}",
            f"{key} algorithm ao",
            f"{key} ao-attribute send-id {2 * number + 1}",
            f"{key} ao-attribute recv-id {2 * number + 2}",
            f"{key} ao-attribute tcp-ao-option enabled",
        ]
    return "\n".join(lines)


def row(console: Console) -> list[str]:
    return console.type("show security keychain").splitlines()[2].split()


def test_the_key_clock_follows_the_routers_own_clock(console: Console) -> None:
    commit(console, two_keys("2030-01-01.00:00", "2030-01-01.00:30"))
    assert row(console) == ["c", "0", "0", "1", "1", "00:30:00", "3600", "(secs)"]
    assert console.type("set date 203001010029.59") == "Tue Jan  1 00:29:59 UTC 2030"
    assert row(console)[1:6] == ["0", "0", "1", "1", "00:00:01"]
    console.type("set date 203001010030.00")
    assert row(console)[1:6] == ["1", "1", "None", "None", "None"]
    assert "State receive" in console.type("show security keychain detail | match 'Id 0'".replace("'", '"'))
    console.type("set date 203001010131")
    assert "State inactive" in console.type('show security keychain detail | match "Id 0"')
    console.type("set date 202912300000")
    assert row(console)[1:6] == ["None", "None", "0", "0", "2d"]


def test_a_policy_without_windows_keeps_the_old_key_receiving(
    open_console: Callable[..., Console], full: FullBackend
) -> None:
    console = open_console(full, receiving=Receiving.ANY)
    commit(console, two_keys("2030-01-01.00:00", "2030-01-01.00:30"))
    console.type("set date 203101010000")
    assert "State receive" in console.type('show security keychain detail | match "Id 0"')


def test_set_date_is_in_the_routers_zone_and_refuses_an_invalid_date(console: Console, full: FullBackend) -> None:
    commit(console, "set system time-zone Asia/Kolkata")
    assert console.type("set date 203001010530.00") == "Tue Jan  1 05:30:00 IST 2030"
    assert full.clock == datetime(2030, 1, 1, tzinfo=UTC)
    for wrong in ("20301301", "203001010", "2030010105x0", "203002300000", "now"):
        assert console.type(f"set date {wrong}").startswith("error: invalid date and time")


@pytest.mark.parametrize(
    "command",
    ["show ldp session", "show interfaces terse", "show system statistics tcp", "ping 10.0.0.1", "restart routing"],
)
def test_a_command_that_the_machine_half_lacks_is_an_error(
    open_console: Callable[..., Console], backend: MemoryBackend, command: str
) -> None:
    console = open_console(backend)
    commit(console, BGP)
    assert console.type(command).startswith("error: this router's machine half ")


def test_a_state_that_cannot_be_read_is_an_error(console: Console, full: FullBackend) -> None:
    commit(console, BGP)
    assert console.type("show bgp summary") == "error: the state of neighbor 10.0.0.2 cannot be read"
    assert console.type("show bgp neighbor") == "error: the state of neighbor 10.0.0.2 cannot be read"
    full.unreadable = "bgpd does not answer"
    assert console.type("show bgp summary") == "error: bgpd does not answer"


def test_without_configuration_a_protocol_is_not_running(console: Console) -> None:
    assert console.type("show bgp summary") == "BGP is not running"
    assert console.type("show bgp neighbor 10.0.0.2") == "BGP is not running"
    assert console.type("show ldp session detail") == "LDP instance is not running"
    assert console.type("clear ldp session") == "LDP instance is not running"
    assert console.type("clear bgp neighbor 10.0.0.2") == "error: neighbor 10.0.0.2 not found"


def test_clear_restart_reboot_and_ping_are_passed_to_the_machine_half(console: Console, full: FullBackend) -> None:
    commit(console, BGP)
    assert console.type("clear bgp neighbor") == "Cleared 1 connections"
    console.type("clear bgp neighbor 10.0.0.2 soft", "clear ldp session 10.255.0.2", "clear ldp session")
    assert full.cleared == [(None, False), (ip_address("10.0.0.2"), True)]
    assert full.cleared_ldp == [IPv4Address("10.255.0.2"), None]
    console.type("restart routing")
    console.answers = ["no", "yes"]
    console.type("request system reboot", "request system reboot")
    assert full.restarts == ["routing", "reboot"]
    console.type("ping 10.0.0.2 source 10.0.0.1 count 2")
    assert full.pings == [(ip_address("10.0.0.2"), 2, ip_address("10.0.0.1"), 1.0)]


def test_routes_are_selected_by_prefix_protocol_and_table(console: Console, full: FullBackend) -> None:
    full.table = [
        RouteState(ip_network(prefix), protocol, None, "ge-0/0/0.0", 0, 5)
        for prefix, protocol in (
            ("10.0.0.0/8", "Static"),
            ("10.1.0.0/16", "BGP"),
            ("10.1.1.0/24", "BGP"),
            ("2001:db8::/32", "BGP"),
        )
    ]

    def shown(command: str) -> list[str]:
        return [line.split()[0] for line in console.type(command).splitlines() if "*[" in line]

    assert len(shown("show route")) == 4
    assert shown("show route protocol static") == ["10.0.0.0/8"]
    assert shown("show route protocol bgp table inet6.0") == ["2001:db8::/32"]
    assert shown("show route 10.1.0.0/16") == ["10.1.0.0/16", "10.1.1.0/24"]
    assert shown("show route 10.1.0.0/16 exact") == ["10.1.0.0/16"]
    assert shown("show route 10.1.1.1") == ["10.0.0.0/8", "10.1.0.0/16", "10.1.1.0/24"]
    assert shown("show route 192.0.2.0/24") == []
    assert "inet.0: 3 destinations, 3 routes (3 active, 0 holddown, 0 hidden)" in console.type("show route 10.1.1.1")


def test_pipes_can_be_combined(console: Console) -> None:
    commit(console, "set system host-name R1\nset snmp location here\nset snmp contact me")
    assert console.type("show configuration snmp | match l") == "location here;"
    assert console.type("show configuration snmp | match o | except here | count") == "Count: 1 lines"
    assert console.type("show configuration | find snmp | last 2").splitlines() == ["    contact me;", "}"]
    assert console.type("show configuration snmp | display set | match contact") == "set snmp contact me"
    assert console.type("show configuration | match [") == "error: invalid regular expression: ["
    assert console.type("show version | display set") == "error: 'display set' is for configurations"
    assert console.type("show version | foo").splitlines()[-1] == "unknown command."
    assert console.type("show version |").splitlines()[-1] == "syntax error, expecting <command>."
    assert console.type('show configuration | match "xx|here"') == "    location here;"


def test_abbreviations_work_alone_and_after_run(console: Console) -> None:
    assert console.type("sh ver | m Host") == "Hostname: R1"
    console.type("conf")
    assert console.type("run sh sys upt | m Curr") == "Current time: 2030-01-01 00:00:00 UTC"
    assert console.type("run configure").splitlines()[-1] == "syntax error, expecting <command>."


def test_a_protocol_without_routes_shows_only_the_header_of_the_table(console: Console, full: FullBackend) -> None:
    full.table = [RouteState(ip_network("10.255.0.1/32"), "Direct", None, "lo0.0", 0, 7)]
    head = "inet.0: 1 destinations, 1 routes (1 active, 0 holddown, 0 hidden)"
    assert console.type("show route protocol bgp") == f"\n{head}"
    assert console.type("show route table inet6.0") == ""
    assert console.type("show route 192.0.2.1") == ""
    assert head in console.type("show route protocol direct")


def test_interfaces_show_family_mpls(console: Console, full: FullBackend) -> None:
    full.ports = [InterfaceState("ge-0/0/0", admin_up=True, link_up=True)]
    ports = "set interfaces ge-0/0/0 unit 0 family"
    commit(console, f"{ports} mpls\n{ports} inet address 10.0.0.1/30\nset interfaces ge-0/0/9 unit 0 family mpls")
    shown = console.type("show interfaces terse").splitlines()
    assert shown[2:4] == [
        "ge-0/0/0.0              up    up   inet     10.0.0.1/30",
        f"{'':<35}mpls     ",
    ]
    assert not any("ge-0/0/9" in line for line in shown)


def test_ping_prints_its_results_as_freebsd_does(console: Console, full: FullBackend) -> None:
    full.unanswered = frozenset({1})
    assert console.type("ping 10.0.0.2 count 3").splitlines() == [
        "PING 10.0.0.2 (10.0.0.2): 56 data bytes",
        "64 bytes from 10.0.0.2: icmp_seq=0 ttl=64 time=0.100 ms",
        "64 bytes from 10.0.0.2: icmp_seq=2 ttl=64 time=0.300 ms",
        "",
        "--- 10.0.0.2 ping statistics ---",
        "3 packets transmitted, 2 packets received, 33% packet loss",
        "round-trip min/avg/max/stddev = 0.100/0.200/0.300/0.100 ms",
    ]


def test_a_rapid_ping_prints_one_mark_for_each_packet(console: Console, full: FullBackend) -> None:
    full.unanswered = frozenset(range(3))
    assert console.type("ping 10.0.0.2 rapid").splitlines()[:2] == [
        "PING 10.0.0.2 (10.0.0.2): 56 data bytes",
        "...!!",
    ]
    assert full.pings[-1] == (ip_address("10.0.0.2"), 5, None, 0.01)
    full.unanswered = frozenset(range(5))
    assert console.type("ping 10.0.0.2 count 5 rapid").splitlines()[1:] == [
        ".....",
        "--- 10.0.0.2 ping statistics ---",
        "5 packets transmitted, 0 packets received, 100% packet loss",
    ]


def test_the_output_of_ping_goes_through_pipes(console: Console) -> None:
    assert console.type("ping 10.0.0.2 count 2 | match seq=1") == (
        "64 bytes from 10.0.0.2: icmp_seq=1 ttl=64 time=0.200 ms"
    )
    assert console.type("ping 10.0.0.2 count 2").count("seq=") == 2


def test_exit_and_quit_are_not_completed_from_a_single_letter(console: Console) -> None:
    assert console.cli.complete("q", tab=False) == ""
    assert console.cli.complete("q", tab=True) is None
    assert console.cli.complete("qu", tab=False) == "it"
    assert console.cli.complete("ex", tab=True) == "it "
    assert any(line.split()[0] == "quit" for line in console.cli.help_text("q")[1:])


def test_the_log_has_the_messages_that_junos_engineers_search_for(console: Console, full: FullBackend) -> None:
    commit(console, BGP)
    assert full.on_event is not None
    peer, ldp = ip_address("10.0.0.2"), ip_address("10.255.0.2")
    events = [
        RouterEvent(EventKind.SESSION_UP, "bgp", peer),
        RouterEvent(EventKind.SESSION_UP, "ldp", ldp),
        RouterEvent(EventKind.KEY_CHANGE, "bgp", peer, outgoing=True, old_key=0, key=1),
        RouterEvent(EventKind.AUTH_FAILURE, "bgp", peer, reason="bad-mac", outgoing=False, count=3),
        RouterEvent(EventKind.SESSION_DOWN, "bgp", peer, reason="HoldTime"),
        RouterEvent(EventKind.SESSION_DOWN, "ldp", ldp, reason="connection lost"),
    ]
    console.runner.run(_send(full, events))
    console.settle()
    shown = console.type("show log messages")
    typed = console.type("show log interactive-commands").splitlines()
    assert "Jan  1 00:00:00  R1 mgd: UI_CMDLINE_READ_LINE: User 'admin', command 'show log messages '" in typed
    for text in (
        "rpd: RPD_BGP_NEIGHBOR_STATE_CHANGED: BGP peer 10.0.0.2 (External AS 65002) changed state from OpenConfirm",
        "OpenConfirm to Established (event RecvKeepAlive) (instance master)",
        "changed state from Established to Idle (event HoldTime) (instance master)",
        "rpd: RPD_LDP_SESSIONUP: LDP session 10.255.0.2 is up",
        "rpd: RPD_LDP_SESSIONDOWN: LDP session 10.255.0.2 is down, reason: connection lost",
        "kernel: tcp_ao: bgp 10.0.0.2: key sent changed from 0 to 1",
        "kernel: tcp_ao: bgp 10.0.0.2: 3 segments received dropped: bad-mac",
        "mgd: UI_COMMIT: User 'admin' requested 'commit' operation (comment: none) via cli",
    ):
        assert text in shown
    assert set(shown.splitlines()) | set(typed) <= set(console.log)
    console.type("clear log messages")
    assert "RPD_BGP" not in console.type("show log messages")


def test_a_session_of_an_unknown_neighbour_is_logged_without_its_type(console: Console, full: FullBackend) -> None:
    console.runner.run(_send(full, [RouterEvent(EventKind.SESSION_UP, "bgp", ip_address("10.0.0.9"))]))
    assert "BGP peer 10.0.0.9 changed state from OpenConfirm" in console.type("show log messages")


async def _send(full: FullBackend, events: list[RouterEvent]) -> None:
    assert full.on_event is not None
    for event in events:
        full.on_event(event)


def test_ldp_session_is_shown_by_its_address(console: Console, full: FullBackend) -> None:
    commit(console, BGP)
    first = LdpSession(
        IPv4Address("10.255.0.2"), IPv4Address("10.255.0.2"), IPv4Address("10.255.0.1"), "Operational", None, 5, 10, 30
    )
    full.sessions = [first]
    assert len(console.type("show ldp session 10.255.0.2").splitlines()) == 2
    assert len(console.type("show ldp session 10.255.0.3").splitlines()) == 1
    assert "Hold time: 30" in console.type("show ldp session 10.255.0.2 detail")


def test_the_first_commands_of_ansible_are_accepted(console: Console) -> None:
    assert console.type("set cli timestamp disable") == "CLI timestamp disabled"
    assert console.type("set cli screen-length 0") == "Screen length set to 0"
    assert console.type("set cli screen-width 1024") == "Screen width set to 1024"
    assert console.type("set cli idle-timeout 0") == "Idle timeout disabled"
