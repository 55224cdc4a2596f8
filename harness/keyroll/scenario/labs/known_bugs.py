"""Known bugs that a scenario declares for platforms and releases: does one apply to this lab, and does it show?"""

from __future__ import annotations

from keyroll.junos.pair import Pair
from keyroll.lab.protocol import Lab
from keyroll.scenario.file.fields import RouterName
from keyroll.scenario.file.scenario import KnownBug
from keyroll.scenario.labs.platform import platforms, releases_of
from keyroll.scenario.record.result import Verdict


def is_known_here(bug: KnownBug | None, lab: Lab, pair: Pair[RouterName]) -> bool:
    """Return whether a scenario's known bug applies to the platform and release of this lab."""
    if bug is None or not platforms(lab) & set(bug.platform):
        return False
    return not bug.releases or bool(releases_of(pair) & set(bug.releases))


def verdict_with(bug: KnownBug | None, *, red: bool) -> tuple[Verdict, str | None]:
    """Return the verdict and its reason. `bug` applies to this lab, so it must show; None: no bug applies."""
    if bug is None:
        return (Verdict.FAILED if red else Verdict.PASSED), None
    if red:
        return Verdict.KNOWN_BUG, f"fails because of {bug.id}"
    return Verdict.FAILED, f"{bug.id} is declared for this platform and release, but did not show: is it fixed?"
