"""Where a run's lab comes from: a fresh one for each run, or a pool of warm ones that are reset in between.

A lease is a deployed lab for one run. Its evidence (captures from the lease's beginning, daemon logs) is in the run's
folder when the lease has ended. A lab of the pool is given out again only when its reset has been checked.
"""

from __future__ import annotations

import contextlib
import fcntl
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, runtime_checkable

from keyroll.capture import copy_packets, count_packets
from keyroll.errors import KeyrollError
from keyroll.lab.platforms import PLATFORMS
from keyroll.lab.protocol import ExplainsGaps, Lab
from keyroll.scenario.errors import MissingCapabilityError
from keyroll.scenario.labs.reset import Before, Ends, look, reset

Settings = Mapping[str, Mapping[str, str]]
"""By router: `sending` and `receiving`, the emulated router's key policies. Empty: the lab's own defaults."""
LabMaker = Callable[[Path, Settings], Lab]
"""Makes a lab (not yet deployed) that puts captures and logs into a folder."""

SET_CLOCK = "set-clock"
IDLE_MOST = 4
"""Idle labs of one pool: as many as there are pairs of sending and receiving policies, so that scenarios which differ
in them alone find theirs. A lab takes 140 MB, and each pytest worker has a pool."""
IDLE_MOST_MACHINES = 1
"""The same where routers are virtual machines: two take 10 to 16 GB, so none is booted beside an idle pair."""


@dataclass(frozen=True, slots=True)
class Lease:
    """A deployed lab for one run. `skip` says by router how many packets its capture held before."""

    lab: Lab
    warm: bool = False
    skip: Mapping[str, int] = field(default_factory=dict)
    closing: frozenset[Ends] = frozenset()
    """Connections of earlier runs that are closing: their segments are none of this run's."""
    without: frozenset[str] = frozenset()
    """Capabilities that the lab has and that are not to be used."""

    @property
    def capabilities(self) -> frozenset[str]:
        """What the run may ask of the lab."""
        return frozenset(capability.value for capability in self.lab.capabilities) - self.without


class LabSource(Protocol):
    """Gives labs to runs."""

    def lease(
        self, evidence: Path, settings: Settings, *, needs: frozenset[str], quiet: bool = False
    ) -> AbstractContextManager[Lease]:
        """Lease a lab whose evidence goes into `evidence`; leaving the context gives it back.

        `quiet`: a lab in which no connection of an earlier run is closing: its last words would be counted as drops.

        Raises:
            MissingCapabilityError: no lab of this kind can do what `needs` names.
            LabError, LabUnfitError: it cannot be brought up.
        """
        ...


@runtime_checkable
class Keepable(Protocol):
    """A lab that can outlive its owner."""

    def keep(self) -> None:
        """Let the lab stay up when this process ends."""
        ...


class FreshLabs:
    """Every run gets a lab of its own, which is taken down after it (or kept up, with `keep`).

    `without` are capabilities that runs are not to use, as if the lab had none.
    """

    def __init__(self, make: LabMaker, *, keep: bool = False, without: frozenset[str] = frozenset()) -> None:
        self._make = make
        self._keep = keep
        self._without = without

    @contextlib.contextmanager
    def lease(
        self, evidence: Path, settings: Settings, *, needs: frozenset[str], quiet: bool = False
    ) -> Iterator[Lease]:
        """Deploy a lab, and destroy it in the end whatever happens. A new lab is always `quiet`."""
        del quiet
        lab = self._make(evidence, settings)
        lease = Lease(lab, without=self._without)
        _require(lease, needs)
        kept = False
        try:
            lab.deploy()
            yield lease
            if self._keep and isinstance(lab, Keepable):
                lab.keep()
                kept = True
        finally:
            if not kept:
                lab.destroy()


@dataclass(slots=True)
class _Warm:
    """A lab of the pool, and what its routers were before anybody touched them (or when they were last reset)."""

    lab: Lab
    settings: Settings
    before: Mapping[str, Before]

    @property
    def closing(self) -> frozenset[Ends]:
        """Connections of the last run that were closing when the lab was reset."""
        return frozenset(ends for before in self.before.values() for ends in before.closing)


def _look_at_all(lab: Lab) -> dict[str, Before]:
    """Return what a lab's routers are now. Raises LabError where one has died, RunError where one does not say."""
    try:
        return {name: look(router) for name, router in lab.routers.items()}
    except KeyrollError:
        lab.check()  # a router that has died is named, and not the connection that was lost by it
        raise


