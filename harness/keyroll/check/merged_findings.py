"""Join findings that say the same of several sessions: a statement of a group concerns each of its neighbors."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from keyroll.check.findings import Finding

_PLACES_SHOWN = 6
"""Lines of one file that a finding lists; --json has all."""


@dataclass(frozen=True, slots=True)
class Together:
    """Findings of one rule and one sentence in one file, each of another session."""

    findings: tuple[Finding, ...]

    @property
    def first(self) -> Finding:
        """The finding that stands for all."""
        return self.findings[0]

    @property
    def message(self) -> str:
        """The sentence: of the first session, and of how many more."""
        further = len({finding.subject for finding in self.findings}) - 1
        if not further:
            return self.first.message
        return f"{self.first.subject} and {further} more: {_said(self.first)}"

    @property
    def place(self) -> str:
        """The file, and the lines in it."""
        lines = list(dict.fromkeys(finding.where.line for finding in self.findings))
        further = [str(line) for line in lines[1:_PLACES_SHOWN] if line is not None]
        left = len(lines) - _PLACES_SHOWN
        return ", ".join((str(self.first.where), *further)) + (f" and {left} more" if left > 0 else "")


def together(findings: Iterable[Finding]) -> Iterator[Together]:
    """Yield findings, those that say the same of several sessions as one, at the place of the first."""
    found: dict[object, list[Finding]] = {}
    for finding in findings:
        found.setdefault((finding.rule, finding.severity, finding.where.file, _said(finding)), []).append(finding)
    for same in found.values():
        # What has no session as its subject stands for itself at each place.
        groups = [same] if same[0].subject else [[finding] for finding in same]
        yield from (Together(tuple(group)) for group in groups)


def _said(finding: Finding) -> str:
    return finding.message.removeprefix(f"{finding.subject}: ")
