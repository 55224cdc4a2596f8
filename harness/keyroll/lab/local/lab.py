"""What labs on this machine share, whatever their routers run in: a folder with a lock and a state file, and evidence.

The folder is what is left of a lab whose processes were all killed, and whoever finds its lock free removes it
(`keyroll.lab.local.folders`). Evidence goes where the caller says and stays. Where the caller says nothing it goes
into a folder of the lab's own, which the state file names before it is made: it goes when the lab goes, however.
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
        """Where the time went, in order. Parts that ran side by side in the routers are named `R1: …`."""
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
        """Bring the lab up: after it the routers take a configuration over SSH.

        Raises:
            LabUnfitError: this machine cannot carry it; the remedy is in the message.
            LabError: a part did not come up; it is named, with the end of its log. Nothing is left behind.
        """
        if self._run is not None:
            raise LabError(f"lab {self.name} is deployed already")
        begun = time.monotonic()
        self._prepare()
        try:
            self._open_folder()
            self._bring_up()
            self._write_state()
        except BaseException as error:  # whatever ends this, Ctrl-C too, nothing stays
            self._undo(error)
            raise
        self._took("deploy", begun)

    def _undo(self, cause: BaseException) -> None:
        """Take down what there is after a failed `deploy`; where that fails as well, tell both."""
        try:
            self.destroy()
        except KeyrollError as left:
            if isinstance(cause, KeyrollError):
                raise LabError(f"{cause.message}; and then {left.message}", remedy=left.remedy) from cause
            log.error("%s", left)  # noqa: TRY400 - the sentence is what helps; the interrupt goes on

    @abstractmethod
    def _prepare(self) -> None:
        """Ask whether this machine is fit, and remove what killed labs left behind. Raises LabUnfitError."""

    @abstractmethod
    def _bring_up(self) -> None:
        """Start everything; the lab's folder is there."""

    @abstractmethod
    def _order_link(self, name: str, order: dict[str, Any]) -> dict[str, Any]:
        """Hand an order to a link and return its answer."""

    @abstractmethod
    def destroy(self) -> None:
        """Take the lab down and leave nothing behind. Can be called twice, and after a failed `deploy`."""

    def _open_folder(self) -> None:
        self._run = folders.RunDirectory.create(self._wanted_name)
        self._id = self._run.id
        self._write_state()  # names the folder for evidence before it is there
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
        """Remove the lab's folder, with the evidence that goes with it."""
        if self._run is not None:
            self._run.remove()
            self._run = None

    def _took(self, name: str, begun: float) -> None:
        """Note a part that began at a monotonic moment and ended now."""
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
