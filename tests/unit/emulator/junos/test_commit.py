"""The forms of commit, rollback, refused commits, and what survives a reboot."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.unit.emulator.junos.conftest import Console, FullBackend

CHAIN = "set security authentication-key-chains key-chain c key 0"


def test_rollback_goes_back_fifty_commits_and_no_further(console: Console) -> None:
    console.type("configure")
    for number in range(60):
        console.type(f"set system host-name R{number}", "commit")
    assert console.type("rollback 49") == "load complete"
    assert "host-name R10;" in console.type("show")
    assert "not within range (0..49)" in console.type("rollback 50")
    assert console.type("rollback", "show | compare") == ""
    assert console.type("show | compare rollback 1").splitlines() == [
        "[edit system]",
        "-  host-name R58;",
        "+  host-name R59;",
    ]


def test_a_rollback_to_a_missing_configuration_is_refused(console: Console) -> None:
    assert console.type("configure", "rollback 7") == "error: rollback configuration 7 not available"


def test_commit_takes_check_comment_and_and_quit(console: Console, full: FullBackend) -> None:
    console.type("configure", "set system host-name R2")
    assert console.type("commit check") == "configuration check succeeds"
    assert full.intents == []
    assert console.type('commit comment "a night change" and-quit').splitlines() == [
        "commit complete",
        "Exiting configuration mode",
    ]
    assert console.cli.prompt == "admin@R2> "
    assert console.type("show system commit").splitlines()[1] == "    a night change"
    assert any(
        "UI_COMMIT: User 'admin' requested 'commit' operation (comment: a night change)" in line for line in console.log
    )


def test_an_unconfirmed_commit_is_rolled_back(console: Console, full: FullBackend) -> None:
    loop = console.runner.get_loop()
    console.type("configure", "set system host-name R2", "commit", "set system host-name R3")
    answer = console.type("commit confirmed 5").splitlines()
    assert answer == [
        "commit confirmed will be automatically rolled back in 5 minutes unless confirmed",
        "commit complete",
    ]
    assert "# commit confirmed will be rolled back in 5 minutes" in _banner(console)
    store = console.router._state.store
    deadline: Any = store._deadline
    assert deadline is not None
    assert deadline.when() - loop.time() == pytest.approx(300, abs=5)
    full.clock += timedelta(days=1)  # the deadline does not depend on the router's clock
    roll_back = deadline._callback, *deadline._args
    deadline.cancel()
    loop.call_soon(*roll_back)
    console.settle()
    console.settle()
    assert full.intents[-1].host_name == "R2"
    assert console.cli.prompt == "admin@R2# "


@pytest.mark.parametrize("mode", ["configure", "configure private"])
@pytest.mark.parametrize("confirming", ["commit", "commit check"])
def test_a_confirmed_commit_is_not_rolled_back(console: Console, mode: str, confirming: str) -> None:
    console.type(mode, "set system host-name R2", "commit confirmed", confirming)
    assert console.router._state.store._deadline is None
    assert not any("confirmed" in line for line in _banner(console))


def _banner(console: Console) -> list[str]:
    async def read() -> list[str]:
        return console.cli.banner

    return console.runner.run(read())


def test_a_configuration_lock_refuses_changes_of_other_sessions(console: Console) -> None:
    other = console.another("eve")
    assert console.type("configure exclusive").splitlines() == [
        "warning: uncommitted changes will be discarded on exit",
        "Entering configuration mode",
    ]
    console.type("set system host-name R2")
    assert "  admin\n      exclusive [edit]" in other.type("configure")
    locked = "error: configuration database locked by:\n  admin\n      exclusive [edit]"
    for line in ("set system host-name R3", "delete system", "rollback", "commit", "load set terminal"):
        assert other.type(line) == locked
    assert "host-name R2" in other.type("show")
    other.answers = ["yes"]
    assert other.type("exit", "configure exclusive") == locked
    console.answers = ["yes"]
    assert console.type("exit").splitlines() == [
        "The configuration has been changed but not committed",
        "Discard uncommitted changes? [yes,no] (yes) ",
        "Exiting configuration mode",
    ]
    assert other.type("configure", "show") == ""


def test_a_lock_ends_with_its_session_and_needs_an_unchanged_candidate(console: Console) -> None:
    other = console.another("eve")
    console.type("configure exclusive", "set system host-name R2")
    console.hang_up()
    assert other.type("configure", "show") == ""
    other.type("set system host-name R3")
    assert console.another("eva").type("configure exclusive") == "error: configuration database modified"
    private = console.another("eva").type("configure private")
    assert private.startswith("error: shared configuration database modified\n\nPlease temporarily use")


def test_private_candidates_are_merged_at_commit(console: Console, full: FullBackend) -> None:
    console.type("configure", "set system host-name R2", "set protocols ldp interface lo0", "commit", "exit")
    other = console.another("eve")
    console.type("configure private", "set system host-name R3", "delete protocols")
    other.type("configure private", "set routing-options router-id 10.0.0.9")
    assert "private edits in use" in console.another("eva").type("configure")
    assert "R3" not in other.type("show")
    assert other.type("commit") == "commit complete"
    assert console.type("show | compare | match router-id") == "-      router-id 10.0.0.9;"
    assert console.type("commit and-quit").splitlines() == ["commit complete", "Exiting configuration mode"]
    assert full.intents[-1].host_name == "R3"
    assert str(full.intents[-1].router_id) == "10.0.0.9"
    assert full.intents[-1].ldp is None
    assert "router-id 10.0.0.9" in other.type("show")
    other.type("exit")
    assert console.type("configure", "show | compare") == "", "the shared candidate has the changes, too"


def test_a_private_commit_whose_user_disconnects_still_reaches_the_shared_candidate(
    console: Console, full: FullBackend
) -> None:
    full.slow = threading.Event()
    console.type("configure private", "set system host-name R3")

    async def give_up() -> None:
        committing = asyncio.ensure_future(console.cli.execute("commit"))
        await asyncio.to_thread(full.begun.wait)
        committing.cancel()  # Ctrl-C
        with contextlib.suppress(asyncio.CancelledError):
            await committing
        console.cli.close()

    console.runner.run(give_up())
    full.slow.set()
    console.settle()
    other = console.another("eve")
    assert other.type("configure", "show | compare") == ""
    assert "host-name R3" in other.type("show")


def test_a_statement_that_both_sides_changed_is_not_merged(console: Console, full: FullBackend) -> None:
    other = console.another("eve")
    console.type("configure private", "set system host-name R3", "set system time-zone Europe/Berlin")
    other.type("configure private", "set system host-name R4", "commit and-quit")
    refused = console.type("commit").splitlines()
    assert refused[:2] == ["[edit system]", "  'host-name'"]
    assert refused[-1].startswith("error: commit failed: (private edits conflict")
    assert full.intents[-1].host_name == "R4"
    console.type("delete system host-name")
    console.type("rollback 0", "set system time-zone Europe/Berlin")
    assert console.type("commit") == "commit complete"
    assert full.intents[-1].host_name == "R4"
    console.answers = ["yes"]
    assert "Discard" in console.type("set system host-name R5", "exit")
    assert "R5" not in console.type("show configuration")


def test_commit_synchronize_works_with_one_routing_engine(console: Console, full: FullBackend) -> None:
    assert console.type("configure", "set system host-name R2", "commit synchronize") == "commit complete"
    console.type("set system host-name R3")
    assert "commit complete" in console.type("commit synchronize comment both and-quit")
    assert full.intents[-1].host_name == "R3"


def test_an_automatic_rollback_is_announced_to_every_session(console: Console) -> None:
    other = console.another("eve")
    console.type("configure", "set system host-name R2", "commit confirmed 1")
    console.written, other.written = [], []
    store = console.router._state.store
    before = store.commits[1].tree

    async def expire() -> None:
        store.confirm()
        store._start_rollback(before, "admin")

    console.runner.run(expire())
    console.settle()
    for screen in (console, other):
        assert screen.written[:2] == ["", "Broadcast Message from root@R1"]
        assert screen.written[2:] == [
            "        (no tty) at 0:00 UTC...",
            "",
            "Commit was not confirmed; automatic rollback complete.",
            "",
        ]


@pytest.mark.parametrize(
    ("lines", "refused"),
    [
        (
            ["set protocols bgp group e authentication-algorithm ao"],
            "May not be configured without authentication-key-chain",
        ),
        (
            [
                f"{CHAIN} secret s",
                "set protocols bgp authentication-key-chain c",
                "set protocols bgp authentication-key k",
            ],
            "May not be configured with authentication-key",
        ),
        (["set protocols ldp session 10.0.0.1 authentication-key-chain c"], "Referenced key-chain must be defined"),
        ([f"{CHAIN} ao-attribute send-id 1"], "Can only be configured with authentication-algorithm ao"),
        ([f"{CHAIN} algorithm md5 ao-attribute send-id 1"], "Can only be configured with authentication-algorithm ao"),
        (["set protocols bgp group e neighbor 10.0.0.2 peer-as 2"], "local AS number must be configured"),
        (
            ["set routing-options autonomous-system 1", "set protocols bgp group e neighbor 10.0.0.2"],
            "peer AS number must be configured for an external peer",
        ),
        (
            [
                "set routing-options autonomous-system 1",
                "set protocols bgp group e neighbor 10.0.0.2 peer-as 2",
                "set protocols bgp group e export gone",
            ],
            "Policy gone referenced but not defined",
        ),
    ],
)
def test_an_invalid_configuration_is_refused_with_the_reason(
    console: Console, full: FullBackend, lines: list[str], refused: str
) -> None:
    answer = console.type("configure", *lines, "commit")
    assert refused in answer
    assert answer.splitlines()[-1].startswith("error: ")
    assert full.intents == []


def test_each_refused_neighbor_is_reported_with_its_reason(console: Console) -> None:
    lines = [f"set protocols bgp group e neighbor 10.0.0.{number} peer-as 2" for number in (2, 6)]
    assert console.type("configure", *lines, "commit check").splitlines() == [
        "[edit protocols bgp group e]",
        "  'neighbor 10.0.0.2'",
        "    Error in neighbor 10.0.0.2 of group e:",
        "    local AS number must be configured",
        "[edit protocols bgp group e]",
        "  'neighbor 10.0.0.6'",
        "    Error in neighbor 10.0.0.6 of group e:",
        "    local AS number must be configured",
        "error: configuration check-out failed",
    ]


def test_configurations_survive_a_reboot(
    open_console: Callable[..., Console], full: FullBackend, tmp_path: Path
) -> None:
    file = tmp_path / "saved.json"
    first = open_console(full, saved=file)
    first.type("configure", f"{CHAIN} secret s", "set system host-name R2", "commit", "set snmp location x")
    first.type("deactivate snmp", "commit comment later", "exit")
    assert file.stat().st_mode & 0o777 == 0o600
    again = open_console(full, saved=file)
    assert again.cli.prompt == "admin@R2> "
    assert full.intents[-1].chains[0].keys[0].secret is not None
    assert again.type("show configuration | display set") == first.type("show configuration | display set")
    assert again.type("show system commit") == first.type("show system commit")


def test_an_unreadable_saved_configuration_is_reported_and_the_router_starts(
    open_console: Callable[..., Console], full: FullBackend, tmp_path: Path
) -> None:
    file = tmp_path / "saved.json"
    file.write_text("{")
    console = open_console(full, saved=file)
    assert any("saved configuration cannot be read" in line for line in console.log)
    assert "Hostname" in console.type("show version")


def test_a_commit_that_cannot_be_saved_takes_effect_and_is_logged(
    open_console: Callable[..., Console], full: FullBackend, tmp_path: Path
) -> None:
    console = open_console(full, saved=tmp_path / "gone" / "saved.json")
    assert console.type("configure", "set system host-name R2", "commit") == "commit complete"
    assert any("UI_SAVE_FAILED" in line for line in console.log)


def test_a_check_reports_what_the_machine_half_cannot_do(console: Console, full: FullBackend) -> None:
    full.cannot = "there is no ge-0/0/7"
    answer = console.type("configure", "set system host-name R2", "commit check").splitlines()
    assert answer == [
        "error: there is no ge-0/0/7 of R2",
        "error: configuration check-out failed: (configuration could not be applied)",
    ]
    assert console.type("commit").splitlines()[-1] == "error: commit failed: (configuration could not be applied)"
    assert full.intents == []
