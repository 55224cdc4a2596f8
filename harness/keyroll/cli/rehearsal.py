"""Plays an imported scenario, and prints a verdict that fits on one screen."""

from __future__ import annotations

import json
import re
import shlex
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from keyroll.cli.live import LiveView, wanted
from keyroll.cli.printer import Printer, verdict_style
from keyroll.cli.report import report_line
from keyroll.errors import ExitCode
from keyroll.report.watch_and_rehearsal import REHEARSAL
from keyroll.scenario.engine import Options, run
from keyroll.scenario.file.read import read_cases
from keyroll.scenario.labs.make import lab_maker
from keyroll.scenario.labs.pool import FreshLabs
from keyroll.scenario.options import new_seed, read_seed
from keyroll.scenario.record.files import write_private
from keyroll.scenario.record.report import failure_lines
from keyroll.scenario.record.result import Result, Verdict

if TYPE_CHECKING:
    from keyroll.scenario.importing.pair import Imported


def play(
    made: Imported,
    *,
    lab: str,
    topology: Path | None,
    seed: str | None,
    run_dir: Path | None,
    accept_left_out: bool,
    without_secrets: bool,
    no_report: bool = False,
    plain: bool = False,
) -> ExitCode:
    """Play the scenario and print the verdict, each rollover, what was left out, and where the evidence is."""
    known = read_seed(seed)
    printer = Printer()
    printer.line(f"{made.names[0]} (R1) and {made.names[1]} (R2): {made.summary}", style="bold")
    for note in made.notes:
        printer.line(f"assumed: {note}")
    for line in made.seen.lines() if made.seen is not None else ():
        printer.line(_named(f"seen on the link: {line}", made.names))
    with tempfile.TemporaryDirectory(prefix="keyroll-") as folder:
        path = Path(folder) / "rehearsal.yaml"
        path.write_text(made.text, encoding="utf-8")
        results: list[Result] = []
        orders: list[str | None] = []
        for case in read_cases(path):  # a planned change: with either router first
            if case.variant:
                printer.line(f"playing with {_order(case.variant, made.names)}")
            options = Options(
                labs=FreshLabs(lab_maker(lab, topology=topology)),
                seed=new_seed() if known is None else known,
                run_dir=run_dir if run_dir is None or not case.variant else run_dir / case.variant,
            )
            view = LiveView() if wanted(plain=plain) else None
            with printer.below(view):
                results.append(run(case, replace(options, observers=(view,) if view else ())))
            orders.append(case.variant)
            if results[-1].verdict is Verdict.INTERRUPTED:
                break
    verdicts = [
        judged(made, result, accept_left_out=accept_left_out, without_secrets=without_secrets) for result in results
    ]
    for verdict, result in zip(verdicts, results, strict=True):
        _keep(made, verdict, result)
    worst = min(range(len(results)), key=lambda number: _ORDER.index(verdicts[number].code))
    verdict, result = verdicts[worst], results[worst]
    printer.line(verdict.sentence, style=verdict_style(verdict.code))
    for line in (*_orders(orders, results, verdicts, made), *_lines(made, result)):
        printer.line(line)
    if not no_report:
        # A planned change has a page for each order of commits; the one that decides is named.
        reports = [report_line(one.folder) for one in results]
        printer.line(reports[worst])
    return min(verdict.code, made.carried, key=_ORDER.index)


def _order(variant: str, names: tuple[str, str]) -> str:
    """Return an order of commits by the routers' own names."""
    return f"{names[1] if variant == 'r2-first' else names[0]} first"


def _orders(
    orders: Sequence[str | None], results: Sequence[Result], verdicts: Sequence[Judged], made: Imported
) -> Iterator[str]:
    """Yield how each order of the commits of a planned change was played."""
    for order, one, verdict in zip(orders, results, verdicts, strict=True):
        if order is not None:
            took = f"{one.took.total_seconds():.0f} s"
            yield f"  the commits with {_order(order, made.names)}: {_played(made, one, verdict)} ({took})"


def _played(made: Imported, result: Result, verdict: Judged) -> str:
    hitless = "each reset once, and hitless after that" if made.resets else "played hitless"
    words = {Verdict.PASSED: hitless, Verdict.FAILED: "not hitless"}
    return words.get(result.verdict, verdict.sentence)


def _keep(made: Imported, verdict: Judged, result: Result) -> None:
    """Write the rehearsal's verdict into the run folder, for its report. Raises RunError: it cannot be written."""
    data = {
        "format": 1,
        "sentence": verdict.sentence,
        "code": int(verdict.code),
        "summary": made.summary,
        "routers": list(made.names),
        "predicted": [
            {
                "at": one.at.isoformat(),
                "hitless": one.hitless,
                "hitless_in_all": one.hitless_in_all,
                "words": one.words,
            }
            for one in made.predicted
        ],
        "faults": list(made.faults),
        "left_out": list(made.left_out),
        "notes": list(made.notes),
        "again": _again(result),
    }
    write_private(result.folder / REHEARSAL, json.dumps(data, indent=1, ensure_ascii=False) + "\n")


def _again(result: Result) -> str:
    """Return the command that plays it again, from the run folder's copy: the file that was played is temporary."""
    return f"keyroll run {shlex.quote(str(result.folder / 'scenario.yaml'))} --seed {result.seed}"


