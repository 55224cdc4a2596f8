"""The verdict of a rehearsal: nothing that is not known, not covered or not as predicted is green."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from keyroll.cli.imported import Made
from keyroll.cli.rehearsal import judged
from keyroll.errors import ExitCode
from keyroll.scenario.record.result import Verdict

GOOD = ("2027-01-15T00:00:00+00:00", True, True, "hitless under all policies")
BAD = ("2027-01-15T00:00:00+00:00", False, False, "not hitless under 16 of 16 mixes of policies")


def verdict(played, *, predicted=(GOOD,), left_out=(), notes=(), accept=False, without=False):
    made = Made("", "", tuple(left_out), tuple(predicted), ("lion", "tiger"), tuple(notes))
    result = SimpleNamespace(verdict=played, reason="the machine was too busy")
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
def test_a_run_that_passed_is_green_only_where_all_is_known_and_covered(how, code):
    assert verdict(Verdict.PASSED, **how).code is code


def test_a_run_that_failed_is_red_whatever_is_not_known():
    found = verdict(Verdict.FAILED, predicted=(BAD,), left_out=("BFD is configured",), notes=("…",))
    assert (found.code, found.sentence) == (ExitCode.BAD, "NOT HITLESS, as predicted")


def test_a_run_that_says_nothing_of_the_routers_is_not_judged():
    assert verdict(Verdict.UNFIT).code is ExitCode.UNFIT
