"""A run as plain text, for the command line and for pytest: lines of the timeline, and the evidence of a verdict."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

from keyroll.durations import format_duration
from keyroll.scenario.record.result import GAPS, Check, Result, Verdict
from keyroll.scenario.record.timeline import Event, Kind

QUIET = frozenset({Kind.COMMAND, Kind.WAIT})
"""Kinds of events that are not printed; they are in timeline.jsonl."""


def event_line(event: Event, *, started: int, t0: datetime) -> str:
    """Return an event as a line: seconds since the start, the routers' clocks relative to t0, router, text."""
    after = (event.at - started) / 1e9
    who = event.router or ""
    return f"{after:8.2f}s  {_clock(event, t0):<14}  {who:<3} {_text(event)}"


def _text(event: Event) -> str:
    """Return what happened; for a check that holds only its name and what was observed."""
    if event.kind is Kind.CHECK and event.data.get("passed"):
        session = event.data.get("session")
        return f"ok  {event.data['name']}{f' {session}' if session else ''}: {event.data['observed']}"
    return event.text


def _clock(event: Event, t0: datetime) -> str:
    """Return the clock of the event's router (or of both, if they differ), counted from t0."""
    own = event.clocks.get(event.router) if event.router is not None else None
    readings = [own] if own is not None else list(event.clocks.values())
    words = list(dict.fromkeys(_since(moment, t0) for moment in readings))
    return " / ".join(words) if all(words) else ""


def _since(moment: datetime, t0: datetime) -> str:
    length = moment - t0
    # Longer than any scenario, so the clock is not set yet: it shows the host's time, which has nothing to do with t0.
    if abs(length) > timedelta(days=400):
        return ""
    whole = timedelta(seconds=length // timedelta(seconds=1))
    return f"t0{'' if whole < timedelta() else '+'}{format_duration(whole)}"


def verdict_line(result: Result) -> str:
    """Return the verdict in a line."""
    word = result.verdict.value.upper()
    good = sum(check.passed for check in result.checks)
    return f"{word}  {result.scenario}: {good} of {len(result.checks)} checks hold, {result.took.total_seconds():.1f} s"


def failure_lines(result: Result) -> Iterator[str]:
    """Yield the evidence: every red check, the keys that each side used, the files, and how to run it again."""
    if result.reason:
        yield result.reason
    for check in result.red:
        yield from _check_lines(check)
    yield from _key_lines(result)
    if result.receipt is not None and result.verdict in (Verdict.PASSED, Verdict.FAILED):
        receipt = result.receipt
        if receipt.killed:
            yield f"mutation {receipt.mutation}: killed by {', '.join(receipt.named)}, as it must be"
        else:
            yield (
                f"mutation {receipt.mutation}: SURVIVED; it must turn {', '.join(receipt.named)} red, "
                f"and {', '.join(receipt.missed)} did not turn red"
            )
    yield f"evidence: {result.folder}"
    yield "  captures and logs in lab/, configurations R1.conf and R2.conf, exchanges.jsonl, timeline.jsonl"
    yield f"again: {result.again}"


def _check_lines(check: Check) -> Iterator[str]:
    yield " ".join(("RED", check.label, *(one for one in (check.router, check.session) if one)))
    yield f"  expected: {check.expected}"
    yield f"  observed: {check.observed}"
    if check.event:
        yield f"  when:     {check.after.total_seconds():.2f} s after {check.event}"


def _key_lines(result: Result) -> Iterator[str]:
    """Yield the key that each side used when the first check turned red, and when the last one did, if different."""
    told = [check for check in result.red if check.keys]
    for check in told[:1] + [check for check in told[-1:] if check.keys != told[0].keys]:
        yield f"keys at {check.label}:"
        yield from (f"  {router} {words}" for router, words in check.keys.items())


def spent_lines(result: Result) -> Iterator[str]:
    """Yield how long the parts of the run took, with keyroll's own time separate from waiting for the wire."""
    own = sum((part.took for part in result.spent if not part.waiting), timedelta())
    waited = sum((part.took for part in result.spent if part.waiting), timedelta())
    yield f"time: {own.total_seconds():.2f} s keyroll's own, {waited.total_seconds():.2f} s waiting for the wire"
    # What is shorter would be shown as 0.00 s.
    parts = [part for part in result.spent if part.took >= timedelta(milliseconds=5)]
    yield "  " + ", ".join(f"{part.part} {part.took.total_seconds():.2f} s" for part in parts)
    gaps = result.facts.get(GAPS)
    if isinstance(gaps, Mapping) and gaps:
        yield f"{GAPS}: " + ", ".join(f"{router} {gap:.2f} s" for router, gap in gaps.items())
