"""Policy expressions such as `( A && !B )` in a list of policies, and the order in which a route passes the policies.

Juniper, "Understanding Policy Expressions": accept and next policy are TRUE, reject is FALSE. The last policy that is
evaluated decides. `&&` evaluates the next one after TRUE, `||` after FALSE. `!` turns accept and next policy into
reject, and reject into accept. `!` binds most tightly, then `&&`, then `||`.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

_TOKEN = re.compile(r"\s*(?P<token>\(|\)|!|&&|\|\||[^\s()!&|]+)")


class Exit(enum.Enum):
    """Where the evaluation of a route ends."""

    ACCEPT = enum.auto()
    REJECT = enum.auto()
    END = enum.auto()
    """After the last policy: the protocol's default applies."""


Target = Exit | int
"""The result of a policy: an exit, or the index of the policy that is evaluated next, always a later one."""


@dataclass(frozen=True, slots=True)
class PolicyStep:
    """One policy of a list, and the target of each of its answers."""

    policy: str
    accept: Target
    reject: Target
    next: Target


@dataclass(frozen=True, slots=True)
class _Name:
    name: str


@dataclass(frozen=True, slots=True)
class _Not:
    inner: _Expression


@dataclass(frozen=True, slots=True)
class _Both:
    first: _Expression
    second: _Expression
    either: bool
    """`||`, else `&&`."""


_Expression = _Name | _Not | _Both


def is_expression(text: str) -> bool:
    """Return whether an entry of a list of policies is an expression, not a name."""
    return text.startswith("(")


def is_open(text: str) -> bool:
    """Return whether an expression has unclosed parentheses."""
    return text.count("(") > text.count(")")


def normalised(text: str) -> str:
    """Return an expression as Junos shows it, with one blank between words. Raises ValueError if it is malformed."""
    tokens = _tokens(text)
    _Parser(tokens).whole()
    return " ".join(tokens).replace("! ", "!")


def policy_names(listed: Iterable[str]) -> tuple[str, ...]:
    """Return the names of every policy in a list of policies and expressions, in the order of first mention."""
    found = (token for text in listed for token in (_tokens(text) if is_expression(text) else (text,)))
    return tuple(dict.fromkeys(token for token in found if token not in _MARKS))


_MALFORMED = "malformed policy expression"
_MARKS = frozenset({"(", ")", "!", "&&", "||"})


def steps(listed: Sequence[str]) -> tuple[PolicyStep, ...]:
    """Return the policies of a list in the order in which a route passes them. Raises ValueError."""
    parsed = [_Parser(_tokens(text)).whole() if is_expression(text) else _Name(text) for text in listed]
    found: list[PolicyStep] = []
    after = sum(map(_count, parsed))
    behind: Target = Exit.END
    # From the last to the first: the target after a policy must be known before the policy.
    for expression in reversed(parsed):
        after -= _count(expression)
        found[:0] = _compiled(expression, after, PolicyStep("", Exit.ACCEPT, Exit.REJECT, behind))
        behind = after
    return tuple(found)


def _count(expression: _Expression) -> int:
    if isinstance(expression, _Name):
        return 1
    if isinstance(expression, _Not):
        return _count(expression.inner)
    return _count(expression.first) + _count(expression.second)


def _compiled(expression: _Expression, at: int, then: PolicyStep) -> list[PolicyStep]:
    """Return the steps of an expression that begins at index `at`; `then` has the targets of its answers."""
    if isinstance(expression, _Name):
        return [PolicyStep(expression.name, then.accept, then.reject, then.next)]
    if isinstance(expression, _Not):
        return _compiled(expression.inner, at, PolicyStep("", then.reject, then.accept, then.reject))
    second = at + _count(expression.first)
    first = (
        PolicyStep("", then.accept, second, then.next)
        if expression.either
        else PolicyStep("", second, then.reject, second)
    )
    return [*_compiled(expression.first, at, first), *_compiled(expression.second, second, then)]


def _tokens(text: str) -> list[str]:
    found, at = [], 0
    while at < len(text.rstrip()):
        match = _TOKEN.match(text, at)
        if match is None:
            raise ValueError(_MALFORMED)
        found.append(match["token"])
        at = match.end()
    return found


class _Parser:
    """Reads an expression; every method raises ValueError for one that is malformed."""

    def __init__(self, tokens: Sequence[str]) -> None:
        self._tokens = tokens
        self._at = 0

    def whole(self) -> _Expression:
        found = self._either()
        if self._at != len(self._tokens):
            raise ValueError(_MALFORMED)
        return found

    def _next(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def _taken(self, token: str) -> bool:
        taken = self._next() == token
        self._at += taken
        return taken

    def _either(self) -> _Expression:
        found = self._both()
        while self._taken("||"):
            found = _Both(found, self._both(), either=True)
        return found

    def _both(self) -> _Expression:
        found = self._one()
        while self._taken("&&"):
            found = _Both(found, self._one(), either=False)
        return found

    def _one(self) -> _Expression:
        if self._taken("!"):
            return _Not(self._one())
        if self._taken("("):
            found = self._either()
            if not self._taken(")"):
                raise ValueError(_MALFORMED)
            return found
        name = self._next()
        if not name or name in _MARKS:
            raise ValueError(_MALFORMED)
        self._at += 1
        return _Name(name)
