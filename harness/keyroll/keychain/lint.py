"""Lint of one chain: what is wrong with it, before it is committed. `lint_pair.py` is for two chains together.

`rules.py` has the rules; this module finds where they are broken. Findings name the place, if known. A secret is never
part of a finding.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from keyroll.errors import Where
from keyroll.keychain import rules
from keyroll.keychain.model import KEYS_MAX, Key, Keychain
from keyroll.keychain.rules import Rule, Severity
from keyroll.keychain.starttime import format_start_stored

Place = Callable[[int | None, str | None], Where]
"""Returns the place of (key number or None, statement or None)."""


class Finding(NamedTuple):
    """A broken rule: what was found, and where. `keys` are the numbers of the keys, in the chain of `where`."""

    rule: Rule
    message: str
    where: Where
    chain: str
    keys: tuple[int, ...] = ()

    @property
    def severity(self) -> Severity:
        """The rule's severity."""
        return self.rule.severity

    def __str__(self) -> str:
        return self.rule.line(self.message, self.where, self.severity)


@dataclass(frozen=True, slots=True)
class Subject:
    """A chain to judge, its router's name, and the places of its parts."""

    name: str
    chain: Keychain
    place: Place = field(repr=False)
    lost: Mapping[int, frozenset[str]] = field(repr=False, default_factory=dict)
    """By key number, statements that the text has with an unknown value: they are not missing."""
    partial: bool = False
    """Whether the text may lack parts of the chain: missing parts are then not reported."""
    numbers: int = 0
    """The number of keys in the text, if it is more than the chain has: keys with an invalid number are not in it."""

    @classmethod
    def bare(cls, chain: Keychain, name: str) -> Subject:
        """Make the subject of a chain that was not read from a text."""
        return cls(name, chain, lambda _key, _statement: Where(name))

    def absent(self, key: Key, statement: str) -> bool:
        """Return whether a statement that the key lacks is certainly missing, and not hidden in an unreadable part."""
        return self.partial or statement in self.lost.get(key.id, frozenset())

    def found(self, rule: Rule, message: str, *keys: Key, statement: str | None = None) -> Finding:
        """Return the finding that `rule` is broken at the last of the keys (or at the chain)."""
        where = self.place(keys[-1].id if keys else None, statement)
        return Finding(rule, message, where, self.chain.name, tuple(key.id for key in keys))


def lint(
    subject: Subject, *, at: datetime | None = None, max_age: timedelta | None = None, now: datetime | None = None
) -> list[Finding]:
    """Return every broken rule of one chain, in the order of the rules.

    Args:
        subject: the chain.
        at: the instant (aware) by which the first start-time must have passed; None: not checked.
        max_age: how long a key may be in use, from its start-time to its successor's; None: not checked.
        now: the instant (aware) until which the last key has been in use.
    """
    findings = [finding for check in _CHECKS for finding in check(subject)]
    if at is not None:
        findings += _first_start(subject, at)
    if max_age is not None:
        findings += _ages(subject, max_age, now)
    return sorted(findings, key=lambda finding: rules.RULES.index(finding.rule))


def _duplicate_ids(subject: Subject) -> Iterator[Finding]:
    for rule, name in ((rules.DUPLICATE_SEND_ID, "send-id"), (rules.DUPLICATE_RECV_ID, "recv-id")):
        for one, other in itertools.combinations(subject.chain.keys, 2):
            number = _id(one, name)
            if number is not None and number == _id(other, name):
                yield subject.found(rule, f"keys {one.id} and {other.id} both have {name} {number}", one, other,
                                    statement=name)  # fmt: skip


def _shared_ids(subject: Subject) -> Iterator[Finding]:
    for one, other in itertools.combinations(subject.chain.keys, 2):
        shared = {one.send_id, one.recv_id} & {other.send_id, other.recv_id} - {None}
        for number in sorted(number for number in shared if number is not None):
            statement = "send-id" if other.send_id == number else "recv-id"
            yield subject.found(
                rules.SHARED_ID,
                f"keys {one.id} and {other.id} both use the number {number}: "
                f"key {one.id} has {ids_of(one)}, key {other.id} has {ids_of(other)}",
                one,
                other,
                statement=statement,
            )


def _starts(subject: Subject) -> Iterator[Finding]:
    dated = sorted(
        ((key.start.astimezone(UTC), key) for key in subject.chain.keys if key.start is not None),
        key=lambda item: (item[0], item[1].id),
    )
    for (before, one), (after, other) in itertools.pairwise(dated):
        if before == after:
            yield subject.found(
                rules.SAME_START,
                f"keys {one.id} and {other.id} both start at {start_of(other)}",
                one,
                other,
                statement="start-time",
            )
        elif after - before < rules.SPACING_ADVISED:
            yield subject.found(
                rules.CLOSE_STARTS,
                f"key {other.id} starts {span_of(after - before)} after key {one.id}; "
                "Juniper advises 30 minutes or more",
                one,
                other,
                statement="start-time",
            )


