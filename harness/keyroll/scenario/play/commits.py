"""The steps that commit: the base configuration with sessions and keychain, changes of keys, free Junos lines."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from ipaddress import IPv4Address, IPv6Address

from keyroll.junos.base_configuration import GROUP, Family, base_configuration
from keyroll.junos.errors import CommandError, CommitError, ConfigurationError, RouterRefusedError
from keyroll.junos.pair import Draft
from keyroll.junos.session import RouterSession
from keyroll.keychain.junostext import set_lines
from keyroll.names import SessionKind
from keyroll.scenario.file.commit_steps import (
    Apply,
    AwaitRollback,
    Cli,
    CommitStep,
    Committed,
    DeleteChain,
    RePoint,
    Rollback,
)
from keyroll.scenario.file.fields import ROUTERS, RouterName
from keyroll.scenario.play.commit_confirmed import Unconfirmed
from keyroll.scenario.play.context import Stage, other, router_of
from keyroll.scenario.play.read_back import ReadingBack
from keyroll.scenario.record.result import Check

Address = IPv4Address | IPv6Address
Span = Callable[[int, int], None]
"""Notes what happened between two instants (ns since 1970)."""
_CHAINS = "authentication-key-chains"


@dataclass(frozen=True, slots=True)
class _Job:
    """What one router is to commit, and what is noted when it has, or when it was taken back."""

    draft: Draft
    lines: Sequence[str]
    committed: Span
    taken_back: Span
    chains: bool = True
    """Whether it is about key-chains, which are read back then."""


def _nothing(_begun: int, _done: int) -> None:
    """Note nothing: a `cli` step's lines change nothing that is kept here."""


