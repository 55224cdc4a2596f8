"""Common base of the labs on this machine: a folder with a lock and a state file, and the evidence.

If all processes of a lab are killed, its folder stays; the next command that finds its lock free removes it
(`keyroll.lab.local.folders`). Evidence stays in the folder that the caller chose. Without a choice, evidence goes to a
temporary folder. The state file names that folder before it is created, so that it is always removed with the lab.
"""

from __future__ import annotations

import logging
import os
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self

from keyroll.errors import KeyrollError
from keyroll.lab.local import folders
from keyroll.lab.local.link_controller import LinkController
from keyroll.lab.protocol import LabError, Phase, Router
from keyroll.lab.topology import Topology

log = logging.getLogger(__name__)


class HostedLab(ABC):
    """A lab on this machine. Arguments are those of `EmbeddedLab`."""

    def __init__(
        self,
        topology: Topology,
        *,
        evidence: Path | None,
        name: str | None,
        wait_scale: float,
        settings: Mapping[str, Mapping[str, str]] | None,
        on_phase: Callable[[Phase], None] | None,
    ) -> None:
        self._topology = topology
        self._own_evidence = evidence is None
        self._evidence = evidence or folders.new_evidence()
        self._wanted_name = name
        self._scale = wait_scale
        self._settings = {router: dict(values) for router, values in (settings or {}).items()}
        self._on_phase = on_phase
        self._id = name or ""
        self._run: folders.RunDirectory | None = None
        self._routers: dict[str, Router] = {}
        self._frame_logs: dict[str, Path] = {}
        self._phases: list[Phase] = []
        self._kept = False

    @property
    def name(self) -> str:
        """The lab's id, unique on this machine; empty before `deploy` when none was given."""
        return self._id

    @property
    def routers(self) -> Mapping[str, Router]:
        """The routers by name, once deployed."""
        return dict(self._routers)

    @property
    def phases(self) -> tuple[Phase, ...]:
        """The phases with their durations, in order. Phases that ran in parallel in the routers are named `R1: …`."""
        return tuple(self._phases)

    @property
    def evidence(self) -> Path:
        """The folder with the captures and the routers' logs."""
        return self._evidence

    @property
    def links(self) -> LinkController:
        """The links, to cut, impair, and inject frames into."""
        return LinkController(self.name, self._topology.links, self._frame_logs, self._order_link)

    def deploy(self) -> None:
        """Deploy the lab; afterwards the routers accept a configuration over SSH.

        Raises:
            LabUnfitError: this machine cannot run it; the message has the remedy.
            LabError: a part did not start; the error names it, with the end of its log. Nothing is left behind.
        """
        if self._run is not None:
            raise LabError(f"lab {self.name} is deployed already")
        begun = time.monotonic()
        self._prepare()
        try:
            self._open_folder()
            self._bring_up()
            self._write_state()
        except BaseException as error:  # after any error, Ctrl-C too, leave nothing behind
            self._undo(error)
            raise
        self._took("deploy", begun)

    def _undo(self, cause: BaseException) -> None:
        """Destroy what a failed `deploy` left; if that fails too, report both errors."""
        try:
            self.destroy()
        except KeyrollError as left:
            if isinstance(cause, KeyrollError):
                raise LabError(f"{cause.message}; and then {left.message}", remedy=left.remedy) from cause
            log.error("%s", left)  # noqa: TRY400 - the sentence is what helps; the interrupt goes on

    @abstractmethod
    def _prepare(self) -> None:
        """Check that this machine is fit, and remove the remains of killed labs. Raises LabUnfitError."""

    @abstractmethod
    def _bring_up(self) -> None:
        """Start everything; the lab's folder exists."""

    @abstractmethod
    def _order_link(self, name: str, order: dict[str, Any]) -> dict[str, Any]:
        """Send an order to a link and return its answer."""

    @abstractmethod
    def destroy(self) -> None:
        """Destroy the lab and leave nothing behind. Can be called twice, and after a failed `deploy`."""

    def _open_folder(self) -> None:
        self._run = folders.RunDirectory.create(self._wanted_name)
        self._id = self._run.id
        self._write_state()  # names the evidence folder before it exists
        with folders.naming(self._evidence):
            if self._own_evidence:
                self._evidence.mkdir(mode=0o700)
            else:
                self._evidence.mkdir(parents=True, exist_ok=True)

    def _write_state(self) -> None:
        assert self._run is not None  # noqa: S101 - made by the caller
        self._run.write_state(
            folders.LabState(
                id=self._run.id,
                kept=self._kept,
                owner=os.getpid(),
                topology=str(self._topology.path),
                evidence=str(self._evidence.absolute()),
                evidence_goes=self._own_evidence,
                created=datetime.now(UTC).isoformat(timespec="seconds"),
                routers=tuple(
                    folders.RouterEntry(router.name, router.host, router.port, router.user, router.password)
                    for router in self._routers.values()
                ),
            )
        )

    def _close_folder(self) -> None:
        """Remove the lab's folder and temporary evidence."""
        if self._run is not None:
            self._run.remove()
            self._run = None

    def _took(self, name: str, begun: float) -> None:
        """Record a phase that began at a monotonic time and ended now."""
        self._phase(name, time.monotonic() - begun)

    def _phase(self, name: str, seconds: float) -> None:
        phase = Phase(name, timedelta(seconds=seconds))
        self._phases.append(phase)
        if self._on_phase is not None:
            self._on_phase(phase)

    def __enter__(self) -> Self:
        self.deploy()
        return self

    def __exit__(self, *_: object) -> None:
        if not self._kept:
            self.destroy()
