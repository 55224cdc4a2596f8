"""`keyroll check`: predict from configurations, without a router, whether the coming rollovers will be hitless."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta, tzinfo
from pathlib import Path
from typing import TYPE_CHECKING

import click

from keyroll.cli import shared_options
from keyroll.cli.arguments import STDIN, instant_of, length_of, read_text, read_zone, shown
from keyroll.cli.output import until_the_reader_closes
from keyroll.errors import ExitCode, InputError, Where
from keyroll.instants import SYSTEM

if TYPE_CHECKING:
    from keyroll.check.judge import Question, Report
    from keyroll.configuration import Configuration

_SKEW_MAX = 366 * 86400
"""Seconds: a year. Clocks of two routers in service are never that far apart."""


@click.command("check")
@click.argument("files", nargs=-1, metavar="CONFIG...", type=click.Path(path_type=Path))
@click.option("--at", metavar="INSTANT", help="Judge from this instant on: 2026-11-24T10:00Z.  [default: now]")
@click.option("--until", metavar="INSTANT", help="Leave out later rollovers.  [default: the last start-time]")
@click.option(
    "--policies",
    type=click.Choice(["all", "default"]),
    default="all",
    show_default=True,
    help="Judge under all sixteen mixes of key policies, or only under the one that Juniper's text describes best "
    "(clock, tolerance).",
)
@click.option(
    "--skew", metavar="DURATION", default="1s", show_default=True, help="How far the clocks may be apart, either way."
)
@click.option("--max-age", metavar="DURATION", help="Warn of keys that are in use for longer: 180d.")
@click.option("--within", metavar="DURATION", help="Warn of chains whose next key starts later than this: 30d.")
@shared_options.without_secrets
@click.option(
    "--planned",
    multiple=True,
    metavar="ROUTER=FILE",
    help="Judge a change too: FILE has ROUTER's whole new configuration, or set and delete lines.",
)
@click.option(
    "--change-within",
    default="1h",
    show_default=True,
    metavar="DURATION",
    help="With --planned: the time after --at by which all routers are changed.",
)
@click.option(
    "--zone",
    metavar="ZONE",
    default="UTC",
    show_default=True,
    help="Time zone of --at, --until and routers without time-zone.",
)
@click.option("--rules", "list_rules", is_flag=True, help="Print the list of rules, and end.")
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
@click.option("--markdown", is_flag=True, help="Print Markdown, for a ticket.")
def check(
    files: tuple[Path, ...],
    *,
    at: str | None,
    until: str | None,
    policies: str,
    skew: str,
    max_age: str | None,
    within: str | None,
    without_secrets: bool,
    planned: tuple[str, ...],
    change_within: str,
    zone: str,
    list_rules: bool,
    as_json: bool,
    markdown: bool,
) -> ExitCode:
    """Predict from configurations whether rollovers are hitless.

    CONFIG are the configurations of two or more routers, in any form that Junos shows. No router is contacted.

    Exit code 0: every protected session is up, and every coming rollover is hitless. 1: there is an error, or a
    rollover is not hitless under one of the --policies. 2: a session cannot be judged.
    """
    # What this command needs is imported when it runs: `--help` stays instant.
    from keyroll.check.coming_rollovers import DEFAULT_MIXES  # noqa: PLC0415
    from keyroll.check.judge import Question  # noqa: PLC0415
    from keyroll.check.skew import MIXES  # noqa: PLC0415
    from keyroll.cli.check_text import rules_text  # noqa: PLC0415

    if list_rules:
        for line in rules_text():
            click.echo(line)
        return ExitCode.OK
    if not files:
        raise InputError("no configuration is given", remedy="keyroll check R1.conf R2.conf")
    if files.count(STDIN) > 1:
        raise InputError("standard input can be read only once", remedy="give other configurations as files")
    if as_json and markdown:
        raise InputError("--json and --markdown: use one of them")
    where = read_zone(zone)
    question = Question(
        at=SYSTEM.wall().moment.replace(microsecond=0) if at is None else instant_of("--at", at, where),
        until=None if until is None else instant_of("--until", until, where),
        mixes=MIXES if policies == "all" else DEFAULT_MIXES,
        skew=length_of("--skew", skew),
        max_age=None if max_age is None else length_of("--max-age", max_age),
        within=None if within is None else length_of("--within", within),
        without_secrets=without_secrets,
    )
    if question.until is not None and question.until <= question.at:
        raise InputError("--until is not after --at, so no rollover is judged", remedy="give a later --until")
    if question.skew > timedelta(seconds=_SKEW_MAX):
        raise InputError(f"invalid --skew '{skew}': use at most a year")
    configurations = [_read(path, where) for path in files]
    try:
        change_by = question.at + length_of("--change-within", change_within)
        reports = list(_judged(configurations, planned_of(configurations, planned, where), question, change_by))
    except OverflowError:  # datetime ends with the year 9999
        raise InputError("--at or a start-time is too near the year 9999, the last one that can be used") from None
    with until_the_reader_closes():
        _print(reports, as_json=as_json, markdown=markdown)
    return _exit_code(report for _, report in reports)


def _read(path: Path, zone: tzinfo, *, base: Configuration | None = None) -> Configuration:
    from keyroll.configuration import read  # noqa: PLC0415 - see `check`

    text = read_text(path)
    if base is None and not text.strip():
        raise InputError("this is empty: no configuration is in it", where=Where.of(shown(path)))
    return read(text, shown(path), zone=zone, base=base)


def planned_of(
    configurations: Sequence[Configuration], planned: Sequence[str], zone: tzinfo, *, option: str = "--planned"
) -> dict[int, Configuration]:
    """Return what routers will have after a change, by the number of their configuration."""
    found: dict[int, Configuration] = {}
    for text in planned:
        name, equals, file = text.partition("=")
        if not equals or not file:
            raise InputError(f"{option}: invalid '{text}'", remedy="use ROUTER=FILE, such as R1=change.set")
        numbers = [
            number
            for number, one in enumerate(configurations)
            if name in (one.name, Path(one.name).stem, *(router.name for router in one.routers))
        ]
        if len(numbers) != 1:
            known = ", ".join(one.routers[0].name for one in configurations)
            many = "no router is" if not numbers else "more than one router is"
            raise InputError(f"{option}: {many} named {name}", remedy=f"routers are: {known}")
        if numbers[0] in found:
            raise InputError(f"{option}: {name} is given twice")
        path = Path(file)
        lines = read_text(path)
        base = None if is_whole(lines) else configurations[numbers[0]]
        # A router without a host-name has its file's name, also after the change.
        found[numbers[0]] = replace(_read(path, zone, base=base), name=configurations[numbers[0]].name)
    return found


def is_whole(text: str) -> bool:
    """Say whether a text is a whole configuration: it has the statement `version`, with which Junos begins one.

    A text without it is a change of the present configuration.
    """
    return re.search(r"^\s*(?:set\s+)?version\s", text, re.MULTILINE) is not None


def _judged(
    configurations: Sequence[Configuration],
    planned: dict[int, Configuration],
    question: Question,
    change_by: datetime,
) -> Iterator[tuple[str | None, Report]]:
    """Yield each state and its report: now, with one router changed, and after the change.

    Each pair of chains is judged, and a change reaches a pair at one router or at both. With any number of routers, it
    is therefore enough to judge the states in which a single router has changed.
    """
    from keyroll.check.judge import judge  # noqa: PLC0415 - see `check`

    if not planned:
        yield None, judge(configurations, question)
        return
    passing = replace(question, change_by=change_by)
    yield "before", judge(configurations, passing)
    if len(planned) > 1:
        for number, changed in planned.items():
            between = [changed if index == number else one for index, one in enumerate(configurations)]
            yield f"between: {changed.routers[0].name} changed", judge(between, passing)
    after = [planned.get(index, one) for index, one in enumerate(configurations)]
    yield "after", judge(after, question)


def _print(reports: Sequence[tuple[str | None, Report]], *, as_json: bool, markdown: bool) -> None:
    from keyroll.check.as_json import as_data  # noqa: PLC0415 - see `check`
    from keyroll.cli.check_text import WIDTH, markdown_of, text_of  # noqa: PLC0415 - see `check`

    if as_json:
        import json  # noqa: PLC0415 - see `check`

        found = [as_data(report, state) for state, report in reports]
        click.echo(json.dumps(found[0] if reports[0][0] is None else {"version": found[0]["version"], "states": found},
                              indent=2, ensure_ascii=False))  # fmt: skip
        return
    width = WIDTH
    if sys.stdout.isatty():
        import shutil  # noqa: PLC0415 - it imports libraries for archives, which take longer than reading small files

        # A long line is harder to read than two short ones.
        width = min(shutil.get_terminal_size((WIDTH, 0)).columns, WIDTH)
    for number, (state, report) in enumerate(reports):
        if number:
            click.echo()
        if state is not None:
            click.echo(f"# State {state}\n" if markdown else click.style(f"== {state}\n", bold=True))
        for line in markdown_of(report) if markdown else text_of(report, width):
            click.echo(click.unstyle(line) if markdown else line)


def _exit_code(reports: Iterable[Report]) -> ExitCode:
    """Return the code of the worst: 1 outweighs 2, 2 outweighs 0; where nothing is protected, nothing can be said."""
    from keyroll.check.judge import Verdict  # noqa: PLC0415 - see `check`

    found = list(reports)
    # A change may be the first to protect sessions: only the last state must have protected ones.
    protected = bool(found[-1].sessions)
    if any(report.count(Verdict.BAD) for report in found):
        return ExitCode.BAD
    unknown = not protected or any(report.count(Verdict.UNKNOWN) or not report.complete for report in found)
    return ExitCode.UNFIT if unknown else ExitCode.OK
