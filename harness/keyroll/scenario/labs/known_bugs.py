"""Bugs that a scenario knows of a platform or a release: whether they are known here, and whether they show."""

from __future__ import annotations

from keyroll.junos.pair import Pair
from keyroll.lab.protocol import Lab
from keyroll.scenario.file.fields import RouterName
from keyroll.scenario.file.scenario import KnownBug
from keyroll.scenario.labs.platform import platforms, releases_of
from keyroll.scenario.record.result import Verdict


def is_known_here(bug: KnownBug | None, lab: Lab, pair: Pair[RouterName]) -> bool:
    """Whether a scenario's known bug is known of the platform and release that runs here."""
    if bug is None or not platforms(lab) & set(bug.platform):
        return False
    return not bug.releases or bool(releases_of(pair) & set(bug.releases))


def verdict_with(bug: KnownBug | None, *, red: bool) -> tuple[Verdict, str | None]:
    """Return the verdict of a run where this bug is known (None: none is), and why: it must show, strictly."""
    if bug is None:
        return (Verdict.FAILED if red else Verdict.PASSED), None
    if red:
        return Verdict.KNOWN_BUG, f"fails as {bug.id} has it"
    return Verdict.FAILED, f"{bug.id} is known of this platform and release, and did not show: is it mended?"
