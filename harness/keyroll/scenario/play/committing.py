"""How a change is committed: on all routers of a step or on none, together or in turn, or refused as expected."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Protocol

from keyroll.junos.errors import CommitError, ConfigurationError, RouterRefusedError
from keyroll.junos.pair import Draft
from keyroll.junos.session import RouterSession
from keyroll.scenario.errors import RunUnfitError
from keyroll.scenario.file.fields import RouterName
from keyroll.scenario.judge.actions import CommitRefused, CommitTaken
from keyroll.scenario.plan.changes import Held
from keyroll.scenario.plan.keyring import Span
from keyroll.scenario.play.commit_confirmed import Unconfirmed
from keyroll.scenario.play.context import Run, router_of
from keyroll.scenario.play.read_back import ReadBack


class Configured:
    """The routers that have the base configuration."""

    def __init__(self, run: Run) -> None:
        self.routers: set[RouterName] = set()
        self.with_md5: set[RouterName] = set()
        """Those whose sessions have TCP MD5, which must be deleted before a key-chain: Junos refuses both together."""


class Effect(Protocol):
    """How a commit changes the run's knowledge of a router."""

    @property
    def changes_chains(self) -> bool:
        """Whether it changes key-chains, so that these are read back."""
        ...

    def committed(self, run: Run, router: RouterName, span: Span) -> None:
        """Record that the router has committed it."""
        ...

    def taken_back(self, run: Run, router: RouterName, span: Span) -> None:
        """Record that the router has undone it, because the other one refused its part."""
        ...


@dataclass(frozen=True, slots=True)
class Based:
    """The router gets the base configuration, with keychains (`held`) or, if it is not applied yet, without."""

    held: Held | None
    first: bool
    """Whether the router had no base configuration before."""
    md5: bool = False
    """Whether its sessions have TCP MD5 after the commit."""
    md5_before: bool = False

    @property
    def changes_chains(self) -> bool:
        """Whether chains were sent with it."""
        return self.held is not None

    def committed(self, run: Run, router: RouterName, span: Span) -> None:
        """Record the configuration, and the chains."""
        if self.held is not None:
            run.keyring.commit(router, self.held, span, unprotected_before=not self.first)
        run.kept(Configured).routers.add(router)
        _mark(run, router, md5=self.md5)

    def taken_back(self, run: Run, router: RouterName, span: Span) -> None:
        """Record the state before the commit."""
        if self.held is not None:
            run.keyring.take_back(router, span)
        if self.first:
            run.kept(Configured).routers.discard(router)
        _mark(run, router, md5=self.md5_before)


def _mark(run: Run, router: RouterName, *, md5: bool) -> None:
    marked = run.kept(Configured).with_md5
    (marked.add if md5 else marked.discard)(router)


@dataclass(frozen=True, slots=True)
class KeysChanged:
    """The router gets other keychains."""

    held: Held
    changes_chains = True

    def committed(self, run: Run, router: RouterName, span: Span) -> None:
        """Record the chains."""
        run.keyring.commit(router, self.held, span)

    def taken_back(self, run: Run, router: RouterName, span: Span) -> None:
        """Record the chains before the commit."""
        run.keyring.take_back(router, span)


@dataclass(frozen=True, slots=True)
class Typed:
    """Lines of a `cli` step: the effect of their commit is not recorded here."""

    changes_chains = False

    def committed(self, run: Run, router: RouterName, span: Span) -> None:
        """Note nothing."""

    def taken_back(self, run: Run, router: RouterName, span: Span) -> None:
        """Note nothing."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """A commit for one router: how it is loaded, its lines for the run folder, and its effect."""

    draft: Draft
    lines: Sequence[str]
    effect: Effect

    def committed(self, run: Run, router: RouterName, span: Span) -> None:
        """Note that the router has committed it."""
        run.record.committed(router, self.lines)
        self.effect.committed(run, router, span)

    def taken_back(self, run: Run, router: RouterName, span: Span) -> None:
        """Note that the router has taken it back."""
        lines = [f"# step {run.number}: undone, because the other router refused its part"]
        run.record.committed(router, lines)
        self.effect.taken_back(run, router, span)


def comment(run: Run) -> str:
    """Return the comment of the current step's commits."""
    return f"keyroll {run.scenario.id} step {run.number}"


def commit(
    run: Run,
    proposals: Mapping[RouterName, Proposal],
    *,
    pause: timedelta | None = None,
    refused: str | None = None,
    confirmed: int | None = None,
) -> None:
    """Commit on all routers or on none, and read back; or compare their refusals with what the file expects.

    Args:
        run: the run.
        proposals: by router, in the order of the commits if there is a pause.
        pause: between one router's commit and the next one's; None commits on all at once.
        refused: the words with which each router must refuse it.
        confirmed: minutes until the routers roll it back by themselves.
    """
    back = run.kept(ReadBack)
    if refused is not None:
        _expect_refusals(run, proposals, pause, refused)
    else:
        begun = run.now()
        try:
            run.routers.pair.change(
                {router: proposal.draft for router, proposal in proposals.items()},
                order=list(proposals) if pause is not None else None,
                between=lambda: run.clock.pause(pause or timedelta()),
                committed=lambda router, *span: proposals[router].committed(run, router, Span(*span)),
                taken_back=lambda router, *span: proposals[router].taken_back(run, router, Span(*span)),
            )
        except (ConfigurationError, CommitError) as error:
            _refused(run, error, None, begun)
        else:
            run.kept(Unconfirmed).note(list(proposals), confirmed)
    back.check([router for router, proposal in proposals.items() if proposal.effect.changes_chains])


def _expect_refusals(run: Run, proposals: Mapping[RouterName, Proposal], pause: timedelta | None, words: str) -> None:
    attempt = partial(_expect_refusal, run, proposals, words)
    if pause is None:
        run.routers.pair.at_once(attempt, list(proposals))
        return
    for index, router in enumerate(proposals):
        if index:
            run.clock.pause(pause)
        attempt(run.routers.pair.sessions[router])


def _expect_refusal(run: Run, proposals: Mapping[RouterName, Proposal], words: str, session: RouterSession) -> None:
    router, begun = router_of(session), run.now()
    proposal = proposals[router]
    try:
        proposal.draft.load(session)
        at = run.now()
        session.commit(proposal.draft.comment, confirmed_minutes=proposal.draft.confirmed_minutes)
    except (ConfigurationError, CommitError) as error:
        _refused(run, error, words, begun)
        return
    proposal.committed(run, router, Span(at, run.now()))
    assertion = CommitRefused(router, words)
    run.found(assertion, assertion.taken())


def _refused(run: Run, error: RouterRefusedError, words: str | None, begun: int) -> None:
    router: RouterName = "R1" if error.router == "R1" else "R2"
    answer = "; ".join((str(error), *getattr(error, "__notes__", ())))
    event, after = f"the commit of step {run.number}", run.since(begun)
    if error.not_emulated and (words is None or words not in error.words):
        raise RunUnfitError(answer, remedy="docs/emulated.md lists what emulated routers do")
    if words is None:
        taken = CommitTaken(router)
        run.found(taken, taken.judge(answer), event=event, after=after)
    else:
        refused = CommitRefused(router, words)
        run.found(refused, refused.judge(error.words, answer), event=event, after=after)
