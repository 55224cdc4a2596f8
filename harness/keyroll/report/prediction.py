"""The page of a prediction, from the output of `keyroll check --json`. Pure.

It has the sessions, the coming rollovers on one time axis, and the findings. The JSON may come from another machine, so
its texts are not trusted, and the page says what is missing.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count, pairwise

from keyroll.errors import InputError
from keyroll.report.chart import Bar, Lane, Mark, Timeline, join_near, tone_of
from keyroll.report.sheet import Row, Section, Sheet
from keyroll.report.values import (
    list_of,
    mapping_of,
    moment_of,
    number_of,
    shown,
    text_of,
    text_or_none,
    texts_of,
    whole_of,
)

VERSION = 1
_PAIRS = 12
"""Pairs of chains that are drawn, those that are not hitless first: each takes five lanes. The tables have all."""
_OUTCOMES = 4
"""The most different failures that are printed for one rollover; the JSON has all."""
_MARGIN = 0.08
"""The time that is drawn before the first and after the last instant, as a part of the time between them."""
_SHORTEST = timedelta(minutes=10)
"""The shortest such time: with a single instant there is none between, and a mark at the edge is hard to see."""
_WHY = 3
"""Findings shown beside the verdict; all of them follow below it."""
_SEVERITIES = {"error": "error", "unknown": "not known", "warning": "warning", "advice": "advice"}


def prediction_sheet(data: Mapping[str, object]) -> Sheet:
    """Return the page of a check: of one state, or of the states before, between and after a change.

    Raises:
        InputError: it is not what `keyroll check --json` of this version writes.
    """
    states = list_of(data.get("states")) or [data]
    if data.get("version") != VERSION or not all(_is_state(state) for state in states):
        raise InputError("not what `keyroll check --json` writes", remedy="keyroll check R1.conf R2.conf --json >FILE")
    read = [_State(state) for state in states]
    worst = min(read, key=lambda state: _WORDS.index(state.word))
    last = read[-1]
    routers = ", ".join(dict.fromkeys(name for state in read for name in texts_of(state.data.get("routers"))))
    numbers = count(1)
    sections: list[Section] = []
    marks = []
    for state in read:
        rollovers = [(next(numbers), rollover) for rollover in state.rollovers]
        marks.append(rollovers)
        sections += _sections(state, rollovers, several=len(read) > 1)
    # With several states the one that stays is drawn: the others last for the time of a change.
    picture = _picture(last, marks[-1])
    return Sheet(
        headline=f"{worst.word}  {routers}: {worst.said}",
        tone=_TONES[worst.word],
        title="What keyroll check predicts from the configurations alone, without a connection to a router.",
        why=tuple(_why(read)),
        picture=picture,
        legend=tuple(_legend(last, several=len(read) > 1)) if picture is not None else (),
        sections=tuple(sections),
        again=_again(data, read[0]),
    )


_WORDS = ("NOT HITLESS", "NOT KNOWN", "HITLESS")
"""The verdicts, the worst first."""
_TONES = {"NOT HITLESS": "failed", "NOT KNOWN": "unfit", "HITLESS": "passed"}


def _is_state(state: Mapping[str, object]) -> bool:
    return {"sessions", "pairs", "findings", "verdicts", "summary", "complete"} <= state.keys()


@dataclass(frozen=True, slots=True)
class _Rollover:
    """One coming rollover of a pair of chains."""

    pair: Mapping[str, object]
    data: Mapping[str, object]

    @property
    def routers(self) -> list[str]:
        return texts_of(self.pair.get("routers"))

    @property
    def hitless(self) -> bool:
        """Whether it is hitless under every mix of policies, with clocks as far apart as --skew says."""
        return self.data.get("hitless") is True

    @property
    def mixes(self) -> Mapping[str, object]:
        return mapping_of(self.data.get("mixes"))

    @property
    def failing(self) -> list[str]:
        return [name for name, outcome in self.mixes.items() if mapping_of(outcome).get("hitless") is not True]

    @property
    def words(self) -> str:
        """The verdict, as the command says it."""
        number, failing = len(self.mixes), self.failing
        if failing:
            under = f"under {len(failing)} of {number} mixes" if len(failing) < number else f"under all {number} mixes"
            return f"not hitless {under}"
        if not self.hitless:
            return "not hitless with clocks that far apart"
        pairs = self.data.get("if_secrets_match")
        keys = [texts_of(both) for both in pairs] if isinstance(pairs, list) else []
        named = ", ".join("/".join(dict.fromkeys(both)) for both in keys)
        return f"hitless{f' if the secrets of keys {named} match' if named else ''} under all {number} mixes"


class _State:
    """The report of one state of the configurations."""

    def __init__(self, data: Mapping[str, object]) -> None:
        self.data = data
        self.name = text_or_none(data.get("state"))
        self.sessions = list_of(data.get("sessions"))
        self.pairs = list_of(data.get("pairs"))
        self.findings = list_of(data.get("findings"))
        self.rollovers = [
            _Rollover(pair, rollover) for pair in self.pairs for rollover in list_of(pair.get("rollovers"))
        ]

    @property
    def word(self) -> str:
        """The verdict: bad outweighs not known."""
        verdicts = mapping_of(self.data.get("verdicts"))
        if verdicts.get("bad"):
            return "NOT HITLESS"
        if verdicts.get("unknown") or not self.sessions or self.data.get("complete") is not True:
            return "NOT KNOWN"
        return "HITLESS"

    @property
    def said(self) -> str:
        """The summary, which is the last line of the command's own output."""
        where = f"{self.name}: " if self.name else ""
        return where + text_of(self.data.get("summary"))


