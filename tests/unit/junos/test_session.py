"""Talking to a router: what is sent, what is recorded, and what becomes of a refusal."""

from __future__ import annotations

import logging
import re
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from keyroll.junos.errors import (
    ClockError,
    CommandError,
    CommitError,
    ConfigurationError,
    OutputError,
    SessionDeadlineError,
    SessionError,
)
from keyroll.junos.exchange import Deadlines, Exchange
from keyroll.junos.records import BgpSummary, SystemUptime
from keyroll.junos.session import RouterSession
from keyroll.junos.zone import SHOW_ZONE, zone_of
from keyroll.keychain.secret import Secret

GOLDEN = Path(__file__).parent / "golden"
UPTIME = """\
Current time: {now:%Y-%m-%d %H:%M:%S} UTC
Time Source:  LOCAL CLOCK
System booted: 2029-12-31 23:00:00 UTC (01:00:00 ago)
Protocols started: 2029-12-31 23:00:10 UTC (00:59:50 ago)
Last configured: 2029-12-31 23:30:00 UTC (00:30:00 ago) by admin
"""
T0 = datetime(2030, 1, 1, tzinfo=UTC)
SECRET_LINE = "set security authentication-key-chains key-chain c key 0 secret Kj8sWq2LmZ"


def test_a_show_command_gives_its_raw_text_and_its_record(device):
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
def test_a_secret_that_stands_in_innocent_places_hides_what_is_kept_and_not_what_is_read(device, secret):
    device.replies["show bgp summary"] = (GOLDEN / "real" / "bgp_summary_mx_20.4.raw").read_text(encoding="utf-8")
    with RouterSession(device.target(), secrets=[Secret(secret)]) as session:
        exchange = session.show("show bgp summary")
    assert exchange.parsed_as(BgpSummary).peers[0].flaps == 0
    assert not re.search(rf"(?<![\w-]){secret}(?![\w-])", exchange.raw)


def test_a_command_without_a_template_is_not_parsed(device):
    device.replies["show system alarms"] = "No alarms currently active"
    with RouterSession(device.target()) as session:
        exchange = session.show("show system alarms")
    assert (exchange.raw, exchange.parsed) == ("No alarms currently active", None)


def test_an_empty_answer_is_empty(device):
    device.replies["show security keychain nothing"] = ""
    with RouterSession(device.target()) as session:
        assert session.show("show security keychain nothing").raw == ""


def test_a_root_login_that_lands_in_the_shell_goes_on_to_the_cli(make_device):
    device = make_device(user="root", start_in_shell=True)
    device.replies["show system alarms"] = "none"
    with RouterSession(device.target()) as session:
        assert session.show("show system alarms").raw == "none"


@pytest.mark.parametrize("user", ["admin", "root"])
def test_a_login_that_is_slow_and_greets_with_prompt_like_text(make_device, user):
    device = make_device(user=user, start_in_shell=user == "root")
    device.banner = "### Authorised use only -> 100% watched, $ fines ###\nadmin@elsewhere> \nroot@old# \n"
    device.login_delay = 0.7
    device.replies["show system alarms"] = "none"
    with RouterSession(device.target()) as session:
        for _ in range(3):
            assert session.show("show system alarms").raw == "none"


def test_what_greets_without_a_prompt_is_no_junos_router(device):
    device.banner, device.login_delay = "Welcome to something else\n> ", 60
    with pytest.raises(SessionError, match=r"no Junos prompt within 1 s after the login"):
        RouterSession(device.target(), deadlines=Deadlines(connect=1)).connect()


def test_a_router_that_hangs_up_at_login_is_named(device):
    device.drop_on = "set cli complete-on-space off"
    with pytest.raises(SessionError, match="lost while logging in"):
        RouterSession(device.target()).connect()


def test_a_large_answer_comes_whole(device):
    lines = [f"line {number} of a long answer, with a > and a # in it" for number in range(20_000)]
    device.replies["show log messages"] = "\n".join(lines)
    with RouterSession(device.target()) as session:
        assert session.show("show log messages").raw == "\n".join(lines)


