"""The verdict of a rehearsal: it is green only if everything is known, played and as predicted."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from tests.unit.scenario.importing.test_import import AT, lion, tiger

from keyroll.cli.imported import Asked, imported
from keyroll.cli.rehearsal import Judged, judged
from keyroll.errors import ExitCode
from keyroll.scenario.importing.pair import Imported, PredictedVerdict
from keyroll.scenario.record.result import Result, Verdict

ROLLOVER = datetime(2027, 1, 15, tzinfo=UTC)
GOOD = PredictedVerdict(ROLLOVER, hitless=True, hitless_in_all=True, words="hitless under all policies")
BAD = PredictedVerdict(
    ROLLOVER, hitless=False, hitless_in_all=False, words="not hitless under 16 of 16 mixes of policies"
)


def verdict(
    played: Verdict,
    *,
    predicted: tuple[PredictedVerdict, ...] = (GOOD,),
    left_out: tuple[str, ...] = (),
    notes: tuple[str, ...] = (),
    accept: bool = False,
    without: bool = False,
    commit: tuple[str, ...] = (),
) -> Judged:
    made = Imported("", "", tuple(left_out), tuple(predicted), ("lion", "tiger"), tuple(notes), commit=commit)
    result = cast("Result", SimpleNamespace(verdict=played, reason="the machine was too busy"))
    return judged(made, result, accept_left_out=accept, without_secrets=without)


@pytest.mark.parametrize(
    ("how", "code"),
    [
        ({}, ExitCode.OK),
        ({"predicted": ()}, ExitCode.UNFIT),
        ({"predicted": (BAD,)}, ExitCode.UNFIT),
        ({"left_out": ("BFD is configured",)}, ExitCode.UNFIT),
        ({"left_out": ("BFD is configured",), "accept": True}, ExitCode.OK),
        ({"notes": ("the secrets of 2 keys match, which are not known",)}, ExitCode.UNFIT),
        ({"notes": ("the secrets of 2 keys match, which are not known",), "without": True}, ExitCode.OK),
    ],
)
def test_a_run_that_passed_is_green_only_if_everything_is_known_and_played(how: dict[str, Any], code: ExitCode) -> None:
    assert verdict(Verdict.PASSED, **how).code is code


def test_a_run_that_failed_is_red_even_if_something_is_not_known() -> None:
    """Exit code 1 takes precedence over 2."""
    found = verdict(Verdict.FAILED, predicted=(BAD,), left_out=("BFD is configured",), notes=("…",))
    assert (found.code, found.sentence) == (ExitCode.BAD, "NOT HITLESS, as predicted")


def test_an_unfit_run_is_not_judged() -> None:
    assert verdict(Verdict.UNFIT).code is ExitCode.UNFIT


def test_a_commit_that_is_predicted_to_take_a_session_down_is_never_green() -> None:
    found = verdict(Verdict.PASSED, commit=("if only R1 were changed",))
    assert (found.code, found.sentence) == (
        ExitCode.BAD,
        "NOT HITLESS by prediction: if only R1 were changed, a session is down; played hitless",
    )
    assert verdict(Verdict.FAILED, commit=("after the change",)).sentence == "NOT HITLESS, as predicted"


@pytest.mark.parametrize(
    ("line", "states"),
    [
        ("key 0 secret typed", ("if only R1 were changed", "if only R2 were changed")),
        ("key 1 secret typed", ()),
        ('key 0 start-time "2026-12-20.00:00:00 +0000"', ("after the change",)),
    ],
)
def test_the_states_of_a_commit_in_which_a_session_is_down_are_reported(
    tmp_path: Path, line: str, states: tuple[str, ...]
) -> None:
    files = []
    for name, text in (("one", lion()), ("other", tiger())):
        files.append(tmp_path / f"{name}.conf")
        files[-1].write_text(text)
    (tmp_path / "both.set").write_text(f"set security authentication-key-chains key-chain SECRETNAME {line}\n")
    changes = [f"{name}={tmp_path / 'both.set'}" for name in ("R1", "R2")]
    made = imported(Asked(tuple(files), AT, None, 3, "0s", "UTC", tuple(changes)))
    assert set(made.commit) >= set(states)
    assert bool(made.commit) == bool(states)
