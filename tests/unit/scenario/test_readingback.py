"""Keychains read back after a commit: what the router holds otherwise turns `read-back` red."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from keyroll.keychain.generate import generate
from keyroll.keychain.junostext import curly
from keyroll.keychain.secret import Secret
from keyroll.scenario.play.read_back import ReadingBack

CHAIN = generate(4711, name="chain", first=datetime(2030, 1, 1, tzinfo=UTC))
FIRST, SECOND = CHAIN.keys


class Session:
    """A router that shows the chain it holds, in Junos' own form."""

    def __init__(self, name="R1"):
        self.name, self.target, self.text = name, SimpleNamespace(name=name), curly([CHAIN], root=False)

    def ask_secret(self, command):
        assert command == "show configuration security authentication-key-chains"
        return self.text


class Stage:
    """What is sent, and the checks that come of it."""

    def __init__(self, session):
        self.checks = []
        self.committed = True
        self.pair = SimpleNamespace(at_once=lambda work, names: {name: work(session) for name in names})
        self.keyring = SimpleNamespace(
            given=lambda _: SimpleNamespace(chains={"chain": CHAIN}), has_committed=lambda _: self.committed
        )

    def add(self, check):
        self.checks.append(check)


def judged(text, *, committed=True):
    session = Session()
    session.text = text
    stage = Stage(session)
    stage.committed = committed
    ReadingBack(stage).check(3, ["R1"])
    (check,) = stage.checks
    return check


def holding(**changes):
    return curly([replace(CHAIN, keys=(FIRST, replace(SECOND, **changes)))], root=False)


def test_what_was_sent_and_is_held_is_green_though_the_secrets_are_encoded_anew():
    check = judged(curly([CHAIN], root=False))
    assert (check.label, check.router, check.passed) == ("read-back@3", "R1", True)
    assert check.observed == "2 keys as they were sent"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (holding(secret=Secret(b"another")), "key 1: the secret is another one"),
        (holding(send_id=9), "key 1: send-id was sent as 3, is 9"),
        (curly([replace(CHAIN, keys=(FIRST,))], root=False), "key 1 is missing"),
        (curly([replace(CHAIN, tolerance=60)], root=False), "tolerance was sent as 3600, is 60"),
        ("", "key-chain chain is missing"),
        ("key-chain chain {", "chain"),
    ],
)
def test_what_is_held_otherwise_is_red_and_named_without_the_secret(text, words):
    check = judged(text)
    assert not check.passed
    assert words in check.observed
    assert "another" not in check.observed.replace("the secret is another one", "")


def test_a_router_that_has_committed_no_keys_must_hold_none():
    assert judged("", committed=False).passed
    assert "was not sent" in judged(curly([CHAIN], root=False), committed=False).observed


def test_what_a_step_typed_is_taken_as_meant_and_nothing_else():
    session = Session()
    stage = Stage(session)
    back = ReadingBack(stage)
    session.text = holding(send_id=9)
    back.allow_typed(session)
    back.check(4, ["R1"])
    session.text = holding(send_id=9, recv_id=8)
    back.check_one(5, session)
    assert [check.passed for check in stage.checks] == [True, False]
    assert "send-id" not in stage.checks[1].observed
