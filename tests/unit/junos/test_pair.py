"""Two routers controlled together, and a change that is made on both or on neither."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from tests.unit.junos.conftest import Device

from keyroll.junos.errors import CommitError, ConfigurationError, SessionError
from keyroll.junos.exchange import Deadlines
from keyroll.junos.pair import Draft, Pair
from keyroll.junos.session import RouterSession

LINES = {"R1": ["set system location building A"], "R2": ["set system location building B"]}
DRAFTS = {name: Draft.of(lines, comment="together") for name, lines in LINES.items()}
REFUSED = "error: commit failed: (statements constraint check failed)"


@pytest.fixture
def devices(make_device: Callable[..., Device]) -> tuple[Device, Device]:
    return make_device(host="R1"), make_device(host="R2")


def pair_of(devices: tuple[Device, Device], **options: Any) -> Pair[Any]:
    return Pair({device.host: RouterSession(device.target(), **options) for device in devices})


def test_both_routers_are_queried_at_the_same_time(devices: tuple[Device, Device]) -> None:
    both_queried = threading.Barrier(2, timeout=60)

    def wait_for_both(device: Device, _line: str) -> str:
        both_queried.wait()
        return f"I am {device.host}"

    for device in devices:
        device.replies["show system alarms"] = wait_for_both
    with pair_of(devices) as pair:
        answers = pair.at_once(lambda session: session.show("show system alarms").raw)
    assert answers == {"R1": "I am R1", "R2": "I am R2"}


def test_a_change_is_committed_on_both_and_returns_the_differences(devices: tuple[Device, Device]) -> None:
    with pair_of(devices) as pair:
        changes = pair.change(DRAFTS)
    assert set(changes) == {"R1", "R2"}
    assert "host-name" in changes["R1"].diff
    assert 'commit comment "together"' in devices[1].received


def test_a_stated_order_is_kept(devices: tuple[Device, Device]) -> None:
    times = []
    with pair_of(
        devices, recorder=lambda e: times.append((e.command.split(maxsplit=1)[0], e.host, e.start, e.end))
    ) as pair:
        pair.change(DRAFTS, order=["R2", "R1"])
    first, second = [entry for entry in times if entry[0] == "commit"][-2:]
    assert (first[1], second[1]) == ("R2", "R1")
    assert first[3] <= second[2]


def test_a_refused_line_on_one_changes_neither(devices: tuple[Device, Device]) -> None:
    devices[1].refusals[LINES["R2"][0]] = "syntax error."
    with pair_of(devices) as pair, pytest.raises(ConfigurationError, match="R2 refused"):
        pair.change(DRAFTS)
    assert not devices[0].dirty
    assert not devices[1].dirty
    assert not any(line.startswith("commit") for device in devices for line in device.received)


def test_a_refused_check_on_one_changes_neither(devices: tuple[Device, Device]) -> None:
    devices[0].check_reply = REFUSED
    with pair_of(devices) as pair, pytest.raises(CommitError, match="R1 refused 'commit check'"):
        pair.change(DRAFTS)
    assert not devices[1].dirty
    assert not any(line.startswith("commit comment") for line in devices[1].received)


@pytest.mark.parametrize("order", [None, ["R1", "R2"]])
def test_a_commit_refused_by_one_is_rolled_back_on_the_other(
    devices: tuple[Device, Device], order: list[str] | None
) -> None:
    devices[1].commit_reply = REFUSED
    with pair_of(devices) as pair, pytest.raises(CommitError, match="R2 refused 'commit"):
        pair.change(DRAFTS, order=order)
    received = devices[0].received
    assert received[received.index("rollback 1") + 1].startswith("commit comment")
    assert not devices[0].dirty
    assert not devices[1].dirty
    assert "rollback 1" not in devices[1].received


def test_commits_and_rollbacks_are_reported_as_they_happen(devices: tuple[Device, Device]) -> None:
    events: list[object] = []
    devices[1].commit_reply = REFUSED
    with pair_of(devices) as pair, pytest.raises(CommitError):
        pair.change(
            DRAFTS,
            order=["R1", "R2"],
            between=lambda: events.append("between"),
            committed=lambda name, begun, done: events.append((name, "committed", begun < done)),
            taken_back=lambda name, begun, done: events.append((name, "taken back", begun < done)),
        )
    assert events == [("R1", "committed", True), "between", ("R1", "taken back", True)]


def test_a_draft_can_be_an_earlier_configuration_that_must_be_confirmed(devices: tuple[Device, Device]) -> None:
    draft = Draft(lambda session: session.rollback(2), confirmed_minutes=3)
    with pair_of(devices) as pair:
        pair.change({"R2": draft})
    received = devices[1].received
    assert received.index("rollback 2") < received.index("commit confirmed 3")
    assert "commit check" not in received
    assert "configure" not in devices[0].received


def test_a_failure_of_both_routers_is_reported_for_both(devices: tuple[Device, Device]) -> None:
    for device in devices:
        device.refusals[LINES[device.host][0]] = "syntax error."
    with pair_of(devices) as pair, pytest.raises(ConfigurationError, match="R1 refused") as caught:
        pair.change(DRAFTS)
    assert any("R2 refused" in note for note in caught.value.__notes__)


def test_a_router_that_cannot_be_reached_ends_the_session_to_the_other(
    devices: tuple[Device, Device], quick: Deadlines
) -> None:
    devices[1].stop_listening()
    pair = pair_of(devices, deadlines=quick)
    try:
        with pytest.raises(SessionError, match="R2"), pair:
            pass
    finally:
        devices[1].listen_again()
    with pytest.raises(SessionError, match="no SSH session"):
        pair.sessions["R1"].show("show version")


def test_an_unknown_router_is_a_key_error(devices: tuple[Device, Device]) -> None:
    with pair_of(devices) as pair, pytest.raises(KeyError, match="no session to R3"):
        pair.at_once(lambda session: session.name, ["R3"])
