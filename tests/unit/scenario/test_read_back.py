"""Keychains that are read back after a commit: any difference turns `read-back` red."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

import pytest
from tests.unit.curly_text import curly

from keyroll.junos.session import RouterSession
from keyroll.keychain.generate import generate
from keyroll.keychain.secret import Secret
from keyroll.scenario.judge.actions import ChainsHeld
from keyroll.scenario.judge.findings import Finding
from keyroll.scenario.plan.changes import Held
from keyroll.scenario.plan.keyring import Changed, Span
from keyroll.scenario.play.context import Run
from keyroll.scenario.play.read_back import ReadBack

CHAIN = generate(4711, name="chain", first=datetime(2030, 1, 1, tzinfo=UTC))
FIRST, SECOND = CHAIN.keys


class Session:
    """A router that shows the chain it holds, in curly form."""

    def __init__(self, name: str = "R1") -> None:
        self.name, self.target, self.text = name, SimpleNamespace(name=name), curly([CHAIN], root=False)

    def ask_secret(self, command: str) -> str:
        assert command == "show configuration security authentication-key-chains"
        return self.text


class FakeRun:
    """A run that publishes commits and keeps the findings of `read-back`."""

    def __init__(self, session: Session) -> None:
        self.found_of: list[tuple[str, str | None, Finding]] = []
        self.routers = SimpleNamespace(
            pair=SimpleNamespace(at_once=lambda work, names: {name: work(session) for name in names})
        )
        self.keyring = SimpleNamespace(subscribe=self.subscribed)

    def subscribed(self, callback: Callable[[Changed], None]) -> None:
        self._callback = callback

    def commits(self, held: Held | None) -> None:
        self._callback(Changed("R1", held, Span(1, 2)))

    def found(self, assertion: ChainsHeld, finding: Finding) -> None:
        self.found_of.append((assertion.name, assertion.router, finding))


def reading(session: Session, *, committed: bool = True) -> tuple[FakeRun, ReadBack]:
    run = FakeRun(session)
    back = ReadBack(cast("Run", run))
    if committed:
        run.commits(Held({"chain": CHAIN}, "chain"))
    return run, back


def judged(text: str, *, committed: bool = True) -> Finding:
    """Return the finding of `read-back` for a router that shows this text."""
    session = Session()
    session.text = text
    run, back = reading(session, committed=committed)
    back.check(["R1"])
    ((name, router, finding),) = run.found_of
    assert (name, router) == ("read-back", "R1")
    return finding


def holding(**changes: Any) -> str:
    return curly([replace(CHAIN, keys=(FIRST, replace(SECOND, **changes)))], root=False)


def test_a_chain_that_is_held_as_sent_is_green_even_if_its_secrets_are_encoded_differently() -> None:
    finding = judged(curly([CHAIN], root=False))
    assert finding.holds
    assert finding.observed == "2 keys as they were sent"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (holding(secret=Secret(b"another")), "key 1: the secret differs"),
        (holding(send_id=9), "key 1: send-id was sent as 3, is 9"),
        (curly([replace(CHAIN, keys=(FIRST,))], root=False), "key 1 is missing"),
        (curly([replace(CHAIN, tolerance=60)], root=False), "tolerance was sent as 3600, is 60"),
        ("", "key-chain chain is missing"),
        ("key-chain chain {", "chain"),
    ],
)
def test_a_difference_is_red_and_is_named_without_the_secret(text: str, words: str) -> None:
    finding = judged(text)
    assert not finding.holds
    assert words in finding.observed
    assert "another" not in finding.observed


def test_a_router_that_has_committed_no_keys_must_hold_none() -> None:
    assert judged("", committed=False).holds
    assert "was not sent" in judged(curly([CHAIN], root=False), committed=False).observed


def test_a_change_that_a_step_typed_is_accepted_and_no_other() -> None:
    session = Session()
    run, back = reading(session)
    session.text = holding(send_id=9)
    back.allow_typed(cast("RouterSession", session))
    back.check(["R1"])
    session.text = holding(send_id=9, recv_id=8)
    back.check_one(cast("RouterSession", session))
    assert [finding.holds for _, _, finding in run.found_of] == [True, False]
    assert "send-id" not in run.found_of[1][2].observed


def test_a_chain_whose_first_commit_was_undone_must_not_be_held() -> None:
    session = Session()
    run, back = reading(session)
    run.commits(None)
    session.text = ""
    back.check(["R1"])
    assert run.found_of[0][2].holds
