"""Joins equal findings about several sessions: a statement of a BGP group affects each of its neighbors."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from keyroll.check.findings import Finding

_PLACES_SHOWN = 6
"""Lines of one file that a finding lists; --json has all."""


@dataclass(frozen=True, slots=True)
class MergedFinding:
    """Findings with the same rule, severity and message in one file, each about another session."""

    findings: tuple[Finding, ...]

    @property
    def first(self) -> Finding:
        """The first of the findings; all have its rule and severity."""
        return self.findings[0]

    @property
    def message(self) -> str:
        """The message, with the first session's name and how many more sessions there are."""
        further = len({finding.subject for finding in self.findings}) - 1
        if not further:
            return self.first.message
        return f"{self.first.subject} and {further} more: {_without_subject(self.first)}"

    @property
    def place(self) -> str:
        """The file and its lines."""
        lines = list(dict.fromkeys(finding.where.line for finding in self.findings))
        further = [str(line) for line in lines[1:_PLACES_SHOWN] if line is not None]
        left = len(lines) - _PLACES_SHOWN
        return ", ".join((str(self.first.where), *further)) + (f" and {left} more" if left > 0 else "")


def merged(findings: Iterable[Finding]) -> Iterator[MergedFinding]:
    """Yield the findings, with equal ones about several sessions joined, in the order of the first of each."""
    found: dict[object, list[Finding]] = {}
    for finding in findings:
        key = finding.rule, finding.severity, finding.where.file, _without_subject(finding)
        found.setdefault(key, []).append(finding)
    for same in found.values():
        # A finding that is not about a session is not joined: each place is reported.
        groups = [same] if same[0].subject else [[finding] for finding in same]
        yield from (MergedFinding(tuple(group)) for group in groups)


def _without_subject(finding: Finding) -> str:
    return finding.message.removeprefix(f"{finding.subject}: ")