def test_a_refused_command_says_who_what_and_in_whose_words(device):
    records: list[Exchange] = []
    with RouterSession(device.target(), recorder=records.append) as session, pytest.raises(CommandError) as caught:
        session.show("show nonsense")
    assert "R1" in str(caught.value)
    assert "'show nonsense'" in str(caught.value)
    assert "unknown command." in str(caught.value)
    assert records[-1].error == str(caught.value)


def test_unreadable_output_is_an_error_that_keeps_the_raw_text_and_is_recorded(device):
    device.replies["show bgp summary"] = "Gruppen: 2"
    records: list[Exchange] = []
    with RouterSession(device.target(), recorder=records.append) as session, pytest.raises(OutputError) as caught:
        session.show("show bgp summary")
    assert caught.value.raw == "Gruppen: 2"
    assert "'Gruppen: 2'" in str(caught.value)
    assert (records[-1].raw, records[-1].parsed) == ("Gruppen: 2", None)
    assert "unknown line" in records[-1].error


def test_lines_are_configured_compared_and_committed(device):
    with RouterSession(device.target()) as session:
        assert session.compare() == ""
        session.configure(["set system host-name R1", "delete system foo"])
        diff = session.compare()
        session.commit("two lines")
        assert session.compare() == ""
    assert "+  host-name R1;" in diff
    assert "$9$" not in diff
    assert device.heard[-9:] == [
        "set system host-name R1", "delete system foo", "show | compare", 'commit comment "two lines"',
        "exit configuration-mode", "configure", "show | compare", "exit configuration-mode", "exit",
    ]  # fmt: skip
    assert not device.dirty


def test_a_refused_line_is_named_and_the_candidate_put_back(device):
    line = "set system hst-name R1"
    device.refusals[line] = f"{' ' * 20}^\nsyntax error."
    with RouterSession(device.target()) as session, pytest.raises(ConfigurationError) as caught:
        session.configure(["set system services ssh", line, "set system never sent"])
    assert f"R1 refused '{line}': syntax error." in str(caught.value)
    assert caught.value.line == line
    assert not device.dirty
    assert "set system never sent" not in device.heard
    assert device.heard[-3:] == ["rollback 0", "exit configuration-mode", "exit"]


def test_an_unknown_answer_to_a_statement_is_a_refusal_and_a_warning_is_not(device):
    device.refusals["delete system none"] = "warning: statement not found"
    device.refusals["set system odd 1"] = "Something new"
    with RouterSession(device.target()) as session:
        assert session.configure(["delete system none"]).raw == "warning: statement not found"
        with pytest.raises(ConfigurationError, match="Something new"):
            session.configure(["set system odd 1"])


COMMIT_FAILED = """\
[edit protocols bgp group G neighbor 10.0.0.2]
  'authentication-key-chain c'
    Referenced key-chain must be defined
error: commit failed: (statements constraint check failed)
"""


@pytest.mark.parametrize("step", ["commit", "commit_check"])
def test_a_refused_commit_is_in_the_routers_words_and_the_candidate_put_back(device, step):
    device.commit_reply = device.check_reply = COMMIT_FAILED
    with RouterSession(device.target()) as session:
        session.configure(["set system host-name R1"])
        with pytest.raises(CommitError) as caught:
            getattr(session, step)()
    assert "Referenced key-chain must be defined" in str(caught.value)
    assert caught.value.words.startswith("[edit protocols bgp group G neighbor 10.0.0.2]")
    assert not device.dirty
    assert "rollback 0" in device.heard


def test_a_licence_warning_inside_a_commit_is_no_failure(device):
    device.commit_reply = "[edit protocols]\n  'bgp'\n    warning: requires 'bgp' license\ncommit complete"
    with RouterSession(device.target()) as session:
        session.configure(["set system host-name R1"])
        assert "warning" in session.commit().raw


def test_a_commit_that_renames_the_router_is_understood(device):
    def renamed(device, _line):
        device.host = "R9"
        return "done"

    device.replies["request rename"] = renamed
    with RouterSession(device.target()) as session:
        session.show("request rename")
        session.configure(["set system host-name R9"])
        session.commit()


