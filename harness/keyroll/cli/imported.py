"""What `keyroll import` and `keyroll rehearse` share: draft a scenario, and print what it takes and leaves out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta, tzinfo
from pathlib import Path
from typing import TYPE_CHECKING

from keyroll.cli.arguments import instant_of, length_of, read_text, read_zone, shown
from keyroll.errors import ExitCode, InputError
from keyroll.instants import SYSTEM

if TYPE_CHECKING:
    from keyroll.check.judge import Question, Report
    from keyroll.configuration import Configuration
    from keyroll.scenario.importing.draft import Draft
    from keyroll.scenario.importing.link_capture import SeenOnLink
    from keyroll.scenario.importing.pairs import SessionGroup
    from keyroll.scenario.importing.planned import Planned, TurnedOn

_SKEW_MAX = timedelta(days=3650)
"""Ten years: the longest duration that a scenario file may have."""


@dataclass(frozen=True, slots=True)
class Asked:
    """The options of both commands."""

    files: tuple[Path, ...]
    at: str | None
    session: str | None
    rollovers: int
    skew: str
    zone: str
    changes: tuple[str, ...] = ()
    pause: str | None = None
    captures: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True)
class Made:
    """An imported scenario, and what is printed about it."""

    text: str
    summary: str
    left_out: tuple[str, ...]
    predicted: tuple[tuple[str, bool, bool, str], ...]
    """For each rollover: its instant, whether it is hitless under the default policies and under all, and the text."""
    names: tuple[str, str]
    notes: tuple[str, ...]
    seen: SeenOnLink | None = None
    """The verdicts on a capture of the real link; None where none is given."""

    down: tuple[str, ...] = ()
    """The sessions that are predicted not to come up with the keys of t0."""
    faults: tuple[str, ...] = ()
    """What `keyroll check` finds wrong with what is played, with the routers' own names."""
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


