"""Sessions with a router: what is sent and recorded, and how a lost session is opened again."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from datetime import UTC
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from tests.unit.junos.conftest import Device
from tests.unit.junos.uptime import T0, UPTIME
from tests.unit.known import known

from keyroll.junos.errors import (
    CommandError,
    ConfigurationError,
    OutputError,
    SessionDeadlineError,
    SessionError,
)
from keyroll.junos.exchange import Deadlines, Exchange
from keyroll.junos.records import BgpSummary, SystemUptime
from keyroll.junos.session import RouterSession
from keyroll.keychain.secret import Secret

PEER = IPv4Address("10.0.0.2")
GOLDEN = Path(__file__).parent / "golden"


def test_a_show_command_gives_its_raw_text_and_its_record(device: Device) -> None:
    device.replies["show system uptime"] = UPTIME.format(now=T0)
    records: list[Exchange] = []
    with RouterSession(device.target(), recorder=records.append) as session:
        exchange = session.show("show system uptime")
    assert exchange.parsed_as(SystemUptime).current == T0
    assert exchange.raw.startswith("Current time: 2030-01-01 00:00:00 UTC\nTime Source")
    assert exchange.raw.endswith("by admin")
    assert records == [exchange]
    assert exchange.start <= exchange.end
    assert exchange.start.tzinfo is UTC


@pytest.mark.parametrize("secret", ["0", "I", "76"])
def test_a_secret_that_also_occurs_as_plain_text_is_redacted_only_after_parsing(device: Device, secret: str) -> None:
    device.replies["show bgp summary"] = (GOLDEN / "real" / "bgp_summary_mx_20.4.raw").read_text(encoding="utf-8")
    with RouterSession(device.target(), secrets=[Secret(secret)]) as session:
        exchange = session.show("show bgp summary")
    assert exchange.parsed_as(BgpSummary).peers[0].flaps == 0
    assert not re.search(rf"(?<![\w-]){secret}(?![\w-])", exchange.raw)


def test_a_command_without_a_template_is_not_parsed(device: Device) -> None:
    device.replies["show system alarms"] = "No alarms currently active"
    with RouterSession(device.target()) as session:
        exchange = session.show("show system alarms")
    assert (exchange.raw, exchange.parsed) == ("No alarms currently active", None)


def test_an_empty_answer_is_empty(device: Device) -> None:
    device.replies["show security keychain nothing"] = ""
    with RouterSession(device.target()) as session:
        assert session.show("show security keychain nothing").raw == ""


def test_a_root_login_that_starts_in_the_shell_starts_the_cli(make_device: Callable[..., Device]) -> None:
    device = make_device(user="root", start_in_shell=True)
    device.replies["show system alarms"] = "none"
    with RouterSession(device.target()) as session:
        assert session.show("show system alarms").raw == "none"


@pytest.mark.parametrize("user", ["admin", "root"])
def test_a_slow_login_with_a_banner_that_looks_like_a_prompt_succeeds(
    make_device: Callable[..., Device], user: str
) -> None:
    device = make_device(user=user, start_in_shell=user == "root")
    device.banner = "### Authorised use only -> 100% watched, $ fines ###\nadmin@elsewhere> \nroot@old# \n"
    device.login_delay = 0.7
    device.replies["show system alarms"] = "none"
    with RouterSession(device.target()) as session:
        for _ in range(3):
            assert session.show("show system alarms").raw == "none"


def test_a_login_without_a_junos_prompt_is_an_error(device: Device) -> None:
    device.banner, device.login_delay = "Welcome to something else\n> ", 60
    with pytest.raises(SessionError, match=r"no Junos prompt within 1 s after the login"):
        RouterSession(device.target(), deadlines=Deadlines(connect=1)).connect()


def test_a_router_that_hangs_up_at_login_is_named(device: Device) -> None:
    device.drop_on = "set cli complete-on-space off"
    with pytest.raises(SessionError, match="lost while logging in"):
        RouterSession(device.target()).connect()


def test_a_large_answer_is_complete(device: Device) -> None:
    lines = [f"line {number} of a long answer, with a > and a # in it" for number in range(20_000)]
    device.replies["show log messages"] = "\n".join(lines)
    with RouterSession(device.target()) as session:
        assert session.show("show log messages").raw == "\n".join(lines)


def test_a_refused_command_names_the_router_the_command_and_the_answer(device: Device) -> None:
    records: list[Exchange] = []
    with RouterSession(device.target(), recorder=records.append) as session, pytest.raises(CommandError) as caught:
        session.show("show nonsense")
    assert "R1" in str(caught.value)
    assert "'show nonsense'" in str(caught.value)
    assert "unknown command." in str(caught.value)
    assert records[-1].error == str(caught.value)


def test_unreadable_output_is_an_error_that_keeps_the_raw_text_and_is_recorded(device: Device) -> None:
    device.replies["show bgp summary"] = "Gruppen: 2"
    records: list[Exchange] = []
    with RouterSession(device.target(), recorder=records.append) as session, pytest.raises(OutputError) as caught:
        session.show("show bgp summary")
    assert caught.value.raw == "Gruppen: 2"
    assert "'Gruppen: 2'" in str(caught.value)
    assert (records[-1].raw, records[-1].parsed) == ("Gruppen: 2", None)
    assert "unknown line" in known(records[-1].error)


def test_a_wrong_password_is_reported_without_being_shown(device: Device) -> None:
    with pytest.raises(SessionError, match="refused user or password") as caught:
        RouterSession(device.target(password="wrong-one")).connect()
    assert "wrong-one" not in repr(vars(caught.value))
    assert caught.value.__context__ is None


def test_a_closed_port_is_a_named_error(device: Device, quick: Deadlines) -> None:
    device.stop_listening()
    try:
        with pytest.raises(SessionError, match=r"R1 \(admin@127\.0\.0\.1:\d+\): TCP connection to device failed"):
            RouterSession(device.target(), deadlines=quick).connect()
    finally:
        device.listen_again()


def test_a_missing_prompt_is_an_error_with_the_last_output_and_the_session_is_not_used_again(
    device: Device, quick: Deadlines
) -> None:
    device.hang_on = "show system alarms"
    device.replies["show system uptime"] = UPTIME.format(now=T0)
    with RouterSession(device.target(), deadlines=quick) as session:
        with pytest.raises(SessionDeadlineError, match=r"no prompt within 1\.5 s after 'show system alarms'"):
            session.show("show system alarms")
        with pytest.raises(SessionError, match="cannot be used any more"):
            session.clock()
        session.reconnect()
        assert session.clock() == T0


def is_dirty(device: Device) -> bool:
    """Return the current value: mypy would assume that it is still as at the last assertion."""
    return device.dirty


def test_a_lost_session_is_named_and_its_changes_are_rolled_back_on_reconnect(device: Device) -> None:
    device.drop_on = "set system location building X"
    with RouterSession(device.target()) as session:
        with pytest.raises(SessionError, match="lost at"):
            session.configure(["set system host-name R1", device.drop_on])
        assert is_dirty(device)
        session.reconnect()
        assert not is_dirty(device)
        session.configure(["set system host-name R1"])
        session.commit()


def test_reconnecting_waits_for_a_router_that_boots(device: Device) -> None:
    device.replies["show system alarms"] = "none"
    with RouterSession(device.target()) as session:
        device.stop_listening()
        timer = threading.Timer(0.6, device.listen_again)
        timer.start()
        session.reconnect(within=10)
        timer.join()
        assert session.show("show system alarms").raw == "none"


def test_a_router_that_does_not_come_back_is_named_with_the_last_reason(device: Device) -> None:
    with RouterSession(device.target()) as session:
        device.stop_listening()
        try:
            with pytest.raises(
                SessionDeadlineError, match=r"no session within 0\.5 s; the last attempt: .*TCP connection"
            ):
                session.reconnect(within=0.5)
        finally:
            device.listen_again()


def test_a_reboot_is_requested_confirmed_and_awaited(device: Device) -> None:
    device.replies["show system alarms"] = "none"
    with RouterSession(device.target()) as session:
        session.reboot(within=10)
        assert session.show("show system alarms").raw == "none"
    assert device.reboots == 1
    assert device.received.count("yes") == 1


def test_an_edit_level_left_by_the_lines_does_not_prevent_the_rollback(device: Device) -> None:
    device.level_after["edit system services"] = "system services"
    device.refusals["set nonsense"] = "syntax error."
    with RouterSession(device.target()) as session:
        with pytest.raises(ConfigurationError):
            session.configure(["set system location building A", "edit system services", "set nonsense"])
        assert device.received[-3:] == ["top", "rollback 0", "exit configuration-mode"]


@pytest.mark.parametrize(
    ("address", "soft", "command"),
    [(None, False, "clear bgp neighbor all"), (None, True, "clear bgp neighbor soft"),
     (PEER, False, "clear bgp neighbor 10.0.0.2"), (PEER, True, "clear bgp neighbor 10.0.0.2 soft")],
)  # fmt: skip
def test_clear_bgp_sends_the_command_for_its_arguments(
    device: Device, address: IPv4Address | None, soft: bool, command: str
) -> None:
    device.replies[command] = "Cleared 1 connections"
    with RouterSession(device.target()) as session:
        session.clear_bgp(address, soft=soft)
    assert command in device.received


def test_clear_ldp_sends_the_command_for_its_arguments(device: Device) -> None:
    device.replies["clear ldp session 10.0.0.2"] = device.replies["clear ldp session all"] = ""
    with RouterSession(device.target()) as session:
        session.clear_ldp(PEER)
        session.clear_ldp()
    assert device.received.count("clear ldp session all") == 1


@pytest.mark.parametrize("answer", ["BGP is not running", "error: neighbor 10.0.0.2 not found"])
def test_clearing_a_missing_session_is_an_error(device: Device, answer: str) -> None:
    device.replies["clear bgp neighbor 10.0.0.2"] = answer
    with RouterSession(device.target()) as session, pytest.raises(CommandError, match="not "):
        session.clear_bgp(PEER)


@pytest.mark.parametrize(
    "line", ["set system host-name R1\nset x", "show ver\tsion", "x" * 511, " ", "set \x03", "set caf\xe9"]
)
def test_control_characters_are_not_sent(device: Device, line: str) -> None:
    with RouterSession(device.target()) as session:
        before = list(device.received)
        with pytest.raises(ConfigurationError):
            session.show(line)
        assert device.received == before


def test_two_threads_on_one_session_take_turns(device: Device) -> None:
    for number in range(8):
        device.replies[f"show thing {number}"] = f"answer {number}"
    wrong: list[str] = []
    with RouterSession(device.target()) as session:

        def ask(number: int) -> None:
            for _ in range(5):
                raw = session.show(f"show thing {number}").raw
                wrong.extend([raw] if raw != f"answer {number}" else [])

        threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert wrong == []
