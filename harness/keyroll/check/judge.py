"""Judges configurations: the verdict, findings and coming rollovers of every protected session."""

from __future__ import annotations

import enum
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, tzinfo

from keyroll.check import rules
from keyroll.check.coming_rollovers import (
    BGP_HOLD,
    LDP_HOLD,
    ComingRollovers,
    Hold,
    PredictedRollover,
    predict_rollovers,
)
from keyroll.check.findings import (
    End,
    Finding,
    Levels,
    after_the_change,
    of_age,
    of_chain,
    of_chains,
    of_duplicates,
    of_end,
    of_link,
    of_router,
    of_single,
    retired,
    rule_of,
)
from keyroll.check.ldp_groups import discovers, pair_groups
from keyroll.check.rules import Severity
from keyroll.check.skew import MIXES, Mix
from keyroll.check.unknown_zones import doubt_of_zone
from keyroll.configuration import (
    Chain,
    Configuration,
    Ends,
    Kind,
    Link,
    Path,
    Session,
    Single,
    in_own_zone,
    match,
    zone_of,
)
from keyroll.configuration.usage import unused
from keyroll.keychain.model import Keychain
from keyroll.keychain.rules import CHAIN_ON_ONE_END
from keyroll.keychain.secret import Likeness, Secret
from keyroll.keychain.starttime import format_start_stored
from keyroll.names import SessionKind

SKEW_DEFAULT = timedelta(seconds=1)
"""NTP keeps the clocks of two routers closer together than this."""


class Verdict(enum.Enum):
    """The verdict on a session."""

    OK = "ok"
    """The session is up at the given instant, and every coming rollover is hitless."""
    BAD = "bad"
    """There is an error, or a rollover that is not hitless under a requested mix."""
    UNKNOWN = "unknown"
    """There is no error, but something that matters to the session is not known."""


@dataclass(frozen=True, slots=True)
class Question:
    """The instants, policies and limits by which the configurations are judged."""

    at: datetime
    """The first instant that is judged (aware)."""
    until: datetime | None = None
    """Rollovers that begin later are left out; None: the last start-time of each pair of chains."""
    mixes: tuple[Mix, ...] = MIXES
    skew: timedelta = SKEW_DEFAULT
    """How far the clocks may be apart, either way."""
    max_age: timedelta | None = None
    """Keys that are in use for longer are reported; None: not checked."""
    within: timedelta | None = None
    """Chains in which no key takes over in this time are reported; None: not checked."""
    without_secrets: bool = False
    """Whether unknown secrets do not change a verdict."""
    change_by: datetime | None = None
    """When the planned change ends this state: a fault that begins later is advice; None: no change is planned."""


def begins_later(predicted: PredictedRollover, question: Question) -> bool:
    """Say whether a rollover begins after the planned change, even on a clock that is ahead by the assumed skew."""
    return question.change_by is not None and predicted.rollover.first - question.skew > question.change_by


@dataclass(frozen=True, slots=True)
class ChainPair:
    """Two chains that protect sessions together, and their coming rollovers.

    Pairs that are equal in all that the prediction depends on (keys, tolerances, hold time) share one: the first.
    """

    chains: tuple[Chain, Chain]
    routers: tuple[str, str]
    hold: Hold | None
    coming: ComingRollovers
    zones: tuple[tzinfo | None, tzinfo | None] = (None, None)
    """Each router's `time-zone`; None if it is not configured: then start-times keep the zone they are stored in."""
    unknown_secrets: tuple[tuple[int, int], ...] = ()
    """Keys (of the first chain, of the second) whose secrets cannot be compared; retired keys are left out."""

    def assumed(self, predicted: PredictedRollover) -> tuple[tuple[int, int], ...]:
        """Return those of `unknown_secrets` that take part in a rollover."""
        one, other = predicted.rollover.parts
        mine = set() if one is None else {one.key.id, one.before.id}
        theirs = set() if other is None else {other.key.id, other.before.id}
        return tuple(pair for pair in self.unknown_secrets if pair[0] in mine or pair[1] in theirs)


