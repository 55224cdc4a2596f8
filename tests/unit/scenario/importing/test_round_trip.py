"""Round trip of library scenarios: the imported file has the same keys, sessions and prediction.

tests/lab/scenario/test_round_trip_play.py plays the imported files.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.unit.library_round_trip import T0, cases, imported, is_hitless, predicted, read, sampled

from keyroll.errors import InputError
from keyroll.scenario.file.read import Case
from keyroll.scenario.file.scenario import Scenario
from keyroll.scenario.plan.chains import build_chains

EXCEPTIONS = dict.fromkeys(
    ("option-disabled[r1]", "option-disabled[r2]"), "new_auth_key holds no key that TCP-AO can use"
)
"""Cases that the import refuses because no key changes, with its message. A case that is not refused fails its test."""


def keys(scenario: Scenario) -> list[list[object]]:
    """Return the usable keys of each router; equal secrets are equal numbers."""
    seen: list[bytes] = []
    found: list[list[object]] = []
    for chain in build_chains(scenario, seed=7, t0=T0).values():
        held: list[object] = []
        for key in sorted((one for one in chain.keys if one.usable), key=lambda one: (one.start, one.id)):
            assert key.secret is not None
            secret = key.secret.reveal()
            if secret not in seen:
                seen.append(secret)
            held.append((key.start, key.send_id, key.recv_id, key.effective_algorithm, seen.index(secret)))
        found.append(held)
    return found


@pytest.mark.parametrize(
    "path", sampled("rollover/two-keys", "sessions/two-families", "sessions/ldp-between-loopbacks")
)
def test_an_imported_scenario_has_the_same_keys_sessions_and_prediction(path: Path, tmp_path: Path) -> None:
    for case in read(path):
        if case.name in EXCEPTIONS:
            with pytest.raises(InputError, match=EXCEPTIONS[case.name]):
                check_round_trip(case, tmp_path)
        else:
            check_round_trip(case, tmp_path)


def check_round_trip(case: Case, folder: Path) -> None:
    again, text = imported(case, folder)
    assert keys(again.scenario) == keys(case.scenario)
    kinds = sorted((one.kind, one.place, one.type) for one in case.scenario.sessions)
    assert sorted((one.kind, one.place, one.type) for one in again.scenario.sessions) == kinds
    assert predicted(text) == is_hitless(case)


@pytest.mark.slow
def test_at_least_nine_of_ten_scenarios_make_the_round_trip() -> None:
    names = {case.name for case in cases()}
    assert set(EXCEPTIONS) <= names
    assert len(EXCEPTIONS) <= len(names) / 10
