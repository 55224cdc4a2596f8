"""The HTML page: one file that loads nothing, with the same bytes for the same input."""

from __future__ import annotations

import base64
import hashlib
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from keyroll.names import Invariant
from keyroll.report.chart import RIGHT_EDGE, Bar, Timeline
from keyroll.report.run import CheckRecord, Event, Output, RunRecord, load_run
from keyroll.report.sheet import Sheet
from keyroll.report.text import clipped, visible
from keyroll.report.timeline import timeline
from keyroll.scenario.record.result import GAPS

REPORT = "report.html"
_OUTPUT_CHARACTERS = 6_000
"""Characters of each output that is evidence: a screen or two; the page names the file that has the rest."""
_CONFIGURATION_CHARACTERS = 60_000
"""Characters of each router's configuration: some 1,500 lines; the run folder has the rest."""
_TABLE_ROWS = 1_500
"""Rows of the timeline's table: about 400 KB, so that the whole page of a ten-minute run stays below 2 MB."""
_EVIDENCE = 4
"""Outputs shown for each red check: the last ones of its router before it was judged."""
_WHY = 3
"""Reasons at the top, one for each kind of check: one cause turns many checks red."""
CAUSE = Invariant.EVERY_SEGMENT_VERIFIED
"""The check that names a packet and says which key was wrong: where it is red, the others follow from it."""
_JUMPS = 4
"""Settings of a clock that the legend lists: a run with 64 keys sets it 64 times, and the table has all."""
_ALL_OUTPUTS = 400_000
"""Characters of all outputs that are evidence, together: with 64 keys hundreds of checks may be red."""
_NO_EVIDENCE = ("show configuration system time-zone", "show version", "show system uptime", "show |")
"""Commands about clocks and commits, whose output says nothing about a session or a key."""
_ABOUT = {
    "active": ("keychain",),
    "next": ("keychain",),
    "wire": ("keychain", "neighbor"),
    Invariant.EVERY_SEGMENT_VERIFIED: ("keychain", "neighbor"),
    Invariant.ROLLOVER_COMPLETES: ("keychain", "neighbor"),
    Invariant.NO_FLAP: ("bgp", "ldp"),
    Invariant.NO_ROUTE_LOSS: ("route",),
    "read-back": ("authentication-key-chains",),
}
"""Words of the commands whose output a kind of check is about."""
_SHOWN_ELSEWHERE = frozenset({"not judged", "lab"})
"""Facts that have a separate section, or that only say how long a lab took to come up."""
_IN_SECONDS = {GAPS: f"{GAPS} (seconds)"}
_BETWEEN_BACKTICKS = re.compile(r"`([^`]+)`")
"""Commands in our own sentences, which Markdown shows as code."""
_QUIET_KINDS = frozenset({"command"})