@dataclass(frozen=True, slots=True)
class JudgedSession:
    """A session that TCP-AO protects at one end or both, and its findings."""

    one: Session
    other: Session | None
    findings: tuple[Finding, ...]
    pair: int | None = None
    """The index in `Report.pairs` of the chains that protect it; None if nothing can be predicted."""

    @property
    def between(self) -> frozenset[tuple[str, str]]:
        """The chains that protect the session: (router, chain) of each end."""
        ends = [end for end in (self.one, self.other) if end is not None]
        return frozenset((end.router, end.authentication.chain.value) for end in ends if end.authentication.chain)

    @property
    def verdict(self) -> Verdict:
        """The worst of the findings: an error outweighs an unknown."""
        found = {finding.severity for finding in self.findings}
        if Severity.ERROR in found:
            return Verdict.BAD
        return Verdict.UNKNOWN if Severity.UNKNOWN in found else Verdict.OK


@dataclass(frozen=True, slots=True)
class Report:
    """The result for a set of configurations."""

    question: Question
    sessions: tuple[JudgedSession, ...]
    pairs: tuple[ChainPair, ...]
    chains: tuple[Finding, ...] = ()
    """Findings without a session: chains that protect none, and unknowns elsewhere in the configurations."""
    unprotected: int = 0
    """How many sessions have TCP-AO at neither end."""
    disabled: int = 0
    """How many protected sessions are disabled at an end."""
    routers: tuple[str, ...] = field(default=())

    def sessions_of(self, pair: int) -> tuple[JudgedSession, ...]:
        """Return the sessions that a pair of chains, or one with an equal prediction, protects."""
        return tuple(session for session in self.sessions if session.pair == pair)

    def count(self, verdict: Verdict) -> int:
        """Return how many sessions have a verdict."""
        return sum(session.verdict is verdict for session in self.sessions)

    @property
    def complete(self) -> bool:
        """Whether all protected sessions are known: no line that is not understood may be another one."""
        return not any(finding.severity is Severity.UNKNOWN for finding in self.chains)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Every finding once, the worst first, then by place."""
        unique = dict.fromkeys((*(one for session in self.sessions for one in session.findings), *self.chains))
        order = list(Severity)
        return tuple(sorted(unique, key=lambda one: (order.index(one.severity), one.where.file, one.where.line or 0)))


def judge(configurations: Sequence[Configuration], question: Question) -> Report:
    """Judge the sessions between the routers of any number of configurations.

    Start-times that name no zone are in the router's `time-zone`, else in the zone that the configuration was read in.
    """
    return _Judge(_with_different_names([in_own_zone(one) for one in configurations]), question).report()


def _with_different_names(configurations: Sequence[Configuration]) -> list[Configuration]:
    """Return the configurations. If texts without host-name would have the same name, each is named by its path."""
    names = Counter(one.main.name for one in configurations)
    return [
        replace(one, called=one.name) if one.host is None and names[one.main.name] > 1 else one
        for one in configurations
    ]


class _Judge:
    """Judges one set of configurations. What several sessions share (a router, a chain, a pair) is judged once."""

    def __init__(self, configurations: Sequence[Configuration], question: Question) -> None:
        self._configurations = configurations
        self._question = question
        self._ends = {
            id(session): End(session, router, configuration)
            for configuration in configurations
            for router in configuration.routers
            for session in router.sessions
        }
        self._routers = [router for configuration in configurations for router in configuration.routers]
        self._texts = {id(router): one for one in configurations for router in one.routers}
        self._levels = Levels()
        self._router_findings: dict[tuple[int, SessionKind, Path], list[Finding]] = {}
        self._duplicates = [(id(one), finding) for one, finding in of_duplicates(configurations)]
        self._chain_findings: dict[int, list[Finding]] = {}
        self._pair_findings: dict[tuple[int, int, Hold | None], list[Finding]] = {}
        self._pairs: list[ChainPair] = []
        self._known: dict[object, int] = {}
        self._contents: dict[object, int] = {}
        self._content_of: dict[int, int] = {}
        self._secrets: dict[Secret, int] = {}

    def report(self) -> Report:
        ends = pair_groups(match(self._routers), self._routers)
        protected = [link for link in ends.links if self._end(link.one).means_ao or self._end(link.other).means_ao]
        alone = [single for single in ends.singles if self._end(single.session).means_ao]
        sessions = [self._link(link) for link in protected if not _disabled(link.one, link.other)]
        sessions += [self._single(single) for single in alone if not _disabled(single.session)]
        return Report(
            self._question,
            tuple(sessions),
            tuple(self._pairs),
            (*(finding for _, finding in self._duplicates), *self._unused(), *self._elsewhere(sessions)),
            unprotected=_all(ends) - len(protected) - len(alone),
            disabled=len(protected) + len(alone) - len(sessions),
            routers=tuple(router.name for router in self._routers if router.sessions),
        )

    def _end(self, session: Session) -> End:
        return self._ends[id(session)]

    def _link(self, link: Link) -> JudgedSession:
        one, other = self._end(link.one), self._end(link.other)
        found = [*self._of_ends(one, other), *of_link(link, one, other), *self._of_chains(one, other)]
        mine, theirs = one.chain, other.chain
        pair = None
        if (
            mine is not None
            and theirs is not None
            and one.session.authentication.ao
            and other.session.authentication.ao
        ):
            pair = self._pair(one, other, mine, theirs)
            found += self._pair_findings[id(mine), id(theirs), _hold(link.one, link.other)]
        return JudgedSession(link.one, link.other, tuple(dict.fromkeys(found)), pair)

    def _single(self, single: Single) -> JudgedSession:
        end = self._end(single.session)
        found = [*self._of_ends(end), *self._of_chains(end), of_single(single)]
        router = single.router
        if router is not None and discovers(single, router):
            name = single.session.name
            message = f"{name} is protected with TCP-AO, but {router.name} runs LDP without a statement for the session"
            found[-1] = Finding.of(CHAIN_ON_ONE_END, message, single.session.where)
        doubt = self._doubt(single)
        if doubt is not None and found[-1].severity is Severity.ERROR:
            found[-1] = doubt
        return JudgedSession(single.session, None, tuple(found))

    def _doubt(self, single: Single) -> Finding | None:
        """Return the finding that the other end is unknown, if its text is damaged where the session would be."""
        text = self._texts.get(id(single.router))
        if text is None or single.router is None:
            return None
        findings = text.findings_on(("protocols", single.session.kind.value))
        hiding = (one for one in findings if one.kind is not Kind.SECRET_UNKNOWN)
        first = next((one for one in hiding if rule_of(one).severity is not Severity.NOTE), None)
        if first is None:
            return None
        message = f"{single.session.name}: it is not known whether {single.router.name} has the other end ({first})"
        return Finding.of(rules.IN_DOUBT, message, single.session.where)

    def _of_ends(self, *ends: End) -> Iterator[Finding]:
        for end in ends:
            yield from of_end(end, self._levels)
            yield from (finding for number, finding in self._duplicates if number == id(end.configuration))
            router = id(end.configuration), end.session.kind, end.instance
            if router not in self._router_findings:
                self._router_findings[router] = list(of_router(end))
            yield from self._router_findings[router]

    def _of_chains(self, *ends: End) -> Iterator[Finding]:
        for end in ends:
            chain = end.chain
            if chain is None:
                continue
            if id(chain) not in self._chain_findings:
                question = self._question
                self._chain_findings[id(chain)] = [
                    *of_chain(chain, end.router.name, question.at, question.change_by),
                    *of_age(chain, at=question.at, max_age=question.max_age, within=question.within),
                    *_of_zone(end.configuration, chain),
                ]
            yield from self._chain_findings[id(chain)]

    def _unused(self) -> Iterator[Finding]:
        for configuration in self._configurations:
            for found in unused(configuration):
                name = configuration.main.name
                yield Finding.of(found.rule, f"{name}: {found.message}", found.where)

    def _elsewhere(self, sessions: Sequence[JudgedSession]) -> Iterator[Finding]:
        """Yield a finding for each unknown that affects no known session, so that none is left out.

        Most are notes. At a level that can hold sessions, the unknown may be another protected session.
        """
        reported = {finding.where for session in sessions for finding in session.findings}
        for configuration in self._configurations:
            hiding = {doubt for doubt in configuration.doubts if "authentication-key-chains" not in doubt.path}
            for doubt in configuration.findings:
                if doubt.kind is Kind.SECRET_UNKNOWN or doubt.where in reported:
                    continue
                rule = rule_of(doubt)
                if rule.severity is Severity.NOTE:
                    # At a level that holds no sessions, it concerns nothing that is judged.
                    if doubt in hiding:
                        yield Finding.of(rule, doubt.message, doubt.where)
                elif doubt in hiding:
                    message = f"may hide a protected session: {doubt.message} [{doubt.kind.value}]"
                    yield Finding.of(rules.IN_DOUBT, message, doubt.where)
                else:
                    message = f"affects no protected session: {doubt.message} [{doubt.kind.value}]"
                    yield Finding(rules.IN_DOUBT, message, doubt.where, Severity.NOTE)

    # ------------------------------------------------------------------ pairs of chains

    def _pair(self, one: End, other: End, mine: Chain, theirs: Chain) -> int:
        hold = _hold(one.session, other.session)
        content = (self._content(mine), self._content(theirs), hold)
        if content not in self._known:
            question = self._question
            self._known[content] = len(self._pairs)
            coming = predict_rollovers(
                mine.keychain,
                theirs.keychain,
                at=question.at,
                until=question.until,
                hold=hold,
                mixes=question.mixes,
            )
            unknown = tuple(_unknown_secrets(mine, theirs, question.at))
            zones = zone_of(one.configuration), zone_of(other.configuration)
            self._pairs.append(
                ChainPair((mine, theirs), (one.router.name, other.router.name), hold, coming, zones, unknown)
            )
        number = self._known[content]
        objects = (id(mine), id(theirs), hold)
        if objects not in self._pair_findings:
            names = one.router.name, other.router.name
            self._pair_findings[objects] = [
                *of_chains(mine, theirs, names, self._question.at, self._question.change_by),
                *self._predicted(self._pairs[number], mine, theirs, names),
            ]
        return number

    def _content(self, chain: Chain) -> int:
        """Return a number that is equal for two chains whose predictions are equal."""
        if id(chain) not in self._content_of:
            content = self._relevant_content(chain.keychain)
            self._content_of[id(chain)] = self._contents.setdefault(content, len(self._contents))
        return self._content_of[id(chain)]

    def _relevant_content(self, chain: Keychain) -> object:
        """Return all of a chain that a prediction depends on: not its name and not its keys' descriptions."""
        return chain.tolerance, tuple(
            (
                key.id,
                key.start,
                key.scheme,
                key.send_id,
                key.recv_id,
                key.tcp_ao_option,
                key.effective_algorithm,
                key.include_options,
                self._token(key.secret),
            )
            for key in chain.keys
        )

    def _token(self, secret: Secret | None) -> int | None:
        """Return a number for each different secret; all unknown secrets are -1: each is assumed to match."""
        if secret is None:
            return None
        return self._secrets.setdefault(secret, len(self._secrets)) if secret.known else -1

    def _predicted(self, pair: ChainPair, mine: Chain, theirs: Chain, names: tuple[str, str]) -> Iterator[Finding]:
        """Yield the findings of the prediction, with places in these two chains."""
        coming, question = pair.coming, self._question
        both = f"{names[0]} with {names[1]}"
        found: list[Finding] = []
        if coming.faults:
            gap = next(iter(coming.faults.values()))[0]
            sender = names[int(gap.flow.sender) - 1]
            when = format_start_stored(max(gap.begin, question.at))
            key = f"key {gap.flow.key} (KeyID {gap.flow.key_id})"
            what = "sends nothing" if gap.flow.key is None else f"sends with {key}, and these segments are dropped"
            why = f", because {gap.flow.drop.value}" if gap.flow.drop else ""
            message = f"{both}: at {when} {sender} {what}{why}{_under(len(coming.faults), question.mixes)}"
            found.append(Finding.of(rules.SESSION_DOWN, message, theirs.where))
        for predicted in coming.rollovers:
            found += self._of_rollover(predicted, mine, theirs, both)
        # A statement that is not understood may change the prediction.
        doubts = [doubt for chain in (mine, theirs) for doubt in chain.doubts if doubt.kind is not Kind.SECRET_UNKNOWN]
        sure = all(rule_of(doubt).severity is Severity.NOTE for doubt in doubts)
        yield from found if sure else map(_in_doubt, found)
        for chain, router in ((mine, names[0]), (theirs, names[1])):
            unknown = [key for key in chain.secrets_unknown if not retired(chain, key, question.at)]
            if unknown:
                keys = ", ".join(map(str, unknown))
                what = f"the secret of key {keys} is" if len(unknown) == 1 else f"the secrets of keys {keys} are"
                message = f"{router}: key-chain {chain.name}: {what} not known, and assumed to match"
                severity = Severity.NOTE if question.without_secrets else Severity.UNKNOWN
                yield Finding(rules.SECRET_UNKNOWN, message, chain.place(unknown[0], "secret"), severity)

    def _of_rollover(self, predicted: PredictedRollover, mine: Chain, theirs: Chain, both: str) -> Iterator[Finding]:
        one, other = predicted.rollover.parts
        where = (
            theirs.place(other.key.id, "start-time")
            if other
            else mine.place(one.key.id, "start-time")
            if one
            else mine.where
        )
        when, question = format_start_stored(predicted.rollover.first), self._question
        if predicted.failing:
            under = _under(len(predicted.failing), question.mixes)
            found = Finding.of(rules.NOT_HITLESS, f"{both}: the rollover of {when} is not hitless{under}", where)
        elif not predicted.hitless(question.skew):
            seconds = question.skew.total_seconds()
            message = f"{both}: the rollover of {when} is not hitless with clocks {seconds:g} s apart"
            found = Finding.of(rules.SKEW_NOT_BORNE, message, where)
        else:
            return
        yield after_the_change(found) if begins_later(predicted, question) else found