# ---------------------------------------------------------------------- words


def _why(states: Iterable[_State]) -> Iterator[str]:
    told = 0
    for state in states:
        where = f"{state.name}: " if state.name else ""
        bad = [one for one in state.findings if one.get("severity") in ("error", "unknown")]
        for finding in bad[: max(0, _WHY - told)]:
            told += 1
            yield f"{where}{text_of(finding.get('message'))} ({_place(finding)})"
        if not state.sessions:
            yield f"{where}no session of these configurations is protected with TCP-AO"
    if not told and (rollovers := [one for state in states for one in state.rollovers]):
        first = min(text_of(one.data.get("first")) for one in rollovers)
        yield f"{len(rollovers)} coming rollovers, the first at {shown(moment_of(first))}: {rollovers[0].words}"


def _sections(state: _State, rollovers: Sequence[tuple[int, _Rollover]], *, several: bool) -> Iterator[Section]:
    where = f" {state.name}" if several and state.name else ""
    data = state.data
    asked = (
        f"clocks up to {number_of(data.get('skew')):g} s apart, {len(texts_of(data.get('mixes')))} mixes of policies"
    )
    lines = [f"At {shown(moment_of(data.get('at')))}, {asked}"]
    if (by := moment_of(data.get("change_by"))) is not None:
        lines.append(f"All routers are changed by {shown(by)}")
    yield Section(
        f"Sessions{where}",
        tuple(lines),
        ("session", "key-chains", "verdict"),
        tuple(
            Row((_session(one), _chains(one), text_of(one.get("verdict"))), bad=one.get("verdict") != "ok")
            for one in state.sessions
        ),
    )
    yield Section(
        f"Coming rollovers{where}",
        () if rollovers else ("No rollover is coming.",),
        ("routers", "when, by the routers' start-times", "predicted", "clocks may differ by"),
        tuple(_rollover_row(number, one) for number, one in rollovers),
    )
    if state.findings:
        yield Section(
            f"Findings{where}",
            (),
            ("severity", "finding", "place", "rule and its source"),
            tuple(_finding_row(one) for one in state.findings),
        )
    left = [
        f"{number} sessions {what}"
        for number, what in (
            (whole_of(data.get("unprotected")), "without TCP-AO"),
            (whole_of(data.get("disabled")), "that are disabled"),
        )
        if number
    ]
    if left:
        yield Section(f"Not judged{where}", tuple(left))


def _session(session: Mapping[str, object]) -> str:
    ends = list_of(session.get("ends"))
    kind = text_of(session.get("kind")).upper()
    words = " - ".join(f"{_at(end)}, peer {text_of(end.get('peer')) or 'discovered'}" for end in ends)
    return f"{kind} {words}"


def _at(end: Mapping[str, object]) -> str:
    instance = text_or_none(end.get("instance"))
    return text_of(end.get("router")) + (f"/{instance}" if instance else "")


def _chains(session: Mapping[str, object]) -> str:
    names = dict.fromkeys(text_of(end.get("chain")) or "none" for end in list_of(session.get("ends")))
    return " - ".join(names)


def _finding_row(finding: Mapping[str, object]) -> Row:
    severity = text_of(finding.get("severity"))
    source = text_of(finding.get("source"))
    rule = f"{text_of(finding.get('rule'))}: {text_of(finding.get('sentence'))}{f' ({source})' if source else ''}"
    cells = (_SEVERITIES.get(severity, severity), text_of(finding.get("message")), _place(finding), rule)
    return Row(cells, bad=severity in ("error", "unknown"))


def _place(finding: Mapping[str, object]) -> str:
    line = whole_of(finding.get("line"))
    return text_of(finding.get("file")) + ("" if line is None else f":{line}")


