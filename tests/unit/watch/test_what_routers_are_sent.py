"""Whatever routers answer, they are sent only allowed commands, one a second, in one login."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from tests.unit.known import known
from tests.unit.watch.allowed import LOGIN
from tests.unit.watch.recording import BEGIN, PASSWORD, SECRET, USER, FakeRouter, Recording

from keyroll.instants import Instant
from keyroll.junos.exchange import Deadlines
from keyroll.scenario.record.result import Verdict
from keyroll.watch.engine import Outcome

SAMPLE, ALL = 2, 1_000
SELDOM = timedelta(minutes=1)
"""Time between two looks: more looks cost seconds of processor time, and show nothing more."""


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten the deadlines: some answers of hostile routers have no end, and each would take a minute."""
    monkeypatch.setattr("keyroll.watch.router.DEADLINES", Deadlines(connect=5.0, answer=1.0))


def holds_no_secret(folder: Path) -> bool:
    return not any(
        secret.encode() in path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
        for secret in (SECRET, PASSWORD)
    )


def test_a_good_pair_is_hitless_after_two_hours_of_waiting(
    play: Callable[..., tuple[Outcome, list[list[Instant]]]],
) -> None:
    def far(routers: dict[str, FakeRouter]) -> None:
        for router in routers.values():
            router.start = BEGIN + timedelta(hours=2)

    outcome, _ = play(change=far, every=timedelta(minutes=5))
    assert outcome.result.verdict is Verdict.PASSED, outcome.headline
    assert holds_no_secret(outcome.result.folder)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("count", [SAMPLE, pytest.param(ALL, marks=pytest.mark.slow)])
def test_a_router_in_any_drawn_state_is_sent_only_allowed_lines(
    play: Callable[..., tuple[Outcome, list[list[Instant]]]], count: int
) -> None:
    for seed in range(count):
        outcome, _ = play(seed, until=BEGIN + timedelta(minutes=10), number=count)
        assert holds_no_secret(outcome.result.folder)
        # Other verdicts are not fixed: on a busy machine a good router's answer may come after the short deadline.
        if outcome.result.verdict is Verdict.PASSED:
            assert known(outcome.state.seen).completed


def test_a_router_without_the_next_key_is_not_hitless(play: Callable[..., tuple[Outcome, list[list[Instant]]]]) -> None:
    def lacks(routers: dict[str, FakeRouter]) -> None:
        routers["R2"].second_key = False

    outcome, _ = play(change=lacks, until=BEGIN + timedelta(minutes=10), every=SELDOM)
    assert outcome.result.verdict is Verdict.FAILED, outcome.headline


def test_after_a_slow_answer_nothing_is_sent_for_as_long_as_it_took(
    play: Callable[..., tuple[Outcome, list[list[Instant]]]],
) -> None:
    def slow(routers: dict[str, FakeRouter]) -> None:
        routers["R2"].slow = timedelta(seconds=5)

    _, paces = play(change=slow, until=BEGIN + timedelta(minutes=3))
    instants = paces[1][len(LOGIN) :]
    assert all(after - before >= timedelta(seconds=10) for before, after in itertools.pairwise(instants))


def test_chains_that_the_login_may_not_see_make_the_watch_unfit(
    play: Callable[..., tuple[Outcome, list[list[Instant]]]],
) -> None:
    def hidden(routers: dict[str, FakeRouter]) -> None:
        routers["R1"].visible = False

    outcome, _ = play(change=hidden)
    assert outcome.result.verdict is Verdict.UNFIT
    assert "R1: chains not visible" in known(outcome.result.reason)


def test_secrets_that_the_login_may_not_see_are_listed_as_not_judged(
    play: Callable[..., tuple[Outcome, list[list[Instant]]]],
) -> None:
    def without(routers: dict[str, FakeRouter]) -> None:
        for router in routers.values():
            router.secret = "/* SECRET-DATA */"

    outcome, _ = play(change=without)
    assert outcome.result.verdict is Verdict.PASSED, outcome.headline
    assert any("whether the secrets match" in words for words in outcome.state.not_judged)


