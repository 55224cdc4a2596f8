"""Scenario files in, scenarios out: recognised, spread over their parameters, checked as a whole.

`parametrize:` names values; `${name}` in the file stands for one of them, `${name.part}` for a part of a mapping. Each
parameter is a list, or a mapping whose keys become readable ids: `{cmac: aes-128-cmac-96}` gives `[cmac]`.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from keyroll.document import Document, load, read
from keyroll.durations import format_duration
from keyroll.errors import Where
from keyroll.scenario.errors import NoSuchMutationError, ScenarioError
from keyroll.scenario.file.commit_steps import Apply, ChangeChains, RePoint
from keyroll.scenario.file.placing import placing_problem
from keyroll.scenario.file.scenario import Mutation, Scenario
from keyroll.scenario.file.sessions import KINDS, problem_of
from keyroll.scenario.file.step import Step
from keyroll.scenario.file.time_steps import Advance
from keyroll.suggest import did_you_mean

_HEAD = re.compile(rb"(?:\xef\xbb\xbf)?(?:[ \t]*(?:#[^\n]*)?\r?\n|---[ \t]*\r?\n)*keyroll[ \t]*:")
_HEAD_LENGTH = 16384
"""Octets that are searched for `keyroll:`: enough for a long comment before it, however large the file is."""
_PLACEHOLDER = re.compile(r"\$\{([^}]*)\}")
_VARIANTS_MAX = 256
"""The most combinations of a file's parameters: more are taken for a mistake, and can be split over several files."""
_VALUES_MAX = 200_000
"""The most values of all combinations together: to fill in and check this many takes about a second."""


@dataclass(frozen=True, slots=True)
class Case:
    """One scenario of a file: the checked model, the file that it came from, and the values that were chosen."""

    scenario: Scenario
    path: Path
    text: str
    """The whole file as it was read, once."""
    variant: str | None = None
    """The chosen parameters' labels, joined with `-`: `cmac-ipv6`. None where the file has no parameters."""

    @property
    def name(self) -> str:
        """The scenario's id with its variant: `rollover-two-keys[cmac]`."""
        return f"{self.scenario.id}[{self.variant}]" if self.variant else self.scenario.id

    @property
    def marks(self) -> tuple[str, ...]:
        """The file's marks, and `slow` where it is one of the file's `slow-cases`."""
        slow = self.variant in self.scenario.slow_cases and "slow" not in self.scenario.marks
        return (*self.scenario.marks, "slow") if slow else self.scenario.marks

    def mutation(self, name: str) -> Mutation:
        """Return the mutation of that name.

        Raises:
            NoSuchMutationError: the file does not declare it; names those that it does.
        """
        found = self.scenario.mutations.get(name)
        if found is None:
            known = ", ".join(self.scenario.mutations) or "none"
            raise NoSuchMutationError(
                f"no mutation '{name}'; declared here: {known}",
                where=Where.of(self.path),
                remedy=did_you_mean(name, self.scenario.mutations),
            )
        return found


def is_scenario(path: Path) -> bool:
    """Say whether a file begins with `keyroll:` (comments and blank lines may precede it)."""
    try:
        if not path.is_file():  # opening a pipe would block until somebody writes to it
            return False
        with path.open("rb") as stream:
            return _HEAD.match(stream.read(_HEAD_LENGTH)) is not None
    except OSError:
        return False


def read_cases(path: Path) -> tuple[Case, ...]:
    """Read a scenario file into its scenarios: one, or one for each combination of its parameters.

    Raises:
        DocumentError, ScenarioError: the first thing that is wrong, with file, line, column, field and what is allowed.
    """
    document = load(path)
    if not isinstance(document.data, Mapping) or "keyroll" not in document.data:
        raise ScenarioError("not a scenario file: it does not begin with `keyroll:`", where=document.where())
    cases = tuple(Case(_read_one(variant), path, document.text, label) for label, variant in _variants(document))
    _check_slow_cases(cases, document)
    return cases


def _check_slow_cases(cases: Sequence[Case], document: Document) -> None:
    names = [case.variant for case in cases if case.variant is not None]
    known = ", ".join(names) or "none without `parametrize`"
    for index, name in enumerate(cases[0].scenario.slow_cases):
        if name not in names:
            raise ScenarioError(
                f"'slow-cases': there is no case '{name}'; there are {known}",
                where=document.where(("slow-cases", index)),
            )
    if names and set(names) <= set(cases[0].scenario.slow_cases):
        where = document.where(("slow-cases",))
        raise ScenarioError("'slow-cases' names every case: use `marks: [slow]`", where=where)


