"""Judges the chains of one or two configurations by the rules: alone, together, and as the sessions use them.

`keyroll keychain lint` prints the result; `judge.py` judges sessions and predicts their rollovers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from keyroll.check.unknown_zones import doubt_of_zone
from keyroll.configuration import Chain, Configuration, Link, in_own_zone, match
from keyroll.configuration import Finding as Doubt
from keyroll.configuration import Kind as DoubtKind
from keyroll.configuration.usage import lint_ends, lint_usage, subject_of
from keyroll.errors import ExitCode, InputError
from keyroll.keychain.lint import Finding, Subject, lint
from keyroll.keychain.lint_pair import lint_course, lint_pair
from keyroll.keychain.rules import Severity

# Chains that protect one session: one at each end.
_PAIR = 2


@dataclass(frozen=True, slots=True)
class ChainQuestion:
    """What to judge, and by which instants and limits: the options of `keyroll keychain lint`."""

    now: datetime
    at: datetime | None = None
    max_age: timedelta | None = None
    names: tuple[str, ...] = ()
    without_secrets: bool = False


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A chain to judge, and the configuration that defines it."""

    configuration: Configuration
    chain: Chain
    subject: Subject


@dataclass(frozen=True, slots=True)
class ChainVerdict:
    """The judged chains (in pairs or alone), the broken rules, and the unknowns that matter to the chains."""

    judged: tuple[tuple[Subject, ...], ...]
    alone: tuple[Subject, ...]
    findings: tuple[Finding, ...]
    doubts: tuple[Doubt, ...]
    elsewhere: int
    """How many findings of the reader do not affect the judged chains."""
    without_secrets: bool

    @property
    def counts(self) -> Counter[Severity]:
        """How many findings there are of each severity."""
        return Counter(finding.severity for finding in self.findings)

    @property
    def open(self) -> bool:
        """Whether something that matters to the chains is unknown, and no option says to accept it."""
        excused = {DoubtKind.SECRET_UNKNOWN} if self.without_secrets else set()
        return any(doubt.kind not in excused for doubt in self.doubts)

    @property
    def exit_code(self) -> ExitCode:
        """1 if a rule of severity error is broken, else 2 if something is not known, else 0."""
        if self.counts[Severity.ERROR]:
            return ExitCode.BAD
        return ExitCode.UNFIT if self.open else ExitCode.OK


def judge_chains(configurations: Sequence[Configuration], question: ChainQuestion) -> ChainVerdict:
    """Judge the chains of one or two configurations, by themselves, together, and as the sessions use them.

    Raises:
        InputError: a text has no key-chain, or none of the requested name, or it is not clear which chains belong
            together.
    """
    configurations = [in_own_zone(one) for one in configurations]
    wanted: list[str | None] = [*question.names]
    wanted += [wanted[-1] if wanted else None] * (len(configurations) - len(wanted))
    asked = list(zip(configurations, wanted, strict=True))
    sides = [_chosen(*item) for item in asked]
    links = match([router for one in configurations for router in one.routers]).links
    judged, alone = _pairs(sides, links, named=bool(question.names))
    findings = [finding for group in judged for finding in _judge(group, question)]
    findings += [finding for candidate in alone for finding in _single(candidate, question)]
    for configuration, name in asked:
        findings += lint_usage(configuration, only=None if name is None else frozenset((name,)))
    chains = {candidate.chain.name for side in sides for candidate in side}
    findings += [one for one in lint_ends(links) if not question.names or one.chain in chains]
    doubts = dict.fromkeys(doubt for side, item in zip(sides, asked, strict=True) for doubt in _doubts(side, *item))
    elsewhere = sum(finding not in doubts for one in configurations for finding in one.findings)
    return ChainVerdict(
        tuple(tuple(candidate.subject for candidate in group) for group in judged),
        tuple(candidate.subject for candidate in alone),
        tuple(dict.fromkeys(findings)),
        tuple(doubts),
        elsewhere + sum(one.counted for one in configurations),
        question.without_secrets,
    )


def _chosen(configuration: Configuration, name: str | None) -> list[_Candidate]:
    """Return the chains to judge: the one of that name if given, else all for TCP-AO, else all."""
    source = configuration.name
    # A logical system lists the main router's chains besides its own.
    chains = list({chain.path: chain for router in configuration.routers for chain in router.chains}.values())
    if not chains and not any(
        session.authentication.chain for router in configuration.routers for session in router.sessions
    ):
        remedy = "give a text that has `security authentication-key-chains`"
        raise InputError(_without_chains(configuration), remedy=remedy)
    chosen = [chain for chain in chains if chain.means_ao] or chains
    if name is not None:
        chosen = [chain for chain in chains if chain.name == name]
        if not chosen:
            raise InputError(f"{source} has no key-chain '{name}'; it has: {', '.join(one.name for one in chains)}")
    return [_Candidate(configuration, chain, subject_of(chain, source)) for chain in chosen]