def _rollover_row(number: int, rollover: _Rollover) -> Row:
    when = [
        f"{router}: no key takes over"
        if not isinstance(part, dict)
        else f"{router}: key {text_of(part.get('after'))} to key {text_of(part.get('key'))} at "
        f"{shown(moment_of(part.get('start')))}"
        for router, part in mapping_of(rollover.data.get("changes")).items()
    ]
    cells = (" and ".join(rollover.routers), "; ".join(when), rollover.words, _skew(rollover))
    return Row(cells, bad=not rollover.hitless, anchor=number, more=tuple(_failures(rollover)))


def _skew(rollover: _Rollover) -> str:
    bounds = list_of(mapping_of(rollover.data.get("skew")).get("bounds"))
    if not bounds:
        return "not hitless at any clock skew"
    words = " or ".join(_interval(one) for one in bounds)
    if words == "any":
        return "hitless at any clock skew"
    routers = [*rollover.routers, "the second", "the first"]
    return f"{routers[1]}'s clock minus {routers[0]}'s: {words}"


def _interval(interval: Mapping[str, object]) -> str:
    low, high = interval.get("low"), interval.get("high")
    if low is None and high is None:
        return "any"
    from_ = "any less" if low is None else f"{number_of(low):+g} s"
    to = "any more" if high is None else f"{number_of(high):+g} s"
    return f"{from_} to {to}"


def _failures(rollover: _Rollover) -> Iterator[str]:
    """Yield each failure once, with the mixes of policies under which it occurs."""
    groups: dict[str, list[str]] = {}
    for name in rollover.failing:
        failure = "; ".join(_outcome(mapping_of(rollover.mixes[name])))
        groups.setdefault(failure, []).append(name)
    for failure, names in list(groups.items())[:_OUTCOMES]:
        yield f"{names[0]}{f' and {len(names) - 1} more' if len(names) > 1 else ''}: {failure}"
    if len(groups) > _OUTCOMES:
        yield f"and {len(groups) - _OUTCOMES} other failures, which the JSON has"
    decided = texts_of(rollover.data.get("decided_by"))
    if rollover.failing and decided:
        yield f"it depends on policies that Juniper's pages leave open: {', '.join(decided)}"


def _outcome(outcome: Mapping[str, object]) -> Iterator[str]:
    if outcome.get("down_before") is True:
        yield "the session is already down when the rollover begins"
    for gap in list_of(outcome.get("dropped")):
        yield _gap_words(gap)
    for one in list_of(outcome.get("never_sent")):
        due = shown(moment_of(one.get("due")))
        yield f"key {text_of(one.get('key'))} of {text_of(one.get('router'))}, due at {due}, never takes over"
    falls = mapping_of(outcome.get("falls"))
    if falls:
        verb = "goes down" if falls.get("certain") is True else "may go down"
        limits = f"{shown(moment_of(falls.get('earliest')))} and {shown(moment_of(falls.get('latest')))}"
        yield f"the session {verb} between {limits}"


def _gap_words(gap: Mapping[str, object]) -> str:
    key = "nothing" if gap.get("key") is None else f"key {text_of(gap.get('key'))} (KeyID {text_of(gap.get('keyid'))})"
    reason = text_of(gap.get("reason"))
    end = "on" if gap.get("end") is None else f"to {shown(moment_of(gap.get('end')))}"
    return (
        f"{text_of(gap.get('from'))} to {text_of(gap.get('to'))}: {key} is dropped from "
        f"{shown(moment_of(gap.get('begin')))} {end}{f' ({reason})' if reason else ''}"
    )


def _again(data: Mapping[str, object], state: _State) -> str | None:
    """Return the command that makes the prediction again, if the JSON has it or one state's files are known."""
    stored = text_or_none(data.get("again"))
    if stored is not None or "states" in data:
        return stored
    ends = [end for session in state.sessions for end in list_of(session.get("ends"))]
    files = dict.fromkeys(text_of(end.get("file")) for end in ends)
    if not files or "" in files:
        return None
    at = moment_of(data.get("at"))
    moment = [] if at is None else ["--at", f"{at:%Y-%m-%dT%H:%M:%SZ}"]
    return shlex.join(["keyroll", "check", *files, *moment, "--skew", f"{number_of(data.get('skew')):g}s"])


# ---------------------------------------------------------------------- the picture


