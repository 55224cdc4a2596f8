"""netmiko's `juniper_junos` driver with the router over real SSH."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

import pytest
from netmiko import ConnectHandler
from netmiko.juniper.juniper import JuniperSSH

from keyroll.emulator.contract.model import AuthScheme, BgpState
from keyroll.emulator.contract.routing_policy import PolicyAction

if TYPE_CHECKING:
    from tests.unit.emulator.junos.conftest import LiveRouter

PASSWORD = "made-up-for-tests"

BASE = """\
set interfaces ge-0/0/0 unit 0 family inet address 10.0.12.1/30
set interfaces lo0 unit 0 family inet address 10.255.0.1/32
set routing-options router-id 10.255.0.1
set routing-options autonomous-system 65001
set policy-options policy-statement lo term 1 from protocol direct
set policy-options policy-statement lo term 1 from route-filter 10.255.0.0/16 orlonger
set policy-options policy-statement lo term 1 then accept
set protocols bgp group e type external
set protocols bgp group e export lo
set protocols bgp group e neighbor 10.0.12.2 peer-as 65002
set protocols bgp group e neighbor 10.0.12.2 authentication-algorithm ao
set protocols bgp group e neighbor 10.0.12.2 authentication-key-chain new_auth_key
""".splitlines()

CHAIN = """\
set security authentication-key-chains key-chain new_auth_key key 0 secret S0
set security authentication-key-chains key-chain new_auth_key key 0 start-time 2029-12-31.10:00
set security authentication-key-chains key-chain new_auth_key key 0 algorithm ao
set security authentication-key-chains key-chain new_auth_key key 0 ao-attribute send-id 1
set security authentication-key-chains key-chain new_auth_key key 0 ao-attribute recv-id 2
set security authentication-key-chains key-chain new_auth_key key 0 ao-attribute tcp-ao-option enabled
""".splitlines()

ERRORS = r"(syntax error|unknown command|missing argument|invalid value|is not within range|^error:)"


@pytest.fixture(params=["admin", "root"])
def session(request: pytest.FixtureRequest, live: LiveRouter) -> Iterator[JuniperSSH]:
    connection: Any = ConnectHandler(
        device_type="juniper_junos", host="127.0.0.1", port=live.port, username=request.param, password=PASSWORD
    )
    try:
        yield connection
    finally:
        connection.disconnect()


def answer_to(session: JuniperSSH, command: str, expect_string: str | None = None) -> str:
    """Return the answer as text; netmiko's own type also allows parsed answers."""
    answer = session.send_command(command, expect_string=expect_string)
    assert isinstance(answer, str)
    return answer


def test_a_session_is_prepared_and_shows_the_version(session: JuniperSSH) -> None:
    answer = session.send_command("show version")
    assert "Hostname: R1" in answer
    assert "keyroll-emulated" in answer


def test_a_committed_configuration_is_passed_to_the_machine_half(session: JuniperSSH, live: LiveRouter) -> None:
    session.send_config_set(BASE + CHAIN, exit_config_mode=False, error_pattern=ERRORS)
    session.commit(check=True)
    assert not live.backend.intents
    difference = session.send_command("show | compare", expect_string=r"# $")
    assert "+  protocols {" in difference
    session.commit(comment="first", and_quit=True)
    (intent,) = live.backend.intents
    (neighbor,) = intent.neighbors
    assert neighbor.protection is not None
    assert neighbor.protection.scheme is AuthScheme.AO
    (chain,) = intent.chains
    assert chain.keys[0].usable
    assert [str(own.prefix) for own in intent.announce["lo"] if own.action is PolicyAction.ACCEPT] == ["10.255.0.1/32"]
    shown = session.send_command("show configuration security | display set")
    assert 'key 0 start-time "2029-12-31.10:00:00 +0000"' in shown
    assert "S0" not in shown


def test_a_refused_commit_gives_the_reason_and_changes_nothing(session: JuniperSSH, live: LiveRouter) -> None:
    session.send_config_set(BASE, exit_config_mode=False, error_pattern=ERRORS)
    with pytest.raises(ValueError, match="Referenced key-chain must be defined"):
        session.commit()
    assert not live.backend.intents
    session.send_command("rollback 0", expect_string=r"# $")
    assert "+" not in answer_to(session, "show | compare", expect_string=r"# $").splitlines()
    session.exit_config_mode()


def test_a_commit_that_the_machine_half_refuses_changes_nothing(session: JuniperSSH, live: LiveRouter) -> None:
    live.backend.refuse = "bgpd refused 'neighbor 10.0.12.2'"
    session.send_config_set(BASE + CHAIN, exit_config_mode=False)
    with pytest.raises(ValueError, match="bgpd refused"):
        session.commit()
    session.exit_config_mode()
    assert "neighbor" not in session.send_command("show configuration")


def test_every_input_error_is_an_error_in_netmiko(session: JuniperSSH) -> None:
    for line in (
        "set foo",
        "set system host-name",
        "set security authentication-key-chains key-chain c key 64 secret x",
    ):
        with pytest.raises(Exception, match="Invalid input detected"):
            session.send_config_set([line], error_pattern=ERRORS)


def test_set_date_sets_the_clock(session: JuniperSSH, live: LiveRouter) -> None:
    assert "2030" in session.send_command("set date 203001010030.00")
    assert live.backend.clock == datetime(2030, 1, 1, 0, 30, tzinfo=UTC)
    assert "Current time: 2030-01-01 00:30:00 UTC" in session.send_command("show system uptime")


def test_bgp_summary_shows_what_the_machine_half_reads(session: JuniperSSH, live: LiveRouter) -> None:
    session.send_config_set(BASE + CHAIN, exit_config_mode=False)
    session.commit(and_quit=True)
    live.backend.states = [
        BgpState(ip_address("10.0.12.2"), 65002, "Established", 2227, 0, 76, 84, 0, {"inet.0": (1, 1, 1)})
    ]
    answer = session.send_command("show bgp summary")
    assert "10.0.12.2             65002         76         84       0       0       37:07 Establ" in answer
    assert "  inet.0: 1/1/1/0" in answer
    live.backend.unreadable = "bgpd does not answer"
    assert answer_to(session, "show bgp summary").strip() == "error: bgpd does not answer"
    assert "Cleared 1 connections" in session.send_command("clear bgp neighbor 10.0.12.2")
    session.send_command("clear bgp neighbor soft")
    assert live.backend.cleared == [(ip_address("10.0.12.2"), False), (None, True)]


def test_no_secret_is_logged(session: JuniperSSH, live: LiveRouter) -> None:
    session.send_config_set([CHAIN[0].replace("S0", "very-secret-indeed"), *CHAIN[1:]], exit_config_mode=False)
    session.commit(and_quit=True)
    assert live.log
    assert "very-secret-indeed" not in "\n".join(live.log)
    assert "$9$" not in "\n".join(live.log)
