"""The chains of one or two configurations, judged by their rules: alone, together, and as the sessions use them.

This is what `keyroll keychain lint` says; `judge.py` judges sessions, and predicts their rollovers.
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
    """What is asked: see the options of `keyroll keychain lint`."""

    now: datetime
    at: datetime | None = None
    max_age: timedelta | None = None
    names: tuple[str, ...] = ()
    without_secrets: bool = False


@dataclass(frozen=True, slots=True)
class _Held:
    """A chain to judge, and the configuration that it stands in."""

    configuration: Configuration
    chain: Chain
    subject: Subject


@dataclass(frozen=True, slots=True)
class ChainVerdict:
    """What was judged, what is wrong, and what is unknown and matters to it."""

    judged: tuple[tuple[Subject, ...], ...]
    alone: tuple[Subject, ...]
    findings: tuple[Finding, ...]
    doubts: tuple[Doubt, ...]
    elsewhere: int
    """How many findings of the reader do not concern what was judged."""
    without_secrets: bool

    @property
    def counts(self) -> Counter[Severity]:
        """How many findings there are of each severity."""
        return Counter(finding.severity for finding in self.findings)

    @property
    def open(self) -> bool:
        """Whether something that matters to the chains is unknown, and no option excuses it."""
        excused = {DoubtKind.SECRET_UNKNOWN} if self.without_secrets else set()
        return any(doubt.kind not in excused for doubt in self.doubts)

    @property
    def exit_code(self) -> ExitCode:
        """1 where a rule of severity error is broken, else 2 where something is not known, else 0."""
        if self.counts[Severity.ERROR]:
            return ExitCode.BAD
        return ExitCode.UNFIT if self.open else ExitCode.OK


def judge_chains(configurations: Sequence[Configuration], question: ChainQuestion) -> ChainVerdict:
    """Judge the chains of one or two configurations, by themselves, together, and as the sessions use them.

    Raises:
        InputError: a text has no key-chain, or none of the name asked for, or it is not clear which belong together.
    """
    configurations = [in_own_zone(one) for one in configurations]
    wanted: list[str | None] = [*question.names]
    wanted += [wanted[-1] if wanted else None] * (len(configurations) - len(wanted))
    asked = list(zip(configurations, wanted, strict=True))
    sides = [_chosen(*item) for item in asked]
    links = match([router for one in configurations for router in one.routers]).links
    judged, alone = _pairs(sides, links, named=bool(question.names))
    findings = [finding for group in judged for finding in _judge(group, question)]
    findings += [finding for held in alone for finding in _single(held, question)]
    for configuration, name in asked:
        findings += lint_usage(configuration, only=None if name is None else frozenset((name,)))
    chains = {held.chain.name for side in sides for held in side}
    findings += [one for one in lint_ends(links) if not question.names or one.chain in chains]
    doubts = dict.fromkeys(doubt for side, item in zip(sides, asked, strict=True) for doubt in _doubts(side, *item))
    elsewhere = sum(finding not in doubts for one in configurations for finding in one.findings)
    return ChainVerdict(
        tuple(tuple(held.subject for held in group) for group in judged),
        tuple(held.subject for held in alone),
        tuple(dict.fromkeys(findings)),
        tuple(doubts),
        elsewhere + sum(one.counted for one in configurations),
        question.without_secrets,
    )


def _chosen(configuration: Configuration, name: str | None) -> list[_Held]:
    """Return the chains to judge: the one of that name, or all that have to do with TCP-AO, or all."""
    source = configuration.name
    # A logical system shows the main router's chains beside its own.
    chains = list({chain.path: chain for router in configuration.routers for chain in router.chains}.values())
    if not chains and not any(
        session.authentication.chain for router in configuration.routers for session in router.sessions
    ):
        raise InputError(_without_chains(configuration), remedy="it reads security authentication-key-chains")
    chosen = [chain for chain in chains if chain.means_ao] or chains
    if name is not None:
        chosen = [chain for chain in chains if chain.name == name]
        if not chosen:
            raise InputError(f"{source} has no key-chain '{name}'; it has: {', '.join(one.name for one in chains)}")
    return [_Held(configuration, chain, subject_of(chain, source)) for chain in chosen]


def _without_chains(configuration: Configuration) -> str:
    said = f"{configuration.name} holds no key-chain"
    first = next(iter(configuration.findings), None)
    return said if first is None else f"{said}; not understood: {first}"


def _pairs(
    sides: Sequence[Sequence[_Held]], links: Sequence[Link], *, named: bool
) -> tuple[list[tuple[_Held, ...]], list[_Held]]:
    """Return which chains are judged together, and those that are alone: pairs by session first, then by name."""
    if len(sides) < _PAIR or not all(sides):
        held = [one for side in sides for one in side]
        by_session = _by_session(held, held, links)
        paired = {id(one) for pair in by_session for one in pair}
        return [*by_session, *((one,) for one in held if id(one) not in paired)], []
    left, right = sides
    if len(left) == len(right) == 1 or named:
        return [(left[0], right[0])], []
    pairs = _by_session(left, right, links)
    taken = {id(held) for pair in pairs for held in pair}
    names = {held.chain.name: held for held in right if id(held) not in taken}
    pairs += [(held, names[held.chain.name]) for held in left if id(held) not in taken and held.chain.name in names]
    if not pairs:
        held_by = "; ".join(f"{side[0].subject.name} has {', '.join(one.chain.name for one in side)}" for side in sides)
        raise InputError(
            f"which chains belong together is not clear: {held_by}", remedy="name them: --chain R1'S --chain R2'S"
        )
    taken = {id(held) for pair in pairs for held in pair}
    return list(pairs), [held for side in sides for held in side if id(held) not in taken]


def _by_session(left: Sequence[_Held], right: Sequence[_Held], links: Sequence[Link]) -> list[tuple[_Held, ...]]:
    """Return the pairs of chains that protect one session."""
    mine, theirs = ({held.chain.name: held for held in side} for side in (left, right))
    sources = tuple(side[0].configuration.name if side else "" for side in (left, right))
    found: dict[tuple[int, int], tuple[_Held, ...]] = {}
    for link in links:
        for one, other in ((link.one, link.other), (link.other, link.one)):
            if (one.where.file, other.where.file) != sources or not (one.authentication.ao and other.authentication.ao):
                continue
            names = [end.authentication.chain.value for end in (one, other) if end.authentication.chain is not None]
            pair = mine.get(names[0]), theirs.get(names[1])
            if pair[0] is not None and pair[1] is not None and pair[0] is not pair[1]:
                # Both ways round where both ends stand in one file.
                key = (id(pair[0]), id(pair[1]))
                if key[::-1] not in found:
                    found.setdefault(key, (pair[0], pair[1]))
    return list(found.values())


def _single(held: _Held, question: ChainQuestion) -> list[Finding]:
    return lint(held.subject, at=question.at, max_age=question.max_age, now=question.now)


def _judge(group: Sequence[_Held], question: ChainQuestion) -> list[Finding]:
    findings = [finding for held in group for finding in _single(held, question)]
    if len(group) == _PAIR:
        one, other = (held.subject for held in group)
        findings += lint_pair(one, other)
        if not any(finding.severity is Severity.ERROR for finding in findings):
            findings += lint_course(one, other)
    return findings


def _doubts(side: Sequence[_Held], configuration: Configuration, name: str | None) -> Iterator[Doubt]:
    """Yield what is unknown and matters to the chains, or to a session, which may use one of them."""
    for held in side:
        yield from held.chain.doubts
        zone = doubt_of_zone(configuration, held.chain)
        if zone is not None:
            yield zone
    if name is None:
        # The damaged line may be a session that uses one of the chains.
        yield from (doubt for doubt in configuration.doubts if "authentication-key-chains" not in doubt.path)
    for router in configuration.routers:
        for session in router.sessions:
            chain = session.authentication.chain
            if name is None:
                # What may hide the chain that it names.
                if chain is not None and router.chain(chain.value) is None:
                    yield from session.doubts
            elif chain is None or chain.value == name:
                yield from session.doubts
