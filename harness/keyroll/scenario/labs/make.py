"""Make the lab of a run: by its kind, from a topology file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from keyroll.errors import InputError
from keyroll.shipped import shipped

if TYPE_CHECKING:  # imported late: commands that only list the kinds of labs must start fast
    from keyroll.lab.containerlab.lab import ContainerLab
    from keyroll.lab.embedded.lab import EmbeddedLab
    from keyroll.lab.protocol import Lab, Phase
    from keyroll.lab.topology import Topology
    from keyroll.scenario.labs.pool import LabMaker, Settings

EMBEDDED = "embedded"
TOPOLOGIES = {
    EMBEDDED: "two-router.clab.yml",
    "containerlab": "emulated.clab.yml",
    "crpd": "crpd.clab.yml",
    "vjunos": "vjunos.clab.yml",
    "vjunos-evolved": "vjunos-evolved.clab.yml",
    "cjunos-evolved": "cjunos-evolved.clab.yml",
}
"""Kind of lab to its default topology. All but `embedded` use containerlab."""
LABS = tuple(TOPOLOGIES)


def default_topology(lab: str = EMBEDDED) -> Path:
    """Return the topology file that ships with keyroll for a kind of lab.

    Raises:
        InputError: this installation does not have the file.
    """
    name = TOPOLOGIES[lab]
    folder = shipped(in_package="topologies", in_tree="topologies")
    if folder is None or not (folder / name).is_file():
        raise InputError(f"{name} is missing from this installation", remedy="name one with --topology FILE")
    return folder / name


def lab_maker(lab: str = EMBEDDED, *, topology: Path | None = None, wait_scale: float = 1.0) -> LabMaker:
    """Return the factory for labs of that kind.

    Raises:
        InputError: the kind is unknown, or the topology file is wrong.
    """
    if lab not in LABS:
        raise InputError(f"no lab '{lab}'", remedy=f"labs are: {', '.join(LABS)}")
    from keyroll.lab.topology import read_topology  # noqa: PLC0415 - see TYPE_CHECKING

    plan = read_topology(topology or default_topology(lab))

    def make(evidence: Path, settings: Settings) -> Lab:
        return new_lab(lab, plan, evidence=evidence, wait_scale=wait_scale, settings=settings)

    return make


def new_lab(
    lab: str,
    plan: Topology,
    *,
    evidence: Path | None,
    name: str | None = None,
    wait_scale: float = 1.0,
    settings: Settings | None = None,
    on_phase: Callable[[Phase], None] | None = None,
) -> EmbeddedLab | ContainerLab:
    """Return a lab of a kind, not yet deployed; the arguments are those of `EmbeddedLab`."""
    if lab == EMBEDDED:
        from keyroll.lab.embedded.lab import EmbeddedLab  # noqa: PLC0415 - see TYPE_CHECKING

        return EmbeddedLab(
            plan, evidence=evidence, name=name, wait_scale=wait_scale, settings=settings, on_phase=on_phase
        )
    from keyroll.lab.containerlab.lab import ContainerLab  # noqa: PLC0415 - see TYPE_CHECKING
    from keyroll.scenario.labs.keyed_session import keyed_session  # noqa: PLC0415 - see TYPE_CHECKING
    from keyroll.scenario.labs.readiness import readiness  # noqa: PLC0415 - see TYPE_CHECKING

    return ContainerLab(
        plan,
        evidence=evidence,
        name=name,
        wait_scale=wait_scale,
        settings=settings,
        probe=readiness(wait_scale),
        pair_probe=lambda routers: keyed_session(routers, wait_scale=wait_scale),
        on_phase=on_phase,
    )