def _picture(state: _State, rollovers: Sequence[tuple[int, _Rollover]]) -> Timeline | None:
    """Return the picture: each pair's keys, when both are accepted, what is dropped, and the rollovers."""
    instants = [at for _, one in rollovers for at in _instants(one)]
    if not instants:
        return None
    first, last = min(instants), max(instants)
    margin = max(_MARGIN * (last - first), _SHORTEST)
    limits = (first - margin).timestamp(), (last + margin).timestamp()
    order = sorted(state.pairs, key=lambda pair: all(one.hitless for _, one in rollovers if one.pair is pair))
    lanes = [lane for pair in order[:_PAIRS] for lane in _pair_lanes(pair, rollovers, limits)]
    marks = [
        Mark(at.timestamp(), f"{' and '.join(one.routers)}: {one.words}", "good" if one.hitless else "bad", number)
        for number, one in rollovers
        if (at := moment_of(one.data.get("first"))) is not None
    ]
    lanes.append(Lane("rollovers", "rollovers", marks=join_near(marks, limits[1] - limits[0])))
    return Timeline(*limits, tuple(lane for lane in lanes if lane.bars or lane.marks), axis="UTC", dated=True)


def _instants(rollover: _Rollover) -> Iterator[datetime]:
    for part in mapping_of(rollover.data.get("changes")).values():
        for name in ("start", "accepted_from", "former_until"):
            if (found := moment_of(mapping_of(part).get(name))) is not None:
                yield found
    for outcome in rollover.mixes.values():
        for gap in list_of(mapping_of(outcome).get("dropped")):
            yield from (at for name in ("begin", "end") if (at := moment_of(gap.get(name))) is not None)


def _pair_lanes(
    pair: Mapping[str, object], rollovers: Sequence[tuple[int, _Rollover]], limits: tuple[float, float]
) -> Iterator[Lane]:
    own = [one for _, one in rollovers if one.pair is pair]
    for router, chain in zip(texts_of(pair.get("routers")), texts_of(pair.get("chains")), strict=False):
        parts = [
            part for one in own if (part := mapping_of(mapping_of(one.data.get("changes")).get(router))).get("start")
        ]
        yield Lane(f"{router} {chain} planned", "keys", tuple(_planned(parts, limits)), router=router)
        yield Lane(f"{router} {chain} both keys", "accepted", tuple(_both(parts)), router=router)
    for direction, bars in _dropped(own, limits).items():
        yield Lane(f"{direction} dropped", "dropped", tuple(bars))


def _planned(parts: Sequence[Mapping[str, object]], limits: tuple[float, float]) -> Iterator[Bar]:
    turns = [(limits[0], text_of(parts[0].get("after")))] if parts else []
    turns += [(at.timestamp(), text_of(part.get("key"))) for part in parts if (at := moment_of(part.get("start")))]
    for (begin, key), (end, _) in pairwise([*turns, (limits[1], "")]):
        title = f"key {key}" if begin == limits[0] else f"key {key}: planned from {_words(begin)}"
        yield Bar(begin, max(begin, end), f"key {key}", title, tone_of(key), outline=True)


def _both(parts: Iterable[Mapping[str, object]]) -> Iterator[Bar]:
    for part in parts:
        opens, closes = moment_of(part.get("accepted_from")), moment_of(part.get("former_until"))
        if opens is not None and closes is not None and opens < closes:
            keys = f"key {text_of(part.get('after'))} and key {text_of(part.get('key'))}"
            title = f"{keys} are both accepted, by tolerance, from {shown(opens)} to {shown(closes)}"
            yield Bar(opens.timestamp(), closes.timestamp(), "both", title, "up")


def _dropped(rollovers: Iterable[_Rollover], limits: tuple[float, float]) -> dict[str, list[Bar]]:
    """Return by direction what is dropped under any mix of policies, each span once."""
    mixes: dict[str, dict[tuple[float, float], list[str]]] = {}
    words: dict[tuple[str, float, float], str] = {}
    for one in rollovers:
        for name, outcome in one.mixes.items():
            for gap in list_of(mapping_of(outcome).get("dropped")):
                begin, end = moment_of(gap.get("begin")), moment_of(gap.get("end"))
                if begin is None:
                    continue
                span = (begin.timestamp(), limits[1] if end is None else end.timestamp())
                way = f"{text_of(gap.get('from'))} to {text_of(gap.get('to'))}"
                mixes.setdefault(way, {}).setdefault(span, []).append(name)
                words[way, *span] = _gap_words(gap)
    return {
        way: [
            Bar(begin, end, "dropped", f"{words[way, begin, end]}, under {len(names)} mixes", "down")
            for (begin, end), names in sorted(spans.items())
        ]
        for way, spans in mixes.items()
    }


def _words(at: float) -> str:
    return shown(datetime.fromtimestamp(at, UTC))


def _legend(state: _State, *, several: bool) -> Iterator[str]:
    yield "Outline: planned by start-time. Green: by tolerance, both keys are accepted. Red: dropped by some policies."
    if several:
        yield f"The picture shows the state {state.name}."
    if len(state.pairs) > _PAIRS:
        yield f"{len(state.pairs) - _PAIRS} more pairs of chains are only in the tables."
