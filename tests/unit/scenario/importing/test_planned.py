"""A planned commit that resets sessions: another key-chain for them, or TCP-AO for sessions that had none."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import TypeVar, cast

import pytest
from tests.unit.known import known
from tests.unit.scenario.importing.test_import import AT, FIRST, SECOND, key, lion, of_six, tiger

from keyroll.cli.imported import Asked, imported
from keyroll.cli.rehearsal import judged
from keyroll.errors import ExitCode
from keyroll.scenario.file.commit_steps import Apply, ChangeChains, RePoint
from keyroll.scenario.file.read import Case, read_cases
from keyroll.scenario.file.router_steps import Clear
from keyroll.scenario.file.scenario import Scenario
from keyroll.scenario.file.step import Step
from keyroll.scenario.importing.pair import Imported, PredictedVerdict
from keyroll.scenario.record.result import Result, Verdict

PEERS = "10.9.0.2", "10.9.0.1"
NEIGHBOR = "protocols bgp group peers neighbor {peer}"
POINT = f"set {NEIGHBOR} authentication-key-chain NEWNAME\n"
MD5 = f"set {NEIGHBOR} authentication-key md5-secret\n"
ON = (
    f"delete {NEIGHBOR} authentication-key\n"
    f"set {NEIGHBOR} authentication-algorithm ao\n"
    f"set {NEIGHBOR} authentication-key-chain SECRETNAME\n"
)


def new_chain(one: int, other: int, secret: str = "new-secret") -> str:
    """Return the lines of a chain with a key in use and a future key."""
    keys = key(5, FIRST[0], one, other, secret), key(6, SECOND[0], one + 2, other + 2, secret)
    return "".join(keys).replace("SECRETNAME", "NEWNAME")


def without_ao(text: str, more: str = "") -> str:
    """Return a configuration from before TCP-AO: it has the key-chain, and no session uses it."""
    kept = (
        line for line in text.splitlines(keepends=True) if not line.startswith("set protocols") or " auth" not in line
    )
    return "".join(kept) + more


@pytest.fixture
def plan(
    tmp_path: Path,
) -> Callable[[tuple[str, str], tuple[str | None, str | None]], tuple[Imported, tuple[Case, ...]]]:
    """Return a function that imports two configurations and their planned commits."""

    def run(files: tuple[str, str], changes: tuple[str | None, str | None]) -> tuple[Imported, tuple[Case, ...]]:
        paths = [tmp_path / "one.conf", tmp_path / "other.conf"]
        planned = []
        for number, (path, text, lines) in enumerate(zip(paths, files, changes, strict=True), 1):
            path.write_text(text)
            if lines is not None:
                change = tmp_path / f"c{number}.set"
                change.write_text(lines.format(peer=PEERS[number - 1]))
                planned.append(f"R{number}={change}")
        made = imported(Asked(tuple(paths), AT, None, 3, "0s", "UTC", tuple(planned)))
        (tmp_path / "made.yaml").write_text(made.text)
        for secret in ("new-secret", "md5-secret", "NEWNAME", "SECRETNAME"):
            assert secret not in made.text
        return made, read_cases(tmp_path / "made.yaml")

    return run


Kind = TypeVar("Kind", bound=Step)


def steps_of(kind: type[Kind], scenario: Scenario) -> list[Kind]:
    return [step for step in scenario.steps if isinstance(step, kind)]


def test_another_key_chain_for_a_session_is_a_re_point_and_one_reset(
    plan: Callable[[tuple[str, str], tuple[str | None, str | None]], tuple[Imported, tuple[Case, ...]]],
) -> None:
    made, cases = plan((lion(), tiger()), (POINT + new_chain(11, 12), POINT + new_chain(12, 11)))
    assert [case.variant for case in cases] == ["r1-first", "r2-first"]
    for case, order in zip(cases, (("R1", "R2"), ("R2", "R1")), strict=True):
        (step,) = steps_of(RePoint, case.scenario)
        assert (tuple(step.routers), step.chain, known(step.pause).total_seconds()) == (order, "imported-2", 5)
        assert [tuple(one.routers) for one in steps_of(Clear, case.scenario)] == [("R1",)]
    scenario = cases[0].scenario
    assert [one.id for one in scenario.keychain.keys] == [0, 1]
    assert [one.id for one in scenario.other_chains[0].keys] == [5, 6]
    assert "expect-within: {within: 60s, bgp: Established, flaps: 1, active: 5, wire: 5}" in made.text
    assert "expect: {bgp: Established, flaps: 1, active: 6, wire: 6}" in made.text, (
        "the rollovers of the new chain are played"
    )
    assert (made.left_out, made.commit, made.resets) == ((), (), ("v4-link",))


def test_a_re_point_of_one_router_keeps_the_key_numbers_of_the_other(
    plan: Callable[[tuple[str, str], tuple[str | None, str | None]], tuple[Imported, tuple[Case, ...]]],
) -> None:
    keys = key(5, FIRST[0], 1, 2) + key(6, SECOND[0], 3, 4)
    made, (case,) = plan((lion(), tiger()), (POINT + keys.replace("SECRETNAME", "NEWNAME"), None))
    (step,) = steps_of(RePoint, case.scenario)
    assert tuple(step.routers) == ("R1",)
    assert "active: {R1: 5, R2: 0}, wire: {R1: 5, R2: 0}" in made.text
    assert "active: {R1: 6, R2: 1}, wire: {R1: 6, R2: 1}" in made.text
    assert made.commit == ()


def test_a_new_chain_with_another_secret_at_the_other_end_is_predicted_to_be_down(
    plan: Callable[[tuple[str, str], tuple[str | None, str | None]], tuple[Imported, tuple[Case, ...]]],
) -> None:
    made, _ = plan((lion(), tiger()), (POINT + new_chain(11, 12), POINT + new_chain(12, 11, "another")))
    assert made.commit == ("after the change",), "the states during the commit are the one reset"


def test_a_commit_that_changes_a_chain_and_re_points_a_session_is_one_step(
    plan: Callable[[tuple[str, str], tuple[str | None, str | None]], tuple[Imported, tuple[Case, ...]]],
) -> None:
    sixes = of_six(1, 2, key(0, *FIRST)), of_six(2, 1, key(0, FIRST[0], 2, 1))
    more = key(3, *SECOND, "new-secret"), key(3, SECOND[0], 4, 3, "new-secret")
    changes = (
        POINT + new_chain(11, 12) + more[0].replace("SECRETNAME", "OTHERNAME"),
        POINT + new_chain(12, 11) + more[1].replace("SECRETNAME", "OTHERNAME"),
    )
    made, cases = plan((lion(more=sixes[0]), tiger(more=sixes[1])), changes)
    for case in cases:
        (step,) = steps_of(ChangeChains, case.scenario)
        assert [(one.chain, [new.id for new in one.add]) for one in step.changes] == [("imported-2", [3])]
        assert [(one.chain, tuple(one.sessions_)) for one in step.pointings] == [("imported-3", ("v4-link",))]
        assert case.scenario.holds_of("v4-link") != case.scenario.holds_of("v6-link")
    assert made.resets == ("v4-link",)
    assert "flaps: {v4-link: 1}" in made.text


def test_one_of_two_sessions_on_a_chain_may_get_another_chain(
    plan: Callable[[tuple[str, str], tuple[str | None, str | None]], tuple[Imported, tuple[Case, ...]]],
) -> None:
    on_same = [of_six(1, 2), of_six(2, 1)]
    files = [text.replace("OTHERNAME", "SECRETNAME") for text in on_same]
    made, cases = plan(
        (lion(more=files[0]), tiger(more=files[1])), (POINT + new_chain(11, 12), POINT + new_chain(12, 11))
    )
    (step,) = steps_of(RePoint, cases[0].scenario)
    assert tuple(step.sessions_) == ("v4-link",)
    assert made.resets == ("v4-link",)
    assert "active: {v4-link: 5, v6-link: 0}" in made.text


@pytest.mark.parametrize(("former", "lines"), [("md5", MD5), ("none", "")])
def test_a_commit_that_turns_tcp_ao_on_is_played_from_the_authentication_before_it(
    plan: Callable[[tuple[str, str], tuple[str | None, str | None]], tuple[Imported, tuple[Case, ...]]],
    former: str,
    lines: str,
) -> None:
    one, other = (
        without_ao(text, lines.format(peer=peer)) for text, peer in zip((lion(), tiger()), PEERS, strict=True)
    )
    on = ON if lines else ON.partition("\n")[2]
    made, cases = plan((one, other), (on, on))
    assert [case.variant for case in cases] == ["r1-first", "r2-first"]
    for case, order in zip(cases, (("R1", "R2"), ("R2", "R1")), strict=True):
        first, commit = steps_of(Apply, case.scenario)
        assert (first.authentication, commit.authentication) == (former, None)
        assert (tuple(commit.routers), known(commit.pause).total_seconds()) == (order, 5)
    assert "expect-within: {within: 60s, bgp: Established, flaps: 1, active: 0, wire: 0}" in made.text
    assert "expect: {bgp: Established, flaps: 1, active: 1, wire: 1}" in made.text
    assert (made.left_out, made.commit, made.resets) == ((), (), ("v4-link",))


def test_a_commit_is_reported_as_not_played_if_the_passwords_before_it_differ(
    plan: Callable[[tuple[str, str], tuple[str | None, str | None]], tuple[Imported, tuple[Case, ...]]],
) -> None:
    files = (
        without_ao(lion(), MD5.format(peer=PEERS[0])),
        without_ao(tiger(), MD5.format(peer=PEERS[1]).replace("md5-secret", "other-md5-secret")),
    )
    made, (case,) = plan(files, (ON, ON))
    assert "before it the two ends differ" in made.left_out[0]
    assert [one.authentication for one in steps_of(Apply, case.scenario)] == [None]


def test_a_commit_that_turns_tcp_ao_on_with_other_secrets_is_predicted_to_be_down(
    plan: Callable[[tuple[str, str], tuple[str | None, str | None]], tuple[Imported, tuple[Case, ...]]],
) -> None:
    theirs = key(0, FIRST[0], 2, 1, "other-secret")
    files = without_ao(lion(key(0, *FIRST))), without_ao(tiger(theirs))
    on = ON.partition("\n")[2]
    made, _ = plan(files, (on, on))
    assert made.commit == ("after the change",)
    assert "apply: {routers: '${order}'" in made.text
    assert "within: 60s, bgp: Established, flaps: 1" in made.text, "the run is compared with the prediction"


def test_other_changes_of_a_commit_are_reported_as_not_played(
    plan: Callable[[tuple[str, str], tuple[str | None, str | None]], tuple[Imported, tuple[Case, ...]]],
) -> None:
    on = ON.partition("\n")[2]
    files = without_ao(lion()), without_ao(tiger())
    made, _ = plan(files, (f"{on}set {NEIGHBOR} hold-time 20\n", on))
    assert made.left_out == ("lion: 1 planned statement of protocols not played",)


@pytest.mark.parametrize(
    ("played", "rollovers", "commit", "code", "words"),
    [
        (Verdict.PASSED, True, (), ExitCode.OK, "RESET ONCE by the planned commit, as predicted, then HITLESS"),
        (Verdict.PASSED, False, (), ExitCode.OK, "RESET ONCE by the planned commit, as predicted"),
        (Verdict.FAILED, True, (), ExitCode.BAD, "NOT HITLESS, though check predicts that it is: please report this"),
        (Verdict.FAILED, True, ("after the change",), ExitCode.BAD, "NOT HITLESS, as predicted"),
    ],
)
def test_a_reset_that_is_predicted_and_played_once_is_not_a_fault(
    played: Verdict, rollovers: bool, commit: tuple[str, ...], code: ExitCode, words: str
) -> None:
    at = datetime(2027, 1, 15, tzinfo=UTC)
    predicted = PredictedVerdict(at, hitless=True, hitless_in_all=True, words="hitless under all policies")
    made = Imported(
        "", "", (), (predicted,) if rollovers else (), ("lion", "tiger"), (), commit=commit, resets=("v4-link",)
    )
    result = cast("Result", SimpleNamespace(verdict=played, reason=None))
    found = judged(made, result, accept_left_out=False, without_secrets=False)
    assert (found.code, found.sentence) == (code, words)
