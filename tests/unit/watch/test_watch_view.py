"""The live view of a watch, on 80 columns."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from rich.console import Console
from tests.unit.watch.recording import BEGIN, FakeRouter

from keyroll.cli.watch_view import View
from keyroll.instants import Instant
from keyroll.scenario.record.result import Verdict
from keyroll.watch.engine import Outcome
from keyroll.watch.state import State


@pytest.fixture
def screens(play: Callable[..., tuple[Outcome, list[list[Instant]]]]) -> Callable[..., tuple[Outcome, list[list[str]]]]:
    """Watch two routers, and return the outcome with what the view showed after each look."""

    def watched(change: Callable[..., object] | None = None) -> tuple[Outcome, list[list[str]]]:
        console = Console(width=80, height=24, color_system=None)
        view, shown = View(console), []

        def draw(_: State) -> None:
            with console.capture() as captured:
                console.print(view.drawn())
            shown.append(captured.get().splitlines())

        outcome, _ = play(change=change, observers=(view,), on_begin=view.begin, on_look=draw)
        return outcome, shown

    return watched


def test_eighty_columns_show_the_countdown_keys_sessions_and_skew(
    screens: Callable[..., tuple[Outcome, list[list[str]]]],
) -> None:
    def both_kinds(routers: dict[str, FakeRouter]) -> None:
        for router in routers.values():
            router.ldp, router.skew = True, timedelta(seconds=2 * (router.name == "R2"))

    outcome, shown = screens(both_kinds)
    assert outcome.result.verdict is Verdict.PASSED
    assert all(len(line) <= 80 for screen in shown for line in screen)
    assert all(len(screen) <= 22 for screen in shown)
    first, last = "\n".join(shown[0]), "\n".join(shown[-1])
    assert f"next key at {BEGIN + timedelta(minutes=1):%Y-%m-%d %H:%M:%S} UTC, in " in first
    assert "predicted hitless   skew +" in first
    assert ("0 → 1" in first, "1 → none" in last) == (True, True)
    assert "bgp Established 1h" in first
    assert "ldp Operational 1h" in first
    assert "both keys are active; waiting for a message in each session" in "\n".join(map("\n".join, shown))


def test_the_view_shows_a_flap_and_a_prediction_that_is_not_hitless(
    screens: Callable[..., tuple[Outcome, list[list[str]]]],
) -> None:
    def bad(routers: dict[str, FakeRouter]) -> None:
        routers["R2"].second_key = False
        routers["R1"].flap_at = BEGIN + timedelta(seconds=30)

    outcome, shown = screens(bad)
    assert outcome.result.verdict is Verdict.FAILED
    assert "predicted NOT HITLESS" in shown[0][1]
    assert "1 flaps" in "\n".join(shown[-1])
