"""The library once round: its configurations out, imported, and the same keys, sessions and prediction come back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner
from tests.unit.library_routers import PLANS

from keyroll.cli.main import keyroll
from keyroll.junos.base_configuration import Family, base_configuration
from keyroll.junos.session_configuration import pair_configuration
from keyroll.keychain.junostext import set_lines
from keyroll.scenario.file.commit_steps import Apply
from keyroll.scenario.file.expectations import Expectation
from keyroll.scenario.file.fields import ROUTERS
from keyroll.scenario.file.read import Case, read_cases
from keyroll.scenario.file.scenario import INVARIANTS, Scenario
from keyroll.scenario.file.time_steps import Advance, Wait
from keyroll.scenario.plan.chains import build_chains
from keyroll.scenario.plan.keyring import Keyring
from keyroll.scenario.play.commits import session_lines

LIBRARY = Path(__file__).parents[3] / "scenarios"
T0 = datetime(2030, 1, 1, tzinfo=UTC)
ONLY_STATES = (Apply, Expectation, Advance, Wait)
"""Steps after which the routers differ only by what configurations and clocks say."""
EXCEPTIONS = {
    "no-active-key-yet": "no key has started, so the file does not ask for hitless; of what comes check says it",
    "when-the-clock-gets-there": "it asks for all of hitless but the end of a rollover, which it does not wait for",
}
"""What does not come back, and why: a reason that is gone fails its test."""


def goes_round(case: Case) -> bool:
    """Whether configurations can say all of it: one chain, no clocks that are moved alone, no policy."""
    scenario = case.scenario
    return (
        all(isinstance(step, ONLY_STATES) for step in scenario.steps)
        and sum(isinstance(step, Apply) for step in scenario.steps) == 1
        and all(len(step.routers) == len(ROUTERS) for step in scenario.steps if isinstance(step, Apply | Advance))
        and not scenario.policy
        and not any(scenario.skew.values())
        and not scenario.other_chains
        and scenario.t0 is None
    )


def cases() -> list[Case]:
    found = [case for path in FILES for case in read_cases(path)]
    return [case for case in found if goes_round(case)]


def configuration(case: Case, router: str) -> str:
    scenario, name = case.scenario, "R1" if router == "R1" else "R2"
    me, peer = PLANS[name], PLANS["R2" if name == "R1" else "R1"]
    held = Keyring(scenario, seed=7, t0=T0).meant(name)
    if scenario.has_named_sessions:
        lines = pair_configuration(me, peer, session_lines(scenario, name, held))
    else:
        lines = base_configuration(
            me,
            peer,
            sessions=list(scenario.kinds.values()),
            chain=held.used,
            hold_time=scenario.hold_time,
            family=Family(scenario.family),
        )
    return "".join(f"{line}\n" for line in [*lines, *set_lines(held.chain)])


def imported(case: Case, folder: Path) -> tuple[Scenario, str]:
    for router in ROUTERS:
        (folder / f"{router}.conf").write_text(configuration(case, router))
    names = [str(folder / f"{router}.conf") for router in ROUTERS]
    output = folder / "round.yaml"
    at = (T0 + timedelta(seconds=1)).isoformat()
    words = ["import", *names, "--at", at, "-o", str(output), "--force", "--rollovers", "63"]
    result = CliRunner().invoke(keyroll, words, standalone_mode=False)
    if result.exception:
        raise result.exception
    (again,) = read_cases(output)
    return again.scenario, output.read_text()


def keys(scenario: Scenario) -> list[list[object]]:
    """What each router holds, with equal secrets as equal numbers."""
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


FILES = sorted(LIBRARY.glob("*/*.yaml"))


def sampled() -> list[object]:
    """Return the files; they are read by the tests, since every process that collects would read them all."""
    sample = ("rollover/two-keys.yaml", "sessions/two-families.yaml", "sessions/ldp-between-loopbacks.yaml")
    return [
        pytest.param(path, id=path.stem, marks=() if str(path).endswith(sample) else pytest.mark.slow) for path in FILES
    ]


@pytest.mark.parametrize("path", sampled())
def test_what_configurations_can_say_comes_back(path, tmp_path):
    for case in filter(goes_round, read_cases(path)):
        if case.name in EXCEPTIONS:
            with pytest.raises(AssertionError):
                goes(case, tmp_path)
        else:
            goes(case, tmp_path)


def goes(case: Case, folder: Path) -> None:
    scenario, text = imported(case, folder)
    assert keys(scenario) == keys(case.scenario)
    kinds = sorted((one.kind, one.place, one.type) for one in case.scenario.sessions)
    assert sorted((one.kind, one.place, one.type) for one in scenario.sessions) == kinds
    predicted = "not hitless" not in text
    assert predicted == (set(INVARIANTS) <= set(case.scenario.throughout))


@pytest.mark.slow
def test_nine_in_ten_of_them_go_round():
    names = {case.name for case in cases()}
    assert set(EXCEPTIONS) <= names
    assert len(EXCEPTIONS) <= len(names) / 10
