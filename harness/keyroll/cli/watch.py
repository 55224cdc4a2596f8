"""`keyroll watch`: a rollover on real routers, observed read-only while it happens."""

from __future__ import annotations

import contextlib
import shlex
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click

from keyroll.cli import shared_options
from keyroll.cli.arguments import instant_of, length_of
from keyroll.cli.live import session_style
from keyroll.cli.output import until_the_reader_closes
from keyroll.cli.printer import Printer
from keyroll.cli.report import report_line
from keyroll.cli.watch_view import View
from keyroll.errors import ExitCode, InputError
from keyroll.instants import SYSTEM
from keyroll.scenario.record.report import QUIET
from keyroll.scenario.record.result import Verdict
from keyroll.scenario.record.timeline import Event, Kind
from keyroll.watch.engine import Outcome, watch
from keyroll.watch.inventory import read_inventory
from keyroll.watch.login import targets
from keyroll.watch.markdown import markdown_of
from keyroll.watch.metrics import write
from keyroll.watch.state import EVERY, Options, State
from keyroll.watch.wire import Source

_STYLES = {Kind.CLOCK: "magenta", Kind.STEP: "cyan", Kind.RUN: "bold"}


@click.command(name="watch")
@click.argument("inventory", type=click.Path(path_type=Path), metavar="ROUTERS.yml")
@click.option("--every", metavar="DURATION", default="5s", show_default=True, help="Time from one look to the next.")
@click.option("--until", metavar="WHEN", help="End by then: a duration (2h) or an instant (2026-11-24T10:00Z).")
@click.option(
    "--run-dir", type=click.Path(path_type=Path), help="Put the run folder here.  [default: runs/<time>-watch-…]"
)
@click.option(
    "--capture",
    metavar="FILE|-",
    help="Judge a capture too: a file, which is read at the end (a router may have written it), or - for pcap on "
    "standard input.",
)
@click.option(
    "--capture-command", metavar="COMMAND", help="Judge the capture that this command writes to its output (pcap)."
)
@click.option("--once", is_flag=True, help="Take one look, judge the present state, and end.")
@click.option(
    "--textfile",
    type=click.Path(path_type=Path),
    help="With --once: write metrics for node_exporter's textfile collector; no run folder unless --run-dir is given.",
)
@click.option("--markdown", is_flag=True, help="Print the verdict as Markdown, for a ticket.")
@shared_options.no_report
@shared_options.accept_new_host_keys
def watch_command(
    inventory: Path,
    *,
    every: str,
    until: str | None,
    run_dir: Path | None,
    capture: str | None,
    capture_command: str | None,
    once: bool,
    textfile: Path | None,
    markdown: bool,
    no_report: bool,
    accept_new_host_keys: bool,
) -> ExitCode:
    """Watch a key rollover on two real routers, read-only.

    It waits for the next key rollover and says whether it was hitless. Nothing is changed on a router: docs/watch.md
    lists the commands that are sent.

    Exit code 0: the rollover was seen, and it was hitless. 1: it was not. 2: nothing can be said (no rollover seen, SSH
    lost, chains not visible, wrong input). 130: Ctrl-C; the verdict so far is printed.
    """
    if textfile is not None and not once:
        raise InputError("--textfile goes with --once", remedy="keyroll watch --once --textfile FILE routers.yml")
    if once and until is not None:
        raise InputError("--once and --until: use one of them")
    printer = Printer()
    with _metrics(textfile) as note:
        period = length_of("--every", every)
        if period < timedelta(seconds=1):
            raise InputError("--every: a router is sent at most one command a second", remedy="use 1s or more")
        read = read_inventory(inventory)
        view = View() if sys.stdout is not None and sys.stdout.isatty() and not markdown and textfile is None else None
        lines = () if markdown or textfile is not None else (_Lines(printer),)
        options = Options(
            read,
            inventory,
            targets(read, accept_new=accept_new_host_keys),
            every=period,
            until=_until(until),
            run_dir=run_dir,
            observers=lines if view is None else (view,),
            on_begin=None if view is None else view.begin,
            capture=_capture(capture, capture_command),
            once=once,
            arguments=_arguments(every, until, period),
        )
        with contextlib.ExitStack() as stack:
            if textfile is not None and run_dir is None:
                # A timer may run this every minute, and nobody would remove all these run folders.
                folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="keyroll-watch-"))
                options = replace(options, run_dir=Path(folder))
            with view or contextlib.nullcontext():
                outcome = watch(options)
            kept = textfile is None or run_dir is not None
            report = None if no_report or not kept else report_line(outcome.result.folder)
        note(outcome.state)
    if markdown:
        with until_the_reader_closes():
            for line in markdown_of(outcome.result, outcome.state, outcome.headline):
                click.echo(line)
        return outcome.result.verdict.exit_code
    for line, style in verdict_lines(outcome, kept=kept):
        printer.line(line, style=style)
    if report is not None:
        printer.line(report)
    return outcome.result.verdict.exit_code


