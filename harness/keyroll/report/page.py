"""The HTML page: one file, nothing loaded from anywhere, the same bytes for the same input."""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from math import ceil
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from keyroll.report.run import CheckRecord, Event, Output, RunRecord, load_run
from keyroll.report.text import clipped, visible
from keyroll.report.timeline import Timeline, timeline

REPORT = "report.html"
_OUTPUT_CHARACTERS = 6_000
"""Of each output that is evidence: a screen or two; the file that holds all of it is named."""
_CONFIGURATION_CHARACTERS = 60_000
_TABLE_ROWS = 1_500
"""Of the table behind the timeline: about 400 KB, so that a ten-minute run stays below 2 MB with all else."""
_EVIDENCE = 4
"""Outputs shown for each red check: the last ones of its router before it was judged."""
_TICKS = 8
"""At most this many numbers on the axis: more would touch on a narrow page."""
_STEPS = (0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600)
"""Seconds between two numbers that people find round."""
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
    found.filters["place"] = lambda at, picture: f"{100 * picture.place(at):.3f}%"
    found.filters["width"] = lambda bar, picture: f"{100 * (picture.place(bar.end) - picture.place(bar.begin)):.3f}%"
    return found


@cache
def _asset(name: str) -> str:
    return (
        resources.files("keyroll.report").joinpath("templates", name).read_text("utf-8").removesuffix("\n")
    )  # as an include has it


def _hash(text: str) -> str:
    """Return a source expression of a Content-Security-Policy (CSP level 3, 2.3.1) that allows just this text."""
    return "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"


def render(template: str, **values: object) -> str:
    """Render a page; its policy allows our style and script, which the templates include, and no request."""
    style, script = _hash(_asset("style.css")), _hash(_asset("page.js"))
    policy = f"default-src 'none'; style-src {style}; script-src {script}; base-uri 'none'; form-action 'none'"
    return _environment().get_template(template).render(policy=policy, **values)


@dataclass(frozen=True, slots=True)
class Evidence:
    """An output that a red check rests on."""

    output: Output
    text: str
    cut: int


def run_page(record: RunRecord) -> str:
    """Return the page of a run."""
    picture = timeline(record)
    return render(
        "run.html.j2",
        record=record,
        picture=picture,
        ticks=list(_ticks(picture)),
        red=[(number, check) for number, check in enumerate(record.checks, start=1) if not check.passed],
        checks=list(enumerate(record.checks, start=1)),
        evidence={
            number: list(_evidence(check, record))
            for number, check in enumerate(record.checks, start=1)
            if not check.passed
        },
        rows=_rows(record.events),
        left_out=max(0, sum(event.kind not in _QUIET_KINDS for event in record.events) - _TABLE_ROWS),
        configurations={name: clipped(text, _CONFIGURATION_CHARACTERS) for name, text in record.configurations.items()},
        measured=list(_measured(record.facts)),
    )


def _ticks(picture: Timeline) -> Iterator[float]:
    """Yield round numbers of seconds across the picture."""
    step = next((step for step in _STEPS if picture.span / step <= _TICKS), picture.span / _TICKS)
    for number in range(ceil(picture.begin / step), int(picture.end / step) + 1):
        yield number * step


def _evidence(check: CheckRecord, record: RunRecord) -> Iterator[Evidence]:
    judged = next(
        (
            event.after
            for event in record.events
            if event.kind == "check" and event.data.get("name") == check.name and event.router == check.router
        ),
        record.events[-1].after if record.events else 0.0,
    )
    asked = [
        output
        for output in record.outputs
        if output.after <= judged and output.command.startswith("show") and check.router in (None, output.router)
    ]
    last: dict[tuple[str, str], Output] = {(output.router, output.command): output for output in asked}
    for output in sorted(last.values(), key=lambda output: output.after)[-_EVIDENCE:]:
        yield Evidence(output, *clipped(output.raw, _OUTPUT_CHARACTERS))


def _rows(events: tuple[Event, ...]) -> list[Event]:
    return [event for event in events if event.kind not in _QUIET_KINDS][:_TABLE_ROWS]


def _measured(facts: Mapping[str, object], prefix: str = "") -> Iterator[tuple[str, str]]:
    for name, value in facts.items():
        if isinstance(value, dict):
            yield from _measured(value, f"{prefix}{name}: ")
        else:
            yield f"{prefix}{name}", str(value)


def write_run_page(folder: Path) -> Path:
    """Write report.html into a run folder. Raises InputError or OSError."""
    path = folder / REPORT
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)  # as all files of a run are
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        stream.write(run_page(load_run(folder)))
    return path