class LabPool:
    """Keeps labs between runs. For one thread; `close` takes all labs down.

    Of labs that nobody uses it keeps `IDLE_MOST`, those that were used last; of virtual machines one.

    `root` is the folder under which the pool's labs keep their evidence until it is copied to the runs; `without` as
    for `FreshLabs`.
    """

    def __init__(self, make: LabMaker, root: Path, *, without: frozenset[str] = frozenset()) -> None:
        self._make = make
        self._root = root
        self._without = without
        self._idle: list[_Warm] = []
        self._count = 0
        self.retired: list[str] = []
        """Why labs were taken down instead of being used again."""

    @contextlib.contextmanager
    def lease(
        self, evidence: Path, settings: Settings, *, needs: frozenset[str], quiet: bool = False
    ) -> Iterator[Lease]:
        """Give out a warm lab with these settings, or deploy one; reset it in the end, or destroy what cannot be."""
        warm = self._take(settings, quiet=quiet)
        fresh = warm is None
        if warm is None:
            self._count += 1
            lab = self._make(self._root / f"lab-{self._count}", settings)
            _require(Lease(lab, without=self._without), needs)
            self._make_room(1)
            warm = self._deploy(lab, settings)
        try:
            _require(Lease(warm.lab, without=self._without), needs)
        except MissingCapabilityError:
            self._idle.append(warm)  # nobody has touched it: the capability is missing from all of them
            raise
        skip = {router: count_packets(path) for router, path in warm.lab.captures.items()}
        lost = dict(warm.lab.capture_losses())
        try:
            yield Lease(warm.lab, warm=not fresh, skip=skip, closing=warm.closing, without=self._without)
        except BaseException:
            warm.lab.destroy()
            _keep_evidence(warm.lab, evidence, skip)
            raise
        _keep_evidence(warm.lab, evidence, skip)
        self._give_back(warm, lost)

    def _make_room(self, more: int) -> None:
        """Take the labs down that were used least recently, until there is room for `more`."""
        platforms = {router.platform for one in self._idle for router in one.lab.routers.values()}
        machines = any(name in PLATFORMS and PLATFORMS[name].needs_kvm for name in platforms)
        most = IDLE_MOST_MACHINES if machines else IDLE_MOST
        while self._idle and len(self._idle) + more > most:
            self._idle.pop(0).lab.destroy()

    def close(self) -> None:
        """Take all labs down."""
        while self._idle:
            self._idle.pop().lab.destroy()

    def _take(self, settings: Settings, *, quiet: bool) -> _Warm | None:
        def fits(one: _Warm) -> bool:
            return one.settings == settings and not (quiet and one.closing)

        while warm := next(filter(fits, self._idle), None):
            self._idle.remove(warm)
            try:
                warm.lab.check()
            except KeyrollError:
                warm.lab.destroy()  # it has died while nobody used it
                continue
            return warm
        return None

    def _deploy(self, lab: Lab, settings: Settings) -> _Warm:
        try:
            with self._turn():
                lab.deploy()
            return _Warm(lab, settings, _look_at_all(lab))
        except BaseException:
            lab.destroy()
            raise

    @contextlib.contextmanager
    def _turn(self) -> Iterator[None]:
        """Deploy one lab at a time, whatever the number of workers: many at once starve the runs that are under way."""
        self._root.parent.mkdir(parents=True, exist_ok=True)
        with (self._root.parent / ".deploying").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # ends with the file, or with this process
            yield

    def _give_back(self, warm: _Warm, lost: Mapping[str, int]) -> None:
        """Reset a lab and keep it; one that cannot be reset, or has lost frames, is taken down.

        So is one whose routers open from one port: what closes there still would be in the way of the next run.
        """
        if any("port" in settings for settings in warm.settings.values()):
            warm.lab.destroy()
            return
        reason = None if dict(warm.lab.capture_losses()) == lost else "its capture has lost frames"
        try:
            clocks = SET_CLOCK in Lease(warm.lab, without=self._without).capabilities
            warm.before = reset(warm.lab, warm.before, clocks=clocks) if reason is None else warm.before
        except KeyrollError as error:
            reason = str(error)
        except BaseException:
            warm.lab.destroy()
            raise
        if reason is None:
            self._make_room(1)
            self._idle.append(warm)
        else:
            self.retired.append(reason)
            warm.lab.destroy()


def _require(lease: Lease, needs: frozenset[str]) -> None:
    missing = sorted(needs - lease.capabilities)
    if missing:
        gaps = {
            **(lease.lab.gaps if isinstance(lease.lab, ExplainsGaps) else {}),
            **dict.fromkeys(lease.without, "withheld"),
        }
        reasons = [f"{name} ({gaps[name]})" if name in gaps else name for name in missing]
        raise MissingCapabilityError(f"this lab cannot do what the scenario requires: {', '.join(reasons)}")


def _keep_evidence(lab: Lab, folder: Path, skip: Mapping[str, int]) -> None:
    """Copy a warm lab's logs and the run's part of its captures into the run's folder."""
    folder.mkdir(parents=True, exist_ok=True)
    captures = {path.resolve(): router for router, path in lab.captures.items()}
    for path in sorted(lab.evidence.iterdir()):
        router = captures.get(path.resolve())
        if router is not None:
            copy_packets(path, folder / path.name, skip=skip.get(router, 0))
        elif path.is_file() and path.suffix != ".pcap":
            shutil.copyfile(path, folder / path.name)
