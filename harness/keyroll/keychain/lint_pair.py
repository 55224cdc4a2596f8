"""Lint of two chains that should protect one session together, and of their rollovers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

from keyroll.keychain import rules
from keyroll.keychain.lint import Finding, Subject, ids_of, span_of, start_of
from keyroll.keychain.model import Key, Keychain
from keyroll.keychain.prediction import HOLD_DEFAULT, Gap, Prediction, Side, predict_all
from keyroll.keychain.schedule import in_order
from keyroll.keychain.secret import Likeness
from keyroll.keychain.starttime import format_start_stored


def lint_pair(one: Subject, other: Subject) -> list[Finding]:
    """Return every broken rule about two chains that should protect one session together.

    Keys belong together when their ids are each other's reverse; the remaining ones, when their numbers are equal.
    Rules about one chain are `lint`'s.
    """
    pairs, alone = _counterparts(one.chain, other.chain)
    findings = [finding for mine, theirs in pairs for finding in _compare(one, other, mine, theirs)]
    for subject, peer, keys in ((one, other, alone[0]), (other, one, alone[1])):
        if peer.partial:
            continue
        findings += [
            subject.found(rules.KEY_MISSING, f"key {key.id} ({ids_of(key)}) has no counterpart on {peer.name}", key)
            for key in keys
        ]
    return sorted(findings, key=lambda finding: rules.RULES.index(finding.rule))


def lint_course(one: Subject, other: Subject) -> list[Finding]:
    """Return a finding when the rollover is not hitless, with equal clocks, under some mix of key policies.

    Use it for two chains without other errors: with errors, the rollover cannot be hitless, and this adds nothing.
    """
    stretch = _stretch(one.chain, other.chain)
    if stretch is None:
        return []
    left, right = Side("1", one.chain), Side("2", other.chain)
    predictions = predict_all(left, right, *stretch)
    names = {left.name: one.name, right.name: other.name}
    failing = [
        (mine, theirs, _fault(prediction, names))
        for mine, theirs, prediction in predictions
        if not prediction.hitless
    ]  # fmt: skip
    if not failing:
        return []
    fault, _ = Counter(fault for _, _, fault in failing).most_common(1)[0]
    mine, theirs = next((mine, theirs) for mine, theirs, found in failing if found == fault)
    message = (
        f"{len(failing)} of {len(predictions)} mixes of key policies are not hitless, such as {_policy(mine)} on "
        f"{one.name} with {_policy(theirs)} on {other.name}: {fault}"
    )
    return [other.found(rules.NOT_ROBUST, message)]


def _stretch(one: Keychain, other: Keychain) -> tuple[datetime, datetime] | None:
    """Return the time from when both routers send until after the last change; None if one of them never sends."""
    keys = in_order(one), in_order(other)
    starts = [[key.start.astimezone(UTC) for key in side if key.start is not None] for side in keys]
    if not all(starts):
        return None
    begin, last = max(side[0] for side in starts), max(side[-1] for side in starts)
    try:
        return begin, last + timedelta(seconds=max(one.tolerance, other.tolerance)) + 2 * HOLD_DEFAULT
    except OverflowError:  # such a tolerance never ends; all changes come soon after the last start-time
        return begin, last + 2 * HOLD_DEFAULT


def _policy(side: Side) -> str:
    return f"{side.sending.value} and {side.receiving.value}"


def _fault(prediction: Prediction, names: dict[str, str]) -> str:
    """Return the first fault: a segment that is dropped, else a key that a router never changes to."""
    if prediction.gaps:
        return _sentence(prediction.gaps[0], names)
    change = next(change for change in prediction.changes if change.done is None)
    return f"key {change.key} of {names[change.router]}, due at {format_start_stored(change.due)}, never takes over"


def _sentence(gap: Gap, names: dict[str, str]) -> str:
    key = "nothing is sent" if gap.flow.key is None else f"key {gap.flow.key} (KeyID {gap.flow.key_id}) is dropped"
    drop = "" if gap.flow.drop is None else f", because {gap.flow.drop.value}"
    return f"from {format_start_stored(gap.begin)} on, {key} from {names[gap.flow.sender]}{drop}"


def _counterparts(one: Keychain, other: Keychain) -> tuple[list[tuple[Key, Key]], tuple[Sequence[Key], Sequence[Key]]]:
    """Return the keys that belong together, and the remaining keys of each chain."""
    pairs: list[tuple[Key, Key]] = []
    mine, theirs = list(one.keys), list(other.keys)
    for belong in (_reversed, lambda left, right: left.id == right.id):
        for key in list(mine):
            # Of several keys with equal ids, the one with the same number belongs to it.
            candidates = sorted((peer for peer in theirs if belong(key, peer)), key=lambda peer: peer.id != key.id)
            if candidates:
                pairs.append((key, candidates[0]))
                mine.remove(key)
                theirs.remove(candidates[0])
    return sorted(pairs, key=lambda pair: pair[0].id), (mine, theirs)


def _reversed(one: Key, other: Key) -> bool:
    known = None not in (one.send_id, one.recv_id)
    return known and (one.send_id, one.recv_id) == (other.recv_id, other.send_id)


def _compare(one: Subject, other: Subject, mine: Key, theirs: Key) -> Iterator[Finding]:
    pair = f"key {mine.id} of {one.name} and key {theirs.id} of {other.name}"
    sides = (one, mine), (other, theirs)
    if not _reversed(mine, theirs) and _whole(sides, "send-id") and _whole(sides, "recv-id"):
        use = "" if None in (mine.send_id, mine.recv_id) else f"; use {ids_of(mine.mirrored())} here"
        yield other.found(
            rules.IDS_NOT_REVERSED,
            f"{pair}: {ids_of(mine)} there, {ids_of(theirs)} here{use}",
            theirs,
            statement="send-id",
        )
    if _secrets_differ(mine, theirs):
        yield other.found(rules.SECRETS_DIFFER, f"{pair} have different secrets", theirs, statement="secret")
    if mine.effective_algorithm is not theirs.effective_algorithm and _whole(sides, "cryptographic-algorithm"):
        yield other.found(
            rules.ALGORITHMS_DIFFER,
            f"{pair}: {mine.effective_algorithm.value} there, {theirs.effective_algorithm.value} here",
            theirs,
            statement="cryptographic-algorithm",
        )
    if bool(mine.tcp_ao_option) is not bool(theirs.tcp_ao_option) and _whole(sides, "tcp-ao-option"):
        yield other.found(
            rules.OPTIONS_DIFFER,
            f"{pair}: tcp-ao-option {_switch(mine)} there, {_switch(theirs)} here",
            theirs,
            statement="tcp-ao-option",
        )
    if mine.include_options is not theirs.include_options:
        yield other.found(rules.OPTIONS_DIFFER, f"{pair}: only one of them covers the TCP options", theirs)
    yield from _compare_starts(one, other, mine, theirs)


def _whole(sides: Sequence[tuple[Subject, Key]], statement: str) -> bool:
    """Return whether a statement's value is certain for both keys, and not hidden in an unreadable part."""
    return not any(
        subject.absent(key, statement)
        for subject, key in sides
        if {
            "send-id": key.send_id,
            "recv-id": key.recv_id,
            "tcp-ao-option": key.tcp_ao_option,
            "cryptographic-algorithm": key.algorithm,
        }[statement]
        is None
    )


def _compare_starts(one: Subject, other: Subject, mine: Key, theirs: Key) -> Iterator[Finding]:
    if mine.start is None or theirs.start is None:
        return
    apart = abs(mine.start.astimezone(UTC) - theirs.start.astimezone(UTC))
    tolerance = min(one.chain.tolerance, other.chain.tolerance)
    if not apart:
        return
    beyond = apart > timedelta(seconds=tolerance)
    which = f"key {theirs.id} of {other.name} at {start_of(theirs)}"
    yield other.found(
        rules.STARTS_DIFFER if beyond else rules.STARTS_UNEQUAL,
        f"key {mine.id} of {one.name} starts at {start_of(mine)}, {which}: "
        f"{span_of(apart)} apart, {'more than' if beyond else 'within'} the tolerance of {tolerance} s",
        theirs,
        statement="start-time",
    )


def _switch(key: Key) -> str:
    return "enabled" if key.tcp_ao_option else "disabled"


def _secrets_differ(mine: Key, theirs: Key) -> bool:
    """Say whether both secrets are known and differ."""
    if mine.secret is None or theirs.secret is None:
        return False
    return mine.secret.compare(theirs.secret) is Likeness.DIFFERENT
