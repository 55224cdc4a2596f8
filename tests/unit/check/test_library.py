"""The library's scenarios, checked offline: a rule reports each mistake, and hitless rollovers give no error."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.unit.library_routers import PLANS

from keyroll.check.judge import Question, Report, judge
from keyroll.check.skew import MIXES, Mix
from keyroll.configuration import Configuration, read
from keyroll.junos.base_configuration import Family, base_configuration
from keyroll.keychain.junostext import set_lines
from keyroll.names import Receiving, Sending
from keyroll.scenario.file.commit_steps import AddKey, Apply, ChangeKey, Cli, Commit, DeleteKey
from keyroll.scenario.file.fields import ROUTERS, RouterName
from keyroll.scenario.file.read import Case, read_cases
from keyroll.scenario.file.scenario import INVARIANTS
from keyroll.scenario.plan.keyring import Keyring

LIBRARY = Path(__file__).parents[2] / "scenarios"
T0 = datetime(2030, 1, 1, tzinfo=UTC)
MISTAKES = {
    "algorithm-ao-forgotten": "authentication-algorithm-not-ao",
    "algorithm-mismatch": "algorithms-differ",
    "empty-chain": "no-keys",
    "equal-start-times": "same-start-time",
    "ids-not-reversed": "ids-not-reversed",
    "key-incomplete": "incomplete-key",
    "key-incomplete[option]": "option-not-enabled",
    "ldp-mismatched-next-secret": "secrets-differ",
    "mismatched-next-secret": "secrets-differ",
    "mismatched-secret": "secrets-differ",
    "next-option-disabled": "option-not-enabled",
    "no-active-key-yet": "first-start-in-future",
    "one-bad-key-among-good": "option-not-enabled",
    "one-side-only": "chain-on-one-end",
    "option-disabled": "option-not-enabled",
    "refused-at-commit[undefined-chain]": "chain-not-defined",
    "refused-at-commit[deleted-chain]": "chain-not-defined",
    "refused-at-commit[algorithm-without-chain]": "chain-on-one-end",
    "refused-at-commit[with-md5]": "md5-beside-chain",
    "same-id-in-two-keys": "duplicate-recv-id",
    "skew-beyond-tolerance": "skew-not-borne",
    "typing-errors": "not-understood",
}
"""By file, or by case: the rule that must report the mistake once it is in a configuration."""
REFUSED_AT_COMMIT = frozenset(
    (
        "refused-at-commit[not-ao]",
        "refused-at-commit[auto-discovery]",
        "refused-at-commit[allow-all]",
        "typing-errors[secret-127]",
    )
)
"""Mistakes without a rule: Junos refuses them at commit, so that no saved configuration has them."""


@functools.cache
def cases(folder: str) -> tuple[Case, ...]:
    return tuple(case for path in sorted((LIBRARY / folder).glob("*.yaml")) for case in read_cases(path))


def named(folder: str) -> list[Any]:
    return [pytest.param(case, id=case.name) for case in cases(folder)]


@dataclass
class State:
    """Both routers' configurations as the steps of a scenario leave them."""

    case: Case
    keyring: Keyring
    texts: dict[str, Configuration]

    @classmethod
    def of(cls, case: Case) -> State:
        keyring = Keyring(case.scenario, seed=1, t0=T0)
        return cls(case, keyring, {})

    def write(self, router: RouterName, *, applied: bool) -> None:
        scenario = self.case.scenario
        held = self.keyring.intended(router)
        lines = base_configuration(
            PLANS[router],
            PLANS["R2" if router == "R1" else "R1"],
            sessions=[one.kind for one in scenario.sessions],
            chain=held.used if applied else None,
            hold_time=scenario.hold_time,
            family=Family(scenario.family),
        )
        if applied:
            lines += [line for chain in held.chains.values() for line in set_lines(chain)]
        self.texts[router] = read("".join(f"{line}\n" for line in lines), f"{router}.conf")

    def type(self, router: RouterName, lines: list[str]) -> None:
        peer = PLANS["R2" if router == "R1" else "R1"].address(Family(self.case.scenario.family)).ip
        text = "".join(f"{line.replace('<peer>', str(peer))}\n" for line in lines)
        self.texts[router] = read(text, f"{router}.change", base=self.texts[router])

    def take(self, step: object) -> None:
        """Change the configurations as a step does; a step that changes none is ignored."""
        if isinstance(step, Apply):
            for router in ROUTERS:
                if router in step.routers or router not in self.texts:
                    self.write(router, applied=router in step.routers)
        elif isinstance(step, AddKey | ChangeKey | DeleteKey):
            for router in step.routers:
                held = self.keyring._intended[router] = self.keyring.after(router, step)
                root = f"security authentication-key-chains key-chain {held.used}"
                lines = set_lines(held.chain) if held.chain.keys else [f"set {root}"]
                self.type(router, [f"delete {root}", *lines])
        elif isinstance(step, Cli) and step.configure:
            for router in step.routers:
                self.type(router, list(step.configure))

    def judged(self, *, skew: timedelta = timedelta(), mixes: tuple[Mix, ...] = MIXES) -> Report:
        at = T0 + timedelta(seconds=1)
        return judge(list(self.texts.values()), Question(at, skew=skew, mixes=mixes))


def states(case: Case) -> list[Report]:
    """Return the report after each step that changes a configuration."""
    state = State.of(case)
    skew = max((abs(ahead) for ahead in case.scenario.skew.values()), default=timedelta())
    found = []
    for step in case.scenario.steps:
        if isinstance(step, Commit) or getattr(step, "kind", "") == "cli":
            state.take(step)
            found.append(state.judged(skew=skew))
    return found


@pytest.mark.parametrize("case", named("mistakes"))
def test_each_mistake_that_a_configuration_can_have_is_reported_by_its_rule(case: Case) -> None:
    if case.name in REFUSED_AT_COMMIT:
        pytest.skip("Junos refuses it at commit")
    rule = MISTAKES.get(case.name) or MISTAKES[case.scenario.id]
    reported = [{finding.rule.id for finding in report.findings} for report in states(case)]
    assert any(rule in rules for rules in reported), reported


def mix_of(case: Case) -> Mix:
    found = []
    for router in ROUTERS:
        policy = case.scenario.policy.get(router)
        found.append(
            (
                Sending(policy.sending if policy else "clock"),
                Receiving(policy.receiving if policy else "tolerance"),
            )
        )
    one, other = found
    return one, other


def is_hitless(case: Case) -> bool:
    return set(INVARIANTS) <= set(case.scenario.throughout)


@pytest.mark.parametrize("case", [param for param in named("rollover") if is_hitless(param.values[0])])
def test_no_hitless_rollover_gives_an_error(case: Case) -> None:
    state = State.of(case)
    for step in case.scenario.steps:
        state.take(step)
    report = state.judged(mixes=(mix_of(case),))
    errors = [str(finding) for finding in report.findings if finding.severity.value == "error"]
    assert not errors
    assert report.sessions


def test_the_library_has_more_than_thirty_hitless_rollovers() -> None:
    assert mix_of(cases("rollover")[0]) in MIXES
    assert sum(map(is_hitless, cases("rollover"))) > 30
