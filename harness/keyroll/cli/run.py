"""`keyroll run`: scenario files played from the command line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import click

from keyroll.cli import shared_options
from keyroll.cli.live import LiveView, session_style, wanted
from keyroll.cli.printer import Printer, verdict_style
from keyroll.cli.report import report_line
from keyroll.errors import ExitCode, InputError
from keyroll.names import Capability
from keyroll.scenario.engine import Options, run
from keyroll.scenario.file.library import find_scenario
from keyroll.scenario.file.read import Case, read_cases
from keyroll.scenario.labs.make import LABS, lab_maker
from keyroll.scenario.labs.pool import FreshLabs
from keyroll.scenario.options import new_seed, read_instant, read_seed
from keyroll.scenario.record.report import QUIET, event_line, failure_lines, spent_lines, verdict_line
from keyroll.scenario.record.result import Result, Verdict
from keyroll.scenario.record.timeline import Event, Kind
from keyroll.suggest import did_you_mean

_ALL = "all"
_T0_HELP = "Begin when the routers' clocks read this.  [default: 2030-01-01T00:00:00Z; in real time, the next minute]"
_STYLES = {Kind.WIRE: "cyan", Kind.CLOCK: "magenta", Kind.STEP: "bold", Kind.RUN: "bold"}


@click.command(name="run")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE…")
@click.option("--seed", help="Seed of all random values.  [default: drawn, and printed]")
@click.option("--t0", metavar="INSTANT", help=_T0_HELP)
@click.option("--variant", metavar="NAME", help="Play only this variant: the words in [brackets] of `keyroll list`.")
@click.option("--mutate", metavar="NAME", help="Break the scenario on purpose with this mutation; 'all' plays each.")
@shared_options.lab
@shared_options.topology
@shared_options.run_dir
@click.option(
    "--wait-scale",
    type=click.FloatRange(0.1, 100),
    default=1.0,
    show_default=True,
    help="Multiply deadlines, for slow machines.",
)
@click.option("--keep-lab", is_flag=True, help="Leave the lab up after the run (see `keyroll lab`).")
@click.option("--no-set-clock", is_flag=True, help="Do not set the routers' clocks: play in real time.")
@shared_options.no_report
@shared_options.plain
@click.option("--verbose", "-v", is_flag=True, help="Show every command in the timeline.")
def run_command(
    files: tuple[Path, ...],
    *,
    seed: str | None,
    t0: str | None,
    variant: str | None,
    mutate: str | None,
    lab: str,
    topology: Path | None,
    run_dir: Path | None,
    wait_scale: float,
    keep_lab: bool,
    no_set_clock: bool,
    no_report: bool,
    plain: bool,
    verbose: bool,
) -> ExitCode:
    """Play scenario files and judge what they expect.

    FILE is a path, or a name of the library such as rollover/two-keys (`keyroll list` shows it).

    Exit code 0: every check holds. 1: a check is red. 2: nothing can be said (bad input, unfit machine, broken run).
    With --mutate NAME a red run (1) is expected. With --mutate all, 0: each mutation turned the checks red that it
    names.
    """
    printer = Printer()
    cases = list(_chosen(files, variant))
    jobs = [(case, name) for case in cases for name in _mutations(case, mutate)]
    if run_dir is not None and len(jobs) > 1:
        raise InputError(
            f"--run-dir takes one run, and these are {len(jobs)}", remedy="name one file, or one --variant"
        )
    known = read_seed(seed)
    make = lab_maker(lab, topology=topology, wait_scale=wait_scale)
    options = Options(
        labs=FreshLabs(make, keep=keep_lab, without=frozenset({Capability.SET_CLOCK} if no_set_clock else ())),
        seed=new_seed() if known is None else known,
        t0=read_instant(t0),
        run_dir=run_dir,
        wait_scale=wait_scale,
        arguments=(*_arguments(lab, topology, wait_scale), *(["--no-set-clock"] if no_set_clock else ())),
    )
    results: list[Result] = []
    for case, name in jobs:
        result = _play(printer, case, replace(options, mutate=name), verbose=verbose, live=wanted(plain=plain))
        results.append(result)
        if not no_report:
            printer.line(report_line(result.folder))
            printer.line()
        if result.verdict is Verdict.INTERRUPTED:
            break
    return _exit_code(results, receipts=mutate == _ALL)


def _play(printer: Printer, case: Case, options: Options, *, verbose: bool, live: bool) -> Result:
    scenario = case.scenario
    printer.line(f"{case.name}: {scenario.title}", style="bold")
    if scenario.source:
        printer.line(f"source: {scenario.source}")
    if options.mutate:
        printer.line(f"mutation: {options.mutate}", style="yellow")
    view = (LiveView(),) if live else ()
    with printer.below(view[0] if view else None):
        result = run(case, replace(options, observers=(*view, _TimelinePrinter(printer, verbose=verbose))))
    printer.line(verdict_line(result), style=verdict_style(result.verdict.exit_code))
    for line in spent_lines(result):
        printer.line(line, style="dim")
    for line in failure_lines(result):
        printer.line(line)
    return result


class _TimelinePrinter:
    """Prints the timeline while it happens."""

    def __init__(self, printer: Printer, *, verbose: bool) -> None:
        self._printer = printer
        self._hidden = frozenset() if verbose else QUIET
        self._started: int | None = None
        self._t0 = datetime(1970, 1, 1, tzinfo=UTC)

    def __call__(self, event: Event) -> None:
        if self._started is None:
            self._started = event.at
        t0 = event.data.get("t0")
        if isinstance(t0, datetime):
            self._t0 = t0
        if event.kind in self._hidden:
            return
        style = _STYLES.get(event.kind, "")
        if event.kind is Kind.CHECK:
            style = "green" if event.data.get("passed") else "bold red"
        elif event.kind is Kind.SESSION and event.router is not None:
            style = session_style(event.text)
        self._printer.line(event_line(event, started=self._started, t0=self._t0), style=style)


def _chosen(files: Sequence[Path], variant: str | None) -> Iterator[Case]:
    for path in map(find_scenario, files):
        cases = read_cases(path)
        chosen = [case for case in cases if variant is None or case.variant == variant]
        if not chosen:
            known = ", ".join(case.variant or "none" for case in cases)
            raise InputError(
                f"{path} has no variant '{variant}'; it has: {known}",
                remedy=did_you_mean(variant or "", [case.variant or "" for case in cases]),
            )
        yield from chosen


def _mutations(case: Case, mutate: str | None) -> list[str | None]:
    if mutate == _ALL:
        return list(case.scenario.mutations)
    if mutate is not None:
        case.mutation(mutate)
    return [mutate]


def _exit_code(results: Sequence[Result], *, receipts: bool) -> ExitCode:
    codes = [result.verdict.exit_code for result in results]
    if ExitCode.INTERRUPTED in codes:
        return ExitCode.INTERRUPTED
    if receipts:
        codes = [_receipt_code(result) for result in results]
    # Bad outweighs not judged, and not judged outweighs good.
    return next((code for code in (ExitCode.BAD, ExitCode.UNFIT) if code in codes), ExitCode.OK)


def _receipt_code(result: Result) -> ExitCode:
    """Return 0 for a mutation that was killed, 1 for one that was played and survived, 2 where nothing can be said."""
    if result.receipt is not None and result.receipt.killed:
        return ExitCode.OK
    return ExitCode.BAD if result.verdict in (Verdict.PASSED, Verdict.FAILED) else ExitCode.UNFIT


def _arguments(lab: str, topology: Path | None, wait_scale: float) -> tuple[str, ...]:
    words: list[str] = []
    if lab != LABS[0]:
        words += ["--lab", lab]
    if topology is not None:
        words += ["--topology", str(topology)]
    if wait_scale != 1.0:
        words += ["--wait-scale", f"{wait_scale:g}"]
    return tuple(words)
