"""`keyroll import` and `keyroll rehearse`: a scenario from two saved configurations, written or played at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, tzinfo
from pathlib import Path
from typing import TYPE_CHECKING

import click

from keyroll.cli.arguments import instant_of, length_of, read_text, read_zone, shown
from keyroll.errors import ExitCode, InputError, RunError
from keyroll.instants import SYSTEM

if TYPE_CHECKING:
    from keyroll.check.judge import Report
    from keyroll.configuration import Configuration
    from keyroll.scenario.importing.draft import Planned
    from keyroll.scenario.importing.pairs import Meant

_SKEW_MAX = timedelta(days=3650)
"""As long as any duration of a scenario file."""
LABS = ("embedded", "containerlab", "crpd", "vjunos", "vjunos-evolved", "cjunos-evolved")


@dataclass(frozen=True, slots=True)
class _Asked:
    """What both commands take."""

    files: tuple[Path, ...]
    at: str | None
    session: str | None
    rollovers: int
    skew: str
    zone: str
    changes: tuple[str, ...] = ()
    pause: str | None = None
    keep_names: bool = False


def _options(function: click.decorators.FC) -> click.decorators.FC:
    for option in reversed(
        (
            click.argument("files", nargs=2, metavar="R1.conf R2.conf", type=click.Path(path_type=Path)),
            click.option("--at", help="Begin at this instant: 2027-03-28T00:00Z.  [default: now]"),
            click.option("--session", help="The peer's address as R1 has it, where one session is meant."),
            click.option(
                "--rollovers",
                type=click.IntRange(0, 63),
                default=3,
                show_default=True,
                help="How many coming rollovers are played.",
            ),
            click.option("--skew", default="0s", show_default=True, help="R2's clock minus R1's."),
            click.option(
                "--change",
                "changes",
                multiple=True,
                metavar="R1=FILE",
                help="A planned commit (a configuration, or set and delete lines), played with either router first.",
            ),
            click.option("--pause", help="Between the commits of a planned change (--change).  [default: 5s]"),
            click.option("--zone", default="UTC", show_default=True, help="For --at, and routers without a time-zone."),
        )
    ):
        function = option(function)
    return function


@click.command("import")
@_options
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="Write the scenario here.  [default: standard output]"
)
@click.option("--force", is_flag=True, help="Overwrite the file if it is there.")
@click.option("--keep-names", is_flag=True, help="Leave names, addresses and files in the comments of the scenario.")
def import_command(
    files: tuple[Path, ...],
    *,
    at: str | None,
    session: str | None,
    rollovers: int,
    skew: str,
    changes: tuple[str, ...],
    pause: str | None,
    zone: str,
    output: Path | None,
    force: bool,
    keep_names: bool,
) -> ExitCode:
    """Write a scenario file of the rollovers that two saved configurations will make.

    No secret is in the file: equal secrets become equal labels. What it does not play stands at its top.
    """
    made = _made(_Asked(files, at, session, rollovers, skew, zone, changes, pause, keep_names))
    if output is None:
        click.echo(made.text, nl=False)
        return ExitCode.OK
    try:
        with output.open("w" if force else "x", encoding="utf-8") as stream:
            stream.write(made.text)
    except FileExistsError:
        raise InputError(f"{output} is there already", remedy="--force overwrites it") from None
    except OSError as error:
        raise RunError(f"cannot write {output}: {error.strerror}") from error
    click.echo(f"{output}: {made.summary}")
    return ExitCode.OK


@click.command("rehearse")
@_options
@click.option("--lab", type=click.Choice(LABS), default="embedded", show_default=True, help="Where the routers run.")
@click.option("--topology", type=click.Path(path_type=Path), help="A containerlab topology file.")
@click.option("--seed", help="Draw everything random from this (printed).")
@click.option("--run-dir", type=click.Path(path_type=Path), help="Put the run folder here (runs/<time>-<id>-<seed>).")
@click.option("--plain", is_flag=True, help="Print lines alone, as where the output is not a terminal.")
@click.option("--accept-left-out", is_flag=True, help="A verdict may rest on what was left out by weight.")
@click.option("--without-secrets", is_flag=True, help="Secrets that are not in the text leave the verdict as it is.")
def rehearse_command(
    files: tuple[Path, ...],
    *,
    at: str | None,
    session: str | None,
    rollovers: int,
    skew: str,
    changes: tuple[str, ...],
    pause: str | None,
    zone: str,
    lab: str,
    topology: Path | None,
    seed: str | None,
    run_dir: Path | None,
    accept_left_out: bool,
    without_secrets: bool,
    plain: bool,
) -> ExitCode:
    """Play the rollovers that two saved configurations will make, on a lab.

    Exit code 0: every rollover was hitless, as predicted. 1: one was not. 2: it cannot be said: the lab is unfit,
    prediction and play disagree, or something that may change the verdict was left out (--accept-left-out).
    """
    from keyroll.cli.rehearsal import play  # noqa: PLC0415 - `--help` stays instant

    made = _made(_Asked(files, at, session, rollovers, skew, zone, changes, pause))
    return play(
        made,
        lab=lab,
        topology=topology,
        seed=seed,
        run_dir=run_dir,
        accept_left_out=accept_left_out,
        without_secrets=without_secrets,
        plain=plain,
    )


@dataclass(frozen=True, slots=True)
class Made:
    """An imported scenario, and what a person is told of it."""

    text: str
    summary: str
    left_out: tuple[str, ...]
    predicted: tuple[tuple[str, bool, bool, str], ...]
    """Of each rollover: its instant, hitless under the default policies, under all, and the words."""
    names: tuple[str, str]
    notes: tuple[str, ...]


def _made(asked: _Asked) -> Made:
    from keyroll.check.judge import Question, judge  # noqa: PLC0415 - as above
    from keyroll.scenario.importing.draft import draft  # noqa: PLC0415 - as above
    from keyroll.scenario.importing.left_out import by_weight, counts  # noqa: PLC0415 - as above
    from keyroll.scenario.importing.pairs import meant  # noqa: PLC0415 - as above
    from keyroll.scenario.importing.text import scenario_text  # noqa: PLC0415 - as above

    where = read_zone(asked.zone)
    moment = SYSTEM.wall().moment.replace(microsecond=0) if asked.at is None else instant_of("--at", asked.at, where)
    skew = _skew(asked.skew)
    configurations = _configurations(asked.files, where)
    report = judge(configurations, Question(at=moment, without_secrets=True))
    chosen = meant(configurations, report, asked.session)
    planned = _changed(asked, configurations, chosen, moment, where)
    drafted = draft(chosen, report, at=moment, rollovers=asked.rollovers, skew=skew, planned=planned)
    heavy = tuple(by_weight(chosen, configurations, report))
    names = (configurations[0].main.name, configurations[1].main.name)
    files = [one.name for one in configurations]
    told = heavy if asked.keep_names else tuple(item.without_names(names, files) for item in heavy)
    text = scenario_text(drafted, told, [counts(one) for one in configurations])
    unknown = len(
        {key.number for key in (*drafted.keys, *(drafted.change.add if drafted.change else ())) if key.unknown}
    )
    notes = [f"the secrets of {unknown} keys match, which are not known"] if unknown else []
    return Made(
        text,
        f"{' and '.join(kind.value.upper() for kind in chosen.kinds)}, {len(drafted.keys)} keys, "
        f"{len(drafted.rollovers)} rollovers, {len(heavy)} left out by weight",
        tuple(f"{item.message}" + (f" ({item.where})" if item.where else "") for item in heavy),
        tuple(
            ((drafted.t0 + one.last).isoformat(), one.hitless, one.hitless_in_all, one.words)
            for one in drafted.rollovers
        ),
        names,
        tuple(notes),
    )


def _changed(
    asked: _Asked, configurations: Sequence[Configuration], chosen: Meant, moment: datetime, zone: tzinfo
) -> Planned | None:
    """Return what the routers will have after the planned commit, and what is predicted of each state on the way."""
    from keyroll.check.judge import Question, judge  # noqa: PLC0415 - as above
    from keyroll.cli.check import planned_of  # noqa: PLC0415 - as above
    from keyroll.scenario.importing.draft import Planned  # noqa: PLC0415 - as above
    from keyroll.scenario.importing.pairs import chains_of  # noqa: PLC0415 - as above

    if not asked.changes:
        if asked.pause is not None:
            raise InputError(
                "--pause is the time between the commits of a planned change", remedy="add --change R1=FILE"
            )
        return None
    names = {f"R{number}": one.main.name for number, one in enumerate(configurations, 1)}
    texts = [
        f"{names.get(name, name)}{equals}{file}"
        for name, equals, file in (text.partition("=") for text in asked.changes)
    ]
    changed = planned_of(configurations, texts, zone, option="--change")
    after = [changed.get(number, one) for number, one in enumerate(configurations)]
    question = Question(at=moment, without_secrets=True)
    report = judge(after, question)
    words = []
    for number in sorted(changed) if len(changed) > 1 else ():
        between = judge(
            [after[index] if index == number else one for index, one in enumerate(configurations)], question
        )
        words.append(f"if only R{number + 1} were changed: {_verdicts(between)}")
    words.append(f"after the change: {_verdicts(report)}")
    chains = chains_of(after, chosen)
    routers = tuple(f"R{number + 1}" for number in sorted(changed))
    return Planned(chains, report, routers, length_of("--pause", asked.pause or "5s"), tuple(words))


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
