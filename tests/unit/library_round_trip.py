"""Round trip of library scenarios: their two configurations, and what `keyroll import` makes of them."""

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
ONLY_LOOKS = (Apply, Expectation, Advance, Wait)
"""Steps after which the routers differ only by what configurations and clocks say."""


def before_its_remedy(case: Case) -> Case:
    """Return a mistake as it is before the file's steps mend it: the first commit of keys ends what is taken."""
    steps = list(case.scenario.steps)
    mended = next((number for number, step in enumerate(steps) if isinstance(step, ChangeKey | AddKey)), len(steps))
    return replace(case, scenario=case.scenario.model_copy(update={"steps": tuple(steps[:mended])}))


def read(path: Path) -> list[Case]:
    """Return the cases of a file that go round."""
    found = read_cases(path)
    return (
        [case for case in map(before_its_remedy, found) if goes_round(case)]
        if path.parent.name == "mistakes"
        else [case for case in found if goes_round(case)]
    )


_HITLESS = {Invariant.NO_FLAP, Invariant.EVERY_SEGMENT_VERIFIED}
"""Files may leave out the others: they do not wait for the end of a rollover, or look at no route."""


def goes_round(case: Case) -> bool:
    """Whether configurations and `--skew` can say all of it: keys as applied, clocks moved together, usual policy."""
    scenario = case.scenario
    return (
        all(isinstance(step, ONLY_LOOKS) for step in scenario.steps)
        and sum(isinstance(step, Apply) for step in scenario.steps) == 1
        and all(len(step.routers) == len(ROUTERS) for step in scenario.steps if isinstance(step, Apply | Advance))
        and all(one == Policy() for one in scenario.policy.values())
        and scenario.t0 is None
    )


def cases() -> list[Case]:
    """Return every case of the library that goes round."""
    return [case for path in FILES for case in read(path)]


def sampled(*sample: str) -> list[object]:
    """Return the files as parameters, all but the sample slow.

    They are read by the tests, since every process that collects would read them all.
    """
    return [
        pytest.param(path, id=path.stem, marks=() if f"{path.parent.name}/{path.stem}" in sample else pytest.mark.slow)
        for path in FILES
    ]


def is_hitless(case: Case) -> bool:
    """Whether the file says of every session that no segment is dropped and that it never goes down."""
    scenario = case.scenario
    return all(set(scenario.holds_of(name)) >= _HITLESS for name in scenario.session_names)


def planned_commit(case: Case) -> KeysCommit | None:
    """Return the file's one change of keys, where it is one that a person plans on both routers; else None."""
    scenario = case.scenario
    found = [step for step in scenario.steps if isinstance(step, KeysCommit)]
    if len(found) != 1 or found[0].refused is not None or found[0].confirmed is not None:
        return None
    others = tuple(step for step in scenario.steps if step is not found[0])
    return found[0] if goes_round(replace(case, scenario=scenario.model_copy(update={"steps": others}))) else None


def configuration(case: Case, router: str, *, planned: KeysCommit | None = None) -> str:
    """Return the configuration that the file's first step commits on a router, as set lines; or a later one's."""
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
    """Return what `keyroll import` makes of the two configurations, and its text. `words` are further arguments.

    Raises:
        InputError: it takes them for no rollover.
    """
    names = _written(case, folder)
    skew = case.scenario.skew
    mine, theirs = (skew.get(router, timedelta()) for router in ("R1", "R2"))
    apart = (theirs - mine) // timedelta(seconds=1)
    at = T0 + mine + timedelta(seconds=1)
    (again,) = imported_files(names, folder, at, "--skew", f"{apart}s", *words)
    return again, (folder / OUTPUT).read_text()


def imported_with_its_commit(case: Case, folder: Path) -> tuple[list[Case], str]:
    """Return what `keyroll import --change` makes of both configurations and of those after the planned commit."""
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
    """Return what `keyroll import` makes of two files, R1's first."""
    output = folder / OUTPUT
    options = ["--at", at.isoformat(), "-o", str(output), "--force", "--rollovers", "63"]
    result = CliRunner().invoke(keyroll, ["import", *names, *options, *words], standalone_mode=False)
    if result.exception:
        raise result.exception
    return list(read_cases(output))


def predicted(text: str) -> bool:
    """Whether an imported file says that `keyroll check` predicts hitless."""
    return "not hitless" not in text and "does not come up" not in text
