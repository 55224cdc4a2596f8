"""Configuring a router: its candidate, its commits, and what follows a refusal."""

from __future__ import annotations

import logging

import pytest
from tests.unit.junos.conftest import Device

from keyroll.junos.errors import (
    CommitError,
    ConfigurationError,
    SessionDeadlineError,
)
from keyroll.junos.exchange import Deadlines, Exchange
from keyroll.junos.session import RouterSession

SECRET_LINE = "set security authentication-key-chains key-chain c key 0 secret Kj8sWq2LmZ"


def test_lines_are_configured_compared_and_committed(device: Device) -> None:
    with RouterSession(device.target()) as session:
        assert session.compare() == ""
        session.configure(["set system host-name R1", "delete system foo"])
        diff = session.compare()
        session.commit("two lines")
        assert session.compare() == ""
    assert "+  host-name R1;" in diff
    assert "$9$" not in diff
    assert device.received[-9:] == [
        "set system host-name R1", "delete system foo", "show | compare", 'commit comment "two lines"',
        "exit configuration-mode", "configure", "show | compare", "exit configuration-mode", "exit",
    ]  # fmt: skip
    assert not device.dirty


def test_a_refused_line_is_named_and_the_candidate_is_rolled_back(device: Device) -> None:
    line = "set system hst-name R1"
    device.refusals[line] = f"{' ' * 20}^\nsyntax error."
    with RouterSession(device.target()) as session, pytest.raises(ConfigurationError) as caught:
        session.configure(["set system services ssh", line, "set system never sent"])
    assert f"R1 refused '{line}': syntax error." in str(caught.value)
    assert caught.value.line == line
    assert not device.dirty
    assert "set system never sent" not in device.received
    assert device.received[-3:] == ["rollback 0", "exit configuration-mode", "exit"]


def test_an_unknown_answer_to_a_statement_is_a_refusal_and_a_warning_is_not(device: Device) -> None:
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
def test_a_refused_commit_has_the_routers_message_and_the_candidate_is_rolled_back(device: Device, step: str) -> None:
    device.commit_reply = device.check_reply = COMMIT_FAILED
    with RouterSession(device.target()) as session:
        session.configure(["set system host-name R1"])
        with pytest.raises(CommitError) as caught:
            getattr(session, step)()
    assert "Referenced key-chain must be defined" in str(caught.value)
    assert caught.value.words.startswith("[edit protocols bgp group G neighbor 10.0.0.2]")
    assert not device.dirty
    assert "rollback 0" in device.received


def test_a_licence_warning_inside_a_commit_is_not_a_failure(device: Device) -> None:
    device.commit_reply = "[edit protocols]\n  'bgp'\n    warning: requires 'bgp' license\ncommit complete"
    with RouterSession(device.target()) as session:
        session.configure(["set system host-name R1"])
        assert "warning" in session.commit().raw


def test_a_commit_that_renames_the_router_succeeds(device: Device) -> None:
    def renamed(device: Device, _line: str) -> str:
        device.host = "R9"
        return "done"

    device.replies["request rename"] = renamed
    with RouterSession(device.target()) as session:
        session.show("request rename")
        session.configure(["set system host-name R9"])
        session.commit()


def test_a_candidate_with_changes_of_another_user_is_left_unchanged(device: Device) -> None:
    device.dirty = True
    with RouterSession(device.target()) as session, pytest.raises(ConfigurationError, match="not committed"):
        session.configure(["set system host-name R1"])
    assert device.dirty
    assert "set system host-name R1" not in device.received


LOCKED = "error: configuration database locked by:\n  admin\n      exclusive [edit]"


def test_a_configuration_that_another_login_has_locked_can_be_changed_later(device: Device) -> None:
    device.refusals |= {SECRET_LINE: LOCKED, "rollback 0": LOCKED}
    with RouterSession(device.target()) as session:
        with pytest.raises(ConfigurationError, match="configuration database locked by"):
            session.configure([SECRET_LINE])
        assert "rollback 0" not in device.received, "no line has reached the candidate"
        device.refusals.clear()
        session.configure([SECRET_LINE])
        session.commit()


def test_a_candidate_that_cannot_be_rolled_back_is_reported_once(device: Device) -> None:
    device.refusals |= {SECRET_LINE: "syntax error", "rollback 0": "error: no such rollback"}
    with RouterSession(device.target()) as session:
        with pytest.raises(ConfigurationError, match="its candidate could not be rolled back"):
            session.configure([SECRET_LINE])
        assert device.received.count("rollback 0") == 1
        device.refusals.clear()


def test_a_second_login_locks_the_configuration_until_it_leaves(device: Device) -> None:
    with RouterSession(device.target()) as session:
        holder = session.another()
        holder.connect()
        holder.lock()
        holder.discard()
        holder.close()
    assert device.received.index("configure exclusive") < device.received.index("exit configuration-mode")


def test_closing_a_session_rolls_back_only_its_own_changes(device: Device) -> None:
    with RouterSession(device.target()) as session:
        session.configure(["set system host-name R1"])
    assert not device.dirty
    device.dirty = True
    with RouterSession(device.target()) as session:
        assert "host-name" in session.compare()
    assert device.dirty


def test_a_show_command_during_configuration_does_not_change_the_candidate(device: Device) -> None:
    device.replies["show system alarms"] = "none"
    with RouterSession(device.target()) as session:
        session.configure(["set system host-name R1"])
        assert session.show("show system alarms").raw == "none"
        assert device.dirty
        session.commit()
    assert "run show system alarms" in device.received


def test_secrets_are_sent_to_the_router_and_appear_nowhere_else(
    device: Device, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
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
    assert SECRET_LINE in device.received
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