HOSTILE = {
    "4 MB": lambda _, answer: answer + "\n" + "x" * 80 + ("\n" + "x" * 80) * 50_000,
    "escape codes": lambda _, answer: "\x1b]2;owned\x07\x1b[2J\x1b[1;1H" + answer,
    "prompts": lambda _, answer: f"{answer}\n{USER}@R2> \n{USER}@R2# configure\n{USER}@R2> ",
    "questions": lambda _, answer: answer + "\nDestroy everything ? [yes,no] (no) ",
    "a prompt first": lambda _, answer: f"{USER}@R2> {answer}",
    "nothing": lambda _, __: "",
    "nul": lambda _, answer: "\x00" + answer,
}


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(
    "kind", [pytest.param(kind, marks=pytest.mark.slow if kind == "4 MB" else ()) for kind in HOSTILE]
)
def test_a_hostile_router_is_sent_no_other_line_and_is_never_green(
    play: Callable[..., tuple[Outcome, list[list[Instant]]]], kind: str
) -> None:
    def hostile(routers: dict[str, FakeRouter]) -> None:
        routers["R2"].garble = HOSTILE[kind]

    outcome, _ = play(change=hostile, until=BEGIN + timedelta(minutes=5))
    assert outcome.result.verdict is not Verdict.FAILED, outcome.headline
    assert "\x1b" not in outcome.headline
    assert "\x1b" not in (outcome.result.folder / "exchanges.jsonl").read_text()
    if kind != "escape codes":
        assert outcome.result.verdict is Verdict.UNFIT, outcome.headline


def test_a_large_label_database_is_read_once_and_the_verdict_says_so(
    play: Callable[..., tuple[Outcome, list[list[Instant]]]], server: Recording
) -> None:
    def large(routers: dict[str, FakeRouter]) -> None:
        for router in routers.values():
            router.ldp, router.labels = True, 1_001 if router.name == "R1" else 1_000

    outcome, _ = play(change=large, every=SELDOM)
    sent = {router.name: sum("database" in line for line in router.sent) for router in server.routers.values()}
    assert sent["R1"] == 1 < sent["R2"]
    assert outcome.result.verdict is Verdict.PASSED, outcome.headline
    assert [words for words in outcome.state.not_judged if "labels" in words] == [
        "the labels of ldp on R1: there are 1001, and more than 1,000 are read only once"
    ]
    judged = {
        (check.router, "ldp:" in check.observed) for check in outcome.result.checks if check.name == "no-route-loss"
    }
    assert ("R2", True) in judged
    assert ("R1", True) not in judged


def test_a_lost_ssh_session_makes_the_watch_unfit_and_names_the_router(
    play: Callable[..., tuple[Outcome, list[list[Instant]]]],
) -> None:
    def ends(routers: dict[str, FakeRouter]) -> None:
        routers["R2"].ends_at = BEGIN + timedelta(seconds=30)

    outcome, _ = play(change=ends)
    assert outcome.result.verdict is Verdict.UNFIT, outcome.headline
    assert known(outcome.result.reason).startswith("R2 ")
    assert "lost" in known(outcome.result.reason)
    assert known(outcome.state.seen).looks["R1"]


def test_a_next_key_that_starts_hours_later_is_predicted_not_hitless_and_does_not_pass(
    play: Callable[..., tuple[Outcome, list[list[Instant]]]],
) -> None:
    def late(routers: dict[str, FakeRouter]) -> None:
        routers["R2"].start = BEGIN + timedelta(hours=3)

    outcome, _ = play(change=late, until=BEGIN + timedelta(minutes=10), every=SELDOM)
    assert outcome.state.predicted is False
    assert outcome.result.verdict is not Verdict.PASSED, outcome.headline


def test_a_router_that_quotes_its_secrets_leaves_none_in_the_run_folder(
    play: Callable[..., tuple[Outcome, list[list[Instant]]]],
) -> None:
    def tells(routers: dict[str, FakeRouter]) -> None:
        for router in routers.values():
            router.garble = lambda line, said: said.replace("5/5/5/0", f"5/5/5/0\n{SECRET}") if "bgp" in line else said

    outcome, _ = play(change=tells, until=BEGIN + timedelta(minutes=3))
    assert outcome.result.verdict is Verdict.UNFIT, outcome.headline
    assert holds_no_secret(outcome.result.folder)
    assert SECRET not in outcome.headline


def test_a_router_with_an_endless_greeting_is_disconnected(
    play: Callable[..., tuple[Outcome, list[list[Instant]]]], server: Recording
) -> None:
    def greets(routers: dict[str, FakeRouter]) -> None:
        routers["R2"].greeting = "x" * 79 + "\n"
        routers["R2"].greetings = 20_000

    outcome, _ = play(change=greets)
    assert outcome.result.verdict is Verdict.UNFIT, outcome.headline
    assert "more than 1 MiB came before a prompt" in known(outcome.result.reason)
    assert server.routers["R2"].sent == []