@cache
def _environment() -> Environment:
    found = Environment(
        loader=PackageLoader("keyroll.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters["visible"] = visible
    found.filters["coded"] = _coded
    found.globals["right_edge"] = RIGHT_EDGE
    found.filters["place"] = lambda at, picture: f"{100 * picture.place(at):.3f}%"
    found.filters["width"] = _width
    return found


def _coded(text: str) -> Markup:
    """Return text as HTML, with words `between backticks` as code; all of it is escaped first."""
    return Markup(_BETWEEN_BACKTICKS.sub(r"<code>\1</code>", str(escape(visible(text)))))  # noqa: S704


def _width(bar: Bar, picture: Timeline) -> str:
    return f"{100 * (picture.place(bar.end) - picture.place(bar.begin)):.3f}%"


@cache
def _asset(name: str) -> str:
    return (
        resources.files("keyroll.report").joinpath("templates", name).read_text("utf-8").removesuffix("\n")
    )  # Jinja's include leaves out the last line feed, too: the hash must match


def _hash(text: str) -> str:
    """Return a source expression of a Content-Security-Policy (CSP level 3, 2.3.1) that allows just this text."""
    return "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"


def render(template: str, **values: object) -> str:
    """Render a page; its policy allows our style and script, which the templates include, and no request."""
    style, script = _hash(_asset("style.css")), _hash(_asset("page.js"))
    policy = f"default-src 'none'; style-src {style}; script-src {script}; base-uri 'none'; form-action 'none'"
    return _environment().get_template(template).render(policy=policy, **values)


def sheet_page(sheet: Sheet) -> str:
    """Return the page of a prediction or a plan."""
    return render("sheet.html.j2", sheet=sheet)


@dataclass(frozen=True, slots=True)
class Evidence:
    """An output that a red check is based on, and how many characters of it are cut.

    `text` is None if an earlier check shows it already.
    """

    number: int
    output: Output
    text: str | None
    cut: int


@dataclass(frozen=True, slots=True)
class Why:
    """A reason for the verdict; `check` is the number of the check that it leads to."""

    words: str
    name: str = ""
    check: int | None = None


def run_page(record: RunRecord) -> str:
    """Return the page of a run."""
    picture = timeline(record)
    red = [(number, check) for number, check in enumerate(record.checks, start=1) if not check.passed]
    return render(
        "run.html.j2",
        record=record,
        picture=picture,
        legend=list(_legend(picture)),
        why=list(_why(record, red)),
        red=red,
        checks=list(enumerate(record.checks, start=1)),
        judged_by_then=sum(event.kind == "check" for event in record.events),
        evidence=_all_evidence(red, record),
        rows=_rows(record.events),
        left_out=max(0, sum(event.kind not in _QUIET_KINDS for event in record.events) - _TABLE_ROWS),
        configurations={name: clipped(text, _CONFIGURATION_CHARACTERS) for name, text in record.configurations.items()},
        measured=[
            (_IN_SECONDS.get(name, name), _fact(value))
            for name, value in record.facts.items()
            if name not in _SHOWN_ELSEWHERE
        ],
        not_judged=list(_not_judged(record)),
    )


def _why(record: RunRecord, red: Sequence[tuple[int, CheckRecord]]) -> Iterator[Why]:
    """Yield the reasons of a verdict, each kind of check once, the one that names the cause first."""
    if record.reason:
        yield Why(record.reason)
    first: dict[str, tuple[int, CheckRecord]] = {}
    for number, check in red:
        first.setdefault(check.name, (number, check))
    order = sorted(first.values(), key=lambda item: item[1].name != CAUSE)
    for number, check in order[:_WHY]:
        who = f" {check.router}" if check.router else ""
        yield Why(f"expected {check.expected}; observed {check.observed}", f"{check.name}{who}", number)
    if not red and record.verdict == "passed":
        held = dict.fromkeys(check.name for check in record.checks if "@" not in check.name)
        wire = [f"{check.router}: {check.observed}" for check in record.checks if check.name == CAUSE and check.router]
        if held:
            yield Why(f"held throughout: {', '.join(held)}" + (f" ({'; '.join(wire)})" if wire else ""))


def _legend(picture: Timeline) -> Iterator[str]:
    # A watch without a capture has only the routers' output.
    sent = any(lane.kind == "keys" and " sends" in lane.label for lane in picture.lanes)
    bar = "what the router really sent" if sent else "the key that the router shows as active"
    yield f"Outline: planned by start-time. Bar: {bar}. A dashed line: the router's clock was set."
    first = picture.jumps[0].router if picture.jumps else None
    own = [jump for jump in picture.jumps if jump.router == first]
    for jump in own[:_JUMPS]:
        yield f"{first}'s clock was set at {jump.at:.2f} s, by {jump.words}."
    if len(own) > _JUMPS:
        yield f"and {len(own) - _JUMPS} times more, until {own[-1].at:.2f} s."


def _not_judged(record: RunRecord) -> Iterator[str]:
    """Yield what was not judged, or was left out."""
    if any(section.title == "Not judged" for section in record.beside):
        return  # a watch has a section of its own for this
    judged = {check.name for check in record.checks}
    missing = [name.value for name in Invariant if name.value not in judged]
    if missing and record.checks:
        why = "the scenario does not ask for it" if record.verdict == "passed" else "not asked for, or not reached"
        yield from (f"{name}: {why}" for name in missing)
    if not record.checks:
        judged_by_then = any(event.kind == "check" for event in record.events)
        rest = "without a verdict: what held by then may not have held later" if judged_by_then else "before a check"
        yield f"everything: the run ended {rest}"
    if not record.wire:
        yield "the wire: the run folder has no verdict on a capture"


def _all_evidence(red: Sequence[tuple[int, CheckRecord]], record: RunRecord) -> dict[int, list[Evidence]]:
    """Return by check its outputs; one that several checks are based on is shown with the first."""
    shown: dict[int, int] = {}
    room = _ALL_OUTPUTS
    found: dict[int, list[Evidence]] = {}
    for number, check in red:
        for output in _evidence(check, record):
            known = id(output) in shown
            name = shown.setdefault(id(output), len(shown) + 1)
            text, cut = (None, 0) if known else clipped(output.raw, min(_OUTPUT_CHARACTERS, room))
            room -= len(text or "")
            found.setdefault(number, []).append(Evidence(name, output, text, cut))
    return found


def _evidence(check: CheckRecord, record: RunRecord) -> list[Output]:
    """Return the last outputs of a check's router before it was judged, those that are about the check first."""
    judged = next(
        (
            event.after
            for event in record.events
            if event.kind == "check" and event.data.get("name") == check.name and event.router == check.router
        ),
        record.events[-1].after if record.events else 0.0,
    )
    last: dict[tuple[str, str], Output] = {
        (output.router, output.command): output
        for output in record.outputs
        if output.after <= judged
        and output.command.startswith("show")
        and not output.command.startswith(_NO_EVIDENCE)
        and check.router in (None, output.router)
    }
    kind = check.name.partition("@")[0]
    about = _ABOUT.get(kind, (kind,))
    ranked = sorted(last.values(), key=lambda one: (not any(word in one.command for word in about), -one.after))
    return ranked[:_EVIDENCE]


def _rows(events: tuple[Event, ...]) -> list[Event]:
    return [event for event in events if event.kind not in _QUIET_KINDS][:_TABLE_ROWS]


def _fact(value: object) -> str:
    """Return a measured value as one line: `R1: 0.25, R2: 0.25`."""
    if isinstance(value, dict):
        nested = any(isinstance(item, dict) for item in value.values())
        return ("; " if nested else ", ").join(f"{name}: {_fact(item)}" for name, item in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def write_run_page(folder: Path) -> Path:
    """Write report.html into a run folder. Raises InputError or OSError."""
    path = folder / REPORT
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)  # as all files of a run are
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        stream.write(run_page(load_run(folder)))
    return path