class Committer:
    """Plays the steps that commit, on a stage."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._reading_back = ReadingBack(stage)
        self._unconfirmed = Unconfirmed(stage, self._reading_back)
        self.based: set[RouterName] = set()
        """Routers that have the base configuration."""

    def play(self, number: int, step: CommitStep) -> None:
        """Commit a change of keys on the step's routers, at once or in turn."""
        if isinstance(step, Apply):
            self._apply(number, step)
        else:
            jobs = {router: self._change(number, router, step) for router in step.routers}
            self._commit(number, step, {router: job for router, job in jobs.items() if job is not None})

    def await_rollback(self, number: int, step: AwaitRollback) -> None:
        """Wait until the step's routers have taken their unconfirmed commits back. Raises ScenarioError."""
        self._unconfirmed.await_rollback(number, step)

    def type_lines(self, number: int, step: Cli) -> None:
        """Type free lines on the step's routers, in the order that is written."""
        for router in step.routers:
            session = self._stage.pair.sessions[router]
            if step.configure:
                self._configure(number, router, step)
            if step.commands:
                self._ask(number, session, step)

    def _configure(self, number: int, router: RouterName, step: Cli) -> None:
        lines = [self._placed(router, line) for line in step.configure]
        job = _Job(Draft.of(lines, comment=self._comment(number)), lines, _nothing, _nothing, chains=False)
        self._commit(number, Committed(routers=(router,), refused=step.refused), {router: job})
        if any(_CHAINS in line for line in lines):
            self._reading_back.allow_typed(self._stage.pair.sessions[router])

    def _placed(self, router: RouterName, line: str) -> str:
        peer = other(router)
        return placed(
            line,
            own=self._stage.peers[peer],
            peer=self._stage.peers[router],
            peer_as=self._stage.plans[peer].asn,
        )

    def _ask(self, number: int, session: RouterSession, step: Cli) -> None:
        answer, refused = "", False
        for command in (self._placed(router_of(session), line) for line in step.commands):
            try:
                answer = session.show(command).raw
            except CommandError as error:
                answer, refused = error.words, True
                if step.refused is None and step.shows is None:
                    raise
        wanted = step.shows if step.shows is not None else step.refused
        if wanted is None:
            return
        held = bool(re.search(wanted, answer, re.MULTILINE)) and (step.refused is None or refused)
        self._stage.add(
            Check(
                "shows",
                passed=held,
                expected=f"'{step.commands[-1]}' shows /{wanted}/",
                observed="it does" if held else (answer.strip() or "nothing"),
                step=number,
                router=router_of(session),
            )
        )

    def _apply(self, number: int, step: Apply) -> None:
        others = [router for router in ROUTERS if router not in (*step.routers, *self.based)]
        if others:
            self._commit(number, Apply(routers=tuple(others)), {one: self._base(number, one, None) for one in others})
        self._commit(number, step, {router: self._base(number, router, step) for router in step.routers})
        for router in self.based:  # not sooner: what was taken back would have been sampled half-way
            self._stage.sampler.watch(router)

    def _base(self, number: int, router: RouterName, step: Apply | None) -> _Job:
        """Return the base configuration, with the chains when the router is applied, without when it is not yet."""
        stage, keyring = self._stage, self._stage.keyring
        held = keyring.meant(router)
        lines = base_configuration(
            stage.plans[router],
            stage.plans[other(router)],
            sessions=[SessionKind(name) for name in stage.scenario.sessions],
            chain=held.used if step else None,
            hold_time=stage.scenario.hold_time,
            family=Family(stage.scenario.family),
        )
        if step:
            lines += [line for chain in keyring.given(router).chains.values() for line in set_lines(chain)]
        first = router not in self.based

        def committed(begun: int, done: int) -> None:
            if step:
                stage.wire.protected_from[router] = begun if first else done
                keyring.commit(router, held)
            self.based.add(router)

        def taken_back(_begun: int, _done: int) -> None:
            if step:
                keyring.take_back(router)
                stage.wire.protected_from.pop(router)
            if first:
                self.based.discard(router)

        return _Job(Draft.of(lines, comment=self._comment(number)), lines, committed, taken_back, chains=bool(step))

    def _change(self, number: int, router: RouterName, step: CommitStep) -> _Job | None:
        """Return a change of keys; None where there is nothing to do, since a mutation made it so."""
        stage, keyring = self._stage, self._stage.keyring
        if isinstance(step, Rollback):
            held = keyring.before(router, step.number)
            lines: list[str] = []
        else:
            held = keyring.after(router, step)
            lines = keyring.lines(router, held)
        if isinstance(step, RePoint):
            lines += self._pointing(router, held.used)
        if not lines and not isinstance(step, Rollback | DeleteChain):
            keyring.commit(router, held)
            return None

        def committed(begun: int, done: int) -> None:
            keyring.commit(router, held)
            stage.wire.set_chain(router, keyring.given(router).chain, begun=begun, done=done)

        def taken_back(begun: int, done: int) -> None:
            keyring.take_back(router)
            stage.wire.set_chain(router, keyring.given(router).chain, begun=begun, done=done)

        draft = Draft.of(lines, comment=self._comment(number), confirmed_minutes=step.confirmed)
        if isinstance(step, Rollback):
            draft = replace(draft, load=lambda session: session.rollback(step.number))
        return _Job(draft, lines or [f"# step {number}: an earlier configuration"], committed, taken_back)

    def _comment(self, number: int) -> str:
        return f"keyroll {self._stage.scenario.id} step {number}"

    def _pointing(self, router: RouterName, chain: str) -> list[str]:
        peer = self._stage.peers[router]
        lines = []
        if "bgp" in self._stage.scenario.sessions:
            lines.append(f"set protocols bgp group {GROUP} neighbor {peer} authentication-key-chain {chain}")
        if "ldp" in self._stage.scenario.sessions:
            lines.append(f"set protocols ldp session {peer} authentication-key-chain {chain}")
        return lines

    def _commit(self, number: int, step: Committed, jobs: Mapping[RouterName, _Job]) -> None:
        """Commit on all routers or on none, and read back; or hold their refusals against what the file expects."""
        stage, begun = self._stage, time.time_ns()
        if step.refused is not None:
            self._expect_refusals(number, step, jobs, step.refused)
        else:
            try:
                stage.pair.change(
                    {router: job.draft for router, job in jobs.items()},
                    order=list(jobs) if step.pause is not None else None,
                    between=lambda: self._let_pass(step.pause),
                    committed=lambda router, *span: self._note(router, jobs[router], *span),
                    taken_back=lambda router, *span: self._note_back(number, router, jobs[router], *span),
                )
            except (ConfigurationError, CommitError) as error:
                self._refused(number, error, None, begun)
            else:
                self._unconfirmed.note(list(jobs), step.confirmed)
        self._reading_back.check(number, [router for router, job in jobs.items() if job.chains])

    def _let_pass(self, pause: timedelta | None) -> None:
        self._stage.pause.wait((pause or timedelta()).total_seconds())

    def _note(self, router: RouterName, job: _Job, begun: int, done: int) -> None:
        self._stage.committed(router, job.lines)
        job.committed(begun, done)

    def _note_back(self, number: int, router: RouterName, job: _Job, begun: int, done: int) -> None:
        self._stage.committed(router, [f"# step {number}: taken back, since the other router refused its part"])
        job.taken_back(begun, done)

    def _expect_refusals(self, number: int, step: Committed, jobs: Mapping[RouterName, _Job], words: str) -> None:
        def attempt(session: RouterSession) -> None:
            self._expect_refusal(number, session, jobs[router_of(session)], words)

        if step.pause is None:
            self._stage.pair.at_once(attempt, list(jobs))
            return
        for index, router in enumerate(jobs):
            if index:
                self._let_pass(step.pause)
            attempt(self._stage.pair.sessions[router])

    def _expect_refusal(self, number: int, session: RouterSession, job: _Job, words: str) -> None:
        router, begun = router_of(session), time.time_ns()
        try:
            job.draft.load(session)
            at = time.time_ns()
            session.commit(job.draft.comment, confirmed_minutes=job.draft.confirmed_minutes)
        except (ConfigurationError, CommitError) as error:
            self._refused(number, error, words, begun)
            return
        self._note(router, job, at, time.time_ns())
        self._stage.add(
            Check(
                "commit",
                passed=False,
                expected=f"refused with '{words}'",
                observed="the router took it",
                step=number,
                router=router,
            )
        )

    def _refused(self, number: int, error: RouterRefusedError, words: str | None, begun: int) -> None:
        self._stage.add(
            Check(
                "commit",
                passed=words is not None and words in error.words,
                expected="taken by the router" if words is None else f"refused with '{words}'",
                observed="; ".join((str(error), *getattr(error, "__notes__", ()))),
                step=number,
                router=error.router,
                event=f"the commit of step {number}",
                after=timedelta(microseconds=(time.time_ns() - begun) // 1000),
            )
        )


def placed(line: str, *, own: Address, peer: Address, peer_as: int) -> str:
    """Return a line of a `cli` step as a router is sent it: `<own>`, `<peer>` and `<peer-as>` are those of its session.

    So a file needs no addresses, and a line is written once for both routers.
    """
    for word, value in (("<own>", own), ("<peer>", peer), ("<peer-as>", peer_as)):
        line = line.replace(word, str(value))
    return line
