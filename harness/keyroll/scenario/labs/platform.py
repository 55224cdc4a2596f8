"""What a run is played on, in words: platform and release, and how long the lab's parts took to start."""

from __future__ import annotations

from keyroll.junos.pair import Pair
from keyroll.junos.records import Version
from keyroll.lab.platforms import EMULATED
from keyroll.lab.protocol import Lab
from keyroll.scenario.file.fields import RouterName


def platform_words(lab: Lab, pair: Pair[RouterName]) -> str:
    """Return `emulated`, or platform and release of Juniper: `crpd 24.2R1.14`. The emulated router has one release."""
    names = platforms(lab)
    releases = set() if names == {EMULATED.name} else releases_of(pair)
    return " ".join(("+".join(sorted(names)), *sorted(releases)))


def phase_words(lab: Lab) -> str:
    """Return the parts of the lab's start that follow each other, with their lengths."""
    parts = [phase for phase in lab.phases if ":" not in phase.name]
    return ", ".join(f"{phase.name} {phase.took.total_seconds():.2f} s" for phase in parts)


def platforms(lab: Lab) -> set[str]:
    """Return the names of the routers' platforms."""
    return {router.platform for router in lab.routers.values()}


def releases_of(pair: Pair[RouterName]) -> set[str]:
    """Return the releases that the routers show."""
    shown = (exchange.parsed_as(Version).junos for exchange in pair.show("show version").values())
    return {release for release in shown if release is not None}