def test_a_candidate_with_someone_elses_changes_is_left_alone(device):
    device.dirty = True
    with RouterSession(device.target()) as session, pytest.raises(ConfigurationError, match="not committed"):
        session.configure(["set system host-name R1"])
    assert device.dirty
    assert "set system host-name R1" not in device.heard


LOCKED = "error: configuration database locked by:\n  admin\n      exclusive [edit]"


def test_a_configuration_that_another_login_has_locked_is_left_alone_and_can_be_changed_later(device):
    device.refusals |= {SECRET_LINE: LOCKED, "rollback 0": LOCKED}
    with RouterSession(device.target()) as session:
        with pytest.raises(ConfigurationError, match="configuration database locked by"):
            session.configure([SECRET_LINE])
        assert "rollback 0" not in device.heard, "nothing of it is in the candidate"
        device.refusals.clear()
        session.configure([SECRET_LINE])
        session.commit()


def test_a_candidate_that_cannot_be_rolled_back_is_said_once(device):
    device.refusals |= {SECRET_LINE: "syntax error", "rollback 0": "error: no such rollback"}
    with RouterSession(device.target()) as session:
        with pytest.raises(ConfigurationError, match="its candidate could not be rolled back"):
            session.configure([SECRET_LINE])
        assert device.heard.count("rollback 0") == 1
        device.refusals.clear()


def test_a_second_login_locks_the_configuration_until_it_leaves(device):
    with RouterSession(device.target()) as session:
        holder = session.another()
        holder.connect()
        holder.lock()
        holder.discard()
        holder.close()
    assert device.heard.index("configure exclusive") < device.heard.index("exit configuration-mode")


def test_leaving_takes_back_only_ones_own_changes(device):
    with RouterSession(device.target()) as session:
        session.configure(["set system host-name R1"])
    assert not device.dirty
    device.dirty = True
    with RouterSession(device.target()) as session:
        assert "host-name" in session.compare()
    assert device.dirty


def test_a_look_during_configuration_does_not_touch_the_candidate(device):
    device.replies["show system alarms"] = "none"
    with RouterSession(device.target()) as session:
        session.configure(["set system host-name R1"])
        assert session.show("show system alarms").raw == "none"
        assert device.dirty
        session.commit()
    assert "run show system alarms" in device.heard


def test_secrets_are_nowhere_but_on_the_router(device, caplog, capfd):
    caplog.set_level(logging.DEBUG)
    logging.getLogger("netmiko").setLevel(logging.DEBUG)
    refused = SECRET_LINE.replace("key 0", "key 99")
    device.refusals[refused] = "Value 99 is not within range (0..63) near 'Kj8sWq2LmZ'"
    device.replies["show configuration security"] = 'secret "$9$kP5FCA0O1hqm6ApBSy"; ## SECRET-DATA\nsecret Kj8sWq2LmZ;'
    records: list[Exchange] = []
    with RouterSession(device.target(), recorder=records.append) as session:
        session.configure([SECRET_LINE])
        session.commit()
        session.show("show configuration security")
        assert "$9$kP5" in session.ask_secret("show configuration security")
        with pytest.raises(ConfigurationError) as caught:
            session.configure([refused])
        device.hang_on = SECRET_LINE
        session.deadlines = Deadlines(answer=0.5)
        with pytest.raises(SessionDeadlineError) as silent:
            session.configure([SECRET_LINE])
    assert SECRET_LINE in device.heard
    everywhere = [repr(records), "".join(f"{record.command}{record.raw}{record.error}" for record in records)]
    everywhere += [caplog.text, *capfd.readouterr()]
    for error in (caught.value, silent.value):
        everywhere += [
            str(error),
            repr(vars(error)),
            *(repr(vars(e)) for e in (error.__cause__, error.__context__) if e),
        ]
    for text in everywhere:
        for secret in ("Kj8sWq2LmZ", "$9$", "lab-password-1"):
            assert secret not in text


def test_a_wrong_password_is_said_without_saying_it(device):
    with pytest.raises(SessionError, match="refused user or password") as caught:
        RouterSession(device.target(password=Secret("wrong-one"))).connect()
    assert "wrong-one" not in repr(vars(caught.value))
    assert caught.value.__context__ is None