def _first_start(subject: Subject, at: datetime) -> Iterator[Finding]:
    dated = [key for key in subject.chain.keys if key.start is not None]
    first = min(dated, key=lambda key: (key.start.astimezone(UTC) if key.start else at, key.id), default=None)
    if first is not None and first.start is not None and first.start > at:
        yield subject.found(
            rules.FIRST_START_FUTURE,
            f"the first key, {first.id}, starts at {start_of(first)}, {span_of(first.start - at)} after "
            f"{format_start_stored(at, at.tzinfo or UTC)}; until then nothing is sent",
            first,
            statement="start-time",
        )


def _ages(subject: Subject, max_age: timedelta, now: datetime | None) -> Iterator[Finding]:
    dated = sorted(
        ((key.start.astimezone(UTC), key) for key in subject.chain.keys if key.start is not None),
        key=lambda item: (item[0], item[1].id),
    )
    ends: list[datetime | None] = [*(start for start, _ in dated[1:]), None]
    for (start, key), end in zip(dated, ends, strict=bool(dated)):
        until = end if end is not None else now
        if until is not None and until - start > max_age:
            how = "until its successor starts" if end is not None else "and no other has started"
            yield subject.found(
                rules.KEY_TOO_OLD,
                f"key {key.id} is in use for {span_of(until - start)} {how}; {span_of(max_age)} are allowed",
                key,
                statement="start-time",
            )


def _statements(subject: Subject) -> Iterator[Finding]:
    for key in subject.chain.keys:
        if key.tcp_ao_option is False or (key.tcp_ao_option is None and not subject.absent(key, "tcp-ao-option")):
            state = "is not set, and disabled is the default" if key.tcp_ao_option is None else "is disabled"
            yield subject.found(
                rules.OPTION_NOT_ENABLED, f"key {key.id}: tcp-ao-option {state}", key, statement="tcp-ao-option"
            )
        if key.scheme not in {None, "ao"} or (key.scheme is None and not subject.absent(key, "algorithm")):
            state = "is not set, and md5 is the default" if key.scheme is None else f"is {key.scheme}, not ao"
            yield subject.found(rules.NOT_AO, f"key {key.id}: algorithm {state}", key, statement="algorithm")
        values = {"secret": key.secret, "start-time": key.start, "send-id": key.send_id, "recv-id": key.recv_id}
        missing = [name for name, value in values.items() if value is None and not subject.absent(key, name)]
        if missing:
            yield subject.found(rules.INCOMPLETE, f"key {key.id} has no {' and no '.join(missing)}", key)


def _secrets(subject: Subject) -> Iterator[Finding]:
    for key in subject.chain.keys:
        if key.secret is None or not key.secret.known:
            continue
        if len(key.secret) > rules.LINUX_SECRET_MAX:
            yield subject.found(
                rules.LONG_SECRET,
                f"key {key.id}: the secret has {len(key.secret)} octets; a Linux peer takes {rules.LINUX_SECRET_MAX}",
                key,
                statement="secret",
            )
        if not key.secret.reveal().isalnum():  # of bytes: ASCII letters and digits only
            yield subject.found(
                rules.SECRET_CHARACTERS,
                f"key {key.id}: the secret has characters other than letters and digits",
                key,
                statement="secret",
            )


def _whole(subject: Subject) -> Iterator[Finding]:
    chain = subject.chain
    if not chain.keys and not subject.partial:
        yield subject.found(rules.NO_KEYS, f"key-chain {chain.name} has no keys")
    count = max(len(chain.keys), subject.numbers)
    if count > KEYS_MAX:
        yield subject.found(rules.TOO_MANY_KEYS, f"key-chain {chain.name} has {count} keys; Junos takes {KEYS_MAX}")
    if chain.tolerance == 0:
        yield subject.found(
            rules.NO_TOLERANCE,
            f"key-chain {chain.name} has tolerance 0: even if the clocks differ very little, segments are dropped at "
            "every start-time",
            statement="tolerance",
        )


_CHECKS: tuple[Callable[[Subject], Iterator[Finding]], ...] = (
    _duplicate_ids,
    _shared_ids,
    _starts,
    _statements,
    _secrets,
    _whole,
)


def _id(key: Key, name: str) -> int | None:
    return key.send_id if name == "send-id" else key.recv_id


def ids_of(key: Key) -> str:
    """Return a key's ids in words."""
    send, recv = ("none" if number is None else number for number in (key.send_id, key.recv_id))
    return f"send-id {send} and recv-id {recv}"


def start_of(key: Key) -> str:
    """Return a key's start-time as Junos shows it."""
    return "" if key.start is None else format_start_stored(key.start, key.start.tzinfo or UTC)


def span_of(span: timedelta) -> str:
    """Return a length of time in words: `1 d 2 h`, `29 min 59 s`."""
    rest = int(span.total_seconds())
    parts = []
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60), ("s", 1)):
        count, rest = divmod(rest, size)
        if count:
            parts.append(f"{count} {unit}")
    return " ".join(parts) or "less than 1 s"
