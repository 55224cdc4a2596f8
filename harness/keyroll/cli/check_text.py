"""The text that `keyroll check` prints: one line per session, the rollovers of each pair of chains, the findings."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import NamedTuple

import click

from keyroll.check.as_json import mix_name, summary_of
from keyroll.check.coming_rollovers import Outcome, PredictedRollover
from keyroll.check.judge import ChainPair, JudgedSession, Report, begins_later
from keyroll.check.merged_findings import MergedFinding, merged
from keyroll.check.rollovers import Takeover
from keyroll.check.rules import RULES
from keyroll.check.skew import Mix, Skews
from keyroll.configuration import Session
from keyroll.errors import printable
from keyroll.keychain.model import Keychain
from keyroll.keychain.prediction import Gap
from keyroll.keychain.schedule import window
from keyroll.markdown_table import literal, table
from keyroll.names import Receiving
from keyroll.patterns import compiled

WIDTH = 100
"""Columns of the text if the output is not a terminal: what a ticket shows without wrapping."""
WIDTH_LEAST = 72
"""Columns that a time axis needs with short router names."""
_AXIS = 56
"""Columns of the time axis: what the names of the router and the keys leave of `WIDTH_LEAST`."""
_GROUPS_SHOWN = 3
"""How many different outcomes are printed for one rollover; --json has all."""
_COLOURS = {"ok": "green", "bad": "red", "unknown": "yellow", "error": "red", "warning": "yellow"}
_KIND = r"(?P<said>.*) \[(?P<kind>[a-z-]+)\]"
_ASSUMPTIONS = {"sending": "K1", "receiving": "K2"}
"""Ids of docs/assumptions/keychain.md."""


def text_of(report: Report, width: int = WIDTH) -> Iterator[str]:
    """Yield the lines of a report, at most `width` columns each (`WIDTH_LEAST` or more) but for places of findings."""
    width = max(width, WIDTH_LEAST)
    yield from _broken(_text(report, width), width)


def _text(report: Report, width: int) -> Iterator[str | _Line]:
    yield from _wrapped(_head(report))
    yield ""
    yield from _sessions(report, width)
    for number, pair in enumerate(report.pairs):
        yield ""
        yield from _wrapped(_title(pair, report.sessions_of(number)))
        yield from _pair(pair, report, width)
    findings = report.findings
    if findings:
        yield ""
        for same in merged(findings):
            yield from _finding(same)
    yield ""
    yield summary_of(report)


def markdown_of(report: Report) -> Iterator[str]:
    """Yield the lines of a report as Markdown, for a change ticket."""
    yield f"# keyroll check: {literal(', '.join(report.routers))}"
    yield ""
    yield _head(report)
    yield ""
    sessions = ((literal(_name(one)), literal(_chains(one)), one.verdict.value) for one in report.sessions)
    yield from table(("session", "key-chains", "verdict"), sessions)
    for number, pair in enumerate(report.pairs):
        yield ""
        yield f"## {literal(_title(pair, report.sessions_of(number)))}"
        yield ""
        yield from ("```", *_broken(_pair(pair, report, WIDTH), WIDTH), "```")
    if report.findings:
        yield ""
        yield from table(("severity", "finding", "place", "rule"), map(_finding_cells, merged(report.findings)))
    yield ""
    yield summary_of(report)


def _finding_cells(same: MergedFinding) -> tuple[str, ...]:
    message, rule = _message(same)
    return same.first.severity.value, literal(message), literal(same.place), f"`{rule}`"


def rules_text() -> Iterator[str]:
    """Yield the rules: id and severity, the sentence, the source."""
    for rule in RULES:
        yield f"{rule.id} ({rule.severity.value})"
        yield from _broken(_wrapped(f"{rule.sentence} ({rule.source})", indent=4), WIDTH)


def _head(report: Report) -> str:
    question = report.question
    count = len(question.mixes)
    mixes = f"{count} mixes of policies" if count > 1 else f"policies {mix_name(question.mixes[0])}"
    until = "" if question.change_by is None else f", planned change by {question.change_by:%Y-%m-%d %H:%M:%S %Z}"
    return (
        f"From {question.at:%Y-%m-%d %H:%M:%S %Z} on{until}, clocks up to {question.skew.total_seconds():g} s apart, "
        f"{mixes}"
    )


def _sessions(report: Report, width: int) -> Iterator[str]:
    rows = [(_name(session), _chains(session), session.verdict.value) for session in report.sessions]
    if not rows:
        yield "No session is protected with TCP-AO."
        return
    widths = [max(len(row[column]) for row in rows) for column in range(2)]
    # The verdict takes ten columns; what is left goes to the session first.
    widths[1] = min(widths[1], width * 3 // 10)
    widths[0] = min(widths[0], width - 12 - widths[1])
    for name, chains, verdict in rows:
        yield f"{_fit(name, widths[0])}  {_fit(chains, widths[1])}  {_coloured(verdict)}"


def _name(session: JudgedSession) -> str:
    one, other = session.one, session.other
    kind = one.kind.value.upper()
    if other is None:
        return f"{kind} {_at(one)} - {one.peer if one.peer is not None else 'discovered peers'}"
    return f"{kind} {_at(one)} {other.peer} - {_at(other)} {one.peer}"


def _at(session: Session) -> str:
    return session.router if session.instance is None else f"{session.router}/{session.instance}"


def _chains(session: JudgedSession) -> str:
    names = [
        "none" if end.authentication.chain is None else end.authentication.chain.value
        for end in (session.one, session.other)
        if end is not None
    ]
    return names[0] if len(set(names)) == 1 else " - ".join(names)


# ---------------------------------------------------------------------- rollovers


def _title(pair: ChainPair, sessions: Sequence[JudgedSession]) -> str:
    one, other = pair.chains
    hold = "no hold time" if pair.hold is None else f"hold time {pair.hold.time.total_seconds():g} s"
    alike = len({session.between for session in sessions}) - 1
    more = f", and {alike} more pair{'' if alike == 1 else 's'} of chains that are alike" if alike > 0 else ""
    count = f"{len(sessions)} session{'' if len(sessions) == 1 else 's'}"
    names = f"{one.name} ({pair.routers[0]}) and {other.name} ({pair.routers[1]})"
    return printable(f"Rollovers of {names}{more}: {count}, {hold}")


def _pair(pair: ChainPair, report: Report, width: int) -> Iterator[str | _Line]:
    # Names come from outside: control characters are escaped.
    pair = replace(pair, routers=(printable(pair.routers[0]), printable(pair.routers[1])))
    if not pair.coming.rollovers:
        yield "  no coming rollover"
    else:
        yield from _wrapped(
            "Tolerance: [ next key accepted, | takes over, ) former key no longer accepted",
            indent=2,
        )
    for predicted in pair.coming.rollovers:
        yield from _predicted_rollover(predicted, pair, report, width)


def _predicted_rollover(
    predicted: PredictedRollover, pair: ChainPair, report: Report, width: int
) -> Iterator[str | _Line]:
    parts = list(zip(pair.routers, predicted.rollover.parts, pair.zones, strict=True))
    for router, part, zone in parts:
        if part is None:
            yield from _wrapped(f"{router}: no key takes over", indent=2)
        else:
            start = part.start if zone is None else part.start.astimezone(zone)
            change = f"key {part.before.id} to key {part.key.id}"
            yield from _wrapped(f"{start:%Y-%m-%d %H:%M:%S %z} {router}: {change}", indent=2)
    yield from _axes(pair, predicted, width)
    count, mixes = len(predicted.failing), report.question.mixes
    assumed = pair.assumed(predicted)
    condition = f", if the secrets of keys {_keys(assumed)} match" if assumed else ""
    under = f" under all {len(mixes)} mixes" if len(mixes) > 1 else ""
    if not count:
        yield from _wrapped(f"{_coloured('hitless', 'ok')}{under}{condition}", indent=4)
    elif begins_later(predicted, report.question):
        yield from _wrapped("not hitless in this state, but the planned change ends it before this rollover", indent=4)
    else:
        under = f" under {count} of {len(mixes)} mixes" if count < len(mixes) else under
        yield from _wrapped(f"{_coloured('not hitless', 'bad')}{under}{_deciding(predicted, pair)}", indent=4)
        yield from _failures(predicted, pair)
    yield from _wrapped(_skew(predicted, pair, report.question.skew), indent=4)


def _keys(pairs: Iterable[tuple[int, int]]) -> str:
    return ", ".join(str(one) if one == other else f"{one}/{other}" for one, other in pairs)


def _deciding(predicted: PredictedRollover, pair: ChainPair) -> str:
    deciding = [f"{pair.routers[router]}'s {policy} ({_ASSUMPTIONS[policy]})" for router, policy in predicted.deciding]
    return f"; it depends on policies that Juniper's pages leave open: {', '.join(deciding)}" if deciding else ""


def _failures(predicted: PredictedRollover, pair: ChainPair) -> Iterator[str | _Line]:
    groups: list[tuple[Outcome, list[Mix]]] = []
    for mix in predicted.failing:
        outcome = predicted.outcomes[mix]
        known = next((mixes for other, mixes in groups if other == outcome), None)
        if known is None:
            groups.append((outcome, [mix]))
        else:
            known.append(mix)
    for outcome, mixes in groups[:_GROUPS_SHOWN]:
        others = f" and {len(mixes) - 1} more" if len(mixes) > 1 else ""
        yield from _wrapped(f"{mix_name(mixes[0])}{others}:", indent=6)
        yield from _outcome(outcome, pair)
    if len(groups) > _GROUPS_SHOWN:
        yield from _wrapped(
            f"other drops under {sum(len(mixes) for _, mixes in groups[_GROUPS_SHOWN:])} more mixes (--json lists all)",
            indent=6,
        )


def _outcome(outcome: Outcome, pair: ChainPair) -> Iterator[str | _Line]:
    if outcome.down_before:
        yield from _wrapped("the session is already down when the rollover begins", indent=8)
    for gap in outcome.gaps:
        yield from _wrapped(_gap(gap, pair), indent=8)
    for change in outcome.unmoved:
        router = pair.routers[int(change.router) - 1]
        yield from _wrapped(f"key {change.key} of {router}, due at {_clock(change.due)}, never takes over", indent=8)
    fall = outcome.fall
    if fall is not None:
        verb = "goes down" if fall.certain else "may go down"
        # On one day the date is printed once: with two, the line is too long for a terminal of 80 columns.
        same_day = fall.earliest.date() == fall.latest.date()
        latest = f"{fall.latest:%H:%M:%S}Z" if same_day else _clock(fall.latest)
        yield from _wrapped(f"the session {verb} between {_clock(fall.earliest)} and {latest}", indent=8)


def _gap(gap: Gap, pair: ChainPair) -> str:
    flow = gap.flow
    sender, receiver = (pair.routers[int(name) - 1] for name in (flow.sender, flow.receiver))
    key = "nothing" if flow.key is None else f"key {flow.key} (KeyID {flow.key_id})"
    reason = "" if flow.drop is None else f": {flow.drop.value}"
    if gap.begin == gap.end:
        until = "until the sender receives the request for its next key"
        return f"{sender} to {receiver}: {key} is dropped at {_clock(gap.begin)}, {until}{reason}"
    end = "on" if gap.end >= pair.coming.end else f"to {_clock(gap.end)}"
    return f"{sender} to {receiver}: {key} is dropped from {_clock(gap.begin)} {end}{reason}"


def _clock(instant: datetime) -> str:
    return f"{instant:%Y-%m-%d %H:%M:%S}Z"


def _skew(predicted: PredictedRollover, pair: ChainPair, asked: timedelta) -> str:
    bounds = predicted.bounds
    one, other = pair.routers
    if not bounds:
        limiting = predicted.limiting(low=True)
        if not limiting:
            return "no clock skew is hitless under all mixes"
        more = f" and {len(limiting) - 1} more" if len(limiting) > 1 else ""
        return f"not hitless at any clock skew under {mix_name(limiting[0])}{more}"
    if bounds[0].low is None and bounds[-1].high is None and len(bounds) == 1:
        return "hitless at any clock skew"
    mixes = dict.fromkeys((*predicted.limiting(low=True), *predicted.limiting(low=False)))
    by = f" (limited by {mix_name(next(iter(mixes)))}{f' and {len(mixes) - 1} more' if len(mixes) > 1 else ''})"
    said = (
        "" if predicted.hitless(asked) or predicted.failing else f"; {asked.total_seconds():g} s either way is outside"
    )
    by = by if len(predicted.skews) > 1 else ""
    return f"hitless skew ({other}'s clock minus {one}'s): {_intervals(bounds)}{by}{said}"


def _intervals(skews: Skews) -> str:
    found = []
    for interval in skews:
        low = "no bound" if interval.low is None else f"{interval.low / 1e6:+g} s"
        high = "no bound" if interval.high is None else f"{interval.high / 1e6:+g} s"
        ends = [
            f"from {low}" + ("" if interval.low is None or interval.low_closed else " (excluded)"),
            f"to {high}" + ("" if interval.high is None or interval.high_closed else " (excluded)"),
        ]
        found.append(" ".join(ends))
    return ", or ".join(found)


def _axes(pair: ChainPair, predicted: PredictedRollover, width: int) -> Iterator[str]:
    """Yield a time axis for each router: when the next key is accepted and takes over, and when the former one ends."""
    marks = [
        [] if part is None else _marks(chain.keychain, part)
        for chain, part in zip(pair.chains, predicted.rollover.parts, strict=True)
    ]
    instants = [instant for row in marks for instant, _ in row]
    first, last = min(instants), max(instants)
    length = (last - first) or timedelta(seconds=1)
    name = min(max(map(len, pair.routers)), 20, width - _AXIS - 11)
    margin = 2
    room = _AXIS - 1 - 2 * margin
    for router, part, row in zip(pair.routers, predicted.rollover.parts, marks, strict=True):
        if part is None:
            continue
        axis = ["."] * _AXIS
        for instant, mark in sorted(row, key=lambda item: item[1] == "|"):  # the takeover last, on top
            axis[margin + round((instant - first) / length * room)] = mark
        yield f"    {_fit(router, name)} {part.before.id:>2} {''.join(axis)} {part.key.id}"


def _marks(chain: Keychain, part: Takeover) -> list[tuple[datetime, str]]:
    opens, _ = window(chain, part.key, Receiving.TOLERANCE)
    _, closes = window(chain, part.before, Receiving.TOLERANCE)
    edges = ((opens, "["), (closes, ")"), (part.start, "|"))
    return [(instant, mark) for instant, mark in edges if instant is not None]


# ---------------------------------------------------------------------- findings and words


def _finding(same: MergedFinding) -> Iterator[str | _Line]:
    message, rule = _message(same)
    yield from _wrapped(f"{_coloured(same.first.severity.value)}: {printable(message)} [{rule}]", hang=4)
    yield f"    {printable(same.place)}"


def _message(same: MergedFinding) -> tuple[str, str]:
    """Return the message and the rule; the kind of an unknown, which ends its message, goes beside the rule."""
    found = compiled(_KIND, re.DOTALL).fullmatch(same.message)
    rule = same.first.rule.id
    if found is None:
        return same.message, rule
    return found["said"], rule if found["kind"] == rule else f"{rule}: {found['kind']}"


def _coloured(word: str, as_if: str | None = None) -> str:
    colour = _COLOURS.get(as_if or word)
    return click.style(word, fg=colour) if colour else word


class _Line(NamedTuple):
    """A line before it is wrapped: `broken` wraps it to a width."""

    text: str
    indent: int
    hang: int

    def broken(self, width: int) -> Iterator[str]:
        # Colours take no columns: they are added after the lines are wrapped.
        plain = click.unstyle(self.text)
        further = " " * (self.indent + self.hang)
        lines = textwrap.wrap(
            plain, width, initial_indent=" " * self.indent, subsequent_indent=further, break_on_hyphens=False
        )
        if plain != self.text:
            end = self.text.index("\x1b[0m") + len("\x1b[0m")
            styled = self.text[:end]
            lines[0] = lines[0].replace(click.unstyle(styled), styled, 1)
        yield from lines


def _wrapped(text: str, *, indent: int = 0, hang: int = 2) -> Iterator[_Line]:
    yield _Line(text, indent, hang)


def _broken(lines: Iterable[str | _Line], width: int) -> Iterator[str]:
    for line in lines:
        if isinstance(line, _Line):
            yield from line.broken(width)
        else:
            yield line


def _fit(text: str, width: int) -> str:
    text = printable(text)
    return text.ljust(width) if len(text) <= width else f"{text[: width - 3]}..."
