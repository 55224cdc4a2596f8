"""A lab test that fails on a busy machine is repeated once; any other failed test is not."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from tests.lab import conftest

from keyroll.instants import Instant
from keyroll.scenario.observe.host_stalls import Stall
from pytest_keyroll.settings import remarks_of

pytest_plugins = ["pytester"]
FAILS_ONCE = """\
tries = []
def test_routers():
    tries.append(len(tries))
    assert len(tries) > 1, "TEXT"
"""
BEGUN = Instant.of(datetime(2030, 1, 1, tzinfo=UTC))
STALL = Stall(BEGUN, BEGUN + timedelta(seconds=4))


class Hooks:
    """The hook of the lab tests, and the notes at the end of the session."""

    pytest_runtest_protocol = staticmethod(conftest.pytest_runtest_protocol)

    def __init__(self) -> None:
        self.remarks: list[str] = []

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        self.remarks = remarks_of(session.config)


@pytest.mark.parametrize(
    ("text", "stalls", "reason"),
    [
        ("the session is down", [STALL], "this machine stood still for 4s"),
        ("R1 gave no sample for 2s", [], "this machine was too busy"),
        ("the session is down", [], None),
    ],
    ids=["stall", "unfit", "neither"],
)
def test_a_failed_lab_test_is_repeated_if_the_machine_was_busy(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, text: str, stalls: list[Stall], reason: str | None
) -> None:
    @contextmanager
    def watch(*_: object, **__: object) -> Iterator[SimpleNamespace]:
        yield SimpleNamespace(look=lambda: tuple(stalls))

    monkeypatch.setattr(conftest, "HERE", pytester.path)
    monkeypatch.setattr(conftest, "StallWatch", watch)
    pytester.makepyfile(FAILS_ONCE.replace("TEXT", text))
    hooks = Hooks()
    run = pytester.inline_run("-p", "no:cacheprovider", "-c", "/dev/null", plugins=[hooks])
    run.assertoutcome(passed=int(reason is not None), failed=int(reason is None))
    assert hooks.remarks == ([f"test_routers was played again: {reason}"] if reason else [])
