"""Which findings affect a path of the configuration, efficiently for thousands of both.

A finding affects what is configured at its level, above it and below it. A finding inside a configuration group affects
the levels that the group may apply to. Findings are in a tree of their paths, so that a lookup costs the length of a
path, not the number of findings.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from keyroll.configuration.findings import Finding, Path
from keyroll.configuration.inheritance import matches

Groups = Callable[[Path], frozenset[str]]
"""Returns the groups that may apply to a path."""


class _FindingsAt:
    """The findings at one level, by their number, and the levels below."""

    __slots__ = ("below", "here", "wildcards")

    def __init__(self) -> None:
        self.here: list[int] = []
        self.below: dict[str, _FindingsAt] = {}
        self.wildcards: list[str] = []
        """Those of the words below that are wildcards."""

    def add(self, path: Iterable[str], number: int) -> None:
        level = self
        for word in path:
            below = level.below.get(word)
            if below is None:
                below = level.below[word] = _FindingsAt()
                if word[:1] == "<":
                    level.wildcards.append(word)
            level = below
        level.here.append(number)

    def next(self, word: str, *, patterns: bool) -> Iterator[_FindingsAt]:
        """Yield the levels that a word leads to: itself, and in groups the wildcards that match it."""
        exact = self.below.get(word)
        if exact is not None:
            yield exact
        if patterns:
            yield from (self.below[one] for one in self.wildcards if one != word and matches(one, word))

    def all(self) -> Iterator[int]:
        """Yield the findings here and below."""
        waiting = [self]
        while waiting:
            level = waiting.pop()
            yield from level.here
            waiting.extend(level.below.values())


class FindingsByPath:
    """Findings, indexed to find those that affect a path."""

    def __init__(self, findings: Sequence[Finding], applied: Groups) -> None:
        self._findings = findings
        self._applied = applied
        self._top = _FindingsAt()
        self._groups: dict[str, _FindingsAt] = {}
        for number, finding in enumerate(findings):
            path = finding.path
            if path[:1] == ("groups",) and len(path) > 1:
                self._groups.setdefault(path[1], _FindingsAt()).add(path[2:], number)
            else:
                self._top.add(path, number)
        self._made: dict[tuple[_Met, ...], tuple[Finding, ...]] = {}

    def on(self, path: Path) -> tuple[Finding, ...]:
        """Return the findings that could change the meaning of what is configured at `path`, in their order."""
        if not self._findings:
            return ()
        met = [_met(self._top, path, patterns=False)]
        if self._groups:
            met += [_met(self._groups[name], path, patterns=True) for name in self._applied(path) & self._groups.keys()]
        # Cached, because thousands of sessions pass the same levels.
        key = tuple(met)
        made = self._made.get(key)
        if made is None:
            numbers = {number for one in met for number in one.numbers()}
            made = self._made[key] = tuple(self._findings[number] for number in sorted(numbers))
        return made


class _Met(NamedTuple):
    """The part of a tree of findings that a path meets: the levels that it passes, and those that it ends in."""

    passed: tuple[_FindingsAt, ...]
    ended: tuple[_FindingsAt, ...]

    def numbers(self) -> Iterator[int]:
        """Yield the findings on the way, and, where the path ends inside the tree, all below."""
        for level in self.passed:
            yield from level.here
        for level in self.ended:
            yield from level.all()


def _met(top: _FindingsAt, path: Path, *, patterns: bool) -> _Met:
    passed: list[_FindingsAt] = []
    levels = [top]
    for word in path:
        passed += levels
        levels = [one for level in levels for one in level.next(word, patterns=patterns)]
        if not levels:
            break
    return _Met(tuple(passed), tuple(levels))