def _read_one(document: Document) -> Scenario:
    scenario = read(document, Scenario)
    _check_pair(scenario, document)
    _check_steps(scenario, document)
    if problem := placing_problem(scenario):
        raise ScenarioError(problem[1], where=document.where(problem[0]))
    _check_mutations(scenario, document)
    return scenario


def _variants(document: Document) -> Iterator[tuple[str | None, Document]]:
    parameters = document.data.get("parametrize")
    if parameters is None:
        yield None, document
        return
    choices = [list(_choices(name, values, document)) for name, values in _parameters(parameters, document)]
    count = 1
    for some in choices:
        count *= len(some)
    if count > _VARIANTS_MAX:
        raise ScenarioError(f"{count} combinations; at most {_VARIANTS_MAX}", where=document.where(("parametrize",)))
    if count * len(document.places) > _VALUES_MAX:
        raise ScenarioError(
            f"{count} combinations of a file of {len(document.places)} values; at most {_VALUES_MAX} values in all",
            where=document.where(("parametrize",)),
        )
    for combination in itertools.product(*choices):
        chosen = {name: value for name, _, value in combination}
        label = "-".join(label for _, label, _ in combination)
        yield label, replace(document, data=_filled(document.data, chosen, document, ()))


def _parameters(parameters: object, document: Document) -> list[tuple[str, object]]:
    where = document.where(("parametrize",))
    if not isinstance(parameters, Mapping) or not parameters:
        raise ScenarioError("'parametrize': should be a mapping of names to values", where=where)
    return [(str(name), values) for name, values in parameters.items()]


def _choices(name: str, values: object, document: Document) -> Iterator[tuple[str, str, object]]:
    where = document.where(("parametrize", name))
    if not isinstance(values, list | Mapping) or not values:
        raise ScenarioError(f"'parametrize.{name}': should be a list of values, or label: value", where=where)
    labelled = values.items() if isinstance(values, Mapping) else ((_label(value), value) for value in values)
    seen: set[str] = set()
    for label, value in labelled:
        if str(label) in seen:
            raise ScenarioError(f"'parametrize.{name}': {label} occurs twice", where=where)
        seen.add(str(label))
        yield name, str(label), value


def _label(value: object) -> str:
    text = ".".join(str(part) for part in value.values()) if isinstance(value, Mapping) else str(value)
    return re.sub(r"[^A-Za-z0-9.+-]+", "_", text)


def _filled(data: object, chosen: Mapping[str, object], document: Document, loc: tuple[str | int, ...]) -> object:
    """Return `data` with every placeholder replaced; one that fills a whole value keeps the value's type."""
    if isinstance(data, Mapping):
        return {
            key: value if key == "parametrize" and not loc else _filled(value, chosen, document, (*loc, key))
            for key, value in data.items()
        }
    if isinstance(data, list):
        return [_filled(value, chosen, document, (*loc, index)) for index, value in enumerate(data)]
    if not isinstance(data, str):
        return data
    whole = _PLACEHOLDER.fullmatch(data)
    if whole:
        return _lookup(whole[1], chosen, document, loc)
    return _PLACEHOLDER.sub(lambda found: str(_lookup(found[1], chosen, document, loc)), data)


def _lookup(reference: str, chosen: Mapping[str, object], document: Document, loc: tuple[str | int, ...]) -> object:
    name, _, part = reference.partition(".")
    value = chosen.get(name)
    if part and isinstance(value, Mapping) and part in value:
        return value[part]
    if name not in chosen or part:
        raise ScenarioError(
            f"unknown placeholder ${{{reference}}}; `parametrize` has {', '.join(chosen)}", where=document.where(loc)
        )
    return value


def _all_keys(scenario: Scenario) -> set[int]:
    """Return every key number that a chain of the file, or a later step, can have."""
    planned = {key.id for chain in (scenario.keychain, *scenario.other_chains) for key in chain.keys}
    return planned.union(*(step.adds() for step in scenario.steps))


