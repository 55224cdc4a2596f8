"""Import a pair of configurations: the scenario file, and what is said about it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from pathlib import Path

from keyroll.capture.keys.config_book import ConfigSource
from keyroll.check.judge import Question
from keyroll.configuration import Configuration
from keyroll.errors import ExitCode
from keyroll.scenario.importing.anonymizer import Anonymizer, Remark
from keyroll.scenario.importing.choice import AFTER, Choice, PlannedChange, choose
from keyroll.scenario.importing.draft import Draft, draft
from keyroll.scenario.importing.left_out import counts, faults, may_change_verdict, of_change, turning_on
from keyroll.scenario.importing.link_capture import SeenOnLink, seen
from keyroll.scenario.importing.text import scenario_text


@dataclass(frozen=True, slots=True)
class LinkCapture:
    """A capture of the real link, and the texts of the configurations that its keys are searched in."""

    files: tuple[Path, ...]
    sources: tuple[ConfigSource, ...]
    zone: tzinfo


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is imported: R1's and R2's configuration, and how their rollovers are played."""

    configurations: tuple[Configuration, Configuration]
    at: datetime
    """When the rehearsal begins: the minute of this instant is the t0 of the scenario."""
    session: str | None = None
    """A peer address of R1: only its session is played."""
    rollovers: int = 3
    """The greatest number of coming rollovers that are played."""
    skew: timedelta = timedelta()
    """R2's clock minus R1's."""
    commit: PlannedChange | None = None
    capture: LinkCapture | None = None
    keep_names: bool = False
    """Whether ASes, and names, addresses and files in comments, are the routers' own."""


@dataclass(frozen=True, slots=True)
class PredictedVerdict:
    """What `keyroll check` predicts of a rollover that is played."""

    at: datetime
    """When both routers' keys have started."""
    hitless: bool
    """Under the default policies."""
    hitless_in_all: bool
    """Under all policies."""
    words: str


@dataclass(frozen=True, slots=True)
class Imported:
    """An imported scenario, and what is printed about it. Remarks have the routers' own names."""

    text: str
    """The scenario file."""
    summary: str
    left_out: tuple[str, ...]
    """What is not played and may change the verdict."""
    predicted: tuple[PredictedVerdict, ...]
    names: tuple[str, str]
    notes: tuple[str, ...]
    seen: SeenOnLink | None = None
    """The verdicts on a capture of the real link; None where none is given."""
    down: tuple[str, ...] = ()
    """The sessions that are predicted not to come up with the keys of t0."""
    faults: tuple[str, ...] = ()
    """What `keyroll check` finds wrong with what is played."""
    commit: tuple[str, ...] = ()
    """The states on the way of a planned commit in which a session is predicted to be down."""
    resets: tuple[str, ...] = ()
    """The sessions that the planned commit is predicted to reset, each once."""

    @property
    def carried(self) -> ExitCode:
        """The exit code for the capture: 1 a segment is wrong, 2 one could not be judged or there is none."""
        if self.seen is None:
            return ExitCode.OK
        if self.seen.wrong:
            return ExitCode.BAD
        unsure = self.seen.unjudged or self.seen.problems or not self.seen.right
        return ExitCode.UNFIT if unsure else ExitCode.OK


def import_pair(wanted: Wanted) -> Imported:
    """Draft the scenario of two configurations, and write its text.

    Raises:
        InputError: they share no session that can be played.
    """
    choice = choose(
        wanted.configurations, wanted.commit, Question(at=wanted.at, without_secrets=True), session=wanted.session
    )
    on_link = None
    if wanted.capture is not None:
        on_link = seen(wanted.capture.files, wanted.capture.sources, choice.groups, zone=wanted.capture.zone)
    drafted = draft(
        choice.groups,
        choice.report,
        at=wanted.at,
        rollovers=wanted.rollovers,
        skew=wanted.skew,
        planned=choice.planned,
        turned_on=choice.turned_on,
        keep_as_numbers=wanted.keep_names,
    )
    left_out = _left_out(wanted, choice)
    # With a planned commit, the errors after it: those before it matter only if they keep a session down (`down`).
    wrong = tuple(faults(choice.groups if choice.planned is None else choice.planned.groups))
    unknown = sum(key.unknown for key in drafted.keys)
    return Imported(
        text=_text(wanted, choice, drafted, left_out=left_out, wrong=wrong, on_link=on_link),
        summary=_summary(drafted, left_out),
        left_out=tuple(item.text for item in left_out),
        predicted=tuple(
            PredictedVerdict(drafted.t0 + one.last, one.hitless, one.hitless_in_all, one.words)
            for one in drafted.rollovers
        ),
        names=_names(choice),
        notes=(f"{_many(unknown, 'key')} with an unknown secret, which is assumed to match",) if unknown else (),
        seen=on_link,
        down=tuple(one.name for chain in drafted.chains if chain.stays_down for one in chain.group.played),
        faults=tuple(item.text for item in wrong),
        commit=_down_by_commit(drafted),
        resets=tuple(one.name for chain in drafted.chains if chain.is_reset for one in chain.group.played),
    )


def _left_out(wanted: Wanted, choice: Choice) -> tuple[Remark, ...]:
    """Return what is not played and may change the verdict."""
    found: list[Remark] = []
    if choice.turns_on and choice.turned_on is None:
        found += turning_on(choice.groups)
    found += may_change_verdict(choice.groups, choice.configurations, choice.report)
    if wanted.commit is not None:
        found += of_change(wanted.configurations, wanted.commit.after(wanted.configurations))
    return tuple(found)


def _text(
    wanted: Wanted,
    choice: Choice,
    drafted: Draft,
    *,
    left_out: Sequence[Remark],
    wrong: Sequence[Remark],
    on_link: SeenOnLink | None,
) -> str:
    """Return the text of the scenario file, with the routers' own names only where they are kept."""
    names = _names(choice)
    files = {one.name: f"R{number}" for number, one in enumerate(choice.configurations, 1)}
    hidden = Anonymizer(choice.configurations, files)

    def told(remarks: Sequence[Remark]) -> list[Remark]:
        return list(remarks) if wanted.keep_names else [hidden.of(remark) for remark in remarks]

    ends = [pair for group in choice.groups for pair in group.sessions]
    return scenario_text(
        drafted,
        told(left_out),
        [counts(one, [pair[number] for pair in ends]) for number, one in enumerate(choice.configurations)],
        faults=told(wrong),
        routers=[f"{name} ({file})" for name, file in zip(names, files, strict=True)] if wanted.keep_names else (),
        seen=on_link,
    )


def _names(choice: Choice) -> tuple[str, str]:
    one, other = choice.configurations
    return one.main.name, other.main.name


def _summary(drafted: Draft, left_out: Sequence[Remark]) -> str:
    counted = Counter(one.kind.value.upper() for one in drafted.played)
    kinds = " and ".join(kind if count == 1 else f"{count} {kind} sessions" for kind, count in counted.items())
    keys, rollovers = _many(len(drafted.keys), "key"), _many(len(drafted.rollovers), "rollover")
    return f"{kinds}, {keys}, {rollovers}, {len(left_out)} not played that may change the verdict"


def _down_by_commit(drafted: Draft) -> tuple[str, ...]:
    if drafted.turned_on is not None:
        return (AFTER,) if any(chain.down for chain in drafted.chains) else ()
    return () if drafted.planned is None else drafted.planned.down


def _many(count: int, word: str) -> str:
    return f"{count} {word}" + ("" if count == 1 else "s")
