"""The round trip of a library scenario: write its two configurations, and import them as a scenario again."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner
from tests.unit.library_routers import PLANS

from keyroll.cli.main import keyroll
from keyroll.junos.base_configuration import Family, base_configuration
from keyroll.junos.session_configuration import pair_configuration
from keyroll.keychain.junostext import set_lines
from keyroll.names import Invariant
from keyroll.scenario.file.commit_steps import AddKey, Apply, ChangeKey, KeysCommit
from keyroll.scenario.file.expectations import Expectation
from keyroll.scenario.file.fields import ROUTERS, RouterName
from keyroll.scenario.file.read import Case, read_cases
from keyroll.scenario.file.scenario import Policy
from keyroll.scenario.file.time_steps import Advance, Wait
from keyroll.scenario.plan.keyring import Keyring
from keyroll.scenario.play.commits import session_lines

LIBRARY = Path(__file__).parents[1] / "scenarios"
FILES = sorted(LIBRARY.glob("*/*.yaml"))
T0 = datetime(2030, 1, 1, tzinfo=UTC)
SEED = 7
DESCRIBED_STEPS = (Apply, Expectation, Advance, Wait)
"""Steps after which the configurations and the clocks still describe the routers completely."""


def without_its_correction(case: Case) -> Case:
    """Return a case without its correction: its steps up to the first change or addition of a key."""
    steps = list(case.scenario.steps)
    mended = next((number for number, step in enumerate(steps) if isinstance(step, ChangeKey | AddKey)), len(steps))
    return replace(case, scenario=case.scenario.model_copy(update={"steps": tuple(steps[:mended])}))


def read(path: Path) -> list[Case]:
    """Return the cases of a file that can make the round trip."""
    found = read_cases(path)
    return (
        [case for case in map(without_its_correction, found) if can_round_trip(case)]
        if path.parent.name == "mistakes"
        else [case for case in found if can_round_trip(case)]
    )


_HITLESS = {Invariant.NO_FLAP, Invariant.EVERY_SEGMENT_VERIFIED}
"""What a hitless file has at least. Files that end before the rollover does leave out further invariants."""


def can_round_trip(case: Case) -> bool:
    """Return whether configurations and `--skew` describe it all: one apply, clocks moved together, default policy."""
    scenario = case.scenario
    return (
        all(isinstance(step, DESCRIBED_STEPS) for step in scenario.steps)
        and sum(isinstance(step, Apply) for step in scenario.steps) == 1
        and all(len(step.routers) == len(ROUTERS) for step in scenario.steps if isinstance(step, Apply | Advance))
        and all(one == Policy() for one in scenario.policy.values())
        and scenario.t0 is None
    )


def cases() -> list[Case]:
    """Return every case of the library that can make the round trip."""
    return [case for path in FILES for case in read(path)]


def sampled(*sample: str) -> list[object]:
    """Return the files as parameters; all but the sample are marked slow.

    The tests read the files, not this function: otherwise every process that collects tests would read all of them.
    """
    return [
        pytest.param(path, id=path.stem, marks=() if f"{path.parent.name}/{path.stem}" in sample else pytest.mark.slow)
        for path in FILES
    ]


def is_hitless(case: Case) -> bool:
    """Return whether the file states for every session that it never goes down and no segment is dropped."""
    scenario = case.scenario
    return all(set(scenario.holds_of(name)) >= _HITLESS for name in scenario.session_names)


def planned_commit(case: Case) -> KeysCommit | None:
    """Return the only commit of keys of a case, if it is neither refused nor `confirmed`; else None."""
    scenario = case.scenario
    found = [step for step in scenario.steps if isinstance(step, KeysCommit)]
    if len(found) != 1 or found[0].refused is not None or found[0].confirmed is not None:
        return None
    others = tuple(step for step in scenario.steps if step is not found[0])
    return found[0] if can_round_trip(replace(case, scenario=scenario.model_copy(update={"steps": others}))) else None


def configuration(case: Case, router: str, *, planned: KeysCommit | None = None) -> str:
    """Return the set lines of a router after the first step of the file, or after the commit `planned`."""
    scenario = case.scenario
    name: RouterName = "R1" if router == "R1" else "R2"
    me, peer = (
        replace(PLANS[one], asn=scenario.as_numbers.get(one, PLANS[one].asn))
        for one in (ROUTERS if name == "R1" else ROUTERS[::-1])
    )
    ring = Keyring(scenario, seed=SEED, t0=T0)
    held = ring.intended(name) if planned is None else ring.after(name, planned)
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
    chains = [line for chain in held.chains.values() for line in set_lines(chain)]
    return "".join(f"{line}\n" for line in [*lines, *chains])


def imported(case: Case, folder: Path, *words: str) -> tuple[Case, str]:
    """Import the two configurations of a case; return the imported case, and the text of its file.

    Args:
        case: The case whose configurations are written.
        folder: Where the configurations and the imported file are written.
        words: Further arguments of `keyroll import`.

    Raises:
        InputError: `keyroll import` refuses the configurations.
    """
    names = _written(case, folder)
    skew = case.scenario.skew
    mine, theirs = (skew.get(router, timedelta()) for router in ("R1", "R2"))
    apart = (theirs - mine) // timedelta(seconds=1)
    at = T0 + mine + timedelta(seconds=1)
    (again,) = imported_files(names, folder, at, "--skew", f"{apart}s", *words)
    return again, (folder / OUTPUT).read_text()


def imported_with_its_commit(case: Case, folder: Path) -> tuple[list[Case], str]:
    """Import both configurations, with the planned commit as `--change`; return the cases and their text."""
    step = planned_commit(case)
    assert step is not None
    steps = case.scenario.steps
    before = (one.to for one in steps[: steps.index(step)] if isinstance(one, Advance) and one.to is not None)
    names = _written(case, folder)
    words = ["--pause", f"{(step.pause or timedelta()) // timedelta(seconds=1)}s"]
    for router in step.routers:
        (folder / f"{router}.next").write_text(configuration(case, router, planned=step))
        words += ["--change", f"{router}={folder / f'{router}.next'}"]
    found = imported_files(names, folder, T0 + max(before, default=timedelta()) + timedelta(seconds=1), *words)
    return found, (folder / OUTPUT).read_text()


OUTPUT = "round.yaml"


def _written(case: Case, folder: Path) -> list[str]:
    for router in ROUTERS:
        (folder / f"{router}.conf").write_text(configuration(case, router))
    return [str(folder / f"{router}.conf") for router in ROUTERS]


def imported_files(names: list[str], folder: Path, at: datetime, *words: str) -> list[Case]:
    """Import two files, that of R1 first; return the imported cases."""
    output = folder / OUTPUT
    options = ["--at", at.isoformat(), "-o", str(output), "--force", "--rollovers", "63"]
    result = CliRunner().invoke(keyroll, ["import", *names, *options, *words], standalone_mode=False)
    if result.exception:
        raise result.exception
    return list(read_cases(output))


def predicted(text: str) -> bool:
    """Return whether an imported file says that `keyroll check` predicts a hitless rollover."""
    return "not hitless" not in text and "does not come up" not in text
