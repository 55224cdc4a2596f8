"""Plays the steps that commit keychains: `apply` (the base configuration with sessions), and changes of keys."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial

from keyroll.junos.base_configuration import Family, base_configuration
from keyroll.junos.pair import Draft
from keyroll.junos.session_configuration import SessionLines, authentication_place, pair_configuration
from keyroll.keychain.junostext import set_lines
from keyroll.scenario.file.commit_steps import Apply, ChangeChains, Commit, DeleteChain, Pointing, RePoint, Rollback
from keyroll.scenario.file.fields import ROUTERS, RouterName
from keyroll.scenario.file.scenario import Scenario
from keyroll.scenario.file.sessions import SessionPlan
from keyroll.scenario.plan.changes import Held
from keyroll.scenario.plan.keyring import Span
from keyroll.scenario.play.commit_confirmed import Unconfirmed
from keyroll.scenario.play.committing import Based, Configured, KeysChanged, Proposal, comment, commit
from keyroll.scenario.play.context import Run, other, play
from keyroll.scenario.play.watch import act


@play.register
def _(step: Apply, run: Run) -> Span:
    return act(run, "commits", partial(_apply, step, run))


@play.register
def _(step: Commit, run: Run) -> Span:
    return act(run, "commits", partial(_change, step, run))


def _apply(step: Apply, run: Run) -> None:
    configured = run.kept(Configured).routers
    others = [router for router in ROUTERS if router not in (*step.routers, *configured)]
    if others:
        commit(run, {router: _base(run, router, applied=False) for router in others})
    proposals = {
        router: _base(run, router, applied=step.turns_on, md5=step.authentication == "md5") for router in step.routers
    }
    commit(run, proposals, pause=step.pause, refused=step.refused)
    for router in configured:  # after the commits: a router whose commit was undone has no session to sample
        run.samples.watch(router)


def _base(run: Run, router: RouterName, *, applied: bool, md5: bool = False) -> Proposal:
    """Return the base configuration of a router; `applied`: with keychains and authentication."""
    scenario, plans = run.scenario, run.routers.plans
    held = run.keyring.intended(router) if applied else None
    if scenario.has_named_sessions:
        lines = pair_configuration(plans[router], plans[other(router)], session_lines(scenario, router, held))
    else:
        lines = base_configuration(
            plans[router],
            plans[other(router)],
            sessions=list(scenario.kinds.values()),
            chain=held.used if held is not None else None,
            hold_time=scenario.hold_time,
            family=Family(scenario.family),
        )
    if held is not None:
        lines += [line for chain in run.keyring.deployed(router).chains.values() for line in set_lines(chain)]
    configured = run.kept(Configured)
    first, md5_before = router not in configured.routers, router in configured.with_md5
    places = list(dict.fromkeys(place for _, place in _places(run, router)))
    if md5_before:
        lines = [*(f"delete {place} authentication-key" for place in places), *lines]
    if md5:
        secret = run.keyring.authentication_key().reveal_text()
        lines += [f"set {place} authentication-key {secret}" for place in places]
    return Proposal(Draft.of(lines, comment=comment(run)), lines, Based(held, first, md5, md5_before))


def session_lines(scenario: Scenario, router: RouterName, held: Held | None) -> list[SessionLines]:
    """Return a router's configuration of the sessions that a file names; `held` None: without authentication."""
    return [
        SessionLines(
            one.name,
            one.kind,
            Family(scenario.family_of(one)),
            internal=one.type == "internal",
            loopbacks=one.place == "loopbacks",
            chain=None if held is None else held.used_by(one.name),
            passive=one.passive == router,
            hold_time=one.hold_time or scenario.hold_time,
            vlan=one.vlan,
            as_numbers=_as_numbers(scenario, one, router),
            authentication_at=one.level_of(router),
        )
        for one in scenario.sessions
    ]


def _as_numbers(scenario: Scenario, session: SessionPlan, router: RouterName) -> tuple[int, int] | None:
    mine, theirs = scenario.opened_with(session, router), scenario.opened_with(session, other(router))
    return None if mine is None or theirs is None else (mine, theirs)


def _change(step: Commit, run: Run) -> None:
    held = {router: run.keyring.after(router, step) for router in step.routers}
    proposals = {router: _changed(step, run, router, new) for router, new in held.items()}
    unsent = [router for router, proposal in proposals.items() if proposal is None]
    if not step.refused:  # a commit that the file expects to be refused changes no keychain, sent or not
        for router in unsent:
            run.keyring.commit(router, held[router])
        run.kept(Unconfirmed).note_unsent(unsent, step.confirmed)
    commit(
        run,
        {router: proposal for router, proposal in proposals.items() if proposal is not None},
        pause=step.pause,
        refused=step.refused,
        confirmed=step.confirmed,
    )


def _changed(step: Commit, run: Run, router: RouterName, held: Held) -> Proposal | None:
    """Return a change of keys; None if there is nothing to commit, which can happen with a mutation."""
    # The router does not list the commits that a mutation emptied, so it goes back over fewer than the file says.
    back = run.keyring.sent_of_last(router, step.number) if isinstance(step, Rollback) else 0
    lines = [] if isinstance(step, Rollback) else run.keyring.lines(router, held)
    for pointing in step.pointings if isinstance(step, RePoint | ChangeChains) else ():
        lines += _pointed(run, router, pointing)
    if not lines and not back and not isinstance(step, DeleteChain):
        return None
    draft = Draft.of(lines, comment=comment(run), confirmed_minutes=step.confirmed)
    if back:
        draft = replace(draft, load=lambda session: session.rollback(back))
    shown = lines or [f"# step {run.number}: an earlier configuration"]
    return Proposal(draft, shown, KeysChanged(held))


def _pointed(run: Run, router: RouterName, pointing: Pointing) -> Sequence[str]:
    chosen = pointing.sessions_ or run.scenario.session_names
    lines = (
        f"set {place} authentication-key-chain {pointing.chain}"
        for name, place in _places(run, router)
        if name in chosen
    )
    return list(dict.fromkeys(lines))


def _places(run: Run, router: RouterName) -> Iterator[tuple[str, str]]:
    """Yield each session's name, and the hierarchy level at which its authentication is configured."""
    for one in session_lines(run.scenario, router, None):
        yield one.name, authentication_place(one, str(run.routers.peer(router, one.name)))