def test_nobody_listening_is_a_named_error(device, quick):
    device.stop_listening()
    try:
        with pytest.raises(SessionError, match=r"R1 \(admin@127\.0\.0\.1:\d+\): TCP connection to device failed"):
            RouterSession(device.target(), deadlines=quick).connect()
    finally:
        device.listen_again()


def test_silence_is_an_error_with_what_was_seen_last_and_the_session_is_not_trusted_again(device, quick):
    device.hang_on = "show system alarms"
    device.replies["show system uptime"] = UPTIME.format(now=T0)
    with RouterSession(device.target(), deadlines=quick) as session:
        with pytest.raises(SessionDeadlineError, match=r"no prompt within 1\.5 s after 'show system alarms'"):
            session.show("show system alarms")
        with pytest.raises(SessionError, match="cannot be used any more"):
            session.clock()
        session.reconnect()
        assert session.clock() == T0


def test_a_lost_session_is_named_and_its_changes_are_taken_back_on_reconnect(device):
    device.drop_on = "set system location building X"
    with RouterSession(device.target()) as session:
        with pytest.raises(SessionError, match="lost at"):
            session.configure(["set system host-name R1", device.drop_on])
        assert device.dirty
        session.reconnect()
        assert not device.dirty
        session.configure(["set system host-name R1"])
        session.commit()


def test_reconnecting_waits_for_a_router_that_boots(device):
    device.replies["show system alarms"] = "none"
    with RouterSession(device.target()) as session:
        device.stop_listening()
        timer = threading.Timer(0.6, device.listen_again)
        timer.start()
        session.reconnect(within=10)
        timer.join()
        assert session.show("show system alarms").raw == "none"


def test_a_router_that_does_not_come_back_is_named_with_the_last_reason(device):
    with RouterSession(device.target()) as session:
        device.stop_listening()
        try:
            with pytest.raises(
                SessionDeadlineError, match=r"no session within 0\.5 s; the last attempt: .*TCP connection"
            ):
                session.reconnect(within=0.5)
        finally:
            device.listen_again()


def test_a_reboot_is_asked_for_confirmed_and_waited_for(device):
    device.replies["show system alarms"] = "none"
    with RouterSession(device.target()) as session:
        session.reboot(within=10)
        assert session.show("show system alarms").raw == "none"
    assert device.reboots == 1
    assert device.heard.count("yes") == 1


def test_a_level_that_lines_went_to_does_not_hinder_the_way_back(device):
    device.level_after["edit system services"] = "system services"
    device.refusals["set nonsense"] = "syntax error."
    with RouterSession(device.target()) as session:
        with pytest.raises(ConfigurationError):
            session.configure(["set system location building A", "edit system services", "set nonsense"])
        assert device.heard[-3:] == ["top", "rollback 0", "exit configuration-mode"]


class Clock:
    """A router's clock that stands still, takes what it is given, or does not."""

    def __init__(self, device, *, ignores: bool = False) -> None:
        self.now, self.ignores = T0, ignores
        device.replies["show system uptime"] = lambda _device, _line: UPTIME.format(now=self.now)
        device.replies[SHOW_ZONE] = ""
        device.replies["set date 203001010031.07"] = self.set

    def set(self, _device, line: str) -> str:
        if not self.ignores:
            self.now = datetime.strptime(line.rsplit(maxsplit=1)[-1], "%Y%m%d%H%M.%S").replace(tzinfo=UTC)
        return self.now.strftime("%a %b %e %H:%M:%S UTC %Y")


def test_the_clock_is_set_and_read_back(device):
    Clock(device)
    with RouterSession(device.target()) as session:
        asked = T0 + timedelta(minutes=31, seconds=7, microseconds=900)
        assert session.set_clock(asked) == T0 + timedelta(minutes=31, seconds=7)