def _in_doubt(finding: Finding) -> Finding:
    message = f"{finding.message} (judged without the statements that are not understood)"
    return replace(finding, message=message, severity=Severity.UNKNOWN if finding.severity is Severity.ERROR else
                   finding.severity)  # fmt: skip


def _of_zone(configuration: Configuration, chain: Chain) -> Iterator[Finding]:
    doubt = doubt_of_zone(configuration, chain)
    if doubt is not None:
        yield Finding.of(rules.IN_DOUBT, doubt.message, doubt.where)


def _under(count: int, mixes: Sequence[Mix]) -> str:
    return "" if count == len(mixes) == 1 else f" ({count} of {len(mixes)} mixes of policies)"


def _unknown_secrets(one: Chain, other: Chain, at: datetime) -> Iterator[tuple[int, int]]:
    """Yield the keys of two chains with reversed ids whose secrets cannot be compared."""
    for mine in one.keychain.keys:
        for theirs in other.keychain.keys:
            if (mine.send_id, mine.recv_id) != (theirs.recv_id, theirs.send_id) or mine.secret is None:
                continue
            unknown = theirs.secret is not None and mine.secret.compare(theirs.secret) is Likeness.UNKNOWN
            if unknown and not (retired(one, mine.id, at) and retired(other, theirs.id, at)):
                yield mine.id, theirs.id


def _hold(one: Session, other: Session) -> Hold | None:
    """Return the lower hold time of both ends; None if one is 0, which turns the hold timer off."""
    usual = BGP_HOLD if one.kind is SessionKind.BGP else LDP_HOLD
    times = [usual.time if end.hold_time is None else timedelta(seconds=end.hold_time.value) for end in (one, other)]
    time = min(times)
    return Hold(time, time / 3) if time else None


def _disabled(*sessions: Session) -> bool:
    return any(session.disabled for session in sessions)


def _all(ends: Ends) -> int:
    return len(ends.links) + len(ends.singles)