def _check_steps(scenario: Scenario, document: Document) -> None:
    keys = _all_keys(scenario)
    chains = [chain.name for chain in (scenario.keychain, *scenario.other_chains)]
    applied = False
    reached = None
    for index, step in enumerate(scenario.steps):
        where = document.where(("steps", index))
        applied = applied or isinstance(step, Apply)
        if not applied:
            raise ScenarioError(f"the first step is `apply`, not `{step.kind}`: nothing is configured yet", where=where)
        if index and isinstance(step, Apply) and not step.turns_on:
            raise ScenarioError(
                "only the first `apply` takes `authentication`: later ones configure the key-chains", where=where
            )
        if isinstance(step, Advance) and step.to is not None:
            if reached is not None and step.to < reached:
                raise ScenarioError(
                    f"advance to {format_duration(step.to)} goes back: an earlier `advance` reaches "
                    f"{format_duration(reached)}; use `skew` to set clocks back",
                    where=where,
                )
            reached = step.to
        strangers = sorted(step.keys() - keys)
        if strangers:
            raise _no_key(strangers[0], keys, where)
        unknown = sorted(step.chains() - set(chains))
        if unknown:
            raise _no_chain(unknown[0], chains, where)
        _check_sessions(step, scenario, where)


def _check_sessions(step: Step, scenario: Scenario, where: Where) -> None:
    known = scenario.kinds
    by_name = isinstance(step, RePoint | ChangeChains)
    kinds = set() if by_name else set(known.values())
    missing = sorted(step.sessions() - {*known, *kinds})
    if missing and missing[0] in KINDS and not by_name:
        raise ScenarioError(f"there is no session of {missing[0]}; `sessions` is [{', '.join(known)}]", where=where)
    if missing:
        raise _no_session(missing[0], scenario, where)


def _no_session(name: str, scenario: Scenario, where: Where) -> ScenarioError:
    return ScenarioError(f"no session is named '{name}'; there are {', '.join(scenario.kinds)}", where=where)


def _check_pair(scenario: Scenario, document: Document) -> None:
    """Check that the sessions can exist together, and that the chains that sessions and chains name exist."""
    if problem := problem_of(scenario.sessions, scenario.family):
        raise ScenarioError(problem[1], where=document.where(("sessions", problem[0])))
    strangers = [name for name in scenario.throughout_of if name not in scenario.kinds]
    if strangers:
        raise _no_session(strangers[0], scenario, document.where(("throughout-of", strangers[0])))
    chains = [chain.name for chain in (scenario.keychain, *scenario.other_chains)]
    for index, one in enumerate(scenario.sessions):
        for name in one.chain.values():
            if name not in chains:
                raise _no_chain(name, chains, document.where(("sessions", index, "chain")))
    for index, chain in enumerate(scenario.other_chains):
        if chain.secrets_of is not None and chain.secrets_of not in chains:
            raise _no_chain(chain.secrets_of, chains, document.where(("other-chains", index, "secrets-of")))


def _no_key(number: int, keys: Iterable[int], where: Where) -> ScenarioError:
    known = ", ".join(map(str, sorted(keys))) or "none"
    return ScenarioError(f"no keychain of the file has key {number}; keys are {known}", where=where)


def _no_chain(name: str, chains: Sequence[str], where: Where) -> ScenarioError:
    return ScenarioError(f"no keychain is named '{name}'; there are {', '.join(chains)}", where=where)


def _check_mutations(scenario: Scenario, document: Document) -> None:
    keys = _all_keys(scenario)
    chains = [chain.name for chain in (scenario.keychain, *scenario.other_chains)]
    for name, mutation in scenario.mutations.items():
        where = document.where(("mutations", name))
        if mutation.key is not None and mutation.key not in keys:
            raise _no_key(mutation.key, keys, where)
        if mutation.chain is not None and mutation.chain not in chains:
            raise _no_chain(mutation.chain, chains, where)
        for check in mutation.turns_red:
            if not _check_exists(check, scenario):
                known = sorted({*_step_checks(scenario), *scenario.invariants})
                raise ScenarioError(f"no check is named '{check}'; checks here: {', '.join(known)}", where=where)


def _check_exists(check: str, scenario: Scenario) -> bool:
    check, bracket, session = check.partition("[")
    if bracket and (session.removesuffix("]") not in scenario.kinds or not scenario.has_named_sessions):
        return False
    kind, _, at = check.partition("@")
    return check in _step_checks(scenario) if at else kind in {*scenario.invariants, *_kinds(scenario)}


def _step_checks(scenario: Scenario) -> Sequence[str]:
    return [f"{name}@{at}" for at, step in enumerate(scenario.steps, start=1) for name in sorted(step.checks())]


def _kinds(scenario: Scenario) -> Sequence[str]:
    return [name for step in scenario.steps for name in step.checks()]
