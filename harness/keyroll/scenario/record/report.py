"""A run in words: what the timeline shows at a glance, and the evidence of a verdict. Plain text, for any face."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

from keyroll.scenario.file.durations import format_duration
from keyroll.scenario.record.result import GAPS, Check, Result, Verdict
from keyroll.scenario.record.timeline import Event, Kind

QUIET = frozenset({Kind.COMMAND, Kind.WAIT})
"""Kinds that the timeline in the terminal leaves out; they are in timeline.jsonl."""


def event_line(event: Event, *, started: int, t0: datetime) -> str:
    """Return an event as a line: seconds since the start, the routers' clocks after t0, router, what happened."""
    after = (event.at - started) / 1e9
    who = event.router or ""
    return f"{after:8.2f}s  {_clock(event, t0):<14}  {who:<3} {_text(event)}"


def _text(event: Event) -> str:
    """Return what happened, short: of a check that holds, its name and what was observed."""
    if event.kind is Kind.CHECK and event.data.get("passed"):
        session = event.data.get("session")
        return f"ok  {event.data['name']}{f' {session}' if session else ''}: {event.data['observed']}"
    return event.text


def _clock(event: Event, t0: datetime) -> str:
    """Return what the clock of the event's router (or both, where they differ) says, counted from t0."""
    own = event.clocks.get(event.router) if event.router is not None else None
    readings = [own] if own is not None else list(event.clocks.values())
    words = list(dict.fromkeys(_since(moment, t0) for moment in readings))
    return " / ".join(words) if all(words) else ""


def _since(moment: datetime, t0: datetime) -> str:
    length = moment - t0
    if abs(length) > timedelta(days=400):
        return ""  # not yet set: the host's own time, which says nothing in a scenario
    whole = timedelta(seconds=length // timedelta(seconds=1))
    return f"t0{'' if whole < timedelta() else '+'}{format_duration(whole)}"


def verdict_line(result: Result) -> str:
    """Return the verdict in a line."""
    word = result.verdict.value.upper()
    good = sum(check.passed for check in result.checks)
    return f"{word}  {result.scenario}: {good} of {len(result.checks)} checks hold, {result.took.total_seconds():.1f} s"


def failure_lines(result: Result) -> Iterator[str]:
    """Yield the evidence: every red check, which keys each side used, where everything lies, how to run it again."""
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
    """Yield which key each side used when the first check turned red, and at the end, where that differs."""
    told = [check for check in result.red if check.keys]
    for check in told[:1] + [check for check in told[-1:] if check.keys != told[0].keys]:
        yield f"keys at {check.label}:"
        yield from (f"  {router} {words}" for router, words in check.keys.items())


def spent_lines(result: Result) -> Iterator[str]:
    """Yield where the time went, the harness's own apart from waiting for the wire."""
    own = sum((part.took for part in result.spent if not part.waiting), timedelta())
    waited = sum((part.took for part in result.spent if part.waiting), timedelta())
    yield f"time: {own.total_seconds():.2f} s keyroll's own, {waited.total_seconds():.2f} s waiting for the wire"
    parts = [part for part in result.spent if part.took >= timedelta(milliseconds=5)]
    yield "  " + ", ".join(f"{part.part} {part.took.total_seconds():.2f} s" for part in parts)
    gaps = result.facts.get(GAPS)
    if isinstance(gaps, Mapping) and gaps:
        yield f"{GAPS}: " + ", ".join(f"{router} {gap:.2f} s" for router, gap in gaps.items())