def _without_chains(configuration: Configuration) -> str:
    said = f"{configuration.name} holds no key-chain"
    first = next(iter(configuration.findings), None)
    return said if first is None else f"{said}; not understood: {first}"


def _pairs(
    sides: Sequence[Sequence[_Candidate]], links: Sequence[Link], *, named: bool
) -> tuple[list[tuple[_Candidate, ...]], list[_Candidate]]:
    """Return the chains that are judged together, and those without a counterpart: pairs by session, then by name."""
    if len(sides) < _PAIR or not all(sides):
        candidates = [one for side in sides for one in side]
        by_session = _by_session(candidates, candidates, links)
        paired = {id(one) for pair in by_session for one in pair}
        return [*by_session, *((one,) for one in candidates if id(one) not in paired)], []
    left, right = sides
    if len(left) == len(right) == 1 or named:
        return [(left[0], right[0])], []
    pairs = _by_session(left, right, links)
    taken = {id(candidate) for pair in pairs for candidate in pair}
    names = {candidate.chain.name: candidate for candidate in right if id(candidate) not in taken}
    pairs += [
        (candidate, names[candidate.chain.name])
        for candidate in left
        if id(candidate) not in taken and candidate.chain.name in names
    ]
    if not pairs:
        named_by = "; ".join(
            f"{side[0].subject.name} has {', '.join(one.chain.name for one in side)}" for side in sides
        )
        raise InputError(
            f"it is not clear which chains belong together: {named_by}",
            remedy="use --chain twice: with the name of R1's chain, then of R2's",
        )
    taken = {id(candidate) for pair in pairs for candidate in pair}
    return list(pairs), [candidate for side in sides for candidate in side if id(candidate) not in taken]


def _by_session(
    left: Sequence[_Candidate], right: Sequence[_Candidate], links: Sequence[Link]
) -> list[tuple[_Candidate, ...]]:
    """Return the pairs of chains that protect one session."""
    mine, theirs = ({candidate.chain.name: candidate for candidate in side} for side in (left, right))
    sources = tuple(side[0].configuration.name if side else "" for side in (left, right))
    found: dict[tuple[int, int], tuple[_Candidate, ...]] = {}
    for link in links:
        for one, other in ((link.one, link.other), (link.other, link.one)):
            if (one.where.file, other.where.file) != sources or not (one.authentication.ao and other.authentication.ao):
                continue
            names = [end.authentication.chain.value for end in (one, other) if end.authentication.chain is not None]
            pair = mine.get(names[0]), theirs.get(names[1])
            if pair[0] is not None and pair[1] is not None and pair[0] is not pair[1]:
                # If both ends are in one file, each pair is found twice, in either order.
                key = (id(pair[0]), id(pair[1]))
                if key[::-1] not in found:
                    found.setdefault(key, (pair[0], pair[1]))
    return list(found.values())


def _single(candidate: _Candidate, question: ChainQuestion) -> list[Finding]:
    return lint(candidate.subject, at=question.at, max_age=question.max_age, now=question.now)


def _judge(group: Sequence[_Candidate], question: ChainQuestion) -> list[Finding]:
    findings = [finding for candidate in group for finding in _single(candidate, question)]
    if len(group) == _PAIR:
        one, other = (candidate.subject for candidate in group)
        findings += lint_pair(one, other)
        if not any(finding.severity is Severity.ERROR for finding in findings):
            findings += lint_course(one, other)
    return findings


def _doubts(side: Sequence[_Candidate], configuration: Configuration, name: str | None) -> Iterator[Doubt]:
    """Yield what is unknown about the chains, and about sessions that may use one of them."""
    for candidate in side:
        yield from candidate.chain.doubts
        zone = doubt_of_zone(configuration, candidate.chain)
        if zone is not None:
            yield zone
    if name is None:
        # The damaged line may be a session that uses one of the chains.
        yield from (doubt for doubt in configuration.doubts if "authentication-key-chains" not in doubt.path)
    for router in configuration.routers:
        for session in router.sessions:
            chain = session.authentication.chain
            if name is None:
                # The unknowns may hide the definition of the chain that the session names.
                if chain is not None and router.chain(chain.value) is None:
                    yield from session.doubts
            elif chain is None or chain.value == name:
                yield from session.doubts