@contextlib.contextmanager
def _metrics(path: Path | None) -> Iterator[Callable[[State], None]]:
    """At the end of the block, write the metrics of the state that it has noted, or of no state if it has failed.

    Without that, a failure would leave the old file, and the routers would look healthy.
    """
    noted: list[State] = []
    try:
        yield noted.append
    finally:
        if path is not None:
            write(path, noted[-1] if noted else None, SYSTEM.wall().moment)


def _capture(file: str | None, command: str | None) -> Source | None:
    if file is not None and command is not None:
        raise InputError("--capture and --capture-command are both given", remedy="give one of them")
    if command is not None:
        try:
            words = tuple(shlex.split(command))
        except ValueError as error:
            raise InputError(f"--capture-command: {error}") from None
        if not words:
            raise InputError("--capture-command is empty", remedy="tcpdump -i eth0 -w - 'tcp port 179'")
        return Source(command=words)
    return None if file is None else Source(file)


def _until(text: str | None) -> datetime | None:
    if text is None:
        return None
    now = SYSTEM.wall().moment
    moment = now + length_of("--until", text) if text[-1:].isalpha() and "T" not in text else None
    moment = moment or instant_of("--until", text, UTC)
    if moment <= now:
        raise InputError("--until has passed already", remedy="give a later instant, or a length such as 2h")
    return moment


def _arguments(every: str, until: str | None, period: timedelta) -> Sequence[str]:
    return [*(["--every", every] if period != EVERY else []), *(["--until", until] if until else [])]


def verdict_lines(outcome: Outcome, *, kept: bool = True) -> list[tuple[str, str]]:
    """Return the verdict with its evidence: lines, each with its style."""
    result = outcome.result
    green = result.verdict is Verdict.PASSED
    lines = [(outcome.headline, "bold green" if green else "bold red")]
    for check in result.red:
        lines.append((f"  {check.router} {check.name}: expected {check.expected}", ""))
        lines.append((f"    observed {check.observed}", ""))
        if check.event:
            lines.append((f"    {check.after.total_seconds():.1f} s after {check.event}", ""))
    if result.red and result.reason:
        lines.append((f"  {result.reason}", ""))
    lines += [(f"  not judged: {words}", "dim") for words in outcome.state.not_judged]
    if kept:
        lines.append((f"evidence: {result.folder}", ""))
    return lines


class _Lines:
    """Prints the timeline line by line, if stdout is not a terminal."""

    def __init__(self, printer: Printer) -> None:
        self._printer = printer
        self._started: int | None = None

    def __call__(self, event: Event) -> None:
        self._started = event.at if self._started is None else self._started
        if event.kind in QUIET or event.kind is Kind.VERDICT:
            return
        style = _STYLES.get(event.kind, "")
        if event.kind is Kind.CHECK:
            if event.data.get("passed"):
                self._printer.line(
                    self._line(event, f"ok  {event.data['name']}: {event.data['observed']}"), style="green"
                )
            return
        if event.kind is Kind.SESSION:
            style = session_style(event.text)
        self._printer.line(self._line(event, event.text), style=style)

    def _line(self, event: Event, text: str) -> str:
        clock = event.clocks.get(event.router or "")
        shown = f"{clock:%H:%M:%S}" if clock is not None else ""
        return f"{(event.at - (self._started or 0)) / 1e9:8.1f}s  {shown:<8}  {event.router or '':<6} {text}"
