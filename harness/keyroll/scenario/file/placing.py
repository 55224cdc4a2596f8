"""Check that a file's ASes fit its session types, and that its keychains fit the levels that it configures them at."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from keyroll.document import Loc
from keyroll.names import AuthenticationLevel, SessionKind
from keyroll.scenario.file.commit_steps import ChangeChains, Pointing, RePoint
from keyroll.scenario.file.fields import ROUTERS, RouterName
from keyroll.scenario.file.scenario import Scenario
from keyroll.scenario.file.sessions import SessionPlan

Problem = tuple[Loc, str]
"""A place in the file, and what is wrong there."""


def placing_problem(scenario: Scenario) -> Problem | None:
    """Return the first thing that routers could not be configured with, or that keeps a session down; None: nothing."""
    found = (*_as_problems(scenario), *_level_problems(scenario), *_re_point_problems(scenario))
    return next(iter(found), None)


def _as_problems(scenario: Scenario) -> Iterator[Problem]:
    known = scenario.as_numbers
    missing = [router for router in ROUTERS if router not in known]
    if known and missing:
        yield ("as",), f"'as': {missing[0]} has no AS: name both routers, or leave `as` out for the lab's own"
    for index, one in enumerate(scenario.sessions):
        if one.kind is not SessionKind.BGP:
            continue
        place = "sessions", index
        if one.local_as and not known:
            # Labs have different ASes of their own, so it could not be checked whether the local-as fits.
            yield (*place, "local-as"), f"'{one.name}' has a local-as, but the file no `as`: give each router its AS"
        elif known and not missing:
            yield from _type_problem(scenario, one, place)


def _type_problem(scenario: Scenario, one: SessionPlan, place: Loc) -> Iterator[Problem]:
    mine, theirs = (scenario.opened_with(one, router) for router in ROUTERS)
    if (mine == theirs) != (one.type == "internal"):
        wanted = "one AS at both ends" if one.type == "internal" else "another AS at each end"
        opened = f"with {mine} from both" if mine == theirs else f"with {mine} from R1 and {theirs} from R2"
        yield place, f"'{one.name}' is {one.type}, but is opened {opened}: use {wanted} (`as`, `local-as`), or `type`"


def at_protocol(scenario: Scenario, router: RouterName) -> tuple[SessionPlan, ...]:
    """Return the sessions whose authentication is configured at `protocols bgp` of a router: they share one chain."""
    bgp = (one for one in scenario.sessions if one.kind is SessionKind.BGP)
    return tuple(one for one in bgp if one.level_of(router) is AuthenticationLevel.PROTOCOL)


def _level_problems(scenario: Scenario) -> Iterator[Problem]:
    for router in ROUTERS:
        sharing = at_protocol(scenario, router)
        chains = list(dict.fromkeys(scenario.chain_of(one, router) for one in sharing))
        if len(chains) > 1:
            last = next(one for one in sharing if scenario.chain_of(one, router) == chains[1])
            words = f"{chains[0]} and {chains[1]}: use another authentication-at"
            place = "sessions", scenario.sessions.index(last)
            yield place, f"{router} has one keychain at the protocol, not {words}"


def _re_point_problems(scenario: Scenario) -> Iterator[Problem]:
    for index, step in enumerate(scenario.steps):
        if isinstance(step, RePoint | ChangeChains):
            for one in step.pointings:
                yield from ((("steps", index), problem) for problem in _pointing_problems(scenario, one, step.routers))


def _pointing_problems(scenario: Scenario, one: Pointing, routers: Iterable[RouterName]) -> Iterator[str]:
    for router in routers if one.sessions_ else ():
        sharing = {session.name for session in at_protocol(scenario, router)}
        left = sorted(sharing - set(one.sessions_))
        if sharing & set(one.sessions_) and left:
            yield f"re-point moves '{left[0]}' too, which has its chain at the protocol of {router}: name it"
