"""Which sessions of two configurations a scenario plays, and what a planned commit is predicted to do to them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from keyroll.check.judge import Question, Report, judge
from keyroll.configuration import Configuration
from keyroll.scenario.importing.planned import Planned, TurnedOn, former, points, split
from keyroll.scenario.importing.session_groups import SessionGroup, any_protected, group_after, is_down, session_groups

AFTER = "after the change"
"""The name of the state in which every router has made the planned commit."""


@dataclass(frozen=True, slots=True)
class PlannedChange:
    """A planned commit: the configurations of the routers that it changes, by their number from 0."""

    changed: Mapping[int, Configuration]
    pause: timedelta
    """Time between the commits of the two routers."""

    def after(self, before: Sequence[Configuration]) -> tuple[Configuration, ...]:
        """Return the configurations of all routers after it."""
        return tuple(self.changed.get(number, one) for number, one in enumerate(before))

    @property
    def routers(self) -> tuple[str, ...]:
        """The names of the changed routers in the scenario file."""
        return tuple(f"R{number + 1}" for number in sorted(self.changed))


@dataclass(frozen=True, slots=True)
class Choice:
    """The sessions that are played. At most one of `planned` and `turned_on` is set."""

    configurations: tuple[Configuration, ...]
    """Those that the sessions and chains are read from: after a commit that turns TCP-AO on, else before any commit."""
    report: Report
    """What `keyroll check` says of them."""
    groups: tuple[SessionGroup, ...]
    planned: Planned | None = None
    turned_on: TurnedOn | None = None
    turns_on: bool = False
    """Whether TCP-AO is turned on by the commit; without `turned_on` a scenario cannot express the state before it."""


def choose(
    configurations: Sequence[Configuration],
    commit: PlannedChange | None,
    question: Question,
    *,
    session: str | None = None,
) -> Choice:
    """Return what is played of R1's and R2's configurations.

    Args:
        configurations: before the commit.
        commit: the planned commit; None: none is planned.
        question: the instant, and how secrets that are not known are judged.
        session: a peer address of R1; only its session is taken.

    Raises:
        InputError: they share no session that can be played.
    """
    before = tuple(configurations)
    report = judge(before, question)
    if commit is not None and not any_protected(before, report):
        return _turning_on(before, commit, question, session)
    groups = tuple(session_groups(before, report, session))
    if commit is None:
        return Choice(before, report, groups)
    groups = split(groups, commit.after(before))
    return Choice(before, report, groups, planned=_planned(before, commit, groups, question))


def _turning_on(
    before: tuple[Configuration, ...], commit: PlannedChange, question: Question, session: str | None
) -> Choice:
    """Choose where no session is protected before the commit: sessions and chains are those that it makes."""
    after = commit.after(before)
    report = judge(after, question)
    groups = tuple(session_groups(after, report, session))
    found = former(before, groups)
    turned_on = None
    if found is not None:
        states = (*_on_the_way(before, commit, question), (AFTER, report))
        turned_on = TurnedOn(found, commit.routers, commit.pause, _words(states))
    return Choice(after, report, groups, turned_on=turned_on, turns_on=True)


def _planned(
    before: tuple[Configuration, ...], commit: PlannedChange, groups: Sequence[SessionGroup], question: Question
) -> Planned:
    """Return the planned commit, and what is predicted of each state on the way."""
    after = commit.after(before)
    report = judge(after, question)
    states = _on_the_way(before, commit, question)
    then = tuple(group_after(after, one, report) for one in groups)
    # Sessions that get another key-chain are down on the way, until both ends have it: that is their one reset.
    kept = [one for one, new in zip(groups, then, strict=True) if not points(one, new)]
    down = [name for name, said in states if any(is_down(said, one) for one in kept)]
    if any(is_down(report, one) for one in groups):
        down.append(AFTER)
    words = _words((*states, (AFTER, report)))
    return Planned(after, then, report, commit.routers, commit.pause, words, tuple(down))


def _on_the_way(
    before: tuple[Configuration, ...], commit: PlannedChange, question: Question
) -> tuple[tuple[str, Report], ...]:
    """Return what `keyroll check` says while only one router has committed; nothing if only one commits."""
    alone = commit.changed.items() if len(commit.changed) > 1 else ()
    return tuple(
        (f"if only R{number + 1} were changed", judge((*before[:number], one, *before[number + 1 :]), question))
        for number, one in sorted(alone)
    )


def _words(states: Sequence[tuple[str, Report]]) -> tuple[str, ...]:
    return tuple(f"{name}: {_verdicts(said)}" for name, said in states)


def _verdicts(report: Report) -> str:
    return ", ".join(f"{session.one.kind.value} {session.verdict.value}" for session in report.sessions) or "no session"