def imported(asked: Asked, *, keep_names: bool = False) -> Made:
    """Read both configurations and draft the scenario; `keep_names` leaves the routers' own names in it.

    Raises InputError: they cannot be read, or share no session.
    """
    from keyroll.check.judge import Question, judge  # noqa: PLC0415 - `--help` stays instant
    from keyroll.scenario.importing.anonymizer import Anonymizer  # noqa: PLC0415 - as above
    from keyroll.scenario.importing.draft import draft  # noqa: PLC0415 - as above
    from keyroll.scenario.importing.left_out import counts, faults, may_change_verdict, of_change, turning_on  # noqa: PLC0415 - as above
    from keyroll.scenario.importing.pairs import any_protected, session_groups  # noqa: PLC0415 - as above
    from keyroll.scenario.importing.planned import split  # noqa: PLC0415 - as above
    from keyroll.scenario.importing.text import scenario_text  # noqa: PLC0415 - as above

    where = read_zone(asked.zone)
    moment = SYSTEM.wall().moment.replace(microsecond=0) if asked.at is None else instant_of("--at", asked.at, where)
    skew = _skew(asked.skew)
    configurations = _configurations(asked.files, where)
    after = _after(asked, configurations, where)
    question = Question(at=moment, without_secrets=True)
    report = judge(configurations, question)
    before = configurations
    turned_on = bool(after) and not any_protected(configurations, report)
    if turned_on:
        # No key is in use before the commit: sessions and chains are those that it makes.
        configurations = [after.get(number, one) for number, one in enumerate(configurations)]
        report = judge(configurations, question)
    chosen = session_groups(configurations, report, asked.session)
    turning = _turned_on(asked, before, after, chosen, question) if turned_on else None
    if after and not turned_on:
        chosen = split(chosen, [after.get(number, one) for number, one in enumerate(configurations)])
    carried = _seen(asked, chosen, where) if asked.captures else None
    planned = _planned(asked, configurations, after, chosen, question) if after and not turned_on else None
    drafted = draft(
        chosen,
        report,
        at=moment,
        rollovers=asked.rollovers,
        skew=skew,
        planned=planned,
        turned_on=turning,
        keep_as_numbers=keep_names,
    )
    heavy = tuple(may_change_verdict(chosen, configurations, report))
    if turned_on and turning is None:
        heavy = (*turning_on(chosen), *heavy)
    if turned_on:
        heavy += tuple(of_change(before, configurations))
    if planned is not None:
        heavy += tuple(of_change(configurations, planned.after))
    # Errors before a planned commit are left out: if they keep a session down, the commit has them, too.
    wrong = tuple(faults(chosen if planned is None else planned.groups))
    names = (configurations[0].main.name, configurations[1].main.name)
    files = {one.name: f"R{number}" for number, one in enumerate(configurations, 1)}
    hidden = Anonymizer(configurations, files)
    tell = (lambda said: said) if keep_names else hidden.of
    text = scenario_text(
        drafted,
        [tell(said) for said in heavy],
        [
            counts(one, [pair[number] for group in chosen for pair in group.sessions])
            for number, one in enumerate(configurations)
        ],
        faults=[tell(said) for said in wrong],
        routers=[f"{name} ({file})" for name, file in zip(names, files, strict=True)] if keep_names else (),
        seen=carried,
    )
    unknown = sum(key.unknown for key in drafted.keys)
    notes = [f"{_many(unknown, 'key')} with an unknown secret, which is assumed to match"] if unknown else []
    return Made(
        text,
        f"{_kinds(drafted)}, {_many(len(drafted.keys), 'key')}, {_many(len(drafted.rollovers), 'rollover')}, "
        f"{len(heavy)} not played that may change the verdict",
        tuple(item.text for item in heavy),
        tuple(
            ((drafted.t0 + one.last).isoformat(), one.hitless, one.hitless_in_all, one.words)
            for one in drafted.rollovers
        ),
        names,
        tuple(notes),
        carried,
        tuple(one.name for chain in drafted.chains if chain.stays_down for one in chain.group.played),
        tuple(item.text for item in wrong),
        _down_by_commit(drafted),
        tuple(one.name for chain in drafted.chains if chain.is_reset for one in chain.group.played),
    )


def _down_by_commit(drafted: Draft) -> tuple[str, ...]:
    if drafted.turned_on is not None:
        return (_AFTER,) if any(chain.down for chain in drafted.chains) else ()
    return () if drafted.planned is None else drafted.planned.down


def _many(count: int, word: str) -> str:
    return f"{count} {word}" + ("" if count == 1 else "s")


def _kinds(drafted: Draft) -> str:
    """Return how many sessions of each kind there are, in words."""
    counted = Counter(one.kind.value.upper() for one in drafted.played)
    return " and ".join(kind if count == 1 else f"{count} {kind} sessions" for kind, count in counted.items())


def _seen(asked: Asked, chosen: Sequence[SessionGroup], zone: tzinfo) -> SeenOnLink:
    from keyroll.capture.keys.config_book import ConfigSource  # noqa: PLC0415 - as above
    from keyroll.scenario.importing.link_capture import seen  # noqa: PLC0415 - as above

    sources = [ConfigSource(shown(path), read_text(path)) for path in asked.files]
    return seen(asked.captures, sources, chosen, zone=zone)


def _after(asked: Asked, configurations: Sequence[Configuration], zone: tzinfo) -> dict[int, Configuration]:
    """Return the configurations after the planned commit, by the router's position (0, 1); empty without one."""
    from keyroll.cli.check import planned_of  # noqa: PLC0415 - as above

    if not asked.changes:
        if asked.pause is not None:
            raise InputError(
                "--pause is the time between the commits of a planned change", remedy="add --change R1=FILE"
            )
        return {}
    names = {f"R{number}": one.main.name for number, one in enumerate(configurations, 1)}
    texts = [
        f"{names.get(name, name)}{equals}{file}"
        for name, equals, file in (text.partition("=") for text in asked.changes)
    ]
    return planned_of(configurations, texts, zone, option="--change")