_ORDER = (ExitCode.INTERRUPTED, ExitCode.BAD, ExitCode.UNFIT, ExitCode.OK)
"""Which of two orders of commits decides: 1 outweighs 2, 2 outweighs 0."""


@dataclass(frozen=True, slots=True)
class Judged:
    """The verdict of a rehearsal: its exit code and its first line."""

    code: ExitCode
    sentence: str


def judged(made: Imported, result: Result, *, accept_left_out: bool, without_secrets: bool) -> Judged:
    """Compare play with the prediction. Red outweighs what is not covered, which outweighs green."""
    predicted = not made.down and not made.commit and all(one.hitless for one in made.predicted)
    if result.verdict is Verdict.INTERRUPTED:
        return Judged(ExitCode.INTERRUPTED, "INTERRUPTED")
    if result.verdict not in (Verdict.PASSED, Verdict.FAILED):
        return Judged(ExitCode.UNFIT, f"NOT JUDGED: {result.reason or result.verdict.value}")
    if result.verdict is Verdict.FAILED:
        agree = "as predicted" if not predicted else "though check predicts that it is: please report this"
        return Judged(ExitCode.BAD, f"NOT HITLESS, {agree}")
    if made.commit and not made.down and all(one.hitless for one in made.predicted):
        # Juniper's pages leave open whether a commit applies to keys in use: the lab has only one of the answers.
        return Judged(ExitCode.BAD, f"NOT HITLESS by prediction: {made.commit[0]}, a session is down; played hitless")
    if not predicted:
        return Judged(
            ExitCode.UNFIT, "NOT JUDGED: played hitless, though check predicts that it is not: please report this"
        )
    if not all(one.hitless_in_all for one in made.predicted):
        return Judged(
            ExitCode.BAD, "NOT HITLESS under all policies, by prediction; played hitless under the default ones"
        )
    unsaid = _not_known(made, accept_left_out=accept_left_out, without_secrets=without_secrets)
    return Judged(ExitCode.OK, _good(made)) if unsaid is None else Judged(ExitCode.UNFIT, unsaid)


def _good(made: Imported) -> str:
    if not made.resets:
        return "HITLESS"
    return f"RESET ONCE by the planned commit, as predicted{', then HITLESS' if made.predicted else ''}"


def _not_known(made: Imported, *, accept_left_out: bool, without_secrets: bool) -> str | None:
    """Return why a run that passed, as predicted, is not green; None where all is known and covered."""
    if made.left_out and not accept_left_out:
        return "HITLESS as far as it was played, NOT COVERED: what may change the verdict was left out"
    if not made.predicted and not made.resets:
        return "NOT JUDGED: no rollover is coming in these configurations"
    if made.notes and not without_secrets:
        return f"HITLESS if {made.notes[0]} (--without-secrets)"
    return None


def _predicted(made: Imported) -> Iterator[str]:
    if made.carried is not ExitCode.OK:
        yield "  the real link had wrong segments, or could not be judged: see 'seen on the link' above"
    for name in made.down:
        yield f"  {name}: predicted not to come up with the keys at the beginning"
    if made.resets:
        yield f"  planned commit: predicted to reset once: {', '.join(made.resets)}"
    for state in made.commit:
        yield f"  planned commit: predicted that a session is down {state}"
    for one in made.predicted:
        yield f"  rollover {one.at.isoformat()}: predicted {one.words}"


def _lines(made: Imported, result: Result) -> Iterator[str]:
    yield from _predicted(made)
    if made.faults:
        yield "wrong in the configurations (keyroll check):"
    yield from (f"  - {text}" for text in made.faults[:_FAULTS_SHOWN])
    if len(made.faults) > _FAULTS_SHOWN:
        yield f"  and {len(made.faults) - _FAULTS_SHOWN} more, in the scenario of the run folder"
    if made.left_out:
        yield "left out, and may change the verdict (--accept-left-out):"
    yield from (f"  - {text}" for text in made.left_out[:12])
    if len(made.left_out) > 12:  # noqa: PLR2004 - a screen
        yield f"  and {len(made.left_out) - 12} more, in the scenario of the run folder"
    lines = list(failure_lines(result))[:-1] if result.verdict is not Verdict.PASSED else [f"evidence: {result.folder}"]
    for line in _first_reds(lines):
        yield _named(line, made.names)
    yield f"again: {_again(result)}"


_FAULTS_SHOWN = 8
"""Faults that fit on a screen, beside the rest."""
_REDS_SHOWN = 3
"""Red checks that fit on a screen; the report has all. One cause turns each check of each session red."""


def _first_reds(lines: Sequence[str]) -> Iterator[str]:
    """Yield the lines of a failure, with only the first red checks; the details of a check are indented."""
    reds = 0
    for line in lines:
        if line.startswith("RED "):
            reds += 1
        shown = reds <= _REDS_SHOWN or not line.startswith(("RED ", "  expected:", "  observed:", "  when:"))
        if reds > _REDS_SHOWN and shown:
            yield f"and {reds - _REDS_SHOWN} more red checks, in the report"
            reds = 0
        if shown:
            yield line


def _named(line: str, names: tuple[str, str]) -> str:
    """Return a line with the routers' own names; files in the run folder keep theirs."""
    for number, name in enumerate(names, 1):
        line = re.sub(rf"\bR{number}\b(?!\.(?:pcap|conf))", name, line)
    return line