class TestAnotherZone:
    """Junos shows and takes local time; the zone's name stands in the configuration, abbreviations say no instant."""

    def test_the_clock_is_set_in_the_routers_zone_and_read_back(self, device):
        heard: list[str] = []

        def set_date(_device, line):
            heard.append(line)
            return "Sun Mar 31 03:00:00"

        device.replies[SHOW_ZONE] = "time-zone Europe/Berlin;"
        device.replies["set date 203003310300.00"] = set_date
        shown = UPTIME.replace("{now:%Y-%m-%d %H:%M:%S} UTC", "2030-03-31 03:00:00 CEST", 1)
        device.replies["show system uptime"] = shown
        summer = datetime(2030, 3, 31, 1, tzinfo=UTC)
        with RouterSession(device.target()) as session:
            assert session.set_clock(summer) == summer
        assert heard == ["set date 203003310300.00"]

    @pytest.mark.parametrize(("abbreviation", "hour"), [("CEST", 0), ("CET", 1)])
    def test_a_repeated_hour_is_told_apart_by_its_abbreviation(self, device, abbreviation, hour):
        device.replies[SHOW_ZONE] = "time-zone Europe/Berlin;"
        shown = UPTIME.replace("{now:%Y-%m-%d %H:%M:%S} UTC", f"2030-10-27 02:30:00 {abbreviation}", 1)
        device.replies["show system uptime"] = shown
        with RouterSession(device.target()) as session:
            assert session.clock() == datetime(2030, 10, 27, hour, 30, tzinfo=UTC)

    @pytest.mark.parametrize("local", ["2030-03-31 02:30:00 CET", "2030-07-01 12:00:00 CET", "2030-07-01 12:00:00 XYZ"])
    def test_what_the_zone_does_not_have_is_an_error(self, device, local):
        device.replies[SHOW_ZONE] = "time-zone Europe/Berlin;"
        device.replies["show system uptime"] = UPTIME.replace("{now:%Y-%m-%d %H:%M:%S} UTC", local, 1)
        with RouterSession(device.target()) as session, pytest.raises(ClockError, match="does not have"):
            session.clock()

    def test_a_zone_that_this_machine_does_not_know_is_an_error(self):
        with pytest.raises(ClockError, match="Mars/Olympus"):
            zone_of("time-zone Mars/Olympus;")
        assert zone_of("") is UTC


def test_a_clock_that_does_not_move_is_an_error(device):
    Clock(device, ignores=True)
    with (
        RouterSession(device.target()) as session,
        pytest.raises(ClockError, match="set to 2030-01-01 00:31:07 UTC, but"),
    ):
        session.set_clock(T0 + timedelta(minutes=31, seconds=7))


@pytest.mark.parametrize(
    ("address", "soft", "command"),
    [(None, False, "clear bgp neighbor all"), (None, True, "clear bgp neighbor soft"),
     ("10.0.0.2", False, "clear bgp neighbor 10.0.0.2"), ("10.0.0.2", True, "clear bgp neighbor 10.0.0.2 soft")],
)  # fmt: skip
def test_clearing_bgp(device, address, soft, command):
    device.replies[command] = "Cleared 1 connections"
    with RouterSession(device.target()) as session:
        session.clear_bgp(address, soft=soft)
    assert command in device.heard


def test_clearing_ldp(device):
    device.replies["clear ldp session 10.0.0.2"] = device.replies["clear ldp session all"] = ""
    with RouterSession(device.target()) as session:
        session.clear_ldp("10.0.0.2")
        session.clear_ldp()
    assert device.heard.count("clear ldp session all") == 1


@pytest.mark.parametrize("words", ["BGP is not running", "error: neighbor 10.0.0.2 not found"])
def test_clearing_what_is_not_there_is_refused(device, words):
    device.replies["clear bgp neighbor 10.0.0.2"] = words
    with RouterSession(device.target()) as session, pytest.raises(CommandError, match="not "):
        session.clear_bgp("10.0.0.2")


@pytest.mark.parametrize(
    "line", ["set system host-name R1\nset x", "show ver\tsion", "x" * 511, " ", "set \x03", "set caf\xe9"]
)
def test_what_a_terminal_would_act_upon_is_not_sent(device, line):
    with RouterSession(device.target()) as session:
        before = list(device.heard)
        with pytest.raises(ConfigurationError):
            session.show(line)
        assert device.heard == before


def test_two_threads_on_one_session_take_turns(device):
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
