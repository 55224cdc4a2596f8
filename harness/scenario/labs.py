"""Which lab a run gets: chosen by a word, made from a topology file."""

from __future__ import annotations

from pathlib import Path

import harness
from harness.errors import InputError
from harness.lab.embedded.lab import EmbeddedLab
from harness.lab.protocol import Lab
from harness.lab.topology import read_topology
from harness.scenario.leases import LabMaker, Settings

LABS = ("embedded",)
DEFAULT_TOPOLOGY = "two-router.clab.yml"


def default_topology() -> Path:
    """Return the topology file that comes with keyroll.

    Raises:
        InputError: it is not beside this installation.
    """
    path = Path(harness.__file__).resolve().parent.parent / "topologies" / DEFAULT_TOPOLOGY
    if not path.is_file():
        raise InputError(f"{DEFAULT_TOPOLOGY} is not beside this installation", remedy="name one with --topology FILE")
    return path


def lab_maker(lab: str = "embedded", *, topology: Path | None = None, wait_scale: float = 1.0) -> LabMaker:
    """Return what makes labs of that kind.

    Raises:
        InputError: the kind is unknown, or the topology file is wrong.
    """
    if lab not in LABS:
        raise InputError(f"no lab '{lab}'", remedy=f"labs are: {', '.join(LABS)}")
    plan = read_topology(topology or default_topology())

    def make(evidence: Path, settings: Settings) -> Lab:
        return EmbeddedLab(plan, evidence=evidence, wait_scale=wait_scale, settings=settings)

    return make