def _planned(
    asked: Asked,
    configurations: Sequence[Configuration],
    changed: Mapping[int, Configuration],
    chosen: Sequence[SessionGroup],
    question: Question,
) -> Planned:
    """Return the planned commit, and what is predicted of each state on the way."""
    from keyroll.check.judge import judge  # noqa: PLC0415 - as above
    from keyroll.scenario.importing.pairs import group_after, is_down  # noqa: PLC0415 - as above
    from keyroll.scenario.importing.planned import Planned, points  # noqa: PLC0415 - as above

    after = [changed.get(number, one) for number, one in enumerate(configurations)]
    report = judge(after, question)
    states = _on_the_way(configurations, changed, question)
    words = tuple(f"{name}: {_verdicts(said)}" for name, said in (*states, (_AFTER, report)))
    then = tuple(group_after(after, one, report) for one in chosen)
    # Sessions that get another key-chain are down on the way, until both ends have it: that is their one reset.
    kept = [one for one, new in zip(chosen, then, strict=True) if not points(one, new)]
    down = [name for name, said in states if any(is_down(said, one) for one in kept)]
    if any(is_down(report, one) for one in chosen):
        down.append(_AFTER)
    return Planned(tuple(after), then, report, _routers(changed), _pause(asked), words, tuple(down))


def _turned_on(
    asked: Asked,
    configurations: Sequence[Configuration],
    changed: Mapping[int, Configuration],
    chosen: Sequence[SessionGroup],
    question: Question,
) -> TurnedOn | None:
    """Return a planned commit that turns TCP-AO on; None if a scenario cannot express the state before it."""
    from keyroll.check.judge import judge  # noqa: PLC0415 - as above
    from keyroll.scenario.importing.planned import TurnedOn, former  # noqa: PLC0415 - as above

    found = former(configurations, chosen)
    if found is None:
        return None
    after = judge([changed.get(number, one) for number, one in enumerate(configurations)], question)
    states = (*_on_the_way(configurations, changed, question), (_AFTER, after))
    words = tuple(f"{name}: {_verdicts(said)}" for name, said in states)
    return TurnedOn(found, _routers(changed), _pause(asked), words)


_AFTER = "after the change"


def _routers(changed: Mapping[int, Configuration]) -> tuple[str, ...]:
    return tuple(f"R{number + 1}" for number in sorted(changed))


def _pause(asked: Asked) -> timedelta:
    return length_of("--pause", asked.pause or "5s")


def _on_the_way(
    configurations: Sequence[Configuration], changed: Mapping[int, Configuration], question: Question
) -> list[tuple[str, Report]]:
    """Return what `keyroll check` says while only one router has committed; nothing if only one commits."""
    from keyroll.check.judge import judge  # noqa: PLC0415 - as above

    return [
        (
            f"if only R{number + 1} were changed",
            judge([changed[index] if index == number else one for index, one in enumerate(configurations)], question),
        )
        for number in (sorted(changed) if len(changed) > 1 else ())
    ]


def _verdicts(report: Report) -> str:
    return ", ".join(f"{session.one.kind.value} {session.verdict.value}" for session in report.sessions) or "no session"


def _skew(text: str) -> timedelta:
    sign, rest = (-1, text[1:]) if text.startswith("-") else (1, text)
    skew = sign * length_of("--skew", rest)
    if abs(skew) > _SKEW_MAX:
        raise InputError(f"invalid --skew '{text}': use at most ten years, which is as far as clocks of a lab are set")
    return skew


def _configurations(files: Sequence[Path], zone: tzinfo) -> list[Configuration]:
    from keyroll.configuration import read, zone_of  # noqa: PLC0415 - as above

    found = []
    for path in files:
        one = read(read_text(path), shown(path), zone=zone)
        own = zone_of(one)
        found.append(one if own is None else replace(one, zone=own))
    if found[0].main.name == found[1].main.name:
        raise InputError(f"both configurations are of a router named {found[0].main.name}", remedy="name two routers")
    return found
