"""The library once round, played: what `keyroll import` makes of a file's two configurations gives the file's verdict.

Prediction and play are held against each other: `keyroll check` says before what the lab then shows.
"""

from __future__ import annotations

import pytest
from tests.unit.library_round_trip import Case, cases, imported, is_hitless, predicted, read, sampled

from keyroll.errors import InputError
from keyroll.scenario.record.result import Verdict

pytestmark = pytest.mark.lab

EXCEPTIONS = dict.fromkeys(
    ("option-disabled[r1]", "option-disabled[r2]"), "no key of a chain can be used: import refuses it, as nothing rolls"
)
"""By case, why what is played gives another verdict than the file; a reason that is gone fails the test."""


@pytest.mark.parametrize("path", sampled("sessions/two-families-two-chains"))
def test_what_comes_back_is_played_with_the_verdict_of_the_file(run_scenario, tmp_path, path):
    for case in read(path):
        if case.name in EXCEPTIONS:
            assert not same_verdict(run_scenario, case, tmp_path), f"{case.name} is no exception any more"
        else:
            assert same_verdict(run_scenario, case, tmp_path), case.name


def same_verdict(run_scenario, case: Case, folder) -> bool:
    """Play what comes back; say whether file, prediction and play agree. Raises where it could not be judged."""
    try:
        _, text = imported(case, folder)
    except InputError:
        return False
    result = run_scenario(folder / "round.yaml")
    assert result.verdict in (Verdict.PASSED, Verdict.FAILED), f"{case.name}: {result.reason}"
    played = result.verdict is Verdict.PASSED
    return is_hitless(case) == predicted(text) == played


@pytest.mark.slow
def test_nine_in_ten_agree():
    names = {case.name for case in cases()}
    assert set(EXCEPTIONS) <= names
    assert len(EXCEPTIONS) <= len(names) / 10
