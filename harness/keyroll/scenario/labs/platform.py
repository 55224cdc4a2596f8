"""What a run is played on: platform and release, for who compares runs and for bugs that are known of some."""

from __future__ import annotations

from keyroll.junos.pair import Pair
from keyroll.junos.records import Version
from keyroll.lab.platforms import EMULATED
from keyroll.lab.protocol import Lab
from keyroll.scenario.file.fields import RouterName
from keyroll.scenario.file.scenario import KnownBug


def platform_words(lab: Lab, pair: Pair[RouterName]) -> str:
    """Return `emulated`, or platform and release of Juniper: `crpd 24.2R1.14`. The emulated router has one release."""
    names = _platforms(lab)
    releases = set() if names == {EMULATED.name} else _releases(pair)
    return " ".join(("+".join(sorted(names)), *sorted(releases)))


def phase_words(lab: Lab) -> str:
    """Return the parts of the lab's start that follow each other, with their lengths."""
    parts = [phase for phase in lab.phases if ":" not in phase.name]
    return ", ".join(f"{phase.name} {phase.took.total_seconds():.2f} s" for phase in parts)


def is_known_here(bug: KnownBug | None, lab: Lab, pair: Pair[RouterName]) -> bool:
    """Whether a scenario's known bug is known of the platform and release that runs here."""
    if bug is None or not _platforms(lab) & set(bug.platform):
        return False
    return not bug.releases or bool(_releases(pair) & set(bug.releases))


def _platforms(lab: Lab) -> set[str]:
    return {router.platform for router in lab.routers.values()}


def _releases(pair: Pair[RouterName]) -> set[str]:
    shown = (exchange.parsed_as(Version).junos for exchange in pair.show("show version").values())
    return {release for release in shown if release is not None}
