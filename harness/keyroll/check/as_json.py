"""A report of `keyroll check` as plain data, for JSON. The format has a version (docs/check.md); it holds no secret."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from keyroll.check.coming_rollovers import Outcome, PredictedRollover
from keyroll.check.findings import Finding
from keyroll.check.judge import ChainPair, JudgedSession, Report, Verdict
from keyroll.check.rollovers import Takeover
from keyroll.check.skew import Interval, Mix, Skews
from keyroll.configuration import Session
from keyroll.keychain.model import Keychain
from keyroll.keychain.prediction import Gap
from keyroll.keychain.schedule import window
from keyroll.names import Receiving

VERSION = 1


def as_data(report: Report, state: str | None = None) -> dict[str, object]:
    """Return a report as dictionaries, lists, texts and numbers. Instants are ISO 8601 in UTC, lengths are seconds."""
    question = report.question
    return {
        "version": VERSION,
        **({} if state is None else {"state": state}),
        "at": _moment(question.at),
        "until": None if question.until is None else _moment(question.until),
        "change_by": None if question.change_by is None else _moment(question.change_by),
        "skew": question.skew.total_seconds(),
        "mixes": [mix_name(mix) for mix in question.mixes],
        "routers": list(report.routers),
        "summary": summary_of(report),
        "complete": report.complete,
        "verdicts": {verdict.value: report.count(verdict) for verdict in Verdict},
        "unprotected": report.unprotected,
        "disabled": report.disabled,
        "sessions": [_session(session) for session in report.sessions],
        "pairs": [_pair(pair, report) for pair in report.pairs],
        "findings": [finding_data(finding) for finding in report.findings],
    }


def summary_of(report: Report) -> str:
    """Return the verdict of all sessions in a sentence."""
    counts = [f"{report.count(verdict)} {verdict.value}" for verdict in Verdict if report.count(verdict)]
    words = f"{len(report.sessions)} protected session{'' if len(report.sessions) == 1 else 's'}"
    found = f"{words}: {', '.join(counts)}" if counts else words
    rest = [
        f"{count} {what}"
        for count, what in ((report.unprotected, "without TCP-AO"), (report.disabled, "disabled"))
        if count
    ]
    return f"{found}; {', '.join(rest)} not judged" if rest else found


def mix_name(mix: Mix) -> str:
    """Return a mix as one word: `clock+tolerance/rnext+any`, the first router's policies first."""
    return "/".join(f"{sending.value}+{receiving.value}" for sending, receiving in mix)


def _session(session: JudgedSession) -> dict[str, object]:
    return {
        "kind": session.one.kind.value,
        "ends": [_end(end) for end in (session.one, session.other) if end is not None],
        "verdict": session.verdict.value,
        "pair": session.pair,
        "findings": [finding_data(finding) for finding in session.findings],
    }


def _end(session: Session) -> dict[str, object]:
    chain = session.authentication.chain
    return {
        "router": session.router,
        "instance": session.instance,
        "peer": None if session.peer is None else str(session.peer),
        "chain": None if chain is None else chain.value,
        "file": session.where.file,
        "line": session.where.line,
    }


def finding_data(finding: Finding) -> dict[str, object]:
    """Return a finding as data: its rule, with the sentence and the source, its place and its message."""
    return finding.rule.data(finding.message, finding.where, finding.severity)


def _pair(pair: ChainPair, report: Report) -> dict[str, object]:
    number = report.pairs.index(pair)
    return {
        "routers": list(pair.routers),
        "chains": [chain.name for chain in pair.chains],
        "hold_time": None if pair.hold is None else pair.hold.time.total_seconds(),
        "sessions": [index for index, session in enumerate(report.sessions) if session.pair == number],
        "up": not pair.coming.faults,
        "down_under": {mix_name(mix): [_gap(gap, pair) for gap in gaps] for mix, gaps in pair.coming.faults.items()},
        "rollovers": [
            _predicted_rollover(predicted, pair, report.question.skew) for predicted in pair.coming.rollovers
        ],
    }


def _predicted_rollover(predicted: PredictedRollover, pair: ChainPair, skew: timedelta) -> dict[str, object]:
    return {
        "first": _moment(predicted.rollover.first),
        "last": _moment(predicted.rollover.last),
        "changes": {
            router: None if part is None else _takeover(part, chain.keychain)
            for router, part, chain in zip(pair.routers, predicted.rollover.parts, pair.chains, strict=True)
        },
        "hitless": predicted.hitless(skew),
        "if_secrets_match": [list(keys) for keys in pair.assumed(predicted)],
        "decided_by": [f"{pair.routers[router]} {policy}" for router, policy in predicted.deciding],
        "skew": {
            "bounds": _skews(predicted.bounds),
            "lower_set_by": [mix_name(mix) for mix in predicted.limiting(low=True)],
            "upper_set_by": [mix_name(mix) for mix in predicted.limiting(low=False)],
        },
        "mixes": {
            mix_name(mix): {**_outcome(outcome, pair), "skew": _skews(predicted.skews[mix])}
            for mix, outcome in predicted.outcomes.items()
        },
    }


def _takeover(part: Takeover, chain: Keychain) -> dict[str, object]:
    opens, _ = window(chain, part.key, Receiving.TOLERANCE)
    _, closes = window(chain, part.before, Receiving.TOLERANCE)
    return {
        "key": part.key.id,
        "after": part.before.id,
        "start": part.start.isoformat(),
        "accepted_from": None if opens is None else _moment(opens),
        "former_until": None if closes is None else _moment(closes),
    }


def _outcome(outcome: Outcome, pair: ChainPair) -> Mapping[str, object]:
    fall = outcome.fall
    return {
        "hitless": outcome.hitless,
        "down_before": outcome.down_before,
        "dropped": [_gap(gap, pair) for gap in outcome.gaps],
        "never_sent": [
            {"router": pair.routers[int(change.router) - 1], "key": change.key, "due": _moment(change.due)}
            for change in outcome.unmoved
        ],
        "falls": None
        if fall is None
        else {"earliest": _moment(fall.earliest), "latest": _moment(fall.latest), "certain": fall.certain},
    }


def _gap(gap: Gap, pair: ChainPair) -> dict[str, object]:
    flow = gap.flow
    return {
        "from": pair.routers[int(flow.sender) - 1],
        "to": pair.routers[int(flow.receiver) - 1],
        "key": flow.key,
        "keyid": flow.key_id,
        "reason": None if flow.drop is None else flow.drop.name.lower().replace("_", "-"),
        "begin": _moment(gap.begin),
        "end": None if gap.end >= pair.coming.end else _moment(gap.end),
    }


def _skews(skews: Skews) -> list[dict[str, object]]:
    return [_interval(interval) for interval in skews]


def _interval(interval: Interval) -> dict[str, object]:
    low, high = (None if edge is None else edge / 1_000_000 for edge in (interval.low, interval.high))
    return {"low": low, "low_closed": interval.low_closed, "high": high, "high_closed": interval.high_closed}


def _moment(instant: datetime) -> str:
    return instant.isoformat()
